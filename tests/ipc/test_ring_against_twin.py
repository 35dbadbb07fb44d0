"""The ring beside a slow twin, a deque and some numbers, under scripts made up by hypothesis."""

import itertools
import os
from collections import deque

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ipc import ring
from ipc.memory import address_of, record_at
from ipc.segment import segment_name
from ipc.shared import SharedRing
from tests.ipc.drivers import RECORD_DTYPE, SPEC, is_whole, write_message

CAPACITY = SPEC.capacity_count
MAX = SPEC.message_count_max
NUMBERS = itertools.count()


class RingBesideTwin(RuleBasedStateMachine):
    """Each rule does the same to the ring and to the twin."""

    @initialize(first_seq=st.sampled_from([0, 2**32 - 40, 2**62 - 1]))
    def open(self, first_seq: int) -> None:
        name = segment_name(f"test-{os.getpid()}", f"twin{next(NUMBERS)}")
        self.observer = SharedRing.create(name, SPEC, run_id=1, first_seq=first_seq)
        self.writer = SharedRing.attach_writer(name, SPEC)
        self.reader = SharedRing.attach_reader(name, SPEC)
        self.shareds = [self.observer, self.writer, self.reader]
        self.name = name
        self.first_seq = first_seq
        self.value = 0
        self.pending: list[int] = []
        self.unread: deque[int] = deque()
        self.published: dict[int, int] = {}
        self.new_epoch = False
        self.hole_count = 0
        self.next_seq = self.claimed_seq = first_seq
        self.consumed_seq = self.epoch_start_seq = first_seq

    @rule(count=st.integers(1, MAX))
    def append(self, count: int) -> None:
        end_seq = self.next_seq + len(self.pending) + MAX
        has_room = end_seq <= self.consumed_seq + CAPACITY
        assert write_message(self.writer.address, self.value, count) == has_room
        if has_room:
            self.pending += range(self.value, self.value + count)
            self.claimed_seq = max(self.claimed_seq, end_seq)
            self.value += count

    @rule()
    def commit(self) -> None:
        assert ring.commit(self.writer.address, 1)
        self.unread += self.pending
        self.published.update(enumerate(self.pending, self.next_seq))
        self.next_seq += len(self.pending)
        self.pending.clear()

    @rule()
    def raise_epoch(self) -> None:
        ring.raise_epoch(self.writer.address)
        self.new_epoch = True
        self.unread.clear()
        self.epoch_start_seq = self.next_seq

    @rule()
    def replace_writer(self) -> None:
        old = self.writer
        self.writer = SharedRing.attach_writer(self.name, SPEC)
        self.shareds.append(self.writer)
        assert ring.claim(old.address) == 0
        self.hole_count += 1
        self.pending.clear()
        self.next_seq = self.claimed_seq = max(self.next_seq, self.claimed_seq) + 1
        self.new_epoch = True
        self.unread.clear()
        self.epoch_start_seq = self.next_seq

    @rule()
    def replace_reader(self) -> None:
        old = self.reader
        self.reader = SharedRing.attach_reader(self.name, SPEC)
        self.shareds.append(self.reader)
        assert ring.ready_count(old.address) == 0
        self.new_epoch = False
        self.unread.clear()
        self.consumed_seq = self.next_seq

    @rule(part=st.floats(0, 1))
    def read(self, part: float) -> None:
        count = ring.ready_count(self.reader.address)
        assert (count == ring.NEW_EPOCH) == self.new_epoch
        if self.new_epoch:
            skipped = ring.enter_epoch(self.reader.address)
            assert skipped == max(0, self.epoch_start_seq - self.consumed_seq)
            self.consumed_seq += skipped
            self.new_epoch = False
            return
        assert (count > 0) == bool(self.unread)
        for index in range(round(count * part)):
            record = record_at(ring.slot(self.reader.address, 0), RECORD_DTYPE)
            assert is_whole(ring.slot(self.reader.address, 0))
            assert record.value == self.unread.popleft(), index
            assert ring.consume(self.reader.address, 1)
            self.consumed_seq += 1

    @rule(back=st.integers(-2, 3 * CAPACITY))
    def observe(self, back: int) -> None:
        copy = np.zeros(1, RECORD_DTYPE)
        seq = max(self.first_seq, self.next_seq - 1 - back)
        found = ring.observe(self.observer.address, seq, address_of(copy))
        assert (found == 0) == (seq >= self.next_seq)
        if found == 1:
            assert copy[0]["value"] == self.published[seq]
        if found == -1 and not self.has_many_holes:
            assert self.claimed_seq > seq + CAPACITY or seq not in self.published

    @property
    def has_many_holes(self) -> bool:
        """Whether writers were replaced so often that records between holes may be hidden too."""
        return self.hole_count > ring.HOLE_COUNT

    @invariant()
    def counts_agree(self) -> None:
        if hasattr(self, "observer"):
            assert self.observer.published_seq == self.next_seq
            assert self.observer.consumed_seq == self.consumed_seq or self.new_epoch

    def teardown(self) -> None:
        if hasattr(self, "observer"):
            self.observer.segment.unlink()
            for shared in self.shareds:
                shared.close()


TestRingBesideTwin = RingBesideTwin.TestCase
TestRingBesideTwin.settings = settings(max_examples=60, stateful_step_count=60)
