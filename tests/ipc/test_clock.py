"""The run's clock: one axis for all processes, near CLOCK_MONOTONIC, honest without a counter."""

import sys
import time

import numpy as np
import pytest
from scale import scaled

from ipc import clock
from ipc.clock import CLOCK, counter_is_invariant, now_ns, wall_offset_ns
from ipc.compiled import compiled
from ipc.memory import address_of
from ipc.segment import segment_name
from ipc.shared import SharedTable
from tests.ipc.processes import Child

CALIBRATION_NS = 50_000_000
#: The largest rate by which the kernel slews CLOCK_MONOTONIC while our multiplier is constant.
SLEW = 500e-6


@compiled
def longest_step_back(clock_address: int, count: int) -> int:
    worst_ns, before_ns = 0, now_ns(clock_address)
    for _ in range(count):
        now = now_ns(clock_address)
        worst_ns = max(worst_ns, before_ns - now)
        before_ns = now
    return worst_ns


def bracket(clock_address: int) -> tuple[int, int, int]:
    """Return our clock between two readings of CLOCK_MONOTONIC, the tightest of many."""
    readings = []
    for _ in range(200):
        before = time.monotonic_ns()
        now = now_ns(clock_address)
        readings.append((before, now, time.monotonic_ns()))
    return min(readings, key=lambda reading: reading[2] - reading[0])


def calibrated() -> "np.ndarray[tuple[int], np.dtype[np.void]]":
    record = np.zeros(1, CLOCK.dtype)
    clock.calibrate(record, CALIBRATION_NS)
    return record


def test_it_agrees_with_clock_monotonic_as_well_as_that_can_be_read() -> None:
    """The bound: the reading's own bracket, plus calibration error and slew grown since then."""
    record = calibrated()
    before, now, after = bracket(address_of(record))
    pair_error_ns = 2 * (after - before) + 1_000
    elapsed_ns = now - int(record[0]["origin_ns"])
    drift = elapsed_ns * (SLEW + 2 * pair_error_ns / CALIBRATION_NS)
    assert before - pair_error_ns - drift <= now <= after + pair_error_ns + drift


def test_it_never_steps_back_in_one_thread() -> None:
    assert longest_step_back(address_of(calibrated()), scaled(1_000_000, 50_000)) == 0


def test_without_an_invariant_counter_clock_gettime_is_asked() -> None:
    record = np.zeros(1, CLOCK.dtype)
    before = time.monotonic_ns()
    now = now_ns(address_of(record))
    assert before <= now <= time.monotonic_ns()


def test_a_machine_without_the_flags_has_no_invariant_counter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clock.Path, "read_text", lambda *_, **__: "flags : fpu constant_tsc")
    assert not counter_is_invariant()
    record = np.zeros(1, CLOCK.dtype)
    clock.calibrate(record, 1)
    assert record[0]["ns_per_cycle"] == 0.0


def test_adding_the_offset_gives_wall_time() -> None:
    record = calibrated()
    address = address_of(record)
    clock.refresh_wall_offset(address)
    before = time.time_ns()
    wall = now_ns(address) + wall_offset_ns(address)
    after = time.time_ns()
    spare_ns = 1_000_000  # the reading may have been interrupted, and wall time may be slewed
    assert before - spare_ns <= wall <= after + spare_ns


def test_two_processes_read_the_same_time(instance: str) -> None:
    """A stamp taken there between two taken here lies between them, many times over."""
    table = SharedTable.create(segment_name(instance, "clock"), CLOCK, 1, run_id=1)
    clock.calibrate(table.records, CALIBRATION_NS)
    with Child("-m", "tests.ipc.test_clock", table.segment.name) as other:
        for _ in range(200):
            before = now_ns(table.address)
            other.say()
            there = int(other.hear()[0])
            after = now_ns(table.address)
            assert before <= there <= after
    table.close()


if __name__ == "__main__":
    attached = SharedTable.attach(sys.argv[1], CLOCK)
    for _ in sys.stdin:
        print(now_ns(attached.address), flush=True)
