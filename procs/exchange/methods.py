"""What a request may ask for: the same table for the WebSocket API and for REST.

A method is checked in the venue's order: parameters, key and signature, freshness, then what it
asks for.  A successful order request gives its weight back.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec

from procs.exchange.desk import Desk
from procs.exchange.errors import VenueError, missing
from procs.exchange.orders import Order
from procs.exchange.parameters import (
    ORDER_NAMES,
    Parameters,
    read_client_id,
    read_integer,
    read_order,
    refuse_unknown,
    require,
    require_order,
)
from procs.exchange.rate_limits import RateLimits
from procs.exchange.replacing import REPLACE_NAMES, check_replace, replace_order
from procs.exchange.signatures import Keyring, check_freshness

DEPTH_WEIGHTS = ((100, 5), (500, 25), (1000, 50), (5000, 250))
DEPTH_LIMIT_MAX = 5000
TRADES_LIMIT_MAX = 1000
FIND_NAMES = frozenset({"symbol", "orderId", "origClientOrderId"})
NO_NAMES: frozenset[str] = frozenset()


class Method(NamedTuple):
    """One method: what it reads, what it costs, and what it does."""

    run: Callable[[Parameters], Any]
    names: frozenset[str] = NO_NAMES
    weight: Callable[[Parameters], int] | int = 1
    check: Callable[[Parameters], None] | None = None
    is_signed: bool = True
    is_order: bool = False
    tells_order_limits: bool = False


class Credentials(NamedTuple):
    """What a request proves itself with."""

    api_key: str | None
    payload: str
    signature: str


def check_find(parameters: Parameters) -> None:
    """Refuse a request that does not say which order it means."""
    require(parameters, "symbol")
    if "orderId" not in parameters and "origClientOrderId" not in parameters:
        text = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
        raise VenueError(-1128, text)


def check_symbol(parameters: Parameters) -> None:
    """Refuse a request without a symbol."""
    require(parameters, "symbol")


def depth_weight(parameters: Parameters) -> int:
    """Return what a depth request of this size costs."""
    limit = read_integer(parameters, "limit") or 100
    return next((weight for size, weight in DEPTH_WEIGHTS if limit <= size), 250)


def open_orders_weight(parameters: Parameters) -> int:
    """Return what listing the open orders costs."""
    return 6 if "symbol" in parameters else 80


class Methods:
    """All methods on one desk."""

    def __init__(self, desk: Desk, limits: RateLimits, keyring: Keyring) -> None:
        self.desk = desk
        self.limits = limits
        self.keyring = keyring
        find = FIND_NAMES
        self.table = {
            "ping": Method(lambda _: {}, is_signed=False),
            "time": Method(self.time, is_signed=False),
            "exchangeInfo": Method(
                self.exchange_info, frozenset({"symbol", "symbols"}), 20, is_signed=False
            ),
            "depth": Method(
                self.depth,
                frozenset({"symbol", "limit"}),
                depth_weight,
                check_symbol,
                is_signed=False,
            ),
            "order.place": Method(
                self.place, ORDER_NAMES, 1, require_order, is_order=True, tells_order_limits=True
            ),
            "order.cancel": Method(
                self.cancel,
                find | {"newClientOrderId", "cancelRestrictions"},
                1,
                check_find,
                is_order=True,
            ),
            "order.cancelReplace": Method(
                self.replace,
                REPLACE_NAMES,
                1,
                check_replace,
                is_order=True,
                tells_order_limits=True,
            ),
            "order.status": Method(self.status, find, 4, check_find),
            "openOrders.status": Method(
                self.open_orders, frozenset({"symbol"}), open_orders_weight
            ),
            "openOrders.cancelAll": Method(
                self.cancel_all, frozenset({"symbol"}), 1, check_symbol, is_order=True
            ),
            "account.status": Method(self.account, frozenset({"omitZeroBalances"}), 20),
            "account.rateLimits.orders": Method(self.order_limits, NO_NAMES, 40),
            "myTrades": Method(
                self.my_trades,
                frozenset({"symbol", "orderId", "fromId", "startTime", "endTime", "limit"}),
                lambda parameters: 5 if "orderId" in parameters else 20,
                check_symbol,
            ),
        }

    def authorize(self, parameters: Parameters, credentials: Credentials) -> None:
        """Refuse a request that is not the account's own, or not fresh."""
        if not credentials.signature:
            raise missing("signature")
        if "timestamp" not in parameters:
            raise missing("timestamp")
        self.keyring.check_key(credentials.api_key)
        self.keyring.check_signature(credentials.payload, credentials.signature)
        check_freshness(parameters)

    def call(self, method: Method, parameters: Parameters, credentials: Credentials) -> Any:
        """Return the method's result, or an awaitable of it; raises the venue's refusal."""
        if method.check is not None:
            method.check(parameters)
        refuse_unknown(parameters, method.names)
        if method.is_signed:
            self.authorize(parameters, credentials)
        if "symbol" in parameters:
            self.desk.market(parameters["symbol"])
        cost = method.weight
        weight = cost if isinstance(cost, int) else cost(parameters)
        self.limits.add_weight(weight)
        result = method.run(parameters)
        if method.is_order:
            self.limits.refund_weight(weight)
        return result

    def time(self, _: Parameters) -> dict[str, int]:
        """Return the server's clock."""
        return {"serverTime": time.time_ns() // 1_000_000}

    def exchange_info(self, parameters: Parameters) -> dict[str, Any]:
        """Return the symbols and their filters."""
        names = list(self.desk.markets)
        if "symbol" in parameters:
            names = [parameters["symbol"]]
        elif "symbols" in parameters:
            try:
                names = msgspec.json.decode(parameters["symbols"], type=list[str])
            except msgspec.DecodeError:
                raise VenueError(
                    -1100, "Illegal characters found in parameter 'symbols'."
                ) from None
        return {
            "timezone": "UTC",
            "serverTime": time.time_ns() // 1_000_000,
            "rateLimits": self.limits.rows(),
            "exchangeFilters": [],
            "symbols": [self.desk.market(name).instrument.row() for name in names],
        }

    def depth(self, parameters: Parameters) -> Awaitable[Any]:
        """Return the book, once it is there to tell."""
        limit = read_integer(parameters, "limit") or 100
        market = self.desk.market(parameters["symbol"])

        async def answer() -> Any:
            text = await market.snapshot(min(limit, DEPTH_LIMIT_MAX))
            return msgspec.Raw(text.encode())

        return answer()

    def place(self, parameters: Parameters) -> dict[str, Any]:
        """Place an order."""
        request = read_order(parameters)
        self.desk.check(request)
        refusal = self.limits.order_refusal()
        if refusal is not None:
            raise refusal
        return self.desk.place(request).placed()

    def _find(self, parameters: Parameters) -> Order | None:
        client_id = parameters.get("origClientOrderId", "")
        order_id = read_integer(parameters, "orderId")
        return self.desk.find(parameters["symbol"], order_id, client_id)

    def cancel(self, parameters: Parameters) -> dict[str, Any]:
        """Cancel an open order."""
        restriction = parameters.get("cancelRestrictions", "")
        if restriction not in ("", "ONLY_NEW", "ONLY_PARTIALLY_FILLED"):
            raise VenueError(-1145, "Invalid cancelRestrictions")
        order = self._find(parameters)
        wanted = restriction.removeprefix("ONLY_")
        if order is not None and order.is_open and wanted not in ("", order.status):
            text = "Order was not canceled due to cancel restrictions."
            raise VenueError(-2011, text)
        return self.desk.cancel(order, read_client_id(parameters, "newClientOrderId"))

    def replace(self, parameters: Parameters) -> dict[str, Any]:
        """Cancel an order and place another."""
        return replace_order(self.desk, self.limits, parameters)

    def status(self, parameters: Parameters) -> dict[str, Any]:
        """Return an order, open or finished."""
        order = self._find(parameters)
        if order is None:
            raise VenueError(-2013, "Order does not exist.")
        return order.status_row()

    def open_orders(self, parameters: Parameters) -> list[dict[str, Any]]:
        """Return the open orders, of one symbol or of all."""
        symbol = parameters.get("symbol")
        orders = self.desk.open_orders.values()
        return [o.status_row() for o in orders if symbol in (None, o.instrument.symbol)]

    def cancel_all(self, parameters: Parameters) -> list[dict[str, Any]]:
        """Cancel the open orders of one symbol."""
        symbol = parameters["symbol"]
        orders = [o for o in self.desk.open_orders.values() if o.instrument.symbol == symbol]
        if not orders:
            return [self.desk.cancel(None, "")]
        return [self.desk.cancel(order, "") for order in orders]

    def account(self, parameters: Parameters) -> dict[str, Any]:
        """Return the account and its balances."""
        return self.desk.account.status(parameters.get("omitZeroBalances") == "true")

    def order_limits(self, _: Parameters) -> list[dict[str, Any]]:
        """Return how many unfilled orders count against the limits."""
        return self.limits.counts(with_orders=True)[:2]

    def my_trades(self, parameters: Parameters) -> list[dict[str, Any]]:
        """Return the account's fills of one symbol, oldest first."""
        order_id = read_integer(parameters, "orderId")
        from_id = read_integer(parameters, "fromId")
        start_ms = read_integer(parameters, "startTime") or 0
        end_ms = read_integer(parameters, "endTime") or 1 << 62
        limit = min(read_integer(parameters, "limit") or 500, TRADES_LIMIT_MAX)
        orders = self.desk.filled.get(parameters["symbol"], [])
        rows = [
            row
            for order in orders
            if order_id in (None, order.order_id)
            for row in order.trade_rows()
            if row["id"] >= (from_id or 0) and start_ms <= row["time"] <= end_ms
        ]
        rows.sort(key=lambda row: row["id"])
        return rows[:limit] if from_id is not None or start_ms else rows[-limit:]
