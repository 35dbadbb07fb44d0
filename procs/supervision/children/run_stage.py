"""Runs stages in this process.

``python -m procs.supervision.children.run_stage ROLE[+ROLE...] LAUNCH_FILE``.

The supervisor calls ``enter`` in a process that the nursery forked.
"""

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from setproctitle import setproctitle

from procs.logs import process_log
from procs.plan import wiring
from procs.plan.errors import ConfigError
from procs.plan.launch import read_launch
from procs.plan.placement import process_name
from procs.stages.base.stage import StageError
from procs.supervision.children.policy import EXIT_HOPELESS

#: The modules whose ``main(role, launch)`` is a stage, by the kind of stage.
MODULES = {
    "ingest": "procs.stages.ingest.ingest_stage",
    wiring.BOOK: "procs.stages.book_stage",
    wiring.STRATEGY: "procs.stages.strategy_stage",
    wiring.GATEWAY: "procs.stages.gateway.gateway_stage",
}


def run(roles: Sequence[str], launch_path: Path) -> int:
    """Run one stage, or several in one loop; return the exit status."""
    if not __debug__:
        sys.exit("vortex does not run under python -O, which strips the checks; run without -O")
    process_log.to_stderr()
    log = process_log.logger(process_name(roles))
    log.info("pid %d", os.getpid())
    launch = read_launch(launch_path)
    try:
        if len(roles) > 1:
            return int(importlib.import_module("procs.stages.joint").main(roles, launch))
        module = importlib.import_module(MODULES[wiring.kind_of(roles[0])])
        return int(module.main(roles[0], launch))
    except (ConfigError, StageError) as error:
        log.error("%s", error)
        return EXIT_HOPELESS
    except Exception as error:
        log.error("%s: %s", type(error).__name__, error, exc_info=True)
        return 1


def enter(
    roles: Sequence[str], launch_path: Path, log_path: Path, variables: Mapping[str, str]
) -> None:
    """Become one stage or several: a new session, the log as output, the keys that it needs."""
    os.setsid()
    setproctitle(f"vortex {process_name(roles)} {launch_path}")
    process_log.redirect(log_path)
    os.environ.update(variables)
    sys.exit(run(roles, launch_path))


def main() -> int:
    """Run the stages named on the command line; return the exit status."""
    name, launch_path = sys.argv[1:]
    return run(name.split("+"), Path(launch_path))


if __name__ == "__main__":
    sys.exit(main())
