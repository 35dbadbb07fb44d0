"""The gateway's way in: the venue's answers, and what is asked when one does not come."""

from ipc import mailbox
from ipc.compiled import compiled
from ipc.counters import add
from ipc.histogram import record_value
from ipc.log import tell
from ipc.memory import record_at
from ipc.plugs import call_plug
from ipc.sockets import WOULD_BLOCK
from procs.connections import connection
from procs.logs import hot_events
from procs.stages.gateway.context import (
    ANSWER_DTYPE,
    CONNECTION_DTYPE,
    CONTEXT_DTYPE,
    DESK_DTYPE,
    FRAMER_DTYPE,
    HISTOGRAM_BYTES,
    NS_PER_MS,
    ORDER_BYTES,
    ORDER_DTYPE,
    REJECT_BASE,
    ROUND_TRIP,
    GatewayCounter,
    claim_events,
    disconnect,
    instrument_of,
    publish_events,
    send_payload,
    venue_wall_ns,
)
from procs.stages.gateway.order_link import GatewaySubject
from vortex.codes import Answer, Kind, Reject
from vortex.orders import desk, limits
from vortex.wire.websocket import Incoming


@compiled
def take_answer(context_address: int, now: int) -> None:
    """Decode one message of the venue and let the desk take it."""
    context = record_at(context_address, CONTEXT_DTYPE)
    the_socket = record_at(context.connection_address, CONNECTION_DTYPE)
    framer = record_at(the_socket.framer_address, FRAMER_DTYPE)
    code = call_plug(
        context.decode_answer_address,
        (
            framer.payload_address, framer.payload_bytes,
            context.catalog_address, context.session_address, context.answer_address,
        ),
    )  # fmt: skip
    add(context.counters_address, GatewayCounter.ANSWERS, 1)
    if code < 0:
        add(context.counters_address, GatewayCounter.INVALID, 1)
        tell(context.log_address, hot_events.VENUE_NOT_READ, now, code, framer.payload_bytes)
        return
    enter_answer(context_address, now)


@compiled
def enter_answer(context_address: int, now: int) -> None:
    """Let the desk take the ANSWER in hand, and pass its events on.

    Where we and the venue cannot agree on what stands, the connection is given up: connecting
    anew cancels everything and reconciles.
    """
    context = record_at(context_address, CONTEXT_DTYPE)
    the_desk = record_at(context.desk_address, DESK_DTYPE)
    answer = record_at(context.answer_address, ANSWER_DTYPE)
    wall_ns = venue_wall_ns(context_address, now)
    limits.heed_venue(
        context.rate_address, answer.order_count_10s, answer.reject,
        answer.retry_after_ms * NS_PER_MS, wall_ns,
    )  # fmt: skip
    events_address = claim_events(context_address)
    has_room = events_address != 0
    if not has_room:
        # The strategy will reload from the table; the events themselves go nowhere.
        events_address = context.scratch_address
    fills_before, late_before = the_desk.fill_count, the_desk.late_count
    strays_before = the_desk.stray_count
    count = desk.on_answer(context.desk_address, context.answer_address, events_address, now)
    if has_room:
        publish_events(context_address, count, now)
    add(context.counters_address, GatewayCounter.FILLS, the_desk.fill_count - fills_before)
    add(context.counters_address, GatewayCounter.LATE, the_desk.late_count - late_before)
    add(context.counters_address, GatewayCounter.STRAYS, the_desk.stray_count - strays_before)
    tell_answer(context_address, the_desk.stray_count != strays_before, now)
    must_reconcile = the_desk.stray_count != strays_before or answer.kind == Answer.STREAM_ENDED
    if answer.kind == Answer.SHUTDOWN:
        mailbox.post(context.outbox_address, GatewaySubject.ENDING, 0, 0, 0, 0, 0, 0)
    if must_reconcile and record_at(context.connection_address, CONNECTION_DTYPE).fd >= 0:
        disconnect(context_address, 0)
    if answer.reject != Reject.NONE:
        add(context.counters_address, REJECT_BASE + answer.reject, 1)
    if the_desk.round_trip_ns > 0:
        address = context.latency_address + ROUND_TRIP * HISTOGRAM_BYTES
        record_value(address, the_desk.round_trip_ns, 1)


@compiled
def is_daily(reject: int) -> bool:
    """Return whether a refusal is what quotes meet every day, and is only counted."""
    return (
        reject == Reject.NONE
        or reject == Reject.VENUE_WOULD_TAKE
        or reject == Reject.VENUE_UNKNOWN_ORDER
    )


@compiled
def tell_answer(context_address: int, is_stray: bool, now: int) -> None:
    """Tell what the ANSWER in hand says, when it is worth a line."""
    context = record_at(context_address, CONTEXT_DTYPE)
    answer = record_at(context.answer_address, ANSWER_DTYPE)
    if is_stray:
        tell(context.log_address, hot_events.STRAY, now)
    if answer.kind == Answer.STREAM_ENDED:
        tell(context.log_address, hot_events.STREAM_ENDED, now)
    elif answer.kind == Answer.SHUTDOWN:
        tell(context.log_address, hot_events.VENUE_ENDING, now)
    if not is_daily(answer.reject):
        tell(
            context.log_address, hot_events.VENUE_REFUSED, now,
            answer.reject, answer.order_id, answer.error_code,
        )  # fmt: skip


@compiled
def read_socket(context_address: int, now: int) -> int:
    """Read and take what the venue sent; return how many messages."""
    context = record_at(context_address, CONTEXT_DTYPE)
    the_socket = record_at(context.connection_address, CONNECTION_DTYPE)
    if the_socket.fd < 0:
        return 0
    count = connection.fill(context.connection_address, now)
    if count <= 0 and count != WOULD_BLOCK:
        disconnect(context_address, 0)
        return 1
    taken_count = 0
    while count > 0:
        found = connection.next_message(context.connection_address)
        if found == Incoming.NEED_MORE:
            break
        if found == Incoming.CLOSE or found == Incoming.FAILED:
            framer = record_at(the_socket.framer_address, FRAMER_DTYPE)
            disconnect(context_address, framer.close_code)
            return taken_count + 1
        if found == Incoming.TEXT:
            take_answer(context_address, now)
        taken_count += 1
        if the_socket.fd < 0:
            return taken_count  # given up on what the message said
    if count > 0:
        connection.keep_rest(context.connection_address)
    if connection.flush(context.connection_address) < 0:
        disconnect(context_address, 0)
    return taken_count


@compiled
def ask_status(context_address: int, order_id: int, now: int) -> None:
    """Ask the venue what became of one order."""
    context = record_at(context_address, CONTEXT_DTYPE)
    row_address = desk.find(context.desk_address, order_id)
    if row_address == 0:
        return
    order = record_at(row_address, ORDER_DTYPE)
    order.sent_ns = now
    request_id = desk.begin_request(
        context.desk_address, Kind.STATUS, order.instrument_id, order_id, 0, now
    )
    venue_ms = venue_wall_ns(context_address, now) // NS_PER_MS
    payload_bytes = call_plug(
        context.encode_status_address,
        (
            order_id, context.epoch, instrument_of(context_address, order.instrument_id),
            context.session_address, venue_ms, request_id, context.text_address,
        ),
    )  # fmt: skip
    add(context.counters_address, GatewayCounter.STATUS_ASKED, 1)
    if not send_payload(context_address, payload_bytes):
        disconnect(context_address, 0)


@compiled
def check_overdue(context_address: int, now: int) -> int:
    """Ask about every order whose answer is overdue; return how many."""
    context = record_at(context_address, CONTEXT_DTYPE)
    row_index, asked_count = 0, 0
    while record_at(context.connection_address, CONNECTION_DTYPE).fd >= 0:
        row_index = desk.next_overdue(
            context.desk_address, row_index, context.answer_timeout_ns, now
        )
        if row_index < 0:
            break
        the_desk = record_at(context.desk_address, DESK_DTYPE)
        row_address = the_desk.orders_address + row_index * ORDER_BYTES
        add(context.counters_address, GatewayCounter.TIMEOUTS, 1)
        order = record_at(row_address, ORDER_DTYPE)
        tell(
            context.log_address, hot_events.NOT_ANSWERED, now,
            order.instrument_id, order.order_id, now - order.sent_ns,
        )  # fmt: skip
        events_address = claim_events(context_address)
        if events_address != 0:
            the_desk.events_address = events_address
            the_desk.event_count = 0
            desk.lose_sight(context.desk_address, row_address, now)
            publish_events(context_address, the_desk.event_count, now)
        ask_status(context_address, record_at(row_address, ORDER_DTYPE).order_id, now)
        row_index += 1
        asked_count += 1
    return asked_count


@compiled
def take_resolved(context_address: int, answer_address: int, now: int) -> None:
    """Enter an ANSWER that the main thread got over HTTP; its bytes stay the main thread's."""
    context = record_at(context_address, CONTEXT_DTYPE)
    own_address = context.answer_address
    context.answer_address = answer_address
    enter_answer(context_address, now)
    context.answer_address = own_address
    mailbox.post(context.outbox_address, GatewaySubject.TAKEN, answer_address, 0, 0, 0, 0, 0)
