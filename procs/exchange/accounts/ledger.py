"""An account's ledger: its orders and fills, and what the user data stream shall say of them.

Markets call back (`on_trade`, `on_expired`, `on_prevented`) while an order is submitted, or later
when somebody trades with it.
"""

import time
from typing import Any

from procs.exchange.accounts.accounts import ExchangeAccount
from procs.exchange.accounts.order_rows import report
from procs.exchange.accounts.rate_limits import RateLimits
from procs.exchange.accounts.venue import Venue
from procs.exchange.core.exchange_order import Fill, Order, PreventedMatch
from vortex.codes import Side

FINISHED_KEPT_MAX = 50_000


class Ledger:
    """Orders of one account on all markets; ``outbox`` collects its events."""

    def __init__(
        self, venue: Venue, owner_id: int, account: ExchangeAccount, limits: RateLimits
    ) -> None:
        self.venue = venue
        self.owner_id = owner_id
        self.account = account
        self.limits = limits
        self.orders: dict[tuple[str, int], Order] = {}
        self.by_client_id: dict[tuple[str, str], Order] = {}
        self.open_orders: dict[tuple[str, int], Order] = {}
        self.filled: dict[str, list[Order]] = {}
        self.positions_lots: dict[str, int] = {}
        self.outbox: list[dict[str, Any]] = []
        self.order_count = 0
        self.fill_count = 0
        self._finished: list[Order] = []
        self.busy_order: Order | None = None

    def on_trade(
        self, order: Order, price_ticks: int, qty_lots: int, trade_id: int, is_maker: bool
    ) -> None:
        """Book a fill."""
        instrument, account = order.instrument, self.account
        quote_e8 = instrument.quote_e8(price_ticks, qty_lots)
        base_e8 = instrument.base_e8(qty_lots)
        paid_e8, received_e8, fee_asset = base_e8, quote_e8, instrument.quote_asset
        if order.side == Side.BUY:
            paid_e8, received_e8, fee_asset = quote_e8, base_e8, instrument.base_asset
        account.spend_locked(order.locked_asset, paid_e8)
        order.locked_e8 -= paid_e8
        fee_e8 = account.receive(fee_asset, received_e8, is_maker)
        if not order.fills:
            self.limits.credit_fill(is_maker)
            self.filled.setdefault(instrument.symbol, []).append(order)
        fill = Fill(
            trade_id,
            price_ticks,
            qty_lots,
            quote_e8,
            fee_e8,
            fee_asset,
            is_maker,
            time_ms=self.venue.clock.now_ms(),
            time_ns=time.monotonic_ns(),
        )
        order.fills.append(fill)
        order.filled_lots += qty_lots
        order.quote_e8 += quote_e8
        self.fill_count += 1
        moved_lots = order.side * qty_lots
        symbol = instrument.symbol
        self.positions_lots[symbol] = self.positions_lots.get(symbol, 0) + moved_lots
        if order.left_lots == 0:
            self.finish(order, "FILLED")
        else:
            order.status = "PARTIALLY_FILLED"
            order.updated_ms = fill.time_ms
            self.release_surplus(order)
        self.tell(order, "TRADE", fill=fill)
        if order is not self.busy_order:
            self.tell_balances(order)

    def release_surplus(self, order: Order) -> None:
        """Give back what an open order has set aside beyond what it may still cost."""
        if order.order_type == "MARKET":
            return
        needed_e8 = order.instrument.base_e8(order.left_lots)
        if order.side == Side.BUY:
            needed_e8 = order.instrument.quote_e8(order.price_ticks, order.left_lots)
        self.account.unlock(order.locked_asset, order.locked_e8 - needed_e8)
        order.locked_e8 = needed_e8

    def on_expired(self, order: Order, reason: str) -> None:
        """Book that the venue took the rest of an order away."""
        order.expiry_reason = reason
        self.finish(order, "EXPIRED")
        self.tell(order, "EXPIRED")

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
        self.tell(order, "TRADE_PREVENTION", prevention=prevention)
        if order is not self.busy_order:
            self.tell_balances(order)

    def finish(self, order: Order, status: str) -> None:
        """Close an order and give back what it had set aside."""
        order.status = status
        order.updated_ms = self.venue.clock.now_ms()
        order.ended_ns = time.monotonic_ns()
        self.account.unlock(order.locked_asset, order.locked_e8)
        order.locked_e8 = 0
        del self.open_orders[order.instrument.symbol, order.order_id]
        self._finished.append(order)
        if len(self._finished) > FINISHED_KEPT_MAX:
            self._forget(self._finished[: FINISHED_KEPT_MAX // 2])
            del self._finished[: FINISHED_KEPT_MAX // 2]

    def _forget(self, orders: list[Order]) -> None:
        for order in orders:
            symbol = order.instrument.symbol
            del self.orders[symbol, order.order_id]
            if self.by_client_id.get((symbol, order.client_order_id)) is order:
                del self.by_client_id[symbol, order.client_order_id]

    def tell(self, order: Order, execution: str, **details: Any) -> int:
        """Collect an executionReport; return its number."""
        execution_id = self.venue.next_execution_id()
        now_ms = self.venue.clock.now_ms()
        self.outbox.append(report(order, execution, execution_id, now_ms, **details))
        return execution_id

    def tell_balances(self, order: Order) -> None:
        """Collect an outboundAccountPosition of the assets that an order touches."""
        now_ms = self.venue.clock.now_ms()
        self.account.update_ms = now_ms
        assets = (order.instrument.base_asset, "BNB", order.instrument.quote_asset)
        self.outbox.append(
            {
                "e": "outboundAccountPosition",
                "E": now_ms,
                "u": now_ms,
                "B": self.account.position_rows(dict.fromkeys(assets)),
            }
        )
