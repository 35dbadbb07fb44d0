"""The benchmark of what it costs to be watched: it watches, and its arithmetic is right."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipc.histogram import BIN_COUNT, bin_index, bin_top_ns
from tools.bench import observers, wire_to_wire

TWO_CPUS = wire_to_wire.house_cpu() != wire_to_wire.engine_cpu("four processes")


@pytest.mark.skipif(not TWO_CPUS, reason="the load and the engine need a CPU each")
@pytest.mark.timeout(1200)
def test_all_observers_watch_and_the_engine_is_compared_with_and_without_them():
    result = observers.run(1.0, pair_count=2)
    assert result["observers"] == ["dashboard", "attach", "top", "browsers"]
    assert all(count > 0 for count in result["frame_counts"].values())
    for figure in result["figures"].values():
        assert figure["pair_count"] == 2
        # Each ticker led to an order on each side, unless one decision covered several tickers.
        assert min(figure[label]["count"] for label in ("alone", "watched")) > 100
        low, high = figure["interval"]
        assert low <= figure["ratio"] <= high
    shown = "\n".join(observers.lines(result))
    assert "tick-to-order, watched" in shown
    assert "bar 1.05" in shown


@given(st.lists(st.integers(1, 10**7), min_size=20, max_size=300), st.sampled_from([0.5, 0.9]))
def test_a_quantile_lies_in_the_bin_of_its_rank(values, q):
    bins = np.zeros(BIN_COUNT, np.int64)
    for value in values:
        bins[bin_index(value)] += 1
    found = observers.quantile_ns(bins, q)
    if len(values) * (1 - q) < 9.99:
        assert found is None
        return
    index = bin_index(sorted(values)[int(np.ceil(q * len(values))) - 1])
    assert bin_top_ns(index - 1) <= found <= bin_top_ns(index) or index == 0


def test_the_interval_holds_the_median_and_shrinks_with_the_spread():
    wide = observers.interval([0.8, 0.9, 1.0, 1.1, 1.2] * 4)
    narrow = observers.interval([0.98, 0.99, 1.0, 1.01, 1.02] * 4)
    assert wide[0] <= 1.0 <= wide[1]
    assert wide[0] < narrow[0] <= 1.0 <= narrow[1] < wide[1]
