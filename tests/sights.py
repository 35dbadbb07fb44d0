"""What a strategy sees, in plain memory of a test: tops, views, levels, trades and our orders."""

from typing import Any

import numpy as np
from builders import record_of

from ipc.memory import address_of
from vortex.codes import Kind, Side
from vortex.deciding import sight_writers
from vortex.deciding.sight import SEEN_LEVEL, SEEN_TRADE, SIGHT, TRADE_ROWS, VIEW
from vortex.orders import quoting
from vortex.orders.quoting import STANDING
from vortex.records import SHOWN_LEVELS, SHOWN_LEVELS_PER_RECORD, TOP, TRADE

Levels = list[tuple[int, int]]


def as_record(records: "np.ndarray[Any, Any]", index: int = 0) -> Any:
    """Return one record as compiled functions take it; writing to it writes to the array."""
    return records.view(np.recarray)[index]


class SightMemory:
    """The instruments of a run as their strategies see them."""

    def __init__(self, instrument_count: int = 2, level_row_count: int = 4) -> None:
        self.tops = np.zeros(instrument_count, TOP.dtype)
        self.views = np.zeros(instrument_count, VIEW.dtype)
        self.standing = np.zeros(instrument_count, STANDING.dtype)
        self.levels = np.zeros(2 * instrument_count * max(level_row_count, 1), SEEN_LEVEL.dtype)
        self.trades = np.zeros(instrument_count * TRADE_ROWS, SEEN_TRADE.dtype)
        self.sight = record_of(
            SIGHT,
            tops_address=address_of(self.tops),
            views_address=address_of(self.views),
            standing_address=address_of(self.standing),
            levels_address=address_of(self.levels),
            trades_address=address_of(self.trades),
            instrument_count=instrument_count,
            level_row_count=level_row_count,
        )
        self.views["instrument_id"] = np.arange(instrument_count)
        self.views["sight_address"] = address_of(self.sight)
        self.views["tick_e8"] = self.views["lot_e8"] = 1
        for index in range(instrument_count):
            quoting.forget_all(as_record(self.standing, index))

    def view(self, instrument_id: int = 0) -> Any:
        """Return the VIEW of one instrument."""
        return as_record(self.views, instrument_id)

    def top(self, instrument_id: int = 0) -> Any:
        """Return the TOP of one instrument."""
        return as_record(self.tops, instrument_id)

    def show(self, instrument_id: int, bids: Levels, asks: Levels) -> None:
        """Show the levels of both sides, best first, and the touch that they make."""
        top = self.tops[instrument_id]
        top["is_valid"] = 1
        top["bid_ticks"], top["bid_lots"] = bids[0] if bids else (0, 0)
        top["ask_ticks"], top["ask_lots"] = asks[0] if asks else (0, 0)
        records = [
            *shown_records(Kind.SHOWN_BIDS, bids),
            *shown_records(Kind.SHOWN_ASKS, asks),
        ]
        message = np.concatenate([np.zeros(1, SHOWN_LEVELS.dtype), *records])
        sight_writers.set_levels(
            self.view(instrument_id), as_record(self.sight), address_of(message), len(records)
        )

    def trade(self, instrument_id: int, side: Side, price_ticks: int, qty_lots: int) -> None:
        """Let the market trade once."""
        trade = record_of(
            TRADE, kind=Kind.TRADE, instrument_id=instrument_id, aggressor_side=side,
            price_ticks=price_ticks, qty_lots=qty_lots,
        )  # fmt: skip
        sight_writers.add_trade(self.view(instrument_id), as_record(self.sight), as_record(trade))
        standing = as_record(self.standing, instrument_id)
        quoting.on_trade(standing, side, price_ticks, qty_lots)

    def copied(self) -> bytes:
        """Return all of it as bytes, to see whether something was written."""
        tables = (self.tops, self.views, self.standing, self.levels, self.trades, self.sight)
        return b"".join(table.tobytes() for table in tables)


def shown_records(kind: Kind, levels: Levels) -> list["np.ndarray[Any, Any]"]:
    """Return levels as the book shows them."""
    records = []
    for start in range(0, len(levels), SHOWN_LEVELS_PER_RECORD):
        part = levels[start : start + SHOWN_LEVELS_PER_RECORD]
        shown = record_of(SHOWN_LEVELS, kind=kind, level_count=len(part))
        for index, (price_ticks, qty_lots) in enumerate(part):
            shown["price_ticks"][0, index] = price_ticks
            shown["qty_lots"][0, index] = qty_lots
        records.append(shown)
    return records
