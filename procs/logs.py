"""One log file per process: what a stage prints goes to a file of the run's folder."""

import logging
import sys
from pathlib import Path

FORMAT = "%(asctime)s.%(msecs)03d %(levelname)-7s %(name)s: %(message)s"
DATE_FORMAT = "%Y-%m-%d %H:%M:%S"


def logger(name: str) -> logging.Logger:
    """Return the logger of one process."""
    return logging.getLogger(name)


def to_stderr() -> None:
    """Send all records to standard error, which the supervisor points at the log file."""
    logging.basicConfig(
        level=logging.INFO, format=FORMAT, datefmt=DATE_FORMAT, stream=sys.stderr, force=True
    )


def log_path(run_folder: Path, role: str) -> Path:
    """Return where one process's log stands."""
    return run_folder / "logs" / f"{role}.log"


def last_lines(path: Path, count: int) -> list[str]:
    """Return the last ``count`` lines of a log, fewer when there are not so many."""
    try:
        return path.read_text(errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        return []
