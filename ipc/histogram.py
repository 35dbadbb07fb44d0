"""Latency histograms in the layout of HdrHistogram: two significant digits, up to 137 s.

Buckets double in width and have 128 bins each, so the error is below one per cent at any size, and
recording costs about a nanosecond.  The layout is that of HdrHistogram(1, 2**37, 2); its package
reads our counts bin for bin.  Counts are cumulative and have one writer; a reader takes the
difference of two copies.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from ipc.atomics import load_relaxed, store_relaxed
from ipc.compiled import compiled
from ipc.layout import Field, Layout
from ipc.types import Int64Array

SUB_BUCKET_BITS = 8  # 256 parts in the first bucket: two significant digits
HALF_BITS = SUB_BUCKET_BITS - 1
HALF_COUNT = 1 << HALF_BITS
SUB_BUCKET_MASK = (1 << SUB_BUCKET_BITS) - 1
VALUE_BITS_MAX = 37
VALUE_MAX_NS = (1 << VALUE_BITS_MAX) - 1
BIN_COUNT = (VALUE_BITS_MAX - SUB_BUCKET_BITS + 2) << HALF_BITS

HISTOGRAM = Layout(
    "histogram",
    "Counts of values in nanoseconds, bins as HdrHistogram(1, 2**37, 2) lays them out.",
    Field("value_count", "i8", "number of values"),
    Field("max_ns", "i8", "largest value, exact"),
    Field("sum_ns", "i8", "sum of all values"),
    Field("negative_count", "i8", "values below zero, counted as zero"),
    Field("reserved", "S32", "zero"),
    Field("bin_count", "i8", "count per bin", (BIN_COUNT,)),
)
MAX_BYTES = HISTOGRAM.offset_bytes("max_ns")
SUM_BYTES = HISTOGRAM.offset_bytes("sum_ns")
NEGATIVE_BYTES = HISTOGRAM.offset_bytes("negative_count")
BINS_BYTES = HISTOGRAM.offset_bytes("bin_count")

#: A percentile is shown only when at least this many values lie beyond it.
SAMPLES_BEYOND_MIN = 10
PERCENTILES = {"p50": 0.50, "p90": 0.90, "p99": 0.99, "p99_9": 0.999}


def bit_length(value: int) -> int:
    """Return how many bits ``value`` (>= 1) needs."""
    return int(value).bit_length()


@intrinsic
def _bit_length(typing_context: Any, value: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        zeros = builder.ctlz(args[0], ir.Constant(ir.IntType(1), 1))
        return builder.sub(ir.Constant(ir.IntType(64), 64), zeros)

    return types.int64(types.int64), codegen


overload(bit_length)(lambda value: lambda value: _bit_length(value))  # type: ignore[call-arg]


@compiled
def bin_index(value_ns: int) -> int:
    """Return the bin of a value between 0 and VALUE_MAX_NS."""
    bucket = bit_length(value_ns | SUB_BUCKET_MASK) - SUB_BUCKET_BITS
    return ((bucket + 1) << HALF_BITS) + (value_ns >> bucket) - HALF_COUNT


@compiled
def record_value(histogram_address: int, value_ns: int, count: int) -> None:
    """Count ``value_ns`` ``count`` times."""
    if value_ns < 0:
        add_word(histogram_address + NEGATIVE_BYTES, count)
        value_ns = 0
    if value_ns > load_relaxed(histogram_address + MAX_BYTES):
        store_relaxed(histogram_address + MAX_BYTES, value_ns)
    add_word(histogram_address + SUM_BYTES, value_ns * count)
    index = bin_index(min(value_ns, VALUE_MAX_NS))
    add_word(histogram_address + BINS_BYTES + 8 * index, count)
    add_word(histogram_address, count)


@compiled
def add_word(address: int, count: int) -> None:
    """Add to one shared word; this thread must be its only writer."""
    store_relaxed(address, load_relaxed(address) + count)


def bin_top_ns(index: int) -> int:
    """Return the largest value that falls into bin ``index``."""
    bucket = (index >> HALF_BITS) - 1
    part = (index & (HALF_COUNT - 1)) + HALF_COUNT
    if bucket < 0:
        bucket, part = 0, part - HALF_COUNT
    return ((part + 1) << bucket) - 1


def percentile_ns(bins: Int64Array, fraction: float) -> int | None:
    """Return the value below which ``fraction`` of the counts lie.

    None when fewer than ``SAMPLES_BEYOND_MIN`` values lie beyond it: the sample is too small.
    """
    total = int(bins.sum())
    if total * (1.0 - fraction) < SAMPLES_BEYOND_MIN - 1e-9:
        return None
    rank = max(1, math.ceil(total * fraction - 1e-9))
    return bin_top_ns(int(np.searchsorted(np.cumsum(bins), rank)))


def summary(record: Mapping[str, Any] | Any) -> dict[str, int | None]:
    """Return count, percentiles and maximum of one HISTOGRAM record, in nanoseconds."""
    bins = np.asarray(record["bin_count"])
    largest = int(record["max_ns"])
    result: dict[str, int | None] = {"count": int(bins.sum())}
    for name, fraction in PERCENTILES.items():
        value = percentile_ns(bins, fraction)
        result[name] = None if value is None else min(value, largest)
    result["max"] = largest if result["count"] else None
    return result
