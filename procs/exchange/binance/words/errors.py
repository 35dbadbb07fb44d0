"""A refusal with the venue's code and words.

*Source:* the venue's list of error codes (Binance Spot API, "Errors").
"""

from typing import Any

from procs.exchange.faults.faults import Refuse


class ExchangeRefusal(Exception):
    """What the venue answers instead of a result."""

    def __init__(self, code: int, message: str, status: int = 400, data: Any = None) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message
        self.status = status
        self.data = data

    def body(self) -> dict[str, Any]:
        """Return the error object as it is sent."""
        body: dict[str, Any] = {"code": self.code, "msg": self.message}
        if self.data is not None:
            body["data"] = self.data
        return body


def missing(name: str) -> ExchangeRefusal:
    """Return the refusal of a request that lacks a mandatory parameter."""
    text = f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    return ExchangeRefusal(-1102, text)


def not_required(name: str) -> ExchangeRefusal:
    """Return the refusal of a parameter that this kind of order does not take."""
    return ExchangeRefusal(-1106, f"Parameter '{name}' sent when not required.")


def filter_failure(name: str) -> ExchangeRefusal:
    """Return the refusal of an order that breaks a filter of its symbol."""
    return ExchangeRefusal(-1013, f"Filter failure: {name}")


def rejected(text: str) -> ExchangeRefusal:
    """Return the refusal of an order by the matching engine."""
    return ExchangeRefusal(-2010, text)


def amend_rejected(text: str) -> ExchangeRefusal:
    """Return the refusal of an amendment by the matching engine."""
    return ExchangeRefusal(-2038, text)


def too_many_requests(fault: Refuse, now_ms: int) -> ExchangeRefusal:
    """Return the refusal of a request for the number of its like."""
    until_ms = now_ms + fault.retry_after_s * 1000
    text = "Too much request weight used; please use WebSocket Streams for live updates."
    if fault.status == 418:
        text = f"Way too much request weight used; IP banned until {until_ms}."
    return ExchangeRefusal(
        -1003, text, fault.status, {"serverTime": now_ms, "retryAfter": until_ms}
    )


UNKNOWN_ORDER = "Unknown order sent."
WOULD_TAKE = "Order would immediately match and take."
INSUFFICIENT = "Account has insufficient balance for requested action."
DUPLICATE = "Duplicate order sent."
MARKET_CLOSED = "Market is closed."
