"""What the parts of the gateway share: its context, its counters, and how it speaks and halts."""

from enum import IntEnum

from ipc import clock, mailbox, ring
from ipc.compiled import compiled
from ipc.counters import add
from ipc.histogram import HISTOGRAM
from ipc.layout import Field, Layout
from ipc.log import log_event
from ipc.memory import load_word, record_at, store_word
from ipc.types import Record
from procs.connections import connection
from procs.logs import hot_events
from procs.plan.wiring import GATEWAY_LATENCIES
from procs.stages.base.stage import CONTEXT_FIELDS
from procs.stages.gateway.order_link import GatewaySubject
from vortex.codes import Kind, Reject
from vortex.orders import desk_tables, order_events
from vortex.orders.desk_tables import DESK
from vortex.orders.limits import LIMITS
from vortex.records import ANSWER, INSTRUMENT, ORDER, POSITION, REQUEST, SENT, TOUCH
from vortex.wire.websocket import FRAMER, Opcode

CONTEXT = Layout(
    "gateway_context",
    "What the gateway's loop works with; addresses in this process.",
    *CONTEXT_FIELDS,
    Field("requests_address", "i8", "handle of the requests ring"),
    Field("events_address", "i8", "handle of the events ring"),
    Field("connections_address", "i8", "address of each CONNECTION; requests go on the first"),
    Field("connection_count", "i8", "how many"),
    Field("desk_address", "i8", "DESK"),
    Field("rates_address", "i8", "ORDER_RATE table"),
    Field("session_address", "i8", "SESSION"),
    Field("catalog_address", "i8", "CATALOG"),
    Field("instruments_address", "i8", "INSTRUMENT table"),
    Field("instrument_count", "i8", "how many"),
    Field("accounts_address", "i8", "the account of each instrument"),
    Field("account_id", "i8", "the account of this gateway"),
    Field("limits_address", "i8", "LIMITS table"),
    Field("touches_address", "i8", "TOUCH table"),
    Field("touch_copy_address", "i8", "where a touch is copied to"),
    Field("answers_address", "i8", "the ANSWERs of the message in hand"),
    Field("request_address", "i8", "the REQUEST in hand, a copy"),
    Field("batch_address", "i8", "a SENT for each request that goes out with one send"),
    Field("slow_count", "i8", "of the last batch, those in which to look for orders over budget"),
    Field("sent_address", "i8", "handle of the ring of what was sent"),
    Field("worst_address", "i8", "handle of the ring of orders over budget"),
    Field("watch_address", "i8", "WATCH over the stalls of all stages"),
    Field("budget_ns", "i8", "how long an order may take, tick to order"),
    Field("text_address", "i8", "the payload in hand"),
    Field("scratch_address", "i8", "room for events that find none on the ring"),
    Field(
        "events_read_seq_min_address", "i8", "events read before a request counts, each instrument"
    ),
    Field("peers_address", "i8", "addresses of the STATUS of the stages before this one"),
    Field("peer_count", "i8", "how many"),
    Field("latency_address", "i8", "histograms, as wiring.GATEWAY_LATENCIES"),
    Field("inbox_address", "i8", "letters from the main thread"),
    Field("outbox_address", "i8", "letters to the main thread"),
    Field("lease_ns", "i8", "how old a heartbeat may be"),
    Field("answer_timeout_ns", "i8", "how long an answer may take"),
    Field("halt_reasons", "i8", "see Halt; 0 while trading"),
    Field("halted_ns", "i8", "when the halt began; 0 before the first"),
    Field("venue_offset_ns", "i8", "the venue's clock minus wall time, from the main thread"),
    Field("is_orphan", "i8", "1 when the supervisor died, from the main thread"),
    # Of a turn that does nothing, only these three are changed: see WAITS_BYTES.
    Field("change_ns", "i8", "until when a fresh connection waits for answers; 0 for none waits"),
    Field("next_poll_ns", "i8", "when the socket is looked at next"),
    Field("next_check_ns", "i8", "when unanswered requests are looked at next"),
    Field("stepped_count", "i8", "records, letters and bytes so far, by the end of the last step"),
    Field("stepped_halt_reasons", "i8", "halt_reasons by then"),
    Field("cancelled_ns", "i8", "when cancel-all was last sent; 0 for not since the halt"),
    Field("encode_request_address", "i8", "the venue's encoder of requests"),
    Field("encode_cancel_all_address", "i8", "the venue's encoder of cancel-all; 0: asks main"),
    Field("encode_status_address", "i8", "the venue's encoder of status queries; 0: asks main"),
    Field("replacing", "i8", "how the venue replaces an order: 0 for not at all; see Replaces"),
    Field("is_amend_known", "i8", "1 when the venue's encoder knows AMEND"),
    Field("is_ack_accepted", "i8", "1: a good reply means accepted; the state comes later"),
    Field("decode_answer_address", "i8", "the venue's decoder of answers"),
    multiple_bytes=8,
)

CONTEXT_DTYPE = CONTEXT.dtype
CONNECTION_DTYPE = connection.CONNECTION_DTYPE
ANSWER_DTYPE = ANSWER.dtype
DESK_DTYPE = DESK.dtype
FRAMER_DTYPE = FRAMER.dtype
INSTRUMENT_DTYPE = INSTRUMENT.dtype
INSTRUMENT_BYTES = INSTRUMENT.dtype.itemsize
LETTER_DTYPE = mailbox.LETTER_DTYPE
LETTER_BYTES = LETTER_DTYPE.itemsize
LIMITS_DTYPE = LIMITS.dtype
LIMITS_BYTES = LIMITS.dtype.itemsize
ORDER_DTYPE = ORDER.dtype
ANSWER_BYTES = ANSWER.dtype.itemsize
ANSWER_COUNT_MAX = 128
ORDER_BYTES = ORDER.dtype.itemsize
POSITION_DTYPE = POSITION.dtype
REQUEST_DTYPE = REQUEST.dtype
SENT_DTYPE = SENT.dtype
SENT_RECORD_BYTES = SENT.dtype.itemsize
REQUEST_BYTES = REQUEST.dtype.itemsize
RING_DTYPE = ring.RING_DTYPE
TOUCH_DTYPE = TOUCH.dtype
TOUCH_BYTES = TOUCH.dtype.itemsize
HISTOGRAM_BYTES = HISTOGRAM.dtype.itemsize
ORPHAN_BYTES = CONTEXT.offset_bytes("is_orphan")
#: Offset and size of what a turn that does nothing may change.
WAITS_OFFSET_BYTES, WAITS_BYTES = CONTEXT.offset_bytes("change_ns"), 24
NS_PER_MS = 1_000_000
CHECK_NS = 20_000_000
POLL_NS = 20_000  # an empty poll costs a microsecond of all that share the core
BATCH_COUNT_MAX = 16
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
    NEW_STRATEGY = 8  # the strategy restarted: its former orders must go
    ORPHANED = 16  # the supervisor died
    SETTLING = 32  # the run is not up as a whole yet


class Replaces(IntEnum):
    """How the venue replaces an order: ``contract.Replacing`` as a number."""

    NONE = 0
    CANCEL_AND_NEW = 1
    AMEND = 2


class GatewayCounter(IntEnum):
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
    DISCARDED = 16  # requests of a former strategy, or from before it starts from scratch
    LATE = 17  # answers to forgotten requests
    STRAYS = 18  # unexpected open orders: the venue had denied them
    AMENDED = 19  # amendments sent: the order keeps its id


@compiled
def instrument_of(context: Record, instrument_id: int) -> int:
    """Return the address of one INSTRUMENT."""
    return context.instruments_address + instrument_id * INSTRUMENT_BYTES


@compiled
def connection_of(context: Record, index: int) -> int:
    """Return the address of one CONNECTION; requests go on the first."""
    return load_word(context.connections_address + 8 * index)


@compiled
def is_connected(context: Record) -> bool:
    """Return whether every connection is open."""
    for index in range(context.connection_count):
        if record_at(connection_of(context, index), CONNECTION_DTYPE).fd < 0:
            return False
    return True


@compiled
def venue_wall_ns(context: Record, now_ns: int) -> int:
    """Return the time by the venue's clock, which its requests must carry."""
    return now_ns + clock.wall_offset_ns(context.clock_address) + context.venue_offset_ns


@compiled
def require_events_read(context: Record, instrument_id: int) -> None:
    """Refuse requests for the instrument that were made before all events until now were read."""
    events = record_at(context.events_address, RING_DTYPE)
    store_word(context.events_read_seq_min_address + 8 * instrument_id, events.next_seq)


@compiled
def claim_events(context: Record) -> int:
    """Return where the next events go; a full ring starts again, and the strategy reloads."""
    address = ring.claim(context.events_address)
    if address == 0:
        add(context.counters_address, GatewayCounter.EVENTS_LOST, 1)
        log_event(context.log_address, hot_events.EVENTS_FULL, clock.now_ns(context.clock_address))
        ring.raise_epoch(context.events_address)
        for instrument_id in range(context.instrument_count):
            require_events_read(context, instrument_id)
    return address


@compiled
def publish_events(context: Record, count: int, now_ns: int) -> None:
    """Publish the events just written."""
    ring.append(context.events_address, count)
    ring.commit(context.events_address, now_ns)
    add(context.counters_address, GatewayCounter.EVENTS, count)


@compiled
def emit_all(context: Record, kind: int, reason: int, now_ns: int) -> bool:
    """Publish an event for each instrument of the account; False when there is no room."""
    for instrument_id in range(context.instrument_count):
        if load_word(context.accounts_address + 8 * instrument_id) != context.account_id:
            continue
        events_address = claim_events(context)
        if events_address == 0:
            return False
        order_events.begin_events(context.desk_address, events_address)
        order_events.next_event(context.desk_address, kind, instrument_id, reason)
        publish_events(context, 1, now_ns)
        if kind == Kind.RESUMED:
            require_events_read(context, instrument_id)
    return True


@compiled
def set_halt(context: Record, reason: int) -> None:
    """Add one reason to take no orders."""
    if context.halt_reasons | reason == context.halt_reasons:
        return
    now_ns = clock.now_ns(context.clock_address)
    if context.halt_reasons == 0:
        add(context.counters_address, GatewayCounter.HALTS, 1)
        context.cancelled_ns = 0
        context.halted_ns = now_ns
        log_event(context.log_address, hot_events.HALTED, now_ns, reason)
        emit_all(context, Kind.HALTED, Reject.HALTED, now_ns)
    else:
        log_event(
            context.log_address, hot_events.HALTED_MORE, now_ns, context.halt_reasons | reason
        )
    context.halt_reasons |= reason


@compiled
def open_count(context: Record) -> int:
    """Return how many orders are open or may be."""
    return desk_tables.open_order_count(context.desk_address, context.instrument_count)


@compiled
def queue_payload(context: Record, payload_bytes: int) -> bool:
    """Frame and mask the payload in hand behind what waits to be sent; False without room."""
    add(context.counters_address, GatewayCounter.SENT_BYTES, payload_bytes)
    return connection.queue(
        connection_of(context, 0), Opcode.TEXT, context.text_address, payload_bytes
    )


@compiled
def send_payload(context: Record, payload_bytes: int) -> bool:
    """Frame, mask and send the payload in hand; False when the connection is lost."""
    queued = queue_payload(context, payload_bytes)
    return queued and connection.flush(connection_of(context, 0)) >= 0


@compiled
def disconnect(context: Record, reason: int) -> None:
    """Drop every connection and ask the main thread for new ones: one alone is of no use."""
    dropped_count = 0
    for index in range(context.connection_count):
        connection_address = connection_of(context, index)
        fd = record_at(connection_address, CONNECTION_DTYPE).fd
        if fd >= 0:
            connection.flush(connection_address)
            connection.end(connection_address)
            mailbox.post(
                context.outbox_address, GatewaySubject.DISCONNECTED, fd, reason, index, 0, 0, 0
            )
            dropped_count += 1
    if dropped_count > 0:
        now_ns = clock.now_ns(context.clock_address)
        add(context.counters_address, GatewayCounter.DISCONNECTIONS, 1)
        log_event(context.log_address, hot_events.ORDERS_DOWN, now_ns, reason)
        set_halt(context, Halt.DISCONNECTED)
