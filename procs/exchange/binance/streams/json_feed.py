"""One symbol's market streams: trades, best bid and ask, diffs and partial books.

Diffs follow the venue's rules: `U` is one more than the previous `u`, quantities are absolute, and
a level that appeared and vanished within a window is still sent, with quantity 0.
"""

from collections.abc import Callable

from procs.exchange.accounts.venue import Rows
from procs.exchange.binance.streams.streams import Streams
from procs.exchange.core.exchange_clock import Clock
from procs.exchange.core.instrument import Instrument
from procs.exchange.core.tape import TapeTrade
from vortex.codes import Side

PARTIAL_SIZES = (5, 10, 20)
FAST_MS, SLOW_MS = 100, 1000


class DiffWindow:
    """Changes of levels since the last diff of one speed."""

    def __init__(self, streams: Streams, instrument: Instrument, interval_ms: int) -> None:
        lower = instrument.symbol.lower()
        suffix = "@100ms" if interval_ms == FAST_MS else ""
        self.interval_ms = interval_ms
        self.topic = streams.topic(f"{lower}@depth{suffix}")
        self.partials = [
            (size, streams.topic(f"{lower}@depth{size}{suffix}")) for size in PARTIAL_SIZES
        ]
        self.changed: dict[int, dict[int, int]] = {Side.BUY: {}, Side.SELL: {}}
        self.last_update_id = 0


class JsonFeed:
    """Encodes and publishes what happens on one symbol."""

    def __init__(
        self,
        instrument: Instrument,
        streams: Streams,
        clock: Clock,
        read_rows: Callable[[int, int], Rows],
    ) -> None:
        lower = instrument.symbol.lower()
        self._instrument = instrument
        self._symbol = instrument.symbol
        self._clock = clock
        self._read_rows = read_rows
        self._trades = streams.topic(f"{lower}@trade")
        self._tickers = streams.topic(f"{lower}@bookTicker")
        self._fast = DiffWindow(streams, instrument, FAST_MS)
        self._slow = DiffWindow(streams, instrument, SLOW_MS)
        self.update_id = 0

    def begin(self, update_id: int) -> None:
        """Start the chain of diffs: the next one begins right after ``update_id``."""
        self.update_id = update_id
        self._fast.last_update_id = self._slow.last_update_id = update_id

    def publish_level(self, side: int, price_ticks: int, qty_lots: int, update_id: int) -> None:
        """Note a level's new quantity for the next diffs."""
        self._fast.changed[side][price_ticks] = qty_lots
        self._slow.changed[side][price_ticks] = qty_lots
        self.update_id = update_id

    def publish_top(
        self, bid_ticks: int, bid_lots: int, ask_ticks: int, ask_lots: int, update_id: int
    ) -> None:
        """Publish a new best bid or ask."""
        if not self._tickers.is_wanted():
            return
        price, qty = self._instrument.price_text, self._instrument.qty_text
        self._tickers.publish(
            f'{{"u":{update_id},"s":"{self._symbol}","b":"{price(bid_ticks)}",'
            f'"B":"{qty(bid_lots)}","a":"{price(ask_ticks)}","A":"{qty(ask_lots)}"}}'.encode()
        )

    def publish_trade(self, trade: TapeTrade) -> None:
        """Publish a trade."""
        if not self._trades.is_wanted():
            return
        price, qty = self._instrument.price_text, self._instrument.qty_text
        is_buyer_maker = "true" if trade.taker_side == Side.SELL else "false"
        self._trades.publish(
            f'{{"e":"trade","E":{trade.time_ms},"s":"{self._symbol}","t":{trade.trade_id},'
            f'"p":"{price(trade.price_ticks)}","q":"{qty(trade.qty_lots)}","T":{trade.time_ms},'
            f'"m":{is_buyer_maker},"M":true}}'.encode()
        )

    def end_batch(self) -> None:
        """Keep what has changed until its diff is due."""

    def flush_fast(self) -> None:
        """Publish the 100 ms streams."""
        self._flush(self._fast)

    def flush_slow(self) -> None:
        """Publish the 1,000 ms streams."""
        self._flush(self._slow)

    def _flush(self, window: DiffWindow) -> None:
        if window.last_update_id == self.update_id:
            return
        if window.topic.is_wanted():
            bids = self._levels(sorted(window.changed[Side.BUY].items(), reverse=True))
            asks = self._levels(sorted(window.changed[Side.SELL].items()))
            window.topic.publish(
                f'{{"e":"depthUpdate","E":{self._clock.now_ms()},"s":"{self._symbol}",'
                f'"U":{window.last_update_id + 1},"u":{self.update_id},'
                f'"b":{bids},"a":{asks}}}'.encode()
            )
        for size, topic in window.partials:
            if topic.is_wanted():
                topic.publish(self.snapshot_text(size).encode())
        window.last_update_id = self.update_id
        window.changed[Side.BUY].clear()
        window.changed[Side.SELL].clear()

    def _levels(self, rows: Rows) -> str:
        price, qty = self._instrument.price_text, self._instrument.qty_text
        return "[" + ",".join([f'["{price(p)}","{qty(q)}"]' for p, q in rows]) + "]"

    def snapshot_text(self, limit: int) -> str:
        """Return the best ``limit`` levels of each side as a depth request answers them."""
        bids = self._levels(self._read_rows(Side.BUY, limit))
        asks = self._levels(self._read_rows(Side.SELL, limit))
        return f'{{"lastUpdateId":{self.update_id},"bids":{bids},"asks":{asks}}}'

    async def snapshot(self, limit: int) -> str:
        """Return the book as a depth request answers it."""
        return self.snapshot_text(limit)
