"""One look at an engine from outside: the resources of each process, and the faults so far.

It reads only ``/proc`` and shared memory; no process takes part.
"""

import contextlib
from pathlib import Path

import msgspec
import psutil

from ipc.segment import list_segments
from procs.observe.samples import kernel, sample
from procs.observe.samples.sample import Histogram
from procs.observe.samples.view import RunView
from procs.plan.instance import Mark
from procs.plan.wiring import GATEWAY, LOG_WRITER, SUPERVISOR

#: The processes that the supervisor starts beside the stages, by a word of the command line.
SIDE_PROCESSES = {
    "forkserver": "nursery",
    "resource_tracker": "tracker",
    f"vortex {LOG_WRITER}": LOG_WRITER,
}
LATENCIES = ("tick_to_order_ns", "recv_to_order_ns")


class Faults(msgspec.Struct, frozen=True):
    """Page faults since a thread began: of a page that was in memory, and of one that was not."""

    minor: int = 0
    major: int = 0


class Held(msgspec.Struct, frozen=True):
    """One process at one moment."""

    pid: int
    uss_bytes: int  # would be free if it ended
    pss_bytes: int
    rss_bytes: int
    fd_count: int
    thread_count: int
    hot: Faults  # of the hot thread, if there is one
    others: Faults  # of all other threads that live


class Look(msgspec.Struct, frozen=True):
    """The engine at one moment; counts are since the start of the run."""

    at_s: float
    processes: dict[str, Held]
    segments: list[str]
    messages: int
    orders: int
    lost_count: int
    full_count: int
    gap_count: int
    lives: int  # starts of all stages: equal to their number while none was restarted
    connections: int  # of ingest and of the gateway
    fill: float  # of the fullest ring, 0 to 1
    latencies: dict[str, Histogram]


class Watcher:
    """Takes looks at one run."""

    def __init__(self, view: RunView, mark: Mark, others: dict[str, int]) -> None:
        """``others`` are further processes to look at, by name."""
        self.view, self.mark, self.others = view, mark, others
        self.side = dict(others)
        for child in psutil.Process(mark.pid).children(recursive=True):
            line = " ".join(child.cmdline())
            self.side |= {name: child.pid for word, name in SIDE_PROCESSES.items() if word in line}

    def pids(self) -> dict[str, int]:
        """Return the processes by name; a process with several stages has all their names."""
        roles: dict[int, list[str]] = {}
        for role in self.view.wiring.roles:
            roles.setdefault(int(self.view.status(role)["pid"]), []).append(role)
        stages = {"+".join(names): pid for pid, names in roles.items()}
        return {**stages, SUPERVISOR: self.mark.pid, **self.side}

    def pids_of_engine(self) -> list[int]:
        """Return the processes that end with the engine."""
        return [pid for name, pid in self.pids().items() if name not in self.others]

    def look(self, at_s: float) -> Look:
        """Return one look."""
        taken = sample.take(self.view)
        stages, rings = taken.stages, taken.rings.values()
        hot_ids = {stage.thread_id for stage in stages.values()}
        held = {}
        for name, pid in self.pids().items():
            with contextlib.suppress(psutil.NoSuchProcess, OSError):
                held[name] = hold(pid, hot_ids)
        counters = [stage.counters for stage in stages.values()]
        gateway = stages[GATEWAY].counters
        return Look(
            at_s=at_s,
            processes=held,
            segments=sorted(list_segments(taken.instance)),
            messages=sum(
                stages[role].counters["messages"] for role in self.view.wiring.ingest_roles
            ),
            orders=gateway["placed"] + gateway["replaced"],
            lost_count=sum(ring.lost_count for ring in rings),
            full_count=sum(ring.full_count for ring in rings),
            gap_count=sum(book.gap_count for book in taken.books.values()),
            lives=sum(stage.epoch for stage in stages.values()),
            connections=sum(each.get("connections", 0) for each in counters),
            fill=max(ring.fill for ring in rings),
            latencies={name: stages[GATEWAY].latencies[name] for name in LATENCIES},
        )


def hold(pid: int, hot_ids: set[int]) -> Held:
    """Return the resources of one process.

    Raises
    ------
    psutil.NoSuchProcess, OSError
        When it ended.
    """
    process = psutil.Process(pid)
    memory = process.memory_full_info()
    hot, others = Faults(), Faults()
    folders = list(Path(f"/proc/{pid}/task").iterdir())
    for folder in folders:
        thread = kernel.look(pid, int(folder.name))
        if thread is None:
            continue
        if int(folder.name) in hot_ids:
            hot = Faults(thread.minor_faults, thread.major_faults)
        else:
            others = Faults(others.minor + thread.minor_faults, others.major + thread.major_faults)
    return Held(
        pid=pid,
        uss_bytes=memory.uss,
        pss_bytes=memory.pss,
        rss_bytes=memory.rss,
        fd_count=process.num_fds(),
        thread_count=len(folders),
        hot=hot,
        others=others,
    )
