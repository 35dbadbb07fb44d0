"""The difference between the quotes that a strategy wants and those that stand.

A strategy fills ``WANTED``; what stands is known from the gateway's events.  A quote with an
unanswered request is left alone until the answer came.  Cold start, halt and reconnect need no
special case: nothing stands, so everything wanted is placed.
"""

from ipc.compiled import compiled
from ipc.layout import Field, Layout, reserved
from ipc.memory import record_at, zero_bytes
from vortex.codes import Kind, OrderState, Reject, Side
from vortex.orders.order_table import is_open
from vortex.records import ORDER, ORDER_EVENT, REQUEST

QUOTE_COUNT = 8
BID_QUOTE_COUNT = 4  # quotes 0 to 3 buy, 4 to 7 sell

WANTED = Layout(
    "wanted",
    "Where the strategy wants to stand in one instrument; quotes 0-3 buy, 4-7 sell.",
    Field("price_ticks", "i8", "limit price", (QUOTE_COUNT,)),
    Field("qty_lots", "i8", "quantity; 0 for no quote", (QUOTE_COUNT,)),
)

STANDING = Layout(
    "standing",
    "What stands in one instrument as far as the strategy was told.",
    Field("order_id", "i8", "our order in this place; 0 for none", (QUOTE_COUNT,)),
    Field("price_ticks", "i8", "its price", (QUOTE_COUNT,)),
    Field("remaining_lots", "i8", "what of it still stands", (QUOTE_COUNT,)),
    Field("request_kind", "i8", "codes.Kind of the unanswered request; 0", (QUOTE_COUNT,)),
    Field("retry_ns", "i8", "no request before then", (QUOTE_COUNT,)),
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
QUOTING_DTYPE = QUOTING.dtype
REQUEST_DTYPE = REQUEST.dtype
REQUEST_BYTES = REQUEST.dtype.itemsize
ORDER_DTYPE = ORDER.dtype
ORDER_EVENT_DTYPE = ORDER_EVENT.dtype


@compiled
def want_nothing(wanted_address: int) -> None:
    """Empty every quote of ``WANTED``."""
    zero_bytes(wanted_address, WANTED_BYTES)


@compiled
def quote_side(quote_index: int) -> int:
    """Return the Side of a quote."""
    return Side.BUY if quote_index < BID_QUOTE_COUNT else Side.SELL


@compiled
def needed_request(
    wanted_address: int, standing_address: int, quoting_address: int, quote_index: int, now_ns: int
) -> int:
    """Return the Kind of request that brings one quote to where it is wanted, 0 for none."""
    wanted = record_at(wanted_address, WANTED_DTYPE)
    standing = record_at(standing_address, STANDING_DTYPE)
    quoting = record_at(quoting_address, QUOTING_DTYPE)
    if standing.request_kind[quote_index] != 0 or now_ns < standing.retry_ns[quote_index]:
        return 0
    wanted_lots = wanted.qty_lots[quote_index]
    if standing.order_id[quote_index] == 0:
        return Kind.PLACE if wanted_lots > 0 else 0
    if wanted_lots == 0:
        return Kind.CANCEL
    moved_ticks = abs(wanted.price_ticks[quote_index] - standing.price_ticks[quote_index])
    if moved_ticks > 0 and moved_ticks >= quoting.reprice_ticks_min:
        return Kind.REPLACE
    if 2 * standing.remaining_lots[quote_index] < wanted_lots:
        return Kind.REPLACE  # more than half is gone: stand with the full size again
    if standing.remaining_lots[quote_index] > wanted_lots:
        return Kind.REPLACE
    return 0


@compiled
def difference(
    wanted_address: int,
    standing_address: int,
    quoting_address: int,
    instrument_id: int,
    requests_address: int,
    now_ns: int,
) -> int:
    """Write the requests that bring one instrument to what is wanted; return how many (0 to 8).

    Cancels come first: they are what matters when a market runs away.
    """
    standing = record_at(standing_address, STANDING_DTYPE)
    if standing.is_halted != 0:
        return 0
    count = 0
    for turn in range(2):
        for quote_index in range(QUOTE_COUNT):
            kind = needed_request(
                wanted_address, standing_address, quoting_address, quote_index, now_ns
            )
            is_cancel = kind == Kind.CANCEL
            if kind == 0 or is_cancel != (turn == 0):
                continue
            request_address = requests_address + count * REQUEST_BYTES
            write_request(
                request_address, wanted_address, standing_address, instrument_id, quote_index, kind
            )
            count += 1
    return count


@compiled
def write_request(
    request_address: int,
    wanted_address: int,
    standing_address: int,
    instrument_id: int,
    quote_index: int,
    kind: int,
) -> None:
    """Write one request and remember that it is unanswered."""
    wanted = record_at(wanted_address, WANTED_DTYPE)
    standing = record_at(standing_address, STANDING_DTYPE)
    zero_bytes(request_address, REQUEST_BYTES)
    request = record_at(request_address, REQUEST_DTYPE)
    request.kind = kind
    request.instrument_id = instrument_id
    request.quote_index = quote_index
    request.side = quote_side(quote_index)
    request.price_ticks = wanted.price_ticks[quote_index]
    request.qty_lots = wanted.qty_lots[quote_index]
    request.order_id = standing.order_id[quote_index]
    standing.request_kind[quote_index] = kind
    standing.request_count += 1


@compiled
def on_event(standing_address: int, quoting_address: int, event_address: int, now_ns: int) -> None:
    """Bring what stands up to date with one event of the gateway."""
    event = record_at(event_address, ORDER_EVENT_DTYPE)
    standing = record_at(standing_address, STANDING_DTYPE)
    if event.kind == Kind.HALTED:
        forget_all(standing_address)
        standing.is_halted = 1
        return
    if event.kind == Kind.RESUMED:
        # Whatever was requested before was refused or will be discarded: none of it is answered.
        forget_all(standing_address)
        standing.is_halted = 0
        return
    index = event.quote_index
    assert 0 <= index < QUOTE_COUNT, "an event of no quote"
    if event.request_kind != 0:
        standing.request_kind[index] = 0
    if event.kind == Kind.ACKED:
        standing.order_id[index] = event.order_id
        standing.price_ticks[index] = event.price_ticks
        standing.remaining_lots[index] = event.remaining_lots
    elif event.kind == Kind.REJECTED:
        quoting = record_at(quoting_address, QUOTING_DTYPE)
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
def restore(standing_address: int, order_address: int) -> None:
    """Take over one row of the order table, if it is an order that stands or may stand.

    An order that is being replaced gives way to its successor, in whatever order the rows come:
    it is the successor's event that ends the wait.
    """
    order = record_at(order_address, ORDER_DTYPE)
    if not is_open(order.state):
        return
    standing = record_at(standing_address, STANDING_DTYPE)
    index = order.quote_index
    is_replaced = order.request_kind == Kind.REPLACE and order.replaced_by_id != 0
    is_resting = order.state == OrderState.RESTING
    if is_resting and (not is_replaced or standing.order_id[index] == 0):
        standing.order_id[index] = order.order_id
        standing.price_ticks[index] = order.price_ticks
        standing.remaining_lots[index] = order.qty_lots - order.filled_lots
    if not is_resting:
        # The row may be read between its first state and the note of its request.
        standing.request_kind[index] = Kind.PLACE
    if order.request_kind != 0 and not is_replaced:
        standing.request_kind[index] = order.request_kind


@compiled
def forget_all(standing_address: int) -> None:
    """Nothing stands and nothing is under way."""
    standing = record_at(standing_address, STANDING_DTYPE)
    for index in range(QUOTE_COUNT):
        standing.order_id[index] = 0
        standing.remaining_lots[index] = 0
        standing.request_kind[index] = 0
        standing.retry_ns[index] = 0
