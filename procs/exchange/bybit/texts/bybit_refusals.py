"""A refusal with the venue's code and words.

*Source:* the venue's documents, "Error Codes"; texts of codes that were seen on the wire are as
they were seen.
"""

from typing import Any


class BybitRefusal(Exception):
    """What the venue answers instead of a result; ``status`` is that of HTTP."""

    def __init__(self, code: int, message: str, status: int = 200) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message
        self.status = status

    def body(self) -> dict[str, Any]:
        """Return the refusal as it is sent."""
        return {"retCode": self.code, "retMsg": self.message}


def bad_parameter(text: str) -> BybitRefusal:
    """Return the refusal of a request that says too little, or what cannot be."""
    return BybitRefusal(10001, text)


#: Refusals of an order by what was wrong: the codes of perpetuals and of spot.
CODES = {
    "price": ((110003, "price is invalid"), (170134, "Order price has too many decimals.")),
    "price_high": (
        (30208, "The order price is higher than the maximum buying price."),
        (170193, "Buy order price cannot be higher than the limit."),
    ),
    "price_low": (
        (30209, "The order price is lower than the minimum selling price."),
        (170194, "Sell order price cannot be lower than the limit."),
    ),
    "qty": ((10001, "Qty invalid"), (170137, "Order volume decimal too long")),
    "qty_low": (
        (10001, "The number of contracts is below the minimum"),
        (170136, "Order quantity is lower than the minimum."),
    ),
    "qty_high": (
        (10001, "The number of contracts exceeds maximum limit allowed"),
        (170136, "Order quantity exceeded upper limit."),
    ),
    "value": (
        (110094, "Order does not meet minimum order value"),
        (170140, "Order value exceeded lower limit."),
    ),
    "funds": ((110007, "ab not enough for new order"), (170131, "Insufficient balance.")),
    "duplicate": ((110072, "OrderLinkedID is duplicate"), (170141, "Duplicate clientOrderId")),
    "too_many": (
        (110020, "You can only have 500 active orders"),
        (170810, "Cannot exceed maximum of 500 conditional, TP/SL and active orders."),
    ),
    "halted": ((110074, "This contract is not live"), (170151, "This symbol is not open")),
    "gone_replace": (
        (110001, "order not exists or too late to replace"),
        (170213, "Order does not exist."),
    ),
    "gone_cancel": (
        (110001, "order not exists or too late to cancel"),
        (170213, "Order does not exist."),
    ),
    "filled_more": (
        (110064, "The number of contracts is less than what has been filled"),
        (170313, "Order quantity cannot be less than what has been filled."),
    ),
}


def refused(what: str, *, is_linear: bool) -> BybitRefusal:
    """Return the refusal of an order for what was wrong with it."""
    code, text = CODES[what][0 if is_linear else 1]
    return BybitRefusal(code, text)


NOTHING_CHANGES = bad_parameter(
    "The order remains unchanged as the parameters entered match the existing ones."
)
NOTHING_TO_REDUCE = BybitRefusal(
    110017, "current position is zero, cannot fix reduce-only order qty"
)
POST_ONLY_TAKES = BybitRefusal(170218, "The LIMIT-MAKER order is rejected due to invalid price.")
TOO_MANY_VISITS = "Too many visits!"
UNKNOWN_OUTCOME = BybitRefusal(10016, "Internal server error.")
RESTARTING = BybitRefusal(10019, "ws trade service is restarting, do not accept new request")
