"""Each limit at, below and above its edge; the venue's windows and words."""

import pytest
from builders import record_of
from hypothesis import given, settings
from hypothesis import strategies as st
from order_side import row_of, zeros

from ipc.memory import address_of
from vortex.codes import Kind, Outcome, Reject, Side
from vortex.orders import limits
from vortex.orders.limits import (
    LIMITS,
    ORDER_RATE,
    RATE_COUNT_MAX,
    ROLLING_COUNT_MAX,
    Budget,
)
from vortex.records import ANSWER, INSTRUMENT, POSITION, TOUCH

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
    assert limits.check_bounds(row_of(instrument), price_ticks, qty_lots) == reason


def exposure(limit_row, position, side, price_ticks, qty_lots):
    """Check one more order against the limits."""
    rows = row_of(limit_row), row_of(position)
    return limits.check_exposure(*rows, side, price_ticks, qty_lots)


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
    return limits.check_band(row_of(limit_row), row_of(touch), price_ticks, now_ns)


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
    row = row_of(limit_row := limits_of(decision_age_ns_max=50))
    assert limits.check_age(row, 100, 150) == NONE
    assert limits.check_age(row, 100, 151) == Reject.DECISION_AGE
    assert limits.check_age(row, 0, 10**15) == NONE, "no frame caused it"
    assert limit_row["decision_age_ns_max"] == 50


class Rates:
    """The windows of a venue, in plain memory."""

    def __init__(self, *budgets):
        self.rows = zeros(ORDER_RATE, RATE_COUNT_MAX)
        limits.begin_rates(self.rows, budgets)

    def check(self, wall_ns, kind=Kind.PLACE):
        """Return why nothing may be sent."""
        return limits.check_rate(address_of(self.rows), kind, wall_ns)

    def count(self, wall_ns, kind=Kind.PLACE):
        """Count a request."""
        limits.count_order(address_of(self.rows), kind, wall_ns)

    def heed(self, wall_ns, **fields):
        """Let the windows hear the venue."""
        values = {"order_count_10s": -1, "limit_left_count": -1} | fields
        limits.heed_venue(address_of(self.rows), row_of(record_of(ANSWER, **values)), wall_ns)


@pytest.fixture
def rates():
    """Return a window of 10 s with room for three orders, amendments free."""
    return Rates(Budget(10 * S, 3, is_rolling=False, is_amend_counted=False))


def test_a_window_takes_its_share_and_the_next_one_begins_on_the_clock(rates):
    start_ns = 170_000_000 * 10 * S
    for offset_ns in (0, 1, 10 * S - 1):
        assert rates.check(start_ns + offset_ns) == NONE
        rates.count(start_ns + offset_ns)
    assert rates.check(start_ns + 10 * S - 1) == Reject.ORDER_RATE
    assert rates.check(start_ns + 10 * S - 1, Kind.AMEND) == NONE, "amendments are free"
    assert rates.check(start_ns + 10 * S) == NONE, "aligned to the clock"
    rates.count(start_ns + 10 * S)
    rates.count(start_ns + 10 * S, Kind.AMEND)
    assert rates.rows["order_count"][0] == 1


def test_the_venues_count_is_believed_where_it_is_higher(rates):
    rates.count(5 * S)
    rates.heed(5 * S)
    rates.heed(5 * S, order_count_10s=0)
    assert rates.rows["order_count"][0] == 1
    rates.heed(11 * S, order_count_10s=3)
    assert rates.check(5 * S) == NONE, "that was another window's"
    rates.heed(6 * S, order_count_10s=3)
    assert rates.check(6 * S) == Reject.ORDER_RATE


def test_nothing_is_sent_while_the_venue_wants_silence(rates):
    rates.heed(5 * S, reject=Reject.VENUE_THROTTLED, retry_after_ms=90_000)
    rates.heed(6 * S, reject=Reject.VENUE_THROTTLED, retry_after_ms=30_000)
    assert rates.check(90 * S - 1) == Reject.VENUE_THROTTLED
    assert rates.check(90 * S) == NONE


def test_throttled_without_a_time_the_window_is_over(rates):
    rates.heed(13 * S, reject=Reject.VENUE_THROTTLED)
    assert rates.check(20 * S - 1) == Reject.VENUE_THROTTLED
    assert rates.check(20 * S) == NONE
    rates.heed(33 * S, reject=Reject.VENUE_FILTER)
    assert rates.check(33 * S) == NONE


@settings(max_examples=80, print_blob=True)
@given(
    st.lists(st.integers(0, 40), max_size=60),
    st.integers(1, 7),
    st.integers(1, 100),
)
def test_a_rolling_window_never_holds_more_than_its_share(steps, order_count_max, window_ns):
    rates = Rates(Budget(window_ns, order_count_max, is_rolling=True))
    sent, wall_ns = [], 1_000
    for step_ns in steps:
        wall_ns += step_ns
        in_window = sum(sent_ns > wall_ns - window_ns for sent_ns in sent)
        expected = Reject.ORDER_RATE if in_window >= order_count_max else NONE
        assert rates.check(wall_ns, Kind.AMEND) == expected
        if expected == NONE:
            rates.count(wall_ns, Kind.AMEND)
            sent.append(wall_ns)


def test_the_narrowest_of_several_windows_counts():
    rates = Rates(Budget(S, 2, is_rolling=True), Budget(10 * S, 3, is_rolling=False))
    for wall_ns in (1, 2):
        rates.count(wall_ns)
    assert rates.check(3) == Reject.ORDER_RATE
    assert rates.check(S + 2) == NONE
    rates.count(S + 2)
    assert rates.check(5 * S) == Reject.ORDER_RATE
    assert rates.check(10 * S) == NONE


def test_a_venue_that_has_no_room_left_is_believed():
    rates = Rates(Budget(S, 2, is_rolling=True))
    rates.heed(5 * S, limit_left_count=0, cancel_outcome=Outcome.SUCCESS)
    assert rates.check(5 * S) == NONE, "that was of cancels"
    rates.heed(5 * S, limit_left_count=0, place_outcome=Outcome.ACCEPTED)
    assert rates.check(6 * S - 1) == Reject.VENUE_THROTTLED
    assert rates.check(6 * S) == NONE


def test_more_windows_than_rows_are_refused_and_so_is_a_rolling_one_too_full():
    with pytest.raises(ValueError, match="windows"):
        Rates(*[Budget(S, 1, is_rolling=True)] * (RATE_COUNT_MAX + 1))
    with pytest.raises(ValueError, match="rolling"):
        Rates(Budget(S, ROLLING_COUNT_MAX + 1, is_rolling=True))


def test_an_amendment_counts_what_it_adds():
    limit_row = limits_of(qty_lots_max=10, position_lots_max=20, open_orders_max=1)
    position = record_of(POSITION, base_lots=5, open_buy_lots=10, open_order_count=1)
    rows = row_of(limit_row), row_of(position)
    assert limits.check_size(*rows, Side.BUY, 1, 10, 5) == NONE, "no further order"
    assert limits.check_size(*rows, Side.BUY, 1, 10, 6) == Reject.POSITION
    assert limits.check_size(*rows, Side.BUY, 1, 11, 0) == Reject.ORDER_SIZE
