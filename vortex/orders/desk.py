"""The order desk: what becomes of requests and answers, as pure state.

The desk allots order numbers, remembers which request is unanswered, turns the venue's answers into
order events, and counts fills.  Reports of one change reach us twice, as a reply and as an
execution report, in either order; the row's state makes the second one a repetition.

An event's ``request_kind`` is not 0 when it answers the request that its quote waits for: the new
order's row carries PLACE or REPLACE until it is acknowledged or refused, a standing order's row
carries CANCEL.
"""

from ipc.compiled import compiled
from ipc.layout import Field, Layout, reserved
from ipc.memory import record_at, zero_bytes
from vortex.codes import Answer, Execution, Kind, OrderState, Outcome, Reject
from vortex.orders.order_table import (
    begin_order,
    find_order,
    is_open,
    next_order_id,
    row_of,
    set_order,
)
from vortex.orders.positions import add_fill, begin_fills, is_new_fill
from vortex.records import ANSWER, ORDER, ORDER_EVENT, POSITION, REQUEST

IN_FLIGHT_COUNT = 1_024
EVENTS_PER_ANSWER_MAX = 4

IN_FLIGHT = Layout(
    "in_flight",
    "One request that was sent; its row is its number modulo the table's size.",
    Field("request_id", "i8", "its number; 0 when the row is free"),
    Field("kind", "i8", "codes.Kind"),
    Field("instrument_id", "i8", "row of the instrument table"),
    Field("order_id", "i8", "the new order, or the one asked about; 0 for none"),
    Field("old_order_id", "i8", "the order to cancel or replace; 0 for none"),
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
    Field("stray_count", "i8", "orders that stand although the venue had refused or denied them"),
    Field("round_trip_ns", "i8", "request to answer of the last reply; 0 when it was none"),
    reserved(24),
)

ANSWER_DTYPE = ANSWER.dtype
DESK_DTYPE = DESK.dtype
IN_FLIGHT_DTYPE = IN_FLIGHT.dtype
IN_FLIGHT_BYTES = IN_FLIGHT.dtype.itemsize
ORDER_DTYPE = ORDER.dtype
ORDER_EVENT_DTYPE = ORDER_EVENT.dtype
ORDER_EVENT_BYTES = ORDER_EVENT.dtype.itemsize
POSITION_DTYPE = POSITION.dtype
POSITION_BYTES = POSITION.dtype.itemsize
REQUEST_DTYPE = REQUEST.dtype


@compiled
def position_of(desk_address: int, instrument_id: int) -> int:
    """Return the address of one instrument's position."""
    desk = record_at(desk_address, DESK_DTYPE)
    return desk.positions_address + instrument_id * POSITION_BYTES


@compiled
def find(desk_address: int, order_id: int) -> int:
    """Return the address of an order's row, 0 when the table has forgotten it."""
    desk = record_at(desk_address, DESK_DTYPE)
    return find_order(desk.orders_address, desk.order_count, order_id)


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
def check_order(desk_address: int, order_id: int) -> int:
    """Return why an order cannot be cancelled or replaced now, or NONE."""
    row_address = find(desk_address, order_id)
    if row_address == 0:
        return Reject.NO_SUCH_ORDER
    order = record_at(row_address, ORDER_DTYPE)
    if not is_open(order.state):
        return Reject.NO_SUCH_ORDER
    if order.request_kind != 0:
        return Reject.IN_FLIGHT
    return Reject.NONE


@compiled
def submit(desk_address: int, request_address: int, now_ns: int) -> int:
    """Enter a request that passed every check; return its number, 0 when the table is full."""
    desk = record_at(desk_address, DESK_DTYPE)
    request = record_at(request_address, REQUEST_DTYPE)
    kind = request.kind
    new_order_id = 0
    if kind != Kind.CANCEL:
        new_order_id = next_order_id(desk.orders_address, desk.order_count, desk.last_order_id)
        if new_order_id == 0:
            return 0
        desk.last_order_id = new_order_id
    request_id = begin_request(
        desk_address, kind, request.instrument_id, new_order_id, request.order_id, now_ns
    )
    if new_order_id != 0:
        row_address = row_of(desk.orders_address, desk.order_count, new_order_id)
        begin_order(
            row_address, position_of(desk_address, request.instrument_id), new_order_id,
            request.instrument_id, request.quote_index, request.side,
            request.price_ticks, request.qty_lots, now_ns,
        )  # fmt: skip
        ask(row_address, kind, request_id, now_ns)
    if request.order_id != 0:
        ask(find(desk_address, request.order_id), kind, request_id, now_ns)
        record_at(find(desk_address, request.order_id), ORDER_DTYPE).replaced_by_id = new_order_id
    return request_id


@compiled
def ask(row_address: int, kind: int, request_id: int, now_ns: int) -> None:
    """Note on an order's row which request about it is unanswered."""
    order = record_at(row_address, ORDER_DTYPE)
    order.request_kind = kind
    order.request_id = request_id
    order.sent_ns = now_ns


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
    position = record_at(position_of(desk_address, instrument_id), POSITION_DTYPE)
    event.position_lots = position.base_lots
    event.account_id = position.account_id
    return int(event_address)


@compiled
def tell(desk_address: int, row_address: int, kind: int, reason: int, answers: int) -> int:
    """Write an event about one order; ``answers`` 1 also ends the wait for its request.

    Of a REPLACE only the new order's event ends the wait: the quote waits for that one.
    """
    order = record_at(row_address, ORDER_DTYPE)
    event_address = next_event(desk_address, kind, order.instrument_id, reason)
    event = record_at(event_address, ORDER_EVENT_DTYPE)
    event.quote_index = order.quote_index
    event.side = order.side
    event.order_id = order.order_id
    event.price_ticks = order.price_ticks
    event.remaining_lots = max(order.qty_lots - order.filled_lots, 0)
    if answers != 0:
        is_replaced = order.request_kind == Kind.REPLACE and order.replaced_by_id != 0
        if not is_replaced:
            event.request_kind = order.request_kind
        order.request_kind = 0
    return event_address


@compiled
def refuse(desk_address: int, request_address: int, reason: int) -> None:
    """Write the event that a request was refused before it was sent."""
    request = record_at(request_address, REQUEST_DTYPE)
    event_address = next_event(desk_address, Kind.REJECTED, request.instrument_id, reason)
    event = record_at(event_address, ORDER_EVENT_DTYPE)
    event.quote_index = request.quote_index
    event.side = request.side
    event.order_id = request.order_id
    event.price_ticks = request.price_ticks
    event.request_kind = request.kind


@compiled
def acknowledge(desk_address: int, row_address: int, now_ns: int) -> None:
    """An order is known to stand at the venue, or to have stood; tell once.

    One that was rejected may stand all the same: the venue denied it while it was on its way.
    Nobody waits for it any more, so it is counted as a stray, for the gateway to reconcile.
    """
    order = record_at(row_address, ORDER_DTYPE)
    if order.state == OrderState.REJECTED:
        record_at(desk_address, DESK_DTYPE).stray_count += 1
    if order.state == OrderState.SENT or order.state == OrderState.UNKNOWN:
        position_address = position_of(desk_address, order.instrument_id)
        set_order(row_address, position_address, OrderState.RESTING, order.filled_lots, now_ns)
        tell(desk_address, row_address, Kind.ACKED, Reject.NONE, 1)


@compiled
def end_order(
    desk_address: int, row_address: int, state: int, filled_lots: int, reason: int, now_ns: int
) -> None:
    """An order is over; tell once.  What may not follow (see ``orders.py``) is not believed."""
    order = record_at(row_address, ORDER_DTYPE)
    if not is_open(order.state):
        return
    kind = Kind.CANCELED
    if state == OrderState.REJECTED:
        kind = Kind.REJECTED
    elif state == OrderState.EXPIRED:
        kind = Kind.EXPIRED
    elif state == OrderState.FILLED:
        kind = Kind.FILLED
    position_address = position_of(desk_address, order.instrument_id)
    if set_order(row_address, position_address, state, filled_lots, now_ns):
        tell(desk_address, row_address, kind, reason, 1)


@compiled
def on_place_outcome(desk_address: int, order_id: int, answer_address: int, now_ns: int) -> None:
    """The place half of a request ended; a reply that names no outcome is no rejection."""
    row_address = find(desk_address, order_id)
    if row_address == 0:
        return
    answer = record_at(answer_address, ANSWER_DTYPE)
    outcome = answer.place_outcome
    if outcome == Outcome.SUCCESS:
        acknowledge(desk_address, row_address, now_ns)
    elif outcome == Outcome.FAILURE or answer.cancel_outcome == Outcome.FAILURE:
        end_order(desk_address, row_address, OrderState.REJECTED, 0, answer.reject, now_ns)
    else:
        lose_sight(desk_address, row_address, now_ns)


@compiled
def on_cancel_outcome(
    desk_address: int, order_id: int, request_id: int, answer_address: int, now_ns: int
) -> None:
    """The cancel half of a request ended; while it is unknown the row goes on waiting."""
    row_address = find(desk_address, order_id)
    if row_address == 0:
        return
    answer = record_at(answer_address, ANSWER_DTYPE)
    order = record_at(row_address, ORDER_DTYPE)
    if answer.cancel_outcome == Outcome.SUCCESS:
        # Fills that are still under way on the stream count as open until they are counted; the
        # report of the cancel comes behind them and ends the order.
        if answer.canceled_filled_lots <= order.filled_lots:
            end_order(
                desk_address, row_address, OrderState.CANCELED, order.filled_lots,
                Reject.NONE, now_ns,
            )  # fmt: skip
    elif answer.cancel_outcome == Outcome.FAILURE and order.request_id == request_id:
        # Filled, cancelled or never there: the venue does not say which.  Its report does, or
        # the answer to our question when that is overdue.  All other refusals left it standing.
        if answer.reject != Reject.VENUE_UNKNOWN_ORDER and order.request_kind == Kind.CANCEL:
            tell(desk_address, row_address, Kind.REJECTED, answer.reject, 1)
        elif answer.reject != Reject.VENUE_UNKNOWN_ORDER:
            order.request_kind = 0


@compiled
def lose_sight(desk_address: int, row_address: int, now_ns: int) -> None:
    """No answer: the order may or may not stand, and counts at its worst until the venue says."""
    order = record_at(row_address, ORDER_DTYPE)
    if order.state == OrderState.SENT:
        position_address = position_of(desk_address, order.instrument_id)
        set_order(row_address, position_address, OrderState.UNKNOWN, order.filled_lots, now_ns)
        tell(desk_address, row_address, Kind.UNKNOWN, Reject.NONE, 0)


@compiled
def on_status(desk_address: int, order_id: int, answer_address: int, now_ns: int) -> None:
    """The venue said what became of one order."""
    row_address = find(desk_address, order_id)
    if row_address == 0:
        return
    answer = record_at(answer_address, ANSWER_DTYPE)
    order = record_at(row_address, ORDER_DTYPE)
    if answer.reject == Reject.VENUE_UNKNOWN_ORDER:
        # It never arrived.  One that was acknowledged cannot be unknown, so ask again later, but
        # where the venue confirmed that nothing is open: then it lost the order.
        if answer.kind == Answer.FATE and order.state == OrderState.RESTING:
            end_order(
                desk_address,
                row_address,
                OrderState.CANCELED,
                order.filled_lots,
                Reject.NONE,
                now_ns,
            )
        elif order.state == OrderState.SENT or order.state == OrderState.UNKNOWN:
            end_order(
                desk_address,
                row_address,
                OrderState.REJECTED,
                0,
                Reject.VENUE_UNKNOWN_ORDER,
                now_ns,
            )
    elif answer.state == OrderState.RESTING:
        acknowledge(desk_address, row_address, now_ns)
        if order.request_kind != 0:
            tell(desk_address, row_address, Kind.REJECTED, Reject.VENUE_OTHER, 1)
    elif answer.state > OrderState.UNKNOWN:
        if answer.kind == Answer.REPLY and answer.filled_lots > order.filled_lots:
            return  # its fills are still under way on the stream; they count as open until then
        end_order(desk_address, row_address, answer.state, answer.filled_lots, Reject.NONE, now_ns)


@compiled
def on_reply(desk_address: int, answer_address: int, now_ns: int) -> None:
    """Take the reply to one of our requests."""
    desk = record_at(desk_address, DESK_DTYPE)
    answer = record_at(answer_address, ANSWER_DTYPE)
    place = answer.request_id & (IN_FLIGHT_COUNT - 1)
    row = record_at(desk.in_flight_address + place * IN_FLIGHT_BYTES, IN_FLIGHT_DTYPE)
    if answer.request_id <= 0 or row.request_id != answer.request_id:
        desk.late_count += 1
        return
    row.request_id = 0
    desk.round_trip_ns = now_ns - row.sent_ns
    if row.kind == Kind.STATUS:
        on_status(desk_address, row.order_id, answer_address, now_ns)
        return
    if row.kind == Kind.CANCEL or row.kind == Kind.REPLACE:
        on_cancel_outcome(desk_address, row.old_order_id, answer.request_id, answer_address, now_ns)
    if row.kind == Kind.PLACE or row.kind == Kind.REPLACE:
        on_place_outcome(desk_address, row.order_id, answer_address, now_ns)


@compiled
def on_fill(desk_address: int, answer_address: int, row_address: int, now_ns: int) -> None:
    """Count one fill; ``row_address`` is 0 when the order's row is forgotten."""
    answer = record_at(answer_address, ANSWER_DTYPE)
    position_address = position_of(desk_address, answer.instrument_id)
    if not is_new_fill(position_address, answer.trade_id):
        return
    add_fill(
        position_address, answer.trade_id, answer.side, answer.fill_ticks, answer.fill_lots,
        answer.fee_e8, answer.fee_asset, now_ns,
    )  # fmt: skip
    record_at(desk_address, DESK_DTYPE).fill_count += 1
    if row_address == 0:
        return
    acknowledge(desk_address, row_address, now_ns)
    order = record_at(row_address, ORDER_DTYPE)
    is_over = answer.filled_lots >= order.qty_lots
    if is_open(order.state):
        state = OrderState.FILLED if is_over else OrderState.RESTING
        set_order(row_address, position_address, state, answer.filled_lots, now_ns)
    answers = 1 if is_over else 0
    event_address = tell(desk_address, row_address, Kind.FILLED, Reject.NONE, answers)
    event = record_at(event_address, ORDER_EVENT_DTYPE)
    event.fill_ticks = answer.fill_ticks
    event.fill_lots = answer.fill_lots
    event.trade_id = answer.trade_id
    event.is_maker = answer.is_maker
    event.venue_ns = answer.venue_ns


@compiled
def on_execution(desk_address: int, answer_address: int, now_ns: int) -> None:
    """Take one execution report."""
    answer = record_at(answer_address, ANSWER_DTYPE)
    row_address = find(desk_address, answer.order_id)
    if answer.execution == Execution.TRADE and answer.order_id != 0:
        on_fill(desk_address, answer_address, row_address, now_ns)
        return
    if row_address == 0:
        return
    record_at(row_address, ORDER_DTYPE).venue_order_id = answer.venue_order_id
    if answer.execution == Execution.NEW:
        acknowledge(desk_address, row_address, now_ns)
    elif answer.execution == Execution.CANCELED:
        end_order(
            desk_address, row_address, OrderState.CANCELED, answer.filled_lots, Reject.NONE, now_ns
        )
    elif answer.execution == Execution.REJECTED:
        end_order(desk_address, row_address, OrderState.REJECTED, 0, Reject.VENUE_OTHER, now_ns)
    elif answer.state == OrderState.EXPIRED:  # execution EXPIRED, or PREVENTED from trading
        end_order(
            desk_address, row_address, OrderState.EXPIRED, answer.filled_lots, Reject.NONE, now_ns
        )


@compiled
def on_answer(desk_address: int, answer_address: int, events_address: int, now_ns: int) -> int:
    """Take one message of the order connection; write its events; return how many (0 to 4)."""
    desk = record_at(desk_address, DESK_DTYPE)
    desk.events_address = events_address
    desk.event_count = 0
    desk.round_trip_ns = 0
    answer = record_at(answer_address, ANSWER_DTYPE)
    if answer.kind == Answer.REPLY:
        on_reply(desk_address, answer_address, now_ns)
    elif answer.kind == Answer.EXECUTION:
        on_execution(desk_address, answer_address, now_ns)
    elif answer.kind == Answer.FATE:
        on_status(desk_address, answer.order_id, answer_address, now_ns)
    elif answer.kind == Answer.SINCE:
        begin_fills(position_of(desk_address, answer.instrument_id), answer.trade_id)
    for index in range(desk.event_count):
        event = record_at(events_address + index * ORDER_EVENT_BYTES, ORDER_EVENT_DTYPE)
        event.recv_ns = now_ns
    return int(desk.event_count)


@compiled
def next_overdue(desk_address: int, first_row: int, timeout_ns: int, now_ns: int) -> int:
    """Return the row index, from ``first_row`` on, of an order unanswered for too long; or -1."""
    desk = record_at(desk_address, DESK_DTYPE)
    for row_index in range(first_row, desk.order_count):
        row_address = row_of(desk.orders_address, desk.order_count, row_index)
        order = record_at(row_address, ORDER_DTYPE)
        is_waiting = order.request_kind != 0 or order.state == OrderState.UNKNOWN
        if is_open(order.state) and is_waiting and now_ns - order.sent_ns > timeout_ns:
            return row_index
    return -1


@compiled
def open_order_count(desk_address: int, instrument_count: int) -> int:
    """Return how many orders stand or may stand, over all instruments."""
    count = 0
    for instrument_id in range(instrument_count):
        position = record_at(position_of(desk_address, instrument_id), POSITION_DTYPE)
        count += position.open_order_count
    return count
