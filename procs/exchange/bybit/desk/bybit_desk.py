"""An account's desk: creates, amends and cancels its orders, pays its funding.

An order keeps its place in the queue when only its quantity is lowered; any other amendment puts
it behind the others of its price.
"""

import time
from collections import deque
from typing import Any, NamedTuple

from procs.exchange.accounts.accounts import ExchangeAccount
from procs.exchange.accounts.ledger import Ledger
from procs.exchange.accounts.linear_money import Holding
from procs.exchange.accounts.venue import Market, Venue
from procs.exchange.bybit.desk.bybit_rows import (
    category_of,
    execution_row,
    execution_rows,
    fast_row,
    funding_row,
    mark_ticks,
    order_row,
    position_row,
)
from procs.exchange.bybit.desk.order_rules import check_price, check_qty, check_value
from procs.exchange.bybit.desk.wallet_rows import wallet_row
from procs.exchange.bybit.texts.budgets import Budgets
from procs.exchange.bybit.texts.bybit_refusals import (
    NOTHING_CHANGES,
    NOTHING_TO_REDUCE,
    POST_ONLY_TAKES,
    bad_parameter,
    refused,
)
from procs.exchange.bybit.texts.order_requests import (
    CreateRequest,
    Parameters,
    read_amount_e8,
    read_create,
    read_link_id,
    read_text,
)
from procs.exchange.bybit.texts.public_ids import funding_text_id, order_text_id
from procs.exchange.core.exchange_config import BybitConfig
from procs.exchange.core.exchange_order import Expiry, Order
from procs.exchange.core.instrument import Instrument, to_e8

EXECUTIONS_KEPT_MAX = 20_000


class News(NamedTuple):
    """What an account hears: the topic, the category (empty for all), and a row of data."""

    topic: str
    category: str
    row: dict[str, Any]


class BybitDesk(Ledger):
    """What an account can do; what it refuses, it refuses with the venue's words."""

    def __init__(
        self,
        venue: Venue,
        owner_id: int,
        account: ExchangeAccount,
        config: BybitConfig,
        budgets: Budgets,
    ) -> None:
        super().__init__(venue, owner_id, account)
        self.budgets = budgets
        self.news: list[News] = []
        self.executions: deque[dict[str, Any]] = deque(maxlen=EXECUTIONS_KEPT_MAX)
        self.by_public_id: dict[str, Order] = {}
        self._config = config
        self._touched: dict[str, Instrument] = {}
        self._funding_count = 0

    def market(self, category: str, symbol: str) -> Market:
        """Return a market, or refuse the symbol."""
        market = self.venue.markets.get(f"{category}:{symbol}")
        if market is None:
            raise bad_parameter("params error: symbol invalid " + symbol)
        return market

    # Orders.

    def create(self, category: str, parameters: Parameters) -> Order:
        """Create an order; return it as it is after matching."""
        market = self.market(category, read_text(parameters, "symbol"))
        request = read_create(parameters, category)
        order = self._build(market, request)
        self._check(market, order, request)
        takes = market.would_take(order.side, order.price_ticks)
        is_taking_post = request.time_in_force == "PostOnly" and takes
        if is_taking_post and self._config.spot_refuses_taking_post_only and category == "spot":
            raise POST_ONLY_TAKES
        if not self.money(market.instrument).reserve(order, market):
            raise refused("funds", is_linear=market.instrument.is_linear)
        self.register(order)
        self.by_public_id[order.public_id] = order
        if is_taking_post:
            self.on_expired(order, Expiry.POST_ONLY)
            return order
        if order.time_in_force == "GTC":
            self.report(order, "NEW")
        self.match(order, market)
        return order

    def _build(self, market: Market, request: CreateRequest) -> Order:
        instrument = market.instrument
        now_ms = self.venue.clock.now_ms()
        order_id = market.next_order_id()
        public_id = order_text_id(instrument, order_id)
        qty_lots = request.qty_e8 // instrument.lot_e8
        if request.quote_e8:
            qty_lots = market.lots_for_e8(request.side, request.quote_e8)
        is_post = request.time_in_force == "PostOnly"
        order_type = "LIMIT_MAKER" if is_post else "LIMIT"
        return Order(
            instrument=instrument,
            owner_id=self.owner_id,
            order_id=order_id,
            client_order_id=request.link_id,
            side=request.side,
            order_type="MARKET" if request.is_market else order_type,
            time_in_force="GTC" if is_post else request.time_in_force,
            price_ticks=request.price_e8 // instrument.tick_e8,
            qty_lots=qty_lots,
            quote_order_e8=request.quote_e8,
            prevention_mode=request.prevention_mode,
            created_ms=now_ms,
            updated_ms=now_ms,
            arrived_ns=time.monotonic_ns(),
            response_type="",
            public_id=public_id,
            is_reduce_only=request.is_reduce_only and instrument.is_linear,
        )

    def _check(self, market: Market, order: Order, request: CreateRequest) -> None:
        """Refuse an order that breaks a rule of its symbol; a reducing one is cut to its size."""
        instrument = market.instrument
        is_linear = instrument.is_linear
        if request.link_id and (instrument.key, request.link_id) in self.by_client_id:
            raise refused("duplicate", is_linear=is_linear)
        if self.venue.status(instrument.key) != "TRADING":
            raise refused("halted", is_linear=is_linear)
        if (
            sum(key == instrument.key for key, _ in self.open_orders)
            >= self._config.open_orders_max
        ):
            raise refused("too_many", is_linear=is_linear)
        if not request.is_market:
            check_price(market, order.side, request.price_e8)
        if request.qty_e8:
            check_qty(instrument, request.qty_e8)
        if order.is_reduce_only:
            order.qty_lots = min(order.qty_lots, self._reducible_lots(order))
            if order.qty_lots <= 0:
                raise NOTHING_TO_REDUCE
        else:
            check_value(market, order)

    def _reducible_lots(self, order: Order) -> int:
        """Return what is left to reduce beside the reducing orders that rest."""
        resting_lots = sum(
            other.left_lots
            for other in self.open_orders.values()
            if other.is_reduce_only
            and other.instrument is order.instrument
            and other.side == order.side
        )
        return self.linear.reducible_lots(order.instrument, order.side) - resting_lots

    def find(self, category: str, parameters: Parameters) -> Order | None:
        """Return the order that a request means; the venue's id counts before the client's."""
        public_id, link_id = read_text(parameters, "orderId"), read_link_id(parameters)
        if not public_id and not link_id:
            raise bad_parameter("params error: orderId or orderLinkId is required")
        if public_id:
            order = self.by_public_id.get(public_id)
            is_there = order is not None and category_of(order.instrument) == category
            return order if is_there else None
        symbol = read_text(parameters, "symbol")
        return self.by_client_id.get((f"{category}:{symbol}", link_id))

    def cancel(self, category: str, parameters: Parameters) -> Order:
        """Cancel an open order, or refuse."""
        self.market(category, read_text(parameters, "symbol"))
        order = self.find(category, parameters)
        is_linear = category == "linear"
        if order is not None and self._has_raced(order):
            self._tell_race(order)
            return order
        if order is None or not order.is_open:
            raise refused("gone_cancel", is_linear=is_linear)
        if self.venue.status(order.instrument.key) == "HALT":
            raise refused("halted", is_linear=is_linear)
        self.take_away(order, "CancelByUser")
        return order

    def _has_raced(self, order: Order) -> bool:
        """Return whether a cancel was on its way while the order filled."""
        age_ns = time.monotonic_ns() - order.ended_ns
        is_young = age_ns < self._config.cancel_race_ms * 1_000_000
        return order.status == "FILLED" and is_young and not order.cancel_type

    def _tell_race(self, order: Order) -> None:
        """Say a second time that an order has filled, with what became of its cancel."""
        order.cancel_type = "CancelByUser"
        row = order_row(order) | {"rejectReason": "EC_OrigClOrdIDDoesNotExist"}
        self.news.append(News("order", category_of(order.instrument), row))

    def take_away(self, order: Order, cancel_type: str) -> None:
        """Cancel an open order for this reason."""
        self.venue.markets[order.instrument.key].withdraw(order)
        order.cancel_type = cancel_type
        self.finish(order, "CANCELED")
        self.report(order, "CANCELED")
        self.report_balances(order)

    def amend(self, category: str, parameters: Parameters) -> Order:
        """Change price or quantity of an open order, or refuse."""
        market = self.market(category, read_text(parameters, "symbol"))
        order, instrument = self.find(category, parameters), market.instrument
        is_linear = instrument.is_linear
        if order is None or not order.is_open:
            raise refused("gone_replace", is_linear=is_linear)
        if self.venue.status(instrument.key) != "TRADING":
            raise refused("halted", is_linear=is_linear)
        price_ticks, qty_lots = order.price_ticks, order.qty_lots
        if read_text(parameters, "price") not in ("", "0"):
            price_e8 = read_amount_e8(parameters, "price")
            check_price(market, order.side, price_e8)
            price_ticks = price_e8 // instrument.tick_e8
        if read_text(parameters, "qty") not in ("", "0"):
            qty_e8 = read_amount_e8(parameters, "qty")
            check_qty(instrument, qty_e8)
            qty_lots = qty_e8 // instrument.lot_e8
        if (price_ticks, qty_lots) == (order.price_ticks, order.qty_lots):
            raise NOTHING_CHANGES
        if qty_lots <= order.filled_lots:
            raise refused("filled_more", is_linear=is_linear)
        if price_ticks == order.price_ticks and qty_lots < order.qty_lots:
            self._lower(market, order, order.qty_lots - qty_lots)
        else:
            self._move(market, order, price_ticks, qty_lots)
        return order

    def _lower(self, market: Market, order: Order, by_lots: int) -> None:
        market.reduce(order, by_lots)
        order.qty_lots -= by_lots
        order.updated_ms = self.venue.clock.now_ms()
        self.release_surplus(order)
        self.report(order, "REPLACED")
        self.report_balances(order)

    def _move(self, market: Market, order: Order, price_ticks: int, qty_lots: int) -> None:
        money = self.money(order.instrument)
        old = (order.price_ticks, order.qty_lots)
        money.release(order)
        order.price_ticks, order.qty_lots = price_ticks, qty_lots
        has_funds = money.reserve(order, market)
        order.price_ticks, order.qty_lots = old
        if not has_funds:
            money.reserve(order, market)
            raise refused("funds", is_linear=order.instrument.is_linear)
        market.withdraw(order)
        order.price_ticks, order.qty_lots = price_ticks, qty_lots
        order.updated_ms = self.venue.clock.now_ms()
        is_post = order.order_type == "LIMIT_MAKER"
        if is_post and market.would_take(order.side, price_ticks):
            self.on_expired(order, Expiry.POST_ONLY)
            return
        self.report(order, "REPLACED")
        self.match(order, market)

    def trim(self) -> None:
        """Cut, or cancel, reducing orders that are larger than what is left to reduce."""
        for order in [row for row in self.open_orders.values() if row.is_reduce_only]:
            room_lots = self._reducible_lots(order) + order.left_lots
            if room_lots <= 0:
                self.take_away(order, "CancelByReduceOnly")
            elif room_lots < order.left_lots:
                by_lots = order.left_lots - room_lots
                self._lower(self.venue.markets[order.instrument.key], order, by_lots)

    def fund(self, market: Market) -> None:
        """Pay the funding of a position, and say so; nothing for a flat one."""
        instrument = market.instrument
        holding = self.linear.holding(instrument)
        if holding.lots == 0:
            return
        price_ticks = mark_ticks(market)
        rate_e8 = to_e8(instrument.config.funding_rate)
        paid_e8 = self.linear.fund(instrument, price_ticks, rate_e8)
        self._funding_count += 1
        text_id = funding_text_id(instrument, self.owner_id, self._funding_count)
        row = funding_row(holding, text_id, price_ticks, paid_e8, self.venue.clock.now_ms())
        self.executions.append(row)
        self.news.append(News("execution", "linear", row))
        self._touched[instrument.key] = instrument

    # What the account hears.

    def on_expired(self, order: Order, reason: str) -> None:
        """Book that the venue took the rest of an order away."""
        super().on_expired(order, reason)
        self.report_balances(order)

    def report(self, order: Order, execution: str, **details: Any) -> int:
        """Collect news of an order, and of the fill in ``details``."""
        category, fill = category_of(order.instrument), details.get("fill")
        if execution == "TRADE_PREVENTION":
            order.cancel_type = "CancelBySmp"
        if fill is not None:
            holding = self.linear.holding(order.instrument)
            holding.updated_ms = fill.time_ms
            if abs(holding.lots) == fill.qty_lots - fill.closed_lots:
                holding.opened_ms = fill.time_ms
            row = execution_row(order, fill, order.left_lots)
            self.executions.append(row)
            self.news.append(News("execution.fast", category, fast_row(row)))
            self.news.append(News("execution", category, row))
        self.news.append(News("order", category, order_row(order)))
        return self.venue.next_execution_id()

    def report_balances(self, order: Order) -> None:
        """Note that the account is to hear of what an order touches."""
        self._touched[order.instrument.key] = order.instrument

    def take_news(self) -> list[News]:
        """Return what there is to hear: the news, then the positions and balances they touch."""
        news, self.news = self.news, []
        touched, self._touched = self._touched, {}
        assets: dict[str, None] = {}
        for key, instrument in touched.items():
            assets[instrument.quote_asset] = None
            if instrument.is_linear:
                row = position_row(self.linear.holding(instrument), self.venue.markets[key])
                news.append(News("position", "linear", row))
            else:
                assets[instrument.base_asset] = None
        if assets:
            news.append(News("wallet", "", self.wallet_row(tuple(assets))))
        return news

    def has_news(self) -> bool:
        """Return whether there is anything to hear."""
        return bool(self.news or self._touched)

    def holdings(self) -> list[tuple[Holding, Market]]:
        """Return the positions of all perpetuals, flat ones too."""
        return [
            (self.linear.holding(market.instrument), market)
            for market in self.venue.markets.values()
            if market.instrument.is_linear
        ]

    def wallet_row(self, assets: tuple[str, ...] = ()) -> dict[str, Any]:
        """Return the account's totals in dollars, and the balances of these assets, or of all."""
        return wallet_row(self.account, self.linear, tuple(self.venue.markets.values()), assets)

    def _forget(self, orders: list[Order]) -> None:
        super()._forget(orders)
        for order in orders:
            self.by_public_id.pop(order.public_id, None)

    def order_row(self, order: Order) -> dict[str, Any]:
        """Return the row of a list of orders."""
        return order_row(order)

    def fill_rows(self, order: Order) -> list[dict[str, Any]]:
        """Return the rows of a list of executions."""
        return execution_rows(order)
