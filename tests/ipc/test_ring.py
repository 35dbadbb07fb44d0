"""One ring, both ends in this process: what the contract says."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scale import scaled

from ipc import ring
from ipc.errors import RoleTaken, SegmentMismatch
from ipc.memory import address_of, record_at
from ipc.ring import RING
from ipc.segment import segment_name
from ipc.shared import RingSpec, SharedRing
from tests.ipc.drivers import (
    RECORD,
    RECORD_BYTES,
    RECORD_DTYPE,
    SPEC,
    is_whole,
    read_values,
    write_message,
    write_values,
)

RING_DTYPE = RING.dtype

CAPACITY = SPEC.capacity_count
MAX = SPEC.message_count_max


@dataclass
class Ends:
    """Both ends of a ring, and an observer."""

    name: str
    writer: SharedRing
    reader: SharedRing
    observer: SharedRing

    def write(self, value: int, count: int = 1) -> bool:
        """Publish one message."""
        return write_message(self.writer.address, value, count) and ring.commit(
            self.writer.address, value
        )

    def read(self) -> list[int]:
        """Take all that waits."""
        count = ring.ready_count(self.reader.address)
        values = [
            int(record_at(ring.slot(self.reader.address, index), RECORD_DTYPE).value)
            for index in range(count)
        ]
        assert count <= 0 or ring.consume(self.reader.address, count)
        return values

    def observe(self, seq: int) -> tuple[int, int]:
        """Return what ``observe`` says, and the value it copied."""
        copy = np.full(1, 0, RECORD_DTYPE)
        found = ring.observe(self.observer.address, seq, address_of(copy))
        assert found != 1 or is_whole(address_of(copy))
        return found, int(copy[0]["value"])


def open_ends(name: str, first_seq: int = 0, spec: RingSpec = SPEC) -> Ends:
    """Create a ring and attach both ends."""
    observer = SharedRing.create(name, spec, run_id=1, first_seq=first_seq)
    writer = SharedRing.attach_writer(name, spec, run_id=1)
    reader = SharedRing.attach_reader(name, spec, run_id=1)
    return Ends(name, writer, reader, observer)


@pytest.fixture
def ends(instance: str) -> Iterator[Ends]:
    opened = open_ends(segment_name(instance, "ring"))
    yield opened
    for shared in (opened.writer, opened.reader, opened.observer):
        shared.close()


def test_an_empty_ring_has_nothing_ready(ends: Ends) -> None:
    assert ring.ready_count(ends.reader.address) == 0


@pytest.mark.parametrize("first_seq", [0, 2**31 - 5, 2**32 - 5, 2**62 - 1])
def test_records_keep_their_order_from_any_first_sequence(instance: str, first_seq: int) -> None:
    ends = open_ends(segment_name(instance, "ring"), first_seq)
    assert ends.observer.published_seq == first_seq
    for value in range(0, 40 * CAPACITY, CAPACITY // 2):
        end_value = value + CAPACITY // 2
        assert write_values(ends.writer.address, value, end_value, MAX) == end_value
        assert read_values(ends.reader.address, value, end_value) == end_value


def test_the_first_sequence_leaves_room_for_centuries(instance: str) -> None:
    with pytest.raises(AssertionError, match=r"2\*\*63"):
        SharedRing.create(segment_name(instance, "ring"), SPEC, run_id=1, first_seq=2**62)


def test_a_full_ring_refuses_and_counts_it_and_keeps_what_is_unread(ends: Ends) -> None:
    written = 0
    while ends.write(written, MAX):
        written += MAX
    assert CAPACITY - MAX < written <= CAPACITY
    assert ends.writer.handle[0]["full_count"] == 1
    assert ends.read() == list(range(written))
    assert ends.write(written, MAX)


def test_room_for_less_than_the_largest_message_is_no_room(ends: Ends) -> None:
    for value in range(CAPACITY - MAX + 1):
        assert ends.write(value)
    assert not ends.write(0)


def test_a_message_becomes_visible_all_at_once(ends: Ends) -> None:
    for index in range(3):
        assert write_message(ends.writer.address, index, 1)
        assert ring.ready_count(ends.reader.address) == 0
        assert ends.observe(ends.observer.published_seq)[0] == 0
    assert ring.commit(ends.writer.address, 0)
    assert ends.read() == [0, 1, 2]


def test_a_message_never_wraps_in_memory(ends: Ends) -> None:
    for value in range(0, 30 * MAX, MAX):
        slot_address = ring.claim(ends.writer.address)
        for index in range(MAX):
            record_at(slot_address + index * RECORD_BYTES, RECORD_DTYPE).value = value + index
        ring.append(ends.writer.address, MAX)
        assert ring.commit(ends.writer.address, 0)
        first_address = ring.slot(ends.reader.address, 0)
        assert ring.ready_count(ends.reader.address) == MAX
        for index in range(MAX):
            address = first_address + index * RECORD_BYTES
            assert record_at(address, RECORD_DTYPE).value == value + index
        assert ring.consume(ends.reader.address, MAX)


def test_commit_stamps_every_record_of_the_message(ends: Ends) -> None:
    write_message(ends.writer.address, 0, 3)
    ring.commit(ends.writer.address, 777)
    stamps = [
        record_at(ring.slot(ends.reader.address, index), RECORD_DTYPE).published_ns
        for index in range(3)
    ]
    assert stamps == [777, 777, 777]


def test_a_commit_of_nothing_publishes_nothing(ends: Ends) -> None:
    assert ring.claim(ends.writer.address)
    assert ring.commit(ends.writer.address, 0)
    assert ring.ready_count(ends.reader.address) == 0


def test_a_message_larger_than_claimed_is_our_mistake(ends: Ends) -> None:
    with pytest.raises(AssertionError):
        ring.append(ends.writer.address, MAX + 1)


def test_a_raised_epoch_discards_what_is_unread_and_says_how_much(ends: Ends) -> None:
    for value in range(5):
        ends.write(value)
    ring.raise_epoch(ends.writer.address)
    ends.write(5)
    assert ring.ready_count(ends.reader.address) == ring.NEW_EPOCH
    assert ring.enter_epoch(ends.reader.address) == 5
    assert ends.read() == [5]


def test_a_new_writer_opens_an_epoch_and_the_old_one_publishes_nothing(ends: Ends) -> None:
    ends.write(0)
    write_message(ends.writer.address, 666, 3)
    successor = SharedRing.attach_writer(ends.name, SPEC)
    assert not ring.commit(ends.writer.address, 0)
    assert ring.claim(ends.writer.address) == 0
    assert ring.is_replaced(record_at(ends.writer.address, RING_DTYPE))
    ring.raise_epoch(ends.writer.address)
    assert write_message(successor.address, 1, 2)
    assert ring.commit(successor.address, 0)
    assert ring.ready_count(ends.reader.address) == ring.NEW_EPOCH
    assert ring.enter_epoch(ends.reader.address) > 0
    assert ends.read() == [1, 2]
    assert ring.ready_count(ends.reader.address) == 0


def test_observers_are_not_shown_what_a_dead_writer_began(ends: Ends) -> None:
    ends.write(0)
    first_hole_seq = ends.observer.published_seq
    write_message(ends.writer.address, 666, 3)
    successor = SharedRing.attach_writer(ends.name, SPEC)
    write_message(successor.address, 1, 1)
    ring.commit(successor.address, 0)
    end_seq = ends.observer.published_seq
    found = [ends.observe(seq) for seq in range(first_hole_seq - 1, end_seq)]
    assert found[0] == (1, 0)
    assert [code for code, _ in found[1:-1]] == [-1] * (len(found) - 2)
    assert found[-1] == (1, 1)


@pytest.mark.parametrize("first_seq", [0, 2**32 - 40])
@pytest.mark.parametrize("life_count", [1, *range(ring.HOLE_COUNT - 1, ring.HOLE_COUNT + 3)])
def test_observers_are_shown_what_each_of_several_lives_published(
    instance: str, first_seq: int, life_count: int
) -> None:
    """Lives so short that all holes can still be reached; of too many some are hidden.

    Then all of it is overwritten, so that each place of a hole is free, and they live again.
    """
    name = segment_name(instance, "lives")
    spec = replace(SPEC, capacity_count=scaled(512, 128), has_reader=False)
    observer = SharedRing.create(name, spec, run_id=1, first_seq=first_seq)
    copy = np.zeros(1, RECORD_DTYPE)
    try:
        for hole_count in (life_count - 1, life_count):  # the very first follows nobody
            begin_seq, published = observer.published_seq, {}
            for value in range(life_count):
                with closing(SharedRing.attach_writer(name, spec)) as writer:
                    published[observer.published_seq] = value
                    assert write_message(writer.address, value, 1)
                    ring.commit(writer.address, value)
                    write_message(writer.address, 666, 2)  # and dies
            seen = {}
            for seq in range(begin_seq, observer.published_seq):
                if ring.observe(observer.address, seq, address_of(copy)) == 1:
                    seen[seq] = int(copy[0]["value"])
            assert seen.items() <= published.items()
            assert (seen == published) == (hole_count <= ring.HOLE_COUNT)
            with closing(SharedRing.attach_writer(name, spec)) as writer:
                for value in range(2 * spec.capacity_count):
                    write_message(writer.address, value, 1)
                    ring.commit(writer.address, value)
    finally:
        observer.segment.unlink()
        observer.close()


def test_what_was_skipped_by_more_lives_than_there_are_slots_stays_hidden(ends: Ends) -> None:
    """They say nothing, so the slots of the first holes are not claimed by any record since."""
    for _ in range(CAPACITY + 10):
        SharedRing.attach_writer(ends.name, SPEC).close()
    assert ends.observer.published_seq > CAPACITY
    for seq in range(ends.observer.published_seq):
        assert ends.observe(seq)[0] == -1


def test_a_take_over_against_a_living_writer_is_refused(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ring, "take_over_writer", lambda _: False)
    with pytest.raises(RoleTaken, match="live writer"):
        SharedRing.attach_writer(ends.name, SPEC)


def test_a_new_reader_discards_and_the_old_one_is_fenced_in_the_middle_of_a_batch(
    ends: Ends,
) -> None:
    for value in range(3):
        ends.write(value)
    assert ring.ready_count(ends.reader.address) == 3
    successor = SharedRing.attach_reader(ends.name, SPEC)
    assert not ring.consume(ends.reader.address, 3)
    ends.write(3)
    assert ring.ready_count(ends.reader.address) == 0
    assert read_values(successor.address, 3, 4) == 4


def test_a_replaced_reader_that_was_idle_reads_nothing(ends: Ends) -> None:
    successor = SharedRing.attach_reader(ends.name, SPEC)
    ends.write(0)
    assert ring.ready_count(ends.reader.address) == 0
    assert read_values(successor.address, 0, 1) == 1


def test_the_backlog_counts_what_waits(ends: Ends) -> None:
    for value in range(9):
        ends.write(value)
    ends.read()
    ends.write(9)
    ends.read()
    assert ends.reader.handle[0]["backlog_max_count"] == 9
    assert ends.reader.published_seq == ends.reader.consumed_seq


def test_a_ring_of_another_slot_size_is_refused(ends: Ends) -> None:
    other = RingSpec((RECORD,), 2 * RECORD_BYTES, CAPACITY, MAX, "published_ns")
    with pytest.raises(SegmentMismatch, match="slots of 64 bytes"):
        SharedRing.attach_reader(ends.name, other)
