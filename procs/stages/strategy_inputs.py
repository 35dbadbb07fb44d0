"""What the strategy stage takes in: tops with their levels, trades, order events.

Events are taken one by one, tops conflate to the newest per instrument, trades wait in a list.
Each touches its instrument, which is decided on at the end of the drain.
"""

from enum import IntEnum

from ipc import cell, ring
from ipc.compiled import compiled
from ipc.counters import add
from ipc.layout import Field, Layout
from ipc.log import log_event
from ipc.memory import copy_bytes, load_byte, load_word, record_at
from ipc.ring import NEW_EPOCH
from ipc.types import Record
from procs.logs import hot_events
from procs.stages.base.gathering import GATHERING_FIELDS, MERGE_BYTES, mark_touched, merge_of
from vortex.codes import Kind
from vortex.deciding import sight_writers
from vortex.deciding.sight import SIGHT_DTYPE, VIEW_BYTES, VIEW_DTYPE
from vortex.orders import quoting
from vortex.orders.quoting import (
    QUOTING_DTYPE,
    STANDING_BYTES,
    STANDING_DTYPE,
    WANTED_BYTES,
    WANTED_DTYPE,
)
from vortex.records import ORDER, ORDER_EVENT, STAMPS_OFFSET_BYTES, TOP, TOP_STAMPS_BYTES, TRADE

CONTEXT = Layout(
    "strategy_context",
    "What the strategy's loop works with; addresses in this process.",
    *GATHERING_FIELDS,
    Field("tops_address", "i8", "handle of the tops ring"),
    Field("account_count", "i8", "how many accounts"),
    Field("accounts_address", "i8", "the account of each instrument"),
    Field("instrument_count", "i8", "how many instruments"),
    Field("newest_address", "i8", "newest TOP of each instrument"),
    Field("standing_address", "i8", "STANDING table"),
    Field("wanted_address", "i8", "WANTED table"),
    Field("deciders_address", "i8", "a DECIDER for each instrument"),
    Field("view_address", "i8", "VIEW table"),
    Field("sight_address", "i8", "SIGHT: where a strategy finds what it sees"),
    Field("leaners_address", "i8", "ids of the instruments that lean on another, by that one"),
    Field("leaner_ends_address", "i8", "of each instrument, where its leaners end in the list"),
    Field("next_wake_ns", "i8", "when timers are looked at next; 0 for never"),
    Field("quoting_address", "i8", "QUOTING record"),
    Field("order_tables_address", "i8", "addresses: each account's order table, for a reload"),
    Field("order_counts_address", "i8", "how many rows each of them has"),
    Field("row_copy_address", "i8", "where a row of it is copied to"),
    Field("latency_address", "i8", "tick-to-decision histogram"),
    multiple_bytes=8,
)

CONTEXT_DTYPE = CONTEXT.dtype
TOP_DTYPE = TOP.dtype
TOP_BYTES = TOP.dtype.itemsize
TRADE_DTYPE = TRADE.dtype
EVENT_DTYPE = ORDER_EVENT.dtype
ORDER_DTYPE = ORDER.dtype
ORDER_BYTES = ORDER.dtype.itemsize
RING_DTYPE = ring.RING_DTYPE


class StrategyCounter(IntEnum):
    """What the strategy counts."""

    TOPS = 0  # tops taken
    MERGED = 1  # of these, the ones overtaken by a newer one in the same drain
    TRADES = 2
    EVENTS = 3  # order events taken
    DECISIONS = 4
    REQUESTS = 5
    PULLED = 6  # decisions on an invalid book: nothing is wanted
    RELOADS = 7  # events were lost: what is open was read from the order table
    REQUESTS_FULL = 8  # decisions put off for want of room on the requests ring
    WAKES = 9  # timers that were due


@compiled
def top_of(context: Record, instrument_id: int) -> Record:
    """Return the newest TOP of one instrument."""
    return record_at(context.newest_address + instrument_id * TOP_BYTES, TOP_DTYPE)


@compiled
def view_of(context: Record, instrument_id: int) -> Record:
    """Return the VIEW of one instrument."""
    return record_at(context.view_address + instrument_id * VIEW_BYTES, VIEW_DTYPE)


@compiled
def standing_of(context: Record, instrument_id: int) -> Record:
    """Return the STANDING of one instrument."""
    address = context.standing_address + instrument_id * STANDING_BYTES
    return record_at(address, STANDING_DTYPE)


@compiled
def wanted_of(context: Record, instrument_id: int) -> Record:
    """Return the WANTED of one instrument."""
    return record_at(context.wanted_address + instrument_id * WANTED_BYTES, WANTED_DTYPE)


@compiled
def account_of(context: Record, instrument_id: int) -> int:
    """Return the account that trades an instrument."""
    return load_word(context.accounts_address + 8 * instrument_id)


@compiled
def events_of(context: Record, account_id: int) -> int:
    """Return the handle of the events ring of one account."""
    return load_word(context.inputs_address + 8 * (1 + account_id))


@compiled
def requests_of(context: Record, account_id: int) -> int:
    """Return the handle of the requests ring of one account."""
    return load_word(context.outputs_address + 8 * account_id)


@compiled
def gather_stamps(context: Record, instrument_id: int, top: Record, top_address: int) -> None:
    """Have an instrument decided on account of a top, with the stamps of the oldest frame."""
    mark_touched(context, instrument_id)
    merge = merge_of(context, instrument_id)
    if merge.merged_count == 0:
        copy_bytes(
            context.merges_address + instrument_id * MERGE_BYTES + STAMPS_OFFSET_BYTES,
            top_address + STAMPS_OFFSET_BYTES,
            TOP_STAMPS_BYTES,
        )
        merge.book_publish_ns = top.publish_ns
    else:
        merge.newest_kernel_ns = top.newest_kernel_ns
        merge.merged_count += top.merged_count
        merge.resync_count += top.resync_count
    merge.cause_id = top.cause_id


@compiled
def wake_leaners(context: Record, top: Record, top_address: int) -> None:
    """Have the instruments decided that lean on the one whose top came."""
    instrument_id = top.instrument_id
    end_index = load_word(context.leaner_ends_address + 8 * instrument_id)
    begin_index = 0
    if instrument_id > 0:
        begin_index = load_word(context.leaner_ends_address + 8 * (instrument_id - 1))
    for index in range(begin_index, end_index):
        leaner_id = load_word(context.leaners_address + 8 * index)
        gather_stamps(context, leaner_id, top, top_address)


@compiled
def take_top(context: Record, top_address: int) -> int:
    """Keep the newest top of an instrument, and its levels; return how many records it took."""
    top = record_at(top_address, TOP_DTYPE)
    instrument_id = top.instrument_id
    copy_bytes(context.newest_address + instrument_id * TOP_BYTES, top_address, TOP_BYTES)
    merge = merge_of(context, instrument_id)
    if merge.top_count > 0:
        add(context.counters_address, StrategyCounter.MERGED, 1)
    merge.top_count += 1
    gather_stamps(context, instrument_id, top, top_address)
    wake_leaners(context, top, top_address)
    sight = record_at(context.sight_address, SIGHT_DTYPE)
    if sight.level_row_count > 0:
        view = view_of(context, instrument_id)
        sight_writers.set_levels(view, sight, top_address, top.shown_count)
    add(context.counters_address, StrategyCounter.TOPS, 1)
    return int(1 + top.shown_count)


@compiled
def take_trade(context: Record, trade: Record) -> None:
    """Add one trade of the market to the view and to the queues, and have it decided on."""
    instrument_id = trade.instrument_id
    sight = record_at(context.sight_address, SIGHT_DTYPE)
    sight_writers.add_trade(view_of(context, instrument_id), sight, trade)
    standing = standing_of(context, instrument_id)
    quoting.on_trade(standing, trade.aggressor_side, trade.price_ticks, trade.qty_lots)
    mark_touched(context, instrument_id)
    merge = merge_of(context, instrument_id)
    if merge.merged_count == 0:
        merge.kernel_ns = trade.kernel_ns
        merge.recv_ns = trade.recv_ns
        merge.ingest_publish_ns = trade.ingest_publish_ns
        merge.book_pick_ns = trade.book_pick_ns
        merge.book_publish_ns = trade.publish_ns
    merge.newest_kernel_ns = trade.kernel_ns
    merge.merged_count += 1
    merge.cause_id = trade.cause_id
    add(context.counters_address, StrategyCounter.TRADES, 1)


@compiled
def take_market(context: Record, now_ns: int) -> int:
    """Take one message of the book: 1 taken, 0 none waits."""
    waiting_count = ring.ready_count(context.tops_address)
    if waiting_count == 0:
        return 0
    if waiting_count == NEW_EPOCH:
        ring.enter_epoch(context.tops_address)
        if record_at(context.tops_address, RING_DTYPE).epoch > 1:  # the first is no news
            log_event(context.log_address, hot_events.BOOK_RESTARTED, now_ns)
        distrust_tops(context)
        return 1
    record_address = ring.slot(context.tops_address, 0)
    record_count = 1
    if load_byte(record_address) == Kind.TRADE:
        take_trade(context, record_at(record_address, TRADE_DTYPE))
    else:
        record_count = take_top(context, record_address)
    ring.consume(context.tops_address, record_count)
    return 1


@compiled
def distrust_tops(context: Record) -> None:
    """Mark every top invalid: the book began again, and its earlier tops no longer hold."""
    for instrument_id in range(context.instrument_count):
        top_of(context, instrument_id).is_valid = 0
        view = view_of(context, instrument_id)
        view.bid_level_count = 0
        view.ask_level_count = 0
        mark_touched(context, instrument_id)


@compiled
def take_event(context: Record, account_id: int, now_ns: int) -> int:
    """Take one event of an account's gateway: 1 taken, 0 none waits."""
    events_address = events_of(context, account_id)
    waiting_count = ring.ready_count(events_address)
    if waiting_count == 0:
        return 0
    if waiting_count == NEW_EPOCH:
        discarded_count = ring.enter_epoch(events_address)
        if record_at(events_address, RING_DTYPE).epoch > 1:
            log_event(context.log_address, hot_events.RELOADED, now_ns, discarded_count)
        reload(context, account_id)
        return 1
    event = record_at(ring.slot(events_address, 0), EVENT_DTYPE)
    instrument_id = event.instrument_id
    rules = record_at(context.quoting_address, QUOTING_DTYPE)
    quoting.on_event(standing_of(context, instrument_id), rules, event, now_ns)
    sight_writers.add_event(view_of(context, instrument_id), event, now_ns)
    mark_touched(context, instrument_id)
    if event.kind == Kind.HALTED:
        log_event(context.log_address, hot_events.PAUSED, now_ns, instrument_id, event.reason)
    elif event.kind == Kind.RESUMED:
        log_event(context.log_address, hot_events.GOES_ON, now_ns, instrument_id)
    add(context.counters_address, StrategyCounter.EVENTS, 1)
    ring.consume(events_address, 1)
    return 1


@compiled
def reload(context: Record, account_id: int) -> None:
    """Read what is open from an account's order table, because events are missing."""
    add(context.counters_address, StrategyCounter.RELOADS, 1)
    for instrument_id in range(context.instrument_count):
        if account_of(context, instrument_id) == account_id:
            quoting.forget_all(standing_of(context, instrument_id))
            mark_touched(context, instrument_id)
    orders_address = load_word(context.order_tables_address + 8 * account_id)
    for row_index in range(load_word(context.order_counts_address + 8 * account_id)):
        row_address = orders_address + row_index * ORDER_BYTES
        if cell.read_cell(row_address, context.row_copy_address, ORDER_BYTES):
            order = record_at(context.row_copy_address, ORDER_DTYPE)
            quoting.restore(standing_of(context, order.instrument_id), order)
