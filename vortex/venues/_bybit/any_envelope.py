"""What is around the data of Bybit's market messages, in any order of keys; and single values."""

from typing import NamedTuple

from ipc.compiled import compiled
from ipc.memory import load_byte, load_word
from vortex.codes import Refusal
from vortex.decoding.instruments import find_words
from vortex.venues._bybit.usual_heads import to_nanoseconds_of
from vortex.wire.scan import (
    CLOSE_OBJECT,
    FALSE,
    POINT,
    TRUE,
    ZERO,
    check_text,
    open_object,
    read_integer,
    read_member,
    read_string,
    resolved_character,
    text_words,
)
from vortex.wire.words import low_bytes, words_of

MISSING_KEY = int(Refusal.MISSING_KEY)
NOT_JSON = int(Refusal.NOT_JSON)
NOT_KNOWN = int(Refusal.NOT_KNOWN)
OUT_OF_RANGE = int(Refusal.OUT_OF_RANGE)
UNKNOWN_SYMBOL = int(Refusal.UNKNOWN_SYMBOL)

#: The most digits of a topic's number of levels.
LEVEL_DIGITS_MAX = 4

_TOPIC, _TYPE, _DATA = words_of(b"topic"), words_of(b"type"), words_of(b"data")
_TIME, _MATCHED = words_of(b"ts"), words_of(b"cts")
_SUCCESS, _OPERATION = words_of(b"success"), words_of(b"op")


class MarketEnvelope(NamedTuple):
    """Where the values of the outermost members begin; 0 for those that it has not.

    ``root`` is a Refusal when the text is no JSON object.  Of a key that occurs twice the last
    counts, as in Python.
    """

    root: int
    topic: int
    type: int
    venue_ms: int
    matched_ms: int
    data: int
    success: int
    operation: int


@compiled
def read_market_envelope(address: int, end_address: int) -> MarketEnvelope:
    """Return the outermost members of the message at ``[address, end_address)``."""
    topic, kind, venue_ms, matched_ms, data, success, operation = 0, 0, 0, 0, 0, 0, 0
    root = check_text(address, end_address)
    address = open_object(root, end_address) if root > 0 else NOT_JSON
    if address < 0:
        return MarketEnvelope(NOT_JSON if root < 0 else NOT_KNOWN, 0, 0, 0, 0, 0, 0, 0)
    while load_byte(address) != CLOSE_OBJECT:
        key, key_bytes, value, address = read_member(address, end_address)
        name = text_words(key, key_bytes)
        if name == _TOPIC:
            topic = value
        elif name == _TYPE:
            kind = value
        elif name == _TIME:
            venue_ms = value
        elif name == _MATCHED:
            matched_ms = value
        elif name == _DATA:
            data = value
        elif name == _SUCCESS:
            success = value
        elif name == _OPERATION:
            operation = value
    return MarketEnvelope(root, topic, kind, venue_ms, matched_ms, data, success, operation)


@compiled
def text_at(address: int, end_address: int) -> tuple[int, int, int]:
    """Return the string value at ``address`` as words; three times -1 where there is none."""
    if address == 0:
        return -1, -1, -1
    text, text_bytes = read_string(address, end_address)
    if text_bytes < 0:
        return -1, -1, -1
    return text_words(text, text_bytes)


@compiled
def flag_at(address: int) -> int:
    """Return 1 for true, 0 for false or no value, NOT_JSON for any other value."""
    if address == 0:
        return 0
    word = load_word(address)
    if low_bytes(word, 4) == TRUE:
        return 1
    return 0 if low_bytes(word, 5) == FALSE else NOT_JSON


@compiled
def id_at(address: int, end_address: int) -> int:
    """Return the non-negative integer at ``address``, or a Refusal."""
    if address == 0:
        return MISSING_KEY
    value, refusal = read_integer(address, end_address)
    if refusal < 0:
        return refusal
    return value if value >= 0 else OUT_OF_RANGE


@compiled
def time_at(address: int, end_address: int) -> int:
    """Return the time in ms at ``address`` in ns, or a Refusal."""
    value = id_at(address, end_address)
    if value < 0:
        return value
    venue_ns = to_nanoseconds_of(value)
    return venue_ns if venue_ns >= 0 else OUT_OF_RANGE


@compiled
def symbol_at(address: int, end_address: int, catalog_address: int) -> int:
    """Return the instrument of the symbol value at ``address``, or a Refusal."""
    if address == 0:
        return MISSING_KEY
    text, text_bytes = read_string(address, end_address)
    if text_bytes < 0:
        return NOT_JSON
    first, second, third = text_words(text, text_bytes)
    index = find_words(catalog_address, first, second, third)
    return index if index >= 0 else UNKNOWN_SYMBOL


@compiled
def skip_to_point(address: int, end_address: int) -> int:
    """Return where the first point of a string's text is, or ``end_address``."""
    while address < end_address:
        character, _, after = resolved_character(address)
        if character == POINT:
            return address
        address = after
    return end_address


class TopicName(NamedTuple):
    """A topic's first word, and the number of levels behind it; -1 where there is no number."""

    words: tuple[int, int, int]
    level_count: int


@compiled
def read_topic(address: int, end_address: int) -> TopicName:
    """Return what the topic at ``address`` is of; no words where it is no string."""
    text, text_bytes = read_string(address, end_address)
    if text_bytes < 0:
        return TopicName((0, 0, 0), -1)
    text_end = text + text_bytes
    point = skip_to_point(text, text_end)
    words = text_words(text, point - text)
    level_count, digit_count = 0, 0
    address = point
    while address < text_end:
        _, _, address = resolved_character(address)
        if address >= text_end:
            break
        character, _, _ = resolved_character(address)
        if character == POINT:
            break
        digit_count += 1
        if character < ZERO or character > ZERO + 9 or digit_count > LEVEL_DIGITS_MAX:
            return TopicName(words, -1)
        level_count = level_count * 10 + character - ZERO
    return TopicName(words, level_count if digit_count > 0 else -1)
