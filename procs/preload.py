"""What the parent of the stages does once, so that no stage has to: imports, and numba's start.

The first thing that numba compiles or reads from its cache makes it register some thousand
functions, a third of a second of work that is the same for all stages.
"""

from numba.core.registry import cpu_target

from procs import book, gateway, ingest, joint, log_writer, run_stage, strategy

__all__ = ["book", "gateway", "ingest", "joint", "log_writer", "run_stage", "strategy"]

cpu_target.typing_context.refresh()
cpu_target.target_context.refresh()
