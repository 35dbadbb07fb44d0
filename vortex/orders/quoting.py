"""The difference between the quotes that a strategy wants and those that are open.

A strategy fills ``WANTED``; what is open is known from the gateway's events.  A quote with a
request in flight is left alone until the answer arrives.  Cold start, halt and reconnect need no
special case: nothing is open, so everything wanted is placed.

An IOC order never rests: its quote is free again as soon as its end is reported, and an IOC quote
that is still wanted then is sent again.
"""

from ipc.compiled import compiled
from ipc.layout import Field, Layout, reserved
from ipc.memory import record_at, zero_bytes
from ipc.types import Record
from vortex.codes import Kind, OrderForce, OrderState, Reject, Side
from vortex.orders.order_table import is_open
from vortex.records import REQUEST

QUOTE_COUNT = 8
BID_QUOTE_COUNT = 4  # quotes 0 to 3 buy, 4 to 7 sell
#: Of a queue whose length nobody knows.
UNKNOWN_LOTS = -1

WANTED = Layout(
    "wanted",
    "Which quotes the strategy wants in one instrument; quotes 0-3 buy, 4-7 sell.",
    Field("price_ticks", "i8", "limit price", (QUOTE_COUNT,)),
    Field("qty_lots", "i8", "quantity; 0 for no quote", (QUOTE_COUNT,)),
    Field("time_in_force", "i8", "codes.OrderForce: post-only, or IOC", (QUOTE_COUNT,)),
    Field("tag", "i8", "a number of the strategy's own, for observers", (QUOTE_COUNT,)),
    Field("wake_ns", "i8", "when to decide again even if nothing happens; 0 for never"),
    reserved(56),
)

STANDING = Layout(
    "standing",
    "What is open in one instrument as far as the strategy knows.",
    Field("order_id", "i8", "our order in this place; 0 for none", (QUOTE_COUNT,)),
    Field("price_ticks", "i8", "its price", (QUOTE_COUNT,)),
    Field("remaining_lots", "i8", "what of it is still open", (QUOTE_COUNT,)),
    Field("request_kind", "i8", "codes.Kind of the unanswered request; 0", (QUOTE_COUNT,)),
    Field("retry_ns", "i8", "no request before then", (QUOTE_COUNT,)),
    Field("time_in_force", "i8", "codes.OrderForce of the order", (QUOTE_COUNT,)),
    Field("tag", "i8", "its tag", (QUOTE_COUNT,)),
    Field("since_ns", "i8", "when it was acknowledged, or else asked for", (QUOTE_COUNT,)),
    Field("queue_ahead_lots", "i8", "estimate of what is ahead of it; -1: unknown", (QUOTE_COUNT,)),
    Field("is_unknown", "i8", "1 when the answer to the request is overdue", (QUOTE_COUNT,)),
    Field("asked_ticks", "i8", "price of the order asked for", (QUOTE_COUNT,)),
    Field("asked_lots", "i8", "its quantity", (QUOTE_COUNT,)),
    Field("asked_time_in_force", "i8", "its codes.OrderForce", (QUOTE_COUNT,)),
    Field("asked_tag", "i8", "its tag", (QUOTE_COUNT,)),
    Field("asked_ahead_lots", "i8", "estimate of what will be ahead of it; -1", (QUOTE_COUNT,)),
    Field("is_halted", "i8", "1 while the gateway takes no orders"),
    Field("request_count", "i8", "requests made"),
    Field("reject_count", "i8", "requests refused"),
    reserved(40),
)

QUOTING = Layout(
    "quoting",
    "How eagerly quotes follow what is wanted; from the configuration.",
    Field("reprice_ticks_min", "i8", "smallest change of price worth a request"),
    Field("reject_pause_ns", "i8", "how long a quote rests after a refusal"),
    reserved(48),
)

WANTED_DTYPE = WANTED.dtype
WANTED_BYTES = WANTED.dtype.itemsize
STANDING_DTYPE = STANDING.dtype
STANDING_BYTES = STANDING.dtype.itemsize
QUOTING_DTYPE = QUOTING.dtype
REQUEST_DTYPE = REQUEST.dtype
REQUEST_BYTES = REQUEST.dtype.itemsize


@compiled
def want_nothing(wanted_address: int) -> None:
    """Empty every quote of a WANTED."""
    zero_bytes(wanted_address, WANTED_BYTES)


@compiled
def quote_side(quote_index: int) -> int:
    """Return the Side of a quote."""
    return Side.BUY if quote_index < BID_QUOTE_COUNT else Side.SELL


@compiled
def needed_request(
    wanted: Record, standing: Record, quoting: Record, quote_index: int, now_ns: int
) -> int:
    """Return the Kind of request that brings one quote to where it is wanted, 0 for none."""
    if standing.request_kind[quote_index] != 0 or now_ns < standing.retry_ns[quote_index]:
        return 0
    wanted_lots = wanted.qty_lots[quote_index]
    if standing.order_id[quote_index] == 0:
        return Kind.PLACE if wanted_lots > 0 else 0
    if standing.time_in_force[quote_index] == OrderForce.IOC:
        return 0  # it ends by itself
    if wanted_lots == 0 or wanted.time_in_force[quote_index] == OrderForce.IOC:
        return Kind.CANCEL
    moved_ticks = abs(wanted.price_ticks[quote_index] - standing.price_ticks[quote_index])
    if moved_ticks > 0 and moved_ticks >= quoting.reprice_ticks_min:
        return Kind.REPLACE
    if 2 * standing.remaining_lots[quote_index] < wanted_lots:
        return Kind.REPLACE  # more than half is gone: quote the full size again
    if standing.remaining_lots[quote_index] > wanted_lots:
        return Kind.REPLACE
    return 0


@compiled
def difference(
    wanted: Record,
    standing: Record,
    quoting: Record,
    instrument_id: int,
    requests_address: int,
    now_ns: int,
) -> int:
    """Write the requests that bring one instrument to what is wanted; return how many (0 to 8).

    Cancels come first: they are what matters when a market runs away.
    """
    if standing.is_halted != 0:
        return 0
    count = 0
    for is_for_cancels in (True, False):
        for quote_index in range(QUOTE_COUNT):
            kind = needed_request(wanted, standing, quoting, quote_index, now_ns)
            if kind == 0 or (kind == Kind.CANCEL) != is_for_cancels:
                continue
            request_address = requests_address + count * REQUEST_BYTES
            zero_bytes(request_address, REQUEST_BYTES)
            request = record_at(request_address, REQUEST_DTYPE)
            request.instrument_id = instrument_id
            write_request(request, wanted, standing, quote_index, kind, now_ns)
            count += 1
    return count


@compiled
def write_request(
    request: Record, wanted: Record, standing: Record, quote_index: int, kind: int, now_ns: int
) -> None:
    """Write one request into a zeroed REQUEST and remember that it is unanswered."""
    request.kind = kind
    request.quote_index = quote_index
    request.side = quote_side(quote_index)
    request.price_ticks = wanted.price_ticks[quote_index]
    request.qty_lots = wanted.qty_lots[quote_index]
    request.time_in_force = wanted.time_in_force[quote_index]
    request.tag = wanted.tag[quote_index]
    request.order_id = standing.order_id[quote_index]
    standing.request_kind[quote_index] = kind
    standing.request_count += 1
    if kind == Kind.CANCEL:
        return
    standing.asked_ticks[quote_index] = request.price_ticks
    standing.asked_lots[quote_index] = request.qty_lots
    standing.asked_time_in_force[quote_index] = request.time_in_force
    standing.asked_tag[quote_index] = request.tag
    standing.asked_ahead_lots[quote_index] = UNKNOWN_LOTS
    if kind == Kind.PLACE:
        standing.since_ns[quote_index] = now_ns


@compiled
def on_event(standing: Record, quoting: Record, event: Record, now_ns: int) -> None:
    """Bring what is open up to date with one event of the gateway."""
    if event.kind == Kind.HALTED:
        forget_all(standing)
        standing.is_halted = 1
        return
    if event.kind == Kind.RESUMED:
        # Whatever was requested before was refused or will be discarded: none of it is answered.
        forget_all(standing)
        standing.is_halted = 0
        return
    index = event.quote_index
    assert 0 <= index < QUOTE_COUNT, "an event of no quote"
    if event.request_kind != 0:
        standing.request_kind[index] = 0
        standing.is_unknown[index] = 0
    if event.kind == Kind.ACKED:
        on_ack(standing, event, now_ns)
    elif event.kind == Kind.UNKNOWN:
        standing.is_unknown[index] = 1
    elif event.kind == Kind.REJECTED:
        standing.reject_count += 1
        if event.reason != Reject.NO_SUCH_ORDER:
            standing.retry_ns[index] = now_ns + quoting.reject_pause_ns
    if event.order_id == standing.order_id[index]:
        if event.kind == Kind.FILLED:
            standing.remaining_lots[index] = event.remaining_lots
        is_over = event.kind == Kind.CANCELED or event.kind == Kind.EXPIRED
        is_gone = event.kind == Kind.REJECTED and event.reason == Reject.NO_SUCH_ORDER
        if is_over or is_gone or (event.kind == Kind.FILLED and event.remaining_lots == 0):
            standing.order_id[index] = 0
            standing.remaining_lots[index] = 0


@compiled
def on_ack(standing: Record, event: Record, now_ns: int) -> None:
    """Take over the order that a request asked for, or one that was amended in its place.

    An order that only became smaller keeps its place in the queue.
    """
    index = event.quote_index
    is_same = event.order_id == standing.order_id[index]
    is_same_price = event.price_ticks == standing.price_ticks[index]
    if is_same and is_same_price and event.remaining_lots <= standing.remaining_lots[index]:
        standing.remaining_lots[index] = event.remaining_lots
        return
    standing.order_id[index] = event.order_id
    standing.price_ticks[index] = event.price_ticks
    standing.remaining_lots[index] = event.remaining_lots
    standing.time_in_force[index] = standing.asked_time_in_force[index]
    standing.tag[index] = standing.asked_tag[index]
    standing.queue_ahead_lots[index] = standing.asked_ahead_lots[index]
    standing.since_ns[index] = now_ns


@compiled
def restore(standing: Record, order: Record) -> None:
    """Take over one row of the order table, if it is an order that is open or may be.

    An order that is being replaced gives way to its successor, in whatever order the rows come:
    it is the successor's event that ends the wait.
    """
    if not is_open(order.state):
        return
    index = order.quote_index
    is_replaced = order.request_kind == Kind.REPLACE and order.replaced_by_id != 0
    is_resting = order.state == OrderState.RESTING
    if is_resting and (not is_replaced or standing.order_id[index] == 0):
        standing.order_id[index] = order.order_id
        standing.price_ticks[index] = order.price_ticks
        standing.remaining_lots[index] = order.qty_lots - order.filled_lots
        standing.since_ns[index] = order.created_ns
    if not is_resting:
        # The row may be read between its first state and the note of its request.
        standing.request_kind[index] = Kind.PLACE
        standing.asked_ticks[index] = order.price_ticks
        standing.asked_lots[index] = order.qty_lots
        standing.is_unknown[index] = 1 if order.state == OrderState.UNKNOWN else 0
    if order.request_kind != 0 and not is_replaced:
        standing.request_kind[index] = order.request_kind


@compiled
def forget_all(standing: Record) -> None:
    """Nothing is open and no request is in flight."""
    for index in range(QUOTE_COUNT):
        standing.order_id[index] = 0
        standing.remaining_lots[index] = 0
        standing.request_kind[index] = 0
        standing.retry_ns[index] = 0
        standing.time_in_force[index] = OrderForce.POST_ONLY
        standing.tag[index] = 0
        standing.queue_ahead_lots[index] = UNKNOWN_LOTS
        standing.is_unknown[index] = 0
        standing.asked_time_in_force[index] = OrderForce.POST_ONLY
        standing.asked_tag[index] = 0
        standing.asked_ahead_lots[index] = UNKNOWN_LOTS


@compiled
def queue_after_trade(
    ahead_lots: int, side: int, price_ticks: int, trade_ticks: int, trade_lots: int
) -> int:
    """Return what is ahead of an order after a trade that hit its side of the book.

    A trade at its price takes from the front of the queue; one at a worse price for us went through
    our price, so that nothing is left ahead.
    """
    if ahead_lots <= 0:
        return ahead_lots
    distance_ticks = (price_ticks - trade_ticks) * side
    if distance_ticks > 0:
        return 0
    if distance_ticks < 0:
        return ahead_lots
    return max(ahead_lots - trade_lots, 0)


@compiled
def on_trade(standing: Record, aggressor_side: int, price_ticks: int, qty_lots: int) -> None:
    """Let the queues ahead of our orders become shorter by a trade of the market."""
    for index in range(QUOTE_COUNT):
        side = quote_side(index)
        if side == aggressor_side:
            continue
        if standing.order_id[index] != 0:
            standing.queue_ahead_lots[index] = queue_after_trade(
                standing.queue_ahead_lots[index], side, standing.price_ticks[index],
                price_ticks, qty_lots,
            )  # fmt: skip
        if standing.request_kind[index] != 0:
            standing.asked_ahead_lots[index] = queue_after_trade(
                standing.asked_ahead_lots[index], side, standing.asked_ticks[index],
                price_ticks, qty_lots,
            )  # fmt: skip
