"""One recorded symbol: its topics, its book, its ticker."""

from collections.abc import Iterable
from functools import partial
from typing import Any

import msgspec

from procs.exchange.bybit.recordings.recorded_book import RecordedBook
from procs.exchange.bybit.recordings.recorded_messages import (
    BOOK,
    TICKER,
    TRADES,
    RecordedMessage,
)
from procs.exchange.bybit.texts.number_texts import NumberTexts
from procs.exchange.bybit.topics.public_topics import PublicTopic, PublicTopics
from procs.exchange.faults.faults import Renumber
from procs.exchange.markets.replayed import ReplayedMarket
from procs.exchange.recordings.number_steps import read_e8
from vortex.codes import Side

TAKERS = {"Buy": Side.BUY, "Sell": Side.SELL}
#: The book that the engine reads.
USUAL_DEPTH = 200


def depth_of(topic: str) -> int:
    """Return how many levels a side the book of a topic has."""
    return int(topic.split(".")[1])


class RecordedFeed:
    """Publishes what was recorded of one symbol, and lets its market follow.

    The market follows the book of 200 levels, or the deepest one, which is then served under the
    name of that book too.
    """

    def __init__(self, market: ReplayedMarket, topics: PublicTopics, names: Iterable[str]) -> None:
        self._market = market
        self._texts = NumberTexts(market.instrument)
        self._symbol = market.instrument.symbol
        self._books: dict[str, RecordedBook] = {}
        self._ticker: dict[str, Any] = {}
        self._ticker_head: dict[str, Any] = {}
        self._trade_count = 0
        self.topics: dict[str, PublicTopic] = {}
        is_spot = topics.category == "spot"
        names = list(names)
        books = [name for name in names if name.startswith("orderbook.")]
        usual = f"orderbook.{USUAL_DEPTH}.{self._symbol}"
        self.followed = usual if usual in books else max(books, key=depth_of)
        for name in books:
            has_time_first = is_spot or depth_of(name) == 1
            book = self._books[name] = RecordedBook(name, has_time_first=has_time_first)
            self.topics[name] = topics.add(name, partial(self._first_book, book))
        self.alias: PublicTopic | None = None
        if usual not in books:
            self.alias = topics.add(usual, self._first_alias)
        for name in names:
            if name not in self.topics:
                is_ticker = name.startswith("tickers.")
                self.topics[name] = topics.add(name, self._first_ticker if is_ticker else list)
        topics.symbols.add(self._symbol)

    def play(self, message: RecordedMessage, text: bytes) -> None:
        """Send one message as it was, and follow it."""
        kind = message.topic.partition(".")[0]
        if kind == "orderbook":
            self._follow_book(message)
        elif kind == "publicTrade":
            self._follow_trades(message)
        elif kind == "tickers":
            self._follow_ticker(message)
        is_delta = kind == "orderbook" and message.kind == "delta"
        self.topics[message.topic].publish(text, is_delta=is_delta)
        if self.alias is not None and message.topic == self.followed:
            self.alias.publish(self._renamed(text), is_delta=is_delta)

    def _renamed(self, text: bytes) -> bytes:
        """Return a message of the followed book as one of the usual book."""
        assert self.alias is not None, "a book is renamed where the usual one is missing"
        return text.replace(self.followed.encode(), self.alias.name.encode(), 1)

    def _follow_book(self, message: RecordedMessage) -> None:
        book, change = self._books[message.topic], BOOK.decode(message.data)
        if not book.take(message, change) or message.topic != self.followed:
            return
        if message.kind == "snapshot" or change.number == 1:
            self._market.clear_levels()
        for side, rows in ((Side.BUY, change.bids), (Side.SELL, change.asks)):
            levels = ((read_e8(price), read_e8(qty)) for price, qty in rows)
            self._market.set_levels(side, levels)
        self._market.touch_from_levels()

    def _follow_trades(self, message: RecordedMessage) -> None:
        instrument = self._market.instrument
        for row in TRADES.decode(message.data):
            if row.is_block:
                continue
            self._trade_count += 1
            price_ticks = read_e8(row.price) // instrument.tick_e8
            qty_lots = read_e8(row.qty) // instrument.lot_e8
            self._market.trade(price_ticks, qty_lots, TAKERS[row.side], self._trade_count)

    def _follow_ticker(self, message: RecordedMessage) -> None:
        self._ticker_head = {"topic": message.topic, "type": "snapshot", "ts": message.sent_ms}
        self._ticker |= TICKER.decode(message.data)

    # What those get who come later.

    def _first_book(self, book: RecordedBook) -> list[bytes]:
        return [book.snapshot()] if book.number else []

    def _first_alias(self) -> list[bytes]:
        return [self._renamed(each) for each in self._first_book(self._books[self.followed])]

    def _first_ticker(self) -> list[bytes]:
        if not self._ticker:
            return []
        return [msgspec.json.encode({**self._ticker_head, "data": self._ticker})]

    def renumber(self, fault: Renumber) -> None:
        """Send the books whole to all who listen, numbered from 1 where the fault says so."""
        for name, book in self._books.items():
            if fault.streams in name and book.number:
                book.number = 1 if fault.restarts else book.number
                self.topics[name].publish(book.snapshot())

    def flush(self, step_count: int) -> None:
        """Do nothing: the recording says when something is sent."""

    # What HTTP tells.

    def book(self, limit: int) -> dict[str, Any]:
        """Return the followed book as an HTTP request gets it."""
        book = self._books[self.followed]
        bids, asks = book.rows(limit)
        numbers = {"ts": book.sent_ms, "u": book.number, "seq": book.sequence}
        return {"s": self._symbol, "b": bids, "a": asks, **numbers, "cts": book.matched_ms}

    def ticker(self) -> dict[str, Any]:
        """Return the newest ticker, or what the market knows where none was recorded."""
        last = self._texts.price(self._market.last_ticks())
        return {"symbol": self._symbol, "lastPrice": last, **self._ticker}

    def touch(self) -> dict[str, str]:
        """Return the best bid and ask."""
        return self._texts.touch(*self._market.touch())
