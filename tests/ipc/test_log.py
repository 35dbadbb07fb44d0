"""What compiled code tells is what its readers find, also when it was killed in the middle."""

import signal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipc import ring
from ipc.log import (
    BURST_COUNT,
    EVENT_COUNT_MAX,
    EVENT_COUNTS,
    LOG,
    LOGGER,
    WINDOW_NS,
    Catalogue,
    log_event,
)
from ipc.memory import address_of
from ipc.segment import segment_name
from ipc.shared import RingSpec, SharedRing
from tests.ipc.processes import Child

SPEC = RingSpec((LOG,), LOG.dtype.itemsize, 64, 1, "publish_ns", False)

#: Tells for ever; says the first ten, so that its parent knows that it is in the middle of it.
TELLER = """
import sys
import numpy as np
from ipc.log import LOG, LOGGER, EVENT_COUNTS, WINDOW_NS, Catalogue, log_event
from ipc.memory import address_of
from ipc.shared import SharedRing
from tests.ipc.test_log import SPEC

number = Catalogue(("thing",)).info("{thing} number {} of {}")
writer = SharedRing.attach_writer(sys.argv[1], SPEC)
table, logger = np.zeros(256, EVENT_COUNTS.dtype), np.zeros(1, LOGGER.dtype)
logger["ring_address"], logger["counts_address"] = writer.address, address_of(table)
print(number, flush=True)
count = 0
while True:
    log_event(address_of(logger), number, count * WINDOW_NS, count, -count, 3 * count)
    count += 1
    if count == 10:
        print("telling", flush=True)
"""


class Teller:
    """A loop's logger over a ring, and who looks on."""

    def __init__(self, instance: str) -> None:
        name = segment_name(instance, "log")
        self.observer = SharedRing.create(name, SPEC, run_id=1)
        self.writer = SharedRing.attach_writer(name, SPEC)
        self.counts = np.zeros(EVENT_COUNT_MAX, EVENT_COUNTS.dtype)
        self.logger = np.zeros(1, LOGGER.dtype)
        self.logger["ring_address"] = self.writer.address
        self.logger["counts_address"] = address_of(self.counts)
        self.address = address_of(self.logger)

    def records(self) -> list[Any]:
        """Return the records in the ring."""
        return records_of(self.observer)

    def close(self) -> None:
        """Unmap the ring."""
        self.writer.close()
        self.observer.close()


def records_of(observer: SharedRing) -> list[Any]:
    """Return every record that can be copied whole."""
    copy = np.zeros(1, LOG.dtype)
    return [
        copy[0].copy()
        for seq in range(observer.published_seq)
        if ring.observe(observer.address, seq, address_of(copy)) == 1
    ]


@pytest.fixture
def teller(instance: str) -> Any:
    """Return a logger over a ring of 64 records."""
    made = Teller(instance)
    yield made
    made.close()


def test_an_event_is_logged_with_its_arguments_and_zeros_behind(teller: Teller) -> None:
    """Also negative and large ones; the ring's stamp is the one that was given."""
    log_event(teller.address, 0x1205, 77, -5, 2**62)
    log_event(teller.address, 0x1205, 78, 1, 2, 3, 4, 5, 6)
    log_event(teller.address, 0x1206, 79)
    rows = teller.records()
    assert [list(row["words"]) for row in rows] == [
        [-5, 2**62, 0, 0, 0, 0], [1, 2, 3, 4, 5, 6], [0] * 6,
    ]  # fmt: skip
    assert [int(row["publish_ns"]) for row in rows] == [77, 78, 79]
    assert [int(row["event_id"]) for row in rows] == [0x1205, 0x1205, 0x1206]


def test_a_logger_at_0_tells_nobody() -> None:
    """As in a replay."""
    log_event(0, 5, 1, 2)


def test_the_events_of_a_killed_process_are_still_there(instance: str) -> None:
    """The last events of one that was killed in the middle of telling, whole and without a gap."""
    name = segment_name(instance, "log")
    observer = SharedRing.create(name, SPEC, run_id=1)
    try:
        with Child("-c", TELLER, name) as child:
            (number,) = child.hear()
            assert child.hear() == ["telling"]
            child.signal(signal.SIGKILL)
            assert child.wait() == -signal.SIGKILL
        rows = records_of(observer)
        counts = [int(row["words"][0]) for row in rows]
        # One slot more may have been claimed when it died, and is then nobody's any more.
        whole_count = min(observer.published_seq, SPEC.capacity_count)
        assert whole_count - 1 <= len(rows) <= whole_count
        assert counts == list(range(observer.published_seq - len(rows), observer.published_seq))
        assert all(list(row["words"][:3]) == [n, -n, 3 * n]
                   for n, row in zip(counts, rows, strict=True))  # fmt: skip
        catalogue = Catalogue(("thing",))
        assert catalogue.info("{thing} number {} of {}") == int(number), "another process's number"
        assert catalogue.events[int(number)].line("abc") == "a number b of c"
    finally:
        observer.close()


@settings(deadline=None, max_examples=60)
@given(
    steps=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, WINDOW_NS // 8), st.integers(1, 30)),
        max_size=20,
    )
)
def test_of_a_storm_some_are_logged_and_all_are_counted(
    steps: list[tuple[int, int, int]],
) -> None:
    """As a slow twin has it: so many in each window, and one event's storm is not another's."""
    table, logger = np.zeros(EVENT_COUNT_MAX, EVENT_COUNTS.dtype), np.zeros(1, LOGGER.dtype)
    pages, slots = np.zeros(2048, np.int64), np.zeros(64, LOG.dtype)
    handle = np.zeros(1, ring.RING_DTYPE)
    handle["writer_address"], handle["reader_address"] = address_of(pages), address_of(pages[512:])
    handle["slots_address"], handle["slot_bytes"] = address_of(slots), LOG.dtype.itemsize
    handle["capacity_count"], handle["message_count_max"] = 64, 1
    assert ring.take_over_writer(address_of(handle))
    logger["ring_address"], logger["counts_address"] = address_of(handle), address_of(table)
    now_ns = 10 * WINDOW_NS
    begun, counts = [0, 0, 0], [[0, 0, 0] for _ in range(3)]  # of each: in window, logged, not
    for event, later_ns, times in steps:
        for _ in range(times):
            now_ns += later_ns
            log_event(address_of(logger), 0x700 + event, now_ns)
            if now_ns - begun[event] >= WINDOW_NS:
                begun[event], counts[event][0] = now_ns, 0
            is_logged = counts[event][0] < BURST_COUNT
            counts[event][0] += is_logged
            counts[event][1 if is_logged else 2] += 1
    for event in range(3):
        row = table[event]
        assert [int(row["written_count"]), int(row["suppressed_count"])] == counts[event][1:]
    assert int(handle[0]["next_seq"]) == sum(each[1] for each in counts)


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (["{nonsense} happened"], "no known kind: nonsense"),
        (["{} {} {} {} {} {} {}"], "more than 6"),
        (["it happened", "it happened"], "declared twice"),
        ([f"number {n}" for n in range(EVENT_COUNT_MAX + 1)], "one more than 256"),
    ],
)
def test_a_wrong_declaration_is_refused_at_import(texts: list[str], problem: str) -> None:
    """With a word that says why."""
    *rightful, wrong = texts
    catalogue = Catalogue()
    for text in rightful:
        catalogue.warning(text)
    with pytest.raises(ValueError, match=problem):
        catalogue.warning(wrong)
