"""Reads recorded steps from the recording of a stage or ring, or a run's folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from procs.debug.steps.apart import RingPosition, Start
from procs.debug.steps.moments import (
    Gatherer,
    Moment,
    NotRepeatable,
    StepRings,
    is_steppable,
    places_after,
    published_after,
    rings_of,
)
from procs.debug.steps.step_recording import BadRecording, Head, copy_of, read_head
from procs.observe import archive
from procs.observe.taps import decode
from procs.observe.taps.tap import Copy
from procs.plan import run_records, wiring
from procs.plan.instance import launch_path
from procs.plan.launch import Launch, read_launch
from procs.plan.wiring import Wiring

#: The tables that a stage with an unknown past reads besides its rings.
KNOWN_TABLES = ("instruments", "limits", "quoting")
Lines = Iterator[tuple[dict[str, Any], bytes]]


class Part(NamedTuple):
    """Steps without a gap, and the state before them.

    ``compares``: their recorded output is known, and the state here determines it.
    """

    start: Start
    moments: Iterator[Moment]
    compares: bool
    note: str


class StepSource(NamedTuple):
    """The recorded steps of one stage."""

    role: str
    launch: Launch
    parts: Iterator[Part]


def open_source(path: Path, role: str | None) -> StepSource:
    """Return the steps in a file or a run's folder; ``role`` chooses the stage of a folder.

    Raises
    ------
    BadRecording
        When it is unusable; also raised while its parts are read.
    NotRepeatable
        When it holds no steps that can be repeated.
    OSError
        When it is unreadable.
    """
    return of_folder(path, role or wiring.BOOK) if path.is_dir() else of_file(path, role)


# Files.


def of_file(path: Path, role: str | None) -> StepSource:
    """Return the steps of a file that ``attach --to`` wrote."""
    with path.open("rb") as file:
        head = read_head(file.readline())
    recorded = head.stage or reader_of(wiring.wire(head.launch.config), head.ring)
    if role not in (None, recorded):
        raise NotRepeatable(f"{path} holds what {recorded} reads, not {role}")
    lines = lines_after_head(path)
    parts = parts_of_stage(head, lines) if head.stage else parts_of_ring(head, recorded, lines)
    return StepSource(recorded, head.launch, parts)


def reader_of(wires: Wiring, ring_name: str) -> str:
    """Return the stage that reads a ring, and whose steps can be repeated."""
    link = wires.links.get(ring_name)
    if link is None or link.reader is None or not is_steppable(link.reader):
        raise NotRepeatable(
            f"no stage that can be stepped reads {ring_name!r}; record a stage instead: "
            "`vortexctl attach book --to FILE`"
        )
    return link.reader


def lines_after_head(path: Path) -> Lines:
    """Yield each line as an object and as bytes, without an incomplete last line."""
    with path.open("rb") as file:
        file.readline()
        for line in file:
            if not line.endswith(b"\n"):
                return
            try:
                facts = msgspec.json.decode(line)
            except msgspec.DecodeError as error:
                raise BadRecording(f"the recording is damaged: {error}") from error
            if not isinstance(facts, dict):
                raise BadRecording("the recording is damaged: a line is not an object")
            yield facts, line


def parts_of_stage(head: Head, lines: Lines) -> Iterator[Part]:
    """Yield the steps of a stage's recording, a part from each of its heads."""
    wires = wiring.wire(head.launch.config)
    heads = [head]

    def moments(gatherer: Gatherer) -> Iterator[Moment]:
        for facts, line in lines:
            if facts.get("line") == "head":
                heads.append(read_head(line))
                return
            name = facts.get("ring")
            if name not in gatherer.rings.all:
                raise BadRecording(f"the recording is damaged: a record of ring {name!r}")
            gatherer.add(name, [copy_of(wires.links[name].spec, facts)])
            while (moment := gatherer.next()) is not None:
                yield moment
            if gatherer.broken:
                raise BadRecording(f"the recording is damaged: {gatherer.broken}")

    while heads:
        start = heads.pop().standing.start(wires)
        yield Part(start, moments(Gatherer(rings_of(wires, head.stage), start)), True, "")


def parts_of_ring(head: Head, role: str, lines: Lines) -> Iterator[Part]:
    """Yield the messages of one ring, each as one step, from an empty state."""
    wires = wiring.wire(head.launch.config)
    rings = rings_of(wires, role)
    note = (
        f"the records of {head.ring} alone: {role} begins with an empty state, and takes each "
        "message in one step"
    )
    if head.where:
        note += f"; only those where {head.where}"
    yield Part(head.standing.start(wires), messages(head, rings, wires, lines), False, note)


def messages(head: Head, rings: StepRings, wires: Wiring, lines: Lines) -> Iterator[Moment]:
    """Yield a moment for each whole message; its records get new sequences without gaps."""
    spec = wires.links[head.ring].spec
    places = {name: RingPosition(0, 1) for name in rings.inputs}
    message: list[Copy] = []
    missing_count = 0
    for facts, _ in lines:
        if "lost" in facts:
            message = []
            continue
        if missing_count == 0:
            message = []
            count = facts.get("record_count", facts.get("shown_count", 0))
            missing_count = 1 + (count if isinstance(count, int) else 0)
        copy = copy_of(spec, facts)
        message.append(Copy(places[head.ring].seq + len(message), copy.raw))
        missing_count -= 1
        if missing_count > 0:
            continue
        places = {**places, head.ring: RingPosition(places[head.ring].seq + len(message), 1)}
        publish_ns = int(facts["publish_ns"])
        inputs = {name: message if name == head.ring else [] for name in rings.inputs}
        shift = int(facts["seq"]) - message[-1].seq
        seq = message[0].seq + shift
        yield Moment(seq, b"", publish_ns, publish_ns, inputs, places, {}, shift)


# Folders.


def of_folder(folder: Path, role: str) -> StepSource:
    """Return the steps that were in the rings at the end of a run."""
    try:
        launch = read_launch(launch_path(folder, role))
        wires = wiring.wire(launch.config)
        copies = {
            name: [Copy(*row) for row in archive.read_ring(folder, name)]
            for name in rings_of(wires, role).all
        }
        known = {name: archive.read_table(folder, name) for name in KNOWN_TABLES}
    except (OSError, ValueError, KeyError, msgspec.DecodeError) as error:
        raise BadRecording(
            f"this folder holds no run that has ended, or one of another version: {error}"
        ) from error
    sizes_differ = any(
        len(copy.raw) != wires.links[name].spec.slot_bytes
        for name in copies
        for copy in copies[name][:1]
    )
    if sizes_differ or any(
        records.dtype != wires.tables[name].layout.dtype for name, records in known.items()
    ):
        raise BadRecording("this folder was left by another version; step it with that one")
    return StepSource(role, launch, parts_of_folder(wires, role, copies, known))


def parts_of_folder(
    wires: Wiring, role: str, copies: dict[str, list[Copy]], known: dict[str, Any]
) -> Iterator[Part]:
    """Yield the steps of each life that left any."""
    rings = rings_of(wires, role)
    for number, steps in enumerate(lives_of(copies[rings.steps])):
        index = first_repeatable(rings, steps, copies)
        if index is None:
            continue
        begun = np.frombuffer(steps[index].raw, run_records.STEP.dtype, 1)[0]
        ends = published_after(rings, begun)
        life = life_of(wires, ends, copies)
        places = {
            **places_after(rings, begun),
            **{name: RingPosition(end_seq, life) for name, end_seq in ends.items()},
            rings.steps: RingPosition(steps[index].seq + 1, life),
        }
        gatherer = Gatherer(rings, Start(int(begun["now_ns"]), life, places, known))
        for name in rings.all:
            gatherer.add(name, steps[index + 1 :] if name == rings.steps else copies[name])
        # The first STEP record of a life is its beginning.  A later strategy knows its position
        # from the start, which is not kept.
        begins = steps[0].seq == 0 or (number > 0 and role == wiring.BOOK)
        is_whole = index == 0 and begins
        note = "" if is_whole else (
            f"the state of {role} before the oldest of these steps is not in the folder: it "
            "begins with an empty state, and its output is not compared"
        )  # fmt: skip
        yield Part(gatherer.start, iter(gatherer.next, None), is_whole, note)


def lives_of(steps: list[Copy]) -> list[list[Copy]]:
    """Return the STEP records of each life: a new one leaves a hole in the ring."""
    lives: list[list[Copy]] = []
    for copy in steps:
        if not lives or copy.seq != lives[-1][-1].seq + 1:
            lives.append([])
        lives[-1].append(copy)
    return lives


def first_repeatable(
    rings: StepRings, steps: list[Copy], copies: dict[str, list[Copy]]
) -> int | None:
    """Return the first step after which all inputs and outputs are there."""
    oldest = {name: copies[name][0].seq if copies[name] else 0 for name in rings.all}
    for index, copy in enumerate(steps):
        step = np.frombuffer(copy.raw, run_records.STEP.dtype, 1)[0]
        has_inputs = all(oldest[n] <= p.seq for n, p in places_after(rings, step).items())
        ends = published_after(rings, step)
        if has_inputs and all(oldest[name] <= end_seq for name, end_seq in ends.items()):
            return index
    return None


def life_of(wires: Wiring, ends: dict[str, int], copies: dict[str, list[Copy]]) -> int:
    """Return the life that published the records after ``ends`` of its rings; 1 if not known."""
    for name, seq in ends.items():
        for copy in copies[name]:
            spec = wires.links[name].spec
            layout = decode.layout_of(spec, copy.raw) if copy.seq >= seq else None
            if layout is not None and any(field.name == "epoch" for field in layout.fields):
                return int(np.frombuffer(copy.raw, layout.dtype, 1)[0]["epoch"])
    return 1
