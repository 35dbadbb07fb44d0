"""The log files of a run: one per process, and one for the events of the hot loops."""

import contextlib
import logging
import os
import sys
from pathlib import Path

#: The log of the events of all hot loops.
HOT = "hot"
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
    """Return the path of one process's log."""
    return run_folder / "logs" / f"{role}.log"


def hot_path(run_folder: Path) -> Path:
    """Return the path of the hot loops' log; see ``procs/observe/events/log_writer.py``."""
    return log_path(run_folder, HOT)


def redirect(path: Path) -> None:
    """Point standard output and error at a log, or at nothing when it cannot be opened."""
    try:
        log_fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError:
        log_fd = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # output that was still buffered
            stream.flush()
        os.dup2(log_fd, stream.fileno())
    os.close(log_fd)


def last_lines(path: Path, count: int) -> list[str]:
    """Return the last ``count`` lines of a log, or all of them when it is 0."""
    try:
        return path.read_text(errors="replace", encoding="utf-8").splitlines()[-count:]
    except FileNotFoundError:
        return []
