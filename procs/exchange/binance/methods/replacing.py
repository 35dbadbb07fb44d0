"""Cancel and replace: two requests in one, not atomic.

*Source:* the venue's documents, "Cancel and replace order": the table of modes and outcomes.
"""

from typing import Any

from procs.exchange.binance.accounts.account_desk import Desk
from procs.exchange.binance.accounts.order_rows import placed
from procs.exchange.binance.words.errors import ExchangeRefusal
from procs.exchange.binance.words.parameters import (
    ORDER_NAMES,
    OrderRequest,
    Parameters,
    read_client_id,
    read_integer,
    read_order,
    require,
    require_order,
)

REPLACE_NAMES = ORDER_NAMES | {
    "cancelReplaceMode",
    "cancelOrderId",
    "cancelOrigClientOrderId",
    "cancelNewClientOrderId",
    "orderRateLimitExceededMode",
}
SUCCESS, FAILURE, NOT_ATTEMPTED = "SUCCESS", "FAILURE", "NOT_ATTEMPTED"


def check_replace(parameters: Parameters) -> None:
    """Refuse a request that lacks a parameter of either half."""
    if require(parameters, "cancelReplaceMode") not in ("STOP_ON_FAILURE", "ALLOW_FAILURE"):
        raise ExchangeRefusal(-1100, "Invalid cancelReplaceMode.")
    if "cancelOrderId" not in parameters and "cancelOrigClientOrderId" not in parameters:
        text = (
            "Param 'cancelOrigClientOrderId' or 'cancelOrderId' must be sent, but both were "
            "empty/null!"
        )
        raise ExchangeRefusal(-1128, text)
    if parameters.get("orderRateLimitExceededMode", "DO_NOTHING") not in (
        "DO_NOTHING",
        "CANCEL_ONLY",
    ):
        raise ExchangeRefusal(-1100, "Invalid orderRateLimitExceededMode.")
    require_order(parameters)


def replace_order(desk: Desk, parameters: Parameters) -> dict[str, Any]:
    """Cancel one order and place another; return both answers, or refuse with both."""
    request = read_order(parameters)
    old = desk.find(
        request.symbol,
        read_integer(parameters, "cancelOrderId"),
        parameters.get("cancelOrigClientOrderId", ""),
    )
    desk.check(request, old if old is not None and old.is_open else None)
    too_many = desk.limits.order_refusal()
    if too_many and parameters.get("orderRateLimitExceededMode") != "CANCEL_ONLY":
        raise too_many
    cancel_result, cancel_response = SUCCESS, None
    try:
        cancel_id = read_client_id(parameters, "cancelNewClientOrderId")
        cancel_response = desk.cancel(old, cancel_id)
    except ExchangeRefusal as error:
        cancel_result, cancel_response = FAILURE, error.body()
    may_place = cancel_result == SUCCESS or parameters["cancelReplaceMode"] == "ALLOW_FAILURE"
    new_result, new_response = NOT_ATTEMPTED, None
    if too_many and may_place:
        new_result, new_response = FAILURE, too_many.body()
    elif may_place:
        new_result, new_response = place_half(desk, request, cancel_result == SUCCESS)
    if new_result == NOT_ATTEMPTED and not too_many:
        desk.limits.add_order()
    answer = {
        "cancelResult": cancel_result,
        "newOrderResult": new_result,
        "cancelResponse": cancel_response,
        "newOrderResponse": new_response,
    }
    if (cancel_result, new_result) == (SUCCESS, SUCCESS):
        return answer
    raise failure(answer, is_limited=too_many is not None, mode=parameters["cancelReplaceMode"])


def place_half(desk: Desk, request: OrderRequest, has_canceled: bool) -> tuple[str, dict[str, Any]]:
    """Place the new order; return how it ended and the answer or error."""
    try:
        return SUCCESS, placed(desk.place(request, tells_rejection=has_canceled))
    except ExchangeRefusal as error:
        return FAILURE, error.body()


def failure(answer: dict[str, Any], *, is_limited: bool, mode: str) -> ExchangeRefusal:
    """Return the refusal that carries both halves of a request that did not wholly succeed."""
    if SUCCESS in (answer["cancelResult"], answer["newOrderResult"]):
        status, code, text = 409, -2021, "Order cancel-replace partially failed."
    else:
        status, code, text = 400, -2022, "Order cancel-replace failed."
    if is_limited and mode == "STOP_ON_FAILURE":
        status = 429
    return ExchangeRefusal(code, text, status, answer)
