"""What the gateway refuses before anything is sent; cancels are never refused here.

Limits are enforced at the last place before the wire and count what is unanswered at its worst: an
order and the one that takes its place are both open until the venue says otherwise.
"""

from collections.abc import Sequence
from typing import NamedTuple

from ipc.compiled import compiled
from ipc.layout import Field, Layout, reserved
from ipc.memory import record_at
from ipc.types import Record, RecordArray
from vortex.codes import Kind, Outcome, Reject, Side

LIMITS = Layout(
    "limits",
    "What one instrument's orders may be; from the configuration, in ticks and lots.",
    Field("qty_lots_max", "i8", "largest order"),
    Field("notional_max", "i8", "most price times quantity of an order, in ticks times lots"),
    Field("position_lots_max", "i8", "largest position either way, all open orders filled"),
    Field("price_band_bps", "i8", "how far from the touch a price may be"),
    Field("open_orders_max", "i8", "most orders that are open or may be"),
    Field("decision_age_ns_max", "i8", "oldest frame that a decision may be based on"),
    Field("touch_age_ns_max", "i8", "oldest touch that an order may be checked against; 0: any"),
    reserved(8),
)

#: How many windows a venue has at most, and how many orders a rolling one counts at most.
RATE_COUNT_MAX = 4
ROLLING_COUNT_MAX = 256

ORDER_RATE = Layout(
    "order_rate",
    "One window of time in which the venue takes so many new orders; a row without length is none.",
    Field("window_ns", "i8", "length of the window; 0: the row is not used"),
    Field("is_rolling", "i8", "1: any window of that length; 0: aligned to the wall clock"),
    Field("is_amend_counted", "i8", "1: an amendment counts like a new order"),
    Field("order_count_max", "i8", "our share of the venue's budget"),
    Field("window_index", "i8", "which window the count is of (wall time over length)"),
    Field("order_count", "i8", "orders sent in it; of a rolling window: since the start"),
    Field("blocked_until_wall_ns", "i8", "the venue wants nothing until then; 0: it does"),
    reserved(8),
    Field("sent_wall_ns", "i8", "rolling: when the last orders were sent", (ROLLING_COUNT_MAX,)),
)

ORDER_RATE_DTYPE = ORDER_RATE.dtype
ORDER_RATE_BYTES = ORDER_RATE.dtype.itemsize

BPS = 10_000
NS_PER_MS = 1_000_000
TEN_SECONDS_NS = 10_000_000_000


class Budget(NamedTuple):
    """How many orders the venue takes in a window of time."""

    window_ns: int
    order_count_max: int
    is_rolling: bool  # True: any window of that length; False: windows aligned to the wall clock
    is_amend_counted: bool = True  # whether an amendment counts like a new order


@compiled
def check_bounds(instrument: Record, price_ticks: int, qty_lots: int) -> int:
    """Return the Reject that the instrument's own rules give, or NONE."""
    if price_ticks < instrument.price_ticks_min or price_ticks > instrument.price_ticks_max:
        return Reject.OUT_OF_BOUNDS
    if qty_lots < instrument.qty_lots_min or qty_lots > instrument.qty_lots_max:
        return Reject.OUT_OF_BOUNDS
    notional = price_ticks * qty_lots
    if notional < instrument.notional_min or notional > instrument.notional_max:
        return Reject.OUT_OF_BOUNDS
    return Reject.NONE


@compiled
def check_exposure(
    limits: Record, position: Record, side: int, price_ticks: int, qty_lots: int
) -> int:
    """Return the Reject that our own limits give for one more open order, or NONE."""
    if position.open_order_count >= limits.open_orders_max:
        return Reject.OPEN_ORDERS
    return check_size(limits, position, side, price_ticks, qty_lots, qty_lots)


@compiled
def check_size(
    limits: Record, position: Record, side: int, price_ticks: int, qty_lots: int, more_lots: int
) -> int:
    """Return the Reject of an order of ``qty_lots`` of which ``more_lots`` are not open yet."""
    if qty_lots > limits.qty_lots_max:
        return Reject.ORDER_SIZE
    if price_ticks * qty_lots > limits.notional_max:
        return Reject.NOTIONAL
    if side == Side.BUY:
        worst_lots = position.base_lots + position.open_buy_lots + more_lots
    else:
        worst_lots = -(position.base_lots - position.open_sell_lots - more_lots)
    if worst_lots > limits.position_lots_max:
        return Reject.POSITION
    return Reject.NONE


@compiled
def check_band(limits: Record, touch: Record, price_ticks: int, now_ns: int) -> int:
    """Return BOOK_INVALID or PRICE_BAND when the price cannot be trusted, or NONE.

    The band is measured from the far touch: a price may be above the best ask by the band at most,
    or below the best bid.
    """
    if touch.is_valid == 0 or touch.bid_ticks <= 0 or touch.ask_ticks <= 0:
        return Reject.BOOK_INVALID
    if limits.touch_age_ns_max > 0 and now_ns - touch.publish_ns > limits.touch_age_ns_max:
        return Reject.BOOK_INVALID
    highest_ticks = touch.ask_ticks + touch.ask_ticks * limits.price_band_bps // BPS
    lowest_ticks = touch.bid_ticks - touch.bid_ticks * limits.price_band_bps // BPS
    if price_ticks > highest_ticks or price_ticks < lowest_ticks:
        return Reject.PRICE_BAND
    return Reject.NONE


@compiled
def check_age(limits: Record, newest_kernel_ns: int, now_ns: int) -> int:
    """Return DECISION_AGE when the newest frame behind a decision is too old, or NONE."""
    if newest_kernel_ns > 0 and now_ns - newest_kernel_ns > limits.decision_age_ns_max:
        return Reject.DECISION_AGE
    return Reject.NONE


@compiled
def used_count(rate: Record, wall_ns: int) -> int:
    """Return how many orders of the window at ``wall_ns`` were sent."""
    if rate.is_rolling == 0:
        return int(rate.order_count) if wall_ns // rate.window_ns == rate.window_index else 0
    count = 0
    while count < min(rate.order_count, rate.order_count_max):
        place = (rate.order_count - 1 - count) & (ROLLING_COUNT_MAX - 1)
        if rate.sent_wall_ns[place] <= wall_ns - rate.window_ns:
            break
        count += 1
    return count


@compiled
def check_rate(rates_address: int, kind: int, wall_ns: int) -> int:
    """Return ORDER_RATE or VENUE_THROTTLED when no request of ``kind`` may be sent, or NONE.

    ``rates_address`` holds ``RATE_COUNT_MAX`` rows.
    """
    for index in range(RATE_COUNT_MAX):
        rate = record_at(rates_address + index * ORDER_RATE_BYTES, ORDER_RATE_DTYPE)
        if wall_ns < rate.blocked_until_wall_ns:
            return Reject.VENUE_THROTTLED
        if rate.window_ns == 0 or (kind == Kind.AMEND and rate.is_amend_counted == 0):
            continue
        if used_count(rate, wall_ns) >= rate.order_count_max:
            return Reject.ORDER_RATE
    return Reject.NONE


@compiled
def count_order(rates_address: int, kind: int, wall_ns: int) -> None:
    """Count one request of ``kind`` that is sent, in each window that counts it."""
    for index in range(RATE_COUNT_MAX):
        rate = record_at(rates_address + index * ORDER_RATE_BYTES, ORDER_RATE_DTYPE)
        if rate.window_ns == 0 or (kind == Kind.AMEND and rate.is_amend_counted == 0):
            continue
        if rate.is_rolling != 0:
            rate.sent_wall_ns[rate.order_count & (ROLLING_COUNT_MAX - 1)] = wall_ns
        elif wall_ns // rate.window_ns != rate.window_index:
            rate.window_index = wall_ns // rate.window_ns
            rate.order_count = 0
        rate.order_count += 1


@compiled
def orders_left(rates_address: int, wall_ns: int) -> int:
    """Return how many new orders fit all windows now; -1 when there is no window."""
    left_count = -1
    for index in range(RATE_COUNT_MAX):
        rate = record_at(rates_address + index * ORDER_RATE_BYTES, ORDER_RATE_DTYPE)
        if rate.window_ns == 0:
            continue
        window_left_count = max(rate.order_count_max - used_count(rate, wall_ns), 0)
        if left_count < 0 or window_left_count < left_count:
            left_count = window_left_count
    return left_count


@compiled
def heed_venue(rates_address: int, answer: Record, wall_ns: int) -> None:
    """Believe the venue where an ANSWER counts more orders than we do, or asks for silence."""
    blocked_ns = answer.retry_after_ms * NS_PER_MS
    is_throttled = answer.reject == Reject.VENUE_THROTTLED and blocked_ns == 0
    is_used_up = answer.limit_left_count == 0 and answer.place_outcome != Outcome.NOT_ATTEMPTED
    for index in range(RATE_COUNT_MAX):
        rate = record_at(rates_address + index * ORDER_RATE_BYTES, ORDER_RATE_DTYPE)
        if rate.window_ns == 0:
            continue
        # Throttled, and the venue does not say until when: no new order in this window.
        if is_throttled and index == 0:
            blocked_ns = max(blocked_ns, end_of_window(rate, wall_ns))
        if rate.is_rolling == 0:
            is_same = wall_ns // rate.window_ns == rate.window_index
            if rate.window_ns == TEN_SECONDS_NS and is_same:
                rate.order_count = max(rate.order_count, answer.order_count_10s)
        elif is_used_up and used_count(rate, wall_ns) < rate.order_count_max:
            blocked_ns = max(blocked_ns, end_of_window(rate, wall_ns))
    first = record_at(rates_address, ORDER_RATE_DTYPE)
    first.blocked_until_wall_ns = max(first.blocked_until_wall_ns, blocked_ns)


@compiled
def end_of_window(rate: Record, wall_ns: int) -> int:
    """Return when the window at ``wall_ns`` is over at the latest, wall clock."""
    if rate.is_rolling != 0:
        return int(wall_ns + rate.window_ns)
    return int((wall_ns // rate.window_ns + 1) * rate.window_ns)


def begin_rates(rates: RecordArray, budgets: Sequence[Budget]) -> None:
    """Fill the rows of an ``order_rate`` table; what was sent in the same windows stays counted.

    Raises
    ------
    ValueError
        When there are more windows than rows, or a rolling one holds too many orders.
    """
    if len(budgets) > RATE_COUNT_MAX:
        raise ValueError(f"{len(budgets)} windows of orders: at most {RATE_COUNT_MAX} are kept")
    for row, budget in zip(rates, budgets, strict=False):
        if budget.is_rolling and budget.order_count_max > ROLLING_COUNT_MAX:
            raise ValueError(
                f"{budget.order_count_max} orders in a rolling window: at most {ROLLING_COUNT_MAX}"
            )
        for name, value in budget._asdict().items():
            row[name] = value
