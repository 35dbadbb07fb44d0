"""Avellaneda and Stoikov's quotes against their formulas in decimals, and against their paper."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import numpy as np
import pytest
from builders import record_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vortex import strategies
from vortex.deciding.sight import VIEW
from vortex.orders.quoting import BID_QUOTE_COUNT, WANTED
from vortex.records import TOP
from vortex.strategies.avellaneda_stoikov import (
    STATE,
    Params,
    half_spread_ticks,
    reservation_ticks,
)

S = 1_000_000_000
STRATEGY = strategies.load("avellaneda_stoikov")
#: How near to a whole tick floats and decimals may round apart.
NEAR = Decimal("1e-6")

gammas = st.floats(1e-4, 2.0)
kappas = st.floats(1e-2, 5.0)
variances = st.floats(0.0, 100.0)


def params_of(**changes):
    """Return parameters under which nothing but the two formulas matters."""
    given_values = {
        "gamma_per_tick": 0.1, "kappa_per_tick": 1.5, "sigma_ticks_per_sqrt_s": 2.0,
        "sigma_memory_ms": 1000, "horizon_ms": 1000, "half_spread_ticks_min": 1, "qty_lots": 10,
        "inventory_lots_max": 1000,
    }  # fmt: skip
    return Params(**{**given_values, **changes})


def quotes(params, *, position_lots=0, bid=9_990, ask=10_010, state=None, now_ns=0, **view):
    """Return the (bid, ask) prices that are wanted, None for a side without quote."""
    top = record_of(TOP, is_valid=1, bid_ticks=bid, ask_ticks=ask, bid_lots=1, ask_lots=1)
    facts = {"price_ticks_min": 1, "price_ticks_max": 1_000_000, **view}
    seen = record_of(VIEW, position_lots=position_lots, now_ns=now_ns, **facts)
    state = np.zeros(1, STATE.dtype) if state is None else state
    wanted = np.zeros(1, WANTED.dtype)
    arrays = (top, seen, STRATEGY.params_record(params, None), state, wanted)
    STRATEGY.decide(*(array.view(np.recarray)[0] for array in arrays))
    prices, lots = wanted[0]["price_ticks"], wanted[0]["qty_lots"]
    assert set(lots.tolist()) <= {0, params.qty_lots}
    return tuple(int(prices[i]) if lots[i] else None for i in (0, BID_QUOTE_COUNT))


def exact(gamma, kappa, variance, inventory, mid=Decimal(0)):
    """Return the two prices of equations 29 and 30, in decimals."""
    gamma, kappa, variance = Decimal(gamma), Decimal(kappa), Decimal(variance)
    centre = mid - inventory * gamma * variance
    half = (gamma * variance + 2 / gamma * (1 + gamma / kappa).ln()) / 2
    return centre - half, centre + half


# The paper: s = 100, T = 1, sigma = 2, dt = 0.005, q = 0, k = 1.5.


def test_the_papers_spread_at_its_first_moment():
    # gamma sigma² T + 2 / gamma ln(1 + gamma / k) = 0.4 + 20 ln(16 / 15)
    assert 2 * half_spread_ticks(0.1, 1.5, 4.0) == pytest.approx(1.6907704227514)
    assert reservation_ticks(100.0, 0.0, 0.1, 4.0) == 100.0
    assert reservation_ticks(100.0, 3.0, 0.1, 4.0) == pytest.approx(98.8)


@pytest.mark.parametrize(("gamma", "printed"), [(0.1, 1.49), (0.01, 1.35), (1.0, 3.02)])
def test_the_papers_average_spreads(gamma, printed):
    """Tables 1 to 3, which average over the day; here it is taken in the middle of each step."""
    left_s = np.arange(0.0025, 1.0, 0.005)
    mean = np.mean([2 * half_spread_ticks(gamma, 1.5, 4.0 * each) for each in left_s])
    assert round(float(mean), 2) == printed


# What is quoted, against the formulas in decimals.


@settings(max_examples=150, print_blob=True)
@given(
    gammas, kappas, st.floats(0.1, 10.0), st.integers(1, 20_000), st.integers(-90, 90),
    st.integers(-30, 30),
)  # fmt: skip
def test_quotes_are_the_formulas_rounded_outward(
    gamma, kappa, sigma, horizon_ms, inventory, half_mid
):
    """Against a touch so wide, and a minimum so small, that neither binds."""
    params = params_of(
        gamma_per_tick=gamma, kappa_per_tick=kappa, sigma_ticks_per_sqrt_s=sigma,
        horizon_ms=horizon_ms,
    )  # fmt: skip
    middle = 100_000_000
    bid, ask = middle - 40_000_000, middle + 40_000_000 + half_mid
    variance = Decimal(sigma) ** 2 * horizon_ms / 1000
    mid = (Decimal(bid) + ask) / 2
    low, high = exact(gamma, kappa, variance, inventory, mid)
    assume(high - low >= 2)
    assume(all(abs(each - round(each)) > NEAR for each in (low, high)))
    found = quotes(
        params, position_lots=10 * inventory, bid=bid, ask=ask, price_ticks_max=10**9
    )  # fmt: skip
    assert found == (
        int(low.to_integral_value(ROUND_FLOOR)),
        int(high.to_integral_value(ROUND_CEILING)),
    )


@settings(max_examples=100, print_blob=True)
@given(gammas, kappas, variances, st.integers(-50, 50))
def test_half_spread_and_reservation_price_are_equations_30_and_29(
    gamma, kappa, variance, inventory
):
    low, high = exact(gamma, kappa, variance, inventory)
    assert half_spread_ticks(gamma, kappa, variance) == pytest.approx(float((high - low) / 2))
    centre = reservation_ticks(0.0, float(inventory), gamma, variance)
    assert centre == pytest.approx(float((low + high) / 2), abs=1e-9)


# What must hold whatever the numbers are.


@settings(max_examples=60, print_blob=True)
@given(gammas, kappas, st.floats(0.1, 10.0), st.integers(-50, 50))
def test_one_more_unit_held_never_raises_a_quote(gamma, kappa, sigma, inventory):
    params = params_of(gamma_per_tick=gamma, kappa_per_tick=kappa, sigma_ticks_per_sqrt_s=sigma)
    fewer = quotes(params, position_lots=10 * inventory)
    more = quotes(params, position_lots=10 * (inventory + 1))
    assert all(after <= before for before, after in zip(fewer, more, strict=True))


def test_inventory_moves_both_quotes_against_itself():
    params = params_of(gamma_per_tick=1.0)  # 4 ticks for each unit held
    bid, ask = quotes(params)
    assert quotes(params, position_lots=10) == (bid - 4, ask - 4)
    assert quotes(params, position_lots=-10) == (bid + 4, ask + 4)


@settings(max_examples=60, print_blob=True)
@given(gammas, kappas, st.floats(0.1, 10.0))
def test_without_inventory_the_quotes_are_even_about_the_mid(gamma, kappa, sigma):
    params = params_of(gamma_per_tick=gamma, kappa_per_tick=kappa, sigma_ticks_per_sqrt_s=sigma)
    bid, ask = quotes(params)
    assert 10_000 - bid == ask - 10_000 >= 1


@settings(max_examples=100, print_blob=True)
@given(gammas, gammas, kappas, st.floats(1.0, 100.0))
def test_more_risk_aversion_is_wider_where_risk_outweighs_haste(first, second, kappa, times):
    """That is, where the variance over the horizon is at least 1 / kappa²."""
    low, high = sorted((first, second))
    variance = times / kappa**2
    narrow, wide = (half_spread_ticks(gamma, kappa, variance) for gamma in (low, high))
    assert wide >= narrow * (1 - 1e-12)


def test_with_little_risk_aversion_the_spread_is_two_over_kappa():
    assert half_spread_ticks(1e-9, 0.5, 1.0) == pytest.approx(2.0, rel=1e-6)


# Guards.


def test_quotes_stay_a_tick_away_from_the_other_side_of_the_touch():
    params = params_of(gamma_per_tick=1.0)
    assert quotes(params, position_lots=-100, bid=9_999, ask=10_001)[0] == 10_000
    assert quotes(params, position_lots=100, bid=9_999, ask=10_001)[1] == 10_000


def test_the_least_half_spread_holds():
    params = params_of(gamma_per_tick=0.01, half_spread_ticks_min=7)
    assert quotes(params) == (9_993, 10_007)
    assert quotes(params, bid=9_990, ask=10_011) == (9_993, 10_008)


def test_a_side_stops_where_a_fill_would_pass_the_largest_position():
    params = params_of(inventory_lots_max=25)
    assert None not in quotes(params, position_lots=15)
    assert quotes(params, position_lots=16)[0] is None
    assert quotes(params, position_lots=16)[1] is not None
    assert quotes(params, position_lots=-16)[1] is None


def test_a_price_outside_the_venues_range_is_not_quoted():
    """Moved into the range it would be a price that is not wanted."""
    params = params_of(gamma_per_tick=1e3, sigma_ticks_per_sqrt_s=1e6, horizon_ms=86_400_000)
    assert quotes(params, position_lots=10) == (None, 9_991)
    assert quotes(params, position_lots=-10) == (10_009, None)
    assert quotes(params_of(), price_ticks_min=9_999, price_ticks_max=10_001) == (9_999, 10_001)
    assert quotes(params_of(), price_ticks_min=10_000, price_ticks_max=10_000) == (None, None)


# The estimate of sigma.


def feed(params, mids_ticks, step_ns):
    """Return what was wanted after each mid, one every ``step_ns``, under one state."""
    state = np.zeros(1, STATE.dtype)
    return [
        quotes(params, bid=mid - 50, ask=mid + 50, state=state, now_ns=7 * S + index * step_ns)
        for index, mid in enumerate(mids_ticks)
    ], state


def test_nothing_is_quoted_before_the_mid_was_watched_for_one_memory():
    params = params_of(sigma_ticks_per_sqrt_s=0.0, sigma_memory_ms=1000)
    wanted, _ = feed(params, [10_000] * 12, S // 10)
    assert [None in each for each in wanted] == [True] * 10 + [False] * 2


def test_the_estimate_is_the_mean_of_squares_weighted_by_age_and_sums_to_one():
    """Of what was seen alone, so that a short watch is not taken for a quiet market."""
    steps = np.random.default_rng(5).integers(-6, 7, size=30)
    mids = 10_000 + np.concatenate([[0], np.cumsum(steps)])
    params = params_of(
        sigma_ticks_per_sqrt_s=0.0, sigma_memory_ms=2000, gamma_per_tick=0.5, horizon_ms=800
    )
    wanted, _ = feed(params, mids.tolist(), S // 10)
    weights = np.exp(-(0.1 / 2.0) * np.arange(len(steps))[::-1])
    sigma2 = float(np.sum(weights * steps**2 / 0.1) / np.sum(weights))
    low, high = exact(0.5, 1.5, sigma2 * 0.8, 0, Decimal(int(mids[-1])))
    assert abs(high - round(high)) > NEAR
    assert wanted[-1] == (
        int(low.to_integral_value(ROUND_FLOOR)), int(high.to_integral_value(ROUND_CEILING)),
    )  # fmt: skip


def test_a_livelier_market_is_quoted_wider():
    params = params_of(sigma_ticks_per_sqrt_s=0.0, gamma_per_tick=0.5)
    walk = np.random.default_rng(3).choice([-1, 1], size=200).cumsum()
    calm, _ = feed(params, (10_000 + walk).tolist(), S // 50)
    wild, _ = feed(params, (10_000 + 5 * walk).tolist(), S // 50)
    assert wild[-1][1] - wild[-1][0] > 2 * (calm[-1][1] - calm[-1][0])


def test_a_clock_that_stops_or_steps_back_does_no_harm():
    params = params_of(sigma_ticks_per_sqrt_s=0.0, sigma_memory_ms=1)
    state = np.zeros(1, STATE.dtype)
    for now_ns in (S, S, S - 5, 2 * S, S):
        wanted = quotes(params, state=state, now_ns=now_ns)
    assert None not in wanted
    assert np.isfinite(state["variance_ticks2_per_s"][0])
    assert state["last_ns"][0] == 2 * S
