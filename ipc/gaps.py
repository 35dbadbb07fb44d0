"""The gaps in the running time of a thread that spins.

A thread that does nothing but read the clock sees a gap whenever the core does something else: an
interrupt, another task, the hypervisor, the firmware.  After each gap that could hold a switch the
thread reads the kernel's counts, so it knows for each gap whether another task ran.
*Source:* E. Rigtorp's ``hiccups`` and AMD Onload's ``sysjitter`` (the method); getrusage(2).
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from ipc.atomics import load_acquire, load_relaxed, store_relaxed, store_release
from ipc.clock import now_ns
from ipc.compiled import compiled
from ipc.histogram import record_value
from ipc.layout import Field, Layout, reserved
from ipc.memory import record_at, store_word
from ipc.types import Record
from ipc.usage import fault_count_of, read_usage, switch_count_of

GAP = Layout(
    "gap",
    "One gap in the running time of a spinning thread.",
    Field("begin_ns", "i8", "when it last ran before the gap"),
    Field("gap_ns", "i8", "length of the gap"),
    Field("switch_count", "i8", "times that the kernel took the core from it during the gap"),
    Field("fault_count", "i8", "page faults during the gap"),
    multiple_bytes=32,
)

SPINNER = Layout(
    "spinner",
    "A spinning thread and its results.",
    Field("clock_address", "i8", "its clock"),
    Field("histogram_address", "i8", "where every gap over the threshold is counted"),
    Field("gaps_address", "i8", "GAP records of the excursions"),
    Field("gap_capacity", "i8", "GAP records that fit"),
    Field("usage_address", "i8", "room for a struct rusage"),
    Field("threshold_ns", "i8", "a longer time between two readings is a gap"),
    Field("excursion_ns", "i8", "a gap of at least this length is recorded"),
    Field("end_ns", "i8", "when to return"),
    Field("is_stopped", "i8", "1 when to return at once"),
    Field("excursion_count", "i8", "excursions so far, including those that did not fit"),
    Field("round_count", "i8", "readings of the clock"),
    Field("watched_ns", "i8", "time spent spinning"),
    Field("lost_ns", "i8", "sum of all gaps"),
    Field("switch_count", "i8", "switches, as of the last reading of the kernel's counts"),
    Field("fault_count", "i8", "page faults, as of then"),
    reserved(8),
)
GAP_DTYPE = GAP.dtype
SPINNER_DTYPE = SPINNER.dtype
GAP_BYTES = GAP_DTYPE.itemsize
STOP_BYTES = SPINNER.offset_bytes("is_stopped")

#: A core needs at least this long to switch to another task and back.
SWITCH_NS_MIN = 1_000
NEVER_NS = 1 << 62


def finish_reads() -> None:
    """Complete all earlier reads before any later instruction begins.

    Without this a core reads its cycle counter ahead of a load that it still waits for.
    *Source:* Intel SDM vol. 2, RDTSC and LFENCE.
    """


@intrinsic
def _finish_reads(typing_context: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [])
        builder.call(builder.module.declare_intrinsic("llvm.x86.sse2.lfence", (), kind), [])
        return context.get_dummy_value()

    return types.void(), codegen


overload(finish_reads)(lambda: lambda: _finish_reads())  # type: ignore[call-arg]


@compiled
def measure_rounds(clock_address: int, rounds_address: int, count: int) -> None:
    """Write the duration of each of ``count`` readings of the clock, ns."""
    last_ns = now_ns(clock_address)
    for index in range(count):
        now = now_ns(clock_address)
        store_word(rounds_address + 8 * index, now - last_ns)
        last_ns = now


@compiled
def note_usage(spinner: Record) -> None:
    """Read the kernel's counts and keep them as the baseline."""
    read_usage(spinner.usage_address)
    spinner.switch_count = switch_count_of(spinner.usage_address)
    spinner.fault_count = fault_count_of(spinner.usage_address)


@compiled
def take_gap(spinner: Record, begin_ns: int, gap_ns: int) -> None:
    """Count one gap; record it when it is an excursion."""
    record_value(spinner.histogram_address, gap_ns, 1)
    spinner.lost_ns += gap_ns
    switches, faults = spinner.switch_count, spinner.fault_count
    if gap_ns >= SWITCH_NS_MIN:
        note_usage(spinner)
    if gap_ns < spinner.excursion_ns:
        return
    if spinner.excursion_count < spinner.gap_capacity:
        address = spinner.gaps_address + spinner.excursion_count * GAP_BYTES
        gap = record_at(address, GAP_DTYPE)
        gap.begin_ns = begin_ns
        gap.gap_ns = gap_ns
        gap.switch_count = spinner.switch_count - switches
        gap.fault_count = spinner.fault_count - faults
    spinner.excursion_count += 1


@compiled
def watch(spinner_address: int) -> int:
    """Spin until the spinner's end, or until it is stopped; return the time spent, ns."""
    spinner = record_at(spinner_address, SPINNER_DTYPE)
    clock_address = spinner.clock_address
    note_usage(spinner)
    round_count, watched_ns, is_over = 0, 0, False
    last_ns = now_ns(clock_address)
    while not is_over:
        # Read before the clock, so that a gap during which the stop arrives still counts.
        is_over = load_relaxed(spinner_address + STOP_BYTES) != 0
        now = now_ns(clock_address)
        gap_ns = now - last_ns
        watched_ns += gap_ns
        is_over = is_over or now >= spinner.end_ns
        if gap_ns > spinner.threshold_ns:
            take_gap(spinner, last_ns, gap_ns)
            now = now_ns(clock_address)  # the time that counting takes is not a gap
        last_ns = now
        round_count += 1
    spinner.round_count += round_count
    spinner.watched_ns += watched_ns
    return watched_ns


@compiled
def bounce(clock_address: int, words_address: int, own_index: int, count: int, end_ns: int) -> int:
    """Exchange stamps with a thread on another core; return the shortest time one way, ns.

    ``own_index`` is 0 for one thread and 1 for the other; both words begin at zero.  Where the
    cores' counters differ, one direction looks shorter than it is, or even negative.
    """
    least_ns = NEVER_NS
    for _ in range(count):
        # pairs with: stamp passed
        while load_acquire(words_address) != own_index:
            if now_ns(clock_address) > end_ns:
                return least_ns
        finish_reads()
        now = now_ns(clock_address)
        stamp_ns = load_relaxed(words_address + 8)
        if stamp_ns != 0:
            least_ns = min(least_ns, now - stamp_ns)
        store_relaxed(words_address + 8, now_ns(clock_address))
        # pairs with: stamp passed
        store_release(words_address, 1 - own_index)
    return least_ns
