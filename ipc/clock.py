"""Nanoseconds from the cycle counter, comparable between processes.

Stamps are int64 nanoseconds on the axis of CLOCK_MONOTONIC: the cycle counter times one multiplier
that the supervisor measures at start and freezes for the run.  Where the counter is not invariant,
the clock calls ``clock_gettime`` instead.  In a replay a driver moves the clock, or an intake gives
its readings again (``ipc/intake.py``).  A separate field
holds the offset to wall time, for kernel stamps, venue timestamps and display.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from ipc.atomics import load_relaxed, read_cycle_counter, store_relaxed
from ipc.compiled import PLAIN_PYTHON, compiled
from ipc.intake import Entry, take_bytes
from ipc.layout import Field, Layout, reserved
from ipc.memory import address_of, record_at
from ipc.types import RecordArray

CLOCK = Layout(
    "clock",
    "How this run converts cycles to nanoseconds; written once by the supervisor.",
    Field("origin_cycles", "i8", "cycle counter at the origin"),
    Field("ns_per_cycle", "f8", "length of a cycle; 0: clock_gettime; -1: not measured here"),
    Field("origin_ns", "i8", "CLOCK_MONOTONIC at the origin; not measured here: the time"),
    Field("wall_offset_ns", "i8", "CLOCK_REALTIME minus this clock"),
    Field("intake_address", "i8", "INTAKE that each reading passes; 0: a driver moves the clock"),
    Field("source_address", "i8", "with an intake, the CLOCK that is read"),
    reserved(16),
)
CLOCK_DTYPE = CLOCK.dtype
ORIGIN_BYTES = CLOCK.offset_bytes("origin_ns")
WALL_OFFSET_BYTES = CLOCK.offset_bytes("wall_offset_ns")

#: A reading: the time, and the offset to wall time, which follows it in the record.
READING_BYTES = 16
CALIBRATION_NS = 200_000_000
NS_PER_SECOND = 1_000_000_000


def kernel_clock_ns(clock_id: int) -> int:
    """Return one of the kernel's clocks, such as ``time.CLOCK_MONOTONIC``, in nanoseconds."""
    return time.clock_gettime_ns(clock_id)


@intrinsic
def _kernel_clock_ns(typing_context: Any, clock_id: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        i32, i64 = ir.IntType(32), ir.IntType(64)
        timespec = ir.LiteralStructType([i64, i64])
        space = cgutils.alloca_once(builder, timespec)
        kind = ir.FunctionType(i32, [i32, timespec.as_pointer()])
        function = cgutils.get_or_insert_function(builder.module, kind, "clock_gettime")
        builder.call(function, [builder.trunc(args[0], i32), space])
        seconds = builder.load(cgutils.gep_inbounds(builder, space, 0, 0))
        rest_ns = builder.load(cgutils.gep_inbounds(builder, space, 0, 1))
        return builder.add(builder.mul(seconds, ir.Constant(i64, NS_PER_SECOND)), rest_ns)

    return types.int64(types.int64), codegen


overload(kernel_clock_ns)(
    lambda clock_id: lambda clock_id: _kernel_clock_ns(clock_id)  # type: ignore[call-arg]
)


@compiled
def monotonic_ns() -> int:
    """Return CLOCK_MONOTONIC in nanoseconds."""
    return kernel_clock_ns(time.CLOCK_MONOTONIC)


@compiled
def measured_ns(clock_address: int) -> int:
    """Return nanoseconds on the run's clock, measured."""
    clock = record_at(clock_address, CLOCK_DTYPE)
    if PLAIN_PYTHON or clock.ns_per_cycle == 0.0:  # plain Python cannot read the counter
        return monotonic_ns()
    cycles = read_cycle_counter() - clock.origin_cycles
    return int(clock.origin_ns + np.int64(cycles * clock.ns_per_cycle))


@compiled
def given_ns(clock_address: int) -> int:
    """Return the time of a clock that is not measured: a driver's, or one with an intake."""
    clock = record_at(clock_address, CLOCK_DTYPE)
    if clock.intake_address != 0:
        if clock.source_address != 0:
            clock.origin_ns = measured_ns(clock.source_address)
            source_offset_ns = load_relaxed(clock.source_address + WALL_OFFSET_BYTES)
            clock.wall_offset_ns = source_offset_ns
        take_bytes(clock.intake_address, Entry.CLOCK, clock_address + ORIGIN_BYTES, READING_BYTES)
    return int(clock.origin_ns)


@compiled
def now_ns(clock_address: int) -> int:
    """Return nanoseconds on the run's clock."""
    if record_at(clock_address, CLOCK_DTYPE).ns_per_cycle < 0.0:
        return given_ns(clock_address)
    return measured_ns(clock_address)


@compiled
def wall_offset_ns(clock_address: int) -> int:
    """Return the nanoseconds to add to the run's clock to get wall time."""
    return load_relaxed(clock_address + WALL_OFFSET_BYTES)


@compiled
def _read_pair(pair_address: int) -> int:
    """Write cycle counter and CLOCK_MONOTONIC, read together; return the cycles it took."""
    before = read_cycle_counter()
    now = monotonic_ns()
    after = read_cycle_counter()
    store_relaxed(pair_address, before + (after - before) // 2)
    store_relaxed(pair_address + 8, now)
    return after - before


def _best_pair(try_count: int = 25) -> tuple[int, int]:
    """Return (cycles, ns) of the reading with the least interruption."""
    pair = np.zeros(2, np.int64)
    readings = []
    for _ in range(try_count):
        took_cycles = _read_pair(address_of(pair))
        readings.append((took_cycles, int(pair[0]), int(pair[1])))
    _, cycles, ns = min(readings)
    return cycles, ns


def counter_is_invariant() -> bool:
    """Return whether the cycle counter runs at one rate in all power states of the core."""
    if PLAIN_PYTHON:
        return False
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return False
    return "constant_tsc" in flags and "nonstop_tsc" in flags


def measure_wall_offset_ns(clock_address: int) -> int:
    """Return wall time minus the run's clock, from the reading with the least interruption."""
    readings = []
    for _ in range(25):
        before = now_ns(clock_address)
        wall = time.time_ns()
        after = now_ns(clock_address)
        readings.append((after - before, wall - (before + (after - before) // 2)))
    return min(readings)[1]


def move_to(clock: RecordArray, at_ns: int, wall_offset_ns: int = 0) -> None:
    """Stop the clock at ``at_ns`` until the next call: a driver's clock, for replays."""
    clock[0]["ns_per_cycle"] = -1.0
    clock[0]["origin_ns"] = at_ns
    clock[0]["wall_offset_ns"] = wall_offset_ns


def with_intake(source_address: int, intake_address: int) -> RecordArray:
    """Return a clock whose readings pass an intake; ``source_address`` is 0 where it repeats."""
    clock = np.zeros(1, CLOCK_DTYPE)
    clock["ns_per_cycle"] = -1.0
    clock["intake_address"] = intake_address
    clock["source_address"] = source_address
    return clock


def calibrate(clock: RecordArray, calibration_ns: int = CALIBRATION_NS) -> None:
    """Measure the cycle counter for ``calibration_ns`` and fill the one record of ``clock``."""
    record = clock[0]
    record["origin_cycles"], record["origin_ns"] = _best_pair()
    record["ns_per_cycle"] = 0.0
    if counter_is_invariant():
        time.sleep(calibration_ns / NS_PER_SECOND)
        cycles, ns = _best_pair()
        passed_cycles = cycles - int(record["origin_cycles"])
        record["ns_per_cycle"] = (ns - int(record["origin_ns"])) / passed_cycles
    record["wall_offset_ns"] = measure_wall_offset_ns(address_of(clock))


def refresh_wall_offset(clock_address: int) -> None:
    """Measure the offset to wall time again; the supervisor calls this periodically."""
    store_relaxed(clock_address + WALL_OFFSET_BYTES, measure_wall_offset_ns(clock_address))
