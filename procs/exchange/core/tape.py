"""The last trades of one symbol, for those who ask instead of listening."""

from collections import deque
from dataclasses import dataclass

from procs.exchange.core.instrument import Instrument

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
