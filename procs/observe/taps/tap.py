"""A tap on a ring: its records as they pass, read by an observer that nobody waits for.

The ring's contract does the work: an observer copies a record and then asks whether it was
overtaken.  What was overwritten before it could be copied is counted and told, never guessed.
"""

from typing import NamedTuple

import numpy as np

from ipc.memory import address_of, words_at
from ipc.ring import CLAIMED_BYTES, observe
from ipc.shared import SharedRing
from ipc.types import RecordArray

#: Copied in one go, before any of it is decoded: a burst is caught while it is still there.
BATCH_COUNT_MAX = 4_096
NOT_YET, GONE = 0, -1


class Copy(NamedTuple):
    """One record as it stood in its slot."""

    seq: int
    raw: bytes


class Tap:
    """One observer of one ring; ``lost_count`` is what it could not copy in time."""

    def __init__(self, ring: SharedRing, *, from_oldest: bool) -> None:
        self.ring = ring
        self.capacity = ring.spec.capacity_count
        self.lost_count = 0
        self.next_seq = ring.published_seq
        self._slot = np.zeros(ring.spec.slot_bytes, np.uint8)
        if from_oldest:
            self.next_seq = max(self.claimed_seq - self.capacity, 0)

    @property
    def claimed_seq(self) -> int:
        """How far the writer may have written."""
        writer_address = int(self.ring.handle[0]["writer_address"])
        return int(words_at(writer_address + CLAIMED_BYTES, 1)[0])

    def copy(self) -> list[Copy]:
        """Return what was published since the last call, up to BATCH_COUNT_MAX records."""
        found: list[Copy] = []
        published_seq = self.ring.published_seq
        address = address_of(self._slot)
        while len(found) < BATCH_COUNT_MAX and self._copy_next(published_seq, address):
            found.append(Copy(self.next_seq - 1, self._slot.tobytes()))
        return found

    def fill(self, rows: RecordArray) -> RecordArray:
        """Copy into ``rows``, one for each, what was published since the last call.

        Returns those that were filled; what found no room is there at the next call.
        """
        assert rows.itemsize == self.ring.spec.slot_bytes, "a row holds a slot"
        published_seq, address, count = self.ring.published_seq, address_of(rows), 0
        while count < len(rows) and self._copy_next(published_seq, address + count * rows.itemsize):
            count += 1
        return rows[:count]

    def _copy_next(self, published_seq: int, address: int) -> bool:
        """Copy the next record that is there; return whether there was one."""
        while self.next_seq < published_seq:
            result = observe(self.ring.address, self.next_seq, address)
            if result == NOT_YET:
                return False
            if result == GONE:
                self._skip()
                continue
            self.next_seq += 1
            return True
        return False

    def _skip(self) -> None:
        """Go on behind a record that is not there."""
        oldest_seq = self.claimed_seq - self.capacity
        if self.next_seq >= oldest_seq:
            self.next_seq += 1  # a dead writer's hole: nothing was ever published there
            return
        # An eighth of the ring ahead of the writer, or it would be overtaken again at once.
        target_seq = min(oldest_seq + self.capacity // 8, self.ring.published_seq)
        target_seq = max(target_seq, self.next_seq + 1)
        self.lost_count += target_seq - self.next_seq
        self.next_seq = target_seq
