"""The gateway's way out: a request is checked, entered at its worst, encoded, signed and sent."""

from ipc import cell, ring
from ipc.clock import now_ns
from ipc.compiled import compiled
from ipc.counters import add
from ipc.histogram import record_value
from ipc.log import tell
from ipc.memory import copy_bytes, load_word, record_at
from ipc.plugs import call_plug
from ipc.ring import NEW_EPOCH
from procs.connections import connection
from procs.logs import hot_events
from procs.stages.base.outliers import explain
from procs.stages.gateway.context import (
    BATCH_COUNT_MAX,
    CONNECTION_DTYPE,
    CONTEXT_DTYPE,
    DESK_DTYPE,
    FIRST_HOP,
    HISTOGRAM_BYTES,
    LIMITS_BYTES,
    NEWEST_TO_ORDER,
    NS_PER_MS,
    RECV_TO_ORDER,
    REJECT_BASE,
    REQUEST_BYTES,
    REQUEST_DTYPE,
    RING_DTYPE,
    SENT_DTYPE,
    SENT_RECORD_BYTES,
    TICK_TO_ORDER,
    TOUCH_BYTES,
    GatewayCounter,
    Halt,
    claim_events,
    disconnect,
    instrument_of,
    publish_events,
    queue_payload,
    set_halt,
    venue_wall_ns,
)
from vortex.codes import Kind, Reject
from vortex.orders import desk, limits
from vortex.records import REQUEST_STAMPS_BYTES, STAMPS_OFFSET_BYTES
from vortex.venues.contract import REQUEST_BUFFER_BYTES


@compiled
def is_outdated(context_address: int, request_address: int) -> bool:
    """Return whether the strategy has forgotten a request, or will when it reads its events.

    It was made before the strategy heard that it begins from nothing standing (RESUMED), or that
    events were lost.  Serving it would place an order beside the one that is asked for next.
    """
    context = record_at(context_address, CONTEXT_DTYPE)
    request = record_at(request_address, REQUEST_DTYPE)
    heard_seq = load_word(context.heard_address + 8 * request.instrument_id)
    return bool(request.events_consumed_seq < heard_seq)


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
def encode(context_address: int, request_address: int, request_id: int, wall_ns: int) -> int:
    """Write the payload of a submitted request; return its bytes."""
    context = record_at(context_address, CONTEXT_DTYPE)
    request = record_at(request_address, REQUEST_DTYPE)
    the_desk = record_at(context.desk_address, DESK_DTYPE)
    new_order_id = 0 if request.kind == Kind.CANCEL else the_desk.last_order_id
    return call_plug(
        context.encode_request_address,
        (
            request_address, instrument_of(context_address, request.instrument_id),
            context.session_address, wall_ns // NS_PER_MS, request_id,
            new_order_id, request.order_id, context.epoch, context.text_address,
        ),
    )  # fmt: skip


@compiled
def count_sent(context_address: int, kind: int, wall_ns: int) -> None:
    """Count a request that goes out."""
    context = record_at(context_address, CONTEXT_DTYPE)
    if kind == Kind.PLACE:
        add(context.counters_address, GatewayCounter.PLACED, 1)
    elif kind == Kind.CANCEL:
        add(context.counters_address, GatewayCounter.CANCELED, 1)
    else:
        add(context.counters_address, GatewayCounter.REPLACED, 1)
    if kind != Kind.CANCEL:
        limits.count_order(context.rate_address, wall_ns)


@compiled
def refuse(context_address: int, request_address: int, reason: int, now: int) -> None:
    """Tell the strategy that a request was refused."""
    context = record_at(context_address, CONTEXT_DTYPE)
    add(context.counters_address, REJECT_BASE + reason, 1)
    request = record_at(request_address, REQUEST_DTYPE)
    tell(
        context.log_address, hot_events.REFUSED, now, request.instrument_id, request.kind,
        request.side, request.qty_lots, request.price_ticks, reason,
    )  # fmt: skip
    events_address = claim_events(context_address)
    if events_address != 0:
        the_desk = record_at(context.desk_address, DESK_DTYPE)
        the_desk.events_address = events_address
        the_desk.event_count = 0
        desk.refuse(context.desk_address, request_address, reason)
        publish_events(context_address, 1, now)


@compiled
def tell_outdated(context_address: int, request_address: int, now: int) -> None:
    """Tell of a request that came too late to count."""
    context = record_at(context_address, CONTEXT_DTYPE)
    request = record_at(request_address, REQUEST_DTYPE)
    heard_seq = load_word(context.heard_address + 8 * request.instrument_id)
    tell(
        context.log_address, hot_events.OUTDATED, now,
        request.instrument_id, heard_seq, request.events_consumed_seq,
    )  # fmt: skip


@compiled
def take_request(context_address: int, now: int, wall_ns: int) -> int:
    """Take one request as far as the outbox: the payload's bytes, 0 when nothing is to be sent.

    The position on the ring is published here, before anything is sent.
    """
    context = record_at(context_address, CONTEXT_DTYPE)
    request_address = context.request_address
    request = record_at(request_address, REQUEST_DTYPE)
    add(context.counters_address, GatewayCounter.REQUESTS, 1)
    if is_outdated(context_address, request_address):
        add(context.counters_address, GatewayCounter.DISCARDED, 1)
        tell_outdated(context_address, request_address, now)
        ring.consume(context.requests_address, 1)
        return 0
    reason = check(context_address, request_address, now, wall_ns)
    request_id = 0
    if reason == Reject.NONE:
        request_id = desk.submit(context.desk_address, request_address, now)
        if request_id == 0:
            reason = Reject.TABLE_FULL
    payload_bytes = 0
    if reason == Reject.NONE:
        count_sent(context_address, request.kind, wall_ns)
        payload_bytes = encode(context_address, request_address, request_id, wall_ns)
    else:
        refuse(context_address, request_address, reason, now)
    ring.consume(context.requests_address, 1)
    return payload_bytes


@compiled
def begin_sent(context_address: int, sent_address: int, pick_ns: int) -> None:
    """Note of the request in hand, which was entered just now, all that is known before it goes."""
    context = record_at(context_address, CONTEXT_DTYPE)
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
    is_new = request.kind != Kind.CANCEL
    last_order_id = record_at(context.desk_address, DESK_DTYPE).last_order_id
    sent.order_id = last_order_id if is_new else request.order_id


@compiled
def record_latency(context_address: int, sent_address: int) -> None:
    """Record where the time of one order went; waits and services sum to tick-to-order."""
    sent = record_at(sent_address, SENT_DTYPE)
    sent_ns = sent.sent_ns
    base = record_at(context_address, CONTEXT_DTYPE).latency_address
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
def tell_sent(context_address: int, sent_address: int) -> None:
    """Tell observers of one request that was sent."""
    context = record_at(context_address, CONTEXT_DTYPE)
    slot_address = ring.claim(context.sent_address)
    if slot_address != 0:
        copy_bytes(slot_address, sent_address, SENT_RECORD_BYTES)
        ring.append(context.sent_address, 1)
        ring.commit(context.sent_address, record_at(sent_address, SENT_DTYPE).sent_ns)


@compiled
def finish_batch(context_address: int, count: int, sent_ns: int) -> None:
    """Record and tell of what was sent just now; one that is over budget is kept for later."""
    context = record_at(context_address, CONTEXT_DTYPE)
    for index in range(count):
        sent_address = context.batch_address + index * SENT_RECORD_BYTES
        sent = record_at(sent_address, SENT_DTYPE)
        sent.sent_ns = sent_ns
        tell_sent(context_address, sent_address)
        if sent.kernel_ns != 0:  # a frame caused it
            record_latency(context_address, sent_address)
            if sent_ns - sent.kernel_ns > context.budget_ns:
                context.slow_count = count


@compiled
def tell_slow(context_address: int) -> None:
    """Tell what held up each order of the last batch that was over budget.

    Only now, a turn later: what the gateway's own turn lost is known at its end.
    """
    context = record_at(context_address, CONTEXT_DTYPE)
    for index in range(context.slow_count):
        sent_address = context.batch_address + index * SENT_RECORD_BYTES
        sent = record_at(sent_address, SENT_DTYPE)
        if sent.kernel_ns == 0 or sent.sent_ns - sent.kernel_ns <= context.budget_ns:
            continue
        slot_address = ring.claim(context.worst_address)
        if slot_address != 0:
            explain(context.watch_address, sent_address, slot_address, context.budget_ns)
            ring.append(context.worst_address, 1)
            ring.commit(context.worst_address, now_ns(context.clock_address))
    context.slow_count = 0


@compiled
def may_send(context_address: int) -> bool:
    """Return whether a request can go out; without a connection it is taken, and refused."""
    context = record_at(context_address, CONTEXT_DTYPE)
    if record_at(context.connection_address, CONNECTION_DTYPE).fd < 0:
        return True
    return connection.can_queue(context.connection_address, REQUEST_BUFFER_BYTES)


@compiled
def take_batch(context_address: int) -> int:
    """Take what the strategy requests as far as the outbox; return how many are to be sent."""
    context = record_at(context_address, CONTEXT_DTYPE)
    queued_count = 0
    while queued_count < BATCH_COUNT_MAX:
        waiting_count = ring.ready_count(context.requests_address)
        if waiting_count == 0:
            break
        if waiting_count == NEW_EPOCH:
            meet_strategy(context_address)
            continue
        if not may_send(context_address):
            break
        now = now_ns(context.clock_address)
        wall_ns = venue_wall_ns(context_address, now)
        # A copy: the slot is the strategy's again before the order is sent.
        copy_bytes(context.request_address, ring.slot(context.requests_address, 0), REQUEST_BYTES)
        payload_bytes = take_request(context_address, now, wall_ns)
        if payload_bytes > 0:
            has_queued = queue_payload(context_address, payload_bytes)
            assert has_queued, "may_send comes first"
            sent_address = context.batch_address + queued_count * SENT_RECORD_BYTES
            begin_sent(context_address, sent_address, now)
            queued_count += 1
    return queued_count


@compiled
def serve_requests(context_address: int) -> int:
    """Take what the strategy requests and send it, all that waits at once; return how many."""
    context = record_at(context_address, CONTEXT_DTYPE)
    if context.slow_count > 0:
        tell_slow(context_address)
    count = take_batch(context_address)
    if count == 0:
        return 0
    if connection.flush(context.connection_address) < 0:
        disconnect(context_address, 0)
        return count
    finish_batch(context_address, count, now_ns(context.clock_address))
    return count


@compiled
def meet_strategy(context_address: int) -> None:
    """The strategy began anew: discard what the former one asked, and pull what it placed."""
    context = record_at(context_address, CONTEXT_DTYPE)
    discarded_count = ring.enter_epoch(context.requests_address)
    add(context.counters_address, GatewayCounter.DISCARDED, discarded_count)
    now = now_ns(context.clock_address)
    tell(context.log_address, hot_events.STRATEGY_ANEW, now, discarded_count)
    set_halt(context_address, Halt.NEW_STRATEGY)
