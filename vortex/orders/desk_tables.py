"""The tables that the order desk works on: its own state, what is in flight, and their rows."""

from ipc.compiled import compiled
from ipc.layout import Field, Layout, reserved
from ipc.memory import record_at
from vortex.codes import OrderState
from vortex.orders.order_table import find_order, is_open, row_of
from vortex.orders.positions import SEEN_FILLS_BYTES
from vortex.records import INSTRUMENT, ORDER, POSITION

IN_FLIGHT_COUNT = 1_024

IN_FLIGHT = Layout(
    "in_flight",
    "One request that was sent; its row is its number modulo the table's size.",
    Field("request_id", "i8", "its number; 0 when the row is free"),
    Field("kind", "i8", "codes.Kind"),
    Field("instrument_id", "i8", "row of the instrument table"),
    Field("order_id", "i8", "the new order, or the one asked about; 0 for none"),
    Field("old_order_id", "i8", "the order to cancel, replace or amend; 0 for none"),
    Field("sent_ns", "i8", "when it was sent"),
    reserved(16),
)

DESK = Layout(
    "desk",
    "What the desk works with; addresses in the gateway's process.",
    Field("orders_address", "i8", "ORDER table"),
    Field("order_count", "i8", "its rows, a power of two"),
    Field("positions_address", "i8", "POSITION table"),
    Field("in_flight_address", "i8", "IN_FLIGHT table"),
    Field("events_address", "i8", "where the next event goes"),
    Field("event_count", "i8", "events written since events_address was set"),
    Field("last_order_id", "i8", "newest order number"),
    Field("last_request_id", "i8", "newest request number"),
    Field("epoch", "i8", "life of the gateway"),
    Field("fill_count", "i8", "fills counted"),
    Field("late_count", "i8", "answers to requests that were forgotten"),
    Field("stray_count", "i8", "open orders that the venue had refused or denied"),
    Field("round_trip_ns", "i8", "request to answer of the last reply; 0 when it was none"),
    Field("seen_fills_address", "i8", "SEEN_FILLS table"),
    Field("orders_left_count", "i8", "new orders that fit the account's budget; -1: not known"),
    Field("instruments_address", "i8", "INSTRUMENT table"),
    Field("held_change_lots", "i8", "of the last ANSWER: what the account holds beyond our sums"),
    reserved(56),
)

DESK_DTYPE = DESK.dtype
IN_FLIGHT_DTYPE = IN_FLIGHT.dtype
INSTRUMENT_BYTES = INSTRUMENT.dtype.itemsize
INSTRUMENT_DTYPE = INSTRUMENT.dtype
IN_FLIGHT_BYTES = IN_FLIGHT.dtype.itemsize
ORDER_DTYPE = ORDER.dtype
POSITION_DTYPE = POSITION.dtype
POSITION_BYTES = POSITION.dtype.itemsize


@compiled
def position_of(desk_address: int, instrument_id: int) -> int:
    """Return the address of one instrument's position."""
    desk = record_at(desk_address, DESK_DTYPE)
    return desk.positions_address + instrument_id * POSITION_BYTES


@compiled
def lot_e8_of(desk_address: int, instrument_id: int) -> int:
    """Return the lot of an instrument."""
    address = record_at(desk_address, DESK_DTYPE).instruments_address
    return int(record_at(address + instrument_id * INSTRUMENT_BYTES, INSTRUMENT_DTYPE).lot_e8)


@compiled
def find(desk_address: int, order_id: int) -> int:
    """Return the address of an order's row, 0 when the table has forgotten it."""
    desk = record_at(desk_address, DESK_DTYPE)
    return find_order(desk.orders_address, desk.order_count, order_id)


@compiled
def seen_fills_of(desk_address: int, instrument_id: int) -> int:
    """Return the address of the ids of the last fills of an instrument."""
    desk = record_at(desk_address, DESK_DTYPE)
    return desk.seen_fills_address + instrument_id * SEEN_FILLS_BYTES


@compiled
def begin_request(
    desk_address: int, kind: int, instrument_id: int, order_id: int, old_order_id: int, now_ns: int
) -> int:
    """Remember a request that is about to be sent; return its number."""
    desk = record_at(desk_address, DESK_DTYPE)
    desk.last_request_id += 1
    place = desk.last_request_id & (IN_FLIGHT_COUNT - 1)
    row = record_at(desk.in_flight_address + place * IN_FLIGHT_BYTES, IN_FLIGHT_DTYPE)
    row.request_id = desk.last_request_id
    row.kind = kind
    row.instrument_id = instrument_id
    row.order_id = order_id
    row.old_order_id = old_order_id
    row.sent_ns = now_ns
    return int(desk.last_request_id)


@compiled
def unanswered_count(desk_address: int) -> int:
    """Return how many requests the venue has not answered."""
    desk = record_at(desk_address, DESK_DTYPE)
    count = 0
    for place in range(IN_FLIGHT_COUNT):
        row = record_at(desk.in_flight_address + place * IN_FLIGHT_BYTES, IN_FLIGHT_DTYPE)
        if row.request_id != 0:
            count += 1
    return count


@compiled
def next_overdue(desk_address: int, first_index: int, timeout_ns: int, now_ns: int) -> int:
    """Return the row index, from ``first_index`` on, of an order unanswered for too long; or -1."""
    desk = record_at(desk_address, DESK_DTYPE)
    for row_index in range(first_index, desk.order_count):
        row_address = row_of(desk.orders_address, desk.order_count, row_index)
        order = record_at(row_address, ORDER_DTYPE)
        is_waiting = order.request_kind != 0 or order.state == OrderState.UNKNOWN
        if is_open(order.state) and is_waiting and now_ns - order.sent_ns > timeout_ns:
            return row_index
    return -1


@compiled
def open_order_count(desk_address: int, instrument_count: int) -> int:
    """Return how many orders are open or may be, over all instruments."""
    count = 0
    for instrument_id in range(instrument_count):
        position = record_at(position_of(desk_address, instrument_id), POSITION_DTYPE)
        count += position.open_order_count
    return count
