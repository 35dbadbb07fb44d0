"""What Bybit replies on the connection of requests: a request is accepted, or refused.

*Source:* Bybit v5 API documentation, "Websocket Trade Guideline"; "Rate Limit Rules".
"""

from typing import NamedTuple

from ipc.compiled import compiled
from ipc.memory import load_byte
from ipc.types import Record
from vortex.codes import Answer, OrderState, Outcome, Refusal, Reject
from vortex.venues._bybit.answer_fields import (
    ANSWER_BYTES,
    begin_answer,
    number_given,
    order_given,
    venue_order_given,
    words_given,
)
from vortex.venues._bybit.client_ids import REQUEST_LETTER, parse_client_id
from vortex.venues._bybit.error_codes import OK, RESTARTING, is_fate_unknown, reject_of_code
from vortex.wire.scan import (
    CLOSE_OBJECT,
    OPEN_OBJECT,
    check_text,
    open_object,
    read_member,
    read_string,
    text_words,
)
from vortex.wire.words import words_of

NOT_JSON = int(Refusal.NOT_JSON)
NOT_KNOWN = int(Refusal.NOT_KNOWN)
TOO_LARGE = int(Refusal.TOO_LARGE)

#: How long to wait when the venue refuses for the rate and does not say until when.
THROTTLE_MS = 1_000
STATUS_OK, STATUS_REFUSED, STATUS_THROTTLED, STATUS_UNKNOWN = 200, 400, 429, 500
_NOT_AN_INTEGER = -(2**62)

_REQUEST, _CODE, _OPERATION = words_of(b"reqId"), words_of(b"retCode"), words_of(b"op")
_DATA, _HEADER = words_of(b"data"), words_of(b"header")
_ORDER, _LINK = words_of(b"orderId"), words_of(b"orderLinkId")
_LEFT, _NOW = words_of(b"X-Bapi-Limit-Status"), words_of(b"Timenow")
#: ``X-Bapi-Limit-Reset-Timestamp``, longer than a key that three words hold.
_RESET, _RESET_BYTES = words_of(b"X-Bapi-Limit-Reset-Times"), 28
_CREATE, _AMEND = words_of(b"order.create"), words_of(b"order.amend")
_CANCEL, _AUTH = words_of(b"order.cancel"), words_of(b"auth")


class TradeReply(NamedTuple):
    """Where the members of a reply begin; 0 for those that it has not.

    ``root`` is a Refusal when the text is no JSON object.
    """

    root: int
    request_id: int
    code: int
    operation: int
    order: int
    link: int
    left: int
    reset: int
    now: int


@compiled
def _read_order(address: int, end_address: int) -> tuple[int, int]:
    """Return where ``orderId`` and ``orderLinkId`` of the value at ``address`` begin."""
    order, link = 0, 0
    if address == 0 or load_byte(address) != OPEN_OBJECT:
        return order, link
    address = open_object(address, end_address)
    while load_byte(address) != CLOSE_OBJECT:
        key, key_bytes, value, address = read_member(address, end_address)
        name = text_words(key, key_bytes)
        if name == _ORDER:
            order = value
        elif name == _LINK:
            link = value
    return order, link


@compiled
def _read_header(address: int, end_address: int) -> tuple[int, int, int]:
    """Return where the members of the value at ``address`` begin that say what fits the rate."""
    left, reset, now = 0, 0, 0
    if address == 0 or load_byte(address) != OPEN_OBJECT:
        return left, reset, now
    address = open_object(address, end_address)
    while load_byte(address) != CLOSE_OBJECT:
        key, key_bytes, value, address = read_member(address, end_address)
        name = text_words(key, key_bytes if key_bytes != _RESET_BYTES else 24)
        if name == _LEFT:
            left = value
        elif name == _RESET and key_bytes == _RESET_BYTES:
            reset = value
        elif name == _NOW:
            now = value
    return left, reset, now


@compiled
def _read_reply(address: int, end_address: int) -> TradeReply:
    """Return the members of the reply at ``[address, end_address)``."""
    request_id, code, operation, data, header = 0, 0, 0, 0, 0
    root = check_text(address, end_address)
    address = open_object(root, end_address) if root > 0 else NOT_JSON
    if address < 0:
        return TradeReply(NOT_JSON if root < 0 else NOT_KNOWN, 0, 0, 0, 0, 0, 0, 0, 0)
    while load_byte(address) != CLOSE_OBJECT:
        key, key_bytes, value, address = read_member(address, end_address)
        name = text_words(key, key_bytes)
        if name == _REQUEST:
            request_id = value
        elif name == _CODE:
            code = value
        elif name == _OPERATION:
            operation = value
        elif name == _DATA:
            data = value
        elif name == _HEADER:
            header = value
    order, link = _read_order(data, end_address)
    left, reset, now = _read_header(header, end_address)
    return TradeReply(root, request_id, code, operation, order, link, left, reset, now)


@compiled
def decode_trade_reply(
    address: int, end_address: int, session: Record, out_address: int, out_count_max: int
) -> int:
    """Write the ANSWERs of a message of the connection of requests; return how many, or a Refusal.

    A good reply means that the request was accepted: the order's state comes on the private
    connection.
    """
    reply = _read_reply(address, end_address)
    if reply.root < 0:
        return reply.root
    if out_count_max < 1:
        return TOO_LARGE
    code = number_given(reply.code, end_address, _NOT_AN_INTEGER)
    if code == _NOT_AN_INTEGER:
        return NOT_KNOWN
    operation = words_given(reply.operation, end_address)
    if operation != _CREATE and operation != _AMEND and operation != _CANCEL:
        is_over = operation == _AUTH and code != OK
        begin_answer(out_address, Answer.STREAM_ENDED if is_over else Answer.OTHER)
        return 1
    answer = begin_answer(out_address, Answer.REPLY)
    _fill_ids(answer, reply, end_address, session)
    _fill_outcome(answer, code, operation)
    _fill_rate(answer, reply, end_address)
    if code != RESTARTING:
        return 1
    if out_count_max < 2:
        return TOO_LARGE
    begin_answer(out_address + ANSWER_BYTES, Answer.SHUTDOWN)
    return 2


@compiled
def _fill_ids(answer: Record, reply: TradeReply, end_address: int, session: Record) -> None:
    """Write which request it answers, and about which order."""
    if reply.request_id:
        text, text_bytes = read_string(reply.request_id, end_address)
        if text_bytes > 0:
            answer.request_id = parse_client_id(session, REQUEST_LETTER, text, text_bytes)
    answer.order_id = order_given(reply.link, end_address, session)
    answer.venue_order_id = venue_order_given(reply.order, end_address)
    answer.venue_ns = number_given(reply.now, end_address, 0) * 1_000_000


@compiled
def _fill_outcome(answer: Record, code: int, operation: tuple[int, int, int]) -> None:
    """Write how the request ended; a refusal leaves both halves of it undone."""
    if code == OK:
        answer.status = STATUS_OK
        if operation == _CANCEL:
            answer.cancel_outcome = Outcome.SUCCESS
            answer.canceled_order_id = answer.order_id
            answer.order_id = 0
            return
        answer.place_outcome = Outcome.SUCCESS
        answer.state = OrderState.SENT if operation == _CREATE else OrderState.FREE
        return
    answer.error_code = code
    answer.reject = reject_of_code(code)
    outcome = Outcome.FAILURE
    answer.status = STATUS_REFUSED
    if is_fate_unknown(code):
        answer.status = STATUS_UNKNOWN
        outcome = Outcome.UNKNOWN
    elif answer.reject == Reject.VENUE_THROTTLED:
        answer.status = STATUS_THROTTLED
    answer.cancel_outcome = outcome
    answer.place_outcome = outcome


@compiled
def _fill_rate(answer: Record, reply: TradeReply, end_address: int) -> None:
    """Write what still fits the rate, and until when the venue takes nothing."""
    answer.limit_left_count = number_given(reply.left, end_address, -1)
    if answer.reject != Reject.VENUE_THROTTLED:
        return
    now_ms = number_given(reply.now, end_address, 0)
    reset_ms = number_given(reply.reset, end_address, 0)
    if reset_ms <= now_ms and now_ms > 0:
        reset_ms = now_ms + THROTTLE_MS
    answer.retry_after_ms = reset_ms
