"""The memory of the matching engine: order rows, the id table, sorted levels, events.

It holds no rule of the market; ``matching`` has those.  A search for a level starts at the best
one, because most changes are near it.
"""

from ipc.compiled import compiled
from ipc.memory import copy_bytes, load_word, record_at, store_word, zero_bytes
from ipc.types import Record
from vortex.codes import Side
from vortex.simulation.matching_records import (
    BOOK_SIDE,
    MATCH_EVENT,
    MATCH_LEVEL,
    MATCH_ORDER,
    MATCH_TOP,
    MATCHING,
    NONE,
    MatchEvent,
)

MATCHING_DTYPE = MATCHING.dtype
SIDE_DTYPE = BOOK_SIDE.dtype
ORDER_DTYPE = MATCH_ORDER.dtype
LEVEL_DTYPE = MATCH_LEVEL.dtype
EVENT_DTYPE = MATCH_EVENT.dtype
TOP_DTYPE = MATCH_TOP.dtype
MATCHING_BYTES = MATCHING_DTYPE.itemsize
SIDE_BYTES = SIDE_DTYPE.itemsize
ORDER_BYTES = ORDER_DTYPE.itemsize
LEVEL_BYTES = LEVEL_DTYPE.itemsize
EVENT_BYTES = EVENT_DTYPE.itemsize
WORD_BYTES = 8


@compiled
def slot_count(order_capacity_count: int) -> int:
    """Return how many slots the id table has: a power of two, at most half full."""
    count = 2
    while count < 2 * order_capacity_count:
        count *= 2
    return count


@compiled
def event_capacity(order_capacity_count: int) -> int:
    """Return how many events fit: the worst case of one operation, and room for small ones."""
    return 4 * order_capacity_count + 4096


@compiled
def open_store(address: int, order_capacity_count: int) -> None:
    """Lay out an empty book of ``order_capacity_count`` orders at ``address``."""
    zero_bytes(address, MATCHING_BYTES + 2 * SIDE_BYTES)
    book = record_at(address, MATCHING_DTYPE)
    slots = slot_count(order_capacity_count)
    book.order_capacity_count = order_capacity_count
    book.slot_mask = slots - 1
    book.event_capacity_count = event_capacity(order_capacity_count)
    book.bids_address = address + MATCHING_BYTES
    book.asks_address = book.bids_address + SIDE_BYTES
    book.orders_address = book.asks_address + SIDE_BYTES
    book.slots_address = book.orders_address + order_capacity_count * ORDER_BYTES
    bids = record_at(book.bids_address, SIDE_DTYPE)
    bids.side = Side.BUY
    bids.levels_address = book.slots_address + slots * WORD_BYTES
    asks = record_at(book.asks_address, SIDE_DTYPE)
    asks.side = Side.SELL
    asks.levels_address = bids.levels_address + order_capacity_count * LEVEL_BYTES
    book.events_address = asks.levels_address + order_capacity_count * LEVEL_BYTES
    zero_bytes(book.slots_address, slots * WORD_BYTES)
    for index in range(order_capacity_count):
        order = record_at(book.orders_address + index * ORDER_BYTES, ORDER_DTYPE)
        order.order_id = 0
        order.next_index = index + 1
    order = record_at(book.orders_address + (order_capacity_count - 1) * ORDER_BYTES, ORDER_DTYPE)
    order.next_index = NONE


@compiled
def store_bytes(order_capacity_count: int) -> int:
    """Return how many bytes a book of ``order_capacity_count`` orders takes."""
    rows = order_capacity_count * (ORDER_BYTES + 2 * LEVEL_BYTES)
    slots = slot_count(order_capacity_count) * WORD_BYTES
    events = event_capacity(order_capacity_count) * EVENT_BYTES
    return MATCHING_BYTES + 2 * SIDE_BYTES + rows + slots + events


@compiled
def order_at(book: Record, index: int) -> Record:
    """Return order row ``index``."""
    return record_at(book.orders_address + index * ORDER_BYTES, ORDER_DTYPE)


@compiled
def level_at(side: Record, index: int) -> Record:
    """Return level ``index`` of one side, counted from the worst."""
    return record_at(side.levels_address + index * LEVEL_BYTES, LEVEL_DTYPE)


@compiled
def side_of(book: Record, sign: int) -> Record:
    """Return the bids for ``Side.BUY``, the asks for ``Side.SELL``."""
    address = book.bids_address if sign == Side.BUY else book.asks_address
    return record_at(address, SIDE_DTYPE)


@compiled
def home_slot(book: Record, order_id: int) -> int:
    """Return the slot where the search for ``order_id`` begins."""
    mixed = order_id ^ ((order_id >> 16) & 0xFFFF)
    slot: int = (mixed * 40503) & book.slot_mask
    return slot


@compiled
def find_order(book: Record, order_id: int) -> int:
    """Return the row of the resting order ``order_id``; -1 when there is none."""
    slot = home_slot(book, order_id)
    while True:
        index = load_word(book.slots_address + slot * WORD_BYTES) - 1
        if index < 0:
            return NONE
        if order_at(book, index).order_id == order_id:
            return index
        slot = (slot + 1) & book.slot_mask


@compiled
def insert_id(book: Record, order_id: int, index: int) -> None:
    """Enter ``order_id``, which is not in the table, as row ``index``."""
    slot = home_slot(book, order_id)
    while load_word(book.slots_address + slot * WORD_BYTES) != 0:
        slot = (slot + 1) & book.slot_mask
    store_word(book.slots_address + slot * WORD_BYTES, index + 1)


@compiled
def remove_id(book: Record, order_id: int) -> None:
    """Remove ``order_id``; later entries move up, so that no search meets a hole."""
    slot = home_slot(book, order_id)
    while order_at(book, load_word(book.slots_address + slot * WORD_BYTES) - 1).order_id != (
        order_id
    ):
        slot = (slot + 1) & book.slot_mask
    hole = slot
    while True:
        slot = (slot + 1) & book.slot_mask
        entry = load_word(book.slots_address + slot * WORD_BYTES)
        if entry == 0:
            break
        home = home_slot(book, order_at(book, entry - 1).order_id)
        if ((slot - home) & book.slot_mask) >= ((slot - hole) & book.slot_mask):
            store_word(book.slots_address + hole * WORD_BYTES, entry)
            hole = slot
    store_word(book.slots_address + hole * WORD_BYTES, 0)


@compiled
def level_position(side: Record, price_ticks: int) -> int:
    """Return the position at which the level of ``price_ticks`` is, or is to be inserted."""
    position: int = side.level_count
    while position > 0:
        below = level_at(side, position - 1).price_ticks
        if (price_ticks - below) * side.side > 0:
            break
        position -= 1
        if below == price_ticks:
            break
    return position


@compiled
def has_level(side: Record, level_index: int, price_ticks: int) -> bool:
    """Return whether the level at ``level_index`` has exactly this price."""
    if level_index >= side.level_count:
        return False
    is_same: bool = level_at(side, level_index).price_ticks == price_ticks
    return is_same


@compiled
def insert_level(side: Record, level_index: int, price_ticks: int) -> None:
    """Make room at ``level_index`` for an empty level."""
    address = side.levels_address + level_index * LEVEL_BYTES
    copy_bytes(address + LEVEL_BYTES, address, (side.level_count - level_index) * LEVEL_BYTES)
    side.level_count += 1
    level = record_at(address, LEVEL_DTYPE)
    level.price_ticks = price_ticks
    level.qty_lots = 0
    level.order_count = 0
    level.first_index = NONE
    level.last_index = NONE


@compiled
def remove_level(side: Record, level_index: int) -> None:
    """Close the gap that the level at ``level_index`` leaves."""
    address = side.levels_address + level_index * LEVEL_BYTES
    side.level_count -= 1
    copy_bytes(address, address + LEVEL_BYTES, (side.level_count - level_index) * LEVEL_BYTES)


@compiled
def add_event(
    book: Record,
    kind: int,
    side: int,
    order_id: int,
    owner_id: int,
    price_ticks: int,
    qty_lots: int,
) -> Record:
    """Append an event and return it, for the fields that few kinds have."""
    assert book.event_count < book.event_capacity_count, "take the events before the next one"
    event = record_at(book.events_address + book.event_count * EVENT_BYTES, EVENT_DTYPE)
    book.event_count += 1
    event.kind = kind
    event.side = side
    event.order_id = order_id
    event.owner_id = owner_id
    event.maker_id = 0
    event.maker_owner_id = 0
    event.price_ticks = price_ticks
    event.qty_lots = qty_lots
    event.update_id = 0
    event.trade_id = 0
    return event


@compiled
def add_top(book: Record) -> None:
    """Append a TOP event if the best bid or ask differs from the last TOP event."""
    bid_ticks, bid_lots, ask_ticks, ask_lots = 0, 0, 0, 0
    bids = side_of(book, Side.BUY)
    if bids.level_count > 0:
        bid_ticks = level_at(bids, bids.level_count - 1).price_ticks
        bid_lots = level_at(bids, bids.level_count - 1).qty_lots
    asks = side_of(book, Side.SELL)
    if asks.level_count > 0:
        ask_ticks = level_at(asks, asks.level_count - 1).price_ticks
        ask_lots = level_at(asks, asks.level_count - 1).qty_lots
    is_same_bid = bid_ticks == book.bid_ticks and bid_lots == book.bid_lots
    if is_same_bid and ask_ticks == book.ask_ticks and ask_lots == book.ask_lots:
        return
    book.bid_ticks, book.bid_lots = bid_ticks, bid_lots
    book.ask_ticks, book.ask_lots = ask_ticks, ask_lots
    add_event(book, MatchEvent.TOP, 0, 0, 0, 0, 0)
    top = record_at(book.events_address + (book.event_count - 1) * EVENT_BYTES, TOP_DTYPE)
    top.bid_ticks, top.bid_lots = bid_ticks, bid_lots
    top.ask_ticks, top.ask_lots = ask_ticks, ask_lots
    top.update_id = book.update_id


@compiled
def change_level(book: Record, side: Record, price_ticks: int, qty_lots: int) -> None:
    """Number a change of a level; append a LEVEL event, and a TOP event if the top moved."""
    book.update_id += 1
    event = add_event(book, MatchEvent.LEVEL, side.side, 0, 0, price_ticks, qty_lots)
    event.update_id = book.update_id
    add_top(book)
