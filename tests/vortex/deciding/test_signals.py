"""Signals against exact fractions and numpy."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vortex.deciding import signals

price = st.integers(1, 2**61)
lots = st.integers(0, 2**63 - 1)
S = 1_000_000_000


@settings(max_examples=60, print_blob=True)
@given(price, price)
def test_mid_and_spread_are_exact(bid_ticks, ask_ticks):
    assert Fraction(signals.mid_half_ticks(bid_ticks, ask_ticks), 2) == Fraction(
        bid_ticks + ask_ticks, 2
    )
    assert signals.spread_ticks(bid_ticks, ask_ticks) == ask_ticks - bid_ticks


@settings(max_examples=60, print_blob=True)
@given(lots, lots)
@example(2**63 - 1, 2**63 - 1)
def test_imbalance_is_the_difference_over_the_sum(bid_lots, ask_lots):
    total_lots = bid_lots + ask_lots
    wanted = Fraction(bid_lots - ask_lots, total_lots) if total_lots else 0
    assert signals.imbalance(bid_lots, ask_lots) == pytest.approx(float(wanted), abs=1e-15)


@settings(max_examples=60, print_blob=True)
@given(price, st.integers(1, 2**40), lots, lots)
def test_the_microprice_is_the_cross_weighted_price_within_the_touch(
    bid_ticks, spread, bid_lots, ask_lots
):
    ask_ticks = bid_ticks + spread
    total_lots = bid_lots + ask_lots
    wanted = Fraction(bid_ticks + ask_ticks, 2)
    if total_lots:
        wanted = Fraction(bid_ticks * ask_lots + ask_ticks * bid_lots, total_lots)
    found = signals.microprice_ticks(bid_ticks, bid_lots, ask_ticks, ask_lots)
    assert found == pytest.approx(float(wanted), abs=ask_ticks * 1e-15)


def test_the_microprice_leans_to_the_lighter_side():
    assert signals.microprice_ticks(100, 30, 102, 10) == 101.5
    assert signals.microprice_ticks(100, 10, 102, 30) == 100.5
    assert signals.microprice_ticks(100, 0, 102, 0) == 101.0
    # 99.9 x 3 against 100.1 x 1, in ticks of 0.1.
    assert signals.microprice_ticks(999, 3, 1001, 1) == 1000.5


def test_even_steps_give_the_textbooks_weighted_mean():
    changes = np.random.default_rng(7).normal(0.0, 3.0, size=200)
    memory_ns, step_ns = 10 * S, S // 2
    variance = 0.0
    for change in changes:
        variance = signals.next_variance(variance, float(change), step_ns, memory_ns)
    kept = np.exp(-step_ns / memory_ns)
    weights = (1 - kept) * kept ** np.arange(len(changes))[::-1]
    assert variance == pytest.approx(float(np.sum(weights * changes**2 / 0.5)), rel=1e-12)


def test_a_constant_price_decays_the_variance_alike_in_one_step_or_many():
    once = signals.next_variance(4.0, 0.0, 3 * S, 10 * S)
    variance = 4.0
    for _ in range(30):
        variance = signals.next_variance(variance, 0.0, S // 10, 10 * S)
    assert variance == pytest.approx(once, rel=1e-12)
    assert once == pytest.approx(4.0 * np.exp(-0.3), rel=1e-12)


def test_changes_in_one_instant_count_as_the_limit_of_short_times():
    instant = signals.next_variance(1.0, 2.0, 0, 10 * S)
    assert instant == pytest.approx(1.0 + 4.0 / 10.0)
    assert signals.next_variance(1.0, 2.0, 1, 10 * S) == pytest.approx(instant, rel=1e-8)


def test_a_random_walk_shows_its_own_volatility():
    generator = np.random.default_rng(11)
    variance = 0.0
    for change in generator.normal(0.0, 0.3, size=20_000):
        variance = signals.next_variance(variance, float(change), S // 100, 20 * S)
    # 0.3 ticks each 10 ms are 3 ticks a second.
    assert signals.volatility_ticks(variance, S) == pytest.approx(3.0, rel=0.1)
    assert signals.volatility_ticks(variance, 4 * S) == pytest.approx(6.0, rel=0.1)
