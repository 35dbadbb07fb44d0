"""A request's parameters, read and checked in the venue's order and with the venue's words.

A request arrives as texts by name, whichever way it came: values are what was signed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from procs.exchange.binance.words.errors import ExchangeRefusal, missing, not_required
from procs.exchange.binance.words.exchange_info import (
    DEFAULT_PREVENTION_MODE,
    ORDER_TYPES,
    PREVENTION_MODES,
)
from procs.exchange.core.instrument import E8
from vortex.codes import Side

Parameters = Mapping[str, str]

SECURITY = frozenset({"apiKey", "signature", "timestamp", "recvWindow", "returnRateLimits"})
ORDER_NAMES = frozenset(
    {
        "symbol",
        "side",
        "type",
        "timeInForce",
        "price",
        "quantity",
        "quoteOrderQty",
        "newClientOrderId",
        "newOrderRespType",
        "selfTradePreventionMode",
    }
)
DECIMAL_PATTERN = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
CLIENT_ID_PATTERN = r"^[a-zA-Z0-9-_]{1,36}$"
INTEGER_PATTERN = r"^[0-9]{1,20}$"
DECIMALS_MAX = 8


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """The order half of a request; price and quantity still in 1e-8.

    A market order has either ``qty_e8`` or ``quote_e8``, and 0 for the other.
    """

    symbol: str
    side: int
    order_type: str
    time_in_force: str
    price_e8: int
    qty_e8: int
    quote_e8: int
    client_order_id: str
    response_type: str
    prevention_mode: str


def require(parameters: Parameters, name: str) -> str:
    """Return a parameter that must be there and not empty."""
    value = parameters.get(name, "")
    if not value:
        raise missing(name)
    return value


def illegal(name: str, pattern: str) -> ExchangeRefusal:
    """Return the refusal of a value that does not have the form of its parameter."""
    text = f"Illegal characters found in parameter '{name}'; legal range is '{pattern}'."
    return ExchangeRefusal(-1100, text)


def read_integer(parameters: Parameters, name: str) -> int | None:
    """Return an integer parameter; None when it was not sent."""
    value = parameters.get(name)
    if value is None:
        return None
    if not re.fullmatch(INTEGER_PATTERN, value):
        raise illegal(name, INTEGER_PATTERN)
    return int(value)


def read_client_id(parameters: Parameters, name: str) -> str:
    """Return a client order id; empty when it was not sent."""
    value = parameters.get(name)
    if value is None:
        return ""
    if not re.fullmatch(CLIENT_ID_PATTERN, value):
        raise illegal(name, CLIENT_ID_PATTERN)
    return value


def read_decimal_e8(parameters: Parameters, name: str) -> int:
    """Return a mandatory decimal in 1e-8; more than eight decimals are too precise."""
    value = require(parameters, name)
    if not re.fullmatch(DECIMAL_PATTERN, value):
        raise illegal(name, DECIMAL_PATTERN)
    if len(value.partition(".")[2]) > DECIMALS_MAX:
        raise ExchangeRefusal(-1111, f"Parameter '{name}' has too much precision.")
    return int(Decimal(value) * E8)


def refuse_unknown(parameters: Parameters, known: frozenset[str]) -> None:
    """Refuse a request that carries parameters which its method does not read."""
    read = sum(name in known or name in SECURITY for name in parameters)
    if read != len(parameters):
        text = (
            f"Not all sent parameters were read; read '{read}' parameter(s) but was sent "
            f"'{len(parameters)}'."
        )
        raise ExchangeRefusal(-1104, text)


def require_order(parameters: Parameters) -> None:
    """Refuse an order that lacks a parameter, has one too many, or names no known kind."""
    for name in ("symbol", "side", "type"):
        require(parameters, name)
    if parameters["side"] not in ("BUY", "SELL"):
        raise ExchangeRefusal(-1117, "Invalid side.")
    order_type = parameters["type"]
    if order_type not in ORDER_TYPES:
        raise ExchangeRefusal(-1116, "Invalid orderType.")
    if order_type == "LIMIT":
        if require(parameters, "timeInForce") not in ("GTC", "IOC", "FOK"):
            raise ExchangeRefusal(-1115, "Invalid timeInForce.")
    elif "timeInForce" in parameters:
        raise not_required("timeInForce")
    if order_type == "MARKET":
        if "price" in parameters:
            raise not_required("price")
        if "quoteOrderQty" in parameters and "quantity" in parameters:
            raise not_required("quoteOrderQty")
    else:
        require(parameters, "price")
        if "quoteOrderQty" in parameters:
            raise not_required("quoteOrderQty")
    if "quoteOrderQty" not in parameters:
        require(parameters, "quantity")
    if parameters.get("newOrderRespType", "ACK") not in ("ACK", "RESULT", "FULL"):
        raise ExchangeRefusal(-1103, "Invalid newOrderRespType.")
    mode = parameters.get("selfTradePreventionMode", DEFAULT_PREVENTION_MODE)
    if mode not in PREVENTION_MODES:
        text = "This symbol does not allow the specified self-trade prevention mode."
        raise ExchangeRefusal(-1013, text)


def read_order(parameters: Parameters) -> OrderRequest:
    """Return the order that a request asks for; `require_order` has passed it."""
    order_type = parameters["type"]
    is_market = order_type == "MARKET"
    by_quote = "quoteOrderQty" in parameters
    default_response = "ACK" if order_type == "LIMIT_MAKER" else "FULL"
    return OrderRequest(
        symbol=parameters["symbol"],
        side=(Side.BUY if parameters["side"] == "BUY" else Side.SELL).value,
        order_type=order_type,
        time_in_force=parameters.get("timeInForce", "GTC"),
        price_e8=0 if is_market else read_decimal_e8(parameters, "price"),
        qty_e8=0 if by_quote else read_decimal_e8(parameters, "quantity"),
        quote_e8=read_decimal_e8(parameters, "quoteOrderQty") if by_quote else 0,
        client_order_id=read_client_id(parameters, "newClientOrderId"),
        response_type=parameters.get("newOrderRespType", default_response),
        prevention_mode=parameters.get("selfTradePreventionMode", DEFAULT_PREVENTION_MODE),
    )
