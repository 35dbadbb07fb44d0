"""The lines of all logs of a run, in one stream in the order of time.

Each process has its own log; the events of all hot loops are in one more.  All have the same form:
``2026-01-31 12:00:00.000 WARNING book: text``.  Lines without a time, such as a traceback, belong
to the line before them.
"""

import heapq
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from procs.logs import log_file, process_log

LEVELS = {"DEBUG": "info", "INFO": "info", "WARNING": "warning", "ERROR": "error",
          "CRITICAL": "error"}  # fmt: skip
#: The level of a line that belongs to the previous one.
MORE = "more"
GRAVITY = ("info", "warning", "error")
_LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) ([A-Z]+) +([^\s:]+): (.*)", re.S)


class LogLine(NamedTuple):
    """One line of a log."""

    time: str  # its own, or that of the line to which it belongs
    level: str
    log: str  # the process, or the stage that logged it
    text: str  # the text after the level
    line: str  # the whole line, as in the file

    @property
    def message(self) -> str:
        """The text after the name of the process."""
        return self.text.partition(": ")[2] or self.text


def parsed(log: str, line: str, time: str = "") -> LogLine:
    """Return the parts of one line of a log; ``time`` is the time of the previous line."""
    match = _LINE.fullmatch(line)
    if match is None or match[2] not in LEVELS:
        return LogLine(time, MORE, log, line, line)
    name = match[3] if log == process_log.HOT else log
    return LogLine(match[1], LEVELS[match[2]], name, f"{match[3]}: {match[4]}", line)


def in_order(streams: Iterable[Iterable[LogLine]]) -> Iterator[LogLine]:
    """Yield the lines of all logs by time; lines of one log keep their order."""
    return (line for _, line in heapq.merge(*map(_timed, streams), key=lambda pair: pair[0]))


def _timed(stream: Iterable[LogLine]) -> Iterator[tuple[str, LogLine]]:
    newest = ""
    for line in stream:
        newest = max(newest, line.time)
        yield newest, line


class LogFollower:
    """Reads the lines that were appended to one log since the last look, across rotations."""

    def __init__(self, path: Path, first_bytes: int | None) -> None:
        """The first look reads the last ``first_bytes``; with None all, also rotated files."""
        self.path = path
        self.first_bytes = first_bytes
        self.offset = -1
        self.inode = 0
        self.time = ""

    def look(self) -> list[LogLine]:
        """Return the new whole lines."""
        try:
            status = self.path.stat()
            data = b""
            if self.offset < 0:
                data = self.begin(status.st_size)
            elif status.st_ino != self.inode:
                data = self.end_of_former()
                self.offset = 0
            self.inode = status.st_ino
            self.offset = min(self.offset, status.st_size)
            data += self.read(self.path)
        except OSError:
            return []
        found = []
        for line in data.decode(errors="replace").splitlines():
            found.append(parsed(self.path.stem, line, self.time))
            self.time = found[-1].time
        return found

    def begin(self, size_bytes: int) -> bytes:
        """Choose where to begin; return the lines of older files."""
        self.offset = 0
        if self.first_bytes is not None:
            self.offset = max(size_bytes - self.first_bytes, 0)
            return b""
        older = [path for path in log_file.all_of(self.path) if path != self.path]
        return b"".join(path.read_bytes() for path in older)

    def end_of_former(self) -> bytes:
        """Return the rest of a file that was rotated since the last look."""
        for path in log_file.all_of(self.path):
            if path != self.path and path.stat().st_ino == self.inode:
                return self.read(path)
        return b""

    def read(self, path: Path) -> bytes:
        """Return the whole lines from the offset on; move the offset behind them."""
        with path.open("rb") as file:
            file.seek(self.offset)
            whole, newline, _ = file.read(self.first_bytes or -1).rpartition(b"\n")
        self.offset += len(whole) + len(newline)
        return whole + newline


class LogFolder:
    """All logs of a run."""

    def __init__(self, run_folder: Path, first_bytes: int | None = None) -> None:
        self.folder = run_folder / "logs"
        self.first_bytes = first_bytes
        self.followers: dict[Path, LogFollower] = {}

    def look(self) -> list[LogLine]:
        """Return the new lines, in the order of time."""
        streams = []
        for path in sorted(self.folder.glob("*.log")):
            follower = self.followers.setdefault(path, LogFollower(path, self.first_bytes))
            streams.append(follower.look())
        return list(in_order(streams))


def is_at_least(lines: Iterable[LogLine], level: str) -> Iterator[LogLine]:
    """Yield the lines of at least this level, each with the lines that belong to it."""
    shown: dict[str, bool] = {}
    for line in lines:
        if line.level != MORE:
            shown[line.log] = GRAVITY.index(line.level) >= GRAVITY.index(level)
        if shown.get(line.log, level == GRAVITY[0]):
            yield line


def local_time(stamp: str) -> str:
    """Return a UTC stamp of the event log in local time, which the logs use."""
    try:
        local = datetime.fromisoformat(stamp).astimezone()
    except ValueError:
        return stamp
    return f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03d}"
