"""What a request may ask for: the same table for the WebSocket API and for REST.

A method is checked in the venue's order: parameters, key and signature, freshness, then what it
asks for.  A successful order request gives its weight back.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from procs.exchange.accounts.desks import Desks
from procs.exchange.accounts.journal import OrderRequestRow
from procs.exchange.accounts.venue import Venue
from procs.exchange.binance.accounts.account_desk import Desk
from procs.exchange.binance.methods import market_data, queries, trading
from procs.exchange.binance.methods.depth_books import DepthBooks
from procs.exchange.binance.methods.replacing import REPLACE_NAMES, check_replace, replace_order
from procs.exchange.binance.methods.signatures import Keyring, check_freshness, revoked
from procs.exchange.binance.methods.trading import check_amend, check_find, check_symbol
from procs.exchange.binance.words.errors import ExchangeRefusal, missing
from procs.exchange.binance.words.parameters import (
    ORDER_NAMES,
    Parameters,
    read_integer,
    refuse_unknown,
    require_order,
)
from procs.exchange.faults.faults import Revoke, TimeOut

DEPTH_WEIGHTS = ((100, 5), (500, 25), (1000, 50), (5000, 250))
NO_NAMES: frozenset[str] = frozenset()
SYMBOL = frozenset({"symbol"})
SYMBOLS = frozenset({"symbol", "symbols"})
FIND = frozenset({"symbol", "orderId", "origClientOrderId"})
SINCE = frozenset({"symbol", "orderId", "startTime", "endTime", "limit"})


class Method(NamedTuple):
    """One method: what it reads, what it costs, and what it does."""

    run: Callable[[Desk, Parameters], Any]
    names: frozenset[str] = NO_NAMES
    weight: Callable[[Parameters], int] | int = 1
    check: Callable[[Parameters], None] | None = None
    is_signed: bool = True
    is_order: bool = False
    tells_order_limits: bool = False


class RequestProof(NamedTuple):
    """How a request proves who sends it; ``is_logged_on`` replaces a signature."""

    api_key: str | None
    payload: str
    signature: str
    is_logged_on: bool = False


def depth_weight(parameters: Parameters) -> int:
    """Return what a depth request of this size costs."""
    limit = read_integer(parameters, "limit") or 100
    return next((weight for size, weight in DEPTH_WEIGHTS if limit <= size), 250)


def symbol_weight(one: int, all_symbols: int) -> Callable[[Parameters], int]:
    """Return what a request costs that may name one symbol or mean all."""
    return lambda parameters: one if "symbol" in parameters else all_symbols


PUBLIC_METHODS = {
    "ping": Method(lambda *_: {}),
    "time": Method(market_data.answer_time),
    "exchangeInfo": Method(
        market_data.answer_symbols, SYMBOLS | {"permissions", "showPermissionSets"}, 20
    ),
    "trades.recent": Method(market_data.answer_trades, SYMBOL | {"limit"}, 25, check_symbol),
    "trades.aggregate": Method(
        market_data.answer_aggregate_trades, SYMBOL | {"limit"}, 4, check_symbol
    ),
    "ticker.book": Method(market_data.answer_book_tickers, SYMBOLS, symbol_weight(2, 4)),
    "ticker.price": Method(market_data.answer_price_tickers, SYMBOLS, symbol_weight(2, 4)),
    "ticker.24hr": Method(market_data.answer_day_tickers, SYMBOLS, symbol_weight(2, 80)),
}
ORDER_METHODS = {
    "order.place": Method(trading.place, ORDER_NAMES, 1, require_order, tells_order_limits=True),
    "order.cancel": Method(
        trading.cancel, FIND | {"newClientOrderId", "cancelRestrictions"}, 1, check_find
    ),
    "order.cancelReplace": Method(
        replace_order, REPLACE_NAMES, 1, check_replace, tells_order_limits=True
    ),
    "order.amend.keepPriority": Method(
        trading.amend, FIND | {"newClientOrderId", "newQty"}, 4, check_amend
    ),
    "openOrders.cancelAll": Method(trading.cancel_all, SYMBOL, 1, check_symbol),
}
ACCOUNT_METHODS = {
    "order.test": Method(
        trading.test_order, ORDER_NAMES | {"computeCommissionRates"}, 1, require_order
    ),
    "order.status": Method(queries.status, FIND, 4, check_find),
    "openOrders.status": Method(queries.open_orders, SYMBOL, symbol_weight(6, 80)),
    "allOrders": Method(queries.all_orders, SINCE, 20, check_symbol),
    "account.status": Method(queries.account, frozenset({"omitZeroBalances"}), 20),
    "account.rateLimits.orders": Method(queries.order_limits, NO_NAMES, 40),
    "myTrades": Method(
        queries.my_trades,
        SINCE | {"fromId"},
        lambda parameters: 5 if "orderId" in parameters else 20,
        check_symbol,
    ),
}
METHODS = {
    **{name: method._replace(is_signed=False) for name, method in PUBLIC_METHODS.items()},
    **{name: method._replace(is_order=True) for name, method in ORDER_METHODS.items()},
    **ACCOUNT_METHODS,
}


def request_row(
    recv_ns: int, owner_id: int, name: str, parameters: Parameters, code: int
) -> OrderRequestRow:
    """Return what the journal keeps of an order request."""
    original = parameters.get("origClientOrderId") or parameters.get("cancelOrigClientOrderId")
    return OrderRequestRow(
        recv_ns,
        owner_id,
        name,
        parameters.get("symbol", ""),
        parameters.get("newClientOrderId", ""),
        original or "",
        code,
    )


class Methods:
    """All methods, for all accounts."""

    def __init__(self, venue: Venue, desks: Desks[Desk], keyring: Keyring) -> None:
        self.venue = venue
        self.desks = desks
        self.keyring = keyring
        self.books = DepthBooks(venue)
        depth = Method(self.books.answer_depth, SYMBOL | {"limit"}, depth_weight, check_symbol)
        self.table = {**METHODS, "depth": depth._replace(is_signed=False)}

    def desk(self, api_key: str | None) -> Desk:
        """Return the desk of the account that has this key; that of the first for a stranger."""
        return self.desks.of(self.keyring.owner_id(api_key) or 1)

    def authorize(self, parameters: Parameters, credentials: RequestProof) -> Desk:
        """Return the desk of the account that asks, or refuse who is none or comes late."""
        if "timestamp" not in parameters:
            raise missing("timestamp")
        if not credentials.is_logged_on:
            if not credentials.signature:
                raise missing("signature")
            self.keyring.check_signature(
                credentials.api_key, credentials.payload, credentials.signature
            )
        desk = self.desk(credentials.api_key)
        if self.venue.faults.standing(Revoke, lambda fault: fault.account == desk.owner_id):
            raise revoked()
        check_freshness(parameters, self.venue.clock)
        return desk

    def call(self, name: str, parameters: Parameters, credentials: RequestProof) -> Any:
        """Return the method's result, or an awaitable of it; raises the venue's refusal."""
        method, journal = self.table[name], self.venue.journal
        if journal is None or not method.is_order:
            return self._call(method, parameters, credentials)
        recv_ns, code = time.monotonic_ns(), 0
        try:
            return self._call(method, parameters, credentials)
        except ExchangeRefusal as error:
            code = error.code
            raise
        finally:
            owner_id = self.keyring.owner_id(credentials.api_key)
            journal.add_request(request_row(recv_ns, owner_id, name, parameters, code))

    def _call(self, method: Method, parameters: Parameters, credentials: RequestProof) -> Any:
        if method.check is not None:
            method.check(parameters)
        refuse_unknown(parameters, method.names)
        desk = self.desk(credentials.api_key)
        if method.is_signed:
            desk = self.authorize(parameters, credentials)
        if "symbol" in parameters:
            desk.market(parameters["symbol"])
        cost = method.weight
        weight = cost if isinstance(cost, int) else cost(parameters)
        desk.limits.add_weight(weight)
        result = method.run(desk, parameters)
        if method.is_order:
            desk.limits.refund_weight(weight)
            accounts = (0, desk.owner_id)
            if self.venue.faults.strikes(TimeOut, lambda fault: fault.account in accounts):
                text = (
                    "Timeout waiting for response from backend server. Send status unknown; "
                    "execution status unknown."
                )
                raise ExchangeRefusal(-1007, text, 504)
        return result
