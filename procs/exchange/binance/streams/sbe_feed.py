"""One symbol's market streams in binary: the same events as in ``feed``, packed by ``struct``.

Templates, fields and paces are the venue's; its blocks are those of version 0 of the schema, its
exponents are -8.  The trades of one taker at one time are one message.

*Source:* Binance Spot, "SBE Market Data Streams" and its schema (``spot_stream``, id 1, version 0).
"""

from collections.abc import Callable
from struct import Struct

from procs.exchange.accounts.venue import Rows
from procs.exchange.binance.streams.streams import Streams
from procs.exchange.core.exchange_clock import Clock
from procs.exchange.core.instrument import Instrument
from procs.exchange.core.tape import TapeTrade
from vortex.codes import Side

SCHEMA_ID, SCHEMA_VERSION = 1, 0
TRADES_ID, TICKER_ID, PARTIAL_ID, DIFF_ID = 10000, 10001, 10002, 10003
PARTIAL_LEVELS = 20
EXPONENT = -8

#: Block length, template, schema, version.
HEADER = Struct("<HHHH")
#: Event time, transaction time, the exponents of prices and quantities.
TRADES = Struct("<qqbb")
#: Entry length and how many; id, price, quantity, whether the buyer rested.
TRADES_GROUP = Struct("<HI")
TRADE = Struct("<qqqB")
#: Event time, update, exponents, bid and its quantity, ask and its quantity.
TICKER = Struct("<qqbbqqqq")
#: Event time, update, exponents; then bids and asks.
PARTIAL = Struct("<qqbb")
#: Event time, first and last update, exponents; then bids and asks.
DIFF = Struct("<qqqbb")
#: Entry length and how many; price and quantity.
LEVELS_GROUP = Struct("<HH")
LEVEL = Struct("<qq")


def header(template_id: int, block: Struct) -> bytes:
    """Return the head of a message."""
    return HEADER.pack(block.size, template_id, SCHEMA_ID, SCHEMA_VERSION)


class BinaryFeed:
    """Encodes and publishes what happens on one symbol."""

    def __init__(
        self,
        instrument: Instrument,
        streams: Streams,
        clock: Clock,
        read_rows: Callable[[int, int], Rows],
    ) -> None:
        lower = instrument.symbol.lower()
        symbol = instrument.symbol.encode()
        self._tick_e8, self._lot_e8 = instrument.tick_e8, instrument.lot_e8
        self._symbol = bytes([len(symbol)]) + symbol
        self._clock = clock
        self._read_rows = read_rows
        self._trades = streams.topic(f"{lower}@trade")
        self._tickers = streams.topic(f"{lower}@bestBidAsk")
        self._diffs = streams.topic(f"{lower}@depth")
        self._partials = streams.topic(f"{lower}@depth{PARTIAL_LEVELS}")
        self._pending: list[TapeTrade] = []
        self._changed: dict[int, dict[int, int]] = {Side.BUY: {}, Side.SELL: {}}
        self._update_id = self._told_id = self._partial_id = 0

    def begin(self, update_id: int) -> None:
        """Start the chain of diffs: the next one begins right after ``update_id``."""
        self._update_id = self._told_id = update_id

    def publish_level(self, side: int, price_ticks: int, qty_lots: int, update_id: int) -> None:
        """Note a level's new quantity for the next diff."""
        self._changed[side][price_ticks] = qty_lots
        self._update_id = update_id

    def publish_top(
        self, bid_ticks: int, bid_lots: int, ask_ticks: int, ask_lots: int, update_id: int
    ) -> None:
        """Publish a new best bid or ask."""
        if self._tickers.is_wanted():
            tick_e8, lot_e8 = self._tick_e8, self._lot_e8
            block = TICKER.pack(
                self._now_us(), update_id, EXPONENT, EXPONENT,
                bid_ticks * tick_e8, bid_lots * lot_e8, ask_ticks * tick_e8, ask_lots * lot_e8,
            )  # fmt: skip
            self._tickers.publish(header(TICKER_ID, TICKER) + block + self._symbol)

    def publish_trade(self, trade: TapeTrade) -> None:
        """Keep a trade until the last one of its message is known."""
        if self._pending:
            last = self._pending[-1]
            if (last.taker_id, last.time_ms) != (trade.taker_id, trade.time_ms):
                self.flush_trades()
        if self._trades.is_wanted():
            self._pending.append(trade)

    def end_batch(self) -> None:
        """Publish the trades that are kept."""
        self.flush_trades()

    def flush_trades(self) -> None:
        """Publish the trades that are kept."""
        if not self._pending:
            return
        time_us = self._pending[0].time_ms * 1_000
        entries = [
            TRADE.pack(
                trade.trade_id,
                trade.price_ticks * self._tick_e8,
                trade.qty_lots * self._lot_e8,
                trade.taker_side == Side.SELL,
            )
            for trade in self._pending
        ]
        block = TRADES.pack(self._now_us(), time_us, EXPONENT, EXPONENT)
        group = TRADES_GROUP.pack(TRADE.size, len(entries)) + b"".join(entries)
        self._trades.publish(header(TRADES_ID, TRADES) + block + group + self._symbol)
        self._pending.clear()

    def flush_diffs(self) -> None:
        """Publish what changed since the last diff."""
        if self._told_id == self._update_id:
            return
        if self._diffs.is_wanted():
            block = DIFF.pack(
                self._now_us(), self._told_id + 1, self._update_id, EXPONENT, EXPONENT
            )
            bids = self._levels(sorted(self._changed[Side.BUY].items(), reverse=True))
            asks = self._levels(sorted(self._changed[Side.SELL].items()))
            self._diffs.publish(header(DIFF_ID, DIFF) + block + bids + asks + self._symbol)
        self._told_id = self._update_id
        self._changed[Side.BUY].clear()
        self._changed[Side.SELL].clear()

    def flush_partials(self) -> None:
        """Publish the best levels, if they may have changed."""
        if self._partial_id == self._update_id or not self._partials.is_wanted():
            return
        self._partial_id = self._update_id
        block = PARTIAL.pack(self._now_us(), self._update_id, EXPONENT, EXPONENT)
        bids = self._levels(self._read_rows(Side.BUY, PARTIAL_LEVELS))
        asks = self._levels(self._read_rows(Side.SELL, PARTIAL_LEVELS))
        self._partials.publish(header(PARTIAL_ID, PARTIAL) + block + bids + asks + self._symbol)

    def _now_us(self) -> int:
        return self._clock.now_ms() * 1_000

    def _levels(self, rows: Rows) -> bytes:
        tick_e8, lot_e8 = self._tick_e8, self._lot_e8
        entries = [LEVEL.pack(price * tick_e8, qty * lot_e8) for price, qty in rows]
        return LEVELS_GROUP.pack(LEVEL.size, len(entries)) + b"".join(entries)
