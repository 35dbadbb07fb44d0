"""The supervisor's process: ``python -m procs.supervision.supervise [--foreground] CONFIG_FILE``.

It starts the parent of the stages before it imports anything heavy, so that both import in
parallel.
"""

import sys
from pathlib import Path

from procs.supervision.children import nursery


def main() -> int:
    """Open the nursery, then supervise."""
    nursery.open_nursery()
    from procs.logs.text_streams import accept_terminal
    from procs.supervision import one_run

    accept_terminal()
    *options, config_path = sys.argv[1:]
    return one_run.main(Path(config_path), to_log="--foreground" not in options)


if __name__ == "__main__":
    sys.exit(main())
