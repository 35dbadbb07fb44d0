"""The gateway stage: requests in, order bytes out; the venue's answers in, order events out.

Order truth is here: this stage alone writes the order table and the positions.  Each request is
checked against the limits, entered at its worst, encoded, signed and sent on its own.  Its read
position is published before ``send``, so no request is ever sent twice.

While anything is in doubt (a connection, a stage's heartbeat, the supervisor's command) the gateway
is *halted*: it refuses every request and cancels every open order.
"""

from typing import Any

import numpy as np

from ipc import clock, control, intake, mailbox, ring
from ipc.compiled import compile_entry, compiled
from ipc.counters import add
from ipc.intake import Entry, take_word
from ipc.log import log_event
from ipc.memory import address_of, load_word, record_at, store_word
from ipc.plugs import call_plug
from ipc.types import Record, RecordArray
from ipc.waiting import idle
from procs.connections import connection
from procs.logs import hot_events
from procs.plan.credentials import leave_no_core, own_credentials
from procs.plan.launch import Launch
from procs.plan.wiring import stall_ring
from procs.stages.base.outliers import StallWatch
from procs.stages.base.running import run_alone
from procs.stages.base.stage import (
    LOOP,
    Built,
    Outside,
    Stage,
    begin_turn,
    end_intake,
    end_turn,
    log_step,
    must_leave,
)
from procs.stages.gateway.answers import check_overdue, read_connections, take_resolved
from procs.stages.gateway.context import (
    ANSWER_BYTES,
    ANSWER_COUNT_MAX,
    BATCH_COUNT_MAX,
    CANCEL_AGAIN_NS,
    CHECK_NS,
    CONNECTION_DTYPE,
    CONTEXT_DTYPE,
    EPOCH_SHIFT,
    LETTER_BYTES,
    LETTER_DTYPE,
    NS_PER_MS,
    ORPHAN_BYTES,
    POLL_NS,
    POSITION_DTYPE,
    REJECT_BASE,
    RING_DTYPE,
    WAITS_BYTES,
    WAITS_OFFSET_BYTES,
    GatewayCounter,
    Halt,
    Replaces,
    connection_of,
    disconnect,
    emit_all,
    instrument_of,
    is_connected,
    open_count,
    send_payload,
    set_halt,
    venue_wall_ns,
)
from procs.stages.gateway.order_link import GatewaySubject, OrderLink
from procs.stages.gateway.requests import serve_requests
from vortex import venues
from vortex.codes import Kind, Reject
from vortex.decoding.instruments import build_catalog
from vortex.orders import desk_tables, limits, order_events
from vortex.orders.desk_tables import DESK, IN_FLIGHT
from vortex.records import ANSWER, ORDER, ORDER_EVENT, REQUEST, SENT, TOUCH
from vortex.venues import contract
from vortex.venues.contract import REQUEST_BUFFER_BYTES
from vortex.wire.signers import signer_of
from vortex.wire.websocket import Opcode

#: An order is explained a turn after it was sent: what held it up is among the newest stalls.
STALL_COUNT_MAX = 64


@compiled
def is_silent(context: Record, now_ns: int) -> bool:
    """Return whether the heartbeat of a stage before this one is older than its lease."""
    for index in range(context.peer_count):
        status_address = load_word(context.peers_address + 8 * index)
        if now_ns - control.heartbeat_ns(status_address) > context.lease_ns:
            return True
    return False


@compiled
def doubts(context_address: int, now_ns: int) -> int:
    """Return what is in doubt at this moment; see Halt."""
    context = record_at(context_address, CONTEXT_DTYPE)
    reasons = 0
    if control.must_pull(context.command_address):
        reasons |= Halt.TOLD
    elif not control.must_run(context.command_address):
        reasons |= Halt.SETTLING
    if is_silent(context, now_ns):
        reasons |= Halt.SILENCE
    if load_word(context_address + ORPHAN_BYTES) != 0:
        reasons |= Halt.ORPHANED
    if not is_connected(context):
        reasons |= Halt.DISCONNECTED
    if context.intake_address != 0:  # commands and heartbeats are other processes'
        return take_word(context.intake_address, Entry.SHARED, reasons)
    return reasons


@compiled
def watch(context_address: int, now_ns: int) -> None:
    """Halt when something is in doubt; take orders again when nothing is and none is open."""
    context = record_at(context_address, CONTEXT_DTYPE)
    reasons = doubts(context_address, now_ns)
    if reasons != 0:
        set_halt(context, reasons)
    if context.halt_reasons == 0:
        return
    is_flat = open_count(context) == 0
    if is_flat and reasons == 0:
        if emit_all(context, Kind.RESUMED, Reject.NONE, now_ns):
            context.halt_reasons = 0
            log_event(context.log_address, hot_events.RESUMED, now_ns, now_ns - context.halted_ns)
    else:
        context.halt_reasons = reasons if is_flat else context.halt_reasons | reasons
    # Set only while a pull is requested: an earlier 1 would be read as its acknowledgement.
    is_pulled = reasons & Halt.TOLD != 0 and reasons & Halt.DISCONNECTED == 0
    store_word(context.status_address + control.FLAT_BYTES, 1 if is_flat and is_pulled else 0)


@compiled
def cancel_everything(context: Record, now_ns: int) -> None:
    """Cancel all orders of every instrument in which one is open, or may be."""
    for instrument_id in range(context.instrument_count):
        position_address = desk_tables.position_of(context.desk_address, instrument_id)
        open_order_count = record_at(position_address, POSITION_DTYPE).open_order_count
        if open_order_count == 0:
            continue
        add(context.counters_address, GatewayCounter.CANCEL_ALLS, 1)
        log_event(
            context.log_address, hot_events.CANCEL_ALL, now_ns, instrument_id, open_order_count
        )
        if not cancel_instrument(context, instrument_id, now_ns):
            disconnect(context, 0)
            return


@compiled
def cancel_instrument(context: Record, instrument_id: int, now_ns: int) -> bool:
    """Send cancel-all for an instrument, or let the main thread ask; False when it is not sent."""
    if context.encode_cancel_all_address == 0:
        mailbox.post(
            context.outbox_address, GatewaySubject.CANCEL_ALL, instrument_id, 0, 0, 0, 0, 0
        )
        return True  # the main thread is asked again until nothing is open
    request_id = desk_tables.begin_request(
        context.desk_address, Kind.CANCEL_ALL, instrument_id, 0, 0, now_ns
    )
    venue_ms = venue_wall_ns(context, now_ns) // NS_PER_MS
    payload_bytes = call_plug(
        context.encode_cancel_all_address,
        (
            instrument_of(context, instrument_id), context.session_address,
            venue_ms, request_id, context.text_address,
        ),
    )  # fmt: skip
    return send_payload(context, payload_bytes)


@compiled
def pull(context: Record, now_ns: int) -> int:
    """While halted: cancel what is open, and again until nothing is; return 1 when it was asked."""
    if context.halt_reasons == 0 or open_count(context) == 0:
        return 0
    if not is_connected(context):
        return 0
    if context.cancelled_ns != 0 and now_ns - context.cancelled_ns <= CANCEL_AGAIN_NS:
        return 0
    context.cancelled_ns = now_ns
    cancel_everything(context, now_ns)
    return 1


@compiled
def may_change(context: Record, index: int, now_ns: int) -> bool:
    """Return whether a connection may give way to a fresh one: no answer is awaited on it.

    A request that is answered too late has its status queried, so the change waits a bounded time.
    """
    if record_at(connection_of(context, index), CONNECTION_DTYPE).fd < 0:
        return True
    if context.change_ns == 0:
        context.change_ns = now_ns + context.answer_timeout_ns
    return now_ns > context.change_ns or desk_tables.unanswered_count(context.desk_address) == 0


@compiled
def take_connection(context: Record, index: int, fd: int, tls_address: int, now_ns: int) -> None:
    """Go on with a fresh connection; the main thread closes the one before."""
    context.change_ns = 0
    connection_address = connection_of(context, index)
    old_fd = record_at(connection_address, CONNECTION_DTYPE).fd
    connection.begin(connection_address, fd, tls_address, now_ns)
    add(context.counters_address, GatewayCounter.CONNECTIONS, 1)
    if old_fd >= 0:
        log_event(context.log_address, hot_events.ORDERS_CHANGED, now_ns, fd, old_fd)
        mailbox.post(context.outbox_address, GatewaySubject.CHANGED, old_fd, index, 0, 0, 0, 0)
    else:
        log_event(context.log_address, hot_events.ORDERS_UP, now_ns, fd)


@compiled
def note_letter(context: Record, letter_address: int) -> None:
    """Have the intake take a letter, and the bytes that the main thread lends with it."""
    letter = record_at(letter_address, LETTER_DTYPE)
    lent_address, lent_bytes = letter.first, 0
    if letter.subject == GatewaySubject.RESOLVED:
        lent_bytes = ANSWER_BYTES
    elif letter.subject == GatewaySubject.PING:
        lent_address, lent_bytes = letter.second, letter.third
    intake.take_letter(
        context.intake_address, letter_address, LETTER_BYTES, lent_address, lent_bytes
    )


@compiled
def take_letter(context_address: int, now_ns: int) -> int:
    """Take one letter of the main thread: 1 taken, 0 none."""
    context = record_at(context_address, CONTEXT_DTYPE)
    if ring.ready_count(context.inbox_address) <= 0:
        return 0
    letter_address = ring.slot(context.inbox_address, 0)
    letter = record_at(letter_address, LETTER_DTYPE)
    is_fresh = letter.subject == GatewaySubject.CONNECTED
    if is_fresh and not may_change(context, letter.third, now_ns):
        return 0
    if context.intake_address != 0:
        note_letter(context, letter_address)
    if is_fresh:
        take_connection(context, letter.third, letter.first, letter.second, now_ns)
    elif letter.subject == GatewaySubject.RESOLVED:
        take_resolved(context, letter.first, now_ns)
    elif letter.subject == GatewaySubject.ORPHANED:
        store_word(context_address + ORPHAN_BYTES, letter.first)
    elif letter.subject == GatewaySubject.VENUE_CLOCK:
        context.venue_offset_ns = letter.first
    elif letter.subject == GatewaySubject.PING:
        ping(context, letter.first, letter.second, letter.third)
    elif letter.subject == GatewaySubject.DROP:
        drop(context, letter.first)
    ring.consume(context.inbox_address, 1)
    return 1


@compiled
def ping(context: Record, index: int, text_address: int, text_bytes: int) -> None:
    """Ask the peer of a connection whether it lives: by a text of the venue's, or by WebSocket."""
    connection_address = connection_of(context, index)
    if text_bytes == 0:
        connection.queue_ping(connection_address)
    elif record_at(connection_address, CONNECTION_DTYPE).fd >= 0:
        connection.queue(connection_address, Opcode.TEXT, text_address, text_bytes)


@compiled
def drop(context: Record, fd: int) -> None:
    """Drop the connections when ``fd`` is one of them: it is silent, or was dropped before."""
    for index in range(context.connection_count):
        if record_at(connection_of(context, index), CONNECTION_DTYPE).fd == fd:
            disconnect(context, 0)


@compiled
def read_bytes(context: Record) -> int:
    """Return how many bytes were read from all connections in this life."""
    total_bytes = 0
    for index in range(context.connection_count):
        the_connection = record_at(connection_of(context, index), CONNECTION_DTYPE)
        total_bytes += the_connection.read_bytes
    return total_bytes


@compiled
def done_so_far(context: Record) -> int:
    """Return a number that grows with each record, letter and byte."""
    requests = record_at(context.requests_address, RING_DTYPE)
    events = record_at(context.events_address, RING_DTYPE)
    worst = record_at(context.worst_address, RING_DTYPE)
    inbox = record_at(context.inbox_address, RING_DTYPE)
    consumed_count = requests.next_seq + requests.epoch + inbox.next_seq
    published_count = events.next_seq + events.epoch + worst.next_seq
    return consumed_count + published_count + read_bytes(context)


@compiled
def end_step(context_address: int, begin_ns: int) -> None:
    """Log a step: what was sent and published is out already."""
    context = record_at(context_address, CONTEXT_DTYPE)
    context.stepped_count = done_so_far(context)
    context.stepped_halt_reasons = context.halt_reasons
    publish_ns = clock.now_ns(context.clock_address)
    log_step(context_address, begin_ns, publish_ns, read_bytes(context))


@compiled
def has_done(context: Record, done_count: int) -> bool:
    """Return whether this turn was a step."""
    if done_count > 0 or context.halt_reasons != context.stepped_halt_reasons:
        return True
    return done_so_far(context) != context.stepped_count


@compiled
def begin(context_address: int) -> None:
    """Log where the loop begins."""
    context = record_at(context_address, CONTEXT_DTYPE)
    end_step(context_address, clock.now_ns(context.clock_address))
    end_intake(context_address)


@compiled
def turn(context_address: int) -> int:
    """Make one iteration: serve the strategy and the venue; return how much was done."""
    context = record_at(context_address, CONTEXT_DTYPE)
    begin_ns = begin_turn(context_address)
    if context.intake_address != 0:
        waits_address = context_address + WAITS_OFFSET_BYTES
        intake.take_bytes(context.intake_address, Entry.STATE, waits_address, WAITS_BYTES)
    done_count = context.slow_count
    done_count += serve_requests(context)
    now_ns = clock.now_ns(context.clock_address)
    if now_ns >= context.next_poll_ns:
        context.next_poll_ns = now_ns + POLL_NS
        done_count += read_connections(context, now_ns)
    done_count += take_letter(context_address, now_ns)
    watch(context_address, now_ns)
    done_count += pull(context, now_ns)
    if now_ns >= context.next_check_ns:
        context.next_check_ns = now_ns + CHECK_NS
        done_count += check_overdue(context, now_ns)
    if has_done(context, done_count):
        end_step(context_address, begin_ns)
    return end_turn(context_address, done_count)


def loop(context_address: int) -> int:
    """Run iterations until ordered to stop."""
    context = record_at(context_address, CONTEXT_DTYPE)
    begin(context_address)
    while not must_leave(context.command_address, context.leave_address):
        idle(context.wait, turn(context_address))
    return 0


def plugs(venue_name: str) -> dict[str, tuple[Any, Any]]:
    """Return what a venue plugs in: fields of the context, functions and their signatures."""
    orders = venues.orders_of(venue_name)
    functions = {
        "encode_request_address": (orders.encode_request, contract.ENCODE_REQUEST),
        "encode_cancel_all_address": (orders.encode_cancel_all, contract.ENCODE_CANCEL_ALL),
        "encode_status_address": (orders.encode_order_status, contract.ENCODE_ORDER_STATUS),
        "decode_answer_address": (orders.decode_answer, contract.DECODE_ANSWER),
    }
    return {field: plug for field, plug in functions.items() if plug[0] is not None}


def compile_loop() -> Any:
    """Compile the loop, or read it from the cache."""
    return compile_entry(loop, LOOP)


def begin_desk(stage: Stage) -> RecordArray:
    """Fill a DESK over the gateway's tables; the orders of a former life are not trusted."""
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
    row["instruments_address"] = stage.table("instruments").address
    row["seen_fills_address"] = stage.own_table(account.named("seen_fills")).address
    row["orders_left_count"] = -1  # until an order is counted
    # An order number holds the life that gave it, so no two orders of a run ever share one.
    row["last_order_id"] = int(stage.status_record["epoch"]) << EPOCH_SHIFT
    row["epoch"] = stage.status_record["epoch"]
    in_flight_bytes = desk_tables.IN_FLIGHT_COUNT * IN_FLIGHT.dtype.itemsize
    row["in_flight_address"] = stage.keep(connection.touched_bytes(in_flight_bytes))
    return row


def begin_rates(stage: Stage) -> int:
    """Fill the gateway's windows of orders; return the table's address.

    The configured number replaces that of the venue's window of ten seconds.
    """
    account = stage.wiring.account_of(stage.role)
    settings, rates = account.settings, stage.own_table(account.named("order_rate"))
    budgets = [
        budget._replace(order_count_max=settings.orders_per_10s)
        if budget.window_ns == limits.TEN_SECONDS_NS and not budget.is_rolling
        else budget
        for budget in venues.orders_of(settings.venue).budgets
    ]
    limits.begin_rates(rates.records, budgets)
    return rates.address


def begin_link(stage: Stage, context: RecordArray) -> OrderLink:
    """Make the session and the connections to the venue, and fill what the loop knows of them."""
    account = stage.wiring.account_of(stage.role)
    settings = account.settings
    orders = venues.orders_of(settings.venue)
    key = own_credentials()
    leave_no_core()
    session = venues.account_of(settings.venue).new_session(
        key.key, signer_of(key.secret), stage.launch.run_id, int(stage.status_record["epoch"]),
        settings.recv_window_ms,
    )  # fmt: skip
    positions, rows = (stage.table(account.named(name)).records for name in ("positions", "orders"))
    link = OrderLink(stage, key, positions, rows, REJECT_BASE + Reject.VENUE_CLOCK)
    context["session_address"] = stage.keep(session)
    context["connections_address"] = stage.keep(np.array(link.connection_addresses))
    context["connection_count"] = len(link.connection_addresses)
    context["inbox_address"] = link.to_hot.reader_address
    context["outbox_address"] = link.to_main.writer_address
    context["replacing"] = Replaces[orders.replaces.name]
    context["is_amend_known"] = orders.can_amend
    context["is_ack_accepted"] = orders.acknowledges == contract.Acknowledging.ACCEPTED
    return link


def begin_steps(stage: Stage, context: RecordArray, link: OrderLink) -> None:
    """Fill what the loop logs its steps by."""
    account = stage.wiring.account_of(stage.role)
    outputs = {"events_address": account.named("events"), "sent_address": account.named("sent")}
    stage.fill_steps(
        context,
        [int(context["requests_address"][0]), link.to_hot.reader_address],
        {name: int(context[field][0]) for field, name in outputs.items()},
    )


def watch_stalls(stage: Stage) -> StallWatch:
    """Observe the stalls of all stages."""
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
    account = stage.wiring.account_of(stage.role)
    catalog, slots = build_catalog(instruments.records, account.instrument_ids)
    stage.keep(slots)
    peers = [stage.table(f"status.{name}").address for name in stage.wiring.roles_before_gateways]
    context = np.zeros(1, CONTEXT_DTYPE)
    stage.fill_common(context)
    context["desk_address"] = stage.keep(begin_desk(stage))
    context["rates_address"] = begin_rates(stage)
    link = begin_link(stage, context)
    # Requests before events: the new epoch of the events makes the strategy ask again for all
    # that the reader, when it attached, discarded.
    context["requests_address"] = stage.reader(account.named("requests")).address
    context["events_address"] = stage.writer(account.named("events")).address
    context["sent_address"] = stage.writer(account.named("sent")).address
    begin_steps(stage, context, link)
    context["catalog_address"] = stage.keep(catalog)
    context["instruments_address"] = instruments.address
    context["instrument_count"] = len(instruments.records)
    context["accounts_address"] = stage.keep_words(stage.config.account_ids)
    context["account_id"] = account.account_id
    context["limits_address"] = stage.table("limits").address
    context["touches_address"] = stage.table("touches").address
    context["touch_copy_address"] = stage.keep(np.zeros(1, TOUCH.dtype))
    context["answers_address"] = stage.keep(np.zeros(ANSWER_COUNT_MAX, ANSWER.dtype))
    context["request_address"] = stage.keep(np.zeros(1, REQUEST.dtype))
    context["batch_address"] = stage.keep(np.zeros(BATCH_COUNT_MAX, SENT.dtype))
    context["worst_address"] = stage.writer(account.named("worst")).address
    context["watch_address"] = watch_stalls(stage).address
    context["budget_ns"] = stage.config.latency.budget_us * 1_000
    text_address = stage.keep(np.zeros(REQUEST_BUFFER_BYTES + 128, np.uint8))
    context["text_address"] = text_address + 64
    context["scratch_address"] = stage.keep(
        np.zeros(order_events.EVENTS_PER_ANSWER_MAX, ORDER_EVENT.dtype)
    )
    context["events_read_seq_min_address"] = stage.keep(
        np.zeros(len(instruments.records), np.int64)
    )
    context["peers_address"] = stage.keep(np.array(peers))
    context["peer_count"] = len(peers)
    context["latency_address"] = stage.own_table(f"latency.{stage.role}").address
    context["lease_ns"] = stage.config.liveness.lease_ms * NS_PER_MS
    context["answer_timeout_ns"] = account.settings.answer_timeout_ms * NS_PER_MS
    context["halt_reasons"] = Halt.DISCONNECTED
    context["halted_ns"] = clock.now_ns(stage.clock)
    for field, (function, signature) in plugs(account.settings.venue).items():
        context[field] = stage.plug(function, signature)
    outside = Outside([kept.buffers for kept in link.kept], link.to_hot, link.to_main)
    return Built(stage, address_of(context), link.attend, link.close, outside=outside)


def main(role: str, launch: Launch) -> int:
    """Build the gateway process, run it, and release everything."""
    return run_alone(role, launch, build, compile_loop)
