"""The two contents of a segment: a ring, or a table of records.

Cold: creates them, attaches to them and fills the RING handles that compiled code uses.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from ipc import ring
from ipc.errors import RoleTaken, SegmentMismatch
from ipc.layout import Layout
from ipc.memory import address_of, records_at, words_at
from ipc.segment import PAGE_BYTES, Segment, round_to_pages
from ipc.types import RecordArray

FIRST_SEQ_END = 1 << 62
_WRITER_PAGE, _READER_PAGE, _SLOTS = PAGE_BYTES, 2 * PAGE_BYTES, 3 * PAGE_BYTES


def _fingerprint(layouts: Sequence[Layout]) -> int:
    return zlib.crc32(repr([layout.fingerprint for layout in layouts]).encode())


def _names(layouts: Sequence[Layout]) -> str:
    return ",".join(layout.name for layout in layouts)


@dataclass(frozen=True)
class RingSpec:
    """The declaration of a ring: its records, its size, its largest message."""

    layouts: tuple[Layout, ...]
    slot_bytes: int
    capacity_count: int
    message_count_max: int
    stamp_field: str
    has_reader: bool = True

    def __post_init__(self) -> None:
        capacity = self.capacity_count
        assert capacity.bit_count() == 1, "capacity is a power of two"
        assert capacity * self.slot_bytes % PAGE_BYTES == 0, "slots fill whole pages"
        assert 0 < self.message_count_max <= capacity, "a message must fit"
        for layout in self.layouts:
            assert layout.dtype.itemsize <= self.slot_bytes, f"{layout.name} exceeds the slot"
            assert layout.offset_bytes(self.stamp_field) == self.stamp_offset_bytes

    @property
    def stamp_offset_bytes(self) -> int:
        """Offset of the time of publication in each record."""
        return self.layouts[0].offset_bytes(self.stamp_field)


class SharedRing:
    """One end of a ring, or an observer's view; ``close`` releases it."""

    def __init__(self, spec: RingSpec, segment: Segment, *, writes: bool, reads: bool) -> None:
        self.spec = spec
        self.segment = segment
        self.handle = np.zeros(1, ring.RING_DTYPE)
        slots_bytes = spec.capacity_count * spec.slot_bytes
        handle = self.handle[0]
        handle["writer_address"] = segment.map(_WRITER_PAGE, PAGE_BYTES, writable=writes)
        handle["reader_address"] = segment.map(_READER_PAGE, PAGE_BYTES, writable=reads)
        handle["slots_address"] = segment.map(_SLOTS, slots_bytes, writable=writes, twice=True)
        handle["slot_bytes"] = spec.slot_bytes
        handle["capacity_count"] = spec.capacity_count
        handle["message_count_max"] = spec.message_count_max
        handle["stamp_offset_bytes"] = spec.stamp_offset_bytes
        handle["has_reader"] = spec.has_reader

    @classmethod
    def create(cls, name: str, spec: RingSpec, *, run_id: int, first_seq: int = 0) -> Self:
        """Create the segment and the empty ring; the creator is an observer of it."""
        assert 0 <= first_seq < FIRST_SEQ_END, "sequences must not reach 2**63"
        segment = Segment.create(
            name,
            data_bytes=2 * PAGE_BYTES + spec.capacity_count * spec.slot_bytes,
            fingerprint=_fingerprint(spec.layouts),
            run_id=run_id,
            slot_bytes=spec.slot_bytes,
            slot_count=spec.capacity_count,
            record_names=_names(spec.layouts),
        )
        if first_seq:
            writer = segment.map(_WRITER_PAGE, PAGE_BYTES, writable=True)
            reader = segment.map(_READER_PAGE, PAGE_BYTES, writable=True)
            words = words_at(writer, PAGE_BYTES // 8)
            for offset_bytes in ring.WRITER_SEQ_OFFSETS:
                words[offset_bytes // 8] = first_seq
            words_at(reader, 1)[0] = first_seq
        return cls(spec, segment, writes=False, reads=False)

    @classmethod
    def attach_writer(cls, name: str, spec: RingSpec, *, run_id: int | None = None) -> Self:
        """Become the ring's writer, in a new epoch.

        Raises
        ------
        RoleTaken
            When a predecessor still publishes: take the role's lock before attaching.
        """
        shared = cls._attach(name, spec, run_id, writes=True, reads=False)
        if not ring.take_over_writer(shared.address):
            shared.close()
            raise RoleTaken(f"{name} has a live writer; stop or kill that process first")
        return shared

    @classmethod
    def attach_reader(cls, name: str, spec: RingSpec, *, run_id: int | None = None) -> Self:
        """Become the ring's reader; discard what a predecessor left unread."""
        shared = cls._attach(name, spec, run_id, writes=False, reads=True)
        ring.take_over_reader(shared.address)
        return shared

    @classmethod
    def attach_observer(cls, name: str, spec: RingSpec, *, run_id: int | None = None) -> Self:
        """Observe the ring, read-only; neither end notices."""
        return cls._attach(name, spec, run_id, writes=False, reads=False)

    @classmethod
    def private(cls, name: str, spec: RingSpec) -> Self:
        """Return an empty ring in private memory; this process may write both its ends."""
        data_bytes = 2 * PAGE_BYTES + spec.capacity_count * spec.slot_bytes
        return cls(spec, Segment.private(name, data_bytes), writes=True, reads=True)

    @classmethod
    def _attach(
        cls, name: str, spec: RingSpec, run_id: int | None, *, writes: bool, reads: bool
    ) -> Self:
        segment = Segment.attach(name, fingerprint=_fingerprint(spec.layouts), run_id=run_id)
        if int(segment.header["slot_bytes"]) != spec.slot_bytes:
            slot_bytes = int(segment.header["slot_bytes"])
            segment.close()
            raise SegmentMismatch(
                f"{name} has slots of {slot_bytes} bytes, this program's have {spec.slot_bytes}; "
                "stop that run with the version that started it"
            )
        if int(segment.header["slot_count"]) != spec.capacity_count:
            # The size comes from configuration, not from the declaration: read it from the segment.
            spec = replace(spec, capacity_count=int(segment.header["slot_count"]))
        return cls(spec, segment, writes=writes, reads=reads)

    @property
    def address(self) -> int:
        """Address of the handle for compiled code; valid as long as this object lives."""
        return address_of(self.handle)

    @property
    def published_seq(self) -> int:
        """Return the next sequence that the writer will publish."""
        return int(words_at(int(self.handle[0]["writer_address"]), 1)[0])

    @property
    def consumed_seq(self) -> int:
        """Return the next sequence that the reader will consume."""
        return int(words_at(int(self.handle[0]["reader_address"]), 1)[0])

    def close(self) -> None:
        """Unmap the ring."""
        self.segment.close()


class SharedTable:
    """An array of records with one writer; ``close`` releases it."""

    def __init__(self, layout: Layout, segment: Segment, count: int, *, writable: bool) -> None:
        self.layout = layout
        self.segment = segment
        self.address = segment.map(
            PAGE_BYTES, round_to_pages(count * layout.dtype.itemsize), writable=writable
        )
        self.records: RecordArray = records_at(self.address, layout.dtype, count)

    @classmethod
    def create(cls, name: str, layout: Layout, count: int, *, run_id: int) -> Self:
        """Create the segment, all records zero; the creator may write them."""
        segment = Segment.create(
            name,
            data_bytes=count * layout.dtype.itemsize,
            fingerprint=_fingerprint((layout,)),
            run_id=run_id,
            slot_bytes=layout.dtype.itemsize,
            slot_count=count,
            record_names=layout.name,
        )
        return cls(layout, segment, count, writable=True)

    @classmethod
    def attach(
        cls, name: str, layout: Layout, *, run_id: int | None = None, writable: bool = False
    ) -> Self:
        """Map the table of a running instance; only its owner maps it writable."""
        segment = Segment.attach(name, fingerprint=_fingerprint((layout,)), run_id=run_id)
        return cls(layout, segment, int(segment.header["slot_count"]), writable=writable)

    @classmethod
    def private(cls, name: str, layout: Layout, count: int) -> Self:
        """Return a table in private memory, all records zero."""
        segment = Segment.private(name, count * layout.dtype.itemsize)
        return cls(layout, segment, count, writable=True)

    def record_address(self, index: int) -> int:
        """Return the address of record ``index``."""
        assert 0 <= index < len(self.records), f"{self.layout.name} has no record {index}"
        return self.address + index * self.layout.dtype.itemsize

    def close(self) -> None:
        """Unmap the table."""
        self.segment.close()
