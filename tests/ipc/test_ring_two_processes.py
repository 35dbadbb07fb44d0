"""The ring between real processes: order, wraps, death and stoppage at named points."""

import signal
from collections.abc import Iterator

import numpy as np
import pytest
from scale import scaled

from ipc import ring
from ipc.memory import address_of, record_at
from ipc.segment import segment_name
from ipc.shared import SharedRing
from tests.ipc.drivers import RECORD_DTYPE, SPEC, is_whole, read_values, write_values
from tests.ipc.processes import Child

CAPACITY = SPEC.capacity_count
MAX = SPEC.message_count_max
VALUE_COUNT = scaled(2_000, 20) * CAPACITY

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def observer(instance: str) -> Iterator[SharedRing]:
    shared = SharedRing.create(segment_name(instance, "ring"), SPEC, run_id=1)
    yield shared
    shared.close()


@pytest.mark.parametrize("size_max", [1, MAX])
def test_all_words_arrive_in_order_over_thousands_of_wraps(
    observer: SharedRing, size_max: int
) -> None:
    """Messages of random sizes; the reader checks every word and that no message comes in part."""
    name = observer.segment.name
    with (
        Child.driver("writer", name, 0, VALUE_COUNT, size_max) as writer,
        Child.driver("reader", name, 0, VALUE_COUNT) as reader,
    ):
        assert writer.hear() == ["ready", "0"]
        assert reader.hear() == ["ready"]
        reader.say()
        writer.say()
        assert writer.hear() == [str(VALUE_COUNT)]
        assert reader.hear() == [str(VALUE_COUNT)]
    assert observer.published_seq == observer.consumed_seq == VALUE_COUNT


def test_a_reader_that_was_killed_at_full_speed_is_followed_by_one_that_starts_afresh(
    observer: SharedRing,
) -> None:
    name = observer.segment.name
    with Child.driver("writer", name, 0, 1 << 40, MAX) as writer:
        writer.hear()
        with Child.driver("reader", name, 0, 1 << 40) as reader:
            reader.hear()
            reader.say()
            writer.say()
            while observer.consumed_seq < scaled(20, 3) * CAPACITY:
                pass
            reader.kill()
        shared = SharedRing.attach_reader(name, SPEC)
        first_value = int(shared.handle[0]["next_seq"])
        end_value = first_value + scaled(100, 5) * CAPACITY
        assert read_values(shared.address, first_value, end_value) >= end_value
        shared.close()


def test_a_writer_that_was_killed_at_full_speed_leaves_only_whole_messages(
    observer: SharedRing,
) -> None:
    """What it published arrives up to the last record; its successor's first record follows."""
    name = observer.segment.name
    shared = SharedRing.attach_reader(name, SPEC)
    with Child.driver("writer", name, 0, 1 << 40, MAX) as writer:
        writer.hear()
        ring.enter_epoch(shared.address)
        writer.say()
        count = scaled(50, 5) * CAPACITY
        assert read_values(shared.address, 0, count) >= count
        writer.kill()
    read_count = observer.consumed_seq
    published_count = observer.published_seq
    assert read_values(shared.address, read_count, published_count) == published_count
    successor = SharedRing.attach_writer(name, SPEC)
    assert ring.ready_count(shared.address) == ring.NEW_EPOCH
    ring.enter_epoch(shared.address)
    assert write_values(successor.address, 0, 10, MAX) == 10
    assert read_values(shared.address, 0, 10) == 10
    successor.close()
    shared.close()


@pytest.mark.parametrize("point", ["idle", "claimed", "half", "appended"])
@pytest.mark.parametrize("end", ["killed", "comes back"])
def test_a_writer_that_stops_in_a_message_publishes_nothing_of_it(
    observer: SharedRing, point: str, end: str
) -> None:
    """Killed, or stopped and continued after its successor took over and wrote."""
    name = observer.segment.name
    reader = SharedRing.attach_reader(name, SPEC)
    with Child.driver("stopped_writer", name, point) as old:
        assert old.hear() == ["at", point]
        ring.enter_epoch(reader.address)
        assert read_values(reader.address, 0, 2) == 2
        if end == "killed":
            old.kill()
        else:
            old.signal(signal.SIGSTOP)
        successor = SharedRing.attach_writer(name, SPEC)
        assert write_values(successor.address, 100, 110, MAX) == 110
        if end == "comes back":
            old.signal(signal.SIGCONT)
            old.say()
            claimed, published, claimed_after = old.hear()
            assert claimed == str(point != "idle")
            assert (published, claimed_after) == ("False", "0")
        assert write_values(successor.address, 110, 120, MAX) == 120
        assert ring.ready_count(reader.address) == ring.NEW_EPOCH
        ring.enter_epoch(reader.address)
        assert read_values(reader.address, 100, 120) == 120
        assert ring.ready_count(reader.address) == 0
    assert observed_values(observer) == [0, 1, *range(100, 120)]
    successor.close()
    reader.close()


def observed_values(observer: SharedRing) -> list[int]:
    """Return the values of all records that an observer is shown."""
    copy = np.zeros(1, RECORD_DTYPE)
    values = []
    for seq in range(observer.published_seq):
        if ring.observe(observer.address, seq, address_of(copy)) == 1:
            assert is_whole(address_of(copy))
            values.append(int(copy[0]["value"]))
    return values


@pytest.mark.parametrize("point", ["idle", "reading"])
def test_a_reader_that_comes_back_after_its_successor_takes_nothing(
    observer: SharedRing, point: str
) -> None:
    name = observer.segment.name
    writer = SharedRing.attach_writer(name, SPEC)
    with Child.driver("stopped_reader", name, point) as old:
        if point == "reading":
            assert old.hear() == ["waiting"]
            assert write_values(writer.address, 0, 3, 3) == 3
            old.say()
        assert old.hear() == ["at", point]
        old.signal(signal.SIGSTOP)
        successor = SharedRing.attach_reader(name, SPEC)
        assert write_values(writer.address, 10, 15, 3) == 15
        old.signal(signal.SIGCONT)
        old.say()
        assert old.hear() == ["False", "0"]
        assert record_at(ring.slot(successor.address, 0), RECORD_DTYPE).value == 10
        assert read_values(successor.address, 10, 15) == 15
    successor.close()
    writer.close()
