"""The gateway's way in: the venue's answers, and what is asked when one does not come."""

from ipc import mailbox
from ipc.compiled import compiled
from ipc.counters import add
from ipc.histogram import record_value
from ipc.log import log_event
from ipc.memory import record_at
from ipc.plugs import call_plug
from ipc.sockets import WOULD_BLOCK
from ipc.types import Record
from procs.connections import connection
from procs.logs import hot_events
from procs.stages.gateway.context import (
    ANSWER_BYTES,
    ANSWER_COUNT_MAX,
    ANSWER_DTYPE,
    CONNECTION_DTYPE,
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
    connection_of,
    disconnect,
    instrument_of,
    is_connected,
    publish_events,
    send_payload,
    venue_wall_ns,
)
from procs.stages.gateway.order_link import GatewaySubject
from vortex.codes import DAILY_REJECTS, Answer, Kind, Outcome, Refusal, Reject
from vortex.orders import desk, desk_tables, limits, order_events
from vortex.wire.websocket import Incoming


@compiled
def take_message(context: Record, index: int, now_ns: int) -> None:
    """Decode one message of a connection and let the desk take each of its ANSWERs."""
    the_connection = record_at(connection_of(context, index), CONNECTION_DTYPE)
    framer = record_at(the_connection.framer_address, FRAMER_DTYPE)
    count = call_plug(
        context.decode_answer_address,
        (
            index, framer.payload_address, framer.payload_bytes, context.catalog_address,
            context.session_address, context.answers_address, ANSWER_COUNT_MAX,
        ),
    )  # fmt: skip
    add(context.counters_address, GatewayCounter.ANSWERS, 1)
    if count < 0:
        add(context.counters_address, GatewayCounter.INVALID, 1)
        log_event(
            context.log_address, hot_events.VENUE_NOT_READ, now_ns, count, framer.payload_bytes
        )
        if count == Refusal.TOO_LARGE:  # it says more of our orders than can be taken: reconcile
            disconnect(context, 0)
        return
    for place in range(count):
        answer_address = context.answers_address + place * ANSWER_BYTES
        if context.is_ack_accepted != 0:
            mark_accepted(record_at(answer_address, ANSWER_DTYPE))
        enter_answer(context, answer_address, now_ns)


@compiled
def mark_accepted(answer: Record) -> None:
    """Make SUCCESS of a reply ACCEPTED: what becomes of the order comes on another stream."""
    if answer.kind != Answer.REPLY:
        return
    if answer.place_outcome == Outcome.SUCCESS:
        answer.place_outcome = Outcome.ACCEPTED
    if answer.cancel_outcome == Outcome.SUCCESS:
        answer.cancel_outcome = Outcome.ACCEPTED


@compiled
def enter_answer(context: Record, answer_address: int, now_ns: int) -> None:
    """Let the desk take one ANSWER, and publish its events.

    Where we and the venue cannot agree on what is open, the connections are dropped: connecting
    again cancels everything and reconciles.
    """
    the_desk = record_at(context.desk_address, DESK_DTYPE)
    answer = record_at(answer_address, ANSWER_DTYPE)
    limits.heed_venue(context.rates_address, answer, venue_wall_ns(context, now_ns))
    events_address = claim_events(context)
    has_room = events_address != 0
    if not has_room:
        # The strategy will reload from the table; the events themselves go nowhere.
        events_address = context.scratch_address
    fills_before, late_before = the_desk.fill_count, the_desk.late_count
    strays_before = the_desk.stray_count
    count = desk.on_answer(context.desk_address, answer, events_address, now_ns)
    if has_room:
        publish_events(context, count, now_ns)
    add(context.counters_address, GatewayCounter.FILLS, the_desk.fill_count - fills_before)
    add(context.counters_address, GatewayCounter.LATE, the_desk.late_count - late_before)
    add(context.counters_address, GatewayCounter.STRAYS, the_desk.stray_count - strays_before)
    is_stray = the_desk.stray_count != strays_before
    log_answer(context, answer, is_stray, now_ns)
    count_answer(context, answer)
    if is_stray or answer.kind == Answer.STREAM_ENDED:
        disconnect(context, 0)


@compiled
def count_answer(context: Record, answer: Record) -> None:
    """Count a refusal, and how long the venue took for a reply."""
    the_desk = record_at(context.desk_address, DESK_DTYPE)
    if answer.reject != Reject.NONE:
        add(context.counters_address, REJECT_BASE + answer.reject, 1)
    if the_desk.round_trip_ns > 0:
        address = context.latency_address + ROUND_TRIP * HISTOGRAM_BYTES
        record_value(address, the_desk.round_trip_ns, 1)


@compiled
def is_daily(reject: int) -> bool:
    """Return whether a refusal is one that quotes meet every day, and is only counted."""
    return reject in DAILY_REJECTS


@compiled
def log_answer(context: Record, answer: Record, is_stray: bool, now_ns: int) -> None:
    """Log an ANSWER that is worth a line."""
    if is_stray:
        log_event(context.log_address, hot_events.STRAY, now_ns)
    held_change_lots = record_at(context.desk_address, DESK_DTYPE).held_change_lots
    if held_change_lots != 0:
        log_event(
            context.log_address, hot_events.HELD_DIFFERS, now_ns,
            answer.instrument_id, held_change_lots,
        )  # fmt: skip
    if answer.kind == Answer.STREAM_ENDED:
        log_event(context.log_address, hot_events.STREAM_ENDED, now_ns)
    elif answer.kind == Answer.SHUTDOWN:
        log_event(context.log_address, hot_events.VENUE_ENDING, now_ns)
        mailbox.post(context.outbox_address, GatewaySubject.ENDING, 0, 0, 0, 0, 0, 0)
    if not is_daily(answer.reject):
        log_event(
            context.log_address, hot_events.VENUE_REFUSED, now_ns,
            answer.reject, answer.order_id, answer.error_code,
        )  # fmt: skip


@compiled
def read_connections(context: Record, now_ns: int) -> int:
    """Read and take what the venue sent on every connection; return how many messages."""
    taken_count = 0
    for index in range(context.connection_count):
        taken_count += read_connection(context, index, now_ns)
    return taken_count


@compiled
def read_connection(context: Record, index: int, now_ns: int) -> int:
    """Read and take what the venue sent on one connection; return how many messages."""
    connection_address = connection_of(context, index)
    the_connection = record_at(connection_address, CONNECTION_DTYPE)
    if the_connection.fd < 0:
        return 0
    count = connection.fill(the_connection, now_ns)
    if count <= 0 and count != WOULD_BLOCK:
        disconnect(context, 0)
        return 1
    taken_count = 0
    while count > 0:
        found = connection.next_message(connection_address)
        if found == Incoming.NEED_MORE:
            break
        if found == Incoming.CLOSE or found == Incoming.FAILED:
            framer = record_at(the_connection.framer_address, FRAMER_DTYPE)
            disconnect(context, framer.close_code)
            return taken_count + 1
        if found == Incoming.TEXT:
            take_message(context, index, now_ns)
        taken_count += 1
        if the_connection.fd < 0:
            return taken_count  # dropped for what the message said
    if count > 0:
        connection.keep_rest(the_connection)
    if connection.flush(connection_address) < 0:
        disconnect(context, 0)
    return taken_count


@compiled
def ask_status(context: Record, order: Record, now_ns: int) -> None:
    """Ask the venue what became of one order, or let the main thread ask."""
    order.sent_ns = now_ns
    instrument_id, order_id = order.instrument_id, order.order_id
    request_id = desk_tables.begin_request(
        context.desk_address, Kind.STATUS, instrument_id, order_id, 0, now_ns
    )
    add(context.counters_address, GatewayCounter.STATUS_ASKED, 1)
    if context.encode_status_address == 0:
        mailbox.post(
            context.outbox_address, GatewaySubject.ASK_STATUS,
            request_id, order_id, instrument_id, 0, 0, 0,
        )  # fmt: skip
        return
    venue_ms = venue_wall_ns(context, now_ns) // NS_PER_MS
    payload_bytes = call_plug(
        context.encode_status_address,
        (
            order_id, context.epoch, instrument_of(context, instrument_id),
            context.session_address, venue_ms, request_id, context.text_address,
        ),
    )  # fmt: skip
    if not send_payload(context, payload_bytes):
        disconnect(context, 0)


@compiled
def check_overdue(context: Record, now_ns: int) -> int:
    """Ask about every order whose answer is overdue; return how many."""
    row_index, asked_count = 0, 0
    while is_connected(context):
        row_index = desk_tables.next_overdue(
            context.desk_address, row_index, context.answer_timeout_ns, now_ns
        )
        if row_index < 0:
            break
        the_desk = record_at(context.desk_address, DESK_DTYPE)
        row_address = the_desk.orders_address + row_index * ORDER_BYTES
        add(context.counters_address, GatewayCounter.TIMEOUTS, 1)
        order = record_at(row_address, ORDER_DTYPE)
        log_event(
            context.log_address, hot_events.NOT_ANSWERED, now_ns,
            order.instrument_id, order.order_id, now_ns - order.sent_ns,
        )  # fmt: skip
        events_address = claim_events(context)
        if events_address != 0:
            order_events.begin_events(context.desk_address, events_address)
            desk.mark_unknown(context.desk_address, row_address, now_ns)
            publish_events(context, the_desk.event_count, now_ns)
        ask_status(context, order, now_ns)
        row_index += 1
        asked_count += 1
    return asked_count


@compiled
def take_resolved(context: Record, answer_address: int, now_ns: int) -> None:
    """Enter an ANSWER of the main thread, which owns its bytes."""
    enter_answer(context, answer_address, now_ns)
    mailbox.post(context.outbox_address, GatewaySubject.TAKEN, answer_address, 0, 0, 0, 0, 0)
