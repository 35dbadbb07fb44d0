"""What a request to create or amend an order says, read and checked.

*Source:* the venue's documents, "Place Order" and "Amend Order".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from procs.exchange.bybit.texts.bybit_refusals import BybitRefusal, bad_parameter
from procs.exchange.core.instrument import E8
from vortex.codes import Side

Parameters = Mapping[str, Any]
TIMES_IN_FORCE = ("GTC", "IOC", "FOK", "PostOnly")
PREVENTIONS = {
    "None": "NONE",
    "CancelMaker": "EXPIRE_MAKER",
    "CancelTaker": "EXPIRE_TAKER",
    "CancelBoth": "EXPIRE_BOTH",
}
LINK_ID_PATTERN = r"[A-Za-z0-9_-]{1,36}"
DECIMAL_PATTERN = r"[0-9]{1,18}(\.[0-9]{1,18})?"


@dataclass(frozen=True, slots=True)
class CreateRequest:
    """An order as asked for; price and quantity in 1e-8, the price 0 at the market.

    A market order has either ``qty_e8`` or ``quote_e8``, and 0 for the other.
    """

    side: int
    is_market: bool
    time_in_force: str
    price_e8: int
    qty_e8: int
    quote_e8: int
    link_id: str
    is_reduce_only: bool
    prevention_mode: str


def read_category(parameters: Parameters) -> str:
    """Return the category of a request."""
    category = parameters.get("category")
    if category not in ("spot", "linear"):
        raise bad_parameter("params error: category only support spot or linear")
    return str(category)


def read_text(parameters: Parameters, name: str) -> str:
    """Return a text; empty when it was not sent."""
    value = parameters.get(name, "")
    if not isinstance(value, str):
        raise bad_parameter(f"params error: {name} invalid")
    return value


def read_amount_e8(parameters: Parameters, name: str) -> int:
    """Return a decimal that is sent as a text, in 1e-8; what is finer is too precise."""
    text = read_text(parameters, name)
    if not re.fullmatch(DECIMAL_PATTERN, text):
        raise bad_parameter(f"params error: {name} invalid")
    value = Decimal(text) * E8
    if value != int(value):
        raise bad_parameter(f"params error: {name} has too many decimals")
    return int(value)


def read_link_id(parameters: Parameters) -> str:
    """Return the client's id of an order; empty when it was not sent."""
    link_id = read_text(parameters, "orderLinkId")
    if link_id and not re.fullmatch(LINK_ID_PATTERN, link_id):
        raise bad_parameter("params error: orderLinkId invalid")
    return link_id


def read_create(parameters: Parameters, category: str) -> CreateRequest:
    """Return the order that a request asks for."""
    side, order_type = read_text(parameters, "side"), read_text(parameters, "orderType")
    if side not in ("Buy", "Sell"):
        raise bad_parameter("params error: side invalid")
    if order_type not in ("Limit", "Market"):
        raise bad_parameter("params error: orderType invalid")
    is_market = order_type == "Market"
    time_in_force = read_text(parameters, "timeInForce") or "GTC"
    if time_in_force not in TIMES_IN_FORCE:
        raise bad_parameter("params error: timeInForce invalid")
    if str(parameters.get("positionIdx", 0)) != "0":
        raise bad_parameter("position idx not match position mode")
    if parameters.get("triggerPrice"):
        raise BybitRefusal(10001, "conditional orders are not supported here")
    smp_type = read_text(parameters, "smpType") or "None"
    if smp_type not in PREVENTIONS:
        raise bad_parameter("params error: smpType invalid")
    amount_e8 = read_amount_e8(parameters, "qty")
    default_unit = "quoteCoin" if side == "Buy" else "baseCoin"
    unit = read_text(parameters, "marketUnit") or default_unit
    is_quote = category == "spot" and is_market and unit == "quoteCoin"
    return CreateRequest(
        side=(Side.BUY if side == "Buy" else Side.SELL).value,
        is_market=is_market,
        time_in_force="IOC" if is_market else time_in_force,
        price_e8=0 if is_market else read_amount_e8(parameters, "price"),
        qty_e8=0 if is_quote else amount_e8,
        quote_e8=amount_e8 if is_quote else 0,
        link_id=read_link_id(parameters),
        is_reduce_only=parameters.get("reduceOnly") in (True, "true"),
        prevention_mode=PREVENTIONS[smp_type],
    )
