"""The last trades of one symbol, for those who ask instead of listening."""

from collections import deque
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from procs.exchange.core.instrument import Instrument, text_e8
from vortex.codes import Side

TRADES_KEPT_MAX = 1000


@dataclass(frozen=True, slots=True)
class TapeTrade:
    """One trade; ``taker_id`` is the same for the trades of one taker."""

    trade_id: int
    price_ticks: int
    qty_lots: int
    taker_side: int
    taker_id: int
    time_ms: int


class Tape:
    """The last trades, and the sums since the exchange opened."""

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self.trades: deque[TapeTrade] = deque(maxlen=TRADES_KEPT_MAX)
        self.count = 0
        self.qty_lots = 0
        self.quote_e8 = 0
        self.first_id = -1
        self.first_ms = 0
        self.open_ticks = 0
        self.high_ticks = 0
        self.low_ticks = 0

    def add(self, trade: TapeTrade) -> None:
        """Take one trade."""
        self.trades.append(trade)
        if self.count == 0:
            self.first_id, self.first_ms = trade.trade_id, trade.time_ms
            self.open_ticks = self.low_ticks = trade.price_ticks
        self.count += 1
        self.qty_lots += trade.qty_lots
        self.quote_e8 += self._instrument.quote_e8(trade.price_ticks, trade.qty_lots)
        self.high_ticks = max(self.high_ticks, trade.price_ticks)
        self.low_ticks = min(self.low_ticks, trade.price_ticks)

    def rows(self, limit: int) -> list[dict[str, Any]]:
        """Return the rows of `trades`, oldest first."""
        price, qty = self._instrument.price_text, self._instrument.qty_text
        return [
            {
                "id": trade.trade_id,
                "price": price(trade.price_ticks),
                "qty": qty(trade.qty_lots),
                "quoteQty": text_e8(self._instrument.quote_e8(trade.price_ticks, trade.qty_lots)),
                "time": trade.time_ms,
                "isBuyerMaker": trade.taker_side == Side.SELL,
                "isBestMatch": True,
            }
            for trade in list(self.trades)[-limit:]
        ]

    def aggregate_rows(self, limit: int) -> list[dict[str, Any]]:
        """Return the rows of `aggTrades`: one for each taker and price, oldest first.

        The number of a row is that of its first trade.
        """
        price, qty = self._instrument.price_text, self._instrument.qty_text
        rows = []
        for (_, price_ticks), group in groupby(
            self.trades, key=lambda trade: (trade.taker_id, trade.price_ticks)
        ):
            trades = list(group)
            rows.append(
                {
                    "a": trades[0].trade_id,
                    "p": price(price_ticks),
                    "q": qty(sum(trade.qty_lots for trade in trades)),
                    "f": trades[0].trade_id,
                    "l": trades[-1].trade_id,
                    "T": trades[0].time_ms,
                    "m": trades[0].taker_side == Side.SELL,
                    "M": True,
                }
            )
        return rows[-limit:]
