"""The level-2 book of one instrument: price levels in one block of memory.

The block is a ``BOOK`` header, then the bid levels, the ask levels, and room for the diffs that
wait for a snapshot (``sync`` decides when a book is true; this file only keeps levels).  A level is
two words, price and quantity.  Each side is sorted with its best level *last*, so that the changes
near the touch, which are nearly all, move few bytes.  Nothing in the block is an address: processes
map it where they like.

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
    Field("bid_level_count", "i8", "levels on the bid side"),
    Field("ask_level_count", "i8", "levels on the ask side"),
    Field("update_id", "i8", "last update in the levels"),
    Field("state", "i8", "codes.BookState"),
    Field("is_loaded", "i8", "1 when the levels began with a snapshot"),
    Field("is_refreshing", "i8", "1 when diffs are kept although the book is live"),
    Field("pending_count", "i8", "records that wait for a snapshot"),
    Field("pending_first_id", "i8", "first update that they hold or shall hold; 0 for none"),
    Field("pending_last_id", "i8", "last update of the diffs that wait"),
    Field("ticker_update_id", "i8", "update that the newest ticker shows; 0 for none"),
    Field("ticker_bid_ticks", "i8", "its best bid"),
    Field("ticker_bid_lots", "i8", "its quantity at the best bid"),
    Field("ticker_ask_ticks", "i8", "its best ask"),
    Field("ticker_ask_lots", "i8", "its quantity at the best ask"),
    Field("update_count", "i8", "diffs applied"),
    Field("ignored_count", "i8", "diffs, tickers and snapshots that told nothing new"),
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
    reserved(32),
)
BOOK_DTYPE = BOOK.dtype
BOOK_BYTES = BOOK.dtype.itemsize
LEVEL_BYTES = 16

DEPTH_DTYPE = DEPTH.dtype
LEVELS_DTYPE = LEVELS.dtype
PRICES_OFFSET_BYTES = LEVELS.offset_bytes("price_ticks")
QTYS_OFFSET_BYTES = LEVELS.offset_bytes("qty_lots")

#: What ``put_level`` answers when a level had to go to make room: the count stays.
DISPLACED = 2


def book_bytes(level_capacity: int, pending_capacity: int) -> int:
    """Return the size of a block of two sides of levels and the waiting records, in bytes."""
    assert level_capacity > 0
    assert pending_capacity > 0
    levels_bytes = 2 * level_capacity * LEVEL_BYTES
    payload_bytes = BOOK_BYTES + levels_bytes + pending_capacity * MARKET_SLOT_BYTES
    return -(-payload_bytes // 64) * 64


@compiled
def init_book(book_address: int, level_capacity: int, pending_capacity: int) -> None:
    """Make the block an empty book of these capacities (levels a side, records)."""
    zero_bytes(book_address, BOOK_BYTES)
    book = record_at(book_address, BOOK_DTYPE)
    book.level_capacity = level_capacity
    book.pending_capacity = pending_capacity


@compiled
def clear_book(book_address: int) -> None:
    """Remove all levels; counters, waiting diffs and ticker stay."""
    book = record_at(book_address, BOOK_DTYPE)
    book.bid_level_count = 0
    book.ask_level_count = 0
    book.update_id = 0
    book.is_loaded = 0


@compiled
def levels_address(book_address: int, side: int) -> int:
    """Return where the levels of ``side`` begin, the farthest from the touch first."""
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
def level_count(book_address: int, side: int) -> int:
    """Return how many levels ``side`` holds."""
    book = record_at(book_address, BOOK_DTYPE)
    if side == Side.BUY:
        return int(book.bid_level_count)
    return int(book.ask_level_count)


@compiled
def set_level_count(book_address: int, side: int, count: int) -> None:
    """Write how many levels ``side`` holds."""
    book = record_at(book_address, BOOK_DTYPE)
    if side == Side.BUY:
        book.bid_level_count = count
    else:
        book.ask_level_count = count


@compiled
def find_level(side_address: int, count: int, side: int, price_ticks: int) -> int:
    """Return the index of the farthest level that is no farther than ``price_ticks``.

    Gallops from the touch, where changes are, then halves; ``count`` when all are farther.
    """
    key = price_ticks * side
    high_index = count
    low_index = count - 1
    step = 1
    while low_index >= 0 and load_word(side_address + low_index * LEVEL_BYTES) * side >= key:
        high_index = low_index
        low_index -= step
        step += step
    low_index = max(low_index, -1)
    while high_index - low_index > 1:
        middle_index = (low_index + high_index) >> 1
        if load_word(side_address + middle_index * LEVEL_BYTES) * side >= key:
            high_index = middle_index
        else:
            low_index = middle_index
    return high_index


@compiled
def put_level(
    side_address: int, count: int, capacity: int, side: int, price_ticks: int, qty_lots: int
) -> int:
    """Set one level of a side; return by how much the count changes, or ``DISPLACED``.

    0 lots removes the level; to remove an unknown one is normal.  When the side is full, the level
    farthest from the touch is lost, which may be the new one.
    """
    index = find_level(side_address, count, side, price_ticks)
    address = side_address + index * LEVEL_BYTES
    if index < count and load_word(address) == price_ticks:
        if qty_lots != 0:
            store_word(address + 8, qty_lots)
            return 0
        copy_bytes(address, address + LEVEL_BYTES, (count - index - 1) * LEVEL_BYTES)
        return -1
    if qty_lots == 0:
        return 0
    if count < capacity:
        copy_bytes(address + LEVEL_BYTES, address, (count - index) * LEVEL_BYTES)
        store_word(address, price_ticks)
        store_word(address + 8, qty_lots)
        return 1
    if index > 0:
        copy_bytes(side_address, side_address + LEVEL_BYTES, (index - 1) * LEVEL_BYTES)
        store_word(address - LEVEL_BYTES, price_ticks)
        store_word(address - LEVEL_BYTES + 8, qty_lots)
    return DISPLACED


@compiled
def set_level(book_address: int, side: int, price_ticks: int, qty_lots: int) -> None:
    """Set the quantity that stands at a price, in lots; 0 removes the level."""
    book = record_at(book_address, BOOK_DTYPE)
    count = level_count(book_address, side)
    capacity = int(book.level_capacity)
    side_address = levels_address(book_address, side)
    change = put_level(side_address, count, capacity, side, price_ticks, qty_lots)
    if change == DISPLACED:
        book.level_dropped_count += 1
    else:
        set_level_count(book_address, side, count + change)


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
    book = record_at(book_address, BOOK_DTYPE)
    side = side_of(record_address)
    count = level_count(book_address, side)
    capacity = int(book.level_capacity)
    side_address = levels_address(book_address, side)
    for index in range(record_at(record_address, LEVELS_DTYPE).level_count):
        price_ticks = load_word(record_address + PRICES_OFFSET_BYTES + 8 * index)
        qty_lots = load_word(record_address + QTYS_OFFSET_BYTES + 8 * index)
        change = put_level(side_address, count, capacity, side, price_ticks, qty_lots)
        if change == DISPLACED:
            book.level_dropped_count += 1
        else:
            count += change
    set_level_count(book_address, side, count)


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
    """Append the levels of one record behind their side; return whether each is farther out.

    Only for ``load_levels``: the side stands reversed meanwhile.
    """
    book = record_at(book_address, BOOK_DTYPE)
    side = side_of(record_address)
    count = level_count(book_address, side)
    address = levels_address(book_address, side) + count * LEVEL_BYTES
    for index in range(record_at(record_address, LEVELS_DTYPE).level_count):
        price_ticks = load_word(record_address + PRICES_OFFSET_BYTES + 8 * index)
        qty_lots = load_word(record_address + QTYS_OFFSET_BYTES + 8 * index)
        if qty_lots == 0 or (
            count > 0 and load_word(address - LEVEL_BYTES) * side <= price_ticks * side
        ):
            return False
        if count == book.level_capacity:
            book.level_dropped_count += 1
            continue
        store_word(address, price_ticks)
        store_word(address + 8, qty_lots)
        address += LEVEL_BYTES
        count += 1
    set_level_count(book_address, side, count)
    return True


@compiled
def reverse_side(book_address: int, side: int) -> None:
    """Turn the levels of ``side`` around."""
    low_address = levels_address(book_address, side)
    high_address = low_address + (level_count(book_address, side) - 1) * LEVEL_BYTES
    while low_address < high_address:
        price_ticks = load_word(low_address)
        qty_lots = load_word(low_address + 8)
        copy_bytes(low_address, high_address, LEVEL_BYTES)
        store_word(high_address, price_ticks)
        store_word(high_address + 8, qty_lots)
        low_address += LEVEL_BYTES
        high_address -= LEVEL_BYTES


@compiled
def load_levels(book_address: int, head_address: int) -> bool:
    """Replace all levels by those of a message; False, and no change, when it is not well formed.

    Venues send a book best first, which is written in one pass (thousands of insertions before the
    farthest level would stall the loop); one in another order is set level by level.
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
    reverse_side(book_address, Side.BUY)
    reverse_side(book_address, Side.SELL)
    return True


@compiled
def level_ticks(book_address: int, side: int, depth_index: int) -> int:
    """Return the price of a level in ticks, 0 being the best; 0 when there is none."""
    count = level_count(book_address, side)
    if depth_index < 0 or depth_index >= count:
        return 0
    return load_word(levels_address(book_address, side) + (count - 1 - depth_index) * LEVEL_BYTES)


@compiled
def level_lots(book_address: int, side: int, depth_index: int) -> int:
    """Return the quantity of a level in lots, 0 being the best; 0 when there is none."""
    count = level_count(book_address, side)
    if depth_index < 0 or depth_index >= count:
        return 0
    address = levels_address(book_address, side) + (count - 1 - depth_index) * LEVEL_BYTES
    return load_word(address + 8)


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
    count = level_count(book_address, side)
    address = levels_address(book_address, side) + count * LEVEL_BYTES
    total_lots = 0
    for _ in range(min(depth_count, count)):
        address -= LEVEL_BYTES
        total_lots += load_word(address + 8)
    return total_lots
