"""What an account may do with its orders: place, cancel, amend, replace."""

from typing import Any

from procs.exchange.binance.accounts.account_desk import Desk
from procs.exchange.binance.accounts.order_rows import placed
from procs.exchange.binance.words.errors import ExchangeRefusal
from procs.exchange.binance.words.parameters import (
    Parameters,
    read_client_id,
    read_decimal_e8,
    read_integer,
    read_order,
    require,
)
from procs.exchange.core.exchange_order import Order

CANCEL_RESTRICTIONS = ("", "ONLY_NEW", "ONLY_PARTIALLY_FILLED")


def check_symbol(parameters: Parameters) -> None:
    """Refuse a request without a symbol."""
    require(parameters, "symbol")


def check_find(parameters: Parameters) -> None:
    """Refuse a request that does not say which order it means."""
    require(parameters, "symbol")
    if "orderId" not in parameters and "origClientOrderId" not in parameters:
        text = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
        raise ExchangeRefusal(-1128, text)


def check_amend(parameters: Parameters) -> None:
    """Refuse an amendment that does not say of what, or to what."""
    check_find(parameters)
    require(parameters, "newQty")


def find_order(desk: Desk, parameters: Parameters) -> Order | None:
    """Return the account's order that a request means."""
    client_id = parameters.get("origClientOrderId", "")
    order_id = read_integer(parameters, "orderId")
    symbol = parameters["symbol"]
    order = desk.find(symbol, order_id, client_id)
    if order is None and order_id is not None and desk.find(symbol, order_id, "") is not None:
        raise ExchangeRefusal(-2039, "Client order ID is not correct for this order ID.")
    return order


def place(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """Place an order."""
    request = read_order(parameters)
    desk.check(request)
    refusal = desk.limits.order_refusal()
    if refusal is not None:
        raise refusal
    return placed(desk.place(request))


def test_order(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """Check an order as far as its filters, and do nothing with it."""
    desk.check(read_order(parameters))
    return {}


def cancel(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """Cancel an open order."""
    restriction = parameters.get("cancelRestrictions", "")
    if restriction not in CANCEL_RESTRICTIONS:
        raise ExchangeRefusal(-1145, "Invalid cancelRestrictions")
    order = find_order(desk, parameters)
    wanted = restriction.removeprefix("ONLY_")
    if order is not None and order.is_open and wanted not in ("", order.status):
        text = "Order was not canceled due to cancel restrictions."
        raise ExchangeRefusal(-2011, text)
    return desk.cancel(order, read_client_id(parameters, "newClientOrderId"))


def cancel_all(desk: Desk, parameters: Parameters) -> list[dict[str, Any]]:
    """Cancel the open orders of one symbol."""
    symbol = parameters["symbol"]
    orders = [o for o in desk.open_orders.values() if o.instrument.symbol == symbol]
    if not orders:
        return [desk.cancel(None, "")]
    return [desk.cancel(order, "") for order in orders]


def amend(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """Lower an open order's quantity; it keeps its place in the queue."""
    qty_e8 = read_decimal_e8(parameters, "newQty")
    client_id = read_client_id(parameters, "newClientOrderId")
    return desk.amend(find_order(desk, parameters), qty_e8, client_id)
