"""What Binance Spot replies to a request: one order, its two halves, or an error.

*Source:* Binance Spot API documentation: WebSocket API (responses), Errors.
"""

from typing import NamedTuple

from ipc.compiled import compiled
from ipc.memory import load_byte, load_word
from ipc.types import Record
from vortex.codes import Answer, Outcome, Refusal, Reject
from vortex.decoding.tick_division import steps_of_row
from vortex.records import ANSWER
from vortex.venues._binance.fields import (
    Envelope,
    client_order_at,
    instrument_of,
    integer_at,
    nanoseconds_at,
    optional_lots,
    optional_ticks,
    side_at,
    state_at,
    words_at,
)
from vortex.venues._binance.request_ids import parse_request_id
from vortex.wire.scan import (
    CLOSE_OBJECT,
    COMMA,
    OPEN_ARRAY,
    OPEN_OBJECT,
    open_object,
    read_member,
    read_string,
    skip_space,
    skip_value,
    text_words,
)
from vortex.wire.words import word_of, words_of

ANSWER_DTYPE = ANSWER.dtype
NOT_JSON = int(Refusal.NOT_JSON)
_STATUS = words_of(b"status")
_DATA = words_of(b"data")
_SYMBOL = words_of(b"symbol")
_ORDER_ID = words_of(b"orderId")
_SIDE = words_of(b"side")
_CLIENT_ID = words_of(b"clientOrderId")
_OLD_CLIENT_ID = words_of(b"origClientOrderId")
_PRICE = words_of(b"price")
_QTY, _AMENDED_QTY = words_of(b"origQty"), words_of(b"qty")
_AMENDED = words_of(b"amendedOrder")
_EXECUTED = words_of(b"executedQty")
_TRANSACT_TIME = words_of(b"transactTime")
_UPDATE_TIME = words_of(b"updateTime")
_CODE = words_of(b"code")
_MESSAGE = words_of(b"msg")
_RETRY_AFTER = words_of(b"retryAfter")
_CANCEL_RESULT = words_of(b"cancelResult")
_NEW_RESULT = words_of(b"newOrderResult")
_CANCEL_RESPONSE = words_of(b"cancelResponse")
_NEW_RESPONSE = words_of(b"newOrderResponse")
_LIMIT_TYPE = words_of(b"rateLimitType")
_INTERVAL = words_of(b"interval")
_INTERVAL_COUNT = words_of(b"intervalNum")
_COUNT = words_of(b"count")
_ORDERS = words_of(b"ORDERS")
_SECOND = words_of(b"SECOND")
_SUCCESS = words_of(b"SUCCESS")
_FAILURE = words_of(b"FAILURE")
_WOULD_TAKE = word_of(b"Order wo")
_NO_BALANCE = word_of(b"Account ")
_WOULD_TAKE_1 = word_of(b"uld imme")
_NO_BALANCE_1 = word_of(b"has insu")


class Parts(NamedTuple):
    """Where the members begin of a result, an error, its data or half of a replace; 0 if not."""

    symbol: int
    order_id: int
    client_id: int
    old_client_id: int
    state: int
    side: int
    price: int
    qty: int
    executed: int
    time: int
    code: int
    message: int
    data: int
    retry_after: int
    cancel_result: int
    new_result: int
    cancel_response: int
    new_response: int
    amended: int


@compiled
def _no_parts() -> Parts:
    return Parts(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


@compiled
def _read_parts(address: int, end_address: int) -> Parts:
    """Return the members of the value at ``address``; none when it is no object."""
    if address == 0 or load_byte(address) != OPEN_OBJECT:
        return _no_parts()
    symbol, order_id, client_id, old_client_id, state, side = 0, 0, 0, 0, 0, 0
    price, qty, executed, time, code, message, data, retry_after = 0, 0, 0, 0, 0, 0, 0, 0
    cancel_result, new_result, cancel_response, new_response, amended = 0, 0, 0, 0, 0
    address = open_object(address, end_address)
    while load_byte(address) != CLOSE_OBJECT:
        key, key_bytes, value, address = read_member(address, end_address)
        name = text_words(key, key_bytes)
        if name == _SYMBOL:
            symbol = value
        elif name == _ORDER_ID:
            order_id = value
        elif name == _CLIENT_ID:
            client_id = value
        elif name == _OLD_CLIENT_ID:
            old_client_id = value
        elif name == _STATUS:
            state = value
        elif name == _SIDE:
            side = value
        elif name == _PRICE:
            price = value
        elif name == _QTY or name == _AMENDED_QTY:
            qty = value
        elif name == _EXECUTED:
            executed = value
        elif name == _TRANSACT_TIME or name == _UPDATE_TIME:
            time = value
        elif name == _CODE:
            code = value
        elif name == _MESSAGE:
            message = value
        elif name == _DATA:
            data = value
        elif name == _RETRY_AFTER:
            retry_after = value
        elif name == _CANCEL_RESULT:
            cancel_result = value
        elif name == _NEW_RESULT:
            new_result = value
        elif name == _CANCEL_RESPONSE:
            cancel_response = value
        elif name == _NEW_RESPONSE:
            new_response = value
        elif name == _AMENDED:
            amended = value
    # fmt: off
    return Parts(
        symbol, order_id, client_id, old_client_id, state, side, price, qty, executed, time,
        code, message, data, retry_after, cancel_result, new_result, cancel_response, new_response,
        amended,
    )


@compiled
def _outcome_at(address: int, end_address: int) -> int:
    """Return codes.Outcome of the half of a replace whose result is at ``address``."""
    name = words_at(address, end_address)
    if name == _SUCCESS:
        return Outcome.SUCCESS
    return Outcome.FAILURE if name == _FAILURE else Outcome.NOT_ATTEMPTED


@compiled
def reject_of(code: int, message_address: int, end_address: int) -> int:
    """Return codes.Reject of the venue's error ``code`` with the text at ``message_address``."""
    if code == 0:
        return Reject.NONE
    if code == -1003 or code == -1008 or code == -1015 or code == -1034:
        return Reject.VENUE_THROTTLED
    if code == -1013 or code == -1111:
        return Reject.VENUE_FILTER
    if code == -2011 or code == -2013 or code == -2026:
        return Reject.VENUE_UNKNOWN_ORDER
    if code == -1021:
        return Reject.VENUE_CLOCK
    if code == -1002 or code == -1022 or code == -2014 or code == -2015:
        return Reject.VENUE_SIGNATURE
    if code == -2010 and message_address:
        text, text_bytes = read_string(message_address, end_address)
        if text_bytes >= 16:
            first, second = load_word(text), load_word(text + 8)
            if first == _WOULD_TAKE and second == _WOULD_TAKE_1:
                return Reject.VENUE_WOULD_TAKE
            if first == _NO_BALANCE and second == _NO_BALANCE_1:
                return Reject.VENUE_BALANCE
    return Reject.VENUE_OTHER


@compiled
def _is_unknown(status: int, code: int) -> bool:
    """Return whether the venue itself does not know what became of the request."""
    return status >= 500 or code == -1000 or code == -1001 or code == -1006 or code == -1007


@compiled
def decode_reply(
    envelope: Envelope,
    end_address: int,
    catalog_address: int,
    session_address: int,
    answer: Record,
) -> int:
    """Fill the ANSWER from a reply to a request."""
    answer.kind = Answer.REPLY
    status = integer_at(envelope.status, end_address, -1)
    if status < 0:
        return NOT_JSON
    answer.status = status
    if envelope.request_id:
        text, text_bytes = read_string(envelope.request_id, end_address)
        if text_bytes > 0:
            answer.request_id = parse_request_id(text, text_bytes)
    answer.order_count_10s = _order_count(envelope.limits, end_address)
    error = _read_parts(envelope.error, end_address)
    result = _read_parts(envelope.result, end_address)
    halves = result if result.cancel_result else _read_parts(error.data, end_address)
    if halves.cancel_result:
        return _decode_halves(halves, end_address, catalog_address, session_address, answer)
    if envelope.error:
        _fill_error(error, status, end_address, answer)
        answer.retry_after_ms = max(0, integer_at(halves.retry_after, end_address, 0))
        return 1
    if envelope.result and load_byte(envelope.result) == OPEN_ARRAY:
        answer.cancel_outcome = Outcome.SUCCESS
        return 1
    if result.amended:
        answer.place_outcome = Outcome.SUCCESS
        amended = _read_parts(result.amended, end_address)
        return _fill_order(amended, end_address, catalog_address, session_address, answer)
    if result.old_client_id:
        answer.cancel_outcome = Outcome.SUCCESS
        return _fill_canceled(result, end_address, catalog_address, session_address, answer)
    if result.order_id:
        answer.place_outcome = Outcome.SUCCESS
        return _fill_order(result, end_address, catalog_address, session_address, answer)
    return 1


@compiled
def _fill_error(error: Parts, status: int, end_address: int, answer: Record) -> None:
    """Write the code, what it means to us, and that neither half was done (or nobody knows)."""
    code = integer_at(error.code, end_address, 0)
    answer.error_code = code
    answer.reject = reject_of(code, error.message, end_address)
    if status == 418 or status == 429:
        answer.reject = Reject.VENUE_THROTTLED
    outcome = Outcome.UNKNOWN if _is_unknown(status, code) else Outcome.FAILURE
    answer.cancel_outcome = outcome
    answer.place_outcome = outcome


@compiled
def _decode_halves(
    halves: Parts, end_address: int, catalog_address: int, session_address: int, answer: Record
) -> int:
    """Fill the ANSWER from the two halves of a replace."""
    canceled = _read_parts(halves.cancel_response, end_address)
    placed = _read_parts(halves.new_response, end_address)
    cancel_outcome = _outcome_at(halves.cancel_result, end_address)
    place_outcome = _outcome_at(halves.new_result, end_address)
    failed = placed if place_outcome == Outcome.FAILURE else canceled
    if cancel_outcome == Outcome.FAILURE or place_outcome == Outcome.FAILURE:
        _fill_error(failed, 0, end_address, answer)
    answer.cancel_outcome = cancel_outcome
    answer.place_outcome = place_outcome
    if cancel_outcome == Outcome.FAILURE and _is_unknown(
        0, integer_at(canceled.code, end_address, 0)
    ):
        answer.cancel_outcome = Outcome.UNKNOWN
    if place_outcome == Outcome.FAILURE and _is_unknown(0, integer_at(placed.code, end_address, 0)):
        answer.place_outcome = Outcome.UNKNOWN
    if place_outcome != Outcome.SUCCESS and canceled.order_id:
        return _fill_canceled(canceled, end_address, catalog_address, session_address, answer)
    answer.canceled_order_id = client_order_at(canceled.old_client_id, end_address, session_address)
    if canceled.order_id:
        refusal = _fill_order(canceled, end_address, catalog_address, session_address, answer)
        if refusal < 0:
            return refusal
        answer.canceled_filled_lots = answer.filled_lots
    if placed.order_id:
        return _fill_order(placed, end_address, catalog_address, session_address, answer)
    return 1


@compiled
def _fill_canceled(
    order: Parts, end_address: int, catalog_address: int, session_address: int, answer: Record
) -> int:
    """Write what a reply says of an order that was canceled."""
    refusal = _fill_order(order, end_address, catalog_address, session_address, answer)
    answer.order_id = 0
    answer.canceled_order_id = client_order_at(order.old_client_id, end_address, session_address)
    answer.canceled_filled_lots = answer.filled_lots
    return refusal


@compiled
def _fill_order(
    order: Parts, end_address: int, catalog_address: int, session_address: int, answer: Record
) -> int:
    """Write what a reply says of an order; return 1, or a Refusal."""
    index = instrument_of(order.symbol, end_address, catalog_address)
    if index < 0:
        return index
    steps = steps_of_row(catalog_address, index)
    price_ticks = optional_ticks(order.price, end_address, steps)
    qty_lots = optional_lots(order.qty, end_address, steps)
    filled_lots = optional_lots(order.executed, end_address, steps)
    worst = min(price_ticks, qty_lots, filled_lots)
    if worst < 0:
        return worst
    answer.instrument_id = index
    answer.price_ticks = price_ticks
    answer.qty_lots = qty_lots
    answer.filled_lots = filled_lots
    answer.order_id = client_order_at(order.client_id, end_address, session_address)
    answer.venue_order_id = integer_at(order.order_id, end_address, 0)
    answer.side = side_at(order.side, end_address)
    answer.state = state_at(order.state, end_address)
    answer.venue_ns = nanoseconds_at(order.time, end_address)
    return 1


@compiled
def _order_count(address: int, end_address: int) -> int:
    """Return the count of the venue's 10 s window of orders from ``rateLimits``, or -1."""
    if address == 0 or load_byte(address) != OPEN_ARRAY:
        return -1
    address = skip_space(address + 1, end_address)
    while load_byte(address) == OPEN_OBJECT:
        count = _limit_count(address, end_address)
        if count >= 0:
            return count
        address = skip_space(skip_value(address, end_address), end_address)
        if load_byte(address) == COMMA:
            address = skip_space(address + 1, end_address)
    return -1


@compiled
def _limit_count(address: int, end_address: int) -> int:
    """Return the count of the limit at ``address`` if it is that of orders in 10 s, or -1."""
    limit_type, interval, interval_count, count = 0, 0, 0, 0
    address = open_object(address, end_address)
    while load_byte(address) != CLOSE_OBJECT:
        key, key_bytes, value, address = read_member(address, end_address)
        name = text_words(key, key_bytes)
        if name == _LIMIT_TYPE:
            limit_type = value
        elif name == _INTERVAL:
            interval = value
        elif name == _INTERVAL_COUNT:
            interval_count = value
        elif name == _COUNT:
            count = value
    if words_at(limit_type, end_address) != _ORDERS or words_at(interval, end_address) != _SECOND:
        return -1
    return (
        integer_at(count, end_address, -1)
        if integer_at(interval_count, end_address, 0) == 10
        else -1
    )
