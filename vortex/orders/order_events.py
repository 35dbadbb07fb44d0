"""Order events: what the desk tells the strategy of a change, with the sums of our fills."""

from ipc.compiled import compiled
from ipc.memory import record_at, zero_bytes
from ipc.types import Record
from vortex.codes import Kind
from vortex.orders.desk_tables import DESK, lot_e8_of, position_of
from vortex.orders.order_table import OrderCause, set_order
from vortex.orders.positions import held_e8
from vortex.records import ORDER, ORDER_EVENT, POSITION

EVENTS_PER_ANSWER_MAX = 4
DESK_DTYPE = DESK.dtype
ORDER_DTYPE = ORDER.dtype
ORDER_EVENT_DTYPE = ORDER_EVENT.dtype
ORDER_EVENT_BYTES = ORDER_EVENT.dtype.itemsize
POSITION_DTYPE = POSITION.dtype


@compiled
def begin_events(desk_address: int, events_address: int) -> None:
    """Let the next events be written to ``events_address``: room for EVENTS_PER_ANSWER_MAX."""
    desk = record_at(desk_address, DESK_DTYPE)
    desk.events_address = events_address
    desk.event_count = 0


@compiled
def next_event(desk_address: int, kind: int, instrument_id: int, reason: int) -> int:
    """Begin the next event; return its address."""
    desk = record_at(desk_address, DESK_DTYPE)
    assert desk.event_count < EVENTS_PER_ANSWER_MAX, "one answer, too many events"
    event_address = desk.events_address + desk.event_count * ORDER_EVENT_BYTES
    desk.event_count += 1
    zero_bytes(event_address, ORDER_EVENT_BYTES)
    event = record_at(event_address, ORDER_EVENT_DTYPE)
    event.kind = kind
    event.instrument_id = instrument_id
    event.epoch = desk.epoch
    event.reason = reason
    event.orders_left_count = desk.orders_left_count
    position = record_at(position_of(desk_address, instrument_id), POSITION_DTYPE)
    write_sums(event, position, lot_e8_of(desk_address, instrument_id))
    event.account_id = position.account_id
    return int(event_address)


@compiled
def write_sums(event: Record, position: Record, lot_e8: int) -> None:
    """Write into an event what our fills add up to: sums, so that a lost event loses nothing."""
    event.position_lots = position.base_lots
    event.fill_count = position.fill_count
    event.bought_lots = position.bought_lots
    event.bought_notional = position.bought_notional
    event.sold_lots = position.sold_lots
    event.sold_notional = position.cash + position.bought_notional
    event.has_held = position.has_opening
    event.held_lots = held_e8(position, lot_e8) // lot_e8 if position.has_opening != 0 else 0


@compiled
def emit_event(desk_address: int, order: Record, kind: int, reason: int, request_kind: int) -> int:
    """Write an event about one order; return its address.

    ``request_kind`` is the request that it answers, 0 for none.  A REPLACE is answered by the new
    order's event alone.
    """
    event_address = next_event(desk_address, kind, order.instrument_id, reason)
    event = record_at(event_address, ORDER_EVENT_DTYPE)
    event.quote_index = order.quote_index
    event.side = order.side
    event.order_id = order.order_id
    event.price_ticks = order.price_ticks
    event.remaining_lots = max(order.qty_lots - order.filled_lots, 0)
    is_replaced = request_kind == Kind.REPLACE and order.replaced_by_id != 0
    event.request_kind = 0 if is_replaced else request_kind
    return event_address


@compiled
def change(
    desk_address: int, row_address: int, cause: int, filled_lots: int, reason: int, now_ns: int
) -> int:
    """Change an order and write the event of it; return its address, 0 when nothing changes."""
    order = record_at(row_address, ORDER_DTYPE)
    request_kind = order.request_kind
    position_address = position_of(desk_address, order.instrument_id)
    if not set_order(row_address, position_address, cause, filled_lots, now_ns):
        return 0
    answered_kind = request_kind if order.request_kind == 0 else 0
    return emit_event(desk_address, order, event_kind(cause), reason, answered_kind)


@compiled
def event_kind(cause: int) -> int:
    """Return the codes.Kind of the event that says what changed an order."""
    if cause == OrderCause.ACKED or cause == OrderCause.AMENDED:
        return Kind.ACKED
    if cause == OrderCause.PART_FILLED or cause == OrderCause.FILLED:
        return Kind.FILLED
    if cause == OrderCause.CANCELED:
        return Kind.CANCELED
    if cause == OrderCause.EXPIRED:
        return Kind.EXPIRED
    return Kind.UNKNOWN if cause == OrderCause.OVERDUE else Kind.REJECTED


@compiled
def refuse(desk_address: int, request: Record, reason: int) -> None:
    """Write the event that a REQUEST was refused before it was sent."""
    event_address = next_event(desk_address, Kind.REJECTED, request.instrument_id, reason)
    event = record_at(event_address, ORDER_EVENT_DTYPE)
    event.quote_index = request.quote_index
    event.side = request.side
    event.order_id = request.order_id
    event.price_ticks = request.price_ticks
    event.request_kind = request.kind
