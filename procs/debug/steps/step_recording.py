"""The file format of recorded steps: written by ``attach --to``.

JSON lines.  The first is a HEAD; records follow in the form of ``attach --tap``, each with its
ring.  A HEAD in the middle means that records were missed; the stage is repeated from there.
"""

import base64
import zlib
from collections.abc import Mapping
from typing import Any, Self

import msgspec
import numpy as np

from ipc.shared import RingSpec
from ipc.types import RecordArray
from procs.debug.steps.apart import RingPosition, Start
from procs.observe.taps import decode
from procs.observe.taps.tap import Copy
from procs.plan import wiring
from procs.plan.launch import Launch
from procs.plan.wiring import Wiring

RECORDING_SCHEMA = 1


class BadRecording(ValueError):
    """The file is unusable; the message says why, and what to do."""


class RecordedStanding(msgspec.Struct, frozen=True):
    """A ``Start`` as text: positions of rings, and tables as base64 of their zlib bytes."""

    now_ns: int
    life: int
    places: dict[str, tuple[int, int]]
    tables: dict[str, str]

    @classmethod
    def of(cls, start: Start) -> Self:
        """Return a start as text."""
        places = {name: (place.seq, place.epoch) for name, place in start.places.items()}
        tables = {
            name: base64.b64encode(zlib.compress(records.tobytes(), 1)).decode()
            for name, records in start.tables.items()
        }
        return cls(start.now_ns, start.life, places, tables)

    def start(self, wires: Wiring) -> Start:
        """Return the start of this text."""
        places = {name: RingPosition(*place) for name, place in self.places.items()}
        tables = {name: table_of(wires, name, text) for name, text in self.tables.items()}
        return Start(self.now_ns, self.life, places, tables)


class Head(msgspec.Struct, frozen=True, tag="head", tag_field="line"):
    """The head of a file, declared once for writer and reader.

    ``stage`` is the recorded stage; empty for the records of ``ring`` alone.
    """

    schema: int
    stage: str
    ring: str
    where: str
    declarations: dict[str, int]
    launch: Launch
    standing: RecordedStanding


def declarations(wires: Wiring) -> dict[str, int]:
    """Return the fingerprints of all records that a recording may hold."""
    layouts = {layout for link in wires.links.values() for layout in link.spec.layouts}
    layouts |= {table.layout for table in wires.tables.values()}
    return {layout.name: layout.fingerprint for layout in layouts}


def head_line(launch: Launch, stage: str, ring: str, where: str, start: Start) -> str:
    """Return the first line of a file."""
    wires = wiring.wire(launch.config)
    head = Head(
        RECORDING_SCHEMA,
        stage,
        ring,
        where,
        declarations(wires),
        launch,
        RecordedStanding.of(start),
    )
    return msgspec.json.encode(head).decode() + "\n"


def read_head(line: bytes) -> Head:
    """Return the HEAD in a line.

    Raises
    ------
    BadRecording
        When it is not a HEAD, or one of another version.
    """
    try:
        facts = msgspec.json.decode(line)
        if not isinstance(facts, dict) or facts.get("line") != "head":
            raise BadRecording(
                "this is not a recording: write one by `vortexctl attach STAGE --to FILE`"
            )
        head = msgspec.convert(facts, Head)
    except (msgspec.DecodeError, LookupError, OSError) as error:
        raise BadRecording(
            f"this recording was made by another version, or with a strategy that is missing here: "
            f"{error}"
        ) from error
    ours = declarations(wiring.wire(head.launch.config))
    changed = [name for name, mark in head.declarations.items() if ours.get(name) != mark]
    if head.schema != RECORDING_SCHEMA or changed:
        what = f"its records differ: {', '.join(changed)}" if changed else f"schema {head.schema}"
        raise BadRecording(f"this recording was made by another version ({what}); use that one")
    return head


def table_of(wires: Wiring, name: str, text: str) -> RecordArray:
    """Return the records of a table from their text."""
    table = wires.tables.get(name)
    if table is None:
        raise BadRecording(f"the recording has a table {name!r}, which this version does not know")
    byte_count = table.count * table.layout.dtype.itemsize
    try:
        raw = zlib.decompressobj().decompress(base64.b64decode(text), byte_count + 1)
    except (ValueError, zlib.error) as error:
        raise BadRecording(f"the recording is damaged: table {name!r}: {error}") from error
    if len(raw) != byte_count:
        raise BadRecording(f"the recording is damaged: table {name!r} has another size")
    return np.frombuffer(raw, table.layout.dtype)


def copy_of(spec: RingSpec, line: Mapping[str, Any]) -> Copy:
    """Return a record from its line, written by ``record_line``.

    Raises
    ------
    BadRecording
        When it is not such a line.
    """
    layout = next((each for each in spec.layouts if each.name == line.get("record")), None)
    seq = line.get("seq")
    if layout is None or not isinstance(seq, int):
        raise BadRecording(f"the recording is damaged: no record {line.get('record')!r} is known")
    row = np.zeros(1, layout.dtype)
    try:
        for field in layout.fields:
            if field.name not in decode.HIDDEN:
                row[field.name][0] = decode.number(field.name, line[field.name])
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise BadRecording(f"the recording is damaged: record {seq}: {error!r}") from error
    return Copy(seq, row.tobytes().ljust(spec.slot_bytes, b"\0"))
