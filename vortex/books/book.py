"""The level-2 book of one instrument: price levels in one block of memory.

The block is a ``BOOK`` header, then the bid levels, the ask levels, and room for the diffs that
wait for a snapshot (``sync`` decides when a book is true; this file only keeps levels).  A level is
two words, price and quantity.  Nothing in the block is an address: processes map it anywhere.

Each side is sorted, its best level last, with a gap where the last change was: *far* levels lie at
the low end of the room, *near* ones at the high end.  A level is set by moving the gap to its
price, and then costs nothing to insert or remove.  Venues send the levels of a message best first,
so the gap sweeps over a side once a message, where a plain array would be shifted once a level.

``side`` doubles as the sign that makes both sides one: ``price * side`` rises towards the touch.
"""

from ipc.compiled import compiled
from ipc.layout import Field, Layout, reserved
from ipc.memory import copy_bytes, load_byte, load_word, record_at, store_word, zero_bytes
from vortex.codes import Kind, Side
from vortex.records import DEPTH, LEVELS, LEVELS_PER_RECORD, MARKET_SLOT_BYTES

BOOK = Layout(
    "book",
    "Head of a book's block: what it holds, how far it is from the truth, and what it counted.",
    Field("level_capacity", "i8", "levels that each side can hold"),
    Field("pending_capacity", "i8", "records that can wait for a snapshot"),
    Field("bid_far_count", "i8", "bid levels beyond the gap"),
    Field("bid_near_count", "i8", "bid levels between the gap and the touch"),
    Field("ask_far_count", "i8", "ask levels beyond the gap"),
    Field("ask_near_count", "i8", "ask levels between the gap and the touch"),
    Field("update_id", "i8", "last update in the levels"),
    Field("state", "i8", "codes.BookState"),
    Field("is_loaded", "i8", "1 when the levels began with a snapshot"),
    Field("is_refreshing", "i8", "1 when diffs are kept although the book is live"),
    Field("pending_count", "i8", "records that wait for a snapshot"),
    Field("pending_first_id", "i8", "first update that they hold or will hold; 0 for none"),
    Field("pending_last_id", "i8", "last update of the diffs that wait"),
    Field("ticker_update_id", "i8", "update that the newest ticker shows; 0 for none"),
    Field("ticker_bid_ticks", "i8", "its best bid"),
    Field("ticker_bid_lots", "i8", "its quantity at the best bid"),
    Field("ticker_ask_ticks", "i8", "its best ask"),
    Field("ticker_ask_lots", "i8", "its quantity at the best ask"),
    Field("update_count", "i8", "diffs applied"),
    Field("ignored_count", "i8", "diffs, tickers and snapshots that changed nothing"),
    Field("live_count", "i8", "how often the book became true"),
    Field("gap_count", "i8", "sequence gaps"),
    Field("agreed_count", "i8", "tickers and partial books found equal to the levels"),
    Field("mismatch_count", "i8", "times that they differed, or that bids met asks"),
    Field("snapshot_wanted_count", "i8", "how often a snapshot was asked for"),
    Field("snapshot_stale_count", "i8", "snapshots older than the diffs that waited"),
    Field("pending_overflow_count", "i8", "times that the waiting diffs found no room"),
    Field("level_dropped_count", "i8", "levels lost because their side was full"),
    Field("refused_count", "i8", "messages that were not well formed"),
    Field("down_count", "i8", "times that the feed went down"),
    Field("chain", "i8", "codes.Chain of its messages; 0 is FIRST_ID"),
    Field("is_pushed", "i8", "1 when its snapshots are pushed"),
    Field("venue_ns", "i8", "venue time of the last diff taken; 0: not known"),
    reserved(56),
)
BOOK_DTYPE = BOOK.dtype
BOOK_BYTES = BOOK.dtype.itemsize
LEVEL_BYTES = 16
BID_COUNTS_BYTES = BOOK.offset_bytes("bid_far_count")
ASK_COUNTS_BYTES = BOOK.offset_bytes("ask_far_count")

DEPTH_DTYPE = DEPTH.dtype
LEVELS_DTYPE = LEVELS.dtype
PRICES_OFFSET_BYTES = LEVELS.offset_bytes("price_ticks")
QTYS_OFFSET_BYTES = LEVELS.offset_bytes("qty_lots")


def book_bytes(level_capacity: int, pending_capacity: int) -> int:
    """Return the size of a block of two sides of levels and the waiting records, in bytes."""
    assert level_capacity > 0
    assert pending_capacity > 0
    levels_bytes = 2 * level_capacity * LEVEL_BYTES
    payload_bytes = BOOK_BYTES + levels_bytes + pending_capacity * MARKET_SLOT_BYTES
    return -(-payload_bytes // 64) * 64


@compiled
def init_book(book_address: int, level_capacity: int, pending_capacity: int, chain: int) -> None:
    """Make the block an empty book of these capacities (levels a side, records)."""
    zero_bytes(book_address, BOOK_BYTES)
    book = record_at(book_address, BOOK_DTYPE)
    book.level_capacity = level_capacity
    book.pending_capacity = pending_capacity
    book.chain = chain


@compiled
def clear_book(book_address: int) -> None:
    """Remove all levels; counters, waiting diffs and ticker stay."""
    book = record_at(book_address, BOOK_DTYPE)
    set_counts(book_address, Side.BUY, 0, 0)
    set_counts(book_address, Side.SELL, 0, 0)
    book.update_id = 0
    book.is_loaded = 0


@compiled
def levels_address(book_address: int, side: int) -> int:
    """Return where the room of ``side`` begins, with the level farthest from the touch."""
    bids_address = book_address + BOOK_BYTES
    if side == Side.BUY:
        return bids_address
    book = record_at(book_address, BOOK_DTYPE)
    return bids_address + int(book.level_capacity) * LEVEL_BYTES


@compiled
def pending_address(book_address: int) -> int:
    """Return where the diffs that wait for a snapshot begin."""
    book = record_at(book_address, BOOK_DTYPE)
    return book_address + BOOK_BYTES + 2 * int(book.level_capacity) * LEVEL_BYTES


@compiled
def counts_address(book_address: int, side: int) -> int:
    """Return the address of the far count of ``side``; its near count is the next int64."""
    if side == Side.BUY:
        return book_address + BID_COUNTS_BYTES
    return book_address + ASK_COUNTS_BYTES


@compiled
def set_counts(book_address: int, side: int, far_count: int, near_count: int) -> None:
    """Write how many levels of ``side`` lie on each side of the gap."""
    address = counts_address(book_address, side)
    store_word(address, far_count)
    store_word(address + 8, near_count)


@compiled
def level_count(book_address: int, side: int) -> int:
    """Return how many levels ``side`` holds."""
    address = counts_address(book_address, side)
    return load_word(address) + load_word(address + 8)


@compiled
def near_address(book_address: int, side: int) -> int:
    """Return where the near levels of ``side`` begin: behind the gap, up to the touch."""
    book = record_at(book_address, BOOK_DTYPE)
    near_count = load_word(counts_address(book_address, side) + 8)
    skipped_count = int(book.level_capacity) - near_count
    return levels_address(book_address, side) + skipped_count * LEVEL_BYTES


@compiled
def count_farther(address: int, count: int, side: int, price_ticks: int, is_near: bool) -> int:
    """Return how many of ``count`` sorted levels are farther from the touch than ``price_ticks``.

    Gallops from the gap, where the next change most likely is (the first of near levels, the last
    of far ones), then halves.
    """
    key = price_ticks * side
    low_index = -1
    high_index = count
    step = 1
    probe_index = 0 if is_near else count - 1
    while low_index < probe_index < high_index:
        is_farther = load_word(address + probe_index * LEVEL_BYTES) * side < key
        if is_farther:
            low_index = probe_index
        else:
            high_index = probe_index
        if is_farther != is_near:
            break
        probe_index += step if is_near else -step
        step += step
    # Halving multiplies by the comparison: to branch on it would be mispredicted every other time.
    index = low_index + 1
    left_count = high_index - index
    while left_count > 0:
        half_count = (left_count + 1) >> 1
        probe = load_word(address + (index + half_count - 1) * LEVEL_BYTES) * side
        index += half_count * int(probe < key)
        left_count -= half_count
    return index


@compiled
def move_gap(book_address: int, side: int, price_ticks: int) -> None:
    """Move the gap of ``side`` to where only farther levels than ``price_ticks`` lie beyond it."""
    address = counts_address(book_address, side)
    far_count = load_word(address)
    near_count = load_word(address + 8)
    far_first = levels_address(book_address, side)
    near_first = near_address(book_address, side)
    moved_count = far_count - count_farther(far_first, far_count, side, price_ticks, False)
    if moved_count > 0:
        moved_bytes = moved_count * LEVEL_BYTES
        far_end = far_first + far_count * LEVEL_BYTES
        copy_bytes(near_first - moved_bytes, far_end - moved_bytes, moved_bytes)
    else:
        moved_count = -count_farther(near_first, near_count, side, price_ticks, True)
        if moved_count == 0:
            return
        far_end = far_first + far_count * LEVEL_BYTES
        copy_bytes(far_end, near_first, -moved_count * LEVEL_BYTES)
    set_counts(book_address, side, far_count - moved_count, near_count + moved_count)


@compiled
def insert_level(book_address: int, side: int, price_ticks: int, qty_lots: int) -> None:
    """Insert a level at the gap; on a full side the farthest level is lost, maybe the new one."""
    book = record_at(book_address, BOOK_DTYPE)
    address = counts_address(book_address, side)
    far_count = load_word(address)
    near_count = load_word(address + 8)
    if far_count + near_count == book.level_capacity:
        book.level_dropped_count += 1
        if far_count == 0:
            return
        far_count -= 1
        far_first = levels_address(book_address, side)
        copy_bytes(far_first, far_first + LEVEL_BYTES, far_count * LEVEL_BYTES)
    set_counts(book_address, side, far_count, near_count + 1)
    level_address = near_address(book_address, side)
    store_word(level_address, price_ticks)
    store_word(level_address + 8, qty_lots)


@compiled
def set_level(book_address: int, side: int, price_ticks: int, qty_lots: int) -> None:
    """Set the quantity at a price, in lots; 0 removes the level.

    To remove an unknown level is normal.  When the side is full, the level farthest from the touch
    is lost and counted, which may be the new one.
    """
    move_gap(book_address, side, price_ticks)
    address = counts_address(book_address, side)
    near_count = load_word(address + 8)
    level_address = near_address(book_address, side)
    is_known = near_count > 0 and load_word(level_address) == price_ticks
    if qty_lots == 0:
        if is_known:
            store_word(address + 8, near_count - 1)
    elif is_known:
        store_word(level_address + 8, qty_lots)
    else:
        insert_level(book_address, side, price_ticks, qty_lots)


@compiled
def side_of(record_address: int) -> int:
    """Return the side of a LEVELS record, or 0 when the record is none."""
    kind = load_byte(record_address)
    if kind == Kind.BIDS:
        return Side.BUY
    if kind == Kind.ASKS:
        return Side.SELL
    return 0


@compiled
def is_well_formed(head_address: int) -> bool:
    """Return whether every record after the head is LEVELS, prices above 0, quantities not below.

    Checked before the first level is touched, so that a message is applied whole or not at all.
    """
    head = record_at(head_address, DEPTH_DTYPE)
    # A price of 0 and any negative number leave the sign bit here.
    sign = int(head.record_count)
    record_address = head_address
    for _ in range(head.record_count):
        record_address += MARKET_SLOT_BYTES
        count = record_at(record_address, LEVELS_DTYPE).level_count
        if side_of(record_address) == 0 or count < 0 or count > LEVELS_PER_RECORD:
            return False
        for index in range(count):
            sign |= load_word(record_address + PRICES_OFFSET_BYTES + 8 * index) - 1
            sign |= load_word(record_address + QTYS_OFFSET_BYTES + 8 * index)
    return sign >= 0


@compiled
def apply_record(book_address: int, record_address: int) -> None:
    """Set the levels of one LEVELS record."""
    side = side_of(record_address)
    for index in range(record_at(record_address, LEVELS_DTYPE).level_count):
        price_ticks = load_word(record_address + PRICES_OFFSET_BYTES + 8 * index)
        qty_lots = load_word(record_address + QTYS_OFFSET_BYTES + 8 * index)
        set_level(book_address, side, price_ticks, qty_lots)


@compiled
def apply_levels(book_address: int, head_address: int) -> bool:
    """Set every level of a message; return False, and change nothing, when it is not well formed.

    The LEVELS records follow the head in memory.
    """
    if not is_well_formed(head_address):
        return False
    head = record_at(head_address, DEPTH_DTYPE)
    for index in range(head.record_count):
        apply_record(book_address, head_address + (index + 1) * MARKET_SLOT_BYTES)
    return True


@compiled
def append_record(book_address: int, record_address: int) -> bool:
    """Put the levels of one record behind the others; return False when one is no farther."""
    side = side_of(record_address)
    count = level_count(book_address, side)
    for index in range(record_at(record_address, LEVELS_DTYPE).level_count):
        price_ticks = load_word(record_address + PRICES_OFFSET_BYTES + 8 * index)
        qty_lots = load_word(record_address + QTYS_OFFSET_BYTES + 8 * index)
        farthest_ticks = load_word(near_address(book_address, side))
        if qty_lots == 0 or (count > 0 and farthest_ticks * side <= price_ticks * side):
            return False
        insert_level(book_address, side, price_ticks, qty_lots)
        count += 1
    return True


@compiled
def load_levels(book_address: int, head_address: int) -> bool:
    """Replace all levels by those of a message; False, and no change, when it is not well formed.

    Venues send a book best first, so that each level is put behind the one before it; a book in
    another order is set level by level.
    """
    if not is_well_formed(head_address):
        return False
    book = record_at(book_address, BOOK_DTYPE)
    dropped_count = book.level_dropped_count
    clear_book(book_address)
    head = record_at(head_address, DEPTH_DTYPE)
    for index in range(head.record_count):
        if not append_record(book_address, head_address + (index + 1) * MARKET_SLOT_BYTES):
            book.level_dropped_count = dropped_count
            clear_book(book_address)
            return apply_levels(book_address, head_address)
    return True


@compiled
def level_address(book_address: int, side: int, depth_index: int) -> int:
    """Return where a level lies, 0 being the best; 0 when there is none."""
    counts = counts_address(book_address, side)
    far_count = load_word(counts)
    near_count = load_word(counts + 8)
    if depth_index < 0 or depth_index >= far_count + near_count:
        return 0
    if depth_index < near_count:
        last_index = near_count - 1
        return near_address(book_address, side) + (last_index - depth_index) * LEVEL_BYTES
    index = far_count + near_count - 1 - depth_index
    return levels_address(book_address, side) + index * LEVEL_BYTES


@compiled
def level_ticks(book_address: int, side: int, depth_index: int) -> int:
    """Return the price of a level in ticks, 0 being the best; 0 when there is none."""
    address = level_address(book_address, side, depth_index)
    return load_word(address) if address != 0 else 0


@compiled
def level_lots(book_address: int, side: int, depth_index: int) -> int:
    """Return the quantity of a level in lots, 0 being the best; 0 when there is none."""
    address = level_address(book_address, side, depth_index)
    return load_word(address + 8) if address != 0 else 0


@compiled
def best_bid(book_address: int) -> int:
    """Return the highest bid in ticks; 0 when there is none."""
    return level_ticks(book_address, Side.BUY, 0)


@compiled
def best_ask(book_address: int) -> int:
    """Return the lowest ask in ticks; 0 when there is none."""
    return level_ticks(book_address, Side.SELL, 0)


@compiled
def depth_lots(book_address: int, side: int, depth_count: int) -> int:
    """Return the quantity of the best ``depth_count`` levels together, in lots."""
    total_lots = 0
    for index in range(min(depth_count, level_count(book_address, side))):
        total_lots += level_lots(book_address, side, index)
    return total_lots
