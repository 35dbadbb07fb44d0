"""The order desk: what becomes of requests and answers, as pure state.

The desk allots order numbers, remembers which request is unanswered, turns the venue's answers into
order events, and counts fills.  Reports of one change reach us twice, as a reply and as an
execution report, in either order; the order's ``LIFE`` makes the second one a repetition.

An event's ``request_kind`` is not 0 when it answers the request that its quote waits for: the new
order's row carries PLACE or REPLACE until it is acknowledged or refused, a resting order's row
carries CANCEL or AMEND.
"""

from ipc.compiled import compiled
from ipc.memory import record_at
from ipc.types import Record
from vortex.codes import Answer, Execution, Kind, OrderState, Outcome, Reject
from vortex.orders.desk_tables import (
    DESK,
    IN_FLIGHT,
    IN_FLIGHT_COUNT,
    begin_request,
    find,
    lot_e8_of,
    position_of,
    seen_fills_of,
)
from vortex.orders.order_events import begin_events, change, emit_event
from vortex.orders.order_table import (
    OrderCause,
    begin_amendment,
    begin_order,
    is_open,
    next_order_id,
    next_pair,
    row_of,
    set_order,
    worst_lots,
)
from vortex.orders.positions import add_fill, begin_fills, is_new_fill, set_held
from vortex.records import ORDER, ORDER_EVENT, SEEN_FILLS

NO_REASON = int(Reject.NONE)
OTHER_REASON = int(Reject.VENUE_OTHER)
UNKNOWN_ORDER = int(Reject.VENUE_UNKNOWN_ORDER)

DESK_DTYPE = DESK.dtype
IN_FLIGHT_DTYPE = IN_FLIGHT.dtype
IN_FLIGHT_BYTES = IN_FLIGHT.dtype.itemsize
ORDER_DTYPE = ORDER.dtype
ORDER_EVENT_DTYPE = ORDER_EVENT.dtype
ORDER_EVENT_BYTES = ORDER_EVENT.dtype.itemsize
SEEN_FILLS_DTYPE = SEEN_FILLS.dtype


@compiled
def cause_of(kind: int) -> int:
    """Return what a request of ``kind`` is to the order that it names."""
    if kind == Kind.CANCEL:
        return OrderCause.CANCEL
    return OrderCause.AMEND if kind == Kind.AMEND else OrderCause.REPLACE_OLD


@compiled
def check_order(desk_address: int, order_id: int, kind: int) -> int:
    """Return why an order cannot be cancelled, replaced or amended now, or NONE."""
    row_address = find(desk_address, order_id)
    if row_address == 0:
        return Reject.NO_SUCH_ORDER
    order = record_at(row_address, ORDER_DTYPE)
    if not is_open(order.state):
        return Reject.NO_SUCH_ORDER
    if next_pair(order, cause_of(kind)) < 0:
        return Reject.IN_FLIGHT
    return Reject.NONE


@compiled
def submit(desk_address: int, request: Record, now_ns: int) -> int:
    """Enter a REQUEST that passed every check; return its number, 0 when the table is full.

    Of an AMEND, price and quantity are what the order has after it.
    """
    desk = record_at(desk_address, DESK_DTYPE)
    kind = request.kind
    is_new = kind == Kind.PLACE or kind == Kind.REPLACE
    new_order_id = 0
    if is_new:
        new_order_id = next_order_id(desk.orders_address, desk.order_count, desk.last_order_id)
        if new_order_id == 0:
            return 0
        desk.last_order_id = new_order_id
    request_id = begin_request(
        desk_address, kind, request.instrument_id, new_order_id, request.order_id, now_ns
    )
    position_address = position_of(desk_address, request.instrument_id)
    if is_new:
        row_address = row_of(desk.orders_address, desk.order_count, new_order_id)
        cause = OrderCause.PLACE if kind == Kind.PLACE else OrderCause.REPLACE_NEW
        begin_order(row_address, position_address, new_order_id, request, cause, now_ns)
        note_request(row_address, request_id, now_ns)
    if request.order_id != 0:
        old_address = find(desk_address, request.order_id)
        if kind == Kind.AMEND:
            begin_amendment(
                old_address, position_address, request.price_ticks, request.qty_lots, now_ns
            )
        else:
            set_order(old_address, position_address, cause_of(kind), 0, now_ns)
        note_request(old_address, request_id, now_ns)
        record_at(old_address, ORDER_DTYPE).replaced_by_id = new_order_id
    return request_id


@compiled
def note_request(row_address: int, request_id: int, now_ns: int) -> None:
    """Note on an order's row the number of the unanswered request about it."""
    order = record_at(row_address, ORDER_DTYPE)
    order.request_id = request_id
    order.sent_ns = now_ns


@compiled
def acknowledge(desk_address: int, row_address: int, now_ns: int) -> None:
    """Mark an order as resting and write ACKED once.

    If it was recorded as rejected, the venue contradicts itself: it is counted as a stray, so that
    the gateway reconnects and reconciles.
    """
    order = record_at(row_address, ORDER_DTYPE)
    if order.state == OrderState.REJECTED:
        record_at(desk_address, DESK_DTYPE).stray_count += 1
    change(desk_address, row_address, OrderCause.ACKED, order.filled_lots, NO_REASON, now_ns)


@compiled
def ending_cause(state: int) -> int:
    """Return what brings an order into a final ``state``."""
    if state == OrderState.FILLED:
        return OrderCause.FILLED
    if state == OrderState.EXPIRED:
        return OrderCause.EXPIRED
    return OrderCause.REJECTED if state == OrderState.REJECTED else OrderCause.CANCELED


@compiled
def end_order(
    desk_address: int, row_address: int, state: int, filled_lots: int, reason: int, now_ns: int
) -> None:
    """End an order and write the event once; what its ``LIFE`` does not hold is not believed."""
    change(desk_address, row_address, ending_cause(state), filled_lots, reason, now_ns)


@compiled
def refuse_request(
    desk_address: int, row_address: int, request_id: int, answer: Record, now_ns: int
) -> None:
    """The venue refused a request about an order that stays as it is.

    Filled, cancelled or never there: of VENUE_UNKNOWN_ORDER the venue does not say which.  Its
    report does, or the answer to our question when that is overdue.
    """
    order = record_at(row_address, ORDER_DTYPE)
    if order.request_id != request_id or answer.reject == Reject.VENUE_UNKNOWN_ORDER:
        return
    if order.request_kind == Kind.REPLACE:  # the new order's event answers it
        position_address = position_of(desk_address, order.instrument_id)
        set_order(row_address, position_address, OrderCause.REFUSED, order.filled_lots, now_ns)
    else:
        change(
            desk_address, row_address, OrderCause.REFUSED, order.filled_lots, answer.reject, now_ns
        )


@compiled
def on_place_outcome(desk_address: int, order_id: int, answer: Record, now_ns: int) -> None:
    """The place half of a request ended; a reply that names no outcome is no rejection.

    An order that is accepted goes on waiting: whether it rests comes on another stream.
    """
    row_address = find(desk_address, order_id)
    if row_address == 0 or answer.place_outcome == Outcome.ACCEPTED:
        return
    outcome = answer.place_outcome
    if outcome == Outcome.SUCCESS:
        acknowledge(desk_address, row_address, now_ns)
    elif outcome == Outcome.FAILURE or answer.cancel_outcome == Outcome.FAILURE:
        end_order(desk_address, row_address, OrderState.REJECTED, 0, answer.reject, now_ns)
    else:
        mark_unknown(desk_address, row_address, now_ns)


@compiled
def on_cancel_outcome(
    desk_address: int, order_id: int, request_id: int, answer: Record, now_ns: int
) -> None:
    """The cancel half of a request ended; while it is unknown the row goes on waiting."""
    row_address = find(desk_address, order_id)
    if row_address == 0:
        return
    order = record_at(row_address, ORDER_DTYPE)
    if answer.cancel_outcome == Outcome.SUCCESS:
        # Fills that are not read yet count as open until they are; the report of the cancel comes
        # behind them and ends the order.
        if answer.canceled_filled_lots <= order.filled_lots:
            end_order(
                desk_address, row_address, OrderState.CANCELED, order.filled_lots,
                NO_REASON, now_ns,
            )  # fmt: skip
    elif answer.cancel_outcome == Outcome.FAILURE:
        refuse_request(desk_address, row_address, request_id, answer, now_ns)


@compiled
def on_amend_outcome(
    desk_address: int, order_id: int, request_id: int, answer: Record, now_ns: int
) -> None:
    """An amendment ended; while it is accepted or unknown the row goes on waiting."""
    row_address = find(desk_address, order_id)
    if row_address == 0:
        return
    order = record_at(row_address, ORDER_DTYPE)
    if order.request_id != request_id:
        return
    if answer.place_outcome == Outcome.SUCCESS:
        change(desk_address, row_address, OrderCause.AMENDED, order.filled_lots, NO_REASON, now_ns)
    elif answer.place_outcome == Outcome.FAILURE:
        refuse_request(desk_address, row_address, request_id, answer, now_ns)


@compiled
def is_amended(order: Record, answer: Record) -> bool:
    """Return whether an ANSWER shows the price and quantity that an amendment asked for."""
    return bool(
        order.request_kind == Kind.AMEND
        and answer.price_ticks == order.amend_price_ticks
        and answer.qty_lots == order.amend_qty_lots
    )


@compiled
def mark_unknown(desk_address: int, row_address: int, now_ns: int) -> None:
    """No answer: the order may be open, and counts at its worst until the venue says."""
    order = record_at(row_address, ORDER_DTYPE)
    change(desk_address, row_address, OrderCause.OVERDUE, order.filled_lots, NO_REASON, now_ns)


@compiled
def on_unknown_order(desk_address: int, row_address: int, answer: Record, now_ns: int) -> None:
    """The venue does not know an order.

    It never arrived.  One that was acknowledged cannot be unknown, so its status is asked again,
    unless the venue confirmed that nothing is open: then it lost the order.
    """
    order = record_at(row_address, ORDER_DTYPE)
    if order.state != OrderState.RESTING:
        end_order(desk_address, row_address, OrderState.REJECTED, 0, UNKNOWN_ORDER, now_ns)
    elif answer.kind == Answer.FATE:
        end_order(
            desk_address, row_address, OrderState.CANCELED, order.filled_lots, NO_REASON, now_ns
        )


@compiled
def on_status(desk_address: int, order_id: int, answer: Record, now_ns: int) -> None:
    """The venue said what became of one order."""
    row_address = find(desk_address, order_id)
    if row_address == 0:
        return
    order = record_at(row_address, ORDER_DTYPE)
    if answer.reject == Reject.VENUE_UNKNOWN_ORDER:
        on_unknown_order(desk_address, row_address, answer, now_ns)
    elif answer.state == OrderState.RESTING:
        acknowledge(desk_address, row_address, now_ns)
        if is_amended(order, answer):
            change(
                desk_address, row_address, OrderCause.AMENDED, order.filled_lots, NO_REASON, now_ns
            )
        elif order.request_kind != 0:
            change(
                desk_address, row_address, OrderCause.REFUSED, order.filled_lots,
                OTHER_REASON, now_ns,
            )  # fmt: skip
    elif answer.state > OrderState.UNKNOWN:
        if answer.kind == Answer.REPLY and answer.filled_lots > order.filled_lots:
            return  # its fills are not read yet; they count as open until then
        end_order(desk_address, row_address, answer.state, answer.filled_lots, NO_REASON, now_ns)


@compiled
def on_reply(desk_address: int, answer: Record, now_ns: int) -> None:
    """Take the reply to one of our requests."""
    desk = record_at(desk_address, DESK_DTYPE)
    place = answer.request_id & (IN_FLIGHT_COUNT - 1)
    row = record_at(desk.in_flight_address + place * IN_FLIGHT_BYTES, IN_FLIGHT_DTYPE)
    request_id = answer.request_id
    if request_id <= 0 or row.request_id != request_id:
        desk.late_count += 1
        return
    row.request_id = 0
    desk.round_trip_ns = now_ns - row.sent_ns
    if row.kind == Kind.STATUS:
        on_status(desk_address, row.order_id, answer, now_ns)
    elif row.kind == Kind.AMEND:
        on_amend_outcome(desk_address, row.old_order_id, request_id, answer, now_ns)
    if row.kind == Kind.CANCEL or row.kind == Kind.REPLACE:
        on_cancel_outcome(desk_address, row.old_order_id, request_id, answer, now_ns)
    if row.kind == Kind.PLACE or row.kind == Kind.REPLACE:
        on_place_outcome(desk_address, row.order_id, answer, now_ns)


@compiled
def on_fill(desk_address: int, answer: Record, row_address: int, now_ns: int) -> None:
    """Count one fill; ``row_address`` is 0 when the order's row is forgotten."""
    position_address = position_of(desk_address, answer.instrument_id)
    seen = record_at(seen_fills_of(desk_address, answer.instrument_id), SEEN_FILLS_DTYPE)
    if not is_new_fill(seen, answer.trade_id_high, answer.trade_id):
        return
    add_fill(position_address, seen, answer, now_ns)
    record_at(desk_address, DESK_DTYPE).fill_count += 1
    if row_address == 0:
        return
    acknowledge(desk_address, row_address, now_ns)
    order = record_at(row_address, ORDER_DTYPE)
    is_over = answer.state == OrderState.FILLED or answer.filled_lots >= worst_lots(order)
    cause = OrderCause.FILLED if is_over else OrderCause.PART_FILLED
    event_address = change(desk_address, row_address, cause, answer.filled_lots, NO_REASON, now_ns)
    if event_address == 0:  # the order is over: the fill is late, and counts all the same
        event_address = emit_event(desk_address, order, Kind.FILLED, NO_REASON, 0)
    event = record_at(event_address, ORDER_EVENT_DTYPE)
    event.fill_ticks = answer.fill_ticks
    event.fill_lots = answer.fill_lots
    event.trade_id_high = answer.trade_id_high
    event.trade_id = answer.trade_id
    event.is_maker = answer.is_maker
    event.venue_ns = answer.venue_ns


@compiled
def on_execution(desk_address: int, answer: Record, now_ns: int) -> None:
    """Take one execution report."""
    row_address = find(desk_address, answer.order_id)
    if answer.execution == Execution.TRADE and answer.order_id != 0:
        on_fill(desk_address, answer, row_address, now_ns)
        return
    if row_address == 0:
        return
    order = record_at(row_address, ORDER_DTYPE)
    order.venue_order_id = answer.venue_order_id
    if answer.execution == Execution.NEW or answer.execution == Execution.REPLACED:
        acknowledge(desk_address, row_address, now_ns)
        if is_amended(order, answer):
            change(
                desk_address, row_address, OrderCause.AMENDED, order.filled_lots, NO_REASON, now_ns
            )
    elif answer.execution == Execution.CANCELED:
        end_order(
            desk_address, row_address, OrderState.CANCELED, answer.filled_lots,
            answer.reject, now_ns,
        )  # fmt: skip
    elif answer.execution == Execution.REJECTED:
        end_order(desk_address, row_address, OrderState.REJECTED, 0, OTHER_REASON, now_ns)
    elif answer.state == OrderState.EXPIRED:  # execution EXPIRED, or PREVENTED from trading
        # One that ends with a reason before it ever rested is a refusal.
        is_refused = answer.reject != NO_REASON and order.state != OrderState.RESTING
        cause = OrderCause.REJECTED if is_refused else OrderCause.EXPIRED
        change(desk_address, row_address, cause, answer.filled_lots, answer.reject, now_ns)


@compiled
def on_held(desk_address: int, answer: Record) -> None:
    """Take the venue's word of what the account holds, and note how far it is from our sums."""
    desk = record_at(desk_address, DESK_DTYPE)
    lot_e8 = lot_e8_of(desk_address, answer.instrument_id)
    position_address = position_of(desk_address, answer.instrument_id)
    expected_e8 = set_held(position_address, answer.held_e8, lot_e8)
    change_e8 = answer.held_e8 - expected_e8
    desk.held_change_lots = change_e8 // lot_e8 if change_e8 > 0 else -(-change_e8 // lot_e8)


@compiled
def on_answer(desk_address: int, answer: Record, events_address: int, now_ns: int) -> int:
    """Take one ANSWER; write its events; return how many (0 to EVENTS_PER_ANSWER_MAX)."""
    begin_events(desk_address, events_address)
    desk = record_at(desk_address, DESK_DTYPE)
    desk.round_trip_ns = 0
    desk.held_change_lots = 0
    if answer.kind == Answer.REPLY:
        on_reply(desk_address, answer, now_ns)
    elif answer.kind == Answer.EXECUTION:
        on_execution(desk_address, answer, now_ns)
    elif answer.kind == Answer.FATE:
        on_status(desk_address, answer.order_id, answer, now_ns)
    elif answer.kind == Answer.SINCE:
        position_address = position_of(desk_address, answer.instrument_id)
        seen_address = seen_fills_of(desk_address, answer.instrument_id)
        begin_fills(position_address, record_at(seen_address, SEEN_FILLS_DTYPE), answer)
    elif answer.kind == Answer.HELD:
        on_held(desk_address, answer)
    for index in range(desk.event_count):
        event = record_at(events_address + index * ORDER_EVENT_BYTES, ORDER_EVENT_DTYPE)
        event.recv_ns = now_ns
    return int(desk.event_count)
