"""Whether what the venue shows elsewhere agrees with the levels of a book.

Sequence numbers find a message that was lost, not one that was applied wrongly: for that the venue
must be asked twice.  A ticker or a partial book of the same update is such a second answer.
"""

from ipc.compiled import compiled
from ipc.memory import load_word, record_at
from vortex.books.book import (
    BOOK_DTYPE,
    DEPTH_DTYPE,
    LEVELS_DTYPE,
    PRICES_OFFSET_BYTES,
    QTYS_OFFSET_BYTES,
    best_ask,
    best_bid,
    level_lots,
    level_ticks,
    side_of,
)
from vortex.codes import Side
from vortex.records import MARKET_SLOT_BYTES


@compiled
def ticker_agrees(book_address: int) -> bool:
    """Return whether the newest ticker shows the same touch as the levels."""
    book = record_at(book_address, BOOK_DTYPE)
    return bool(
        book.ticker_bid_ticks == best_bid(book_address)
        and book.ticker_bid_lots == level_lots(book_address, Side.BUY, 0)
        and book.ticker_ask_ticks == best_ask(book_address)
        and book.ticker_ask_lots == level_lots(book_address, Side.SELL, 0)
    )


@compiled
def is_crossed(book_address: int) -> bool:
    """Return whether the best bid meets the best ask, which no venue's book shows."""
    ask_ticks = best_ask(book_address)
    return ask_ticks != 0 and best_bid(book_address) >= ask_ticks


@compiled
def partial_agrees(book_address: int, head_address: int) -> bool:
    """Return whether the levels of a partial book, best first, are the best of ours."""
    bid_index = 0
    ask_index = 0
    for record_index in range(record_at(head_address, DEPTH_DTYPE).record_count):
        record_address = head_address + (record_index + 1) * MARKET_SLOT_BYTES
        side = side_of(record_address)
        for index in range(record_at(record_address, LEVELS_DTYPE).level_count):
            depth_index = bid_index if side == Side.BUY else ask_index
            price_ticks = load_word(record_address + PRICES_OFFSET_BYTES + 8 * index)
            qty_lots = load_word(record_address + QTYS_OFFSET_BYTES + 8 * index)
            if price_ticks != level_ticks(book_address, side, depth_index):
                return False
            if qty_lots != level_lots(book_address, side, depth_index):
                return False
            if side == Side.BUY:
                bid_index += 1
            else:
                ask_index += 1
    return True
