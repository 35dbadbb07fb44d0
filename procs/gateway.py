"""The gateway process: requests in, order bytes out; the venue's answers in, order events out.

Order truth is here: this process alone writes the order table and the positions.  Each request is
checked against the limits, entered at its worst, encoded, signed and sent on its own.  Its read
position is published before ``send``, so no request is ever sent twice.

While anything is in doubt (the connection, a stage's heartbeat, the supervisor's word) the gateway
is *halted*: it refuses every request and cancels everything that stands.
"""

from typing import Any

import numpy as np

from ipc import control, ring
from ipc.clock import now_ns, wall_offset_ns
from ipc.compiled import compiled
from ipc.counters import add
from ipc.memory import address_of, load_word, record_at, store_word
from ipc.types import RecordArray
from ipc.waiting import idle
from procs import connection
from procs.config import credentials
from procs.gateway_answers import check_overdue, read_socket, take_resolved
from procs.gateway_context import (
    CANCEL_AGAIN_NS,
    CHECK_NS,
    CONNECTION_DTYPE,
    CONTEXT_DTYPE,
    EPOCH_SHIFT,
    LETTER_DTYPE,
    NOTABLE,
    NS_PER_MS,
    ORPHAN_BYTES,
    POSITION_DTYPE,
    Counter,
    Halt,
    disconnect,
    instrument_of,
    open_count,
    send_payload,
    set_halt,
    tell_all,
)
from procs.gateway_requests import serve_requests
from procs.order_link import OrderLink, Subject
from procs.stage import Entry, Launch, Stage, must_leave, plug_in
from procs.wiring import ORDER_ROWS
from vortex import desk, venues
from vortex.codes import Kind, Reject
from vortex.desk import DESK, IN_FLIGHT
from vortex.instruments import build_catalog
from vortex.records import ANSWER, ORDER, ORDER_EVENT, REQUEST, TOUCH


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


def begin_desk(stage: Stage) -> RecordArray:
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
    stage = Stage(role, launch, NOTABLE)
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
        request = np.zeros(1, REQUEST.dtype)
        scratch = np.zeros(desk.EVENTS_PER_ANSWER_MAX, ORDER_EVENT.dtype)
        heard = np.zeros(len(instruments.records), np.int64)
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
        context["request_address"] = address_of(request)
        context["text_address"] = address_of(text) + 64
        context["scratch_address"] = address_of(scratch)
        context["heard_address"] = address_of(heard)
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
