"""The order table and how an order may change.

An order's row is its number modulo the size of the table, so it is found without a search; numbers
whose row is still needed are skipped.  All changes go through ``set_order``, which also keeps what
the open orders could still add to the position: an order counts at its worst until the venue says
otherwise.

::

    FREE ──► SENT ──► RESTING ──► FILLED, CANCELED, EXPIRED
              │ │        ▲
              │ └──► UNKNOWN (no answer in time)
              └────────┴──► REJECTED, and all of the above in one step

An order that the venue acknowledged can no longer be rejected: who says so is asked again.
"""

from ipc import cell
from ipc.compiled import compiled
from ipc.memory import record_at
from vortex.codes import OrderState, Side
from vortex.records import ORDER, POSITION

ORDER_DTYPE = ORDER.dtype
ORDER_BYTES = ORDER.dtype.itemsize
POSITION_DTYPE = POSITION.dtype


@compiled
def is_open(state: int) -> bool:
    """Return whether an order in ``state`` stands or may stand at the venue."""
    return state == OrderState.SENT or state == OrderState.RESTING or state == OrderState.UNKNOWN


@compiled
def may_follow(state: int, next_state: int) -> bool:
    """Return whether an order may go from ``state`` to ``next_state``.

    From a final state nothing follows: a late fill adds to the position, not to the order's life.
    """
    if state == OrderState.FREE:
        return next_state == OrderState.SENT
    if not is_open(state):
        return False
    if next_state == OrderState.UNKNOWN:
        return state == OrderState.SENT
    if next_state == OrderState.REJECTED:
        return state != OrderState.RESTING
    return next_state != OrderState.FREE and next_state != OrderState.SENT


@compiled
def row_of(orders_address: int, order_count: int, order_id: int) -> int:
    """Return the address of the row where ``order_id`` stands or would stand."""
    return orders_address + (order_id & (order_count - 1)) * ORDER_BYTES


@compiled
def find_order(orders_address: int, order_count: int, order_id: int) -> int:
    """Return the address of the row that holds ``order_id``, 0 when the table has forgotten it."""
    if order_id <= 0:
        return 0
    row_address = row_of(orders_address, order_count, order_id)
    if record_at(row_address, ORDER_DTYPE).order_id != order_id:
        return 0
    return row_address


@compiled
def next_order_id(orders_address: int, order_count: int, last_order_id: int) -> int:
    """Return the next number whose row is free for use, 0 when the table is full of open orders."""
    for step in range(1, order_count + 1):
        row_address = row_of(orders_address, order_count, last_order_id + step)
        if not is_open(record_at(row_address, ORDER_DTYPE).state):
            return last_order_id + step
    return 0


@compiled
def open_lots(order_address: int) -> int:
    """Return what the order could still fill, at its worst."""
    order = record_at(order_address, ORDER_DTYPE)
    if not is_open(order.state):
        return 0
    return max(order.qty_lots - order.filled_lots, 0)


@compiled
def set_order(
    order_address: int, position_address: int, state: int, filled_lots: int, now_ns: int
) -> bool:
    """Move an order to ``state`` with ``filled_lots`` filled; False when that may not follow.

    Filled quantity only grows: what a late or repeated report says of the past changes nothing.
    """
    order = record_at(order_address, ORDER_DTYPE)
    if state != order.state and not may_follow(order.state, state):
        return False
    position = record_at(position_address, POSITION_DTYPE)
    cell.begin_write(order_address)
    cell.begin_write(position_address)
    before_lots = open_lots(order_address)
    before_count = 1 if is_open(order.state) else 0
    order.state = state
    order.filled_lots = max(order.filled_lots, filled_lots)
    order.changed_ns = now_ns
    change_lots = open_lots(order_address) - before_lots
    if order.side == Side.BUY:
        position.open_buy_lots += change_lots
    else:
        position.open_sell_lots += change_lots
    position.open_order_count += (1 if is_open(state) else 0) - before_count
    assert position.open_order_count >= 0, "more orders ended than began"
    cell.end_write(position_address)
    cell.end_write(order_address)
    return True


@compiled
def begin_order(
    order_address: int,
    position_address: int,
    order_id: int,
    instrument_id: int,
    quote_index: int,
    side: int,
    price_ticks: int,
    qty_lots: int,
    now_ns: int,
) -> None:
    """Fill a row for a new order that is about to be sent."""
    order = record_at(order_address, ORDER_DTYPE)
    assert not is_open(order.state), "the row is still needed"
    cell.begin_write(order_address)
    order.order_id = order_id
    order.venue_order_id = 0
    order.instrument_id = instrument_id
    order.account_id = record_at(position_address, POSITION_DTYPE).account_id
    order.quote_index = quote_index
    order.state = OrderState.FREE
    order.side = side
    order.price_ticks = price_ticks
    order.qty_lots = qty_lots
    order.filled_lots = 0
    order.request_kind = 0
    order.request_id = 0
    order.replaced_by_id = 0
    order.created_ns = now_ns
    cell.end_write(order_address)
    set_order(order_address, position_address, OrderState.SENT, 0, now_ns)
