"""The gateway's way out: a request is checked, entered at its worst, encoded, signed and sent."""

from ipc import cell, clock, ring
from ipc.compiled import compiled
from ipc.counters import add
from ipc.histogram import record_value
from ipc.intake import Entry, take_bytes
from ipc.log import log_event
from ipc.memory import copy_bytes, load_word, record_at
from ipc.plugs import call_plug
from ipc.ring import NEW_EPOCH
from ipc.types import Record
from procs.connections import connection
from procs.logs import hot_events
from procs.stages.base.outliers import explain
from procs.stages.gateway.context import (
    BATCH_COUNT_MAX,
    CONNECTION_DTYPE,
    DESK_DTYPE,
    FIRST_HOP,
    HISTOGRAM_BYTES,
    INSTRUMENT_DTYPE,
    LIMITS_BYTES,
    LIMITS_DTYPE,
    NEWEST_TO_ORDER,
    NS_PER_MS,
    ORDER_DTYPE,
    POSITION_DTYPE,
    RECV_TO_ORDER,
    REJECT_BASE,
    REQUEST_BYTES,
    REQUEST_DTYPE,
    RING_DTYPE,
    SENT_DTYPE,
    SENT_RECORD_BYTES,
    TICK_TO_ORDER,
    TOUCH_BYTES,
    TOUCH_DTYPE,
    GatewayCounter,
    Halt,
    Replaces,
    claim_events,
    connection_of,
    disconnect,
    instrument_of,
    publish_events,
    queue_payload,
    set_halt,
    venue_wall_ns,
)
from vortex.codes import Kind, OrderForce, Reject
from vortex.orders import desk, desk_tables, limits, order_events
from vortex.records import REQUEST_STAMPS_BYTES, STAMPS_OFFSET_BYTES
from vortex.venues.contract import REQUEST_BUFFER_BYTES


@compiled
def events_read_seq_min(context: Record, instrument_id: int) -> int:
    """Return how many events a request for an instrument must have been made after."""
    return load_word(context.events_read_seq_min_address + 8 * instrument_id)


@compiled
def is_outdated(context: Record, request: Record) -> bool:
    """Return whether a REQUEST predates a RESUMED or a loss of events.

    The strategy asks again from scratch, so sending this one would double the order.
    """
    seq_min = events_read_seq_min(context, request.instrument_id)
    return bool(request.events_consumed_seq < seq_min)


@compiled
def map_replace(context: Record, request: Record) -> None:
    """Turn a REPLACE into what the venue has for it: see ``contract.Replacing``.

    An order that keeps its id is amended to the wanted quantity and what is filled already.  A
    venue that replaces by a new order amends to a smaller quantity alone, at the same price: the
    order keeps its place in the queue.
    """
    row_address = desk_tables.find(context.desk_address, request.order_id)
    if request.kind != Kind.REPLACE or row_address == 0:
        return
    order = record_at(row_address, ORDER_DTYPE)
    open_lots = order.qty_lots - order.filled_lots
    is_smaller = request.price_ticks == order.price_ticks and request.qty_lots < open_lots
    may_amend = request.time_in_force == OrderForce.POST_ONLY and context.is_amend_known != 0
    if may_amend and (context.replacing == Replaces.AMEND or is_smaller):
        request.kind = Kind.AMEND
        request.qty_lots += order.filled_lots
    elif context.replacing != Replaces.CANCEL_AND_NEW:
        request.kind = Kind.CANCEL  # the strategy places the new order when it is gone


@compiled
def check_exposure(context: Record, request: Record) -> int:
    """Return why the size of a request is too much, or NONE."""
    instrument_id = request.instrument_id
    own_limits = record_at(context.limits_address + instrument_id * LIMITS_BYTES, LIMITS_DTYPE)
    position = record_at(
        desk_tables.position_of(context.desk_address, instrument_id), POSITION_DTYPE
    )
    price_ticks, qty_lots = request.price_ticks, request.qty_lots
    if request.kind != Kind.AMEND:
        return limits.check_exposure(own_limits, position, request.side, price_ticks, qty_lots)
    order = record_at(desk_tables.find(context.desk_address, request.order_id), ORDER_DTYPE)
    open_lots = max(qty_lots - order.filled_lots, 0)
    more_lots = max(qty_lots - order.qty_lots, 0)
    return limits.check_size(own_limits, position, request.side, price_ticks, open_lots, more_lots)


@compiled
def check_new(context: Record, request: Record, now_ns: int, wall_ns: int) -> int:
    """Return why a REQUEST for a new or an amended order must be refused, or NONE."""
    instrument_id, price_ticks = request.instrument_id, request.price_ticks
    instrument = record_at(instrument_of(context, instrument_id), INSTRUMENT_DTYPE)
    own_limits = record_at(context.limits_address + instrument_id * LIMITS_BYTES, LIMITS_DTYPE)
    reason = limits.check_bounds(instrument, price_ticks, request.qty_lots)
    if reason != Reject.NONE:
        return reason
    reason = check_exposure(context, request)
    if reason != Reject.NONE:
        return reason
    reason = limits.check_age(own_limits, request.newest_kernel_ns, now_ns)
    if reason != Reject.NONE:
        return reason
    touch_address = context.touches_address + instrument_id * TOUCH_BYTES
    if not cell.read_cell(touch_address, context.touch_copy_address, TOUCH_BYTES):
        return Reject.BOOK_INVALID
    if context.intake_address != 0:
        copy_address = context.touch_copy_address
        take_bytes(context.intake_address, Entry.SHARED, copy_address, TOUCH_BYTES)
    touch = record_at(context.touch_copy_address, TOUCH_DTYPE)
    reason = limits.check_band(own_limits, touch, price_ticks, now_ns)
    if reason != Reject.NONE:
        return reason
    return limits.check_rate(context.rates_address, request.kind, wall_ns)


@compiled
def check(context: Record, request: Record, now_ns: int, wall_ns: int) -> int:
    """Return why a REQUEST must be refused, or NONE."""
    if request.epoch != record_at(context.requests_address, RING_DTYPE).epoch:
        return Reject.STALE_EPOCH
    if context.halt_reasons & Halt.DISCONNECTED:
        return Reject.DISCONNECTED
    if context.halt_reasons & Halt.SILENCE:
        return Reject.STAGE_SILENT
    if context.halt_reasons != 0:
        return Reject.HALTED
    if request.kind != Kind.PLACE:
        reason = desk.check_order(context.desk_address, request.order_id, request.kind)
        if reason != Reject.NONE:
            return reason
    if request.kind != Kind.CANCEL:
        return check_new(context, request, now_ns, wall_ns)
    return Reject.NONE


@compiled
def is_new_order(kind: int) -> bool:
    """Return whether a request of ``kind`` brings an order with a number of its own."""
    return kind == Kind.PLACE or kind == Kind.REPLACE


@compiled
def encode(context: Record, request: Record, request_id: int, wall_ns: int) -> int:
    """Write the payload of a submitted REQUEST; return its bytes."""
    the_desk = record_at(context.desk_address, DESK_DTYPE)
    new_order_id = the_desk.last_order_id if is_new_order(request.kind) else 0
    return call_plug(
        context.encode_request_address,
        (
            context.request_address, instrument_of(context, request.instrument_id),
            context.session_address, wall_ns // NS_PER_MS, request_id,
            new_order_id, request.order_id, context.epoch, context.text_address,
        ),
    )  # fmt: skip


@compiled
def count_sent(context: Record, kind: int, wall_ns: int) -> None:
    """Count a request that goes out."""
    if kind == Kind.PLACE:
        add(context.counters_address, GatewayCounter.PLACED, 1)
    elif kind == Kind.CANCEL:
        add(context.counters_address, GatewayCounter.CANCELED, 1)
    elif kind == Kind.AMEND:
        add(context.counters_address, GatewayCounter.AMENDED, 1)
    else:
        add(context.counters_address, GatewayCounter.REPLACED, 1)
    if kind != Kind.CANCEL:
        limits.count_order(context.rates_address, kind, wall_ns)
        the_desk = record_at(context.desk_address, DESK_DTYPE)
        the_desk.orders_left_count = limits.orders_left(context.rates_address, wall_ns)


@compiled
def refuse(context: Record, request: Record, reason: int, now_ns: int) -> None:
    """Publish the event that a REQUEST was refused."""
    add(context.counters_address, REJECT_BASE + reason, 1)
    log_event(
        context.log_address, hot_events.REFUSED, now_ns, request.instrument_id, request.kind,
        request.side, request.qty_lots, request.price_ticks, reason,
    )  # fmt: skip
    events_address = claim_events(context)
    if events_address != 0:
        order_events.begin_events(context.desk_address, events_address)
        order_events.refuse(context.desk_address, request, reason)
        publish_events(context, 1, now_ns)


@compiled
def log_outdated(context: Record, request: Record, now_ns: int) -> None:
    """Log a REQUEST that came too late to count."""
    seq_min = events_read_seq_min(context, request.instrument_id)
    log_event(
        context.log_address, hot_events.OUTDATED, now_ns,
        request.instrument_id, seq_min, request.events_consumed_seq,
    )  # fmt: skip


@compiled
def take_request(context: Record, request: Record, now_ns: int, wall_ns: int) -> int:
    """Take one REQUEST as far as the outbox: the payload's bytes, 0 when nothing is to be sent.

    The position on the ring is published here, before anything is sent.
    """
    add(context.counters_address, GatewayCounter.REQUESTS, 1)
    if is_outdated(context, request):
        add(context.counters_address, GatewayCounter.DISCARDED, 1)
        log_outdated(context, request, now_ns)
        ring.consume(context.requests_address, 1)
        return 0
    map_replace(context, request)
    reason = check(context, request, now_ns, wall_ns)
    request_id = 0
    if reason == Reject.NONE:
        request_id = desk.submit(context.desk_address, request, now_ns)
        if request_id == 0:
            reason = Reject.TABLE_FULL
    payload_bytes = 0
    if reason == Reject.NONE:
        count_sent(context, request.kind, wall_ns)
        payload_bytes = encode(context, request, request_id, wall_ns)
    else:
        refuse(context, request, reason, now_ns)
    ring.consume(context.requests_address, 1)
    return payload_bytes


@compiled
def begin_sent(context: Record, sent_address: int, pick_ns: int) -> None:
    """Note what is known of the request in hand before it is sent."""
    request = record_at(context.request_address, REQUEST_DTYPE)
    sent = record_at(sent_address, SENT_DTYPE)
    sent.kind = request.kind
    sent.source_id = request.source_id
    sent.instrument_id = request.instrument_id
    sent.epoch = context.epoch
    sent.cause_id = request.cause_id
    copy_bytes(
        sent_address + STAMPS_OFFSET_BYTES,
        context.request_address + STAMPS_OFFSET_BYTES,
        REQUEST_STAMPS_BYTES,
    )
    sent.strategy_publish_ns = request.publish_ns
    sent.gateway_pick_ns = pick_ns
    sent.quote_index = request.quote_index
    sent.side = request.side
    sent.price_ticks = request.price_ticks
    sent.qty_lots = request.qty_lots
    sent.tag = request.tag
    last_order_id = record_at(context.desk_address, DESK_DTYPE).last_order_id
    sent.order_id = last_order_id if is_new_order(request.kind) else request.order_id


@compiled
def record_latency(context: Record, sent: Record) -> None:
    """Record where the time of one order went; waits and services sum to tick-to-order."""
    sent_ns = sent.sent_ns
    base = context.latency_address
    record_value(base + TICK_TO_ORDER * HISTOGRAM_BYTES, sent_ns - sent.kernel_ns, 1)
    record_value(base + RECV_TO_ORDER * HISTOGRAM_BYTES, sent_ns - sent.recv_ns, 1)
    record_value(base + NEWEST_TO_ORDER * HISTOGRAM_BYTES, sent_ns - sent.newest_kernel_ns, 1)
    hop = base + FIRST_HOP * HISTOGRAM_BYTES
    record_value(hop, sent.recv_ns - sent.kernel_ns, 1)
    record_value(hop + HISTOGRAM_BYTES, sent.ingest_publish_ns - sent.recv_ns, 1)
    record_value(hop + 2 * HISTOGRAM_BYTES, sent.book_pick_ns - sent.ingest_publish_ns, 1)
    record_value(hop + 3 * HISTOGRAM_BYTES, sent.book_publish_ns - sent.book_pick_ns, 1)
    record_value(hop + 4 * HISTOGRAM_BYTES, sent.strategy_pick_ns - sent.book_publish_ns, 1)
    record_value(hop + 5 * HISTOGRAM_BYTES, sent.strategy_publish_ns - sent.strategy_pick_ns, 1)
    record_value(hop + 6 * HISTOGRAM_BYTES, sent.gateway_pick_ns - sent.strategy_publish_ns, 1)
    record_value(hop + 7 * HISTOGRAM_BYTES, sent_ns - sent.gateway_pick_ns, 1)


@compiled
def publish_sent(context: Record, sent_address: int) -> None:
    """Publish one request that was sent, for observers."""
    slot_address = ring.claim(context.sent_address)
    if slot_address != 0:
        copy_bytes(slot_address, sent_address, SENT_RECORD_BYTES)
        ring.append(context.sent_address, 1)
        ring.commit(context.sent_address, record_at(sent_address, SENT_DTYPE).sent_ns)


@compiled
def finish_batch(context: Record, count: int, sent_ns: int) -> None:
    """Record and publish what was sent just now; one over budget is kept for later."""
    for index in range(count):
        sent_address = context.batch_address + index * SENT_RECORD_BYTES
        sent = record_at(sent_address, SENT_DTYPE)
        sent.sent_ns = sent_ns
        publish_sent(context, sent_address)
        if sent.kernel_ns != 0:  # a frame caused it
            record_latency(context, sent)
            if sent_ns - sent.kernel_ns > context.budget_ns:
                context.slow_count = count


@compiled
def publish_slow(context: Record) -> None:
    """Publish what delayed each order of the last batch that was over budget.

    One iteration later, because what the gateway's own iteration lost is known at its end.
    """
    for index in range(context.slow_count):
        sent_address = context.batch_address + index * SENT_RECORD_BYTES
        sent = record_at(sent_address, SENT_DTYPE)
        if sent.kernel_ns == 0 or sent.sent_ns - sent.kernel_ns <= context.budget_ns:
            continue
        slot_address = ring.claim(context.worst_address)
        if slot_address != 0:
            explain(context.watch_address, sent_address, slot_address, context.budget_ns)
            ring.append(context.worst_address, 1)
            ring.commit(context.worst_address, clock.now_ns(context.clock_address))
    context.slow_count = 0


@compiled
def may_send(context: Record) -> bool:
    """Return whether a request can go out; without a connection it is taken, and refused."""
    connection_address = connection_of(context, 0)
    if record_at(connection_address, CONNECTION_DTYPE).fd < 0:
        return True
    return connection.can_queue(connection_address, REQUEST_BUFFER_BYTES)


@compiled
def take_batch(context: Record) -> int:
    """Take what the strategy requests as far as the outbox; return how many are to be sent."""
    queued_count = 0
    while queued_count < BATCH_COUNT_MAX:
        waiting_count = ring.ready_count(context.requests_address)
        if waiting_count == 0:
            break
        if waiting_count == NEW_EPOCH:
            on_new_strategy(context)
            continue
        if not may_send(context):
            break
        now_ns = clock.now_ns(context.clock_address)
        wall_ns = venue_wall_ns(context, now_ns)
        # A copy: the slot is the strategy's again before the order is sent.
        copy_bytes(context.request_address, ring.slot(context.requests_address, 0), REQUEST_BYTES)
        request = record_at(context.request_address, REQUEST_DTYPE)
        payload_bytes = take_request(context, request, now_ns, wall_ns)
        if payload_bytes > 0:
            has_queued = queue_payload(context, payload_bytes)
            assert has_queued, "may_send comes first"
            sent_address = context.batch_address + queued_count * SENT_RECORD_BYTES
            begin_sent(context, sent_address, now_ns)
            queued_count += 1
    return queued_count


@compiled
def serve_requests(context: Record) -> int:
    """Take what the strategy requests and send it, all that waits at once; return how many."""
    if context.slow_count > 0:
        publish_slow(context)
    count = take_batch(context)
    if count == 0:
        return 0
    if connection.flush(connection_of(context, 0)) < 0:
        disconnect(context, 0)
        return count
    finish_batch(context, count, clock.now_ns(context.clock_address))
    return count


@compiled
def on_new_strategy(context: Record) -> None:
    """The strategy restarted: discard its former requests, and cancel its former orders."""
    discarded_count = ring.enter_epoch(context.requests_address)
    add(context.counters_address, GatewayCounter.DISCARDED, discarded_count)
    now_ns = clock.now_ns(context.clock_address)
    log_event(context.log_address, hot_events.STRATEGY_RESTARTED, now_ns, discarded_count)
    set_halt(context, Halt.NEW_STRATEGY)
