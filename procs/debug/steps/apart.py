"""A stage in private memory, built by the same code and invisible to others.

Its tables begin as copies, its rings at the positions of the real ones.  The caller puts the
records of its inputs into their slots, with their original sequences.
"""

import ctypes
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ipc import ring
from ipc.memory import address_of, words_at
from ipc.shared import RingSpec, SharedRing, SharedTable
from ipc.types import RecordArray
from procs.observe.taps.tap import Copy
from procs.plan.wiring import Wiring

#: A step may read more than the ring holds at once, because the writer refills it.
ROOM = 4


class RingPosition(NamedTuple):
    """The position of one end of a ring: its next record, and its epoch."""

    seq: int
    epoch: int


class Start(NamedTuple):
    """The state from which a stage is repeated.

    ``tables`` are the tables of the run that it reads, and its own tables from which it continues;
    none of its own when its life begins here.
    """

    now_ns: int
    life: int
    places: Mapping[str, RingPosition]
    tables: Mapping[str, RecordArray]


class PrivateRing:
    """One ring in private memory, at the position of another one."""

    def __init__(self, name: str, spec: RingSpec, place: RingPosition) -> None:
        self.shared = SharedRing.private(name, spec)
        self.seen_seq = place.seq
        handle = self.shared.handle[0]
        handle["next_seq"] = handle["limit_seq"] = place.seq
        handle["epoch"] = place.epoch
        handle["has_reader"] = 0  # it has no reader that consumes
        self._writer = words_at(int(handle["writer_address"]), ring.CLAIMED_BYTES // 8 + 1)
        words_at(int(handle["reader_address"]), 1)[0] = place.seq
        self.show(place)
        self._writer[ring.EPOCH_START_BYTES // 8] = place.seq
        self._writer[ring.CLAIMED_BYTES // 8] = place.seq

    def put(self, copy: Copy) -> None:
        """Write a record into its slot; ``show`` publishes it."""
        handle = self.shared.handle[0]
        index = copy.seq & (self.shared.spec.capacity_count - 1)
        address = int(handle["slots_address"]) + index * self.shared.spec.slot_bytes
        ctypes.memmove(address, copy.raw, len(copy.raw))

    def show(self, place: RingPosition) -> None:
        """Publish the records before ``place``, in its epoch."""
        self._writer[ring.PUBLISHED_BYTES // 8] = place.seq
        self._writer[ring.EPOCH_BYTES // 8] = place.epoch

    def take(self) -> list[Copy]:
        """Return the records published since the last call."""
        slot = np.zeros(self.shared.spec.slot_bytes, np.uint8)
        found = []
        for seq in range(self.seen_seq, self.shared.published_seq):
            result = ring.observe(self.shared.address, seq, address_of(slot))
            assert result == 1, "a step publishes less than the ring holds"
            found.append(Copy(seq, slot.tobytes()))
        self.seen_seq = self.shared.published_seq
        return found


class ApartMemory:
    """The private tables and rings of one stage, from its ``Start``; ``close`` releases them."""

    def __init__(self, wires: Wiring, role: str, start: Start) -> None:
        self._wiring = wires
        self._role = role
        self._start = start
        self.made: dict[str, SharedTable] = {}
        self.rings: dict[str, PrivateRing] = {}

    def table(self, name: str, *, writable: bool) -> SharedTable:
        """Make a table once, with its content in the start."""
        if name not in self.made:
            table = self._wiring.tables[name]
            self.made[name] = SharedTable.private(name, table.layout, table.count)
            self.fill(name)
        return self.made[name]

    def fill(self, name: str) -> None:
        """Fill a table with its initial content, if that is known."""
        if name in self._start.tables:
            self.made[name].records[:] = self._start.tables[name]

    def fill_own(self) -> None:
        """Restore the stage's own tables, after it was built with empty ones."""
        for name in self.made:
            if self._wiring.tables[name].owner == self._role:
                self.fill(name)

    def writer(self, name: str) -> SharedRing:
        """Make the ring that the stage writes."""
        return self.ring(name, self._wiring.links[name].spec)

    def reader(self, name: str) -> SharedRing:
        """Make the ring that the stage reads."""
        spec = self._wiring.links[name].spec
        return self.ring(name, replace(spec, capacity_count=ROOM * spec.capacity_count))

    def observer(self, name: str) -> SharedRing:
        """Make a ring without records."""
        return self.ring(name, self._wiring.links[name].spec)

    def ring(self, name: str, spec: RingSpec) -> SharedRing:
        """Make a ring at the position of the real one."""
        made = PrivateRing(name, spec, self._start.places.get(name, RingPosition(0, 1)))
        self.rings[name] = made
        return made.shared

    def hold_role(self, role: str) -> None:
        """Do nothing: no process checks whether a private stage lives."""

    def has_supervisor(self) -> bool:
        """Return True: the repeating process is its supervisor."""
        return True

    def close(self) -> None:
        """Release everything."""
        for table in self.made.values():
            table.close()
        for made in self.rings.values():
            made.shared.close()
