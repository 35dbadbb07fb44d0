"""Our histogram beside the hdrhistogram package, bin for bin."""

import random
import zlib

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from ipc import histogram
from ipc.histogram import HISTOGRAM, VALUE_MAX_NS, bin_index, bin_top_ns, record_value, summary
from ipc.memory import address_of

EDGES = [0, 1, 127, 128, 255, 256, 257, 511, 512, 2**20 - 1, 2**20, VALUE_MAX_NS - 1, VALUE_MAX_NS]


def random_values(count: int) -> list[int]:
    """Return values of all magnitudes, the same in each run."""
    source = random.Random(zlib.crc32(b"histogram"))
    return [source.getrandbits(source.randint(1, 37)) for _ in range(count)]


def test_all_bins_agree_with_hdrhistogram() -> None:
    values = EDGES + random_values(20_000)
    ours = np.zeros(1, HISTOGRAM.dtype)
    theirs = HdrHistogram(1, 2**37, 2)
    for value in values:
        record_value(address_of(ours), value, 3)
        assert theirs.record_value(value, 3)
    expected = np.array([theirs.get_count_at_index(i) for i in range(histogram.BIN_COUNT)])
    np.testing.assert_array_equal(ours[0]["bin_count"], expected)
    assert ours[0]["value_count"] == theirs.get_total_count() == 3 * len(values)
    assert ours[0]["sum_ns"] == 3 * sum(values)
    assert ours[0]["max_ns"] == max(values)
    assert ours[0]["negative_count"] == 0


def test_percentiles_agree_with_hdrhistogram() -> None:
    values = random_values(20_000)
    ours = np.zeros(1, HISTOGRAM.dtype)
    theirs = HdrHistogram(1, 2**37, 2)
    for value in values:
        record_value(address_of(ours), value, 1)
        theirs.record_value(value)
    found = summary(ours[0])
    for name, percent in (("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99_9", 99.9)):
        assert found[name] == theirs.get_value_at_percentile(percent), name
    assert found["count"] == len(values)
    assert found["max"] == max(values)


@given(st.integers(0, VALUE_MAX_NS))
@settings(max_examples=300)
def test_a_bin_holds_its_value_within_one_per_cent(value: int) -> None:
    index = bin_index(value)
    top = bin_top_ns(index)
    bottom = bin_top_ns(index - 1) + 1 if index else 0
    assert bottom <= value <= top
    assert top - bottom <= max(0, value // 100)


def test_what_is_below_zero_or_beyond_the_end_is_counted_at_the_ends() -> None:
    ours = np.zeros(1, HISTOGRAM.dtype)
    record_value(address_of(ours), -5, 2)
    record_value(address_of(ours), 2**40, 1)
    assert ours[0]["negative_count"] == ours[0]["bin_count"][0] == 2
    assert ours[0]["bin_count"][-1] == 1
    assert ours[0]["max_ns"] == 2**40


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, set()), (19, set()), (20, {"p50"}), (99, {"p50"}), (100, {"p50", "p90"}),
     (999, {"p50", "p90"}), (1_000, {"p50", "p90", "p99"}),
     (10_000, {"p50", "p90", "p99", "p99_9"})],
)  # fmt: skip
def test_a_percentile_is_shown_when_ten_values_lie_beyond_it(count: int, shown: set[str]) -> None:
    ours = np.zeros(1, HISTOGRAM.dtype)
    if count:
        record_value(address_of(ours), 1_000, count)
    found = summary(ours[0])
    assert {name for name in histogram.PERCENTILES if found[name] is not None} == shown
    assert (found["max"] is None) == (count == 0)
