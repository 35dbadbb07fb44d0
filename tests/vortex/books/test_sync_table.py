"""Each row of the table of a book's states, done to a book."""

import itertools

import pytest
from builders import BookBlock, Message, diff, feed, pushed, snapshot, ticker

from ipc.memory import record_at
from vortex.books import sync
from vortex.books.book import BOOK
from vortex.books.sync_table import SYNC_TABLE, BookMessage, SyncRule, SyncState, drawing
from vortex.codes import BookState, Kind

BIDS, ASKS = [(100, 5)], [(101, 5)]
LATER_NS = 10 * sync.RENUMBERED_NS
#: What leads a book into each state; the last update is 20, or nothing is known.
WAY: dict[SyncState, list[Message]] = {
    SyncState.EMPTY: [],
    SyncState.BUFFERING: [diff(18, 20, BIDS, ASKS, 1)],
    SyncState.LOADED: [snapshot(20, BIDS, ASKS)],
    SyncState.LIVE: [diff(18, 20, BIDS, ASKS, 1), snapshot(20, BIDS, ASKS)],
}
#: What each message is after update 20.
MESSAGES: dict[BookMessage, Message] = {
    BookMessage.NEXT_DIFF: diff(21, 22, [(99, 1)], [], 2),
    BookMessage.REPEATED_DIFF: diff(19, 20, [(99, 1)], [], 2),
    BookMessage.GAP_DIFF: diff(23, 24, [(99, 1)], [], 2),
    BookMessage.RENUMBERED_DIFF: diff(3, 4, [(99, 1)], [], LATER_NS),
    BookMessage.NEWER_SNAPSHOT: snapshot(25, BIDS, ASKS),
    BookMessage.OLDER_SNAPSHOT: snapshot(16, BIDS, ASKS),
    BookMessage.PUSHED_SNAPSHOT: pushed(7, BIDS, ASKS),
    BookMessage.OTHER_TICKER: ticker(20, (100, 6), (101, 5)),
    BookMessage.MALFORMED: diff(21, 22, [(99, -1)], [], 2),
    BookMessage.FEED_DOWN: feed(Kind.FEED_DOWN),
}


def state_of(block: BookBlock) -> SyncState:
    book = record_at(block.address, BOOK.dtype)
    if book.state == BookState.BUFFERING and book.is_loaded:
        return SyncState.LOADED
    return SyncState[BookState(int(book.state)).name]


def book_in(state: SyncState) -> BookBlock:
    block = BookBlock()
    for message in WAY[state]:
        sync.on_message(block.address, message.address)
    assert state_of(block) == state
    return block


@pytest.mark.parametrize("rule", SYNC_TABLE, ids=lambda r: f"{r.state.name}-{r.message.name}")
def test_each_row_is_what_a_book_does(rule: SyncRule) -> None:
    block = book_in(rule.state)
    assert sync.on_message(block.address, MESSAGES[rule.message].address) == rule.code
    assert state_of(block) == rule.then


def test_what_is_no_row_says_nothing_or_is_another_row() -> None:
    """Nothing repeats or is missing where nothing is known; a ticker contradicts live levels."""
    rows = [(rule.state, rule.message) for rule in SYNC_TABLE]
    assert len(rows) == len(set(rows))
    for state, message in set(itertools.product(SyncState, BookMessage)) - set(rows):
        if message == BookMessage.OTHER_TICKER:
            block = book_in(state)
            assert sync.on_message(block.address, MESSAGES[message].address) == sync.Sync.UNCHANGED
            assert state_of(block) == state
        else:
            assert (state, message) in {
                (SyncState.EMPTY, BookMessage.REPEATED_DIFF),
                (SyncState.EMPTY, BookMessage.GAP_DIFF),
                (SyncState.EMPTY, BookMessage.RENUMBERED_DIFF),
                (SyncState.EMPTY, BookMessage.OLDER_SNAPSHOT),
                (SyncState.LOADED, BookMessage.RENUMBERED_DIFF),
            }


def test_the_drawing_has_each_state_and_each_way_between_two() -> None:
    text = drawing()
    assert "LIVE --> EMPTY: end of the connection" in text
    assert "EMPTY --> LIVE: pushed snapshot" in text
    assert all(f"    {state.name}: " in text for state in SyncState)
