"""The order table and how an order may change.

An order's row is its number modulo the size of the table, so it is found without a search; numbers
whose row is still needed are skipped.  All changes go through ``set_order``, which also keeps what
the open orders could still add to the position: an order counts at its worst until the venue says
otherwise.

An order is a pair: its state, and the unanswered request about it.  ``LIFE`` holds every change of
a pair; ``docs/order_life.md`` is drawn from it.  What it does not hold is not believed: an order
that the venue acknowledged cannot be rejected later, so on such a report its status is asked.
"""

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from ipc import cell
from ipc.compiled import compiled
from ipc.memory import record_at
from ipc.types import Record
from vortex.codes import Kind, OrderState, Side
from vortex.records import ORDER, POSITION

ORDER_DTYPE = ORDER.dtype
ORDER_BYTES = ORDER.dtype.itemsize
POSITION_DTYPE = POSITION.dtype


class OrderCause(IntEnum):
    """What changes an order."""

    PLACE = 0  # requests of ours
    REPLACE_OLD = 1  # another order takes its place
    REPLACE_NEW = 2  # it takes the place of another one
    CANCEL = 3
    AMEND = 4
    ACKED = 5  # the venue: it rests
    AMENDED = 6  # it has the price and quantity that were asked for
    REFUSED = 7  # the request is refused; the order stays as it is
    PART_FILLED = 8
    FILLED = 9
    CANCELED = 10
    EXPIRED = 11
    REJECTED = 12  # it never rested
    OVERDUE = 13  # no answer in time


class Change(NamedTuple):
    """One row of ``LIFE``; a ``request_kind`` is a codes.Kind, 0 for no unanswered request."""

    state: OrderState
    request_kind: int
    cause: OrderCause
    next_state: OrderState
    next_request_kind: int


FREE, SENT, RESTING, UNKNOWN, FILLED, CANCELED, REJECTED, EXPIRED = OrderState

LIFE = (
    Change(FREE, 0, OrderCause.PLACE, SENT, Kind.PLACE),
    Change(FREE, 0, OrderCause.REPLACE_NEW, SENT, Kind.REPLACE),
    Change(SENT, Kind.PLACE, OrderCause.ACKED, RESTING, 0),
    Change(SENT, Kind.PLACE, OrderCause.OVERDUE, UNKNOWN, Kind.PLACE),
    Change(SENT, Kind.PLACE, OrderCause.FILLED, FILLED, 0),
    Change(SENT, Kind.PLACE, OrderCause.CANCELED, CANCELED, 0),
    Change(SENT, Kind.PLACE, OrderCause.EXPIRED, EXPIRED, 0),
    Change(SENT, Kind.PLACE, OrderCause.REJECTED, REJECTED, 0),
    Change(SENT, Kind.REPLACE, OrderCause.ACKED, RESTING, 0),
    Change(SENT, Kind.REPLACE, OrderCause.OVERDUE, UNKNOWN, Kind.REPLACE),
    Change(SENT, Kind.REPLACE, OrderCause.FILLED, FILLED, 0),
    Change(SENT, Kind.REPLACE, OrderCause.CANCELED, CANCELED, 0),
    Change(SENT, Kind.REPLACE, OrderCause.EXPIRED, EXPIRED, 0),
    Change(SENT, Kind.REPLACE, OrderCause.REJECTED, REJECTED, 0),
    Change(UNKNOWN, Kind.PLACE, OrderCause.ACKED, RESTING, 0),
    Change(UNKNOWN, Kind.PLACE, OrderCause.FILLED, FILLED, 0),
    Change(UNKNOWN, Kind.PLACE, OrderCause.CANCELED, CANCELED, 0),
    Change(UNKNOWN, Kind.PLACE, OrderCause.EXPIRED, EXPIRED, 0),
    Change(UNKNOWN, Kind.PLACE, OrderCause.REJECTED, REJECTED, 0),
    Change(UNKNOWN, Kind.REPLACE, OrderCause.ACKED, RESTING, 0),
    Change(UNKNOWN, Kind.REPLACE, OrderCause.FILLED, FILLED, 0),
    Change(UNKNOWN, Kind.REPLACE, OrderCause.CANCELED, CANCELED, 0),
    Change(UNKNOWN, Kind.REPLACE, OrderCause.EXPIRED, EXPIRED, 0),
    Change(UNKNOWN, Kind.REPLACE, OrderCause.REJECTED, REJECTED, 0),
    Change(RESTING, 0, OrderCause.CANCEL, RESTING, Kind.CANCEL),
    Change(RESTING, 0, OrderCause.REPLACE_OLD, RESTING, Kind.REPLACE),
    Change(RESTING, 0, OrderCause.AMEND, RESTING, Kind.AMEND),
    Change(RESTING, 0, OrderCause.PART_FILLED, RESTING, 0),
    Change(RESTING, 0, OrderCause.FILLED, FILLED, 0),
    Change(RESTING, 0, OrderCause.CANCELED, CANCELED, 0),
    Change(RESTING, 0, OrderCause.EXPIRED, EXPIRED, 0),
    Change(RESTING, Kind.CANCEL, OrderCause.REFUSED, RESTING, 0),
    Change(RESTING, Kind.CANCEL, OrderCause.PART_FILLED, RESTING, Kind.CANCEL),
    Change(RESTING, Kind.CANCEL, OrderCause.FILLED, FILLED, 0),
    Change(RESTING, Kind.CANCEL, OrderCause.CANCELED, CANCELED, 0),
    Change(RESTING, Kind.CANCEL, OrderCause.EXPIRED, EXPIRED, 0),
    Change(RESTING, Kind.REPLACE, OrderCause.REFUSED, RESTING, 0),
    Change(RESTING, Kind.REPLACE, OrderCause.PART_FILLED, RESTING, Kind.REPLACE),
    Change(RESTING, Kind.REPLACE, OrderCause.FILLED, FILLED, 0),
    Change(RESTING, Kind.REPLACE, OrderCause.CANCELED, CANCELED, 0),
    Change(RESTING, Kind.REPLACE, OrderCause.EXPIRED, EXPIRED, 0),
    Change(RESTING, Kind.AMEND, OrderCause.AMENDED, RESTING, 0),
    Change(RESTING, Kind.AMEND, OrderCause.REFUSED, RESTING, 0),
    Change(RESTING, Kind.AMEND, OrderCause.PART_FILLED, RESTING, Kind.AMEND),
    Change(RESTING, Kind.AMEND, OrderCause.FILLED, FILLED, 0),
    Change(RESTING, Kind.AMEND, OrderCause.CANCELED, CANCELED, 0),
    Change(RESTING, Kind.AMEND, OrderCause.EXPIRED, EXPIRED, 0),
)

#: Kinds of requests are counted from PLACE on; column 0 is for no request.
KIND_BASE = int(Kind.PLACE) - 1
KIND_COLUMNS = int(Kind.AMEND) - KIND_BASE + 1
PAIR_COUNT = len(OrderState) * KIND_COLUMNS


@compiled
def pair_of(state: int, request_kind: int) -> int:
    """Return the number of a state and the unanswered request about it."""
    column = request_kind - KIND_BASE if request_kind != 0 else 0
    return state * KIND_COLUMNS + column


@compiled
def request_of(pair_number: int) -> int:
    """Return codes.Kind of the unanswered request of a pair, 0 for none."""
    column = pair_number % KIND_COLUMNS
    return column + KIND_BASE if column != 0 else 0


def _next_pairs() -> "np.ndarray[tuple[int, int], np.dtype[np.int64]]":
    """Return the pair that follows each pair for each cause; -1 where none does."""
    pairs = np.full((PAIR_COUNT, len(OrderCause)), -1, np.int64)
    for change in LIFE:
        pair = pair_of(int(change.state), int(change.request_kind))
        assert pairs[pair, change.cause] == -1, f"{change} is there twice"
        pairs[pair, change.cause] = pair_of(int(change.next_state), int(change.next_request_kind))
    return pairs


NEXT_PAIRS = _next_pairs()


@compiled
def is_open(state: int) -> bool:
    """Return whether an order in ``state`` is open at the venue, or may be."""
    return state == OrderState.SENT or state == OrderState.RESTING or state == OrderState.UNKNOWN


@compiled
def next_pair(order: Record, cause: int) -> int:
    """Return the pair that ``cause`` makes of an order; -1 when it cannot follow."""
    return int(NEXT_PAIRS[pair_of(order.state, order.request_kind), cause])


@compiled
def row_of(orders_address: int, order_count: int, order_id: int) -> int:
    """Return the address of the row that ``order_id`` has, if the table holds it."""
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
def worst_lots(order: Record) -> int:
    """Return the quantity that the order has, or that an amendment may have given it."""
    return max(order.qty_lots, order.amend_qty_lots)


@compiled
def open_lots(order: Record) -> int:
    """Return what the order could still fill, at its worst."""
    if not is_open(order.state):
        return 0
    return max(worst_lots(order) - order.filled_lots, 0)


@compiled
def set_order(
    order_address: int, position_address: int, cause: int, filled_lots: int, now_ns: int
) -> bool:
    """Change an order, ``filled_lots`` of it filled; False when ``LIFE`` holds no such change.

    Filled quantity only grows: what a late or repeated report says of the past changes nothing.
    """
    order = record_at(order_address, ORDER_DTYPE)
    pair = next_pair(order, cause)
    if pair < 0:
        return False
    position = record_at(position_address, POSITION_DTYPE)
    cell.begin_write(order_address)
    cell.begin_write(position_address)
    before_lots = open_lots(order)
    before_count = 1 if is_open(order.state) else 0
    if cause == OrderCause.AMENDED:
        order.price_ticks = order.amend_price_ticks
        order.qty_lots = order.amend_qty_lots
    order.state = pair // KIND_COLUMNS
    order.request_kind = request_of(pair)
    if order.request_kind != Kind.AMEND:
        order.amend_price_ticks = 0
        order.amend_qty_lots = 0
    order.filled_lots = max(order.filled_lots, filled_lots)
    order.changed_ns = now_ns
    add_exposure(order, position, before_lots, before_count)
    cell.end_write(position_address)
    cell.end_write(order_address)
    return True


@compiled
def add_exposure(order: Record, position: Record, before_lots: int, before_count: int) -> None:
    """Add to the position's open lots and orders what has changed of one order's."""
    change_lots = open_lots(order) - before_lots
    if order.side == Side.BUY:
        position.open_buy_lots += change_lots
    else:
        position.open_sell_lots += change_lots
    position.open_order_count += (1 if is_open(order.state) else 0) - before_count
    assert position.open_order_count >= 0, "more orders ended than began"


@compiled
def begin_amendment(
    order_address: int, position_address: int, price_ticks: int, qty_lots: int, now_ns: int
) -> bool:
    """Ask for another price and quantity of an order; False when it cannot be asked now."""
    order = record_at(order_address, ORDER_DTYPE)
    if not set_order(order_address, position_address, OrderCause.AMEND, 0, now_ns):
        return False
    position = record_at(position_address, POSITION_DTYPE)
    cell.begin_write(order_address)
    cell.begin_write(position_address)
    before_lots = open_lots(order)
    order.amend_price_ticks = price_ticks
    order.amend_qty_lots = qty_lots
    add_exposure(order, position, before_lots, 1)
    cell.end_write(position_address)
    cell.end_write(order_address)
    return True


@compiled
def begin_order(
    order_address: int,
    position_address: int,
    order_id: int,
    request: Record,
    cause: int,
    now_ns: int,
) -> None:
    """Fill a row for the new order of a REQUEST that is about to be sent."""
    order = record_at(order_address, ORDER_DTYPE)
    assert not is_open(order.state), "the row is still needed"
    cell.begin_write(order_address)
    order.order_id = order_id
    order.venue_order_id = 0
    order.instrument_id = request.instrument_id
    order.account_id = record_at(position_address, POSITION_DTYPE).account_id
    order.quote_index = request.quote_index
    order.state = OrderState.FREE
    order.side = request.side
    order.price_ticks = request.price_ticks
    order.qty_lots = request.qty_lots
    order.filled_lots = 0
    order.request_kind = 0
    order.request_id = 0
    order.replaced_by_id = 0
    order.amend_price_ticks = 0
    order.amend_qty_lots = 0
    order.created_ns = now_ns
    cell.end_write(order_address)
    set_order(order_address, position_address, cause, 0, now_ns)
