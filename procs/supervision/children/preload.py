"""The work that the parent of the stages does once for all: imports, numba's start.

At its first compilation or read of its cache, numba registers about a thousand functions: a third
of a second of work that is the same for all stages.
"""

from numba.core.registry import cpu_target

from procs.observe.events import log_writer
from procs.stages import joint
from procs.supervision.children import run_stage

__all__ = ["joint", "log_writer", "run_stage"]

cpu_target.typing_context.refresh()
cpu_target.target_context.refresh()
