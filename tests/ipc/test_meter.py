"""A loop's meter: what it tells is what happened, by the kernel's clocks and by a slow twin."""

import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipc import control, meter
from ipc.clock import monotonic_ns
from ipc.memory import address_of, record_at
from ipc.meter import AWAY_NS, METER, STALL, STALL_NS, Stall
from ipc.ring import observe
from ipc.segment import segment_name
from ipc.shared import RingSpec, SharedRing
from ipc.usage import USAGE_BYTES
from ipc.waiting import Wait

METER_DTYPE = METER.dtype

SPEC = RingSpec((STALL,), STALL.dtype.itemsize, 256, 1, "publish_ns", False)
START_NS = 10**12


class Cpu:
    """Some loops that share a CPU; each publishes its stalls on a ring of its own."""

    def __init__(self, instance: str, count: int) -> None:
        self.statuses = np.zeros(count, control.STATUS.dtype)
        self.peers = np.array([address_of(self.statuses[i:]) for i in range(count)])
        self.usages = np.zeros((count, USAGE_BYTES), np.uint8)
        self.meters = np.zeros(count, METER.dtype)
        self.observers: list[SharedRing] = []
        self.writers: list[SharedRing] = []
        for index in range(count):
            name = segment_name(instance, f"stalls.{index}")
            self.observers.append(SharedRing.create(name, SPEC, run_id=1))
            self.writers.append(SharedRing.attach_writer(name, SPEC, run_id=1))
            row = self.meters[index]
            row["stalls_address"] = self.writers[-1].address
            row["status_address"] = self.peers[index]
            row["peers_address"] = address_of(self.peers)
            row["peer_count"] = count
            row["usage_address"] = address_of(self.usages[index])

    def begin(self, index: int, now_ns: int, wait: Wait = Wait.SPIN) -> None:
        """Begin a turn of one loop."""
        meter.begin_turn(record_at(address_of(self.meters[index:]), METER_DTYPE), now_ns, wait)

    def end(self, index: int, now_ns: int, done_count: int = 0) -> None:
        """End it, as ``procs.stages.base.stage.end_turn`` does."""
        meter.end_turn(record_at(address_of(self.meters[index:]), METER_DTYPE), now_ns, done_count)
        control.beat(int(self.peers[index]), now_ns, done_count)

    def stalls(self, index: int) -> list[Any]:
        """Return the new STALL records of one loop."""
        copy = np.zeros(1, STALL.dtype)
        found = []
        for seq in range(self.observers[index].published_seq):
            assert observe(self.observers[index].address, seq, address_of(copy)) == 1
            found.append(copy[0].copy())
        return found

    def close(self) -> None:
        """Unmap the rings."""
        for shared in (*self.observers, *self.writers):
            shared.close()


@pytest.fixture
def pair(instance: str) -> Iterator[Cpu]:
    """Two loops of one CPU, both past their first turn, which ended at START_NS."""
    cpu = Cpu(instance, 2)
    for index in (0, 1):
        cpu.begin(index, START_NS)
        cpu.end(index, START_NS)
    yield cpu
    cpu.close()


def times_of(stalls: list[Any]) -> list[tuple[Stall, int, int, int]]:
    """Return kind, begin, end and loss of some stalls, from START_NS on."""
    return [
        (Stall(s["kind"]), int(s["begin_ns"]) - START_NS, int(s["end_ns"]) - START_NS,
         int(s["lost_ns"]))
        for s in stalls
    ]  # fmt: skip


def test_a_gap_is_what_no_loop_of_the_cpu_had(pair: Cpu) -> None:
    """It runs from the last end of any of them, is published once, and not below the threshold."""
    pair.begin(1, START_NS + STALL_NS - 1)
    pair.end(1, START_NS + STALL_NS)
    assert pair.stalls(1) == []
    pair.begin(0, START_NS + 2 * STALL_NS)
    pair.end(0, START_NS + 2 * STALL_NS + 50)
    assert times_of(pair.stalls(0)) == [(Stall.GAP, STALL_NS, 2 * STALL_NS, STALL_NS)]
    pair.begin(1, START_NS + 2 * STALL_NS + 100)
    assert pair.stalls(1) == []
    assert pair.statuses["stall_count"].tolist() == [1, 0]
    assert pair.statuses["lost_ns"].tolist() == [STALL_NS, 0]


def test_an_idle_turn_that_took_long_was_lost_whole(pair: Cpu) -> None:
    """There was nothing to do in it."""
    pair.begin(0, START_NS + 5)
    pair.end(0, START_NS + 5 + STALL_NS)
    assert times_of(pair.stalls(0)) == [(Stall.IDLE, 5, 5 + STALL_NS, STALL_NS)]


def test_a_loop_that_alone_did_not_come_round_says_so(pair: Cpu) -> None:
    """The others went on meanwhile, so there was no gap; what they lost is not lost twice."""
    for time_ns in range(START_NS, START_NS + 3 * AWAY_NS, STALL_NS // 2):
        pair.begin(1, time_ns)
        pair.end(1, time_ns + 10)
    pair.begin(1, START_NS + 4 * AWAY_NS)
    pair.end(1, START_NS + 4 * AWAY_NS)
    ((kind, _, _, gap_ns),) = times_of(pair.stalls(1))
    assert kind == Stall.GAP
    pair.begin(0, START_NS + 4 * AWAY_NS + 100)
    ((kind, begin_ns, end_ns, lost_ns),) = times_of(pair.stalls(0))
    assert (kind, end_ns) == (Stall.AWAY, 4 * AWAY_NS + 100)
    assert lost_ns == end_ns - begin_ns - gap_ns
    assert pair.statuses["away_count"].tolist() == [1, 0]


def test_who_sleeps_by_choice_is_not_measured(pair: Cpu) -> None:
    """Nor is the first turn after it: how long it slept was its own affair."""
    pair.begin(0, START_NS + 10 * AWAY_NS, Wait.DOZE)
    pair.end(0, START_NS + 20 * AWAY_NS)
    pair.begin(0, START_NS + 30 * AWAY_NS)
    pair.end(0, START_NS + 30 * AWAY_NS + 1)
    assert pair.stalls(0) == []


def burn(duration_ns: int) -> None:
    """Keep the CPU busy by this thread's own time on it."""
    end_ns = time.thread_time_ns() + duration_ns
    while time.thread_time_ns() < end_ns:
        pass


@pytest.mark.parametrize(("burnt_ms", "slept_ms"), [(30, 0), (0, 30), (20, 40)])
def test_what_a_long_turn_lost_is_what_the_kernel_says(
    instance: str, burnt_ms: int, slept_ms: int
) -> None:
    """A turn that works and sleeps loses the time that it was not on a CPU."""
    cpu = Cpu(instance, 1)
    for _ in range(3):
        cpu.begin(0, monotonic_ns())
        cpu.end(0, monotonic_ns())
    before_ns = time.thread_time_ns()
    begin_ns = monotonic_ns()
    cpu.begin(0, begin_ns)
    burn(burnt_ms * 10**6)
    time.sleep(slept_ms / 1e3)
    end_ns = monotonic_ns()
    cpu.end(0, end_ns, done_count=1)
    used_ns = time.thread_time_ns() - before_ns
    stall = cpu.stalls(0)[-1]
    cpu.close()
    assert (stall["kind"], stall["begin_ns"], stall["end_ns"]) == (Stall.WORK, begin_ns, end_ns)
    lost_ns = int(stall["lost_ns"])
    # The thread's own clock also ran while the test's calls around the turn did.
    assert lost_ns == pytest.approx(end_ns - begin_ns - used_ns, abs=5 * 10**6)
    assert (stall["switch_count"] > 0) or slept_ms == 0


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3 * AWAY_NS)), min_size=1, max_size=60))
def test_the_stalls_are_those_that_a_slow_twin_finds(turns: list[tuple[int, int]]) -> None:
    """Loops in any order with any gaps between: the loop that ends a CPU's gap publishes it."""
    name = f"test-meter-{id(turns)}"
    cpu = Cpu(name, 3)
    try:
        for index in range(3):
            cpu.begin(index, START_NS)
            cpu.end(index, START_NS)
        times = [START_NS]
        for index, gap_ns in turns:
            times.append(times[-1] + gap_ns)
            cpu.begin(index, times[-1])
            cpu.end(index, times[-1])
        expected: list[list[tuple[int, int]]] = [[], [], []]
        for (index, _), (before_ns, now_ns) in zip(turns, pairwise(times), strict=True):
            if now_ns - before_ns >= STALL_NS:
                expected[index].append((before_ns, now_ns))
        found = [
            [
                (int(s["begin_ns"]), int(s["end_ns"]))
                for s in cpu.stalls(i)
                if s["kind"] == Stall.GAP
            ]
            for i in range(3)
        ]
        assert found == expected
        lost_ns = sum(end_ns - begin_ns for each in expected for begin_ns, end_ns in each)
        away_ns = sum(int(s["lost_ns"]) for i in range(3) for s in cpu.stalls(i)
                      if s["kind"] == Stall.AWAY)  # fmt: skip
        assert int(cpu.statuses["lost_ns"].sum()) == lost_ns + away_ns
    finally:
        cpu.close()
        for shared in cpu.observers:
            shared.segment.unlink()
