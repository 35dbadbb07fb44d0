"""A market made from a recording: frames go out as they were, our orders rest beside them.

An order joins behind what the book shows at its price.  Trades at that price eat the queue before
it and then the order; a trade through its price, or a best price that crosses it, fills it whole.
An order that takes fills whole at the last best price of the other side.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from procs.exchange.accounts.desks import Desks
from procs.exchange.accounts.venue import Venue
from procs.exchange.binance.recordings.capture_file import (
    Diff,
    Frame,
    RecordedLevel,
    RecordedTrade,
    Snapshot,
    Ticker,
    is_snapshot,
    read_e8,
    read_lines,
)
from procs.exchange.binance.streams.streams import Streams
from procs.exchange.core.exchange_order import Expiry, Order
from procs.exchange.core.instrument import Instrument, text_e8
from procs.exchange.core.tape import Tape, TapeTrade
from vortex.codes import Side

START_GRACE_S = 0.2
BATCH_FRAMES = 64
OWN_TRADE_ID = 9_000_000_000
OWN_ORDER_ID = 12_000_000_000

FRAME = msgspec.json.Decoder(Frame)
SNAPSHOT = msgspec.json.Decoder(Snapshot)
DIFF = msgspec.json.Decoder(Diff)
TICKER = msgspec.json.Decoder(Ticker)
TRADE = msgspec.json.Decoder(RecordedTrade)


@dataclass(slots=True)
class Resting:
    """One order beside the recorded book."""

    order: Order
    ahead_lots: int


class ReplayMarket:
    """The recorded symbol."""

    def __init__(
        self, instrument: Instrument, venue: Venue, desks: Desks[Any], *, has_snapshot: bool
    ) -> None:
        self.instrument = instrument
        self.tape = Tape(instrument)
        self._venue = venue
        self._desks = desks
        self._levels_e8: dict[int, dict[int, int]] = {Side.BUY: {}, Side.SELL: {}}
        self._touch: dict[int, int] = {Side.BUY: 0, Side.SELL: 0}
        self._touch_lots: dict[int, int] = {Side.BUY: 0, Side.SELL: 0}
        self._last_ticks = 0
        self._update_id = 0
        self._resting: dict[int, Resting] = {}
        self._order_id = OWN_ORDER_ID
        self._trade_id = OWN_TRADE_ID
        self._awaits_recorded = has_snapshot
        self._early_diffs: list[Diff] = []
        self._recorded: Snapshot | None = None
        self._is_recorded_told = False
        self._has_book = asyncio.Event()

    def _ticks(self, price: str) -> int:
        return read_e8(price) // self.instrument.tick_e8

    def _lots(self, qty: str) -> int:
        return read_e8(qty) // self.instrument.lot_e8

    def on_snapshot(self, text: bytes) -> None:
        """Take the recorded answer to a depth request: the book as of its update id."""
        if not self._awaits_recorded:
            return
        self._awaits_recorded = False
        self._recorded = snapshot = SNAPSHOT.decode(text)
        self._levels_e8 = {Side.BUY: {}, Side.SELL: {}}
        self._set_levels(snapshot.bids, snapshot.asks)
        self._update_id = snapshot.last_update_id
        for diff in self._early_diffs:
            self._apply(diff)
        self._early_diffs.clear()
        self._has_book.set()

    def on_frame(self, kind: str, data: msgspec.Raw) -> None:
        """Follow one recorded frame; ``kind`` is its stream's name without the symbol."""
        if kind.startswith("bookTicker"):
            self._on_ticker(TICKER.decode(data))
        elif kind == "trade":
            self._on_trade(TRADE.decode(data))
        elif kind in ("depth", "depth@100ms"):
            diff = DIFF.decode(data)
            if self._awaits_recorded:
                self._early_diffs.append(diff)
            else:
                self._apply(diff)
                self._has_book.set()

    def _apply(self, diff: Diff) -> None:
        if diff.last_update_id > self._update_id:
            self._set_levels(diff.bids, diff.asks)
            self._update_id = diff.last_update_id

    def _set_levels(self, bids: list[RecordedLevel], asks: list[RecordedLevel]) -> None:
        for side, rows in ((Side.BUY, bids), (Side.SELL, asks)):
            levels = self._levels_e8[side]
            for price, qty in rows:
                qty_e8 = read_e8(qty)
                if qty_e8:
                    levels[self._ticks(price)] = qty_e8
                else:
                    levels.pop(self._ticks(price), None)

    def _on_ticker(self, ticker: Ticker) -> None:
        bid_ticks, ask_ticks = self._ticks(ticker.bid), self._ticks(ticker.ask)
        self._touch = {Side.BUY: bid_ticks, Side.SELL: ask_ticks}
        self._touch_lots = {
            Side.BUY: self._lots(ticker.bid_qty),
            Side.SELL: self._lots(ticker.ask_qty),
        }
        for resting in tuple(self._resting.values()):
            order = resting.order
            if self.would_take(order.side, order.price_ticks):
                self._fill(order, order.price_ticks, order.left_lots, is_maker=True)

    def _on_trade(self, trade: RecordedTrade) -> None:
        price_ticks = self._last_ticks = self._ticks(trade.price)
        taker_side = Side.SELL if trade.is_buyer_maker else Side.BUY
        left_lots = self._lots(trade.qty)
        now_ms = self._venue.clock.now_ms()
        self.tape.add(
            TapeTrade(trade.trade_id, price_ticks, left_lots, taker_side, trade.trade_id, now_ms)
        )
        for resting in tuple(self._resting.values()):
            order = resting.order
            through_ticks = (order.price_ticks - price_ticks) * order.side
            if through_ticks > 0:
                self._fill(order, order.price_ticks, order.left_lots, is_maker=True)
            elif through_ticks == 0 and order.side != taker_side:
                eaten_lots = min(resting.ahead_lots, left_lots)
                resting.ahead_lots -= eaten_lots
                fill_lots = min(left_lots - eaten_lots, order.left_lots)
                if fill_lots:
                    self._fill(order, order.price_ticks, fill_lots, is_maker=True)

    def _fill(self, order: Order, price_ticks: int, qty_lots: int, *, is_maker: bool) -> None:
        self._trade_id += 1
        if qty_lots == order.left_lots:
            self._resting.pop(order.order_id, None)
        desk = self._desks.of(order.owner_id)
        desk.on_trade(order, price_ticks, qty_lots, self._trade_id, is_maker)

    def next_order_id(self) -> int:
        """Return a number that no order of the symbol has had."""
        self._order_id += 1
        return self._order_id

    def submit(self, order: Order) -> None:
        """Fill the order at the last best price, or let it rest behind what is displayed."""
        best_ticks = self._touch[-order.side]
        is_market = order.order_type == "MARKET"
        if best_ticks and (is_market or self.would_take(order.side, order.price_ticks)):
            self._fill(order, best_ticks, order.left_lots, is_maker=False)
        elif is_market:
            self._desks.of(order.owner_id).on_expired(order, Expiry.EMPTY)
        elif order.time_in_force != "GTC":
            self._desks.of(order.owner_id).on_expired(
                order, Expiry.IOC if order.time_in_force == "IOC" else Expiry.FOK
            )
        else:
            shown_e8 = self._levels_e8[order.side].get(order.price_ticks, 0)
            ahead_lots = shown_e8 // self.instrument.lot_e8
            if order.price_ticks == self._touch[order.side]:
                ahead_lots = self._touch_lots[order.side]
            self._resting[order.order_id] = Resting(order, ahead_lots)

    def withdraw(self, order: Order) -> None:
        """Take a resting order out."""
        del self._resting[order.order_id]

    def reduce(self, order: Order, by_lots: int) -> None:
        """Do nothing: what is left of an order is read from the order itself."""

    def would_take(self, side: int, price_ticks: int) -> bool:
        """Return whether a limit order would fill at once."""
        best_ticks = self._touch[-side]
        return best_ticks != 0 and (price_ticks - best_ticks) * side >= 0

    def market_cost_e8(self, qty_lots: int) -> int:
        """Return what buying at the market would cost now, in 1e-8 of the quote asset."""
        return self.instrument.quote_e8(self._touch[Side.SELL], qty_lots)

    def lots_for_e8(self, side: int, quote_e8: int) -> int:
        """Return how many lots an order at the market gets, or gives, for this much quote."""
        lot_cost_e8 = self.instrument.quote_e8(self._touch[-side], 1)
        return quote_e8 // lot_cost_e8 if lot_cost_e8 else 0

    def touch(self) -> tuple[int, int, int, int]:
        """Return best bid and its lots, best ask and its lots; 0 where there is none."""
        (bid_ticks, ask_ticks), lots = self._touch.values(), self._touch_lots
        return bid_ticks, lots[Side.BUY], ask_ticks, lots[Side.SELL]

    def last_ticks(self) -> int:
        """Return the price of the last trade, or of the touch; 0 when there is none."""
        return self._last_ticks or self._touch[Side.BUY]

    async def snapshot(self, limit: int) -> str:
        """Return the book, not before the recording has come to where it was asked for.

        Who asks early, or first, gets the recorded answer; later ones get the book of that
        moment, so that a client which lost its place can find it again.
        """
        came_early = not self._has_book.is_set()
        await self._has_book.wait()
        if self._recorded is not None and (came_early or not self._is_recorded_told):
            self._is_recorded_told = True
            recorded = self._recorded
            return msgspec.json.encode(
                Snapshot(recorded.last_update_id, recorded.bids[:limit], recorded.asks[:limit])
            ).decode()
        rows = {side: sorted(levels.items()) for side, levels in self._levels_e8.items()}
        best_bids = [self._level(*row) for row in reversed(rows[Side.BUY][-limit:])]
        best_asks = [self._level(*row) for row in rows[Side.SELL][:limit]]
        return msgspec.json.encode(Snapshot(self._update_id, best_bids, best_asks)).decode()

    def _level(self, price_ticks: int, qty_e8: int) -> RecordedLevel:
        return RecordedLevel(self.instrument.price_text(price_ticks), text_e8(qty_e8))


class RecordingPlayer:
    """Plays a recording to the subscribers; ``speed`` 0 is as fast as their sockets take it."""

    def __init__(
        self,
        path: Path,
        market: ReplayMarket,
        streams: Streams,
        *,
        speed: float,
        after_batch: Callable[[], None],
    ) -> None:
        self._path = path
        self._market = market
        self._streams = streams
        self._speed = speed
        self._after_batch = after_batch
        self._wanted = asyncio.Event()
        streams.on_subscribed = self._wanted.set
        self.is_finished = False

    async def run(self) -> None:
        """Wait for the first subscriber, play to the end, and then keep still."""
        await self._wanted.wait()
        await asyncio.sleep(START_GRACE_S)
        start_ns, first_ns, batch_count = time.monotonic_ns(), 0, 0
        for line in read_lines(self._path):
            first_ns = first_ns or line.recv_ns
            due_ns = start_ns
            if self._speed:
                due_ns += int((line.recv_ns - first_ns) / self._speed)
            wait_ns = due_ns - time.monotonic_ns() if self._speed else 0
            if wait_ns > 0 or batch_count == BATCH_FRAMES:
                await self._send_batch(max(wait_ns, 0))
                batch_count = 0
            batch_count += 1
            self._play(line.text)
        await self._send_batch(0)
        self.is_finished = True
        await asyncio.Event().wait()

    def _play(self, text: bytes) -> None:
        if is_snapshot(text):
            self._market.on_snapshot(text)
            return
        frame = FRAME.decode(text)
        symbol, _, kind = frame.stream.partition("@")
        if symbol.upper() == self._market.instrument.symbol:
            self._market.on_frame(kind, frame.data)
        self._streams.topic(frame.stream).publish_recorded(text, frame.data)

    async def _send_batch(self, wait_ns: int) -> None:
        self._streams.flush(time.monotonic_ns())
        self._after_batch()
        await asyncio.sleep(wait_ns / 1e9)
        while not self._streams.can_write():
            await asyncio.sleep(0.001)
