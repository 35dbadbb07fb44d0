"""What Binance Spot says on the order connection: replies, execution reports, account events.

*Source:* Binance Spot API documentation: WebSocket API (responses), User data streams, Errors.
"""

from ipc.compiled import compiled
from ipc.memory import load_byte, record_at, zero_bytes
from vortex.codes import Refusal
from vortex.records import ANSWER
from vortex.venues._binance.execution_report import decode_event
from vortex.venues._binance.fields import Envelope
from vortex.venues._binance.reply import decode_reply
from vortex.wire.scan import (
    CLOSE_OBJECT,
    OPEN_OBJECT,
    check_text,
    open_object,
    read_member,
    text_words,
)
from vortex.wire.words import words_of

ANSWER_DTYPE = ANSWER.dtype
ANSWER_BYTES = ANSWER.dtype.itemsize
NOT_JSON = int(Refusal.NOT_JSON)
NOT_KNOWN = int(Refusal.NOT_KNOWN)
TOO_LARGE = int(Refusal.TOO_LARGE)
_ID = words_of(b"id")
_STATUS = words_of(b"status")
_RESULT = words_of(b"result")
_ERROR = words_of(b"error")
_EVENT = words_of(b"event")
_DATA = words_of(b"data")
_RATE_LIMITS = words_of(b"rateLimits")


@compiled
def _read_envelope(address: int, end_address: int) -> Envelope:
    """Return the outermost members; ``root`` is a Refusal when the text is no JSON object."""
    request_id, status, result, error, inner, limits = 0, 0, 0, 0, 0, 0
    root = check_text(address, end_address)
    address = open_object(root, end_address) if root > 0 else NOT_JSON
    if address < 0:
        return Envelope(NOT_JSON if root < 0 else NOT_KNOWN, 0, 0, 0, 0, 0, 0)
    while load_byte(address) != CLOSE_OBJECT:
        key, key_bytes, value, address = read_member(address, end_address)
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


@compiled
def decode_answer(
    connection_index: int,
    payload_address: int,
    payload_bytes: int,
    catalog_address: int,
    session_address: int,
    out_address: int,
    out_count_max: int,
) -> int:
    """Fill the ANSWER at ``out_address`` from one message; return 1, or a Refusal.

    Of a reply to a cancel, the order is ``canceled_order_id``.  An error that does not name the
    halves of a replace leaves both outcomes FAILURE, or UNKNOWN where the venue does not know.  Of
    a replace that failed, ``error_code`` is that of the half that failed, the new order's first.
    The venue says all on one connection, and one thing in a message.
    """
    if out_count_max < 1 or connection_index != 0:
        return TOO_LARGE
    end = payload_address + payload_bytes
    zero_bytes(out_address, ANSWER_BYTES)
    answer = record_at(out_address, ANSWER_DTYPE)
    answer.instrument_id = -1
    answer.trade_id = -1
    answer.order_count_10s = -1
    answer.limit_left_count = -1
    envelope = _read_envelope(payload_address, end)
    if envelope.root < 0:
        return envelope.root
    if envelope.status and envelope.inner == envelope.root:
        return decode_reply(envelope, end, catalog_address, session_address, answer)
    return decode_event(envelope.inner, end, catalog_address, session_address, answer)
