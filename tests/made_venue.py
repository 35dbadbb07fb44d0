"""A made-up venue, and a slow twin of the rules by which its stream makes a true book."""

import random

from builders import BookBlock, diff, snapshot, ticker, touch_block

from ipc.memory import record_at
from vortex.books import book as books
from vortex.books import sync
from vortex.books.book import BOOK
from vortex.books.sync import Sync
from vortex.codes import Side
from vortex.records import TOUCH

BOOK_DTYPE = BOOK.dtype

TOUCH_DTYPE = TOUCH.dtype

MS = 1_000_000
SECOND = 1000 * MS


class Venue:
    """A made-up venue: a book that moves, its diffs, snapshots and tickers."""

    def __init__(self, seed, first_id=1000):
        self.random = random.Random(seed)
        self.update_id = first_id
        self.bids = {100 - index: 5 for index in range(20)}
        self.asks = {101 + index: 5 for index in range(20)}

    def step(self):
        """Change some quantities; return the diff as (first id, last id, bids, asks)."""
        first_id = self.update_id + 1
        self.update_id += self.random.randint(1, 9)
        bids, asks = {}, {}
        for _ in range(self.random.randint(0, 9)):
            bids[self.random.randint(81, 100)] = self.random.choice((0, 1, 2, 3))
            asks[self.random.randint(101, 120)] = self.random.choice((0, 1, 2, 3))
        for levels, changes in ((self.bids, bids), (self.asks, asks)):
            for price, qty in changes.items():
                levels.pop(price, None)
                if qty:
                    levels[price] = qty
        return first_id, self.update_id, list(bids.items()), list(asks.items())

    def levels(self):
        return sorted(self.bids.items(), reverse=True), sorted(self.asks.items())

    def snapshot(self):
        return snapshot(self.update_id, *self.levels())

    def ticker(self):
        bids, asks = self.levels()
        return ticker(self.update_id, bids[0], asks[0])


class Twin:
    """The rules, slowly: what is known of the stream, and what that makes true."""

    def __init__(self):
        self.forget()

    def forget(self):
        self.kept, self.update_id, self.levels, self.is_live = [], None, None, False

    def on_snapshot(self, update_id, bids, asks):
        if self.update_id is not None and update_id <= self.update_id:
            return
        if self.kept and update_id < self.kept[0][0] - 1:
            return
        self.update_id, self.levels = update_id, (dict(bids), dict(asks))
        kept, self.kept = self.kept, []
        for event in kept:
            self.on_diff(event)
        self.is_live = self.is_live or bool(kept)

    def on_diff(self, event):
        first_id, last_id, bids, asks = event
        if self.update_id is None:
            if self.kept and first_id > self.kept[-1][1] + 1:
                self.kept = []
            if not self.kept or last_id > self.kept[-1][1]:
                self.kept.append(event)
        elif first_id > self.update_id + 1:
            self.forget()
            self.kept = [event]
        else:
            self.is_live = True
            if last_id > self.update_id:
                self.update_id = last_id
                for levels, changes in zip(self.levels, (bids, asks), strict=True):
                    for price, qty in changes:
                        levels.pop(price, None)
                        if qty:
                            levels[price] = qty


def send(block, message):
    return sync.on_message(block.address, message.address)


def header(block):
    offset = (block.address - block.array.ctypes.data) // 8
    words = block.array[offset : offset + books.BOOK_BYTES // 8]
    return words.view(books.BOOK_DTYPE)[0]


def levels_of(block):
    return tuple(
        [
            (
                books.level_ticks(block.address, side, index),
                books.level_lots(block.address, side, index),
            )
            for index in range(books.level_count(block.address, side))
        ]
        for side in (Side.BUY, Side.SELL)
    )


def touch_of(block):
    memory = touch_block()
    sync.touch_into(block.address, record_at(memory.address, TOUCH_DTYPE))
    offset = (memory.address - memory.array.ctypes.data) // 8
    return memory.array[offset : offset + TOUCH.dtype.itemsize // 8].view(TOUCH.dtype)[0]


def live_book(venue, **capacities):
    """Return a live book that shows ``venue`` as it is."""
    block = BookBlock(**capacities)
    assert send(block, diff(*venue.step())) == Sync.WANT_SNAPSHOT
    assert send(block, venue.snapshot()) == Sync.WENT_LIVE
    return block


def assert_live_and_equal(block, venue):
    assert sync.is_valid(record_at(block.address, BOOK_DTYPE))
    assert header(block)["update_id"] == venue.update_id
    assert levels_of(block) == venue.levels()


def assert_nothing_shown(block):
    touch = touch_of(block)
    assert not sync.is_valid(record_at(block.address, BOOK_DTYPE))
    assert touch["is_valid"] == 0
    assert [touch[name] for name in ("bid_ticks", "bid_lots", "ask_ticks", "ask_lots")] == [0] * 4
