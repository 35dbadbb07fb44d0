"""The gateway process: requests in, order bytes out; the venue's answers in, order events out.

Order truth is here: this process alone writes the order table and the positions.  Each request is
checked against the limits, entered at its worst, encoded, signed and sent on its own.  Its read
position is published before ``send``, so no request is ever sent twice.

While anything is in doubt (the connection, a stage's heartbeat, the supervisor's word) the gateway
is *halted*: it refuses every request and cancels everything that stands.
"""

from enum import IntEnum
from typing import Any

import numpy as np

from ipc import cell, control, mailbox, ring
from ipc.clock import now_ns, wall_offset_ns
from ipc.compiled import compiled
from ipc.counters import add
from ipc.histogram import HISTOGRAM, record_value
from ipc.layout import Field, Layout
from ipc.memory import address_of, load_word, record_at, store_word
from ipc.ring import NEW_EPOCH
from ipc.sockets import WOULD_BLOCK
from ipc.waiting import idle
from procs import connection
from procs.config import credentials
from procs.order_link import OrderLink, Subject
from procs.stage import (
    CONTEXT_FIELDS,
    DRAIN_FRAME_MAX,
    Entry,
    Launch,
    Stage,
    must_leave,
    plug_in,
)
from procs.wiring import GATEWAY_LATENCIES, ORDER_ROWS
from vortex import desk, limits, venues
from vortex.codes import Kind, Reject
from vortex.desk import DESK, IN_FLIGHT
from vortex.instruments import build_catalog
from vortex.limits import LIMITS
from vortex.records import ANSWER, INSTRUMENT, ORDER, ORDER_EVENT, POSITION, REQUEST, TOUCH
from vortex.websocket import FRAMER, Incoming, Opcode

CONTEXT = Layout(
    "gateway_context",
    "What the gateway's loop works with; addresses in this process.",
    *CONTEXT_FIELDS,
    Field("requests_address", "i8", "handle of the requests ring"),
    Field("events_address", "i8", "handle of the events ring"),
    Field("connection_address", "i8", "CONNECTION to the venue"),
    Field("desk_address", "i8", "DESK"),
    Field("rate_address", "i8", "ORDER_RATE"),
    Field("session_address", "i8", "SESSION"),
    Field("catalog_address", "i8", "CATALOG"),
    Field("instruments_address", "i8", "INSTRUMENT table"),
    Field("instrument_count", "i8", "how many"),
    Field("limits_address", "i8", "LIMITS table"),
    Field("touches_address", "i8", "TOUCH table"),
    Field("touch_copy_address", "i8", "where a touch is copied to"),
    Field("answer_address", "i8", "the ANSWER in hand"),
    Field("text_address", "i8", "the payload in hand"),
    Field("scratch_address", "i8", "room for events that find none on the ring"),
    Field("peers_address", "i8", "addresses of the STATUS of the stages before this one"),
    Field("peer_count", "i8", "how many"),
    Field("latency_address", "i8", "histograms, as wiring.GATEWAY_LATENCIES"),
    Field("inbox_address", "i8", "letters from the main thread"),
    Field("outbox_address", "i8", "letters to the main thread"),
    Field("lease_ns", "i8", "how old a heartbeat may be"),
    Field("answer_timeout_ns", "i8", "how long an answer may take"),
    Field("halt_reasons", "i8", "see Halt; 0 while trading"),
    Field("is_orphan", "i8", "1 when the supervisor died, from the main thread"),
    Field("next_check_ns", "i8", "when unanswered requests are looked at next"),
    Field("cancelled_ns", "i8", "when cancel-all was last sent; 0 for not since the halt"),
    Field("answers_refused_count", "i8", "answers that could not be read"),
    multiple_bytes=8,
)

CONTEXT_DTYPE = CONTEXT.dtype
CONNECTION_DTYPE = connection.CONNECTION_DTYPE
ANSWER_DTYPE = ANSWER.dtype
DESK_DTYPE = DESK.dtype
FRAMER_DTYPE = FRAMER.dtype
INSTRUMENT_BYTES = INSTRUMENT.dtype.itemsize
LETTER_DTYPE = mailbox.LETTER_DTYPE
LIMITS_BYTES = LIMITS.dtype.itemsize
ORDER_DTYPE = ORDER.dtype
ORDER_BYTES = ORDER.dtype.itemsize
POSITION_DTYPE = POSITION.dtype
REQUEST_DTYPE = REQUEST.dtype
RING_DTYPE = ring.RING_DTYPE
TOUCH_BYTES = TOUCH.dtype.itemsize
HISTOGRAM_BYTES = HISTOGRAM.dtype.itemsize
ORPHAN_BYTES = CONTEXT.offset_bytes("is_orphan")

NS_PER_MS = 1_000_000
CHECK_NS = 20_000_000
CANCEL_AGAIN_NS = 1_000_000_000
REJECT_BASE = 32
EPOCH_SHIFT = 32

TICK_TO_ORDER, RECV_TO_ORDER, NEWEST_TO_ORDER, FIRST_HOP = range(4)
ROUND_TRIP = len(GATEWAY_LATENCIES) - 1


class Halt(IntEnum):
    """Why the gateway takes no orders; bits."""

    TOLD = 1  # the supervisor said so
    DISCONNECTED = 2
    SILENCE = 4  # a stage's heartbeat is older than its lease
    NEW_STRATEGY = 8  # the strategy began anew: what the former one placed must go
    ORPHANED = 16  # the supervisor died


class Counter(IntEnum):
    """What the gateway counts; from REJECT_BASE on, refused requests by codes.Reject."""

    REQUESTS = 0  # taken from the ring
    PLACED = 1  # new orders sent
    CANCELED = 2  # cancels sent
    REPLACED = 3  # replaces sent: each a cancel and a new order
    ANSWERS = 4
    FILLS = 5
    EVENTS = 6
    INVALID = 7  # messages of the venue that could not be read
    HALTS = 8
    CANCEL_ALLS = 9
    TIMEOUTS = 10  # requests not answered in time
    STATUS_ASKED = 11
    EVENTS_LOST = 12  # the events ring was full: the strategy reloads
    SENT_BYTES = 13
    CONNECTIONS = 14
    DISCONNECTIONS = 15
    DISCARDED = 16  # requests of a former strategy
    LATE = 17  # answers to forgotten requests


# Checking and sending requests.


@compiled
def instrument_of(context_address: int, instrument_id: int) -> int:
    """Return the address of one INSTRUMENT."""
    context = record_at(context_address, CONTEXT_DTYPE)
    return context.instruments_address + instrument_id * INSTRUMENT_BYTES


@compiled
def check_new(context_address: int, request_address: int, now: int, wall_ns: int) -> int:
    """Return why a request for a new order must be refused, or NONE."""
    context = record_at(context_address, CONTEXT_DTYPE)
    request = record_at(request_address, REQUEST_DTYPE)
    instrument_id = request.instrument_id
    limits_address = context.limits_address + instrument_id * LIMITS_BYTES
    price_ticks, qty_lots, side = request.price_ticks, request.qty_lots, request.side
    reason = limits.check_bounds(
        instrument_of(context_address, instrument_id), price_ticks, qty_lots
    )
    if reason != Reject.NONE:
        return reason
    position_address = desk.position_of(context.desk_address, instrument_id)
    reason = limits.check_exposure(limits_address, position_address, side, price_ticks, qty_lots)
    if reason != Reject.NONE:
        return reason
    reason = limits.check_age(limits_address, request.newest_kernel_ns, now)
    if reason != Reject.NONE:
        return reason
    touch_address = context.touches_address + instrument_id * TOUCH_BYTES
    if not cell.read_cell(touch_address, context.touch_copy_address, TOUCH_BYTES):
        return Reject.BOOK_INVALID
    reason = limits.check_band(limits_address, context.touch_copy_address, side, price_ticks, now)
    if reason != Reject.NONE:
        return reason
    return limits.check_rate(context.rate_address, wall_ns)


@compiled
def check(context_address: int, request_address: int, now: int, wall_ns: int) -> int:
    """Return why a request must be refused, or NONE."""
    context = record_at(context_address, CONTEXT_DTYPE)
    request = record_at(request_address, REQUEST_DTYPE)
    if request.epoch != record_at(context.requests_address, RING_DTYPE).epoch:
        return Reject.STALE_EPOCH
    if context.halt_reasons & Halt.DISCONNECTED:
        return Reject.DISCONNECTED
    if context.halt_reasons & Halt.SILENCE:
        return Reject.STAGE_SILENT
    if context.halt_reasons != 0:
        return Reject.HALTED
    if request.kind != Kind.PLACE:
        reason = desk.check_order(context.desk_address, request.order_id)
        if reason != Reject.NONE:
            return reason
    if request.kind != Kind.CANCEL:
        return check_new(context_address, request_address, now, wall_ns)
    return Reject.NONE


@compiled
def encode(
    context_address: int, request_address: int, request_id: int, wall_ns: int, encode_request: Any
) -> int:
    """Write the payload of a submitted request; return its bytes."""
    context = record_at(context_address, CONTEXT_DTYPE)
    request = record_at(request_address, REQUEST_DTYPE)
    the_desk = record_at(context.desk_address, DESK_DTYPE)
    new_order_id = 0 if request.kind == Kind.CANCEL else the_desk.last_order_id
    return encode_request(
        request_address, instrument_of(context_address, request.instrument_id),
        context.session_address, wall_ns // NS_PER_MS, request_id,
        new_order_id, request.order_id, context.epoch, context.text_address,
    )  # fmt: skip


@compiled
def count_sent(context_address: int, kind: int, wall_ns: int) -> None:
    """Count a request that goes out."""
    context = record_at(context_address, CONTEXT_DTYPE)
    if kind == Kind.PLACE:
        add(context.counters_address, Counter.PLACED, 1)
    elif kind == Kind.CANCEL:
        add(context.counters_address, Counter.CANCELED, 1)
    else:
        add(context.counters_address, Counter.REPLACED, 1)
    if kind != Kind.CANCEL:
        limits.count_order(context.rate_address, wall_ns)


@compiled
def refuse(context_address: int, request_address: int, reason: int, now: int) -> None:
    """Tell the strategy that a request was refused."""
    context = record_at(context_address, CONTEXT_DTYPE)
    add(context.counters_address, REJECT_BASE + reason, 1)
    events_address = claim_events(context_address)
    if events_address != 0:
        the_desk = record_at(context.desk_address, DESK_DTYPE)
        the_desk.events_address = events_address
        the_desk.event_count = 0
        desk.refuse(context.desk_address, request_address, reason)
        publish_events(context_address, 1, now)


@compiled
def take_request(context_address: int, now: int, wall_ns: int, encode_request: Any) -> int:
    """Take one request as far as the outbox: the payload's bytes, 0 when nothing is to be sent.

    The position on the ring is published here, before anything is sent.
    """
    context = record_at(context_address, CONTEXT_DTYPE)
    request_address = ring.slot(context.requests_address, 0)
    request = record_at(request_address, REQUEST_DTYPE)
    add(context.counters_address, Counter.REQUESTS, 1)
    reason = check(context_address, request_address, now, wall_ns)
    request_id = 0
    if reason == Reject.NONE:
        request_id = desk.submit(context.desk_address, request_address, now)
        if request_id == 0:
            reason = Reject.TABLE_FULL
    payload_bytes = 0
    if reason == Reject.NONE:
        count_sent(context_address, request.kind, wall_ns)
        payload_bytes = encode(
            context_address, request_address, request_id, wall_ns, encode_request
        )
    else:
        refuse(context_address, request_address, reason, now)
    ring.consume(context.requests_address, 1)
    return payload_bytes


@compiled
def record_latency(context_address: int, request_address: int, pick_ns: int, sent_ns: int) -> None:
    """Record where the time of one order went; waits and services sum to tick-to-order."""
    request = record_at(request_address, REQUEST_DTYPE)
    if request.kernel_ns == 0:
        return  # no frame caused it
    context = record_at(context_address, CONTEXT_DTYPE)
    base = context.latency_address
    record_value(base + TICK_TO_ORDER * HISTOGRAM_BYTES, sent_ns - request.kernel_ns, 1)
    record_value(base + RECV_TO_ORDER * HISTOGRAM_BYTES, sent_ns - request.recv_ns, 1)
    record_value(base + NEWEST_TO_ORDER * HISTOGRAM_BYTES, sent_ns - request.newest_kernel_ns, 1)
    hop = base + FIRST_HOP * HISTOGRAM_BYTES
    record_value(hop, request.recv_ns - request.kernel_ns, 1)
    record_value(hop + HISTOGRAM_BYTES, request.ingest_publish_ns - request.recv_ns, 1)
    record_value(hop + 2 * HISTOGRAM_BYTES, request.book_pick_ns - request.ingest_publish_ns, 1)
    record_value(hop + 3 * HISTOGRAM_BYTES, request.book_publish_ns - request.book_pick_ns, 1)
    record_value(hop + 4 * HISTOGRAM_BYTES, request.pick_ns - request.book_publish_ns, 1)
    record_value(hop + 5 * HISTOGRAM_BYTES, request.publish_ns - request.pick_ns, 1)
    record_value(hop + 6 * HISTOGRAM_BYTES, pick_ns - request.publish_ns, 1)
    record_value(hop + 7 * HISTOGRAM_BYTES, sent_ns - pick_ns, 1)


@compiled
def send_payload(context_address: int, payload_bytes: int) -> bool:
    """Frame, mask and send the payload in hand; False when the connection is lost."""
    context = record_at(context_address, CONTEXT_DTYPE)
    queued = connection.queue(
        context.connection_address, Opcode.TEXT, context.text_address, payload_bytes
    )
    add(context.counters_address, Counter.SENT_BYTES, payload_bytes)
    return queued and connection.flush(context.connection_address) >= 0


@compiled
def serve_requests(context_address: int, encode_request: Any) -> int:
    """Take and send what the strategy requests, one by one; return how many."""
    context = record_at(context_address, CONTEXT_DTYPE)
    count = 0
    while count < DRAIN_FRAME_MAX:
        waiting_count = ring.ready_count(context.requests_address)
        if waiting_count == 0:
            break
        if waiting_count == NEW_EPOCH:
            meet_strategy(context_address)
            continue
        now = now_ns(context.clock_address)
        wall_ns = now + wall_offset_ns(context.clock_address)
        request_address = ring.slot(context.requests_address, 0)
        payload_bytes = take_request(context_address, now, wall_ns, encode_request)
        count += 1
        if payload_bytes > 0:
            if not send_payload(context_address, payload_bytes):
                disconnect(context_address, 0)
                break
            record_latency(context_address, request_address, now, now_ns(context.clock_address))
    return count


@compiled
def meet_strategy(context_address: int) -> None:
    """The strategy began anew: discard what the former one asked, and pull what it placed."""
    context = record_at(context_address, CONTEXT_DTYPE)
    add(context.counters_address, Counter.DISCARDED, ring.enter_epoch(context.requests_address))
    set_halt(context_address, Halt.NEW_STRATEGY)


# Events for the strategy.


@compiled
def claim_events(context_address: int) -> int:
    """Return where the next events go; a full ring begins anew, and the strategy reloads."""
    context = record_at(context_address, CONTEXT_DTYPE)
    address = ring.claim(context.events_address)
    if address == 0:
        add(context.counters_address, Counter.EVENTS_LOST, 1)
        ring.raise_epoch(context.events_address)
    return address


@compiled
def publish_events(context_address: int, count: int, now: int) -> None:
    """Publish the events just written."""
    context = record_at(context_address, CONTEXT_DTYPE)
    ring.append(context.events_address, count)
    ring.commit(context.events_address, now)
    add(context.counters_address, Counter.EVENTS, count)


@compiled
def tell_all(context_address: int, kind: int, reason: int, now: int) -> bool:
    """Tell the strategy something about every instrument; False when there is no room."""
    context = record_at(context_address, CONTEXT_DTYPE)
    the_desk = record_at(context.desk_address, DESK_DTYPE)
    for instrument_id in range(context.instrument_count):
        events_address = claim_events(context_address)
        if events_address == 0:
            return False
        the_desk.events_address = events_address
        the_desk.event_count = 0
        desk.next_event(context.desk_address, kind, instrument_id, reason)
        publish_events(context_address, 1, now)
    return True


# Answers of the venue.


@compiled
def take_answer(context_address: int, now: int, decode_answer: Any) -> None:
    """Decode one message of the venue and let the desk take it."""
    context = record_at(context_address, CONTEXT_DTYPE)
    the_socket = record_at(context.connection_address, CONNECTION_DTYPE)
    framer = record_at(the_socket.framer_address, FRAMER_DTYPE)
    code = decode_answer(
        framer.payload_address, framer.payload_bytes,
        context.catalog_address, context.session_address, context.answer_address,
    )  # fmt: skip
    add(context.counters_address, Counter.ANSWERS, 1)
    if code < 0:
        add(context.counters_address, Counter.INVALID, 1)
        return
    enter_answer(context_address, now)


@compiled
def enter_answer(context_address: int, now: int) -> None:
    """Let the desk take the ANSWER in hand, and pass its events on."""
    context = record_at(context_address, CONTEXT_DTYPE)
    the_desk = record_at(context.desk_address, DESK_DTYPE)
    answer = record_at(context.answer_address, ANSWER_DTYPE)
    wall_ns = now + wall_offset_ns(context.clock_address)
    limits.heed_venue(
        context.rate_address, answer.order_count_10s, answer.retry_after_ms * NS_PER_MS, wall_ns
    )
    events_address = claim_events(context_address)
    has_room = events_address != 0
    if not has_room:
        # The strategy will reload from the table; the events themselves go nowhere.
        events_address = context.scratch_address
    fills_before, late_before = the_desk.fill_count, the_desk.late_count
    count = desk.on_answer(context.desk_address, context.answer_address, events_address, now)
    if has_room:
        publish_events(context_address, count, now)
    add(context.counters_address, Counter.FILLS, the_desk.fill_count - fills_before)
    add(context.counters_address, Counter.LATE, the_desk.late_count - late_before)
    if answer.reject != Reject.NONE:
        add(context.counters_address, REJECT_BASE + answer.reject, 1)
    if the_desk.round_trip_ns > 0:
        address = context.latency_address + ROUND_TRIP * HISTOGRAM_BYTES
        record_value(address, the_desk.round_trip_ns, 1)


@compiled
def read_socket(context_address: int, decode_answer: Any) -> int:
    """Read and take what the venue sent; return how many messages."""
    context = record_at(context_address, CONTEXT_DTYPE)
    the_socket = record_at(context.connection_address, CONNECTION_DTYPE)
    if the_socket.fd < 0:
        return 0
    now = now_ns(context.clock_address)
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
            take_answer(context_address, now, decode_answer)
        taken_count += 1
    if count > 0:
        connection.keep_rest(context.connection_address)
    if connection.flush(context.connection_address) < 0:
        disconnect(context_address, 0)
    return taken_count


@compiled
def disconnect(context_address: int, reason: int) -> None:
    """Let go of the connection and ask the main thread for a new one."""
    context = record_at(context_address, CONTEXT_DTYPE)
    fd = record_at(context.connection_address, CONNECTION_DTYPE).fd
    connection.flush(context.connection_address)
    connection.end(context.connection_address)
    add(context.counters_address, Counter.DISCONNECTIONS, 1)
    set_halt(context_address, Halt.DISCONNECTED)
    mailbox.post(context.outbox_address, Subject.DISCONNECTED, fd, reason, 0, 0, 0, 0)


# What the gateway asks for itself.


@compiled
def ask_status(context_address: int, order_id: int, now: int, encode_status: Any) -> None:
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
    wall_ms = (now + wall_offset_ns(context.clock_address)) // NS_PER_MS
    payload_bytes = encode_status(
        order_id, context.epoch, instrument_of(context_address, order.instrument_id),
        context.session_address, wall_ms, request_id, context.text_address,
    )  # fmt: skip
    add(context.counters_address, Counter.STATUS_ASKED, 1)
    if not send_payload(context_address, payload_bytes):
        disconnect(context_address, 0)


@compiled
def check_overdue(context_address: int, now: int, encode_status: Any) -> None:
    """Ask about every order whose answer is overdue."""
    context = record_at(context_address, CONTEXT_DTYPE)
    row_index = 0
    while record_at(context.connection_address, CONNECTION_DTYPE).fd >= 0:
        row_index = desk.next_overdue(
            context.desk_address, row_index, context.answer_timeout_ns, now
        )
        if row_index < 0:
            break
        the_desk = record_at(context.desk_address, DESK_DTYPE)
        row_address = the_desk.orders_address + row_index * ORDER_BYTES
        add(context.counters_address, Counter.TIMEOUTS, 1)
        events_address = claim_events(context_address)
        if events_address != 0:
            the_desk.events_address = events_address
            the_desk.event_count = 0
            desk.lose_sight(context.desk_address, row_address, now)
            publish_events(context_address, the_desk.event_count, now)
        ask_status(
            context_address, record_at(row_address, ORDER_DTYPE).order_id, now, encode_status
        )
        row_index += 1


@compiled
def cancel_everything(context_address: int, now: int, encode_cancel_all: Any) -> None:
    """Send cancel-all for every instrument in which an order stands or may stand."""
    context = record_at(context_address, CONTEXT_DTYPE)
    wall_ms = (now + wall_offset_ns(context.clock_address)) // NS_PER_MS
    for instrument_id in range(context.instrument_count):
        position_address = desk.position_of(context.desk_address, instrument_id)
        if record_at(position_address, POSITION_DTYPE).open_order_count == 0:
            continue
        request_id = desk.begin_request(
            context.desk_address, Kind.CANCEL_ALL, instrument_id, 0, 0, now
        )
        payload_bytes = encode_cancel_all(
            instrument_of(context_address, instrument_id), context.session_address,
            wall_ms, request_id, context.text_address,
        )  # fmt: skip
        add(context.counters_address, Counter.CANCEL_ALLS, 1)
        if not send_payload(context_address, payload_bytes):
            disconnect(context_address, 0)
            return


# Halting.


@compiled
def set_halt(context_address: int, reason: int) -> None:
    """Add one reason to take no orders."""
    context = record_at(context_address, CONTEXT_DTYPE)
    if context.halt_reasons == 0:
        add(context.counters_address, Counter.HALTS, 1)
        context.cancelled_ns = 0
        now = now_ns(context.clock_address)
        tell_all(context_address, Kind.HALTED, Reject.HALTED, now)
    context.halt_reasons |= reason


@compiled
def is_silent(context_address: int, now: int) -> bool:
    """Return whether the heartbeat of a stage before this one is older than its lease."""
    context = record_at(context_address, CONTEXT_DTYPE)
    for index in range(context.peer_count):
        status_address = load_word(context.peers_address + 8 * index)
        if now - control.heartbeat_ns(status_address) > context.lease_ns:
            return True
    return False


@compiled
def open_count(context_address: int) -> int:
    """Return how many orders stand or may stand."""
    context = record_at(context_address, CONTEXT_DTYPE)
    return desk.open_order_count(context.desk_address, context.instrument_count)


@compiled
def watch(context_address: int, now: int) -> None:
    """Halt when something is in doubt; take orders again when nothing is and nothing stands."""
    context = record_at(context_address, CONTEXT_DTYPE)
    reasons = 0
    if control.must_pull(context.command_address):
        reasons |= Halt.TOLD
    if is_silent(context_address, now):
        reasons |= Halt.SILENCE
    if load_word(context_address + ORPHAN_BYTES) != 0:
        reasons |= Halt.ORPHANED
    if record_at(context.connection_address, CONNECTION_DTYPE).fd < 0:
        reasons |= Halt.DISCONNECTED
    if reasons != 0:
        set_halt(context_address, reasons)
    if context.halt_reasons == 0:
        return
    is_flat = open_count(context_address) == 0
    if is_flat and reasons == 0:
        if tell_all(context_address, Kind.RESUMED, Reject.NONE, now):
            context.halt_reasons = 0
    else:
        context.halt_reasons = reasons if is_flat else context.halt_reasons | reasons
    # Only once told to pull: a word from before the order would be taken for its answer.
    is_pulled = reasons & Halt.TOLD != 0 and reasons & Halt.DISCONNECTED == 0
    store_word(context.status_address + control.FLAT_BYTES, 1 if is_flat and is_pulled else 0)


@compiled
def pull(context_address: int, now: int, encode_cancel_all: Any) -> None:
    """While halted: cancel what stands, and again until nothing does."""
    context = record_at(context_address, CONTEXT_DTYPE)
    if context.halt_reasons == 0 or open_count(context_address) == 0:
        return
    if record_at(context.connection_address, CONNECTION_DTYPE).fd < 0:
        return
    if context.cancelled_ns == 0 or now - context.cancelled_ns > CANCEL_AGAIN_NS:
        context.cancelled_ns = now
        cancel_everything(context_address, now, encode_cancel_all)


@compiled
def take_letter(context_address: int) -> int:
    """Take one letter of the main thread: 1 taken, 0 none."""
    context = record_at(context_address, CONTEXT_DTYPE)
    if ring.ready_count(context.inbox_address) <= 0:
        return 0
    letter = record_at(ring.slot(context.inbox_address, 0), LETTER_DTYPE)
    now = now_ns(context.clock_address)
    if letter.subject == Subject.CONNECTED:
        connection.begin(context.connection_address, letter.first, now)
        add(context.counters_address, Counter.CONNECTIONS, 1)
    elif letter.subject == Subject.RESOLVED:
        take_resolved(context_address, letter.first, now)
    elif letter.subject == Subject.ORPHANED:
        store_word(context_address + ORPHAN_BYTES, 1)
    ring.consume(context.inbox_address, 1)
    return 1


@compiled
def take_resolved(context_address: int, answer_address: int, now: int) -> None:
    """Enter an ANSWER that the main thread got over HTTP; its bytes stay the main thread's."""
    context = record_at(context_address, CONTEXT_DTYPE)
    own_address = context.answer_address
    context.answer_address = answer_address
    enter_answer(context_address, now)
    context.answer_address = own_address
    mailbox.post(context.outbox_address, Subject.TAKEN, answer_address, 0, 0, 0, 0, 0)


def loop(
    context_address: int,
    encode_request: Any,
    encode_cancel_all: Any,
    encode_status: Any,
    decode_answer: Any,
) -> int:
    """Serve the strategy and the venue until told to leave; return how often it came round."""
    context = record_at(context_address, CONTEXT_DTYPE)
    loop_count = 0
    work_count = 0
    while not must_leave(context.command_address, context.leave_address):
        done = serve_requests(context_address, encode_request)
        done += read_socket(context_address, decode_answer)
        done += take_letter(context_address)
        now = now_ns(context.clock_address)
        watch(context_address, now)
        pull(context_address, now, encode_cancel_all)
        if now >= context.next_check_ns:
            context.next_check_ns = now + CHECK_NS
            check_overdue(context_address, now, encode_status)
        loop_count += 1
        work_count += done
        control.beat(context.status_address, now, loop_count, work_count)
        if done == 0:
            idle(context.wait)
    return loop_count


def entry(venue_name: str) -> Entry:
    """Compile the loop for one venue, or read it from the cache."""
    venue = venues.load(venue_name)
    return plug_in(
        loop,
        (),
        (venue.encode_request, venues.ENCODE_REQUEST),
        (venue.encode_cancel_all, venues.ENCODE_CANCEL_ALL),
        (venue.encode_order_status, venues.ENCODE_ORDER_STATUS),
        (venue.decode_answer, venues.DECODE_ANSWER),
    )


def begin_desk(stage: Stage) -> np.ndarray:  # type: ignore[type-arg]
    """Fill a DESK over the gateway's tables; what a former life knew is not trusted."""
    orders, positions = stage.own_table("orders"), stage.own_table("positions")
    orders.records[:] = np.zeros(1, ORDER.dtype)
    for name in ("open_buy_lots", "open_sell_lots", "open_order_count"):
        positions.records[name] = 0
    positions.records["instrument_id"] = np.arange(len(positions.records))
    row = np.zeros(1, DESK.dtype)
    row["orders_address"] = orders.address
    row["order_count"] = ORDER_ROWS
    row["positions_address"] = positions.address
    # An order number holds the life that gave it, so no two orders of a run ever share one.
    row["last_order_id"] = int(stage.status_record["epoch"]) << EPOCH_SHIFT
    row["epoch"] = stage.status_record["epoch"]
    return row


def main(role: str, launch: Launch) -> int:
    """Build the gateway process, run it, and release everything."""
    stage = Stage(role, launch)
    stage.status_record["is_flat"] = 0
    try:
        venue = venues.load(stage.config.orders.venue)
        instruments = stage.table("instruments")
        catalog, slots = build_catalog(instruments.records)
        the_desk = begin_desk(stage)
        in_flight = np.zeros(desk.IN_FLIGHT_COUNT, IN_FLIGHT.dtype)
        the_desk["in_flight_address"] = address_of(in_flight)
        rate = stage.own_table("order_rate")
        rate.records["window_ns"] = 10_000_000_000
        rate.records["order_count_max"] = stage.config.orders.orders_per_10s
        key = credentials(stage.config)
        session = venue.new_session(
            key.key, key.secret, launch.run_id, int(stage.status_record["epoch"]),
            stage.config.orders.recv_window_ms,
        )  # fmt: skip
        buffers = connection.Buffers()
        positions, orders = (stage.table(name).records for name in ("positions", "orders"))
        link = OrderLink(stage, key, buffers, positions, orders)
        peers = np.array(
            [stage.table(f"status.{name}").address for name in stage.wiring.roles if name != role]
        )
        touch_copy = np.zeros(1, TOUCH.dtype)
        answer = np.zeros(1, ANSWER.dtype)
        scratch = np.zeros(desk.EVENTS_PER_ANSWER_MAX, ORDER_EVENT.dtype)
        text = np.zeros(venues.REQUEST_BUFFER_BYTES + 128, np.uint8)
        context = np.zeros(1, CONTEXT_DTYPE)
        stage.fill_common(context)
        # Requests before events: the new epoch of the events makes the strategy ask again for all
        # that the reader, when it attached, discarded.
        context["requests_address"] = stage.reader("requests").address
        context["events_address"] = stage.writer("events").address
        context["connection_address"] = buffers.address
        context["desk_address"] = address_of(the_desk)
        context["rate_address"] = rate.address
        context["session_address"] = address_of(session)
        context["catalog_address"] = address_of(catalog)
        context["instruments_address"] = instruments.address
        context["instrument_count"] = len(instruments.records)
        context["limits_address"] = stage.table("limits").address
        context["touches_address"] = stage.table("touches").address
        context["touch_copy_address"] = address_of(touch_copy)
        context["answer_address"] = address_of(answer)
        context["text_address"] = address_of(text) + 64
        context["scratch_address"] = address_of(scratch)
        context["peers_address"] = address_of(peers)
        context["peer_count"] = len(peers)
        context["latency_address"] = stage.own_table("latency.gateway").address
        context["inbox_address"] = link.to_hot.reader_address
        context["outbox_address"] = link.to_main.writer_address
        context["lease_ns"] = stage.config.liveness.lease_ms * NS_PER_MS
        context["answer_timeout_ns"] = stage.config.orders.answer_timeout_ms * NS_PER_MS
        context["halt_reasons"] = Halt.DISCONNECTED
        entered = entry(stage.config.orders.venue)
        status = stage.run(entered, (address_of(context),), link.attend)
        link.close()
        return status
    finally:
        stage.close()
