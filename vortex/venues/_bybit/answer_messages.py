"""What Bybit says on its order connections: replies to requests, and private topics.

*Source:* Bybit v5 API documentation, "WebSocket Stream": private topics; "Websocket Trade".
"""

from typing import NamedTuple

from ipc.compiled import compiled
from ipc.memory import load_byte, record_at
from ipc.types import Record
from vortex.codes import Answer, Refusal
from vortex.records import SESSION
from vortex.venues._bybit.answer_fields import ANSWER_BYTES, begin_answer
from vortex.venues._bybit.any_envelope import (
    MarketEnvelope,
    flag_at,
    read_market_envelope,
    read_topic,
)
from vortex.venues._bybit.private_rows import decode_row, instrument_of_row, read_row
from vortex.venues._bybit.trade_replies import decode_trade_reply
from vortex.wire.scan import (
    CLOSE_ARRAY,
    COMMA,
    NOT_JSON,
    OPEN_ARRAY,
    OPEN_OBJECT,
    skip_space,
    skip_value,
)
from vortex.wire.words import words_of

SESSION_DTYPE = SESSION.dtype
MISSING_KEY = int(Refusal.MISSING_KEY)
NOT_KNOWN = int(Refusal.NOT_KNOWN)
TOO_LARGE = int(Refusal.TOO_LARGE)

#: Places of the connections.
REQUESTS, PRIVATE = 0, 1

_ORDER, _EXECUTION = words_of(b"order"), words_of(b"execution")
_WALLET, _POSITION = words_of(b"wallet"), words_of(b"position")


class Readers(NamedTuple):
    """What a row is read with: where to look its symbol up, and whose ids are ours."""

    category: tuple[int, int, int]
    catalog_address: int
    session: Record


@compiled
def decode_message(
    connection_index: int,
    payload_address: int,
    payload_bytes: int,
    catalog_address: int,
    session_address: int,
    out_address: int,
    out_count_max: int,
    category: tuple[int, int, int],
) -> int:
    """Write the ANSWERs that a message of one connection says; return how many, or a Refusal.

    A message has at least one: OTHER where it says nothing of our orders.  ``category`` are the
    words of the venue's name for it: rows of another one are passed over.
    """
    end_address = payload_address + payload_bytes
    session = record_at(session_address, SESSION_DTYPE)
    if connection_index == REQUESTS:
        return decode_trade_reply(payload_address, end_address, session, out_address, out_count_max)
    envelope = read_market_envelope(payload_address, end_address)
    if envelope.root < 0:
        return envelope.root
    if out_count_max < 1:
        return TOO_LARGE
    if envelope.topic == 0:
        return _decode_control(envelope, out_address)
    topic = read_topic(envelope.topic, end_address)
    if topic.words == _ORDER or topic.words == _EXECUTION:
        is_execution = 1 if topic.words == _EXECUTION else 0
        readers = Readers(category, catalog_address, session)
        return _decode_rows(
            envelope.data, end_address, is_execution, readers, out_address, out_count_max
        )
    is_balance = topic.words == _WALLET or topic.words == _POSITION
    begin_answer(out_address, Answer.BALANCE if is_balance else Answer.OTHER)
    return 1


@compiled
def _decode_control(envelope: MarketEnvelope, out_address: int) -> int:
    """Write the ANSWER of a message without a topic: a pong, or the reply to a subscription.

    Without its topics the connection tells nothing of our orders: the stream has ended.
    """
    if envelope.success == 0 and envelope.operation == 0:
        return NOT_KNOWN
    is_refused = envelope.success != 0 and flag_at(envelope.success) != 1
    begin_answer(out_address, Answer.STREAM_ENDED if is_refused else Answer.OTHER)
    return 1


@compiled
def _decode_rows(
    address: int,
    end_address: int,
    is_execution: int,
    readers: Readers,
    out_address: int,
    out_count_max: int,
) -> int:
    """Write an ANSWER for each row of our category; return how many, or a Refusal."""
    if address == 0:
        return MISSING_KEY
    if load_byte(address) != OPEN_ARRAY:
        return NOT_JSON
    count = 0
    address = skip_space(address + 1, end_address)
    while load_byte(address) != CLOSE_ARRAY:
        if load_byte(address) != OPEN_OBJECT:
            return NOT_JSON
        row = read_row(address, end_address)
        index = instrument_of_row(row, end_address, readers.category, readers.catalog_address)
        if index >= 0:
            if count == out_count_max:
                return TOO_LARGE
            answer = begin_answer(out_address + count * ANSWER_BYTES, Answer.EXECUTION)
            refusal = decode_row(
                answer, row, end_address, is_execution, index, readers.category,
                readers.catalog_address, readers.session,
            )  # fmt: skip
            if refusal < 0 and answer.order_id != 0:
                return refusal
            if refusal < 0:
                # An order of someone else on the account, of a kind that we do not place.
                begin_answer(out_address + count * ANSWER_BYTES, Answer.OTHER)
            count += 1
        address = skip_space(skip_value(address, end_address), end_address)
        if load_byte(address) == COMMA:
            address = skip_space(address + 1, end_address)
    if count == 0:
        begin_answer(out_address, Answer.OTHER)
        return 1
    return count
