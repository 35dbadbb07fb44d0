"""Repeats a whole run in one process from the intakes of its stages: `vortexctl rerun`.

All rings and tables are in memory of this process, peers are pipes, and every reading of the clock
is the one that the stage had then.  A driver takes the turns of all stages one by one, in the order
of their times, and lets each see of its rings what it read then.  The stages compare what they
publish and send with what they published and sent: the first byte that differs ends the repetition.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from ipc import ring
from ipc.clock import move_to
from ipc.control import StageOrder
from ipc.errors import SharedMemoryError
from ipc.intake import HEAD_BYTES, KIND_COUNT, Entry, Intake
from ipc.mailbox import LETTER_DTYPE, Letter
from ipc.memory import address_of, record_at, words_at
from ipc.pipes import Pipe
from ipc.shared import SharedRing
from ipc.types import ByteArray, Int64Array, RecordArray
from procs.connections.connection import PAD_BYTES
from procs.debug.steps.moments import NotRepeatable
from procs.debug.steps.repeat import differences
from procs.debug.steps.step_recording import BadRecording
from procs.observe import archive
from procs.observe.taps.tap import Copy
from procs.plan import wiring
from procs.plan.credentials import credentials_of
from procs.plan.instance import intake_path, launch_path
from procs.plan.launch import Launch, read_launch
from procs.plan.run_records import STEP
from procs.plan.wiring import Wiring
from procs.stages.base.memory_port import PooledMemory
from procs.stages.base.stage import COMMON_DTYPE, Built, Outside, Stage
from procs.stages.gateway.order_link import GatewaySubject
from procs.stages.ingest.feed import IngestSubject
from procs.stages.joint import stage_module

#: By kind of stage and subject of a letter: the field with the address of what it lends.
LENT_FIELDS = {
    ("ingest", IngestSubject.SNAPSHOT): "second",
    ("ingest", IngestSubject.SEND): "second",
    (wiring.GATEWAY, GatewaySubject.RESOLVED): "first",
    (wiring.GATEWAY, GatewaySubject.PING): "second",
}
KINDS = frozenset(int(kind) for kind in Entry)
#: What the driver reads of an entry, at least.
SIZES_MIN = {
    int(Entry.READ): 24,
    int(Entry.LETTER): LETTER_DTYPE.itemsize,
    int(Entry.OUTPUT): 16,
}
CONNECTED = {"ingest": IngestSubject.CONNECTED, wiring.GATEWAY: GatewaySubject.CONNECTED}


class Differs(Exception):
    """A stage did not do again what it did; the message says where."""


class Taken(NamedTuple):
    """One entry of an intake: an ``Entry``, and its bytes."""

    kind: int
    data: bytes


class Turn(NamedTuple):
    """One turn of a stage: its STEP, all that it took and made, and where its entries end."""

    step: Any
    entries: list[Taken]
    end_bytes: int

    def of_kind(self, kind: Entry) -> list[bytes]:
        """Return the entries of one kind."""
        return [data for each, data in self.entries if each == kind]


def turns_of(data: ByteArray) -> Iterator[Turn]:
    """Yield the whole turns of an intake; what follows the last of them is left out.

    Raises
    ------
    BadRecording
        When it is no intake.
    """
    entries: list[Taken] = []
    place = 0
    while place + HEAD_BYTES <= len(data):
        byte_count, kind = divmod(int(data[place : place + HEAD_BYTES].view(np.int64)[0]),
                                  KIND_COUNT)  # fmt: skip
        start = place + HEAD_BYTES
        place = start + (byte_count + 7 & -8)
        if kind == Entry.END or place > len(data):
            return
        if byte_count < SIZES_MIN.get(kind, 0) or kind not in KINDS:
            raise BadRecording(f"the intake is damaged at byte {start - HEAD_BYTES}")
        entries.append(Taken(kind, data[start : start + byte_count].tobytes()))
        if kind == Entry.TURN:
            steps = [entry.data for entry in entries if entry.kind == Entry.STEP]
            if len(steps) != 1 or len(steps[0]) != STEP.dtype.itemsize:
                raise BadRecording(f"the intake is damaged: the turn to byte {place} has no step")
            yield Turn(np.frombuffer(steps[0], STEP.dtype)[0], entries, place)
            entries = []


class Gate:
    """What the reader of a ring sees of its writer: no more than it read then."""

    def __init__(self, shared: SharedRing) -> None:
        self.words: Int64Array = np.zeros(ring.HOLES_END_BYTES // 8, np.int64)
        self.real = words_at(int(shared.handle[0]["writer_address"]), len(self.words))
        shared.handle["writer_address"] = address_of(self.words)

    def has(self, seq: int, epoch: int) -> bool:
        """Return whether the writer has published so much."""
        is_new = self.real[ring.EPOCH_BYTES // 8] >= epoch
        return bool(is_new and self.real[ring.PUBLISHED_BYTES // 8] >= seq)

    def show(self, seq: int, epoch: int) -> None:
        """Show the records before ``seq``."""
        self.words[ring.PUBLISHED_BYTES // 8] = seq
        self.words[ring.EPOCH_START_BYTES // 8] = self.real[ring.EPOCH_START_BYTES // 8]
        self.words[ring.EPOCH_BYTES // 8] = epoch


class GatedMemory(PooledMemory):
    """All memory of a run in one process, with a gate before each reader."""

    def __init__(self, wires: Wiring) -> None:
        super().__init__(wires)
        self.gates: dict[str, Gate] = {}

    def reader(self, name: str) -> SharedRing:
        """Return a reading end behind a gate."""
        shared = super().reader(name)
        self.gates[name] = Gate(shared)
        return shared


@contextmanager
def keys_in_environment(launch: Launch, wires: Wiring, role: str) -> Iterator[None]:
    """Give the stage that is built within the keys that its process had."""
    gateways = wires.gateway_roles
    account = wires.account_of(role if role in gateways else gateways[0]).settings
    keys = credentials_of(launch.config, account)
    before = dict(os.environ)
    os.environ.update(keys.variables(for_orders=role in gateways, for_streams=True))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class RepeatedStage:
    """One stage over pooled memory, and what it took then."""

    def __init__(self, role: str, launch: Launch, wires: Wiring, memory: GatedMemory) -> None:
        self.role, self.kind = role, wiring.kind_of(role)
        self.wires, self.memory = wires, memory
        self.module = stage_module(role)
        self.intake = Intake.of_file(intake_path(Path(launch.run_folder), role, 1))
        self.turns = turns_of(self.intake.data)
        self.next_turn = next(self.turns, None)
        self.stage = Stage(role, launch, memory, self.intake)
        with keys_in_environment(launch, wires, role):
            self.built: Built = self.module.build(self.stage)
        links = wires.links.values()
        self.inputs = [link.name for link in links if link.reader == role]
        self.outside: Outside | None = self.built.outside
        self.pipes = [Pipe() for _ in self.outside.connections] if self.outside else []
        for pipe, buffers in zip(self.pipes, self.outside.connections if self.outside else [],
                                 strict=True):  # fmt: skip
            buffers.record["pipe_address"] = pipe.address
        self.lent: list[ByteArray] = []
        self.turn_count = 0

    @property
    def now_ns(self) -> int:
        """When the next turn began."""
        assert self.next_turn is not None, "there is a next turn"
        return int(self.next_turn.step["now_ns"])

    def positions(self) -> list[tuple[str, int, int]]:
        """Return the position on each input after the next turn: its name, sequence and epoch."""
        assert self.next_turn is not None, "there is a next turn"
        step = self.next_turn.step
        return [
            (name, int(step["consumed_seq"][index]), int(step["input_epoch"][index]))
            for index, name in enumerate(self.inputs)
        ]

    def missing(self) -> str:
        """Return an input on which the next turn reads more than is there; empty for none."""
        for name, seq, epoch in self.positions():
            if self.turn_count > 0 and not self.memory.gates[name].has(seq, epoch):
                return name
        return ""

    def take_turn(self) -> Turn:
        """Take the next turn again; raise Differs when it is not the same."""
        turn = self.next_turn
        assert turn is not None, "there is a next turn"
        if self.turn_count == 0:
            self.begin_rings()
        for name, seq, epoch in self.positions():
            self.memory.gates[name].show(seq, epoch)
        for data in turn.of_kind(Entry.LETTER):
            self.post(data)
        for pipe in self.pipes:
            pipe.reopen()
        for data in turn.of_kind(Entry.READ):
            self.put(data)
        function = self.module.turn if self.turn_count else self.module.begin
        function(self.built.context_address)
        self.check(turn)
        self.turn_count += 1
        self.next_turn = next(self.turns, None)
        return turn

    def begin_rings(self) -> None:
        """Put the reading ends where the loop began: a reader that attaches skips what was."""
        common = record_at(self.built.context_address, COMMON_DTYPE)
        addresses = words_at(int(common.inputs_address), int(common.input_count))
        for (_, seq, epoch), address in zip(self.positions(), addresses, strict=False):
            handle = record_at(int(address), ring.RING_DTYPE)
            handle.next_seq = handle.limit_seq = seq
            handle.epoch = epoch
            words_at(int(handle.reader_address), 1)[0] = seq

    def post(self, data: bytes) -> None:
        """Post a letter of the main thread, with what it lends."""
        assert self.outside is not None, "only such a stage gets letters"
        row = np.frombuffer(data[: LETTER_DTYPE.itemsize], LETTER_DTYPE)[0]
        names = Letter._fields
        fields = {name: int(row[name]) for name in names}
        lent_field = LENT_FIELDS.get((self.kind, row["subject"]))
        if lent_field is not None:
            lent = data[LETTER_DTYPE.itemsize :]
            self.lent = [*self.lent[-63:], np.frombuffer(
                bytes(PAD_BYTES) + lent + bytes(PAD_BYTES), np.uint8).copy()]  # fmt: skip
            fields[lent_field] = address_of(self.lent[-1]) + PAD_BYTES
        elif row["subject"] == CONNECTED[self.kind]:
            fields["second"] = 0  # its TLS was that of the other process
        has_room = self.outside.to_hot.send(Letter(**fields))
        assert has_room, "each letter is taken in the turn for which it is posted"
        while self.outside.to_main.take() is not None:
            pass

    def put(self, data: bytes) -> None:
        """Put what a read brought where the loop reads it."""
        index, count, kernel_wall_ns = (int(word) for word in np.frombuffer(data[:24], np.int64))
        if count > 0:
            self.pipes[index].put(data[24:], kernel_wall_ns)
        else:
            self.pipes[index].close()

    def check(self, turn: Turn) -> None:
        """Raise Differs when the turn took or made anything else than then."""
        record = self.intake.record[0]
        if not record["difference_count"] and self.intake.used_bytes == turn.end_bytes:
            return
        start_address = address_of(self.intake.data)
        place = int(record["different_address"] or record["next_address"]) - start_address
        byte_count, kind = divmod(
            int(self.intake.data[place : place + HEAD_BYTES].view(np.int64)[0]), KIND_COUNT
        )
        start = place + HEAD_BYTES
        data = self.intake.data[start : start + byte_count].tobytes()
        where = f"{self.role} turn {self.turn_count}, byte {place} of its intake"
        lines = []
        if kind == Entry.OUTPUT:
            index, first_seq = (int(word) for word in np.frombuffer(data[:16], np.int64))
            lines = self.told(self.stage.output_names[index], first_seq, data[16:])
        elif kind == Entry.STEP:
            lines = self.told(wiring.step_ring(self.role), self.turn_count, data)
        raise Differs("\n  ".join([f"{where}: not the {Entry(kind).name} of then", *lines]))

    def told(self, ring_name: str, first_seq: int, theirs: bytes) -> list[str]:
        """Return how the records on a ring differ from those that were published then."""
        spec = self.wires.links[ring_name].spec
        slots_address = int(self.memory.observer(ring_name).handle[0]["slots_address"])
        ours: list[Copy] = []
        for seq in range(first_seq, first_seq + len(theirs) // spec.slot_bytes):
            address = slots_address + (seq & (spec.capacity_count - 1)) * spec.slot_bytes
            ours.append(Copy(seq, words_at(address, spec.slot_bytes // 8).tobytes()))
        size = spec.slot_bytes
        copies = [Copy(copy.seq, theirs[index * size :][:size]) for index, copy in enumerate(ours)]
        return differences(spec, ours, copies)

    def close(self) -> None:
        """Release what the stage holds."""
        self.built.release()
        self.stage.close()


@dataclass
class RepeatCounts:
    """How much of a run was repeated, each of it equal byte for byte."""

    turns: dict[str, int] = field(default_factory=dict)
    reads: int = 0
    read_bytes: int = 0
    letters: int = 0
    records: dict[str, int] = field(default_factory=dict)
    sends: int = 0
    sent_bytes: int = 0

    def lines(self) -> list[str]:
        """Return them as text."""
        turns = ", ".join(f"{role} {count}" for role, count in self.turns.items())
        records = ", ".join(f"{name} {count}" for name, count in self.records.items())
        return [
            f"turns: {turns}",
            f"taken: {self.reads} reads of {self.read_bytes} bytes, {self.letters} letters",
            f"published as then: {records}",
            f"sent as then: {self.sends} sends of {self.sent_bytes} bytes",
        ]


class WholeRun:
    """A run in one process; ``repeat`` takes all its turns, ``close`` releases its memory."""

    def __init__(self, run_folder: Path) -> None:
        """Raise NotRepeatable or BadRecording, and say why, when the folder does not suffice."""
        launch, wires = launch_of(run_folder)
        self.run_folder, self.wires, self.counts = run_folder, wires, RepeatCounts()
        self.memory = GatedMemory(wires)
        self.stages: list[RepeatedStage] = []
        self._stack = ExitStack()
        self._stack.callback(self.memory.release)
        try:
            for name in archive.FILLED_TABLES:
                self.fill(name, archive.read_begun(run_folder, name))
            self.memory.table("commands").records["order"] = StageOrder.RUN
            begun_ns = min(first_ns(run_folder, role) for role in wires.roles)
            move_to(self.memory.table("clock").records, begun_ns)
            for role in reversed(wires.roles):  # readers before writers
                stage = RepeatedStage(role, launch, wires, self.memory)
                self._stack.callback(stage.close)
                self.stages.insert(0, stage)
        except (OSError, ValueError, KeyError, SharedMemoryError) as error:
            self.close()
            raise BadRecording(
                f"{run_folder} holds no whole run, or one of another version: {error}"
            ) from error
        except BaseException:
            self.close()
            raise

    def fill(self, name: str, records: RecordArray) -> None:
        """Fill a table with what it held before any stage started."""
        table = self.memory.table(name)
        if table.records.dtype != records.dtype:
            raise ValueError(f"{name} has other fields")
        table.records[:] = records

    def repeat(self) -> Iterator[tuple[RepeatedStage, Turn]]:
        """Take the turns of all stages in the order of their times; yield each that was the same.

        Raises
        ------
        Differs
            When a stage did something else than then.
        """
        while (stage := self.next_stage()) is not None:
            turn = stage.take_turn()
            self.count(stage, turn)
            yield stage, turn

    def next_stage(self) -> RepeatedStage | None:
        """Return the stage whose next turn is the oldest that can be taken; None at the end."""
        waiting = [stage for stage in self.stages if stage.next_turn is not None]
        for stage in sorted(waiting, key=lambda each: each.now_ns):
            if not stage.missing():
                return stage
        stuck = self.not_ended(waiting)
        if stuck:
            raise Differs(
                f"{stuck[0].role} turn {stuck[0].turn_count} and a turn of another stage each took "
                "what the other published: turns that overlap so cannot be repeated one by one"
            )
        return None

    def not_ended(self, waiting: list[RepeatedStage]) -> list[RepeatedStage]:
        """Return those of the stages that wait for no intake that ended."""
        while True:
            roles = {stage.role for stage in waiting}
            found = [s for s in waiting if self.wires.links[s.missing()].writer in roles]
            if len(found) == len(waiting):
                return found
            waiting = found

    def notes(self) -> list[str]:
        """Return what of the run was not repeated, a line each."""
        again = [
            f"{role} started again: its second life, and what was made of it, is not repeated"
            for role in self.wires.roles
            if intake_path(self.run_folder, role, 2).exists()
        ]
        return again + [
            f"{stage.role} took more turns, which read what no intake holds"
            for stage in self.stages
            if stage.next_turn is not None
        ]

    def count(self, stage: RepeatedStage, turn: Turn) -> None:
        """Count what a turn took and made; check the bytes that its peers got."""
        counts = self.counts
        counts.turns[stage.role] = counts.turns.get(stage.role, 0) + 1
        reads = turn.of_kind(Entry.READ)
        counts.reads += len(reads)
        counts.read_bytes += sum(len(data) - 24 for data in reads)
        counts.letters += len(turn.of_kind(Entry.LETTER))
        sends = turn.of_kind(Entry.SENDING)
        got = b"".join(pipe.take() for pipe in stage.pipes)
        if got != b"".join(sends):
            raise Differs(f"{stage.role} turn {stage.turn_count}: its peers got other bytes")
        counts.sends += len(sends)
        counts.sent_bytes += len(got)
        names = stage.stage.output_names
        for data in turn.of_kind(Entry.OUTPUT):
            name = names[int(np.frombuffer(data[:8], np.int64)[0])]
            slot_bytes = self.wires.links[name].spec.slot_bytes
            counts.records[name] = counts.records.get(name, 0) + (len(data) - 16) // slot_bytes

    def close(self) -> None:
        """Release everything."""
        self._stack.close()


def launch_of(run_folder: Path) -> tuple[Launch, Wiring]:
    """Return the launch and the wiring of a run whose stages kept their intakes."""
    try:
        launch = read_launch(launch_path(run_folder, wiring.BOOK))
    except (OSError, msgspec.DecodeError) as error:
        raise BadRecording(f"{run_folder} is not the folder of a run: {error}") from error
    launch = msgspec.structs.replace(launch, run_folder=str(run_folder))
    wires = wiring.wire(launch.config)
    for role in wires.roles:
        if not intake_path(run_folder, role, 1).exists():
            raise NotRepeatable(
                f"{role} kept no intake in {run_folder}; start a run with `[record] intake_mb`"
            )
    return launch, wires


def first_ns(run_folder: Path, role: str) -> int:
    """Return when a stage's loop began."""
    data = np.fromfile(intake_path(run_folder, role, 1), np.uint8)
    turn = next(turns_of(data), None)
    if turn is None:
        raise BadRecording(f"the intake of {role} is empty")
    return int(turn.step["now_ns"])
