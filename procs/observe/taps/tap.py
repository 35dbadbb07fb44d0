"""A tap on a ring: an observer that reads records as they pass and delays no stage.

It relies on the ring's contract: an observer copies a record, then checks whether the writer
overtook it.  Records that were overwritten before the copy are counted and reported.
"""

from typing import NamedTuple

import numpy as np

from ipc.memory import address_of, words_at
from ipc.ring import CLAIMED_BYTES, observe
from ipc.shared import SharedRing
from ipc.types import RecordArray

#: Records copied in one go before any is decoded, so that a burst is copied in time.
BATCH_COUNT_MAX = 4_096
NOT_YET, GONE = 0, -1


class Copy(NamedTuple):
    """One record, copied from its slot."""

    seq: int
    raw: bytes


class Tap:
    """One observer of one ring; ``lost_count`` counts records that it could not copy in time."""

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
        """The sequence up to which the writer may have written."""
        writer_address = int(self.ring.handle[0]["writer_address"])
        return int(words_at(writer_address + CLAIMED_BYTES, 1)[0])

    def copy(self) -> list[Copy]:
        """Return the records since the last call, up to BATCH_COUNT_MAX."""
        found: list[Copy] = []
        published_seq = self.ring.published_seq
        address = address_of(self._slot)
        while len(found) < BATCH_COUNT_MAX and self._copy_next(published_seq, address):
            found.append(Copy(self.next_seq - 1, self._slot.tobytes()))
        return found

    def fill(self, rows: RecordArray) -> RecordArray:
        """Copy the records since the last call into ``rows``, one for each.

        Return the filled rows; the next call continues behind them.
        """
        assert rows.itemsize == self.ring.spec.slot_bytes, "a row holds a slot"
        published_seq, address, count = self.ring.published_seq, address_of(rows), 0
        while count < len(rows) and self._copy_next(published_seq, address + count * rows.itemsize):
            count += 1
        return rows[:count]

    def _copy_next(self, published_seq: int, address: int) -> bool:
        """Copy the next record; return whether there was one."""
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
        """Continue behind a record that is gone."""
        oldest_seq = self.claimed_seq - self.capacity
        if self.next_seq >= oldest_seq:
            self.next_seq += 1  # a dead writer's hole: no record was published there
            return
        # An eighth of the ring ahead, or the writer would overtake it again immediately.
        target_seq = min(oldest_seq + self.capacity // 8, self.ring.published_seq)
        target_seq = max(target_seq, self.next_seq + 1)
        self.lost_count += target_seq - self.next_seq
        self.next_seq = target_seq
