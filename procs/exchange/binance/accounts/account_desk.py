"""An account's desk: places, cancels and amends its orders on the markets."""

import secrets
import time
from typing import Any

from procs.exchange.accounts.accounts import ExchangeAccount
from procs.exchange.accounts.ledger import Ledger
from procs.exchange.accounts.venue import Market, Venue
from procs.exchange.binance.accounts.account_rows import position_rows
from procs.exchange.binance.accounts.filters import check_order, check_qty
from procs.exchange.binance.accounts.order_rows import (
    amended,
    canceled,
    report,
    status_row,
    trade_rows,
)
from procs.exchange.binance.accounts.rate_limits import RateLimits
from procs.exchange.binance.words.errors import (
    DUPLICATE,
    INSUFFICIENT,
    MARKET_CLOSED,
    UNKNOWN_ORDER,
    WOULD_TAKE,
    ExchangeRefusal,
    amend_rejected,
    filter_failure,
    rejected,
)
from procs.exchange.binance.words.exchange_info import AMENDS_MAX
from procs.exchange.binance.words.parameters import OrderRequest
from procs.exchange.core.exchange_order import Expiry, Order


def new_client_id() -> str:
    """Return a client order id for a request that brought none."""
    return secrets.token_hex(11)


class Desk(Ledger):
    """What an account can do; what it refuses, it refuses with the venue's words.

    ``outbox`` collects the events of its user data stream.
    """

    def __init__(
        self, venue: Venue, owner_id: int, account: ExchangeAccount, limits: RateLimits
    ) -> None:
        super().__init__(venue, owner_id, account)
        self.limits = limits
        self.outbox: list[dict[str, Any]] = []

    def market(self, symbol: str) -> Market:
        """Return the market of a symbol, or refuse the symbol."""
        market = self.venue.markets.get(symbol)
        if market is None:
            raise ExchangeRefusal(-1121, "Invalid symbol.")
        return market

    def check(self, request: OrderRequest, closing: Order | None = None) -> None:
        """Refuse an order that breaks a filter; ``closing`` will be gone by then."""
        market = self.market(request.symbol)
        count = sum(symbol == request.symbol for symbol, _ in self.open_orders)
        count -= closing is not None
        check_order(market.instrument, request, market.last_ticks(), count)
        if self.venue.status(request.symbol) != "TRADING":
            raise rejected(MARKET_CLOSED)

    def place(self, request: OrderRequest, tells_rejection: bool = False) -> Order:
        """Place an order that has passed `check`; return it as it is after matching."""
        market = self.market(request.symbol)
        order = self._build(market, request)
        try:
            self._admit(market, order)
        except ExchangeRefusal as error:
            if tells_rejection:
                order.status = "REJECTED"
                is_take = error.message == WOULD_TAKE
                reason = "WOULD_MATCH_IMMEDIATELY" if is_take else "INSUFFICIENT_BALANCES"
                self.report(order, "REJECTED", reject_reason=reason)
            raise
        self.limits.add_order()
        self.register(order)
        self.report(order, "NEW")
        self.match(order, market)
        return order

    def _build(self, market: Market, request: OrderRequest) -> Order:
        instrument = market.instrument
        now_ms = self.venue.clock.now_ms()
        qty_lots = request.qty_e8 // instrument.lot_e8
        if request.quote_e8:
            qty_lots = market.lots_for_e8(request.side, request.quote_e8)
            if qty_lots == 0:
                raise filter_failure("LOT_SIZE")
        return Order(
            instrument=instrument,
            owner_id=self.owner_id,
            order_id=market.next_order_id(),
            client_order_id=request.client_order_id or new_client_id(),
            side=request.side,
            order_type=request.order_type,
            time_in_force=request.time_in_force,
            price_ticks=request.price_e8 // instrument.tick_e8,
            qty_lots=qty_lots,
            quote_order_e8=request.quote_e8,
            prevention_mode=request.prevention_mode,
            created_ms=now_ms,
            updated_ms=now_ms,
            arrived_ns=time.monotonic_ns(),
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
        if not self.spot.reserve(order, market):
            raise rejected(INSUFFICIENT)

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
            raise ExchangeRefusal(-2011, UNKNOWN_ORDER)
        symbol = order.instrument.symbol
        if self.venue.status(symbol) == "HALT":
            raise ExchangeRefusal(-2011, MARKET_CLOSED)
        self.market(symbol).withdraw(order)
        cancel_id = cancel_id or new_client_id()
        self.finish(order, "CANCELED")
        self.report(order, "CANCELED", client_id=cancel_id, former_id=order.client_order_id)
        self.report_balances(order)
        return canceled(order, cancel_id)

    def amend(self, order: Order | None, qty_e8: int, client_id: str) -> dict[str, Any]:
        """Lower the quantity of an open order, which keeps its place; return the answer.

        What leaves no more than has been filled makes it expire.
        """
        if order is None or not order.is_open:
            raise amend_rejected(UNKNOWN_ORDER)
        instrument = order.instrument
        check_qty(instrument, qty_e8)
        by_lots = order.qty_lots - qty_e8 // instrument.lot_e8
        if by_lots < 0:
            raise amend_rejected("Order amend (quantity increase) is not supported.")
        if by_lots == 0:
            raise amend_rejected("The requested action would change no state; rejecting")
        if self.venue.status(instrument.symbol) != "TRADING":
            raise amend_rejected(MARKET_CLOSED)
        if len(order.former_client_order_ids) >= AMENDS_MAX:
            raise ExchangeRefusal(-2038, "Filter failure: MAX_NUM_ORDER_AMENDS")
        same = self.by_client_id.get((instrument.symbol, client_id))
        if same is not None and same.is_open and same is not order:
            raise amend_rejected(DUPLICATE)
        former_id = order.client_order_id
        order.former_client_order_ids.append(former_id)
        order.client_order_id = client_id or new_client_id()
        del self.by_client_id[instrument.symbol, former_id]
        self.by_client_id[instrument.symbol, order.client_order_id] = order
        market = self.market(instrument.symbol)
        if by_lots >= order.left_lots:
            market.withdraw(order)
            order.qty_lots -= by_lots
            order.expiry_reason = Expiry.REDUCED
            self.finish(order, "EXPIRED")
            execution_id = self.report(order, "EXPIRED", former_id=former_id)
        else:
            market.reduce(order, by_lots)
            order.qty_lots -= by_lots
            order.updated_ms = self.venue.clock.now_ms()
            self.release_surplus(order)
            execution_id = self.report(order, "REPLACED", former_id=former_id)
        self.report_balances(order)
        return amended(order, former_id, execution_id)

    def on_first_fill(self, is_maker: bool) -> None:
        """Take back from the unfilled orders."""
        self.limits.credit_fill(is_maker)

    def report(self, order: Order, execution: str, **details: Any) -> int:
        """Collect an executionReport; return its number."""
        execution_id = self.venue.next_execution_id()
        now_ms = self.venue.clock.now_ms()
        self.outbox.append(report(order, execution, execution_id, now_ms, **details))
        return execution_id

    def report_balances(self, order: Order) -> None:
        """Collect an outboundAccountPosition of the assets that an order touches."""
        now_ms = self.venue.clock.now_ms()
        self.account.update_ms = now_ms
        assets = (order.instrument.base_asset, "BNB", order.instrument.quote_asset)
        self.outbox.append(
            {
                "e": "outboundAccountPosition",
                "E": now_ms,
                "u": now_ms,
                "B": position_rows(self.account, dict.fromkeys(assets)),
            }
        )

    def order_row(self, order: Order) -> dict[str, Any]:
        """Return the row of a list of orders."""
        return status_row(order)

    def fill_rows(self, order: Order) -> list[dict[str, Any]]:
        """Return the rows of a list of trades."""
        return trade_rows(order)
