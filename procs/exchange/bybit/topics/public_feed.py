"""One symbol's public messages: books, trades, tickers.

*Source:* the venue's documents, "Orderbook", "Trade" and "Ticker" of the public streams, and
recorded messages: spot, and linear at depth 1, have `ts` before `type`.
"""

import time
from functools import partial
from typing import Any

import msgspec

from procs.exchange.accounts.venue import Rows, Venue
from procs.exchange.bybit.desk.bybit_rows import mark_ticks
from procs.exchange.bybit.texts.number_texts import NumberTexts, stripped
from procs.exchange.bybit.texts.public_ids import trade_text_id
from procs.exchange.bybit.topics.book_views import DEPTH_STEPS, REPEAT_STEPS, BookView
from procs.exchange.bybit.topics.public_topics import PublicTopic, PublicTopics
from procs.exchange.core.tape import TapeTrade
from procs.exchange.faults.faults import Renumber
from procs.exchange.markets.simulated import SimulatedMarket
from vortex.codes import Side

TRADES_MAX = 1024
TICKER_STEPS = 100
SIDES = {Side.BUY: "Buy", Side.SELL: "Sell"}


class PublicFeed:
    """Encodes and publishes what happens on one symbol."""

    def __init__(
        self, market: SimulatedMarket, topics: PublicTopics, venue: Venue, life: int
    ) -> None:
        self._market = market
        self._instrument = instrument = market.instrument
        self._is_linear = instrument.is_linear
        self._texts = NumberTexts(instrument)
        self._venue = venue
        self._symbol = instrument.symbol
        self._update_id = 0
        self._changed_ms = 0
        self._pending: list[TapeTrade] = []
        self._last_ticks = 0
        self._direction = "ZeroPlusTick"
        self._ticker: dict[str, str] = {}
        self._touch_update_id = 0
        self._told_steps = 0
        self._opened_ms = time.time_ns() // 1_000_000
        self.views = {depth: BookView(depth, market.rows, life) for depth in DEPTH_STEPS}
        self._books: dict[int, PublicTopic] = {}
        for depth, view in self.views.items():
            name = f"orderbook.{depth}.{self._symbol}"
            self._books[depth] = topics.add(name, partial(self._first_book, view))
        self._trades = topics.add(f"publicTrade.{self._symbol}", lambda: [])
        self._tickers = topics.add(f"tickers.{self._symbol}", self._first_ticker)
        topics.symbols.add(self._symbol)

    # What the market tells.

    def begin(self, update_id: int) -> None:
        """Start after the change of this number."""
        self._update_id = update_id
        self._changed_ms = self._venue.clock.now_ms()

    def publish_level(self, side: int, price_ticks: int, qty_lots: int, update_id: int) -> None:
        """Note that the book has changed."""
        self._update_id = update_id

    def publish_top(
        self, bid_ticks: int, bid_lots: int, ask_ticks: int, ask_lots: int, update_id: int
    ) -> None:
        """Note that the best bid or ask has changed."""
        self._touch_update_id = update_id

    def publish_trade(self, trade: TapeTrade) -> None:
        """Keep a trade until what happened at once is over."""
        self._pending.append(trade)

    def end_batch(self) -> None:
        """Publish the trades that happened at once."""
        self._changed_ms = self._venue.clock.now_ms()
        if not self._pending:
            return
        trades, self._pending = self._pending, []
        for start in range(0, len(trades), TRADES_MAX):
            rows = [self._trade_row(trade) for trade in trades[start : start + TRADES_MAX]]
            if self._trades.is_wanted():
                self._trades.publish(self._message(self._trades.name, "snapshot", rows))

    def _trade_row(self, trade: TapeTrade) -> dict[str, Any]:
        self._direction = self._direction_to(trade.price_ticks)
        self._last_ticks = trade.price_ticks
        text_id = trade_text_id(self._instrument, trade.trade_id)
        price, qty = self._texts.price(trade.price_ticks), self._texts.qty(trade.qty_lots)
        side = SIDES[Side(trade.taker_side)]
        marks = {"BT": False, "RPI": False}
        if self._is_linear:
            head = {"T": trade.time_ms, "s": self._symbol, "S": side, "v": qty, "p": price}
            ids = {"L": self._direction, "i": text_id}
            return {**head, **ids, **marks, "seq": self._update_id}
        head = {"i": text_id, "T": trade.time_ms, "p": price, "v": qty, "S": side}
        return {**head, "seq": self._update_id, "s": self._symbol, **marks}

    def _direction_to(self, price_ticks: int) -> str:
        if price_ticks == self._last_ticks or not self._last_ticks:
            return "Zero" + self._direction.removeprefix("Zero")
        return "PlusTick" if price_ticks > self._last_ticks else "MinusTick"

    def _message(self, topic: str, kind: str, data: Any) -> bytes:
        now_ms = self._venue.clock.now_ms()
        times: dict[str, Any] = {"type": kind, "ts": now_ms}
        if not self._is_linear:
            times = {"ts": now_ms, "type": kind}
        return msgspec.json.encode({"topic": topic, **times, "data": data})

    # Books.

    def flush(self, step_count: int) -> None:
        """Publish what is due after this step."""
        for depth, every in DEPTH_STEPS.items():
            if step_count % every == 0 and self._books[depth].is_wanted():
                self._flush_book(depth, step_count)
        if step_count % TICKER_STEPS == 0 and self._tickers.is_wanted():
            self._flush_ticker()

    def _flush_book(self, depth: int, step_count: int) -> None:
        view, topic = self.views[depth], self._books[depth]
        changed = view.refresh(self._update_id)
        if depth == 1:
            if changed is not None or step_count - self._told_steps >= REPEAT_STEPS:
                self._told_steps = step_count
                topic.publish(self._book(view, "snapshot", *view.rows(1)))
        elif changed is not None:
            topic.publish(self._book(view, "delta", *changed), is_delta=True)

    def _book(self, view: BookView, kind: str, bids: Rows, asks: Rows) -> bytes:
        data = {
            "s": self._symbol,
            "b": self._levels(bids),
            "a": self._levels(asks),
            "u": view.number,
            "seq": view.update_id,
        }
        topic = f"orderbook.{view.depth}.{self._symbol}"
        now_ms = self._venue.clock.now_ms()
        times: dict[str, Any] = {"type": kind, "ts": now_ms}
        if not self._is_linear or view.depth == 1:
            times = {"ts": now_ms, "type": kind}
        message = {"topic": topic, **times, "data": data, "cts": min(self._changed_ms, now_ms)}
        return msgspec.json.encode(message)

    def _levels(self, rows: Rows) -> list[tuple[str, str]]:
        price, qty = self._texts.price, self._texts.qty
        return [(price(p), qty(q)) for p, q in rows]

    def _first_book(self, view: BookView) -> list[bytes]:
        """Return the snapshot that a new listener gets; those who listen already know it."""
        if not self._books[view.depth].is_wanted():
            view.refresh(self._update_id)
            if view.depth == 1:
                self._told_steps = self._venue.step_count
        return [self._book(view, "snapshot", *view.rows(view.depth))]

    def renumber(self, fault: Renumber) -> None:
        """Send the books whole to all who listen, numbered from 1 where the fault says so."""
        for depth, topic in self._books.items():
            if fault.streams not in topic.name:
                continue
            view = self.views[depth]
            view.refresh(self._update_id)
            if fault.restarts:
                view.number = 1
            topic.publish(self._book(view, "snapshot", *view.rows(depth)))

    def book(self, limit: int) -> dict[str, Any]:
        """Return the book as an HTTP request gets it: that of the deepest topic."""
        depth = max(DEPTH_STEPS)
        view = self.views[depth]
        if not self._books[depth].is_wanted():
            view.refresh(self._update_id)
        bids, asks = view.rows(limit)
        return {
            "s": self._symbol,
            "b": self._levels(bids),
            "a": self._levels(asks),
            "ts": self._venue.clock.now_ms(),
            "u": view.number,
            "seq": view.update_id,
            "cts": self._changed_ms,
        }

    # Tickers.

    def ticker(self) -> dict[str, str]:
        """Return the sums of the trades since the exchange opened, in the shape of a day's."""
        market, tape, price = self._market, self._market.tape, self._texts.price
        last_ticks = market.last_ticks()
        open_ticks = tape.open_ticks or last_ticks
        change = (last_ticks - open_ticks) / open_ticks if open_ticks else 0.0
        row = {
            "symbol": self._symbol,
            "lastPrice": price(last_ticks),
            "highPrice24h": price(tape.high_ticks or last_ticks),
            "lowPrice24h": price(tape.low_ticks or last_ticks),
            "prevPrice24h": price(open_ticks),
            "volume24h": self._texts.qty(tape.qty_lots),
            "turnover24h": stripped(tape.quote_e8),
            "price24hPcnt": f"{change:.6f}",
        }
        return row | (self._linear_fields() if self._is_linear else {"usdIndexPrice": ""})

    def touch(self) -> dict[str, str]:
        """Return the best bid and ask."""
        return self._texts.touch(*self._market.touch())

    def _linear_fields(self) -> dict[str, str]:
        config, mark = self._instrument.config, self._texts.price(mark_ticks(self._market))
        interval_ms = config.funding_interval_s * 1000
        left_ms = interval_ms - self._venue.step_count % interval_ms
        return {
            "tickDirection": self._direction,
            "prevPrice1h": self._texts.price(self._market.tape.open_ticks),
            "markPrice": mark,
            "indexPrice": mark,
            "openInterest": "0",
            "openInterestValue": "0",
            "fundingIntervalHour": str(config.funding_interval_s // 3600),
            "fundingRate": config.funding_rate,
            # Market time may run faster than the clock: to the second, as the venue's own.
            "nextFundingTime": str((self._venue.clock.now_ms() + left_ms) // 1000 * 1000),
            **self.touch(),
        }

    def _first_ticker(self) -> list[bytes]:
        if not self._tickers.is_wanted():
            self._ticker = self.ticker()
        return [self._ticker_message("snapshot", self._ticker)]

    def _ticker_message(self, kind: str, data: dict[str, str]) -> bytes:
        now_ms = self._venue.clock.now_ms()
        head = {"topic": self._tickers.name}
        if self._is_linear:
            tail = {"data": data, "cs": self._update_id, "ts": now_ms}
            return msgspec.json.encode({**head, "type": kind, **tail})
        tail = {"cs": self._update_id, "data": data}
        return msgspec.json.encode({**head, "ts": now_ms, "type": kind, **tail})

    def _flush_ticker(self) -> None:
        ticker = self.ticker()
        changed = {name: text for name, text in ticker.items() if self._ticker.get(name) != text}
        if not changed:
            return
        self._ticker = ticker
        if self._is_linear:
            data = {"symbol": self._symbol, **changed}
            self._tickers.publish(self._ticker_message("delta", data))
        else:
            self._tickers.publish(self._ticker_message("snapshot", ticker))
