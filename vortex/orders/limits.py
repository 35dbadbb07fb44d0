"""What the gateway refuses, whoever asks; cancels are never refused here.

Limits are enforced at the last place before the wire and count what is unanswered at its worst: an
order and the one that shall replace it both stand until the venue says otherwise.
"""

from ipc.compiled import compiled
from ipc.layout import Field, Layout, reserved
from ipc.memory import record_at
from vortex.codes import Reject, Side
from vortex.records import INSTRUMENT, POSITION, TOUCH

LIMITS = Layout(
    "limits",
    "What one instrument's orders may be; from the configuration, in ticks and lots.",
    Field("qty_lots_max", "i8", "largest order"),
    Field("notional_max", "i8", "most price times quantity of an order, in ticks times lots"),
    Field("position_lots_max", "i8", "largest position either way, all open orders filled"),
    Field("price_band_bps", "i8", "how far from the touch a price may be"),
    Field("open_orders_max", "i8", "most orders that stand or may stand"),
    Field("decision_age_ns_max", "i8", "oldest frame that a decision may rest on"),
    Field("touch_age_ns_max", "i8", "oldest touch that an order may be checked against; 0: any"),
    reserved(8),
)

ORDER_RATE = Layout(
    "order_rate",
    "The venue's window of new orders, and until when it wants to hear nothing.",
    Field("window_ns", "i8", "length of the window"),
    Field("window_index", "i8", "which window the count is of (wall time over length)"),
    Field("order_count", "i8", "orders sent in it"),
    Field("order_count_max", "i8", "our share of the venue's budget"),
    Field("blocked_until_wall_ns", "i8", "the venue asked for silence until then; 0 for none"),
    reserved(24),
)

LIMITS_DTYPE = LIMITS.dtype
ORDER_RATE_DTYPE = ORDER_RATE.dtype
INSTRUMENT_DTYPE = INSTRUMENT.dtype
POSITION_DTYPE = POSITION.dtype
TOUCH_DTYPE = TOUCH.dtype

BPS = 10_000


@compiled
def check_bounds(instrument_address: int, price_ticks: int, qty_lots: int) -> int:
    """Return the Reject that the instrument's own rules give, or NONE."""
    instrument = record_at(instrument_address, INSTRUMENT_DTYPE)
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
    limits_address: int, position_address: int, side: int, price_ticks: int, qty_lots: int
) -> int:
    """Return the Reject that our own limits give for one more open order, or NONE."""
    limits = record_at(limits_address, LIMITS_DTYPE)
    position = record_at(position_address, POSITION_DTYPE)
    if qty_lots > limits.qty_lots_max:
        return Reject.ORDER_SIZE
    if price_ticks * qty_lots > limits.notional_max:
        return Reject.NOTIONAL
    if position.open_order_count >= limits.open_orders_max:
        return Reject.OPEN_ORDERS
    if side == Side.BUY:
        worst_lots = position.base_lots + position.open_buy_lots + qty_lots
    else:
        worst_lots = -(position.base_lots - position.open_sell_lots - qty_lots)
    if worst_lots > limits.position_lots_max:
        return Reject.POSITION
    return Reject.NONE


@compiled
def check_band(
    limits_address: int, touch_address: int, side: int, price_ticks: int, now_ns: int
) -> int:
    """Return BOOK_INVALID or PRICE_BAND when the price cannot be trusted, or NONE.

    The band is measured from the far touch: a buy may not exceed the best ask by more than the
    band, nor lie more than the band below the best bid.
    """
    limits = record_at(limits_address, LIMITS_DTYPE)
    touch = record_at(touch_address, TOUCH_DTYPE)
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
def check_age(limits_address: int, newest_kernel_ns: int, now_ns: int) -> int:
    """Return DECISION_AGE when the newest frame behind a decision is too old, or NONE."""
    limits = record_at(limits_address, LIMITS_DTYPE)
    if newest_kernel_ns > 0 and now_ns - newest_kernel_ns > limits.decision_age_ns_max:
        return Reject.DECISION_AGE
    return Reject.NONE


@compiled
def check_rate(rate_address: int, wall_ns: int) -> int:
    """Return ORDER_RATE or VENUE_THROTTLED when nothing may be sent now, or NONE."""
    rate = record_at(rate_address, ORDER_RATE_DTYPE)
    if wall_ns < rate.blocked_until_wall_ns:
        return Reject.VENUE_THROTTLED
    if wall_ns // rate.window_ns != rate.window_index:
        return Reject.NONE
    if rate.order_count >= rate.order_count_max:
        return Reject.ORDER_RATE
    return Reject.NONE


@compiled
def count_order(rate_address: int, wall_ns: int) -> None:
    """Count one order that was sent, in the venue's window (fixed, aligned to the wall clock)."""
    rate = record_at(rate_address, ORDER_RATE_DTYPE)
    window_index = wall_ns // rate.window_ns
    if window_index != rate.window_index:
        rate.window_index = window_index
        rate.order_count = 0
    rate.order_count += 1


@compiled
def heed_venue(
    rate_address: int, order_count: int, reject: int, retry_after_wall_ns: int, wall_ns: int
) -> None:
    """Believe the venue where it counts more than we do, or asks for silence.

    Throttled without being told until when, nothing new is sent in this window.
    """
    rate = record_at(rate_address, ORDER_RATE_DTYPE)
    if reject == Reject.VENUE_THROTTLED and retry_after_wall_ns == 0:
        retry_after_wall_ns = (wall_ns // rate.window_ns + 1) * rate.window_ns
    if order_count > rate.order_count and wall_ns // rate.window_ns == rate.window_index:
        rate.order_count = order_count
    rate.blocked_until_wall_ns = max(rate.blocked_until_wall_ns, retry_after_wall_ns)
