"""The book stage: market records in, the top of each book out.

A drain takes what waits, at most 64 frames or 50 µs, and then passes one TOP per instrument that
was touched: tops conflate to the newest, trades never.  With ``[books] shown_levels`` the best
levels follow each TOP as records of the same message, so a strategy sees them with it or not at
all, and a replay sees what the strategy saw.
"""

from enum import IntEnum
from typing import Any

import numpy as np

from ipc import cell, ring
from ipc.clock import now_ns
from ipc.compiled import compile_entry, compiled
from ipc.counters import add
from ipc.layout import Field, Layout
from ipc.log import log_event
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
from ipc.types import Record
from procs.logs import hot_events
from procs.plan.launch import Launch
from procs.plan.run_records import MERGE
from procs.plan.wiring import book_bytes, market_ring
from procs.stages.base.gathering import GATHERING_FIELDS, MERGE_BYTES, mark_touched, merge_of
from procs.stages.base.running import run_alone
from procs.stages.base.stage import (
    DRAIN_CLOCK_FRAMES,
    DRAIN_FRAME_MAX,
    DRAIN_NS_MAX,
    LOOP,
    Built,
    Stage,
    begin_turn,
    end_intake,
    end_turn,
    log_step,
    must_leave,
    rest,
)
from vortex.books import book, sync
from vortex.books.book import BOOK
from vortex.books.sync import Sync
from vortex.codes import Kind, Side
from vortex.records import (
    DEPTH,
    INSTRUMENT,
    MERGE_STAMPS_BYTES,
    SHOWN_LEVELS,
    SHOWN_LEVELS_PER_RECORD,
    STAMPS_OFFSET_BYTES,
    TICKER,
    TOP,
    TOP_SLOT_BYTES,
    TOP_STAMPS_BYTES,
    TOUCH,
    TRADE,
)

BOOK_DTYPE = BOOK.dtype

CONTEXT = Layout(
    "book_context",
    "What the book's loop works with; addresses in this process.",
    *GATHERING_FIELDS,
    Field("rings_address", "i8", "handles of the market rings"),
    Field("ring_count", "i8", "how many"),
    Field("tops_address", "i8", "handle of the tops ring"),
    Field("instruments_address", "i8", "INSTRUMENT table"),
    Field("instrument_count", "i8", "how many"),
    Field("books_address", "i8", "first book's block"),
    Field("book_bytes", "i8", "size of a block"),
    Field("touches_address", "i8", "TOUCH table"),
    Field("shown_level_count", "i8", "levels of each side that are passed on with a top"),
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
SHOWN_LEVELS_DTYPE = SHOWN_LEVELS.dtype
TICKER_DTYPE = TICKER.dtype
TOP_DTYPE = TOP.dtype
TOUCH_DTYPE = TOUCH.dtype
TOUCH_BYTES = TOUCH.dtype.itemsize
TRADE_DTYPE = TRADE.dtype
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
    EPOCHS = 10  # rings whose writer began again
    TOPS_FULL = 11  # waits for room on the tops ring


@compiled
def book_of(context: Record, instrument_id: int) -> int:
    """Return the address of one book's block."""
    return int(context.books_address + instrument_id * context.book_bytes)


@compiled
def gather(context: Record, instrument_id: int, frame: Record) -> None:
    """Merge the stamps of one frame into those of the next top."""
    mark_touched(context, instrument_id)
    merge = merge_of(context, instrument_id)
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
    """Count what the sync rules made of a message."""
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
def log_code(log_address: int, instrument_id: int, update_id: int, code: int, now_ns: int) -> None:
    """Log what a message did to a book, when it is worth a line."""
    if code == Sync.WENT_LIVE:
        log_event(log_address, hot_events.BOOK_LIVE, now_ns, instrument_id, update_id)
    elif code == Sync.MISMATCH:
        log_event(log_address, hot_events.MISMATCH, now_ns, instrument_id, update_id)
    elif code == Sync.OVERFLOW:
        log_event(log_address, hot_events.OVERFLOW, now_ns, instrument_id, update_id)
    elif code == Sync.REFUSED:
        log_event(log_address, hot_events.NOT_WELL_FORMED, now_ns, instrument_id, update_id)


@compiled
def last_update_of(record_address: int) -> int:
    """Return the last update in a message."""
    if load_byte(record_address) == Kind.TICKER:
        return int(record_at(record_address, TICKER_DTYPE).update_id)
    return int(record_at(record_address, DEPTH_DTYPE).last_update_id)


@compiled
def apply(context: Record, instrument_id: int, record_address: int, now_ns: int) -> None:
    """Apply one message to its book."""
    book_address = book_of(context, instrument_id)
    frame = record_at(record_address, DEPTH_DTYPE)  # all market records begin alike
    update_id = record_at(book_address, BOOK_DTYPE).update_id
    code = sync.on_message(book_address, record_address)
    count_code(context.counters_address, code)
    if code == Sync.GAP:
        first_id = frame.first_update_id
        log_event(context.log_address, hot_events.GAP, now_ns, instrument_id, first_id, update_id)
    elif code != Sync.UPDATED:
        last_id = last_update_of(record_address)
        log_code(context.log_address, instrument_id, last_id, code, now_ns)
    if code != Sync.UNCHANGED and code != Sync.BUFFERED:
        gather(context, instrument_id, frame)
    if code == Sync.WENT_LIVE:
        merge_of(context, instrument_id).resync_count += 1


@compiled
def lose_source(context: Record, ring_index: int) -> None:
    """Forget the books of one source: its connection broke or its ring began again."""
    for instrument_id in range(context.instrument_count):
        instrument = record_at(
            context.instruments_address + instrument_id * INSTRUMENT_BYTES, INSTRUMENT_DTYPE
        )
        if instrument.source_id == ring_index:
            sync.forget(book_of(context, instrument_id))
            mark_touched(context, instrument_id)


@compiled
def pass_trade(context: Record, record_address: int, begin_ns: int) -> bool:
    """Copy a trade to the tops ring; False when there is no room."""
    slot_address = ring.claim(context.tops_address)
    if slot_address == 0:
        return False
    copy_bytes(slot_address, record_address, TRADE_BYTES)
    trade = record_at(slot_address, TRADE_DTYPE)
    trade.ingest_publish_ns = trade.publish_ns
    trade.book_pick_ns = begin_ns
    ring.append(context.tops_address, 1)
    add(context.counters_address, BookCounter.TRADES, 1)
    return True


@compiled
def enter_epoch(context: Record, ring_index: int, now_ns: int) -> None:
    """Follow a market ring into its new epoch; the books of its source begin again."""
    ring_address = context.rings_address + ring_index * RING_BYTES
    discarded_count = ring.enter_epoch(ring_address)
    add(context.counters_address, BookCounter.EPOCHS, 1)
    if record_at(ring_address, RING_DTYPE).epoch > 1:  # the first is no news
        log_event(
            context.log_address, hot_events.SOURCE_RESTARTED, now_ns, ring_index, discarded_count
        )
    lose_source(context, ring_index)


@compiled
def take(context: Record, ring_index: int, begin_ns: int) -> int:
    """Take one message from one market ring: 1 taken, 0 none waits, NO_ROOM to pass it on."""
    ring_address = context.rings_address + ring_index * RING_BYTES
    waiting_count = ring.ready_count(ring_address)
    if waiting_count == 0:
        return 0
    if waiting_count == NEW_EPOCH:
        enter_epoch(context, ring_index, begin_ns)
        return 1
    record_address = ring.slot(ring_address, 0)
    head = record_at(record_address, DEPTH_DTYPE)
    kind = load_byte(record_address)
    record_count = 1
    if kind == Kind.TRADE:
        if not pass_trade(context, record_address, begin_ns):
            return NO_ROOM
    elif kind == Kind.FEED_DOWN:
        add(context.counters_address, BookCounter.FEEDS_DOWN, 1)
        log_event(context.log_address, hot_events.SOURCE_DOWN, begin_ns, ring_index)
        lose_source(context, ring_index)
    elif kind != Kind.FEED_UP:
        if kind != Kind.TICKER:
            record_count += head.record_count
        apply(context, head.instrument_id, record_address, begin_ns)
        consumed_seq = record_at(ring_address, RING_DTYPE).next_seq + record_count
        merge_of(context, head.instrument_id).consumed_seq = consumed_seq
    ring.consume(ring_address, record_count)
    add(context.counters_address, BookCounter.FRAMES, 1)
    return 1


@compiled
def touch_of(context: Record, instrument_id: int) -> Record:
    """Return the TOUCH of one instrument."""
    return record_at(context.touches_address + instrument_id * TOUCH_BYTES, TOUCH_DTYPE)


@compiled
def write_touch(context: Record, instrument_id: int, now_ns: int) -> None:
    """Publish the touch of one instrument in its cell."""
    touch_address = context.touches_address + instrument_id * TOUCH_BYTES
    touch = record_at(touch_address, TOUCH_DTYPE)
    cell.begin_write(touch_address)
    sync.touch_into(book_of(context, instrument_id), touch)
    touch.epoch = context.epoch
    touch.kernel_ns = merge_of(context, instrument_id).newest_kernel_ns
    touch.publish_ns = now_ns
    cell.end_write(touch_address)


@compiled
def show_side(context: Record, instrument_id: int, slot_address: int, side: int) -> int:
    """Write the best levels of one side from a slot on; return how many records they take."""
    book_address = book_of(context, instrument_id)
    left_count = min(context.shown_level_count, book.level_count(book_address, side))
    depth_index = 0
    record_count = 0
    while depth_index < left_count:
        shown = record_at(slot_address + record_count * TOP_SLOT_BYTES, SHOWN_LEVELS_DTYPE)
        shown.kind = Kind.SHOWN_BIDS if side == Side.BUY else Kind.SHOWN_ASKS
        shown.source_id = 0
        shown.instrument_id = instrument_id
        shown.epoch = context.epoch
        shown.cause_id = merge_of(context, instrument_id).cause_id
        shown.level_count = min(left_count - depth_index, SHOWN_LEVELS_PER_RECORD)
        for index in range(SHOWN_LEVELS_PER_RECORD):
            is_used = index < shown.level_count
            level_index = depth_index + index
            ticks = book.level_ticks(book_address, side, level_index) if is_used else 0
            shown.price_ticks[index] = ticks
            shown.qty_lots[index] = (
                book.level_lots(book_address, side, level_index) if is_used else 0
            )
        depth_index += SHOWN_LEVELS_PER_RECORD
        record_count += 1
    return record_count


@compiled
def show_levels(context: Record, instrument_id: int, top_address: int) -> int:
    """Write the best levels of both sides behind a TOP; return how many records they take."""
    bids_address = top_address + TOP_SLOT_BYTES
    bid_count = show_side(context, instrument_id, bids_address, Side.BUY)
    asks_address = bids_address + bid_count * TOP_SLOT_BYTES
    return bid_count + show_side(context, instrument_id, asks_address, Side.SELL)


@compiled
def write_top(context: Record, instrument_id: int, begin_ns: int) -> bool:
    """Pass one instrument on; False when there is no room."""
    slot_address = ring.claim(context.tops_address)
    if slot_address == 0:
        return False
    merge_address = context.merges_address + instrument_id * MERGE_BYTES
    merge = record_at(merge_address, MERGE_DTYPE)
    touch = touch_of(context, instrument_id)
    book_address = book_of(context, instrument_id)
    top = record_at(slot_address, TOP_DTYPE)
    top.kind = Kind.TOP
    top.source_id = 0
    top.instrument_id = instrument_id
    top.epoch = context.epoch
    top.cause_id = merge.cause_id
    merge.book_pick_ns = begin_ns
    copy_bytes(
        slot_address + STAMPS_OFFSET_BYTES, merge_address + STAMPS_OFFSET_BYTES, TOP_STAMPS_BYTES
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
    top.shown_count = 0
    if context.shown_level_count > 0 and touch.is_valid != 0:
        top.shown_count = show_levels(context, instrument_id, slot_address)
    ring.append(context.tops_address, 1 + top.shown_count)
    add(context.counters_address, BookCounter.TOPS, 1)
    add(context.counters_address, BookCounter.MERGED, max(merge.merged_count - 1, 0))
    return True


@compiled
def clear_merge(context: Record, instrument_id: int) -> None:
    """Gather from nothing."""
    merge_address = context.merges_address + instrument_id * MERGE_BYTES
    record_at(merge_address, MERGE_DTYPE).is_touched = 0
    zero_bytes(merge_address + STAMPS_OFFSET_BYTES, MERGE_STAMPS_BYTES)


@compiled
def refresh(context: Record, now_ns: int) -> None:
    """Want fresh snapshots now and then: levels beyond the last are known only once they change."""
    if context.refresh_ns == 0 or now_ns < context.next_refresh_ns:
        return
    if context.next_refresh_ns != 0:
        for instrument_id in range(context.instrument_count):
            sync.begin_refresh(record_at(book_of(context, instrument_id), BOOK_DTYPE))
    context.next_refresh_ns = now_ns + context.refresh_ns


@compiled
def finish(context: Record, begin_ns: int) -> None:
    """Pass on every instrument that was touched; what finds no room stays for the next step."""
    refresh(context, begin_ns)
    kept_count = 0
    for index in range(context.touched_count):
        instrument_id = load_word(context.touched_address + 8 * index)
        write_touch(context, instrument_id, begin_ns)
        if kept_count == 0 and write_top(context, instrument_id, begin_ns):
            clear_merge(context, instrument_id)
        else:
            add(context.counters_address, BookCounter.TOPS_FULL, 1)
            store_word(context.touched_address + 8 * kept_count, instrument_id)
            kept_count += 1
    context.touched_count = kept_count
    if kept_count > 0:
        log_event(context.log_address, hot_events.TOPS_FULL, begin_ns, kept_count)


@compiled
def drain(context: Record, begin_ns: int) -> int:
    """Take what waits on all rings, within the bounds of a drain; return how many messages."""
    total_count = 0
    for ring_index in range(context.ring_count):
        taken_count = 0
        while taken_count < DRAIN_FRAME_MAX:
            if take(context, ring_index, begin_ns) <= 0:
                break
            taken_count += 1
            if taken_count & (DRAIN_CLOCK_FRAMES - 1) != 0:
                continue
            if now_ns(context.clock_address) - begin_ns > DRAIN_NS_MAX:
                break
        total_count += taken_count
    return total_count


@compiled
def begin_books(
    context_address: int, level_capacity: int, pending_capacity: int, now_ns: int
) -> None:
    """Begin with empty books, and publish that: the touches of a former life no longer hold."""
    context = record_at(context_address, CONTEXT_DTYPE)
    for instrument_id in range(context.instrument_count):
        clear_merge(context, instrument_id)
        instrument = record_at(
            context.instruments_address + instrument_id * INSTRUMENT_BYTES, INSTRUMENT_DTYPE
        )
        book_address = book_of(context, instrument_id)
        book.init_book(book_address, level_capacity, pending_capacity, instrument.update_chain)
        mark_touched(context, instrument_id)
        write_touch(context, instrument_id, now_ns)


@compiled
def begin(context_address: int) -> None:
    """Publish where the inputs are when a life begins."""
    begin_ns = now_ns(record_at(context_address, CONTEXT_DTYPE).clock_address)
    log_step(context_address, begin_ns, begin_ns, 0)
    end_intake(context_address)


@compiled
def turn(context_address: int) -> int:
    """Make one iteration: drain and pass on; return how many messages were taken."""
    context = record_at(context_address, CONTEXT_DTYPE)
    begin_ns = begin_turn(context_address)
    taken_count = drain(context, begin_ns)
    if taken_count > 0 or context.touched_count > 0:
        finish(context, begin_ns)
        publish_ns = now_ns(context.clock_address)
        ring.commit(context.tops_address, publish_ns)
        log_step(context_address, begin_ns, publish_ns, 0)
    return end_turn(context_address, taken_count)


def loop(context_address: int) -> int:
    """Iterate until the stage is to leave."""
    context = record_at(context_address, CONTEXT_DTYPE)
    begin(context_address)
    while not must_leave(context.command_address, context.leave_address):
        rest(context, turn(context_address))
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
    tops_address = stage.writer("tops").address
    context["tops_address"] = tops_address
    input_addresses = [rings_address + index * RING_BYTES for index in range(len(inputs))]
    stage.fill_steps(context, input_addresses, {"tops": tops_address})
    context["instruments_address"] = stage.table("instruments").address
    context["instrument_count"] = len(touched)
    context["books_address"] = stage.own_table("books").address
    context["book_bytes"] = book_bytes(stage.config)
    context["touches_address"] = stage.own_table("touches").address
    context["shown_level_count"] = stage.config.books.shown_levels
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
