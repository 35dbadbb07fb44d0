"""What all accounts share: the markets, the clock, the faults, the journal."""

import asyncio
import itertools
from collections.abc import Awaitable
from typing import Protocol

from procs.exchange.accounts.journal import Journal
from procs.exchange.core.errors import ExchangeRefusal
from procs.exchange.core.exchange_clock import Clock
from procs.exchange.core.exchange_order import Order
from procs.exchange.core.instrument import Instrument
from procs.exchange.core.tape import Tape
from procs.exchange.faults.arming import Faults
from procs.exchange.faults.faults import StaleSnapshots, SymbolHalt

FIRST_EXECUTION_ID = 1_000_001
SNAPSHOT_LEVELS = 5000


class Market(Protocol):
    """Where an order goes: simulated, or a recording."""

    instrument: Instrument
    tape: Tape

    def next_order_id(self) -> int:
        """Return a number that no order of the symbol has had."""

    def submit(self, order: Order) -> None:
        """Match the order and let it rest; calls the desk back before it returns."""

    def withdraw(self, order: Order) -> None:
        """Take a resting order out."""

    def reduce(self, order: Order, by_lots: int) -> None:
        """Take ``by_lots`` from a resting order, which keeps some, and its place."""

    def would_take(self, side: int, price_ticks: int) -> bool:
        """Return whether a limit order would fill at once, at least in part."""

    def market_cost_e8(self, qty_lots: int) -> int:
        """Return what buying at the market would cost now, in 1e-8 of the quote asset."""

    def lots_for_e8(self, side: int, quote_e8: int) -> int:
        """Return how many lots an order at the market gets, or gives, for this much quote."""

    def last_ticks(self) -> int:
        """Return the price of the last trade, or of the touch; 0 when there is none."""

    def touch(self) -> tuple[int, int, int, int]:
        """Return best bid and its lots, best ask and its lots; 0 where there is none."""

    async def snapshot(self, limit: int) -> str:
        """Return the book as a depth request answers it, as JSON text."""


class Venue:
    """The markets by symbol, and what they share."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.clock = Clock(faults.skew_ms)
        self.markets: dict[str, Market] = {}
        self.journal: Journal | None = None
        self._stale: dict[str, asyncio.Future[str]] = {}
        self._execution_ids = itertools.count(FIRST_EXECUTION_ID)
        self._prevention_ids = itertools.count(1)

    def market(self, symbol: str) -> Market:
        """Return the market of a symbol, or refuse the symbol."""
        market = self.markets.get(symbol)
        if market is None:
            raise ExchangeRefusal(-1121, "Invalid symbol.")
        return market

    def status(self, symbol: str) -> str:
        """Return the status of a symbol as exchangeInfo has it."""
        halt = self.faults.standing(SymbolHalt, lambda fault: fault.symbol == symbol)
        return "TRADING" if halt is None else halt.status

    def stale_snapshot(self, symbol: str) -> Awaitable[str] | None:
        """Return the book that depth requests are to be answered with instead of the true one."""
        if self.faults.strikes(StaleSnapshots) is None:
            return None
        return self._stale[symbol]

    def keep_snapshots(self) -> None:
        """Remember the books as they are now, for depth requests that shall get old ones."""
        for symbol, market in self.markets.items():
            self._stale[symbol] = asyncio.ensure_future(market.snapshot(SNAPSHOT_LEVELS))

    def next_execution_id(self) -> int:
        """Return the number of the next execution report."""
        return next(self._execution_ids)

    def next_prevention_id(self) -> int:
        """Return the number of the next prevented match."""
        return next(self._prevention_ids)
