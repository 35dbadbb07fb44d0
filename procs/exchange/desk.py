"""The account's desk: places, cancels and replaces its orders on the markets, books its fills.

Markets call back (`on_rested`, `on_trade`, `on_expired`) while an order is submitted, or later
when somebody trades with it.  What the user data stream shall say is collected in ``outbox``.
"""

import time
from typing import Any, Protocol

from procs.exchange.accounts import Account
from procs.exchange.errors import DUPLICATE, UNKNOWN_ORDER, WOULD_TAKE, VenueError, rejected
from procs.exchange.filters import check_order
from procs.exchange.instrument import Instrument
from procs.exchange.orders import Fill, Order
from procs.exchange.parameters import OrderRequest
from procs.exchange.rate_limits import RateLimits
from vortex.codes import Side

FINISHED_KEPT_MAX = 50_000


class Market(Protocol):
    """Where an order goes: simulated, or a recording."""

    instrument: Instrument

    def next_order_id(self) -> int:
        """Return a number that no order of the symbol has had."""

    def submit(self, order: Order) -> None:
        """Match the order and let it rest; calls the desk back before it returns."""

    def withdraw(self, order: Order) -> None:
        """Take a resting order out."""

    def would_take(self, side: int, price_ticks: int) -> bool:
        """Return whether a limit order would fill at once, at least in part."""

    def market_cost_e8(self, qty_lots: int) -> int:
        """Return what buying at the market would cost now, in 1e-8 of the quote asset."""

    def last_ticks(self) -> int:
        """Return the price of the last trade, or of the touch; 0 when there is none."""

    async def snapshot(self, limit: int) -> str:
        """Return the book as a depth request answers it, as JSON text."""


class Desk:
    """Orders of the one account on all markets."""

    def __init__(self, account: Account, limits: RateLimits) -> None:
        self.account = account
        self.limits = limits
        self.markets: dict[str, Market] = {}
        self.orders: dict[tuple[str, int], Order] = {}
        self.by_client_id: dict[tuple[str, str], Order] = {}
        self.open_orders: dict[tuple[str, int], Order] = {}
        self.filled: dict[str, list[Order]] = {}
        self.positions_lots: dict[str, int] = {}
        self.outbox: list[dict[str, Any]] = []
        self.order_count = 0
        self.fill_count = 0
        self._finished: list[Order] = []
        self._execution_id = 1_000_000
        self._generated_count = 0
        self._busy_order: Order | None = None

    def market(self, symbol: str) -> Market:
        """Return the market of a symbol, or refuse the symbol."""
        market = self.markets.get(symbol)
        if market is None:
            raise VenueError(-1121, "Invalid symbol.")
        return market

    def check(self, request: OrderRequest, closing: Order | None = None) -> None:
        """Refuse an order that breaks a filter; ``closing`` will be gone by then."""
        market = self.market(request.symbol)
        count = sum(symbol == request.symbol for symbol, _ in self.open_orders)
        count -= closing is not None
        check_order(market.instrument, request, market.last_ticks(), count)

    def place(self, request: OrderRequest, tells_rejection: bool = False) -> Order:
        """Place an order that has passed `check`; return it as it is after matching."""
        market = self.market(request.symbol)
        order = self._build(market, request)
        try:
            self._admit(market, order)
        except VenueError as error:
            if tells_rejection:
                order.status = "REJECTED"
                is_take = error.message == WOULD_TAKE
                reason = "WOULD_MATCH_IMMEDIATELY" if is_take else "INSUFFICIENT_BALANCES"
                self._tell(order, "REJECTED", reject_reason=reason)
            raise
        key = (request.symbol, order.order_id)
        self.orders[key] = self.open_orders[key] = order
        self.by_client_id[request.symbol, order.client_order_id] = order
        self.order_count += 1
        self.limits.add_order()
        self._tell(order, "NEW")
        self._busy_order = order
        market.submit(order)
        self._busy_order = None
        self._tell_balances(order)
        return order

    def _build(self, market: Market, request: OrderRequest) -> Order:
        instrument = market.instrument
        now_ms = time.time_ns() // 1_000_000
        self._generated_count += 1
        return Order(
            instrument=instrument,
            order_id=market.next_order_id(),
            client_order_id=request.client_order_id or f"local-{self._generated_count}",
            side=request.side,
            order_type=request.order_type,
            time_in_force=request.time_in_force,
            price_ticks=request.price_e8 // instrument.tick_e8,
            qty_lots=request.qty_e8 // instrument.lot_e8,
            created_ms=now_ms,
            updated_ms=now_ms,
            response_type=request.response_type,
        )

    def _admit(self, market: Market, order: Order) -> None:
        instrument = order.instrument
        same = self.by_client_id.get((instrument.symbol, order.client_order_id))
        if same is not None and same.is_open:
            raise rejected(DUPLICATE)
        is_post = order.order_type == "LIMIT_MAKER"
        if is_post and market.would_take(order.side, order.price_ticks):
            raise rejected(WOULD_TAKE)
        if order.side == Side.SELL:
            amount_e8 = instrument.base_e8(order.qty_lots)
        elif order.order_type == "MARKET":
            # Matching is over before anybody sees the lock; own orders in the way may raise the
            # cost, so all that is free stands behind a market order for that moment.
            cost_e8 = market.market_cost_e8(order.qty_lots)
            amount_e8 = max(cost_e8, self.account.balance(order.locked_asset).free_e8)
        else:
            amount_e8 = instrument.quote_e8(order.price_ticks, order.qty_lots)
        self.account.lock(order.locked_asset, amount_e8)
        order.locked_e8 = amount_e8

    def find(self, symbol: str, order_id: int | None, client_id: str) -> Order | None:
        """Return an order by its number, or else by its client id; both must fit if given."""
        if order_id is None:
            return self.by_client_id.get((symbol, client_id))
        order = self.orders.get((symbol, order_id))
        if order is not None and client_id and order.client_order_id != client_id:
            return None
        return order

    def cancel(self, order: Order | None, cancel_id: str) -> dict[str, Any]:
        """Cancel an open order and return the answer, or refuse."""
        if order is None or not order.is_open:
            raise VenueError(-2011, UNKNOWN_ORDER)
        self.market(order.instrument.symbol).withdraw(order)
        self._generated_count += 1
        cancel_id = cancel_id or f"local-{self._generated_count}"
        self._finish(order, "CANCELED")
        self._tell(order, "CANCELED", cancel_id=cancel_id)
        self._tell_balances(order)
        return order.canceled(cancel_id)

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
        now_ms = time.time_ns() // 1_000_000
        fill = Fill(trade_id, price_ticks, qty_lots, quote_e8, fee_e8, fee_asset, is_maker, now_ms)
        order.fills.append(fill)
        order.filled_lots += qty_lots
        order.quote_e8 += quote_e8
        self.fill_count += 1
        moved_lots = order.side * qty_lots
        symbol = instrument.symbol
        self.positions_lots[symbol] = self.positions_lots.get(symbol, 0) + moved_lots
        if order.left_lots == 0:
            self._finish(order, "FILLED")
        else:
            order.status = "PARTIALLY_FILLED"
            order.updated_ms = now_ms
            self._release_improvement(order)
        self._tell(order, "TRADE", fill=fill)
        if order is not self._busy_order:
            self._tell_balances(order)

    def _release_improvement(self, order: Order) -> None:
        if order.side == Side.BUY and order.order_type != "MARKET":
            needed_e8 = order.instrument.quote_e8(order.price_ticks, order.left_lots)
            self.account.unlock(order.locked_asset, order.locked_e8 - needed_e8)
            order.locked_e8 = needed_e8

    def on_expired(self, order: Order, reason: str) -> None:
        """Book that the venue took the rest of an order away."""
        order.expiry_reason = reason
        self._finish(order, "EXPIRED")
        self._tell(order, "EXPIRED")

    def on_prevented(self, order: Order) -> None:
        """Book that an order expired because the account's own taker met it."""
        self._finish(order, "EXPIRED_IN_MATCH")
        self._tell(order, "TRADE_PREVENTION")
        self._tell_balances(order)

    def _finish(self, order: Order, status: str) -> None:
        order.status = status
        order.updated_ms = time.time_ns() // 1_000_000
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

    def _tell(
        self,
        order: Order,
        execution: str,
        *,
        fill: Fill | None = None,
        cancel_id: str = "",
        reject_reason: str = "NONE",
    ) -> None:
        self._execution_id += 1
        self.outbox.append(
            order.report(
                execution,
                self._execution_id,
                time.time_ns() // 1_000_000,
                fill=fill,
                cancel_id=cancel_id,
                reject_reason=reject_reason,
            )
        )

    def _tell_balances(self, order: Order) -> None:
        now_ms = time.time_ns() // 1_000_000
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
