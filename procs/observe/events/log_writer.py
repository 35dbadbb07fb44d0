"""The process that writes the events of the hot loops into ``logs/hot.log`` of the run's folder.

It observes the rings of events and writes one stream in the order of time.  A line reports events
that were overwritten before it read them.  It keeps its position in the run's memory, so that a
successor continues from there.  While the disk is full, the rings keep their events.
"""

import heapq
import logging
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from setproctitle import setproctitle

from ipc.shared import SharedTable
from procs.logs import process_log
from procs.logs.hot_events import CATALOGUE
from procs.logs.log_file import LogFile
from procs.observe.events.log_text import Names, event_of, level_of, log_line, text_of
from procs.observe.samples.view import RunView
from procs.observe.taps.tap import Tap
from procs.plan import instance, wiring
from procs.plan.config import Logs
from procs.plan.launch import read_launch
from procs.plan.run_records import LOG_MARK
from procs.plan.wiring import LOG_ROWS, SUPERVISOR_ROLE, log_ring

LOOK_S = 0.05
SECOND_NS = 1_000_000_000
#: A record becomes visible within this time of its stamp; a later one is written out of order.
HOLD_NS = 20_000_000


class LogEntry(NamedTuple):
    """One line to write; the times of one stage's entries never decrease."""

    at_ns: int
    level: int
    role: str
    message: str
    seq: int  # of its record; -1 for a line by the log writer itself


class Queue:
    """The entries of one stage that are read and not written yet."""

    def __init__(self, role: str, tap: Tap, tallies: SharedTable, names: Names) -> None:
        self.role = role
        self.tap = tap
        self.names = names
        self.tallies = tallies.records
        self.suppressed = self.tallies["suppressed_count"].copy()
        self.entries: deque[LogEntry] = deque()
        self.newest_ns = 0

    def put(self, at_ns: int, level: int, message: str, seq: int = -1) -> None:
        """Put one line at the end."""
        self.newest_ns = max(self.newest_ns, at_ns)
        self.entries.append(LogEntry(self.newest_ns, level, self.role, message, seq))

    def read(self) -> None:
        """Read new events, unless a whole ring of them already waits: the ring keeps the newest."""
        if len(self.entries) >= LOG_ROWS:
            return
        lost_count = self.tap.lost_count
        copies = self.tap.copy()
        events = [event_of(copy.raw) for copy in copies]
        if lost_count := self.tap.lost_count - lost_count:
            first_ns = events[0].at_ns if events else self.newest_ns
            self.put(first_ns, logging.WARNING, f"{lost_count} events were overwritten unread")
        for copy, each in zip(copies, events, strict=True):
            self.put(each.at_ns, level_of(each.event_id), text_of(each, self.names), copy.seq)

    def read_suppressed(self) -> None:
        """Add a line with the number of events that were suppressed."""
        counts = self.tallies["suppressed_count"].copy()
        for place in (counts - self.suppressed).nonzero()[0]:
            row = self.tallies[place]
            event = CATALOGUE.events.get(int(row["event_id"]))
            words = f"{counts[place] - self.suppressed[place]} more not logged"
            text = event.text if event else f"event {int(row['event_id']):x}"
            self.put(int(row["last_ns"]), level_of(int(row["event_id"])), f"{words}: {text}")
        self.suppressed = counts

    def due_count(self, end_ns: int) -> int:
        """Return how many entries are older than ``end_ns``."""
        count = 0
        for entry in self.entries:
            if entry.at_ns > end_ns:
                break
            count += 1
        return count

    @property
    def next_seq(self) -> int:
        """The sequence of the first record that is not written."""
        return next((entry.seq for entry in self.entries if entry.seq >= 0), self.tap.next_seq)


def merged(streams: Iterable[Iterable[LogEntry]]) -> Iterator[LogEntry]:
    """Yield the entries of all stages by time; entries of one stage keep their order."""
    return heapq.merge(*streams, key=lambda entry: entry.at_ns)


class LogWriter:
    """Writes the events of the stages of one run; ``close`` closes the file."""

    def __init__(self, view: RunView, marks: SharedTable, settings: Logs) -> None:
        self.view = view
        self.marks = marks.records
        self.log = process_log.logger(wiring.LOG_WRITER)
        names = Names.of(view.config, view.records("instruments"))
        self.queues = []
        for role, mark in zip(view.wiring.roles, self.marks, strict=True):
            tap = Tap(view.rings[log_ring(role)], from_oldest=True)
            tap.next_seq = int(mark["next_seq"])
            self.queues.append(Queue(role, tap, view.tables[f"event_counts.{role}"], names))
        self.file = LogFile(
            process_log.hot_path(view.run_folder), settings.file_mb << 20, settings.file_count
        )
        self.problem = ""
        self.next_second_ns = view.now_ns() + SECOND_NS
        try:
            self.file.open(int(self.marks[0]["file_bytes"]))
        except OSError as error:
            self.complain(error)
        self.marks["pid"] = os.getpid()

    def look(self, *, to_the_end: bool = False) -> None:
        """Read new events and write the due ones; with ``to_the_end`` all of them."""
        now_ns = self.view.now_ns()
        is_second = now_ns >= self.next_second_ns
        for queue in self.queues:
            queue.read()
            if is_second or to_the_end:
                queue.read_suppressed()
        if is_second:
            self.next_second_ns = now_ns + SECOND_NS
        counts = [
            len(queue.entries) if to_the_end else queue.due_count(now_ns - HOLD_NS)
            for queue in self.queues
        ]
        if any(counts):
            self.write(counts)

    def write(self, counts: list[int]) -> None:
        """Write the first entries of each queue; keep them when the disk refuses them."""
        due = [
            [queue.entries[index] for index in range(count)]
            for queue, count in zip(self.queues, counts, strict=True)
        ]
        offset_ns = int(self.view.records("clock")[0]["wall_offset_ns"])
        lines = [log_line(e.at_ns + offset_ns, e.level, e.role, e.message) for e in merged(due)]
        try:
            self.file.append("".join(f"{line}\n" for line in lines).encode())
        except OSError as error:
            self.complain(error)
            return
        if self.problem:
            self.log.warning("events are written again, after: %s", self.problem)
            self.problem = ""
        for queue, entries in zip(self.queues, due, strict=True):
            for _ in entries:
                queue.entries.popleft()
        self.mark(due)

    def mark(self, written: list[list[LogEntry]]) -> None:
        """Record the position up to which all is written."""
        marks = self.marks.copy()
        for mark, queue, entries in zip(marks, self.queues, written, strict=True):
            mark["next_seq"] = queue.next_seq
            mark["written_count"] += sum(entry.seq >= 0 for entry in entries)
            mark["lost_count"] += queue.tap.lost_count
            queue.tap.lost_count = 0
        marks["file_bytes"] = self.file.size_bytes
        self.marks[:] = marks

    def complain(self, error: OSError) -> None:
        """Log a problem of the disk once."""
        if self.problem != str(error.strerror):
            self.problem = str(error.strerror)
            self.log.error("%s: %s; events wait in their rings", self.file.path, self.problem)

    def is_over(self) -> bool:
        """Return whether the supervisor and all stages have ended."""
        if self.view.tables["commands"].segment.is_locked(SUPERVISOR_ROLE):
            return False
        return not any(self.view.is_alive(role) for role in self.view.wiring.roles)

    def close(self) -> None:
        """Close the file."""
        self.file.close()


def run(launch_path: Path) -> int:
    """Write until a stop is requested or the run is over; return the exit status."""
    launch = read_launch(launch_path)
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.sched_setaffinity(0, launch.housekeeping_cpus)
    with closing(RunView(launch.config, Path(launch.run_folder))) as view:
        segment = view.wiring.segment("log_marks")
        marks = SharedTable.attach(segment, LOG_MARK, run_id=launch.run_id, writable=True)
        with closing(marks), closing(LogWriter(view, marks, launch.config.logs)) as writer:
            while not stopping and not writer.is_over():
                writer.look()
                time.sleep(LOOK_S)
            writer.look(to_the_end=True)
    return 0


def living_pid(view: RunView) -> int | None:
    """Return the process of a run's log writer, or None when there is none."""
    pid = int(view.records("log_marks")[0]["pid"])
    try:
        # Checked by its title: another process may have its pid by now.
        title = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode()
        return pid if title == process_title(view.run_folder) else None
    except OSError:
        return None


def process_title(run_folder: Path) -> str:
    """Return the title of the process of a run's log writer."""
    launch_path = instance.launch_path(run_folder, wiring.BOOK)
    return f"vortex {wiring.LOG_WRITER} {launch_path}"


def enter(launch_path: Path, log_path: Path) -> None:
    """Become the log writer, in a process that the nursery forked."""
    os.setsid()
    setproctitle(process_title(launch_path.parent))
    process_log.redirect(log_path)
    process_log.to_stderr()
    process_log.logger(wiring.LOG_WRITER).info("pid %d", os.getpid())
    sys.exit(run(launch_path))
