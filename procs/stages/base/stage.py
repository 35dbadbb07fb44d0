"""What every stage shares: the parts of its loop, and what it is attached to.

A stage has two threads.  The *hot* thread is pinned and stays in one compiled loop until it is
ordered to leave; it holds no GIL, so nothing that Python does can delay it.  The *main* thread sits
on the housekeeping CPUs; it connects, asks over HTTP, and passes the results on through a mailbox.
Both belong to the process (``procs/stages/base/running.py``), which holds one stage or several.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba import types

from ipc import control, intake, log, meter, ring
from ipc.atomics import load_acquire, store_release
from ipc.clock import now_ns, with_intake
from ipc.compiled import compiled
from ipc.control import State
from ipc.intake import INTAKE, OUTPUT_COUNT_MAX, Intake
from ipc.layout import Field, Layout
from ipc.mailbox import Mailbox
from ipc.memory import address_of, load_word, record_at, store_word
from ipc.meter import METER
from ipc.plugs import Plug
from ipc.shared import SharedRing, SharedTable
from ipc.types import Record, RecordArray
from ipc.usage import USAGE_BYTES
from ipc.waiting import Wait, idle
from procs.connections.connection import Buffers
from procs.logs import hot_events, process_log
from procs.plan import wiring
from procs.plan.instance import intake_path
from procs.plan.launch import Launch
from procs.plan.run_records import STEP, STEP_RING_COUNT_MAX
from procs.stages.base.memory_port import AttachedMemory, MemoryPort

METER_DTYPE = METER.dtype

RING_DTYPE = ring.RING_DTYPE
STEP_DTYPE = STEP.dtype
STEP_BYTES = STEP.dtype.itemsize
INTAKE_DTYPE = INTAKE.dtype
OUTPUT_SEQ_BYTES = INTAKE.offset_bytes("output_seq")

#: What the context of every loop begins with; all addresses are this process's own.
CONTEXT_FIELDS = (
    Field("clock_address", "i8", "CLOCK of the run"),
    Field("command_address", "i8", "COMMAND of this stage"),
    Field("leave_address", "i8", "word by which the main thread ends the loop"),
    Field("status_address", "i8", "STATUS of this stage"),
    Field("counters_address", "i8", "COUNTERS of this stage"),
    Field("meter_address", "i8", "METER of this stage's loop"),
    Field("log_address", "i8", "LOGGER of this stage; 0 in a replay, which tells nobody"),
    Field("wait", "i8", "waiting.Wait"),
    Field("has_stayed", "i8", "1 when the last turn followed on the one before without a wait"),
    Field("epoch", "i8", "life of this stage"),
    Field("intake_address", "i8", "INTAKE of this loop; 0 for none"),
    Field("steps_address", "i8", "handle of the ring of steps"),
    Field("inputs_address", "i8", "addresses of the handles of the rings that it reads"),
    Field("input_count", "i8", "how many"),
    Field("outputs_address", "i8", "addresses of the handles of the rings that it writes"),
    Field("output_count", "i8", "how many"),
)
COMMON = Layout(
    "common", "What the contexts of all stages begin with.", *CONTEXT_FIELDS, multiple_bytes=8
)
COMMON_DTYPE = COMMON.dtype

#: A drain ends after this many frames or this long, so that what was gathered is passed on.
DRAIN_FRAME_MAX = 64
DRAIN_NS_MAX = 50_000
#: A drain looks at the clock before each so many-th message; a power of two.
DRAIN_CLOCK_FRAMES = 8


@compiled
def must_leave(command_address: int, leave_address: int) -> bool:
    """Return whether the supervisor, or this process's main thread, wants the loop to end."""
    # pairs with: leave asked
    return control.must_stop(command_address) or load_acquire(leave_address) != 0


@compiled
def begin_turn(context_address: int) -> int:
    """Begin a turn of the loop; return the time."""
    common = record_at(context_address, COMMON_DTYPE)
    now = now_ns(common.clock_address)
    meter.begin_turn(record_at(common.meter_address, METER_DTYPE), now, common.wait)
    return now


@compiled
def end_turn(context_address: int, done_count: int) -> int:
    """End a turn: measure it, and beat the heart of the loop; return ``done_count``."""
    common = record_at(context_address, COMMON_DTYPE)
    now = now_ns(common.clock_address)
    meter.end_turn(record_at(common.meter_address, METER_DTYPE), now, done_count)
    control.beat(common.status_address, now, done_count)
    end_intake(context_address)
    return done_count


@compiled
def rest(common: Record, done_count: int) -> None:
    """Wait once between two turns.

    After a full drain the next turn follows at once: what waits then is a backlog, and to give way
    after each drain would take a third of the time.
    """
    if done_count >= DRAIN_FRAME_MAX and common.has_stayed == 0:
        common.has_stayed = 1
        return
    common.has_stayed = 0
    idle(common.wait, done_count)


@compiled
def end_intake(context_address: int) -> None:
    """End what the loop took in a turn, after its last reading of the clock."""
    common = record_at(context_address, COMMON_DTYPE)
    if common.intake_address != 0:
        intake.end_turn(common.intake_address)


@compiled
def log_step(context_address: int, now_ns: int, publish_ns: int, read_bytes: int) -> None:
    """Log one step for observers, all that a replay needs: the position on each ring.

    Inputs and outputs beyond ``STEP_RING_COUNT_MAX`` are left out.
    """
    common = record_at(context_address, COMMON_DTYPE)
    slot_address = ring.claim(common.steps_address)
    if slot_address == 0:
        return
    step = record_at(slot_address, STEP_DTYPE)
    step.now_ns = now_ns
    step.read_bytes = read_bytes
    for index in range(min(common.input_count, STEP_RING_COUNT_MAX)):
        the_input = record_at(load_word(common.inputs_address + 8 * index), RING_DTYPE)
        step.consumed_seq[index] = the_input.next_seq
        step.input_epoch[index] = the_input.epoch
    for index in range(min(common.output_count, STEP_RING_COUNT_MAX)):
        output = record_at(load_word(common.outputs_address + 8 * index), RING_DTYPE)
        step.published_seq[index] = output.next_seq
    ring.append(common.steps_address, 1)
    ring.commit(common.steps_address, publish_ns)
    if common.intake_address != 0:
        keep_step(context_address, slot_address)


@compiled
def keep_step(context_address: int, step_address: int) -> None:
    """Keep what this turn took, its STEP, and what it published."""
    common = record_at(context_address, COMMON_DTYPE)
    record_at(common.intake_address, INTAKE_DTYPE).is_kept = 1
    intake.make_bytes(common.intake_address, intake.Entry.STEP, step_address, STEP_BYTES)
    for index in range(min(common.output_count, STEP_RING_COUNT_MAX)):
        output = record_at(load_word(common.outputs_address + 8 * index), RING_DTYPE)
        keep_output(common.intake_address, index, output)


@compiled
def keep_output(intake_address: int, index: int, output: Record) -> None:
    """Keep the records that were published to one output since the last step."""
    kept_address = intake_address + OUTPUT_SEQ_BYTES + 8 * index
    first_seq = load_word(kept_address)
    count = output.next_seq - first_seq
    if count <= 0:
        return
    place = first_seq & (output.capacity_count - 1)
    address = output.slots_address + place * output.slot_bytes
    intake.make_records(intake_address, index, first_seq, address, count * output.slot_bytes)
    store_word(kept_address, output.next_seq)


#: Every loop takes the address of its stage's context and returns 0.
LOOP = types.int64(types.int64)


class StageError(Exception):
    """The stage cannot run; the message says what to do."""


class Stage:
    """One stage: what it is attached to, its state, and how it is ordered to leave."""

    def __init__(
        self,
        role: str,
        launch: Launch,
        memory: MemoryPort | None = None,
        repeated: Intake | None = None,
    ) -> None:
        """Take from ``memory``, by default that of the run, what every stage needs.

        ``repeated`` is what the loop took in another process, to be taken again.
        """
        self.role = role
        self.launch = launch
        self.config = launch.config
        self.wiring = wiring.wire(launch.config)
        self.log = process_log.logger(role)
        self.memory = memory or AttachedMemory(self.wiring, launch.run_id)
        self._leave = np.zeros(1, np.int64)
        self._kept: list[Any] = []
        self.plugs: list[Plug] = []
        self.output_names: list[str] = []
        self._context: RecordArray | None = None
        self.clock = self.table("clock").address
        status = self.own_table(f"status.{role}")
        self.memory.hold_role(role)
        self.status = status.record_address(0)
        self.status_record = status.records[0]
        role_index = self.wiring.roles.index(role)
        self.command = self.table("commands").record_address(role_index)
        self.counters = self.own_table(f"counters.{role}").address
        self.status_record["epoch"] += 1
        self.intake = repeated or (self.new_intake() if memory is None else None)
        self.status_record["pid"] = os.getpid()
        control.set_state(self.status, State.STARTING)
        self.status_record["loop_count"] = self.status_record["work_count"] = 0
        self.status_record["heartbeat_ns"] = now_ns(self.clock)

    @property
    def cpu_index(self) -> int:
        """The CPU of the hot thread."""
        return self.launch.cpu_indexes[self.role]

    # Attaching: everything opened here is closed by ``close``.

    def table(self, name: str) -> SharedTable:
        """Map a table of another owner, read-only."""
        return self.memory.table(name, writable=False)

    def own_table(self, name: str) -> SharedTable:
        """Map a table of this stage, writable."""
        assert self.wiring.tables[name].owner == self.role, f"{name} is not {self.role}'s"
        return self.memory.table(name, writable=True)

    def writer(self, name: str) -> SharedRing:
        """Become the writer of a ring, in a new epoch."""
        link = self.wiring.links[name]
        assert link.writer == self.role, f"{name} is written by {link.writer}"
        return self.memory.writer(name)

    def reader(self, name: str) -> SharedRing:
        """Become the reader of a ring."""
        link = self.wiring.links[name]
        assert link.reader == self.role, f"{name} is read by {link.reader}"
        return self.memory.reader(name)

    def observer(self, name: str) -> SharedRing:
        """Look on at a ring of others."""
        return self.memory.observer(name)

    def keep(self, array: Any) -> int:
        """Return the address of memory of this process; it lives as long as the stage."""
        self.hold(array)
        return address_of(array)

    def keep_words(self, values: Iterable[int]) -> int:
        """Return the address of a list of int64, kept as ``keep`` does."""
        return self.keep(np.array(list(values), np.int64))

    def hold(self, thing: Any) -> None:
        """Let something live as long as the stage."""
        self._kept.append(thing)

    def plug(self, function: Any, signature: Any) -> int:
        """Return the address of a function of a venue or a strategy, for the stage's context."""
        self.plugs.append(Plug(function, signature))
        return self.plugs[-1].address

    def fill_common(self, context: RecordArray) -> None:
        """Fill what every context begins with (``CONTEXT_FIELDS``); it lives as long as this."""
        context["clock_address"] = self.hot_clock()
        context["intake_address"] = self.intake_address
        context["command_address"] = self.command
        context["leave_address"] = address_of(self._leave)
        context["status_address"] = self.status
        context["counters_address"] = self.counters
        context["meter_address"] = self.new_meter()
        context["log_address"] = self.new_logger()
        context["wait"] = Wait.DOZE
        self._context = context
        context["epoch"] = self.status_record["epoch"]

    def fill_steps(
        self, context: RecordArray, input_addresses: list[int], outputs: dict[str, int]
    ) -> None:
        """Fill what the loop logs its steps by: the handles of its rings, in the wiring's order.

        Letters of the main thread are the last input.
        """
        output_addresses = list(outputs.values())
        self.output_names = list(outputs)
        context["steps_address"] = self.writer(wiring.step_ring(self.role)).address
        context["inputs_address"] = self.keep_words(input_addresses)
        context["input_count"] = len(input_addresses)
        context["outputs_address"] = self.keep_words(output_addresses)
        context["output_count"] = len(output_addresses)
        if self.intake is not None:
            for index, address in enumerate(output_addresses[:OUTPUT_COUNT_MAX]):
                output_seq = record_at(address, RING_DTYPE).next_seq
                self.intake.record["output_seq"][0, index] = output_seq

    def new_intake(self) -> Intake | None:
        """Make the file of what the loop takes, if the configuration wants one."""
        byte_count = self.config.record.intake_mb << 20
        if byte_count == 0:
            return None
        life = int(self.status_record["epoch"])
        path = intake_path(Path(self.launch.run_folder), self.role, life)
        return Intake.to_file(path, byte_count)

    @property
    def intake_address(self) -> int:
        """Address of the INTAKE for compiled code; 0 without one."""
        return self.intake.address if self.intake is not None else 0

    def hot_clock(self) -> int:
        """Return the address of the CLOCK that the hot loop reads: its readings are taken too."""
        if self.intake is None:
            return self.clock
        is_repeating = bool(self.intake.record[0]["is_repeating"])
        source_address = 0 if is_repeating else self.clock
        return self.keep(with_intake(source_address, self.intake.address))

    def new_meter(self) -> int:
        """Make what the loop measures itself with; return its address."""
        peers = [
            self.table(f"status.{role}").address
            for role, cpu_index in self.launch.cpu_indexes.items()
            if cpu_index == self.cpu_index
        ]
        record = np.zeros(1, meter.METER.dtype)
        record["stalls_address"] = self.writer(f"stalls.{self.role}").address
        record["status_address"] = self.status
        record["peers_address"] = self.keep(np.array(peers))
        record["peer_count"] = len(peers)
        record["usage_address"] = self.keep(np.zeros(USAGE_BYTES, np.uint8))
        return self.keep(record)

    def new_logger(self) -> int:
        """Make the log of the loop, and log that a life began; return its address.

        Nobody else may write to it: once the loop runs, the main thread has its own log.
        """
        record = np.zeros(1, log.LOGGER_DTYPE)
        record["ring_address"] = self.writer(wiring.log_ring(self.role)).address
        record["counts_address"] = self.own_table(f"event_counts.{self.role}").address
        address = self.keep(record)
        epoch = int(self.status_record["epoch"])
        log.log_event(address, hot_events.LIFE_BEGAN, now_ns(self.clock), epoch, os.getpid())
        return address

    # Running.

    def settle(self) -> None:
        """Let the loop take its CPU once the whole run is up; until then it dozes."""
        assert self._context is not None, "fill_common comes first"
        if self._context["wait"] == Wait.DOZE and control.must_run(self.command):
            self._context["wait"] = self.launch.wait
            self.status_record["wait_mode"] = self.launch.wait

    def leave(self) -> None:
        """Ask the hot loop to end."""
        # pairs with: leave asked
        store_release(address_of(self._leave), 1)

    @property
    def leaving(self) -> bool:
        """Whether the loop was asked to end."""
        return must_leave(self.command, address_of(self._leave))

    def is_orphan(self) -> bool:
        """Return whether no supervisor lives."""
        return not self.memory.has_supervisor()

    def close(self) -> None:
        """Release everything; the hot thread has ended."""
        if self.intake is not None:
            if self.intake.is_full:
                self.log.warning(
                    "the intake was full: the run can be repeated until then; raise intake_mb"
                )
            self.intake.close()
        self.memory.close()
        self._kept.clear()


def always_ready() -> bool:
    """Return True: such a stage needs nothing from outside."""
    return True


def nothing_to_resume() -> None:
    """Do nothing: such a stage keeps no address of its own in its tables."""


def nothing_to_release() -> None:
    """Release nothing: such a stage holds no more than what ``Stage.close`` releases."""


class Outside(NamedTuple):
    """The ways by which a stage has to do with the world besides its rings and tables."""

    connections: list[Buffers]
    to_hot: Mailbox
    to_main: Mailbox


class Built(NamedTuple):
    """A stage that is ready to run: what its loop is given, and what its main thread does.

    ``attend`` is called a hundred times a second while the loop runs, and says whether all that the
    stage needs from outside is there: whether it is ready.  ``release`` follows the loop's end.
    ``resume`` follows when the stage's tables were filled from those of another process.
    """

    stage: Stage
    context_address: int  # all that its loop is given
    attend: Callable[[], bool] = always_ready
    release: Callable[[], None] = nothing_to_release
    resume: Callable[[], None] = nothing_to_resume
    outside: Outside | None = None
