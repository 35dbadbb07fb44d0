"""What every stage shares: the parts of its loop, and the life around it.

A stage is one process with two threads.  The *hot* thread is pinned and stays in one compiled loop
until it is told to leave; it holds no GIL, so nothing that Python does can delay it.  The *main*
thread sits on the housekeeping CPUs; it connects, asks over HTTP, and passes the results on
through a mailbox.
"""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numba import types

from ipc import control, ring
from ipc.atomics import load_acquire, store_release
from ipc.clock import now_ns
from ipc.compiled import cache_missed, compile_entry, compile_plug, compiled
from ipc.control import State
from ipc.layout import Field
from ipc.memory import address_of, record_at
from ipc.shared import SharedRing, SharedTable
from ipc.types import RecordArray
from procs import logs, wiring
from procs.config import Config
from procs.notable import Notable
from procs.wiring import STEP

RING_DTYPE = ring.RING_DTYPE
STEP_DTYPE = STEP.dtype

#: What the context of every loop begins with; all addresses are this process's own.
CONTEXT_FIELDS = (
    Field("clock_address", "i8", "CLOCK of the run"),
    Field("command_address", "i8", "COMMAND of this stage"),
    Field("leave_address", "i8", "word by which the main thread ends the loop"),
    Field("status_address", "i8", "STATUS of this stage"),
    Field("counters_address", "i8", "COUNTERS of this stage"),
    Field("wait", "i8", "waiting.Wait"),
    Field("epoch", "i8", "life of this stage"),
)

#: A drain ends after this many frames or this long, so that what was gathered is passed on.
DRAIN_FRAME_MAX = 64
DRAIN_NS_MAX = 50_000

#: How long the main thread sleeps between two rounds of its duties.
ATTEND_S = 0.01


@compiled
def must_leave(command_address: int, leave_address: int) -> bool:
    """Return whether the supervisor, or this process's main thread, wants the loop to end."""
    # pairs with: leave asked
    return control.must_stop(command_address) or load_acquire(leave_address) != 0


@compiled
def log_step(
    steps_address: int,
    now_ns: int,
    publish_ns: int,
    first_input_address: int,
    second_input_address: int,
    output_address: int,
) -> None:
    """Tell observers of one step, all that a replay needs: how far each ring stands."""
    slot_address = ring.claim(steps_address)
    if slot_address == 0:
        return
    step = record_at(slot_address, STEP_DTYPE)
    first = record_at(first_input_address, RING_DTYPE)
    second = record_at(second_input_address, RING_DTYPE)
    step.now_ns = now_ns
    step.consumed_seq[0] = first.next_seq
    step.consumed_seq[1] = second.next_seq
    step.input_epoch[0] = first.epoch
    step.input_epoch[1] = second.epoch
    step.published_seq = record_at(output_address, RING_DTYPE).next_seq
    ring.append(steps_address, 1)
    ring.commit(steps_address, publish_ns)


class Entry(NamedTuple):
    """A compiled loop and what is plugged into it."""

    loop: Any
    plugs: tuple[Any, ...]

    @property
    def missed_cache(self) -> bool:
        """Whether anything had to be compiled in this process."""
        return any(cache_missed(function) for function in (self.loop, *self.plugs))


def plug_in(loop: Any, argument_types: tuple[Any, ...], *plugs: tuple[Any, Any]) -> Entry:
    """Compile a loop over a context's address, further arguments, and plugs with signatures."""
    functions = tuple(compile_plug(function, signature) for function, signature in plugs)
    plug_types = (types.FunctionType(signature) for _, signature in plugs)
    signature = types.int64(types.int64, *argument_types, *plug_types)
    return Entry(compile_entry(loop, signature), functions)


class StageError(Exception):
    """The stage cannot run; the message says what to do."""


class Launch(msgspec.Struct, frozen=True):
    """What the supervisor hands to a stage: the checked configuration and its run."""

    config: Config
    run_id: int
    run_folder: str
    cpu_index: int
    wait: int
    housekeeping_cpus: list[int]


class Stage:
    """One stage's process: what it is attached to, and its two threads."""

    def __init__(self, role: str, launch: Launch, notable: dict[int, str]) -> None:
        """Attach what every stage needs; ``notable`` names the counters worth a line in the log."""
        self.role = role
        self.launch = launch
        self.config = launch.config
        self.wiring = wiring.wire(launch.config)
        self.log = logs.logger(role)
        self._open: list[SharedRing | SharedTable] = []
        self._leave = np.zeros(1, np.int64)
        self._parent_pid = os.getppid()
        self.error: BaseException | None = None
        self.clock = self.table("clock").address
        status = self.own_table(f"status.{role}")
        status.segment.lock(0)  # freed by the kernel when this process ends
        self.status = status.record_address(0)
        self.status_record = status.records[0]
        self.command = self.table("commands").record_address(self.wiring.roles.index(role))
        self.counters = self.own_table(f"counters.{role}").address
        self.status_record["epoch"] += 1
        self.status_record["pid"] = os.getpid()
        self.notable = Notable(self.counters, notable, self.log)
        control.set_state(self.status, State.STARTING)
        control.beat(self.status, now_ns(self.clock), 0, 0)

    # Attaching: everything opened here is closed by ``close``.

    def table(self, name: str) -> SharedTable:
        """Map a table of another owner, read-only."""
        return self._table(name, writable=False)

    def own_table(self, name: str) -> SharedTable:
        """Map a table of this stage, writable."""
        assert self.wiring.tables[name].owner == self.role, f"{name} is not {self.role}'s"
        return self._table(name, writable=True)

    def _table(self, name: str, *, writable: bool) -> SharedTable:
        layout = self.wiring.tables[name].layout
        table = SharedTable.attach(
            self.wiring.segment(name), layout, run_id=self.launch.run_id, writable=writable
        )
        self._open.append(table)
        return table

    def writer(self, name: str) -> SharedRing:
        """Become the writer of a ring, in a new epoch."""
        link = self.wiring.links[name]
        assert link.writer == self.role, f"{name} is written by {link.writer}"
        shared = SharedRing.attach_writer(
            self.wiring.segment(name), link.spec, run_id=self.launch.run_id
        )
        self._open.append(shared)
        return shared

    def reader(self, name: str) -> SharedRing:
        """Become the reader of a ring."""
        link = self.wiring.links[name]
        assert link.reader == self.role, f"{name} is read by {link.reader}"
        shared = SharedRing.attach_reader(
            self.wiring.segment(name), link.spec, run_id=self.launch.run_id
        )
        self._open.append(shared)
        return shared

    def fill_common(self, context: RecordArray) -> None:
        """Fill what every context begins with (``CONTEXT_FIELDS``)."""
        context["clock_address"] = self.clock
        context["command_address"] = self.command
        context["leave_address"] = address_of(self._leave)
        context["status_address"] = self.status
        context["counters_address"] = self.counters
        context["wait"] = self.launch.wait
        context["epoch"] = self.status_record["epoch"]

    # Running.

    def run(
        self,
        entry: Entry,
        arguments: tuple[Any, ...],
        attend: Callable[[], bool] = lambda: True,
    ) -> int:
        """Run the hot loop in its thread and ``attend`` in this one; return the exit status.

        ``attend`` is called a hundred times a second while the loop runs, and says whether all
        that the stage needs from outside is there: whether it is ready.
        """
        if entry.missed_cache:
            raise StageError(
                f"{self.role} would have to compile; `vortexctl start` compiles before it starts"
            )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.leave())
        os.sched_setaffinity(0, self.launch.housekeeping_cpus)
        hot = threading.Thread(target=self._run_hot, args=(entry, arguments), name="hot")
        hot.start()
        try:
            while hot.is_alive():
                ready = attend()
                self.notable.look()
                running = control.get_state(self.status) in (State.RUNNING, State.READY)
                if running:
                    control.set_state(self.status, State.READY if ready else State.RUNNING)
                hot.join(ATTEND_S)
        except BaseException as error:
            self.error = self.error or error
            self.leave()
            hot.join()
        self.notable.look()
        if self.error is not None:
            self.log.error("stage failed", exc_info=self.error)
            control.set_state(self.status, State.FAILED)
            return 1
        control.set_state(self.status, State.STOPPED)
        return 0

    def _run_hot(self, entry: Entry, arguments: tuple[Any, ...]) -> None:
        try:
            os.sched_setaffinity(0, {self.launch.cpu_index})
            self.status_record["thread_id"] = threading.get_native_id()
            self.status_record["cpu_index"] = self.launch.cpu_index
            self.status_record["wait_mode"] = self.launch.wait
            self.status_record["started_ns"] = now_ns(self.clock)
            control.set_state(self.status, State.RUNNING)
            entry.loop(*arguments, *entry.plugs)
        except BaseException as error:  # an assertion of compiled code: we are wrong
            self.error = error

    def leave(self) -> None:
        """Ask the hot loop to end."""
        # pairs with: leave asked
        store_release(address_of(self._leave), 1)

    @property
    def leaving(self) -> bool:
        """Whether the loop was asked to end."""
        return must_leave(self.command, address_of(self._leave))

    def is_orphan(self) -> bool:
        """Return whether the process that started this one has died."""
        return os.getppid() != self._parent_pid

    def close(self) -> None:
        """Release everything attached; the hot thread has ended."""
        for thing in reversed(self._open):
            thing.close()
        self._open.clear()


def read_launch(path: Path) -> Launch:
    """Return what the supervisor wrote for a stage."""
    return msgspec.json.decode(path.read_bytes(), type=Launch)


def write_launch(path: Path, launch: Launch) -> None:
    """Write what ``read_launch`` reads; it holds no secrets."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(launch), indent=1))
