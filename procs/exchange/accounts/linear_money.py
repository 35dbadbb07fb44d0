"""Positions in perpetuals: direction, entry price, profit, margin and funding.

A fill moves no asset but profit and fees in the asset of settlement.  Margin is the value over the
leverage; nobody is ever liquidated.
"""

from dataclasses import dataclass

from procs.exchange.accounts.accounts import ExchangeAccount
from procs.exchange.accounts.venue import Booking, Market
from procs.exchange.core.exchange_order import Order
from procs.exchange.core.instrument import E8, Instrument


@dataclass(slots=True)
class Holding:
    """One position: above zero long; ``cost_e8`` is what it was entered at, never below zero.

    ``realised_e8`` is profit less commission and funding since ever, ``session_e8`` since the
    position was opened; times are the clock's.
    """

    instrument: Instrument
    lots: int = 0
    cost_e8: int = 0
    realised_e8: int = 0
    session_e8: int = 0
    opened_ms: int = 0
    updated_ms: int = 0

    @property
    def side(self) -> int:
        """The direction: 1 long, -1 short, 0 flat."""
        return (self.lots > 0) - (self.lots < 0)

    def entry_e8(self) -> int:
        """Return the average entry price in 1e-8 of the quote asset; 0 when flat."""
        base_e8 = self.instrument.base_e8(abs(self.lots))
        return self.cost_e8 * E8 // base_e8 if base_e8 else 0

    def value_e8(self, mark_ticks: int) -> int:
        """Return what it is worth at a price."""
        return self.instrument.quote_e8(mark_ticks, abs(self.lots))

    def unrealised_e8(self, mark_ticks: int) -> int:
        """Return what closing it at a price would bring."""
        return (self.value_e8(mark_ticks) - self.cost_e8) * self.side

    def margin_e8(self) -> int:
        """Return what backs it."""
        return self.cost_e8 // self.instrument.config.leverage

    def add(self, side: int, price_ticks: int, qty_lots: int) -> tuple[int, int]:
        """Take a fill; return the profit of what it closed in 1e-8, and how many lots those are.

        The cost of the closed part is its exact share, rounded down; what the rounding leaves
        stays with the rest, so that a flat position has cost nothing.
        """
        closed_lots = min(qty_lots, abs(self.lots)) if side == -self.side else 0
        profit_e8 = 0
        if closed_lots:
            cost_e8 = self.cost_e8 * closed_lots // abs(self.lots)
            value_e8 = self.instrument.quote_e8(price_ticks, closed_lots)
            profit_e8 = (value_e8 - cost_e8) * self.side
            self.cost_e8 -= cost_e8
            self.lots += side * closed_lots
        opened_lots = qty_lots - closed_lots
        self.lots += side * opened_lots
        self.cost_e8 += self.instrument.quote_e8(price_ticks, opened_lots)
        return profit_e8, closed_lots

    def realise(self, amount_e8: int) -> None:
        """Book profit, or with a sign commission or funding."""
        self.realised_e8 += amount_e8
        self.session_e8 += amount_e8


class LinearMoney:
    """The perpetual side of one account."""

    def __init__(self, account: ExchangeAccount) -> None:
        self._account = account
        self.holdings: dict[str, Holding] = {}

    def holding(self, instrument: Instrument) -> Holding:
        """Return the position in a perpetual, flat if there was never one."""
        return self.holdings.setdefault(instrument.key, Holding(instrument))

    def position_margin_e8(self, asset: str) -> int:
        """Return what backs the positions that settle in an asset."""
        rows = self.holdings.values()
        return sum(row.margin_e8() for row in rows if row.instrument.quote_asset == asset)

    def _margin_e8(self, order: Order, price_ticks: int) -> int:
        """Return what backs the part of an order that does not reduce the position."""
        if order.is_reduce_only:
            return 0
        holding = self.holding(order.instrument)
        reducing_lots = abs(holding.lots) if holding.side == -order.side else 0
        opening_lots = max(0, order.left_lots - reducing_lots)
        value_e8 = order.instrument.quote_e8(price_ticks, opening_lots)
        return value_e8 // order.instrument.config.leverage

    def _hold(self, order: Order, amount_e8: int) -> None:
        asset = order.instrument.quote_asset
        balance = self._account.balance(asset)
        balance.order_margin_e8 += amount_e8 - order.locked_e8
        order.locked_e8 = amount_e8
        balance.margin_e8 = balance.order_margin_e8 + self.position_margin_e8(asset)

    def reserve(self, order: Order, market: Market) -> bool:
        """Hold the margin of an order; return whether there was enough."""
        price_ticks = order.price_ticks
        if order.order_type == "MARKET":
            price_ticks = market.last_ticks()
        amount_e8 = self._margin_e8(order, price_ticks)
        balance = self._account.balance(order.instrument.quote_asset)
        if amount_e8 > balance.free_e8 - balance.margin_e8 + order.locked_e8:
            return False
        self._hold(order, amount_e8)
        return True

    def settle(self, order: Order, price_ticks: int, qty_lots: int, is_maker: bool) -> Booking:
        """Move the position, and book profit and commission in the asset of settlement."""
        instrument, account = order.instrument, self._account
        asset = instrument.quote_asset
        quote_e8 = instrument.quote_e8(price_ticks, qty_lots)
        holding = self.holding(instrument)
        if holding.lots == 0:
            holding.session_e8 = 0
        pnl_e8, closed_lots = holding.add(order.side, price_ticks, qty_lots)
        account.balance(asset).free_e8 += pnl_e8
        fee_e8 = account.pay_fee(asset, quote_e8, instrument.fee_e8(is_maker=is_maker))
        holding.realise(pnl_e8 - fee_e8)
        self._hold(order, order.locked_e8)
        return Booking(quote_e8, fee_e8, asset, pnl_e8, closed_lots)

    def release_surplus(self, order: Order) -> None:
        """Hold no more than the rest of the order needs."""
        if order.order_type != "MARKET":
            self._hold(order, min(order.locked_e8, self._margin_e8(order, order.price_ticks)))

    def release(self, order: Order) -> None:
        """Hold nothing for an order any more."""
        self._hold(order, 0)

    def fund(self, instrument: Instrument, mark_ticks: int, rate_e8: int) -> int:
        """Pay the funding of a position, longs to shorts; return what was paid in 1e-8."""
        holding = self.holding(instrument)
        paid_e8 = holding.value_e8(mark_ticks) * rate_e8 // E8 * holding.side
        self._account.balance(instrument.quote_asset).free_e8 -= paid_e8
        holding.realise(-paid_e8)
        return paid_e8

    def reducible_lots(self, instrument: Instrument, side: int) -> int:
        """Return how many lots an order of this side can close."""
        holding = self.holding(instrument)
        return abs(holding.lots) if holding.side == -side else 0
