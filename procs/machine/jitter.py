"""The jitter audit of the CPUs: the time that a spinning thread loses, and the cause.

One thread spins on each CPU.  After each window it reads the kernel's counts, so that an excursion
can be attributed to an event of that window: another task (known for each gap), the hypervisor (its
steal in the window), the timer tick (by its grid), a device.  An excursion without a cause is
reported as such.  *Source:* Rigtorp's ``hiccups`` for the columns; the threshold is a multiple of
the median reading, because the minimum is a single tick of the counter on some machines.
"""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from ipc.atomics import store_relaxed
from ipc.clock import CLOCK, calibrate, now_ns
from ipc.gaps import (
    GAP_DTYPE,
    NEVER_NS,
    SPINNER_DTYPE,
    STOP_BYTES,
    bounce,
    measure_rounds,
    watch,
)
from ipc.histogram import HISTOGRAM
from ipc.memory import address_of
from ipc.types import Int64Array, RecordArray
from ipc.usage import USAGE_BYTES
from procs.machine.kernel_counts import Counts, read_counts

T = TypeVar("T")

NS_PER_SECOND = 1_000_000_000
WINDOW_NS = 100_000_000
#: A reading of the clock takes less than this.
MEDIANS_PER_THRESHOLD = 12
ROUND_COUNT = 20_000
GAP_CAPACITY = 1 << 16
LOOK_S = 0.05

#: The tick rates of kernels.
TICK_RATES_HZ = (100, 250, 300, 1000)
#: How closely gaps must follow a grid to be attributed to it: 1 is exactly, 0 at random.
GRID_CONCENTRATION_MIN = 0.5
GRID_SAMPLES_MIN = 20
#: A gap belongs to the grid when it begins within this part of the period of the grid's phase.
GRID_PART = 0.05

TASK, FAULT, STEAL, TICK = "another task", "page fault", "hypervisor (steal)", "timer tick"
UNKNOWN = "not accounted for"
#: Every core has these; the audit finds a gap by one of them by its grid.
TIMER_PREFIXES = ("LOC",)


@dataclass(frozen=True)
class Gap:
    """One gap in the running time of the spinning thread."""

    begin_ns: int  # since the audit began
    gap_ns: int
    switch_count: int
    fault_count: int


@dataclass(frozen=True)
class JitterWindow:
    """The kernel's counts in one part of the audit."""

    begin_ns: int
    end_ns: int
    counts: Counts


@dataclass
class CpuAudit:
    """The result of one CPU's thread."""

    cpu_index: int
    threshold_ns: int
    median_round_ns: int
    watched_ns: int = 0
    lost_ns: int = 0
    excursion_count: int = 0
    histogram: RecordArray = field(default_factory=lambda: np.zeros(1, HISTOGRAM.dtype))
    gaps: list[Gap] = field(default_factory=list)
    windows: list[JitterWindow] = field(default_factory=list)


class Spinner:
    """One thread's memory: the spinner's record and the buffers that it points to."""

    def __init__(self, clock: RecordArray, excursion_ns: int) -> None:
        self.clock = clock
        self.histogram = np.zeros(1, HISTOGRAM.dtype)
        self.gaps = np.zeros(GAP_CAPACITY, GAP_DTYPE)
        self.usage = np.zeros(USAGE_BYTES // 8, np.int64)
        self.record = np.zeros(1, SPINNER_DTYPE)
        self.record[0]["clock_address"] = address_of(clock)
        self.record[0]["histogram_address"] = address_of(self.histogram)
        self.record[0]["gaps_address"] = address_of(self.gaps)
        self.record[0]["gap_capacity"] = len(self.gaps)
        self.record[0]["usage_address"] = address_of(self.usage)
        self.record[0]["excursion_ns"] = excursion_ns

    def measure_median_ns(self) -> int:
        """Return how long one reading of the clock takes on this CPU."""
        rounds = np.zeros(ROUND_COUNT, np.int64)
        measure_rounds(address_of(self.clock), address_of(rounds), ROUND_COUNT)
        return max(1, int(np.median(rounds)))

    def stop(self) -> None:
        """Make the thread return."""
        store_relaxed(address_of(self.record) + STOP_BYTES, 1)

    @property
    def is_stopped(self) -> bool:
        """Whether the thread was stopped."""
        return bool(self.record[0]["is_stopped"])


def new_clock() -> RecordArray:
    """Return a private, calibrated clock."""
    clock = np.zeros(1, CLOCK.dtype)
    calibrate(clock)
    return clock


def audit(
    cpus: Sequence[int], seconds: float, excursion_ns: int, threshold_ns: int | None = None
) -> list[CpuAudit]:
    """Spin on all of ``cpus`` at once for some seconds; Ctrl-C ends it early.

    Raises
    ------
    OSError
        When this process may not use one of them.
    """
    clock = new_clock()
    warm = Spinner(clock, excursion_ns)  # compiles before the measurement
    warm.measure_median_ns()
    watch(address_of(warm.record))
    spinners = [Spinner(clock, excursion_ns) for _ in cpus]
    begin_ns = now_ns(address_of(clock))
    duration_ns = int(seconds * NS_PER_SECOND)
    pairs = list(zip(cpus, spinners, strict=True))

    def work(index: int) -> CpuAudit:
        cpu, spinner = pairs[index]
        return watch_cpu(cpu, spinner, begin_ns, duration_ns, threshold_ns)

    def stop() -> None:
        for spinner in spinners:
            spinner.stop()

    return in_threads(work, len(pairs), stop)


def in_threads(
    work: Callable[[int], T], count: int, stop: Callable[[], None] = lambda: None
) -> list[T]:
    """Return the results of ``work`` for each index, each computed in a separate thread."""
    results: dict[int, T] = {}
    ended: list[BaseException | None] = []

    def run(index: int) -> None:
        try:
            results[index] = work(index)
            ended.append(None)
        except BaseException as error:
            stop()
            ended.append(error)

    for index in range(count):
        threading.Thread(target=run, args=(index,)).start()
    # Poll: the kernel may deliver Ctrl-C to a spinning thread, and an interrupted join treats the
    # thread as ended (seen in CPython 3.11).
    while len(ended) < count:
        try:
            while len(ended) < count:
                time.sleep(LOOK_S)
        except KeyboardInterrupt:
            stop()
    failed = next((error for error in ended if error is not None), None)
    if failed is not None:
        raise failed
    return [results[index] for index in range(count)]


def watch_cpu(
    cpu_index: int, spinner: Spinner, begin_ns: int, duration_ns: int, threshold_ns: int | None
) -> CpuAudit:
    """Move this thread to a CPU and spin there, window by window."""
    os.sched_setaffinity(0, {cpu_index})
    median_ns = spinner.measure_median_ns()
    record = spinner.record[0]
    threshold_ns = threshold_ns or median_ns * MEDIANS_PER_THRESHOLD
    record["threshold_ns"] = threshold_ns
    found = CpuAudit(cpu_index, threshold_ns, median_ns)
    thread_id = threading.get_native_id()
    before = read_counts(cpu_index, thread_id)
    window_ns = now_ns(address_of(spinner.clock))
    end_ns = window_ns + duration_ns  # per thread: on a busy CPU it may begin late
    while window_ns < end_ns and not spinner.is_stopped:
        record["end_ns"] = min(window_ns + WINDOW_NS, end_ns)
        watch(address_of(spinner.record))
        counts = read_counts(cpu_index, thread_id)
        now = now_ns(address_of(spinner.clock))
        found.windows.append(
            JitterWindow(window_ns - begin_ns, now - begin_ns, counts.since(before))
        )
        before, window_ns = counts, now
    found.watched_ns, found.lost_ns = int(record["watched_ns"]), int(record["lost_ns"])
    found.excursion_count = int(record["excursion_count"])
    found.histogram = spinner.histogram
    found.gaps = [
        Gap(
            int(gap["begin_ns"]) - begin_ns,
            int(gap["gap_ns"]),
            int(gap["switch_count"]),
            int(gap["fault_count"]),
        )
        for gap in spinner.gaps[: min(found.excursion_count, GAP_CAPACITY)]
    ]
    return found


def least_one_way_ns(first_cpu: int, second_cpu: int, count: int = 2_000) -> tuple[int, int] | None:
    """Return the shortest time of a stamp from one CPU to the other, each way.

    None when they did not both run within a second.
    """
    clock = new_clock()
    words = np.zeros(2, np.int64)
    address = address_of(words)
    bounce(address_of(clock), address, 1, 1, 0)  # compiles
    end_ns = now_ns(address_of(clock)) + NS_PER_SECOND

    def work(index: int) -> int:
        os.sched_setaffinity(0, {(first_cpu, second_cpu)[index]})
        return bounce(address_of(clock), address, index, count, end_ns)

    to_first_ns, to_second_ns = in_threads(work, 2)
    if NEVER_NS in (to_first_ns, to_second_ns):
        return None
    return to_second_ns, to_first_ns


def grid_of(begins_ns: Int64Array) -> tuple[int, float] | None:
    """Return (rate in Hz, phase in turns) of the tick that gaps follow; None when they follow none.

    Times on a grid, taken as angles, point one way.  The slowest such rate is the tick's, because
    times that repeat every 10 ms are also on the grid of 1 ms.
    """
    if len(begins_ns) < GRID_SAMPLES_MIN:
        return None
    for rate_hz in TICK_RATES_HZ:
        period_ns = NS_PER_SECOND / rate_hz
        turns = np.asarray(begins_ns) % period_ns / period_ns
        mean = np.exp(2j * np.pi * turns).mean()
        if abs(mean) >= GRID_CONCENTRATION_MIN:
            return rate_hz, float(np.angle(mean) / (2 * np.pi)) % 1.0
    return None


def is_on_grid(begin_ns: int, grid: tuple[int, float] | None) -> bool:
    """Return whether a gap begins when the tick does."""
    if grid is None:
        return False
    rate_hz, phase = grid
    turns = (begin_ns * rate_hz / NS_PER_SECOND - phase) % 1.0
    return min(turns, 1.0 - turns) <= GRID_PART


def window_of(gap: Gap, windows: Sequence[JitterWindow]) -> JitterWindow | None:
    """Return the window in which a gap ended: its counts cover the gap."""
    end_ns = gap.begin_ns + gap.gap_ns
    return next((each for each in windows if each.begin_ns <= end_ns <= each.end_ns), None)


def cause_of(gap: Gap, window: JitterWindow | None, grid: tuple[int, float] | None) -> str:
    """Return the cause of a gap: from its own counts first, then from those of its window."""
    if gap.switch_count > 0:
        return TASK
    if gap.fault_count > 0:
        return FAULT
    if window is not None and window.counts.steal_ns > 0:
        return STEAL
    if is_on_grid(gap.begin_ns, grid):
        return TICK
    devices = Counter() if window is None else devices_of(window.counts)
    if devices:
        return f"interrupt {devices.most_common(1)[0][0]}"
    return UNKNOWN


def devices_of(counts: Counts) -> Counter[str]:
    """Return the interrupts of a window without those of the timer."""
    return Counter(
        {
            name: count
            for name, count in counts.interrupts.items()
            if not name.startswith(TIMER_PREFIXES)
        }
    )
