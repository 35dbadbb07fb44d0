"""Orders over budget: stalls laid over an order's way, beside a slow twin and made-up cases."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from builders import record_of
from engines import new_instance
from hypothesis import given
from hypothesis import strategies as st

from ipc import ring
from ipc.memory import address_of, copy_bytes
from ipc.meter import STALL
from ipc.segment import segment_name
from ipc.shared import RingSpec, SharedRing
from procs.observe.taps.sent import PARTS, STAMPS, cause_over, parts_ns, total_ns
from procs.plan.run_records import OUTLIER
from procs.stages.base.outliers import BURST_COUNT, Cause, StallWatch, explain
from procs.stages.gateway.gateway_stage import STALL_COUNT_MAX
from vortex.records import SENT

SPEC = RingSpec((STALL,), STALL.dtype.itemsize, 256, 1, "publish_ns", False)
ROLES = ("ingest-a", "ingest-b", "book", "strategy", "gateway")
#: Both ingests share a CPU with the book; the strategy shares one with the gateway.
CPUS = [1, 1, 1, 2, 2]
START_NS = 10**12


class Stalls:
    """The rings of stalls of five stages on two CPUs."""

    def __init__(self) -> None:
        instance = new_instance()
        names = [segment_name(instance, f"stalls.{role}") for role in ROLES]
        self.created = [SharedRing.create(name, SPEC, run_id=1) for name in names]
        self.writers = [SharedRing.attach_writer(name, SPEC, run_id=1) for name in names]
        self.watch = StallWatch(
            [each.handle for each in self.created], CPUS, [0, 2, 3, 4], STALL_COUNT_MAX
        )

    def add(self, role: str, begin_ns: int, end_ns: int, **values: int) -> None:
        """Publish a stall of a stage; times from START_NS on."""
        writer = self.writers[ROLES.index(role)]
        values |= {"begin_ns": START_NS + begin_ns, "end_ns": START_NS + end_ns}
        record = record_of(STALL, **values)
        copy_bytes(ring.claim(writer.address), address_of(record), STALL.dtype.itemsize)
        ring.append(writer.address, 1)
        assert ring.commit(writer.address, START_NS + end_ns)

    def explain(self, sent: Any, budget_ns: int = 0) -> Any:
        """Return the OUTLIER of an order."""
        row = np.full(OUTLIER.dtype.itemsize, 0x5A, np.uint8).view(OUTLIER.dtype)
        explain(self.watch.address, address_of(sent), address_of(row), budget_ns)
        return row[0]

    def close(self) -> None:
        """Remove the rings."""
        for writer, created in zip(self.writers, self.created, strict=True):
            writer.close()
            created.segment.unlink()
            created.close()


@pytest.fixture
def stalls() -> Iterator[Stalls]:
    """Return the rings of stalls of five stages."""
    made = Stalls()
    yield made
    made.close()


def sent_of(parts: list[int], **values: int) -> Any:
    """Return a SENT whose parts took so long."""
    stamps = START_NS + np.cumsum([0, *parts])
    return record_of(SENT, **dict(zip(STAMPS, map(int, stamps), strict=True)), **values)


def usual(**longer_ns: int) -> list[int]:
    """Return parts of 1 us each, but for those that are named."""
    names = [part.replace(" ", "_") for part in PARTS]
    return [1_000 + longer_ns.get(name, 0) for name in names]


def test_the_record_carries_all_of_the_order(stalls: Stalls) -> None:
    """Every field of SENT is in it; what was not lost is zero, whatever was there before."""
    sent = sent_of(usual(), order_id=77, price_ticks=5, merged_count=3, kind=13)
    row = stalls.explain(sent, budget_ns=9)
    for name in SENT.dtype.names or ():
        if name != "reserved":
            assert row[name] == sent[0][name], name
    assert row["budget_ns"] == 9
    assert not row["lost_ns"].any()
    assert not row["busy_ns"].any()
    assert row["stall_count"] == row["fault_count"] == row["switch_count"] == 0
    assert parts_ns(row) == usual()
    assert total_ns(row) == sum(usual())


def test_a_gap_counts_where_the_stage_shares_its_cpu(stalls: Stalls) -> None:
    """The book saw it: the second ingest of that CPU lost it too, the gateway's CPU did not."""
    sent = sent_of(usual(ingest_wait=99_000), source_id=1)
    stalls.add("book", 10_000, 90_000, lost_ns=80_000, fault_count=2, switch_count=1)
    row = stalls.explain(sent)
    assert row["lost_ns"].tolist() == [80_000, 0, 0, 0]
    assert (row["stall_count"], row["fault_count"], row["switch_count"]) == (1, 2, 1)
    stalls.add("gateway", 20_000, 80_000, lost_ns=60_000)
    assert stalls.explain(sent)["lost_ns"].tolist() == [80_000, 0, 0, 0]


def test_only_the_lost_share_of_a_long_turn_is_the_platforms(stalls: Stalls) -> None:
    """Half of it was lost, and half of it lies in the order's way."""
    stalls.add("strategy", -50_000, 50_000, lost_ns=50_000, done_count=9)
    row = stalls.explain(sent_of([0, 0, 0, 0, 50_000, 0, 30_000, 0]))
    assert row["lost_ns"].tolist() == [0, 0, 25_000, 0]
    assert row["busy_ns"].tolist() == [0, 0, 25_000, 0]


def test_a_stop_of_hours_is_no_overflow(stalls: Stalls) -> None:
    """Both times are long; their product would have no room."""
    hours_ns = 5 * 3600 * 10**9
    stalls.add("book", 0, hours_ns, lost_ns=hours_ns)
    row = stalls.explain(sent_of(usual(ingest_wait=hours_ns)))
    assert row["lost_ns"][0] == pytest.approx(hours_ns, rel=1e-9)


def test_a_hop_cannot_lose_more_than_it_took(stalls: Stalls) -> None:
    """Two stages publish stalls of the same time."""
    for role in ("ingest-a", "book"):
        stalls.add(role, 0, 80_000, lost_ns=80_000)
    row = stalls.explain(sent_of(usual(ingest_wait=99_000)))
    assert row["lost_ns"][0] == sum(usual(ingest_wait=99_000)[:2])


@pytest.mark.parametrize(
    ("parts", "stall", "values", "cause"),
    [
        (usual(ingest_wait=90_000), {"lost_ns": 24_001}, {"resync_count": 1}, Cause.PLATFORM),
        (usual(ingest_wait=90_000), {"lost_ns": 24_000}, {}, Cause.QUEUE),
        (usual(ingest_wait=90_000), {"lost_ns": 0, "fault_count": 1}, {}, Cause.FAULT),
        (usual(book_service=90_000), None, {"resync_count": 1, "merged_count": 99}, Cause.RESYNC),
        (usual(book_wait=90_000), None, {"merged_count": BURST_COUNT + 1}, Cause.BURST),
        (usual(book_wait=90_000), None, {"merged_count": BURST_COUNT}, Cause.QUEUE),
        (usual(gateway_service=90_000), None, {}, Cause.WORK),
    ],
)
def test_the_cause_is_the_first_that_is_enough(
    stalls: Stalls, parts: list[int], stall: Any, values: dict[str, int], cause: Cause
) -> None:
    """Against a budget of 50 us, of which the parts sum to 48 us more."""
    if stall is not None:
        stalls.add("book", 1_000, 81_000, **stall)
    row = stalls.explain(sent_of(parts, **values), budget_ns=50_000)
    assert row["cause"] == cause
    assert cause_over(row, 50_000) == cause


def test_stalls_far_back_are_not_looked_for(stalls: Stalls) -> None:
    """Of each stage the newest; one that came after the order is passed over."""
    for index in range(STALL_COUNT_MAX + 5):
        stalls.add("book", 2 * index, 2 * index + 1, lost_ns=1)
    stalls.add("book", 10**6, 2 * 10**6, lost_ns=10**6)
    row = stalls.explain(sent_of(usual()))
    assert row["lost_ns"][0] == STALL_COUNT_MAX - 1


PART_NS = st.integers(0, 200_000)
SPANS = st.lists(st.tuples(st.integers(-100_000, 10**6), st.integers(1, 200_000)), max_size=12)


@given(
    st.lists(PART_NS, min_size=8, max_size=8), st.lists(SPANS, min_size=5, max_size=5),
    st.integers(0, 1),
)  # fmt: skip
def test_a_slow_twin_agrees(
    parts: list[int], spans: list[list[tuple[int, int]]], source_id: int
) -> None:
    """Each stage's stalls follow one another, as its own loop's do; all of each was lost."""
    made = Stalls()
    try:
        stalls = []
        for role, of_role in zip(ROLES, spans, strict=True):
            end_ns = -(10**6)
            for gap_ns, took_ns in sorted(of_role):
                begin_ns = max(end_ns, gap_ns)
                end_ns = begin_ns + took_ns
                made.add(role, begin_ns, end_ns, lost_ns=took_ns)
                stalls.append((role, begin_ns, end_ns))
        row = made.explain(sent_of(parts, source_id=source_id))
        borders = [0, *np.cumsum(np.array(parts).reshape(4, 2).sum(axis=1)).tolist()]
        for hop, (begin_ns, end_ns) in enumerate(pairwise(borders)):
            own = source_id if hop == 0 else hop + 1
            lost_ns = sum(
                max(min(end_ns, stall_end) - max(begin_ns, stall_begin), 0)
                for role, stall_begin, stall_end in stalls
                if CPUS[ROLES.index(role)] == CPUS[own]
            )
            assert row["lost_ns"][hop] == min(lost_ns, end_ns - begin_ns), hop
    finally:
        made.close()
