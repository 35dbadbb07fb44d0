"""What the peer of ``wire_to_wire`` answers: the venue's messages with places to be filled in.

*Source:* Binance Spot API documentation: WebSocket API (order.place, order.cancelReplace), User
data streams.
"""

import json
from enum import IntEnum
from typing import Any

from tools.bench.frames import SYMBOL

ZERO = "0.00000000"


class Field(IntEnum):
    """The fields that are filled in; the number between two NUL bytes marks the place of each."""

    REQUEST_ID = 1
    NEW_ID = 2
    OLD_ID = 3
    PRICE = 4
    QTY = 5
    SIDE = 6
    ORDER_NUMBER = 7
    OLD_NUMBER = 8
    OLD_PRICE = 9
    OLD_QTY = 10
    TIME = 11
    TRADE_NUMBER = 12


FIELD_COUNT = 16


def at(field: Field) -> str:
    """Return the place of a text."""
    return f"\0{field:02}\0"


def number_at(field: Field) -> str:
    """Return the place of a number."""
    return f"\1{field:02}\1"


def template(message: dict[str, Any]) -> bytes:
    """Return a message as JSON, its places as single bytes."""
    text = json.dumps(message, separators=(",", ":"), ensure_ascii=False)
    text = text.replace("\\u0000", "\0").replace("\\u0001", "\1")
    for field in Field:
        text = text.replace(f"\0{field:02}\0", chr(field)).replace(f'"\1{field:02}\1"', chr(field))
    return text.encode()


def placed() -> dict[str, Any]:
    """Return what the venue says of a new order under newOrderRespType ACK."""
    return {
        "symbol": SYMBOL,
        "orderId": number_at(Field.ORDER_NUMBER),
        "orderListId": -1,
        "clientOrderId": at(Field.NEW_ID),
        "transactTime": number_at(Field.TIME),
    }


def canceled() -> dict[str, Any]:
    """Return what the venue says of the order that a replacement took away."""
    return {
        "symbol": SYMBOL,
        "origClientOrderId": at(Field.OLD_ID),
        "orderId": number_at(Field.OLD_NUMBER),
        "orderListId": -1,
        "clientOrderId": "cancel-" + at(Field.OLD_NUMBER),
        "transactTime": number_at(Field.TIME),
        "price": at(Field.OLD_PRICE),
        "origQty": at(Field.OLD_QTY),
        "executedQty": ZERO,
        "origQuoteOrderQty": ZERO,
        "cummulativeQuoteQty": ZERO,
        "status": "CANCELED",
        "timeInForce": "GTC",
        "type": "LIMIT_MAKER",
        "side": at(Field.SIDE),
        "selfTradePreventionMode": "NONE",
    }


def reply(result: dict[str, Any]) -> bytes:
    """Return the reply to a request."""
    return template({"id": at(Field.REQUEST_ID), "status": 200, "result": result})


def report(execution: str, state: str, **changes: Any) -> bytes:
    """Return an execution report."""
    event = {
        "e": "executionReport", "E": number_at(Field.TIME), "s": SYMBOL, "c": at(Field.NEW_ID),
        "S": at(Field.SIDE), "o": "LIMIT_MAKER", "f": "GTC", "q": at(Field.QTY),
        "p": at(Field.PRICE), "P": ZERO, "F": ZERO, "g": -1, "C": "", "x": execution,
        "X": state, "r": "NONE", "i": number_at(Field.ORDER_NUMBER), "l": ZERO, "z": ZERO,
        "L": ZERO, "n": "0", "N": None, "T": number_at(Field.TIME), "t": -1, "I": 1,
        "w": True, "m": False, "M": False, "O": number_at(Field.TIME), "Z": ZERO, "Y": ZERO,
        "Q": ZERO, "W": number_at(Field.TIME), "V": "NONE", **changes,
    }  # fmt: skip
    return template({"subscriptionId": 0, "event": event})


PLACED = reply(placed())
REPLACED = reply(
    {
        "cancelResult": "SUCCESS",
        "newOrderResult": "SUCCESS",
        "cancelResponse": canceled(),
        "newOrderResponse": placed(),
    }
)
NEW_REPORT = report("NEW", "NEW")
CANCELED_REPORT = report(
    "CANCELED", "CANCELED", c="cancel-" + at(Field.OLD_NUMBER), C=at(Field.OLD_ID),
    i=number_at(Field.OLD_NUMBER), p=at(Field.OLD_PRICE), q=at(Field.OLD_QTY), w=False,
)  # fmt: skip
FILL_REPORT = report(
    "TRADE", "FILLED", l=at(Field.QTY), z=at(Field.QTY), L=at(Field.PRICE), N="USDT",
    t=number_at(Field.TRADE_NUMBER), w=False, m=True,
)  # fmt: skip
