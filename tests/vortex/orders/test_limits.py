"""Each limit at, below and above its edge; the venue's windows and words."""

import pytest
from builders import record_of
from hypothesis import given, settings
from hypothesis import strategies as st

from ipc.memory import address_of
from vortex.codes import Reject, Side
from vortex.orders import limits
from vortex.orders.limits import LIMITS, ORDER_RATE
from vortex.records import INSTRUMENT, POSITION, TOUCH

NONE = Reject.NONE
S = 1_000_000_000


def limits_of(**fields):
    """Return LIMITS that only ``fields`` make narrow."""
    wide = {
        "qty_lots_max": 10**9, "notional_max": 10**15, "position_lots_max": 10**9,
        "price_band_bps": 100, "open_orders_max": 100, "decision_age_ns_max": S,
    }  # fmt: skip
    return record_of(LIMITS, **wide | fields)


@pytest.mark.parametrize(
    ("price_ticks", "qty_lots", "reason"),
    [
        (10, 50, NONE),
        (9, 50, Reject.OUT_OF_BOUNDS),
        (100, 5, NONE),
        (101, 5, Reject.OUT_OF_BOUNDS),
        (100, 4, Reject.OUT_OF_BOUNDS),
        (50, 60, NONE),
        (50, 61, Reject.OUT_OF_BOUNDS),
        (10, 39, Reject.OUT_OF_BOUNDS),  # 390 is below the least notional
        (10, 40, NONE),
        (60, 50, NONE),  # 3000
        (100, 31, Reject.OUT_OF_BOUNDS),  # 3100 is above the most
    ],
)
def test_the_instruments_own_bounds(price_ticks, qty_lots, reason):
    instrument = record_of(
        INSTRUMENT, price_ticks_min=10, price_ticks_max=100, qty_lots_min=5, qty_lots_max=60,
        notional_min=400, notional_max=3_000,
    )  # fmt: skip
    assert limits.check_bounds(address_of(instrument), price_ticks, qty_lots) == reason


def exposure(limit_row, position, side, price_ticks, qty_lots):
    """Check one more order against the limits."""
    addresses = address_of(limit_row), address_of(position)
    return limits.check_exposure(*addresses, side, price_ticks, qty_lots)


@pytest.mark.parametrize("side", list(Side))
def test_size_notional_and_number_of_orders(side):
    limit_row = limits_of(qty_lots_max=10, notional_max=1_000, open_orders_max=3)
    position = record_of(POSITION, open_order_count=2)
    assert exposure(limit_row, position, side, 100, 10) == NONE
    assert exposure(limit_row, position, side, 90, 11) == Reject.ORDER_SIZE
    assert exposure(limit_row, position, side, 101, 10) == Reject.NOTIONAL
    position["open_order_count"] = 3
    assert exposure(limit_row, position, side, 100, 10) == Reject.OPEN_ORDERS


lots = st.integers(-50, 50)
open_lots = st.integers(0, 50)


@settings(max_examples=100, print_blob=True)
@given(lots, open_lots, open_lots, st.sampled_from(list(Side)), st.integers(1, 50))
def test_the_position_limit_holds_if_all_open_orders_of_the_side_fill(
    base_lots, buy_lots, sell_lots, side, qty_lots
):
    position = record_of(
        POSITION, base_lots=base_lots, open_buy_lots=buy_lots, open_sell_lots=sell_lots
    )
    found = exposure(limits_of(position_lots_max=40), position, side, 1, qty_lots)
    if side == Side.BUY:
        is_over = base_lots + buy_lots + qty_lots > 40
    else:
        is_over = base_lots - sell_lots - qty_lots < -40
    assert found == (Reject.POSITION if is_over else NONE)


def test_an_order_that_reduces_the_position_is_taken_however_large_that_is():
    position = record_of(POSITION, base_lots=100)
    limit_row = limits_of(position_lots_max=40)
    assert exposure(limit_row, position, Side.SELL, 1, 10) == NONE
    assert exposure(limit_row, position, Side.SELL, 1, 140) == NONE
    assert exposure(limit_row, position, Side.SELL, 1, 141) == Reject.POSITION
    assert exposure(limit_row, position, Side.BUY, 1, 1) == Reject.POSITION


def band(price_ticks, now_ns=0, touch_age_ns_max=0, **fields):
    """Check a price against a touch of 10,000 by 10,010 and a band of 1 %."""
    values = {"is_valid": 1, "bid_ticks": 10_000, "ask_ticks": 10_010, "publish_ns": 100} | fields
    touch = record_of(TOUCH, **values)
    limit_row = limits_of(touch_age_ns_max=touch_age_ns_max)
    found = {
        limits.check_band(address_of(limit_row), address_of(touch), side, price_ticks, now_ns)
        for side in Side
    }
    assert len(found) == 1, "the same for both sides"
    return found.pop()


def test_the_price_band_is_measured_from_the_touch():
    assert band(10_005) == NONE
    assert band(9_900) == NONE
    assert band(9_899) == Reject.PRICE_BAND
    assert band(10_110) == NONE
    assert band(10_111) == Reject.PRICE_BAND


def test_no_price_is_trusted_without_a_valid_two_sided_and_fresh_touch():
    assert band(10_005, is_valid=0) == Reject.BOOK_INVALID
    assert band(10_005, bid_ticks=0) == Reject.BOOK_INVALID
    assert band(10_005, ask_ticks=0) == Reject.BOOK_INVALID
    assert band(10_005, now_ns=10**15) == NONE, "0: any age"
    assert band(10_005, now_ns=150, touch_age_ns_max=50) == NONE
    assert band(10_005, now_ns=151, touch_age_ns_max=50) == Reject.BOOK_INVALID


def test_a_decision_on_an_old_frame_is_refused():
    address = address_of(limit_row := limits_of(decision_age_ns_max=50))
    assert limits.check_age(address, 100, 150) == NONE
    assert limits.check_age(address, 100, 151) == Reject.DECISION_AGE
    assert limits.check_age(address, 0, 10**15) == NONE, "no frame caused it"
    assert limit_row["decision_age_ns_max"] == 50


@pytest.fixture
def rate():
    """Return a window of 10 s with room for three orders."""
    return record_of(ORDER_RATE, window_ns=10 * S, order_count_max=3)


def test_a_window_takes_its_share_and_the_next_one_begins_on_the_clock(rate):
    address = address_of(rate)
    start_ns = 170_000_000 * 10 * S
    for offset_ns in (0, 1, 10 * S - 1):
        assert limits.check_rate(address, start_ns + offset_ns) == NONE
        limits.count_order(address, start_ns + offset_ns)
    assert limits.check_rate(address, start_ns + 10 * S - 1) == Reject.ORDER_RATE
    assert limits.check_rate(address, start_ns + 10 * S) == NONE, "aligned to the clock"
    limits.count_order(address, start_ns + 10 * S)
    assert rate["order_count"] == 1


def heed(rate, order_count=-1, reject=NONE, retry_after_wall_ns=0, wall_ns=0):
    """Let the window hear the venue."""
    limits.heed_venue(address_of(rate), order_count, reject, retry_after_wall_ns, wall_ns)


def test_the_venues_count_is_believed_where_it_is_higher(rate):
    address = address_of(rate)
    limits.count_order(address, 5 * S)
    heed(rate, order_count=-1, wall_ns=5 * S)
    heed(rate, order_count=0, wall_ns=5 * S)
    assert rate["order_count"] == 1
    heed(rate, order_count=3, wall_ns=11 * S)
    assert limits.check_rate(address, 5 * S) == NONE, "that was another window's"
    heed(rate, order_count=3, wall_ns=6 * S)
    assert limits.check_rate(address, 6 * S) == Reject.ORDER_RATE


def test_nothing_is_sent_while_the_venue_wants_silence(rate):
    address = address_of(rate)
    heed(rate, reject=Reject.VENUE_THROTTLED, retry_after_wall_ns=90 * S, wall_ns=5 * S)
    heed(rate, reject=Reject.VENUE_THROTTLED, retry_after_wall_ns=30 * S, wall_ns=6 * S)
    assert limits.check_rate(address, 90 * S - 1) == Reject.VENUE_THROTTLED
    assert limits.check_rate(address, 90 * S) == NONE


def test_throttled_without_a_time_the_window_is_over(rate):
    address = address_of(rate)
    heed(rate, reject=Reject.VENUE_THROTTLED, wall_ns=13 * S)
    assert limits.check_rate(address, 20 * S - 1) == Reject.VENUE_THROTTLED
    assert limits.check_rate(address, 20 * S) == NONE
    heed(rate, reject=Reject.VENUE_FILTER, wall_ns=33 * S)
    assert limits.check_rate(address, 33 * S) == NONE
