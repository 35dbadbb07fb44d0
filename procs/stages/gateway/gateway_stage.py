"""The gateway stage: requests in, order bytes out; the venue's answers in, order events out.

Order truth is here: this stage alone writes the order table and the positions.  Each request is
checked against the limits, entered at its worst, encoded, signed and sent on its own.  Its read
position is published before ``send``, so no request is ever sent twice.

While anything is in doubt (the connection, a stage's heartbeat, the supervisor's word) the gateway
is *halted*: it refuses every request and cancels everything that stands.
"""

from typing import Any

import numpy as np

from ipc import control, mailbox, ring
from ipc.clock import now_ns
from ipc.compiled import compile_entry, compiled
from ipc.counters import add
from ipc.log import tell
from ipc.memory import address_of, load_word, record_at, store_word
from ipc.plugs import call_plug
from ipc.types import RecordArray
from ipc.waiting import idle
from procs.connections import connection
from procs.logs import hot_events
from procs.plan.credentials import leave_no_core, own_credentials
from procs.plan.launch import Launch
from procs.plan.wiring import stall_ring
from procs.stages.base.outliers import StallWatch
from procs.stages.base.running import run_alone
from procs.stages.base.stage import LOOP, Built, Stage, begin_turn, end_turn, must_leave
from procs.stages.gateway.answers import check_overdue, read_socket, take_resolved
from procs.stages.gateway.context import (
    BATCH_COUNT_MAX,
    CANCEL_AGAIN_NS,
    CHECK_NS,
    CONNECTION_DTYPE,
    CONTEXT_DTYPE,
    EPOCH_SHIFT,
    LETTER_DTYPE,
    NS_PER_MS,
    ORPHAN_BYTES,
    POLL_NS,
    POSITION_DTYPE,
    REJECT_BASE,
    GatewayCounter,
    Halt,
    disconnect,
    instrument_of,
    open_count,
    send_payload,
    set_halt,
    tell_all,
    venue_wall_ns,
)
from procs.stages.gateway.order_link import GatewaySubject, OrderLink
from procs.stages.gateway.requests import serve_requests
from vortex import venues
from vortex.codes import Kind, Reject
from vortex.decoding.instruments import build_catalog
from vortex.orders import desk
from vortex.orders.desk import DESK, IN_FLIGHT
from vortex.records import ANSWER, ORDER, ORDER_EVENT, REQUEST, SENT, TOUCH
from vortex.venues.contract import REQUEST_BUFFER_BYTES
from vortex.wire.signers import signer_of

#: An order is explained a turn after it was sent: what held it up is among the newest stalls.
STALL_COUNT_MAX = 64


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
    elif not control.must_run(context.command_address):
        reasons |= Halt.SETTLING
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
            tell(context.log_address, hot_events.RESUMED, now, now - context.halted_ns)
    else:
        context.halt_reasons = reasons if is_flat else context.halt_reasons | reasons
    # Only once told to pull: a word from before the order would be taken for its answer.
    is_pulled = reasons & Halt.TOLD != 0 and reasons & Halt.DISCONNECTED == 0
    store_word(context.status_address + control.FLAT_BYTES, 1 if is_flat and is_pulled else 0)


@compiled
def cancel_everything(context_address: int, now: int) -> None:
    """Send cancel-all for every instrument in which an order stands or may stand."""
    context = record_at(context_address, CONTEXT_DTYPE)
    venue_ms = venue_wall_ns(context_address, now) // NS_PER_MS
    for instrument_id in range(context.instrument_count):
        position_address = desk.position_of(context.desk_address, instrument_id)
        open_order_count = record_at(position_address, POSITION_DTYPE).open_order_count
        if open_order_count == 0:
            continue
        request_id = desk.begin_request(
            context.desk_address, Kind.CANCEL_ALL, instrument_id, 0, 0, now
        )
        payload_bytes = call_plug(
            context.encode_cancel_all_address,
            (
                instrument_of(context_address, instrument_id), context.session_address,
                venue_ms, request_id, context.text_address,
            ),
        )  # fmt: skip
        add(context.counters_address, GatewayCounter.CANCEL_ALLS, 1)
        tell(context.log_address, hot_events.CANCEL_ALL, now, instrument_id, open_order_count)
        if not send_payload(context_address, payload_bytes):
            disconnect(context_address, 0)
            return


@compiled
def pull(context_address: int, now: int) -> int:
    """While halted: cancel what stands, and again until nothing does; return 1 when it was told."""
    context = record_at(context_address, CONTEXT_DTYPE)
    if context.halt_reasons == 0 or open_count(context_address) == 0:
        return 0
    if record_at(context.connection_address, CONNECTION_DTYPE).fd < 0:
        return 0
    if context.cancelled_ns != 0 and now - context.cancelled_ns <= CANCEL_AGAIN_NS:
        return 0
    context.cancelled_ns = now
    cancel_everything(context_address, now)
    return 1


@compiled
def may_change(context_address: int, now: int) -> bool:
    """Return whether the connection may be changed for a fresh one: no answer is awaited on it.

    What is answered too late is asked about, so the change does not wait for ever.
    """
    context = record_at(context_address, CONTEXT_DTYPE)
    if record_at(context.connection_address, CONNECTION_DTYPE).fd < 0:
        return True
    if context.change_ns == 0:
        context.change_ns = now + context.answer_timeout_ns
    return now > context.change_ns or desk.unanswered_count(context.desk_address) == 0


@compiled
def take_connection(context_address: int, fd: int, tls_address: int, now: int) -> None:
    """Go on with a fresh connection; the main thread closes the one before."""
    context = record_at(context_address, CONTEXT_DTYPE)
    context.change_ns = 0
    old_fd = record_at(context.connection_address, CONNECTION_DTYPE).fd
    connection.begin(context.connection_address, fd, tls_address, now)
    add(context.counters_address, GatewayCounter.CONNECTIONS, 1)
    if old_fd >= 0:
        tell(context.log_address, hot_events.ORDERS_CHANGED, now, fd, old_fd)
        mailbox.post(context.outbox_address, GatewaySubject.CHANGED, old_fd, 0, 0, 0, 0, 0)
    else:
        tell(context.log_address, hot_events.ORDERS_UP, now, fd)


@compiled
def take_letter(context_address: int, now: int) -> int:
    """Take one letter of the main thread: 1 taken, 0 none."""
    context = record_at(context_address, CONTEXT_DTYPE)
    if ring.ready_count(context.inbox_address) <= 0:
        return 0
    letter = record_at(ring.slot(context.inbox_address, 0), LETTER_DTYPE)
    if letter.subject == GatewaySubject.CONNECTED:
        if not may_change(context_address, now):
            return 0
        take_connection(context_address, letter.first, letter.second, now)
    elif letter.subject == GatewaySubject.RESOLVED:
        take_resolved(context_address, letter.first, now)
    elif letter.subject == GatewaySubject.ORPHANED:
        store_word(context_address + ORPHAN_BYTES, letter.first)
    elif letter.subject == GatewaySubject.VENUE_CLOCK:
        context.venue_offset_ns = letter.first
    elif letter.subject == GatewaySubject.PING:
        connection.queue_ping(context.connection_address)
    elif letter.subject == GatewaySubject.DROP:
        drop(context_address, letter.first)
    ring.consume(context.inbox_address, 1)
    return 1


@compiled
def drop(context_address: int, fd: int) -> None:
    """Give up a connection on which nothing comes, unless it was given up before."""
    context = record_at(context_address, CONTEXT_DTYPE)
    if record_at(context.connection_address, CONNECTION_DTYPE).fd == fd:
        disconnect(context_address, 0)


@compiled
def turn(context_address: int) -> int:
    """Come round once: serve the strategy and the venue; return how much was done."""
    context = record_at(context_address, CONTEXT_DTYPE)
    begin_turn(context_address)
    done_count = serve_requests(context_address)
    now = now_ns(context.clock_address)
    if now >= context.next_poll_ns:
        context.next_poll_ns = now + POLL_NS
        done_count += read_socket(context_address, now)
    done_count += take_letter(context_address, now)
    watch(context_address, now)
    done_count += pull(context_address, now)
    if now >= context.next_check_ns:
        context.next_check_ns = now + CHECK_NS
        done_count += check_overdue(context_address, now)
    return end_turn(context_address, done_count)


def loop(context_address: int) -> int:
    """Come round until told to leave."""
    context = record_at(context_address, CONTEXT_DTYPE)
    while not must_leave(context.command_address, context.leave_address):
        idle(context.wait, turn(context_address))
    return 0


def plugs(venue_name: str) -> dict[str, tuple[Any, Any]]:
    """Return what a venue plugs in: fields of the context, functions and their signatures."""
    venue = venues.load(venue_name)
    return {
        "encode_request_address": (venue.encode_request, venues.ENCODE_REQUEST),
        "encode_cancel_all_address": (venue.encode_cancel_all, venues.ENCODE_CANCEL_ALL),
        "encode_status_address": (venue.encode_order_status, venues.ENCODE_ORDER_STATUS),
        "decode_answer_address": (venue.decode_answer, venues.DECODE_ANSWER),
    }


def compile_loop() -> Any:
    """Compile the loop, or read it from the cache."""
    return compile_entry(loop, LOOP)


def begin_desk(stage: Stage) -> RecordArray:
    """Fill a DESK over the gateway's tables; what a former life knew is not trusted."""
    account = stage.wiring.account_of(stage.role)
    orders = stage.own_table(account.named("orders"))
    positions = stage.own_table(account.named("positions"))
    orders.records[:] = np.zeros(1, ORDER.dtype)
    for name in ("open_buy_lots", "open_sell_lots", "open_order_count"):
        positions.records[name] = 0
    positions.records["instrument_id"] = np.arange(len(positions.records))
    positions.records["account_id"] = account.account_id
    row = np.zeros(1, DESK.dtype)
    row["orders_address"] = orders.address
    row["order_count"] = len(orders.records)
    row["positions_address"] = positions.address
    # An order number holds the life that gave it, so no two orders of a run ever share one.
    row["last_order_id"] = int(stage.status_record["epoch"]) << EPOCH_SHIFT
    row["epoch"] = stage.status_record["epoch"]
    in_flight_bytes = desk.IN_FLIGHT_COUNT * IN_FLIGHT.dtype.itemsize
    row["in_flight_address"] = stage.keep(connection.touched_bytes(in_flight_bytes))
    return row


def begin_rate(stage: Stage) -> int:
    """Fill the gateway's record of its own order rate; return its address."""
    account = stage.wiring.account_of(stage.role)
    rate = stage.own_table(account.named("order_rate"))
    rate.records["window_ns"] = 10_000_000_000
    rate.records["order_count_max"] = account.settings.orders_per_10s
    return rate.address


def begin_link(stage: Stage, context: RecordArray) -> OrderLink:
    """Make the session and the connection to the venue, and fill what the loop knows of them."""
    account = stage.wiring.account_of(stage.role)
    venue = venues.load(account.settings.venue)
    key = own_credentials()
    leave_no_core()
    session = venue.new_session(
        key.key, signer_of(key.secret), stage.launch.run_id, int(stage.status_record["epoch"]),
        account.settings.recv_window_ms,
    )  # fmt: skip
    buffers = connection.Buffers()
    positions, orders = (
        stage.table(account.named(name)).records for name in ("positions", "orders")
    )
    link = OrderLink(stage, key, buffers, positions, orders, REJECT_BASE + Reject.VENUE_CLOCK)
    context["session_address"] = stage.keep(session)
    context["connection_address"] = buffers.address
    context["inbox_address"] = link.to_hot.reader_address
    context["outbox_address"] = link.to_main.writer_address
    return link


def watch_stalls(stage: Stage) -> StallWatch:
    """Look on at what all stages tell of their stalls."""
    hop_roles = stage.wiring.hop_roles(stage.role)
    rings = [stage.observer(stall_ring(role)) for role in stage.wiring.roles]
    cpu_indexes = [stage.launch.cpu_indexes[role] for role in stage.wiring.roles]
    watch = StallWatch([each.handle for each in rings], cpu_indexes, hop_roles, STALL_COUNT_MAX)
    stage.hold(watch)
    return watch


def build(stage: Stage) -> Built:
    """Attach the gateway to its rings and tables, fill its context, and begin halted."""
    stage.status_record["is_flat"] = 0
    instruments = stage.table("instruments")
    catalog, slots = build_catalog(instruments.records)
    stage.keep(slots)
    account = stage.wiring.account_of(stage.role)
    peers = [stage.table(f"status.{name}").address for name in stage.wiring.roles_before_gateways]
    context = np.zeros(1, CONTEXT_DTYPE)
    stage.fill_common(context)
    context["desk_address"] = stage.keep(begin_desk(stage))
    context["rate_address"] = begin_rate(stage)
    link = begin_link(stage, context)
    # Requests before events: the new epoch of the events makes the strategy ask again for all
    # that the reader, when it attached, discarded.
    context["requests_address"] = stage.reader(account.named("requests")).address
    context["events_address"] = stage.writer(account.named("events")).address
    context["catalog_address"] = stage.keep(catalog)
    context["instruments_address"] = instruments.address
    context["instrument_count"] = len(instruments.records)
    context["accounts_address"] = stage.keep_words(stage.config.account_ids)
    context["account_id"] = account.account_id
    context["limits_address"] = stage.table("limits").address
    context["touches_address"] = stage.table("touches").address
    context["touch_copy_address"] = stage.keep(np.zeros(1, TOUCH.dtype))
    context["answer_address"] = stage.keep(np.zeros(1, ANSWER.dtype))
    context["request_address"] = stage.keep(np.zeros(1, REQUEST.dtype))
    context["batch_address"] = stage.keep(np.zeros(BATCH_COUNT_MAX, SENT.dtype))
    context["sent_address"] = stage.writer(account.named("sent")).address
    context["worst_address"] = stage.writer(account.named("worst")).address
    context["watch_address"] = watch_stalls(stage).address
    context["budget_ns"] = stage.config.latency.budget_us * 1_000
    text_address = stage.keep(np.zeros(REQUEST_BUFFER_BYTES + 128, np.uint8))
    context["text_address"] = text_address + 64
    context["scratch_address"] = stage.keep(np.zeros(desk.EVENTS_PER_ANSWER_MAX, ORDER_EVENT.dtype))
    context["heard_address"] = stage.keep(np.zeros(len(instruments.records), np.int64))
    context["peers_address"] = stage.keep(np.array(peers))
    context["peer_count"] = len(peers)
    context["latency_address"] = stage.own_table(f"latency.{stage.role}").address
    context["lease_ns"] = stage.config.liveness.lease_ms * NS_PER_MS
    context["answer_timeout_ns"] = account.settings.answer_timeout_ms * NS_PER_MS
    context["halt_reasons"] = Halt.DISCONNECTED
    context["halted_ns"] = now_ns(stage.clock)
    for field, (function, signature) in plugs(account.settings.venue).items():
        context[field] = stage.plug(function, signature)
    return Built(stage, address_of(context), link.attend, link.close)


def main(role: str, launch: Launch) -> int:
    """Build the gateway process, run it, and release everything."""
    return run_alone(role, launch, build, compile_loop)
