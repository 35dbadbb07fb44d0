"""What all accounts of a venue share: the markets, the clock, the faults, the journal."""

import itertools
from typing import NamedTuple, Protocol

from procs.exchange.accounts.journal import Journal
from procs.exchange.core.exchange_clock import Clock
from procs.exchange.core.exchange_order import Order
from procs.exchange.core.instrument import Instrument
from procs.exchange.core.tape import Tape
from procs.exchange.faults.arming import Faults
from procs.exchange.faults.faults import SymbolHalt

FIRST_EXECUTION_ID = 1_000_001
#: Levels of one side, best first: price ticks and lots.
Rows = list[tuple[int, int]]


class Booking(NamedTuple):
    """What a fill moved, in 1e-8; profit and closed lots are those of a position."""

    quote_e8: int
    fee_e8: int
    fee_asset: str
    pnl_e8: int = 0
    closed_lots: int = 0


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


class Money(Protocol):
    """What an order sets aside and what its fills move: spot, or a perpetual."""

    def reserve(self, order: Order, market: Market) -> bool:
        """Set aside what the order needs; return whether there was enough."""

    def settle(self, order: Order, price_ticks: int, qty_lots: int, is_maker: bool) -> Booking:
        """Book one fill."""

    def release_surplus(self, order: Order) -> None:
        """Give back what an open order does not need any more."""

    def release(self, order: Order) -> None:
        """Give back all that an order has set aside."""


class Venue:
    """The markets by the keys of their instruments, and what they share."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.clock = Clock(faults.skew_ms)
        self.markets: dict[str, Market] = {}
        self.journal: Journal | None = None
        self.step_count = 0
        self._execution_ids = itertools.count(FIRST_EXECUTION_ID)
        self._prevention_ids = itertools.count(1)

    def status(self, key: str) -> str:
        """Return whether a symbol trades: TRADING, HALT or CANCEL_ONLY."""
        symbol = key.rpartition(":")[2]
        halt = self.faults.standing(SymbolHalt, lambda fault: fault.symbol in (key, symbol))
        return "TRADING" if halt is None else halt.status

    def next_execution_id(self) -> int:
        """Return the number of the next event of an order."""
        return next(self._execution_ids)

    def next_prevention_id(self) -> int:
        """Return the number of the next prevented match."""
        return next(self._prevention_ids)
