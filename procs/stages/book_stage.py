"""The book stage: market records in, the top of each book out.

A drain takes what waits, at most 64 frames or 50 µs, and then passes one TOP per instrument that
was touched: tops conflate to the newest, trades never.
"""

from enum import IntEnum
from typing import Any

import numpy as np

from ipc import cell, ring
from ipc.clock import now_ns
from ipc.compiled import compile_entry, compiled
from ipc.counters import add
from ipc.layout import Field, Layout
from ipc.log import tell
from ipc.memory import (
    address_of,
    copy_bytes,
    load_byte,
    load_word,
    record_at,
    store_word,
    zero_bytes,
)
from ipc.ring import NEW_EPOCH, RING_BYTES
from procs.logs import hot_events
from procs.plan.launch import Launch
from procs.plan.run_records import MERGE
from procs.plan.wiring import book_bytes, market_ring
from procs.stages.base.gathering import GATHERING_FIELDS, mark_touched, merge_of
from procs.stages.base.running import run_alone
from procs.stages.base.stage import (
    DRAIN_CLOCK_FRAMES,
    DRAIN_FRAME_MAX,
    DRAIN_NS_MAX,
    LOOP,
    Built,
    Stage,
    begin_turn,
    end_turn,
    log_step,
    must_leave,
    rest,
)
from vortex.books import book, sync
from vortex.books.sync import Sync
from vortex.codes import Kind, Side
from vortex.records import (
    DEPTH,
    INSTRUMENT,
    MERGE_STAMPS_BYTES,
    STAMPS_OFFSET_BYTES,
    TICKER,
    TOP,
    TOP_STAMPS_BYTES,
    TOUCH,
    TRADE,
)

CONTEXT = Layout(
    "book_context",
    "What the book's loop works with; addresses in this process.",
    *GATHERING_FIELDS,
    Field("rings_address", "i8", "handles of the market rings"),
    Field("ring_count", "i8", "how many"),
    Field("inputs_address", "i8", "addresses of these handles"),
    Field("outputs_address", "i8", "address of the handle of the tops ring, for the steps"),
    Field("tops_address", "i8", "handle of the tops ring"),
    Field("steps_address", "i8", "handle of the ring of steps"),
    Field("instruments_address", "i8", "INSTRUMENT table"),
    Field("instrument_count", "i8", "how many"),
    Field("books_address", "i8", "first book's block"),
    Field("book_bytes", "i8", "size of a block"),
    Field("touches_address", "i8", "TOUCH table"),
    Field("refresh_ns", "i8", "how often a live book wants a fresh snapshot; 0 for never"),
    Field("next_refresh_ns", "i8", "when it does so next"),
    multiple_bytes=8,
)

CONTEXT_DTYPE = CONTEXT.dtype
BOOK_DTYPE = book.BOOK_DTYPE
DEPTH_DTYPE = DEPTH.dtype
INSTRUMENT_DTYPE = INSTRUMENT.dtype
INSTRUMENT_BYTES = INSTRUMENT.dtype.itemsize
MERGE_DTYPE = MERGE.dtype
TICKER_DTYPE = TICKER.dtype
TOP_DTYPE = TOP.dtype
TOUCH_DTYPE = TOUCH.dtype
TOUCH_BYTES = TOUCH.dtype.itemsize
TRADE_BYTES = TRADE.dtype.itemsize
RING_DTYPE = ring.RING_DTYPE

DEPTH_LEVELS = 5
NO_ROOM = -1


class BookCounter(IntEnum):
    """What the book counts."""

    FRAMES = 0  # market messages taken
    UPDATES = 1  # of these, the ones that changed a live book or its touch
    TRADES = 2
    TOPS = 3  # records passed on
    MERGED = 4  # frames that went into another frame's record
    GAPS = 5
    MISMATCHES = 6
    OVERFLOWS = 7  # diffs waiting for a snapshot found no room
    REFUSED = 8  # messages not well formed
    FEEDS_DOWN = 9
    EPOCHS = 10  # rings whose writer began anew
    TOPS_FULL = 11  # waits for room on the tops ring


@compiled
def book_of(context_address: int, instrument_id: int) -> int:
    """Return the address of one book's block."""
    context = record_at(context_address, CONTEXT_DTYPE)
    return context.books_address + instrument_id * context.book_bytes


@compiled
def gather(context_address: int, instrument_id: int, record_address: int) -> None:
    """Merge the stamps of one frame into what will be passed on."""
    mark_touched(context_address, instrument_id)
    merge = record_at(merge_of(context_address, instrument_id), MERGE_DTYPE)
    frame = record_at(record_address, DEPTH_DTYPE)  # all market records begin alike
    if merge.merged_count == 0:
        merge.kernel_ns = frame.kernel_ns
        merge.recv_ns = frame.recv_ns
        merge.ingest_publish_ns = frame.publish_ns
    merge.newest_kernel_ns = frame.kernel_ns
    merge.venue_ns = frame.venue_ns
    merge.cause_id = frame.cause_id
    merge.merged_count += 1


@compiled
def count_code(counters_address: int, code: int) -> None:
    """Count what the sync rules said of a message."""
    if code == Sync.UPDATED or code == Sync.WENT_LIVE:
        add(counters_address, BookCounter.UPDATES, 1)
    elif code == Sync.GAP:
        add(counters_address, BookCounter.GAPS, 1)
    elif code == Sync.MISMATCH:
        add(counters_address, BookCounter.MISMATCHES, 1)
    elif code == Sync.OVERFLOW:
        add(counters_address, BookCounter.OVERFLOWS, 1)
    elif code == Sync.REFUSED:
        add(counters_address, BookCounter.REFUSED, 1)


@compiled
def tell_code(
    context_address: int, instrument_id: int, record_address: int, code: int, now: int
) -> None:
    """Tell what a message did to a book, when it is worth a line."""
    log_address = record_at(context_address, CONTEXT_DTYPE).log_address
    update_id = last_update_of(record_address)
    if code == Sync.WENT_LIVE:
        tell(log_address, hot_events.BOOK_LIVE, now, instrument_id, update_id)
    elif code == Sync.MISMATCH:
        tell(log_address, hot_events.MISMATCH, now, instrument_id, update_id)
    elif code == Sync.OVERFLOW:
        tell(log_address, hot_events.OVERFLOW, now, instrument_id, update_id)
    elif code == Sync.REFUSED:
        tell(log_address, hot_events.NOT_WELL_FORMED, now, instrument_id, update_id)


@compiled
def last_update_of(record_address: int) -> int:
    """Return the last update that a message tells of."""
    if load_byte(record_address) == Kind.TICKER:
        return int(record_at(record_address, TICKER_DTYPE).update_id)
    return int(record_at(record_address, DEPTH_DTYPE).last_update_id)


@compiled
def apply(context_address: int, instrument_id: int, record_address: int, now: int) -> None:
    """Let one book take one message."""
    context = record_at(context_address, CONTEXT_DTYPE)
    book_address = book_of(context_address, instrument_id)
    update_id = record_at(book_address, BOOK_DTYPE).update_id
    code = sync.on_message(book_address, record_address)
    count_code(context.counters_address, code)
    if code == Sync.GAP:
        first_id = record_at(record_address, DEPTH_DTYPE).first_update_id
        tell(context.log_address, hot_events.GAP, now, instrument_id, first_id, update_id)
    elif code != Sync.UPDATED:
        tell_code(context_address, instrument_id, record_address, code, now)
    if code != Sync.UNCHANGED and code != Sync.BUFFERED:
        gather(context_address, instrument_id, record_address)
    if code == Sync.WENT_LIVE:
        record_at(merge_of(context_address, instrument_id), MERGE_DTYPE).resync_count += 1


@compiled
def lose_source(context_address: int, ring_index: int) -> None:
    """Forget what one source told: its connection broke or its ring began anew."""
    context = record_at(context_address, CONTEXT_DTYPE)
    for instrument_id in range(context.instrument_count):
        instrument = record_at(
            context.instruments_address + instrument_id * INSTRUMENT_BYTES, INSTRUMENT_DTYPE
        )
        if instrument.source_id == ring_index:
            sync.forget(book_of(context_address, instrument_id))
            mark_touched(context_address, instrument_id)


@compiled
def pass_trade(context_address: int, record_address: int) -> bool:
    """Copy a trade to the tops ring; False when there is no room."""
    context = record_at(context_address, CONTEXT_DTYPE)
    slot_address = ring.claim(context.tops_address)
    if slot_address == 0:
        return False
    copy_bytes(slot_address, record_address, TRADE_BYTES)
    ring.append(context.tops_address, 1)
    add(context.counters_address, BookCounter.TRADES, 1)
    return True


@compiled
def take(context_address: int, ring_index: int, now: int) -> int:
    """Take one message from one market ring: 1 taken, 0 none waits, NO_ROOM to pass it on."""
    context = record_at(context_address, CONTEXT_DTYPE)
    ring_address = context.rings_address + ring_index * RING_BYTES
    waiting_count = ring.ready_count(ring_address)
    if waiting_count == 0:
        return 0
    if waiting_count == NEW_EPOCH:
        discarded_count = ring.enter_epoch(ring_address)
        add(context.counters_address, BookCounter.EPOCHS, 1)
        if record_at(ring_address, RING_DTYPE).epoch > 1:  # the first life is nothing to tell of
            tell(context.log_address, hot_events.SOURCE_ANEW, now, ring_index, discarded_count)
        lose_source(context_address, ring_index)
        return 1
    record_address = ring.slot(ring_address, 0)
    head = record_at(record_address, DEPTH_DTYPE)
    kind = load_byte(record_address)
    record_count = 1
    if kind == Kind.TRADE:
        if not pass_trade(context_address, record_address):
            return NO_ROOM
    elif kind == Kind.FEED_DOWN:
        add(context.counters_address, BookCounter.FEEDS_DOWN, 1)
        tell(context.log_address, hot_events.SOURCE_DOWN, now, ring_index)
        lose_source(context_address, ring_index)
    elif kind != Kind.FEED_UP:
        if kind != Kind.TICKER:
            record_count += head.record_count
        apply(context_address, head.instrument_id, record_address, now)
        merge = record_at(merge_of(context_address, head.instrument_id), MERGE_DTYPE)
        merge.consumed_seq = record_at(ring_address, RING_DTYPE).next_seq + record_count
    ring.consume(ring_address, record_count)
    add(context.counters_address, BookCounter.FRAMES, 1)
    return 1


@compiled
def write_touch(context_address: int, instrument_id: int, now_ns: int) -> None:
    """Publish the latest word on one instrument in its cell."""
    context = record_at(context_address, CONTEXT_DTYPE)
    touch_address = context.touches_address + instrument_id * TOUCH_BYTES
    touch = record_at(touch_address, TOUCH_DTYPE)
    cell.begin_write(touch_address)
    sync.touch_into(book_of(context_address, instrument_id), touch_address)
    touch.epoch = context.epoch
    merge = record_at(merge_of(context_address, instrument_id), MERGE_DTYPE)
    touch.kernel_ns = merge.newest_kernel_ns
    touch.publish_ns = now_ns
    cell.end_write(touch_address)


@compiled
def write_top(context_address: int, instrument_id: int, now_ns: int) -> bool:
    """Pass one instrument on; False when there is no room."""
    context = record_at(context_address, CONTEXT_DTYPE)
    slot_address = ring.claim(context.tops_address)
    if slot_address == 0:
        return False
    merge = record_at(merge_of(context_address, instrument_id), MERGE_DTYPE)
    touch = record_at(context.touches_address + instrument_id * TOUCH_BYTES, TOUCH_DTYPE)
    book_address = book_of(context_address, instrument_id)
    top = record_at(slot_address, TOP_DTYPE)
    top.kind = Kind.TOP
    top.source_id = 0
    top.instrument_id = instrument_id
    top.epoch = context.epoch
    top.cause_id = merge.cause_id
    merge.book_pick_ns = now_ns
    copy_bytes(
        slot_address + STAMPS_OFFSET_BYTES,
        merge_of(context_address, instrument_id) + STAMPS_OFFSET_BYTES,
        TOP_STAMPS_BYTES,
    )
    top.venue_ns = merge.venue_ns
    top.consumed_seq = merge.consumed_seq
    top.update_id = touch.update_id
    top.bid_ticks = touch.bid_ticks
    top.bid_lots = touch.bid_lots
    top.ask_ticks = touch.ask_ticks
    top.ask_lots = touch.ask_lots
    top.bid_depth_lots = book.depth_lots(book_address, Side.BUY, DEPTH_LEVELS)
    top.ask_depth_lots = book.depth_lots(book_address, Side.SELL, DEPTH_LEVELS)
    top.is_valid = touch.is_valid
    ring.append(context.tops_address, 1)
    add(context.counters_address, BookCounter.TOPS, 1)
    add(context.counters_address, BookCounter.MERGED, max(merge.merged_count - 1, 0))
    return True


@compiled
def clear_merge(merge_address: int) -> None:
    """Begin to gather anew."""
    merge = record_at(merge_address, MERGE_DTYPE)
    merge.is_touched = 0
    zero_bytes(merge_address + STAMPS_OFFSET_BYTES, MERGE_STAMPS_BYTES)


@compiled
def refresh(context_address: int, now_ns: int) -> None:
    """Want fresh snapshots now and then: levels beyond the last are known only once they change."""
    context = record_at(context_address, CONTEXT_DTYPE)
    if context.refresh_ns == 0 or now_ns < context.next_refresh_ns:
        return
    if context.next_refresh_ns != 0:
        for instrument_id in range(context.instrument_count):
            sync.begin_refresh(book_of(context_address, instrument_id))
    context.next_refresh_ns = now_ns + context.refresh_ns


@compiled
def finish(context_address: int, now_ns: int) -> None:
    """Pass on every instrument that was touched; what finds no room stays for the next step."""
    context = record_at(context_address, CONTEXT_DTYPE)
    refresh(context_address, now_ns)
    kept_count = 0
    for index in range(context.touched_count):
        instrument_id = load_word(context.touched_address + 8 * index)
        write_touch(context_address, instrument_id, now_ns)
        if kept_count == 0 and write_top(context_address, instrument_id, now_ns):
            clear_merge(merge_of(context_address, instrument_id))
        else:
            add(context.counters_address, BookCounter.TOPS_FULL, 1)
            store_word(context.touched_address + 8 * kept_count, instrument_id)
            kept_count += 1
    context.touched_count = kept_count
    if kept_count > 0:
        tell(context.log_address, hot_events.TOPS_FULL, now_ns, kept_count)


@compiled
def drain(context_address: int, now: int) -> int:
    """Take what waits on all rings, within the bounds of a drain; return how many messages."""
    context = record_at(context_address, CONTEXT_DTYPE)
    total_count = 0
    for ring_index in range(context.ring_count):
        taken_count = 0
        while taken_count < DRAIN_FRAME_MAX:
            if take(context_address, ring_index, now) <= 0:
                break
            taken_count += 1
            if taken_count & (DRAIN_CLOCK_FRAMES - 1) != 0:
                continue
            if now_ns(context.clock_address) - now > DRAIN_NS_MAX:
                break
        total_count += taken_count
    return total_count


@compiled
def begin_books(
    context_address: int, level_capacity: int, pending_capacity: int, now_ns: int
) -> None:
    """Begin with empty books, and say so: what a former life knew is no longer true."""
    context = record_at(context_address, CONTEXT_DTYPE)
    for instrument_id in range(context.instrument_count):
        clear_merge(merge_of(context_address, instrument_id))
        instrument = record_at(
            context.instruments_address + instrument_id * INSTRUMENT_BYTES, INSTRUMENT_DTYPE
        )
        book_address = book_of(context_address, instrument_id)
        book.init_book(book_address, level_capacity, pending_capacity, instrument.update_chain)
        mark_touched(context_address, instrument_id)
        write_touch(context_address, instrument_id, now_ns)


@compiled
def tell_step(context_address: int, now: int, publish_ns: int) -> None:
    """Tell observers of one step."""
    context = record_at(context_address, CONTEXT_DTYPE)
    log_step(
        context.steps_address, now, publish_ns,
        context.inputs_address, context.ring_count, context.outputs_address, 1,
    )  # fmt: skip


@compiled
def begin(context_address: int) -> None:
    """Tell observers where the inputs stand when a life begins."""
    now = now_ns(record_at(context_address, CONTEXT_DTYPE).clock_address)
    tell_step(context_address, now, now)


@compiled
def turn(context_address: int) -> int:
    """Come round once: drain and pass on; return how many messages were taken."""
    context = record_at(context_address, CONTEXT_DTYPE)
    now = begin_turn(context_address)
    taken_count = drain(context_address, now)
    if taken_count > 0 or context.touched_count > 0:
        finish(context_address, now)
        publish_ns = now_ns(context.clock_address)
        ring.commit(context.tops_address, publish_ns)
        tell_step(context_address, now, publish_ns)
    return end_turn(context_address, taken_count)


def loop(context_address: int) -> int:
    """Come round until told to leave."""
    context = record_at(context_address, CONTEXT_DTYPE)
    begin(context_address)
    while not must_leave(context.command_address, context.leave_address):
        rest(context_address, turn(context_address))
    return 0


def compile_loop() -> Any:
    """Compile the loop, or read it from the cache."""
    return compile_entry(loop, LOOP)


def build(stage: Stage) -> Built:
    """Attach the book to its rings and tables, fill its context, and begin with empty books."""
    context = np.zeros(1, CONTEXT_DTYPE)
    stage.fill_common(context)
    inputs = [stage.reader(market_ring(name)).handle for name in stage.wiring.ingest_roles]
    touched = np.zeros(len(stage.config.symbols), np.int64)
    rings_address = stage.keep(np.concatenate(inputs))
    context["rings_address"] = rings_address
    context["ring_count"] = len(inputs)
    context["inputs_address"] = stage.keep_words(
        rings_address + index * RING_BYTES for index in range(len(inputs))
    )
    tops_address = stage.writer("tops").address
    context["tops_address"] = tops_address
    context["outputs_address"] = stage.keep_words([tops_address])
    context["steps_address"] = stage.writer("steps.book").address
    context["instruments_address"] = stage.table("instruments").address
    context["instrument_count"] = len(touched)
    context["books_address"] = stage.own_table("books").address
    context["book_bytes"] = book_bytes(stage.config)
    context["touches_address"] = stage.own_table("touches").address
    context["refresh_ns"] = stage.config.books.refresh_s * 1_000_000_000
    merges = stage.own_table("merge.book")
    merges.records[:] = np.zeros(1, MERGE_DTYPE)
    context["merges_address"] = merges.address
    context["touched_address"] = stage.keep(touched)
    begin_books(address_of(context), stage.config.books.levels,
                stage.config.books.pending_records, now_ns(stage.clock))  # fmt: skip
    return Built(stage, address_of(context))


def main(role: str, launch: Launch) -> int:
    """Build the book process, run it, and release everything."""
    return run_alone(role, launch, build, compile_loop)
