"""What an account may ask about itself: orders, trades, balances, limits."""

from typing import Any

from procs.exchange.binance.accounts.account_desk import Desk
from procs.exchange.binance.accounts.account_rows import account_status
from procs.exchange.binance.accounts.order_rows import status_row, trade_rows
from procs.exchange.binance.methods.trading import find_order
from procs.exchange.binance.words.errors import ExchangeRefusal
from procs.exchange.binance.words.parameters import Parameters, read_integer

ROWS_LIMIT_MAX = 1000
NEVER_MS = 1 << 62


def status(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """Return an order, open or finished."""
    order = find_order(desk, parameters)
    if order is None:
        raise ExchangeRefusal(-2013, "Order does not exist.")
    return status_row(order)


def open_orders(desk: Desk, parameters: Parameters) -> list[dict[str, Any]]:
    """Return the open orders, of one symbol or of all."""
    symbol = parameters.get("symbol")
    orders = desk.open_orders.values()
    return [status_row(o) for o in orders if symbol in (None, o.instrument.symbol)]


def all_orders(desk: Desk, parameters: Parameters) -> list[dict[str, Any]]:
    """Return the account's orders of one symbol, open or finished, oldest first."""
    symbol = parameters["symbol"]
    from_id = read_integer(parameters, "orderId")
    rows = [
        status_row(order)
        for (name, order_id), order in desk.orders.items()
        if name == symbol and order_id >= (from_id or 0)
    ]
    return limited(parameters, rows, is_from=from_id is not None)


def limited(
    parameters: Parameters, rows: list[dict[str, Any]], *, is_from: bool
) -> list[dict[str, Any]]:
    """Return the rows within the request's times and number: the first if it says from where."""
    start_ms = read_integer(parameters, "startTime") or 0
    end_ms = read_integer(parameters, "endTime") or NEVER_MS
    limit = min(read_integer(parameters, "limit") or 500, ROWS_LIMIT_MAX)
    rows = [row for row in rows if start_ms <= row["time"] <= end_ms]
    return rows[:limit] if is_from or start_ms else rows[-limit:]


def my_trades(desk: Desk, parameters: Parameters) -> list[dict[str, Any]]:
    """Return the account's fills of one symbol, oldest first."""
    order_id = read_integer(parameters, "orderId")
    from_id = read_integer(parameters, "fromId")
    rows = [
        row
        for order in desk.filled.get(parameters["symbol"], [])
        if order_id in (None, order.order_id)
        for row in trade_rows(order)
        if row["id"] >= (from_id or 0)
    ]
    rows.sort(key=lambda row: row["id"])
    return limited(parameters, rows, is_from=from_id is not None)


def account(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """Return the account and its balances."""
    omits_zero = parameters.get("omitZeroBalances") == "true"
    return account_status(desk.account, omits_zero, desk.owner_id)


def order_limits(desk: Desk, _: Parameters) -> list[dict[str, Any]]:
    """Return how many unfilled orders count against the limits."""
    return desk.limits.counts(with_orders=True)[:2]
