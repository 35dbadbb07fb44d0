"""Run one stage in this process: ``python -m procs.run_stage ROLE LAUNCH_FILE``."""

import importlib
import sys
from pathlib import Path

from procs import logs, wiring
from procs.stage import read_launch

#: The module whose ``main(role, launch)`` is a stage; every other role is an ingest process.
MODULES = {
    wiring.BOOK: "procs.book",
    wiring.STRATEGY: "procs.strategy",
    wiring.GATEWAY: "procs.gateway",
}


def main() -> int:
    """Run the stage named on the command line; return its exit status."""
    role, launch_path = sys.argv[1:]
    if not __debug__:
        sys.exit("vortex does not run under python -O: it would strip the checks; drop the -O")
    launch = read_launch(Path(launch_path))
    logs.to_stderr()
    try:
        module = importlib.import_module(MODULES.get(role, "procs.ingest"))
        return int(module.main(role, launch))
    except Exception as error:
        logs.logger(role).error("%s: %s", type(error).__name__, error, exc_info=True)
        return 1


if __name__ == "__main__":
    sys.exit(main())
