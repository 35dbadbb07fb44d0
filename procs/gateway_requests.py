"""The gateway's way out: a request is checked, entered at its worst, encoded, signed and sent."""

from typing import Any

from ipc import cell, ring
from ipc.clock import now_ns, wall_offset_ns
from ipc.compiled import compiled
from ipc.counters import add
from ipc.histogram import record_value
from ipc.memory import load_word, record_at
from ipc.ring import NEW_EPOCH
from procs.gateway_context import (
    CONTEXT_DTYPE,
    DESK_DTYPE,
    FIRST_HOP,
    HISTOGRAM_BYTES,
    LIMITS_BYTES,
    NEWEST_TO_ORDER,
    NS_PER_MS,
    RECV_TO_ORDER,
    REJECT_BASE,
    REQUEST_DTYPE,
    RING_DTYPE,
    TICK_TO_ORDER,
    TOUCH_BYTES,
    Counter,
    Halt,
    claim_events,
    disconnect,
    instrument_of,
    publish_events,
    send_payload,
    set_halt,
)
from procs.stage import DRAIN_FRAME_MAX
from vortex import desk, limits
from vortex.codes import Kind, Reject


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
    if is_outdated(context_address, request_address):
        add(context.counters_address, Counter.DISCARDED, 1)
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
