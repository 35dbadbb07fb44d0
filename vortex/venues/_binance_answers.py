"""What Binance Spot says on the order connection: replies, execution reports, account events.

*Source:* Binance Spot API documentation: WebSocket API (responses), User data streams, Errors.
"""

from typing import NamedTuple

from ipc.compiled import compiled
from ipc.memory import load_byte, load_word, record_at, zero_bytes
from vortex.codes import Answer, Execution, FeeAsset, OrderState, Outcome, Refusal, Reject, Side
from vortex.instruments import find_words, instrument_at
from vortex.levels import Steps, read_lots, read_ticks
from vortex.records import ANSWER, INSTRUMENT
from vortex.scan import (
    CLOSE_OBJECT,
    COMMA,
    OPEN_ARRAY,
    OPEN_OBJECT,
    TRUE,
    check_text,
    open_object,
    read_e8,
    read_integer,
    read_member,
    read_string,
    skip_space,
    skip_value,
    text_words,
)
from vortex.venues._binance_anchored import steps_of_row, to_nanoseconds
from vortex.venues._binance_orders import parse_client_order_id, parse_request_id
from vortex.words import low_bytes, word_of, words_of

ANSWER_DTYPE = ANSWER.dtype
ANSWER_BYTES = ANSWER.dtype.itemsize
BASE_OFFSET_BYTES = INSTRUMENT.offset_bytes("base_asset")
QUOTE_OFFSET_BYTES = INSTRUMENT.offset_bytes("quote_asset")

MISSING_KEY = int(Refusal.MISSING_KEY)
NOT_JSON = int(Refusal.NOT_JSON)
NOT_KNOWN = int(Refusal.NOT_KNOWN)
OUT_OF_RANGE = int(Refusal.OUT_OF_RANGE)
UNKNOWN_SYMBOL = int(Refusal.UNKNOWN_SYMBOL)

_ID, _STATUS, _RESULT, _ERROR = (words_of(key) for key in (b"id", b"status", b"result", b"error"))
_EVENT, _DATA, _RATE_LIMITS = words_of(b"event"), words_of(b"data"), words_of(b"rateLimits")
_LETTER_E, _LETTER_S, _LETTER_C = words_of(b"e"), words_of(b"s"), words_of(b"c")
_UPPER_C, _UPPER_S, _LETTER_Q, _LETTER_P = (words_of(key) for key in (b"C", b"S", b"q", b"p"))
_LETTER_X, _UPPER_X, _LETTER_R, _LETTER_I = (words_of(key) for key in (b"x", b"X", b"r", b"i"))
_LETTER_L, _LETTER_Z, _UPPER_L, _LETTER_N = (words_of(key) for key in (b"l", b"z", b"L", b"n"))
_UPPER_N, _UPPER_T, _LETTER_T, _LETTER_M = (words_of(key) for key in (b"N", b"T", b"t", b"m"))

_SYMBOL, _ORDER_ID, _SIDE = words_of(b"symbol"), words_of(b"orderId"), words_of(b"side")
_CLIENT_ID, _OLD_CLIENT_ID = words_of(b"clientOrderId"), words_of(b"origClientOrderId")
_PRICE, _QTY, _EXECUTED = words_of(b"price"), words_of(b"origQty"), words_of(b"executedQty")
_TRANSACT_TIME, _UPDATE_TIME = words_of(b"transactTime"), words_of(b"updateTime")
_CODE, _MESSAGE, _RETRY_AFTER = words_of(b"code"), words_of(b"msg"), words_of(b"retryAfter")
_CANCEL_RESULT, _NEW_RESULT = words_of(b"cancelResult"), words_of(b"newOrderResult")
_CANCEL_RESPONSE, _NEW_RESPONSE = words_of(b"cancelResponse"), words_of(b"newOrderResponse")
_LIMIT_TYPE, _INTERVAL = words_of(b"rateLimitType"), words_of(b"interval")
_INTERVAL_COUNT, _COUNT = words_of(b"intervalNum"), words_of(b"count")
_ORDERS, _SECOND = words_of(b"ORDERS"), words_of(b"SECOND")

_EXECUTION_REPORT, _POSITION = words_of(b"executionReport"), words_of(b"outboundAccountPosition")
_BALANCE_UPDATE, _LOCK_UPDATE = words_of(b"balanceUpdate"), words_of(b"externalLockUpdate")
_STREAM_ENDED, _SHUTDOWN = words_of(b"eventStreamTerminated"), words_of(b"serverShutdown")

_BUY, _SUCCESS, _FAILURE = words_of(b"BUY"), words_of(b"SUCCESS"), words_of(b"FAILURE")
_NEW, _FILLED, _CANCELED = words_of(b"NEW"), words_of(b"FILLED"), words_of(b"CANCELED")
_PARTIALLY_FILLED, _PENDING_NEW = words_of(b"PARTIALLY_FILLED"), words_of(b"PENDING_NEW")
_PENDING_CANCEL, _REJECTED = words_of(b"PENDING_CANCEL"), words_of(b"REJECTED")
_EXPIRED, _EXPIRED_IN_MATCH = words_of(b"EXPIRED"), words_of(b"EXPIRED_IN_MATCH")
_TRADE, _REPLACED = words_of(b"TRADE"), words_of(b"REPLACED")
_PREVENTED, _NO_REASON = words_of(b"TRADE_PREVENTION"), words_of(b"NONE")
_WOULD_MATCH, _BALANCES = words_of(b"WOULD_MATCH_IMMEDIATELY"), words_of(b"INSUFFICIENT_BALANCES")
#: How the two messages under -2010 begin that mean something to us.
_WOULD_TAKE, _NO_BALANCE = word_of(b"Order wo"), word_of(b"Account ")
_WOULD_TAKE_1, _NO_BALANCE_1 = word_of(b"uld imme"), word_of(b"has insu")


class Envelope(NamedTuple):
    """Where the members of a message's outermost object begin; 0 for those that it has not."""

    root: int
    request_id: int
    status: int
    result: int
    error: int
    inner: int
    limits: int


@compiled
def _read_envelope(position: int, end: int) -> Envelope:
    """Return the outermost members; ``root`` is a Refusal when the text is no JSON object."""
    request_id, status, result, error, inner, limits = 0, 0, 0, 0, 0, 0
    root = check_text(position, end)
    position = open_object(root, end) if root > 0 else NOT_JSON
    if position < 0:
        return Envelope(NOT_JSON if root < 0 else NOT_KNOWN, 0, 0, 0, 0, 0, 0)
    while load_byte(position) != CLOSE_OBJECT:
        key, key_bytes, value, position = read_member(position, end)
        name = text_words(key, key_bytes)
        if name == _ID:
            request_id = value
        elif name == _STATUS:
            status = value
        elif name == _RESULT:
            result = value
        elif name == _ERROR:
            error = value
        elif name == _EVENT or name == _DATA:
            inner = value
        elif name == _RATE_LIMITS:
            limits = value
    if inner == 0 or load_byte(inner) != OPEN_OBJECT:
        inner = root
    return Envelope(root, request_id, status, result, error, inner, limits)


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


@compiled
def _no_parts() -> Parts:
    return Parts(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


@compiled
def _read_parts(position: int, end: int) -> Parts:
    """Return the members of the value at ``position``; none when it is no object."""
    if position == 0 or load_byte(position) != OPEN_OBJECT:
        return _no_parts()
    symbol, order_id, client_id, old_client_id, state, side = 0, 0, 0, 0, 0, 0
    price, qty, executed, time, code, message, data, retry_after = 0, 0, 0, 0, 0, 0, 0, 0
    cancel_result, new_result, cancel_response, new_response = 0, 0, 0, 0
    position = open_object(position, end)
    while load_byte(position) != CLOSE_OBJECT:
        key, key_bytes, value, position = read_member(position, end)
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
        elif name == _QTY:
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
    # fmt: off
    return Parts(
        symbol, order_id, client_id, old_client_id, state, side, price, qty, executed, time,
        code, message, data, retry_after, cancel_result, new_result, cancel_response, new_response,
    )
    # fmt: on


class Report(NamedTuple):
    """Where the members of an execution report begin; 0 for those that it has not."""

    symbol: int
    client_id: int
    old_client_id: int
    side: int
    qty: int
    price: int
    execution: int
    state: int
    reason: int
    order_id: int
    fill_qty: int
    filled: int
    fill_price: int
    fee: int
    fee_asset: int
    time: int
    trade_id: int
    maker: int


@compiled
def _read_report(position: int, end: int) -> Report:
    """Return the members of the execution report at ``position``."""
    symbol, client_id, old_client_id, side, qty, price = 0, 0, 0, 0, 0, 0
    execution, state, reason, order_id, fill_qty, filled = 0, 0, 0, 0, 0, 0
    fill_price, fee, fee_asset, time, trade_id, maker = 0, 0, 0, 0, 0, 0
    position = open_object(position, end)
    while load_byte(position) != CLOSE_OBJECT:
        key, key_bytes, value, position = read_member(position, end)
        name = text_words(key, key_bytes)
        if name == _LETTER_S:
            symbol = value
        elif name == _LETTER_C:
            client_id = value
        elif name == _UPPER_C:
            old_client_id = value
        elif name == _UPPER_S:
            side = value
        elif name == _LETTER_Q:
            qty = value
        elif name == _LETTER_P:
            price = value
        elif name == _LETTER_X:
            execution = value
        elif name == _UPPER_X:
            state = value
        elif name == _LETTER_R:
            reason = value
        elif name == _LETTER_I:
            order_id = value
        elif name == _LETTER_L:
            fill_qty = value
        elif name == _LETTER_Z:
            filled = value
        elif name == _UPPER_L:
            fill_price = value
        elif name == _LETTER_N:
            fee = value
        elif name == _UPPER_N:
            fee_asset = value
        elif name == _UPPER_T:
            time = value
        elif name == _LETTER_T:
            trade_id = value
        elif name == _LETTER_M:
            maker = value
    # fmt: off
    return Report(
        symbol, client_id, old_client_id, side, qty, price, execution, state, reason, order_id,
        fill_qty, filled, fill_price, fee, fee_asset, time, trade_id, maker,
    )
    # fmt: on


@compiled
def decode_answer(
    payload_address: int,
    payload_bytes: int,
    catalog_address: int,
    session_address: int,
    out_address: int,
) -> int:
    """Fill the ANSWER at ``out_address`` from one message; return 1, or a Refusal.

    Of a reply to a cancel, the order is ``canceled_order_id``.  An error that does not name the
    halves of a replace leaves both outcomes FAILURE, or UNKNOWN where the venue does not know.  Of
    a replace that failed, ``error_code`` is that of the half that failed, the new order's first.
    """
    end = payload_address + payload_bytes
    zero_bytes(out_address, ANSWER_BYTES)
    answer = record_at(out_address, ANSWER_DTYPE)
    answer.instrument_id = -1
    answer.trade_id = -1
    answer.order_count_10s = -1
    envelope = _read_envelope(payload_address, end)
    if envelope.root < 0:
        return envelope.root
    if envelope.status and envelope.inner == envelope.root:
        return _decode_reply(envelope, end, catalog_address, session_address, out_address)
    return _decode_event(envelope.inner, end, catalog_address, session_address, out_address)


@compiled
def _words_at(position: int, end: int) -> tuple[int, int, int]:
    """Return the string value at ``position`` as words; three zeros for none."""
    if position == 0:
        return 0, 0, 0
    text, text_bytes = read_string(position, end)
    if text_bytes < 0:
        return 0, 0, 0
    return text_words(text, text_bytes)


@compiled
def _integer_at(position: int, end: int, absent: int) -> int:
    """Return the integer value at ``position``, ``absent`` when there is none that fits."""
    if position == 0:
        return absent
    value, refusal = read_integer(position, end)
    return value if refusal == 0 else absent


@compiled
def _nanoseconds_at(position: int, end: int) -> int:
    """Return the time value at ``position`` in ns, 0 when there is none."""
    return max(0, to_nanoseconds(_integer_at(position, end, 0)))


@compiled
def _client_order_at(position: int, end: int, session_address: int) -> int:
    """Return our number of the order with the client order id at ``position``; 0 if not ours."""
    if position == 0:
        return 0
    text, text_bytes = read_string(position, end)
    return parse_client_order_id(session_address, text, text_bytes) if text_bytes > 0 else 0


@compiled
def _side_at(position: int, end: int) -> int:
    """Return codes.Side of the string at ``position``, 0 when there is none."""
    if position == 0:
        return 0
    return Side.BUY if _words_at(position, end) == _BUY else Side.SELL


@compiled
def _state_at(position: int, end: int) -> int:
    """Return codes.OrderState of the venue's order status at ``position``, 0 when it has none."""
    name = _words_at(position, end)
    if name == _NEW or name == _PARTIALLY_FILLED or name == _PENDING_CANCEL:
        return OrderState.RESTING
    if name == _FILLED:
        return OrderState.FILLED
    if name == _CANCELED:
        return OrderState.CANCELED
    if name == _REJECTED:
        return OrderState.REJECTED
    if name == _EXPIRED or name == _EXPIRED_IN_MATCH:
        return OrderState.EXPIRED
    return OrderState.SENT if name == _PENDING_NEW else OrderState.FREE


@compiled
def _outcome_at(position: int, end: int) -> int:
    """Return codes.Outcome of the half of a replace whose result is at ``position``."""
    name = _words_at(position, end)
    if name == _SUCCESS:
        return Outcome.SUCCESS
    return Outcome.FAILURE if name == _FAILURE else Outcome.NOT_ATTEMPTED


@compiled
def reject_of(code: int, message: int, end: int) -> int:
    """Return codes.Reject of the venue's error ``code`` with the text value at ``message``."""
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
    if code == -2010 and message:
        text, text_bytes = read_string(message, end)
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
def _decode_reply(
    envelope: Envelope, end: int, catalog_address: int, session_address: int, out_address: int
) -> int:
    """Fill the ANSWER from a reply to a request."""
    answer = record_at(out_address, ANSWER_DTYPE)
    answer.kind = Answer.REPLY
    status = _integer_at(envelope.status, end, -1)
    if status < 0:
        return NOT_JSON
    answer.status = status
    if envelope.request_id:
        text, text_bytes = read_string(envelope.request_id, end)
        if text_bytes > 0:
            answer.request_id = parse_request_id(text, text_bytes)
    answer.order_count_10s = _order_count(envelope.limits, end)
    error = _read_parts(envelope.error, end)
    result = _read_parts(envelope.result, end)
    halves = result if result.cancel_result else _read_parts(error.data, end)
    if halves.cancel_result:
        return _decode_halves(halves, end, catalog_address, session_address, out_address)
    if envelope.error:
        _fill_error(error, status, end, out_address)
        answer.retry_after_ms = max(0, _integer_at(halves.retry_after, end, 0))
        return 1
    if envelope.result and load_byte(envelope.result) == OPEN_ARRAY:
        answer.cancel_outcome = Outcome.SUCCESS
        return 1
    if result.old_client_id:
        answer.cancel_outcome = Outcome.SUCCESS
        return _fill_canceled(result, end, catalog_address, session_address, out_address)
    if result.order_id:
        answer.place_outcome = Outcome.SUCCESS
        return _fill_order(result, end, catalog_address, session_address, out_address)
    return 1


@compiled
def _fill_error(error: Parts, status: int, end: int, out_address: int) -> None:
    """Write the code, what it means to us, and that neither half was done (or nobody knows)."""
    answer = record_at(out_address, ANSWER_DTYPE)
    code = _integer_at(error.code, end, 0)
    answer.error_code = code
    answer.reject = reject_of(code, error.message, end)
    if status == 418 or status == 429:
        answer.reject = Reject.VENUE_THROTTLED
    outcome = Outcome.UNKNOWN if _is_unknown(status, code) else Outcome.FAILURE
    answer.cancel_outcome = outcome
    answer.place_outcome = outcome


@compiled
def _decode_halves(
    halves: Parts, end: int, catalog_address: int, session_address: int, out_address: int
) -> int:
    """Fill the ANSWER from the two halves of a replace."""
    answer = record_at(out_address, ANSWER_DTYPE)
    canceled = _read_parts(halves.cancel_response, end)
    placed = _read_parts(halves.new_response, end)
    cancel_outcome = _outcome_at(halves.cancel_result, end)
    place_outcome = _outcome_at(halves.new_result, end)
    failed = placed if place_outcome == Outcome.FAILURE else canceled
    if cancel_outcome == Outcome.FAILURE or place_outcome == Outcome.FAILURE:
        _fill_error(failed, 0, end, out_address)
    answer.cancel_outcome = cancel_outcome
    answer.place_outcome = place_outcome
    if cancel_outcome == Outcome.FAILURE and _is_unknown(0, _integer_at(canceled.code, end, 0)):
        answer.cancel_outcome = Outcome.UNKNOWN
    if place_outcome == Outcome.FAILURE and _is_unknown(0, _integer_at(placed.code, end, 0)):
        answer.place_outcome = Outcome.UNKNOWN
    if place_outcome != Outcome.SUCCESS and canceled.order_id:
        return _fill_canceled(canceled, end, catalog_address, session_address, out_address)
    answer.canceled_order_id = _client_order_at(canceled.old_client_id, end, session_address)
    if canceled.order_id:
        refusal = _fill_order(canceled, end, catalog_address, session_address, out_address)
        if refusal < 0:
            return refusal
        answer.canceled_filled_lots = answer.filled_lots
    if placed.order_id:
        return _fill_order(placed, end, catalog_address, session_address, out_address)
    return 1


@compiled
def _fill_canceled(
    order: Parts, end: int, catalog_address: int, session_address: int, out_address: int
) -> int:
    """Write what a reply says of an order that was canceled."""
    answer = record_at(out_address, ANSWER_DTYPE)
    refusal = _fill_order(order, end, catalog_address, session_address, out_address)
    answer.order_id = 0
    answer.canceled_order_id = _client_order_at(order.old_client_id, end, session_address)
    answer.canceled_filled_lots = answer.filled_lots
    return refusal


@compiled
def _instrument_of(symbol: int, end: int, catalog_address: int) -> int:
    """Return the instrument of the symbol value at ``symbol``, or a Refusal."""
    if symbol == 0:
        return MISSING_KEY
    first, second, third = _words_at(symbol, end)
    index = find_words(catalog_address, first, second, third)
    return index if index >= 0 else UNKNOWN_SYMBOL


@compiled
def _optional_ticks(position: int, end: int, steps: Steps) -> int:
    return read_ticks(position, end, steps) if position else 0


@compiled
def _optional_lots(position: int, end: int, steps: Steps) -> int:
    return read_lots(position, end, steps) if position else 0


@compiled
def _fill_order(
    order: Parts, end: int, catalog_address: int, session_address: int, out_address: int
) -> int:
    """Write what a reply says of an order; return 1, or a Refusal."""
    answer = record_at(out_address, ANSWER_DTYPE)
    index = _instrument_of(order.symbol, end, catalog_address)
    if index < 0:
        return index
    steps = steps_of_row(catalog_address, index)
    price_ticks = _optional_ticks(order.price, end, steps)
    qty_lots = _optional_lots(order.qty, end, steps)
    filled_lots = _optional_lots(order.executed, end, steps)
    worst = min(price_ticks, qty_lots, filled_lots)
    if worst < 0:
        return worst
    answer.instrument_id = index
    answer.price_ticks = price_ticks
    answer.qty_lots = qty_lots
    answer.filled_lots = filled_lots
    answer.order_id = _client_order_at(order.client_id, end, session_address)
    answer.venue_order_id = _integer_at(order.order_id, end, 0)
    answer.side = _side_at(order.side, end)
    answer.state = _state_at(order.state, end)
    answer.venue_ns = _nanoseconds_at(order.time, end)
    return 1


@compiled
def _order_count(position: int, end: int) -> int:
    """Return the count of the venue's 10 s window of orders from ``rateLimits``, or -1."""
    if position == 0 or load_byte(position) != OPEN_ARRAY:
        return -1
    position = skip_space(position + 1, end)
    while load_byte(position) == OPEN_OBJECT:
        count = _limit_count(position, end)
        if count >= 0:
            return count
        position = skip_space(skip_value(position, end), end)
        if load_byte(position) == COMMA:
            position = skip_space(position + 1, end)
    return -1


@compiled
def _limit_count(position: int, end: int) -> int:
    """Return the count of the limit at ``position`` if it is that of orders in 10 s, or -1."""
    limit_type, interval, interval_count, count = 0, 0, 0, 0
    position = open_object(position, end)
    while load_byte(position) != CLOSE_OBJECT:
        key, key_bytes, value, position = read_member(position, end)
        name = text_words(key, key_bytes)
        if name == _LIMIT_TYPE:
            limit_type = value
        elif name == _INTERVAL:
            interval = value
        elif name == _INTERVAL_COUNT:
            interval_count = value
        elif name == _COUNT:
            count = value
    if _words_at(limit_type, end) != _ORDERS or _words_at(interval, end) != _SECOND:
        return -1
    return _integer_at(count, end, -1) if _integer_at(interval_count, end, 0) == 10 else -1


@compiled
def _event_name(position: int, end: int) -> tuple[int, int, int]:
    """Return the event type of the object at ``position`` as words."""
    event = 0
    position = open_object(position, end)
    while load_byte(position) != CLOSE_OBJECT:
        key, key_bytes, value, position = read_member(position, end)
        if text_words(key, key_bytes) == _LETTER_E:
            event = value
    return _words_at(event, end)


@compiled
def _decode_event(
    position: int, end: int, catalog_address: int, session_address: int, out_address: int
) -> int:
    """Fill the ANSWER from an event of the user data stream."""
    answer = record_at(out_address, ANSWER_DTYPE)
    name = _event_name(position, end)
    if name == _EXECUTION_REPORT:
        report = _read_report(position, end)
        return _decode_report(report, end, catalog_address, session_address, out_address)
    if name == _POSITION or name == _BALANCE_UPDATE or name == _LOCK_UPDATE:
        answer.kind = Answer.BALANCE
    elif name == _STREAM_ENDED:
        answer.kind = Answer.STREAM_ENDED
    elif name == _SHUTDOWN:
        answer.kind = Answer.SHUTDOWN
    elif name != (0, 0, 0):
        answer.kind = Answer.OTHER
    else:
        return NOT_KNOWN
    return 1


@compiled
def _execution_at(position: int, end: int) -> int:
    """Return codes.Execution of the string at ``position``, 0 when it is none that we know."""
    name = _words_at(position, end)
    if name == _NEW:
        return Execution.NEW
    if name == _TRADE:
        return Execution.TRADE
    if name == _CANCELED:
        return Execution.CANCELED
    if name == _REPLACED:
        return Execution.REPLACED
    if name == _REJECTED:
        return Execution.REJECTED
    if name == _EXPIRED:
        return Execution.EXPIRED
    return Execution.PREVENTED if name == _PREVENTED else 0


@compiled
def _reason_at(position: int, end: int) -> int:
    """Return codes.Reject of the reject reason at ``position``."""
    name = _words_at(position, end)
    if name == _NO_REASON or name == (0, 0, 0):
        return Reject.NONE
    if name == _WOULD_MATCH:
        return Reject.VENUE_WOULD_TAKE
    return Reject.VENUE_BALANCE if name == _BALANCES else Reject.VENUE_OTHER


@compiled
def _fee_asset_at(position: int, end: int, catalog_address: int, index: int) -> int:
    """Return codes.FeeAsset of the asset name at ``position``."""
    first, second, third = _words_at(position, end)
    if first == 0:
        return FeeAsset.NONE
    row = instrument_at(catalog_address, index)
    if third == 0 and _asset_is(row + BASE_OFFSET_BYTES, first, second):
        return FeeAsset.BASE
    if third == 0 and _asset_is(row + QUOTE_OFFSET_BYTES, first, second):
        return FeeAsset.QUOTE
    return FeeAsset.OTHER


@compiled
def _asset_is(address: int, first: int, second: int) -> bool:
    return load_word(address) == first and load_word(address + 8) == second


@compiled
def _decode_report(
    report: Report, end: int, catalog_address: int, session_address: int, out_address: int
) -> int:
    """Fill the ANSWER from an execution report; return 1, or a Refusal."""
    answer = record_at(out_address, ANSWER_DTYPE)
    answer.kind = Answer.EXECUTION
    index = _instrument_of(report.symbol, end, catalog_address)
    if index < 0:
        return index
    if min(report.client_id, report.execution, report.state, report.order_id, report.filled) == 0:
        return MISSING_KEY
    execution = _execution_at(report.execution, end)
    state = _state_at(report.state, end)
    if execution == 0 or state == 0:
        return NOT_KNOWN
    answer.instrument_id = index
    answer.execution = execution
    answer.state = state
    answer.reject = _reason_at(report.reason, end)
    answer.side = _side_at(report.side, end)
    answer.venue_order_id = _integer_at(report.order_id, end, 0)
    answer.venue_ns = _nanoseconds_at(report.time, end)
    # A cancel has an id of its own, in ``c``; the order's is then in ``C``, which is empty else.
    named = report.client_id
    if _words_at(report.old_client_id, end) != (0, 0, 0):
        named = report.old_client_id
    answer.order_id = _client_order_at(named, end, session_address)
    if execution == Execution.CANCELED:
        answer.canceled_order_id = answer.order_id
    return _fill_fill(report, end, catalog_address, index, out_address)


@compiled
def _fill_fill(report: Report, end: int, catalog_address: int, index: int, out_address: int) -> int:
    """Write the report's prices, quantities and fee; return 1, or a Refusal."""
    answer = record_at(out_address, ANSWER_DTYPE)
    steps = steps_of_row(catalog_address, index)
    price_ticks = _optional_ticks(report.price, end, steps)
    qty_lots = _optional_lots(report.qty, end, steps)
    filled_lots = _optional_lots(report.filled, end, steps)
    fill_ticks = _optional_ticks(report.fill_price, end, steps)
    fill_lots = _optional_lots(report.fill_qty, end, steps)
    worst = min(price_ticks, qty_lots, filled_lots, fill_ticks, fill_lots)
    if worst < 0:
        return worst
    answer.price_ticks = price_ticks
    answer.qty_lots = qty_lots
    answer.filled_lots = filled_lots
    answer.fill_ticks = fill_ticks
    answer.fill_lots = fill_lots
    answer.trade_id = _integer_at(report.trade_id, end, -1)
    if report.fee:
        fee_e8, refusal = read_e8(report.fee, end)
        if refusal < 0:
            return refusal
        answer.fee_e8 = fee_e8
    answer.fee_asset = _fee_asset_at(report.fee_asset, end, catalog_address, index)
    if report.maker and low_bytes(load_word(report.maker), 4) == TRUE:
        answer.is_maker = 1
    return 1
