"""The deaths of a run: how a stage ended, what the supervisor did, its last events.

The events that a hot loop logged before it was killed are still in its ring: in the run's memory
while the run is up, in its archive later.
"""

import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from procs.logs import log_lines, process_log
from procs.logs.hot_events import LIFE_BEGAN
from procs.logs.run_events import UNKNOWN_STATUS, RunEvent, events_path
from procs.observe import archive
from procs.observe.events.log_text import LoggedEvent, Names, event_of, level_of, log_line, text_of
from procs.observe.watch import open_or_folder
from procs.plan import wiring
from procs.plan.config import Config
from procs.plan.instance import NothingKept, OtherVersion, launch_path
from procs.plan.launch import read_launch
from procs.plan.wiring import LOG_ROWS, log_ring

DIED = ("died", "given up")
_LIFE_LINE = re.compile(r": pid (\d+)$")

#: The events in a stage's ring, the oldest first; None when the ring is gone.
ReadRing = Callable[[str], list[LoggedEvent] | None]


class Death(msgspec.Struct):
    """One death, and the last events and log lines of the process."""

    time: str
    stage: str
    pid: int
    status: int | None
    ended: str
    then: str
    events: list[str] | None  # None when the ring is gone
    lines: list[str]

    def text(self) -> list[str]:
        """Return the death for people."""
        lines = [f"{self.time} {self.stage} (pid {self.pid}) {self.ended}; {self.then}"]
        found = ["the ring of its events is gone"] if self.events is None else self.events
        if found:
            lines += ["  the last events of its hot loop:", *(f"    {line}" for line in found)]
        if self.lines:
            lines += ["  the last lines of its log:", *(f"    {line}" for line in self.lines)]
        return lines


class Remains:
    """The rings of events of a run, live or archived, and the names of their numbers."""

    def __init__(
        self, config: Config, instruments: Any, wall_offset_ns: int, read_ring: ReadRing
    ) -> None:
        self.config = config
        self.names = Names.of(config, instruments)
        self.wall_offset_ns = wall_offset_ns
        self.read_ring = read_ring

    def last_events(self, role: str, pid: int, pids: list[int], count: int) -> list[str] | None:
        """Return the last events of one life of a stage; ``pids`` are those of all its lives."""
        found = self.read_ring(role)
        if found is None:
            return None
        own = life_of(found, pid, pids)
        return [
            log_line(
                each.at_ns + self.wall_offset_ns, level_of(each.event_id), role,
                text_of(each, self.names),
            )
            for each in newest(own, count)
        ]  # fmt: skip


def life_of(found: list[LoggedEvent], pid: int, pids: list[int]) -> list[LoggedEvent]:
    """Return the events of the life of one process.

    Each life begins with an event that names its process.  Events before the first such event
    belong to the previous process, whose beginning was overwritten.
    """
    begun = [int(each.words[1]) for each in found if each.event_id == LIFE_BEGAN]
    owner = pids[-1] if pids else 0
    if begun and begun[0] in pids:
        index = pids.index(begun[0])
        owner = pids[index - 1] if index > 0 else 0
    own = []
    for each in found:
        if each.event_id == LIFE_BEGAN:
            owner = int(each.words[1])
        if owner == pid:
            own.append(each)
    return own


def of_instance(name: str, count: int) -> list[Death]:
    """Return the deaths of the running or the last run, the oldest first.

    ``count`` is the number of events and lines to return for each.

    Raises
    ------
    NothingKept
        When the instance never ran here, or is just starting.
    OtherVersion
        When its files are from a program that declares its records differently.
    """
    view = open_or_folder(name)
    if isinstance(view, Path):
        return deaths_of(view, of_archive(view), count)
    try:

        def read_ring(role: str) -> list[LoggedEvent] | None:
            raws = view.last_records(log_ring(role), LOG_ROWS)
            return [event_of(raw) for _, raw in raws]

        offset_ns = int(view.records("clock")[0]["wall_offset_ns"])
        remains = Remains(view.config, view.records("instruments"), offset_ns, read_ring)
        return deaths_of(view.run_folder, remains, count)
    finally:
        view.close()


def of_archive(run_folder: Path) -> Remains:
    """Return the deaths of a run that has ended."""
    try:
        config = read_launch(launch_path(run_folder, wiring.BOOK)).config
    except msgspec.DecodeError as error:
        raise OtherVersion(f"{run_folder} was written by another version: {error}") from error
    except FileNotFoundError as error:
        raise NothingKept(f"the last run never came up; its folder is {run_folder}") from error
    try:
        instruments = archive.read_table(run_folder, "instruments")
        offset_ns = int(archive.read_table(run_folder, "clock")[0]["wall_offset_ns"])
    except FileNotFoundError:  # its supervisor did not stop it
        nothing = np.zeros(0, [("tick_e8", "i8"), ("lot_e8", "i8")])
        return Remains(config, nothing, 0, lambda role: None)

    def read_ring(role: str) -> list[LoggedEvent] | None:
        try:
            return [event_of(raw) for _, raw in archive.read_ring(run_folder, log_ring(role))]
        except (KeyError, ValueError) as error:
            raise OtherVersion(f"{run_folder} was written by another version") from error

    return Remains(config, instruments, offset_ns, read_ring)


def deaths_of(run_folder: Path, remains: Remains, count: int) -> list[Death]:
    """Return every death that the supervisor recorded."""
    try:
        text = events_path(run_folder).read_bytes()
    except FileNotFoundError:
        return []
    events = [msgspec.json.decode(line, type=RunEvent) for line in text.splitlines()]
    return [
        death_of(run_folder, remains, events, index, count)
        for index, event in enumerate(events)
        if event.what in DIED
    ]


def death_of(
    run_folder: Path, remains: Remains, events: list[RunEvent], index: int, count: int
) -> Death:
    """Return one death; ``index`` is that of its event."""
    event = events[index]
    started = [each for each in events if each.stage == event.stage and each.what == "started"]
    pids = [each.pid for each in started]
    later = [each.pid for each in started if each in events[index:]]
    found = [
        remains.last_events(role, event.pid, pids, count)
        for role in event.stage.split("+")
        if role != wiring.LOG_WRITER
    ]
    known = [line for lines in found if lines is not None for line in lines]
    was_stuck = any(each.what == "stuck" and each.pid == event.pid for each in events[:index])
    return Death(
        time=log_lines.local_time(event.time),
        stage=event.stage,
        pid=event.pid,
        status=event.status,
        ended="was stuck, and killed" if was_stuck else how(event.status),
        then=what_then(event, later),
        events=None if None in found else newest(sorted(known), count),
        lines=last_lines(process_log.log_path(run_folder, event.stage), event.pid, count),
    )


def newest(things: list[Any], count: int) -> list[Any]:
    """Return the last ``count`` of them."""
    return things[max(len(things) - count, 0) :]


def how(status: int | None) -> str:
    """Return how a process ended."""
    if status is None or status == UNKNOWN_STATUS:
        return "ended with an unknown status"
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"


def what_then(event: RunEvent, later: list[int]) -> str:
    """Return how the supervisor reacted to a death."""
    if event.what == "given up":
        then = "not started again, because it died too often"
        return f"{then}; started by hand as pid {later[0]}" if later else then
    if later:
        return f"started again after {event.delay_s or 0:g} s as pid {later[0]}"
    return f"to be started again after {event.delay_s or 0:g} s"


def last_lines(path: Path, pid: int, count: int) -> list[str]:
    """Return the last lines of one life in a log that several lives share."""
    found: list[str] = []
    is_own = False
    for line in process_log.last_lines(path, 0):
        if match := _LIFE_LINE.search(line):
            is_own = int(match[1]) == pid
        if is_own:
            found.append(line)
    return newest(found, count)
