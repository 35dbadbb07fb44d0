"""Plays a recording: frames go out as they were, and the recorded symbols follow them."""

import asyncio
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from procs.exchange.accounts.desks import Desks
from procs.exchange.accounts.venue import Venue
from procs.exchange.binance.recordings.capture_file import (
    DIFF,
    DIFFS,
    FRAME,
    SNAPSHOT,
    TICKER,
    TRADE,
    Diff,
    RecordedLevel,
    RecordedTrade,
    Snapshot,
    Ticker,
    is_snapshot,
    read_lines,
)
from procs.exchange.binance.streams.streams import Streams
from procs.exchange.core.instrument import Instrument, text_e8
from procs.exchange.markets.replayed import ReplayedMarket
from procs.exchange.recordings.number_steps import read_e8
from procs.exchange.recordings.pace import PacedPlayer
from vortex.codes import Side


class ReplayMarket(ReplayedMarket):
    """One recorded symbol, and the answers to depth requests.

    ``snapshot_ids`` are the update ids of the recorded answers.
    """

    def __init__(
        self,
        instrument: Instrument,
        venue: Venue,
        desks: Desks[Any],
        *,
        snapshot_ids: Iterable[str],
    ) -> None:
        super().__init__(instrument, venue, desks)
        self.snapshot_ids = frozenset(map(int, snapshot_ids))
        self._update_id = 0
        self._has_tickers = False
        self._awaits_recorded = bool(self.snapshot_ids)
        self._early_diffs: list[Diff] = []
        self._recorded: Snapshot | None = None
        self._is_recorded_told = False
        self._has_book = asyncio.Event()

    def _ticks(self, price: str) -> int:
        return read_e8(price) // self.instrument.tick_e8

    def _lots(self, qty: str) -> int:
        return read_e8(qty) // self.instrument.lot_e8

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Take the recorded answer to a depth request: the book as of its update id."""
        if not self._awaits_recorded:
            return
        self._awaits_recorded = False
        self._recorded = snapshot
        self.clear_levels()
        self._take_levels(snapshot.bids, snapshot.asks)
        self._update_id = snapshot.last_update_id
        for diff in self._early_diffs:
            self._apply(diff)
        self._early_diffs.clear()
        self._has_book.set()

    def on_frame(self, kind: str, data: msgspec.Raw) -> None:
        """Follow one recorded frame; ``kind`` is its stream's name without the symbol."""
        if kind == "bookTicker":
            self._on_ticker(TICKER.decode(data))
        elif kind == "trade":
            self._on_trade(TRADE.decode(data))
        elif kind in DIFFS:
            diff = DIFF.decode(data)
            if self._awaits_recorded:
                self._early_diffs.append(diff)
            else:
                self._apply(diff)
                self._has_book.set()

    def _apply(self, diff: Diff) -> None:
        if diff.last_update_id > self._update_id:
            self._take_levels(diff.bids, diff.asks)
            self._update_id = diff.last_update_id

    def _take_levels(self, bids: list[RecordedLevel], asks: list[RecordedLevel]) -> None:
        for side, rows in ((Side.BUY, bids), (Side.SELL, asks)):
            self.set_levels(side, ((read_e8(price), read_e8(qty)) for price, qty in rows))
        if not self._has_tickers:
            self.touch_from_levels()

    def _on_ticker(self, ticker: Ticker) -> None:
        self._has_tickers = True
        bid_ticks, bid_lots = self._ticks(ticker.bid), self._lots(ticker.bid_qty)
        self.set_touch(bid_ticks, bid_lots, self._ticks(ticker.ask), self._lots(ticker.ask_qty))

    def _on_trade(self, trade: RecordedTrade) -> None:
        taker_side = Side.SELL if trade.is_buyer_maker else Side.BUY
        price_ticks, qty_lots = self._ticks(trade.price), self._lots(trade.qty)
        self.trade(price_ticks, qty_lots, taker_side, trade.trade_id)

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
        best_bids = [self._level(*row) for row in self.levels_e8(Side.BUY, limit)]
        best_asks = [self._level(*row) for row in self.levels_e8(Side.SELL, limit)]
        return msgspec.json.encode(Snapshot(self._update_id, best_bids, best_asks)).decode()

    def _level(self, price_ticks: int, qty_e8: int) -> RecordedLevel:
        return RecordedLevel(self.instrument.price_text(price_ticks), text_e8(qty_e8))


class FramePlayer:
    """Sends the frames of a recording to those who listen, and lets the markets follow."""

    def __init__(self, markets: dict[str, ReplayMarket], streams: Streams) -> None:
        self._markets = markets
        self._streams = streams

    def play(self, text: bytes) -> None:
        """Take one line."""
        if is_snapshot(text):
            snapshot = SNAPSHOT.decode(text)
            for market in self._markets.values():
                if snapshot.last_update_id in market.snapshot_ids:
                    market.on_snapshot(snapshot)
            return
        frame = FRAME.decode(text)
        symbol, _, kind = frame.stream.partition("@")
        followed = self._markets.get(symbol.upper())
        if followed is not None:
            followed.on_frame(kind, frame.data)
        self._streams.topic(frame.stream).publish_recorded(text, frame.data)


def player_of(
    path: Path,
    markets: dict[str, ReplayMarket],
    streams: Streams,
    *,
    speed: float,
    after_batch: Callable[[], None],
) -> PacedPlayer:
    """Return what plays a recording; it begins when a client of ``streams`` listens."""

    def flush() -> None:
        streams.flush(time.monotonic_ns())
        after_batch()

    frames = FramePlayer(markets, streams)
    player = PacedPlayer(
        read_lines(path), speed, play=frames.play, flush=flush, can_write=streams.can_write
    )
    streams.on_subscribed = player.start
    return player
