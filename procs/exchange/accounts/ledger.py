"""An account's ledger: its orders and fills, and what they do to its balances.

Markets call back (`on_trade`, `on_expired`, `on_prevented`) while an order is submitted, or later
when somebody trades with it.  How an account hears of all that is its dialect's: `report`,
`report_balances`, and the rows.
"""

import time
from typing import Any

from procs.exchange.accounts.accounts import ExchangeAccount
from procs.exchange.accounts.linear_money import LinearMoney
from procs.exchange.accounts.spot_money import SpotMoney
from procs.exchange.accounts.venue import Market, Money, Venue
from procs.exchange.core.exchange_order import Fill, Order, PreventedMatch
from procs.exchange.core.instrument import Instrument

FINISHED_KEPT_MAX = 50_000


class Ledger:
    """Orders of one account on all markets of a venue."""

    def __init__(self, venue: Venue, owner_id: int, account: ExchangeAccount) -> None:
        self.venue = venue
        self.owner_id = owner_id
        self.account = account
        self.spot = SpotMoney(account)
        self.linear = LinearMoney(account)
        self.orders: dict[tuple[str, int], Order] = {}
        self.by_client_id: dict[tuple[str, str], Order] = {}
        self.open_orders: dict[tuple[str, int], Order] = {}
        self.filled: dict[str, list[Order]] = {}
        self.positions_lots: dict[str, int] = {}
        self.order_count = 0
        self.fill_count = 0
        self._finished: list[Order] = []
        self.busy_order: Order | None = None

    def on_trade(
        self, order: Order, price_ticks: int, qty_lots: int, trade_id: int, is_maker: bool
    ) -> None:
        """Book a fill."""
        key = order.instrument.key
        booking = self.money(order.instrument).settle(order, price_ticks, qty_lots, is_maker)
        if not order.fills:
            self.on_first_fill(is_maker)
            self.filled.setdefault(key, []).append(order)
        fill = Fill(
            trade_id,
            price_ticks,
            qty_lots,
            booking.quote_e8,
            booking.fee_e8,
            booking.fee_asset,
            is_maker,
            time_ms=self.venue.clock.now_ms(),
            time_ns=time.monotonic_ns(),
            pnl_e8=booking.pnl_e8,
            closed_lots=booking.closed_lots,
        )
        order.fills.append(fill)
        order.filled_lots += qty_lots
        order.quote_e8 += booking.quote_e8
        self.fill_count += 1
        moved_lots = order.side * qty_lots
        self.positions_lots[key] = self.positions_lots.get(key, 0) + moved_lots
        if order.left_lots == 0:
            self.finish(order, "FILLED")
        else:
            order.status = "PARTIALLY_FILLED"
            order.updated_ms = fill.time_ms
            self.release_surplus(order)
        self.report(order, "TRADE", fill=fill)
        if order is not self.busy_order:
            self.report_balances(order)

    def money(self, instrument: Instrument) -> Money:
        """Return what orders of this kind of instrument are paid with."""
        return self.linear if instrument.is_linear else self.spot

    def release_surplus(self, order: Order) -> None:
        """Give back what an open order has set aside beyond what it may still cost."""
        self.money(order.instrument).release_surplus(order)

    def register(self, order: Order) -> None:
        """Take an order for which money is set aside onto the books."""
        key = (order.instrument.key, order.order_id)
        self.orders[key] = self.open_orders[key] = order
        if order.client_order_id:
            self.by_client_id[order.instrument.key, order.client_order_id] = order
        self.order_count += 1
        if self.venue.journal is not None:
            self.venue.journal.orders.append(order)

    def match(self, order: Order, market: Market) -> None:
        """Let an order of the books match and rest; publish its balances once, at the end."""
        self.busy_order = order
        market.submit(order)
        self.busy_order = None
        self.report_balances(order)

    def on_expired(self, order: Order, reason: str) -> None:
        """Book that the venue took the rest of an order away."""
        order.expiry_reason = reason
        self.finish(order, "EXPIRED")
        self.report(order, "EXPIRED")

    def on_prevented(self, order: Order, counter: Order, price_ticks: int, qty_lots: int) -> None:
        """Book that an order lost quantity because it met another one of the account."""
        last = counter.preventions[-1] if counter.preventions else None
        counter_lots = counter.left_lots
        match_id = 0
        if last is not None and last.counter_order_id == order.order_id:
            counter_lots += last.qty_lots
            match_id = last.match_id
        prevention = PreventedMatch(
            match_id or self.venue.next_prevention_id(),
            counter.order_id,
            price_ticks,
            qty_lots,
            met_lots=min(order.left_lots, counter_lots),
        )
        order.preventions.append(prevention)
        order.prevented_lots += qty_lots
        order.updated_ms = self.venue.clock.now_ms()
        if order.left_lots == 0:
            self.finish(order, "EXPIRED_IN_MATCH")
        else:
            self.release_surplus(order)
        self.report(order, "TRADE_PREVENTION", prevention=prevention)
        if order is not self.busy_order:
            self.report_balances(order)

    def finish(self, order: Order, status: str) -> None:
        """Close an order and give back what it had set aside."""
        order.status = status
        order.updated_ms = self.venue.clock.now_ms()
        order.ended_ns = time.monotonic_ns()
        self.money(order.instrument).release(order)
        del self.open_orders[order.instrument.key, order.order_id]
        self._finished.append(order)
        if len(self._finished) > FINISHED_KEPT_MAX:
            self._forget(self._finished[: FINISHED_KEPT_MAX // 2])
            del self._finished[: FINISHED_KEPT_MAX // 2]

    def _forget(self, orders: list[Order]) -> None:
        for order in orders:
            key = order.instrument.key
            del self.orders[key, order.order_id]
            if self.by_client_id.get((key, order.client_order_id)) is order:
                del self.by_client_id[key, order.client_order_id]

    def on_first_fill(self, is_maker: bool) -> None:
        """Do what the venue does at an order's first fill."""

    def report(self, order: Order, execution: str, **details: Any) -> int:
        """Collect what the account hears of its order; return the number of the event."""
        raise NotImplementedError

    def report_balances(self, order: Order) -> None:
        """Collect what the account hears of the balances that an order touches."""
        raise NotImplementedError

    def order_row(self, order: Order) -> dict[str, Any]:
        """Return an order as its venue lists it."""
        raise NotImplementedError

    def fill_rows(self, order: Order) -> list[dict[str, Any]]:
        """Return an order's fills as their venue lists them."""
        raise NotImplementedError
