"""Compiled readers of JSON bytes: exact, in any key order, without a tree.

A text lies at ``[position, end)``.  The owner of the buffer keeps 64 readable bytes behind ``end``:
words are loaded there, but no byte in them counts as part of the text.  A negative position in the
result is a ``codes.Refusal``.

*Source:* RFC 8259 (JSON); never stricter, and laxer only in one point: the frame's reader checks
UTF-8.
"""

from ipc.compiled import compiled
from ipc.memory import load_byte, load_word
from vortex.codes import Refusal
from vortex.wire.words import (
    POWERS_OF_TEN,
    TOP_BITS,
    byte_marks,
    count_trailing_zeros,
    eight_digits,
    leading_digits,
    low_bytes,
    read_hexadecimal,
    to_the_end,
)

#: How deep arrays and objects may nest: one bit of an int64 each.
DEPTH_MAX = 60

QUOTE, BACKSLASH, COMMA, COLON = ord('"'), ord("\\"), ord(","), ord(":")
OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY = ord("{"), ord("}"), ord("["), ord("]")
MINUS, PLUS, POINT, ZERO = ord("-"), ord("+"), ord("."), ord("0")
NOT_JSON = int(Refusal.NOT_JSON)
OUT_OF_RANGE = int(Refusal.OUT_OF_RANGE)
OFF_TICK = int(Refusal.OFF_TICK)

TRUE = int.from_bytes(b"true", "little")
FALSE = int.from_bytes(b"false", "little")
NULL = int.from_bytes(b"null", "little")

#: Longest key or symbol that ``text_words`` holds.
TEXT_BYTES_MAX = 24

SIGNIFICANT_DIGITS_MAX = 18
INT64_MAX = 2**63 - 1
EXPONENT_MAX = 9999


@compiled
def skip_space(position: int, end: int) -> int:
    """Return the position of the first byte that is not white space, at most ``end``."""
    while position < end:
        character = load_byte(position)
        if character != 32 and character != 10 and character != 13 and character != 9:
            return position
        position += 1
    return end


@compiled
def _skip_escape(position: int) -> int:
    """Return the position behind the escape whose backslash is at ``position``, or NOT_JSON."""
    character = load_byte(position + 1)
    if character == 117:  # \u and four hexadecimal digits
        return position + 6 if read_hexadecimal(position + 2, 4) >= 0 else NOT_JSON
    # " / \ b f n r t
    known = (
        character == QUOTE
        or character == 47
        or character == BACKSLASH
        or character == 98
        or character == 102
        or character == 110
        or character == 114
        or character == 116
    )
    return position + 2 if known else NOT_JSON


@compiled
def skip_string(position: int, end: int) -> int:
    """Return the position of the closing quote of the string that begins at ``position``.

    ``position`` is its first character.  Return NOT_JSON when the string is not closed before
    ``end``, or holds a control character or a malformed escape.
    """
    while position < end:
        word = load_word(position)
        control = (word - 0x2020202020202020) & ~word & TOP_BITS
        marks = byte_marks(word, QUOTE) | byte_marks(word, BACKSLASH) | control
        if marks == 0:
            position += 8
            continue
        position += count_trailing_zeros(marks) >> 3
        character = load_byte(position)
        if position >= end or character < 32:
            return NOT_JSON
        if character == QUOTE:
            return position
        position = _skip_escape(position)
        if position < 0:
            return NOT_JSON
    return NOT_JSON


@compiled
def skip_number(position: int, end: int) -> int:
    """Return the position behind the JSON number at ``position``, or NOT_JSON."""
    if load_byte(position) == MINUS:
        position += 1
    first = position
    position = _skip_digits_before(position, end)
    if position == first or (load_byte(first) == ZERO and position > first + 1):
        return NOT_JSON
    if position < end and load_byte(position) == POINT:
        first = position + 1
        position = _skip_digits_before(first, end)
        if position == first:
            return NOT_JSON
    if position < end and load_byte(position) | 32 == 101:
        first = position + 1
        sign = load_byte(first)
        if sign == PLUS or sign == MINUS:
            first += 1
        position = _skip_digits_before(first, end)
        if position <= first:
            return NOT_JSON
    return position if position <= end else NOT_JSON


@compiled
def _skip_digits_before(position: int, end: int) -> int:
    """Return the position of the first byte that is not a digit, at most ``end``."""
    while position < end:
        count = leading_digits(load_word(position))
        if count < 8:
            return min(position + count, end)
        position += 8
    return end


@compiled
def _skip_scalar(position: int, end: int) -> int:
    """Return the position behind a string, number, true, false or null, or NOT_JSON."""
    character = load_byte(position)
    if character == QUOTE:
        position = skip_string(position + 1, end)
        return position + 1 if position >= 0 else NOT_JSON
    word = load_word(position)
    if low_bytes(word, 4) == TRUE or low_bytes(word, 4) == NULL:
        position += 4
    elif low_bytes(word, 5) == FALSE:
        position += 5
    else:
        return skip_number(position, end)
    return position if position <= end else NOT_JSON


@compiled
def _skip_key(position: int, end: int) -> int:
    """Return the position of the value whose key begins at ``position``, or NOT_JSON."""
    if position >= end or load_byte(position) != QUOTE:
        return NOT_JSON
    position = skip_string(position + 1, end)
    if position < 0:
        return NOT_JSON
    position = skip_space(position + 1, end)
    if position >= end or load_byte(position) != COLON:
        return NOT_JSON
    return skip_space(position + 1, end)


@compiled
def skip_value(position: int, end: int) -> int:
    """Return the position behind the JSON value that begins at ``position``, or NOT_JSON.

    The whole value is checked against the grammar.  Nesting is below ``DEPTH_MAX``: ``nesting`` has
    one bit for each open bracket, 1 for an object, 0 for an array, below a first 1.
    """
    nesting = 1
    while True:
        if position >= end:
            return NOT_JSON
        character = load_byte(position)
        if character == OPEN_OBJECT or character == OPEN_ARRAY:
            is_object = 1 if character == OPEN_OBJECT else 0
            position = skip_space(position + 1, end)
            nesting = nesting * 2 + is_object
            if nesting >> DEPTH_MAX:
                return NOT_JSON
            if position >= end or load_byte(position) != character + 2:
                if is_object:
                    position = _skip_key(position, end)
                    if position < 0:
                        return NOT_JSON
                continue
        else:
            position = _skip_scalar(position, end)
            if position < 0 or nesting == 1:
                return position
        position, nesting = _close(position, end, nesting)
        if position < 0 or nesting == 1:
            return position


@compiled
def _close(position: int, end: int, nesting: int) -> tuple[int, int]:
    """Return the position of the next value, and its nesting, after a value or an open bracket.

    Nesting 1 means that the outermost bracket was closed just before the position.
    """
    while nesting > 1:
        position = skip_space(position, end)
        if position >= end:
            return NOT_JSON, nesting
        character = load_byte(position)
        if character == COMMA:
            position = skip_space(position + 1, end)
            if nesting & 1:
                position = _skip_key(position, end)
            return position, nesting
        if character != (CLOSE_OBJECT if nesting & 1 else CLOSE_ARRAY):
            return NOT_JSON, nesting
        nesting >>= 1
        position += 1
    return position, nesting


@compiled
def open_object(position: int, end: int) -> int:
    """Return the position of the first key's quote or of the closing brace, or NOT_JSON."""
    if position >= end or load_byte(position) != OPEN_OBJECT:
        return NOT_JSON
    position = skip_space(position + 1, end)
    if position >= end:
        return NOT_JSON
    return position


@compiled
def read_member(position: int, end: int) -> tuple[int, int, int, int]:
    """Return one member of an object: key address, key bytes, value address, next position.

    ``position`` comes from ``open_object`` or from the previous member.  The next position is that
    of the next key's quote or of the closing brace, or NOT_JSON when the member or its value breaks
    the grammar.
    """
    value = _skip_key(position, end)
    if value < 0:
        return 0, 0, 0, NOT_JSON
    key_end = skip_string(position + 1, end)
    after = skip_value(value, end)
    if after < 0:
        return 0, 0, 0, NOT_JSON
    after = skip_space(after, end)
    character = load_byte(after)
    if after >= end or (character != COMMA and character != CLOSE_OBJECT):
        return 0, 0, 0, NOT_JSON
    if character == COMMA:
        after = skip_space(after + 1, end)
        if after >= end or load_byte(after) != QUOTE:
            return 0, 0, 0, NOT_JSON
    return position + 1, key_end - position - 1, value, after


@compiled
def check_text(position: int, end: int) -> int:
    """Return the position of a text's one value, or NOT_JSON when it has none or several."""
    value = skip_space(position, end)
    after = skip_value(value, end)
    if after < 0 or skip_space(after, end) != end:
        return NOT_JSON
    return value


@compiled
def read_string(position: int, end: int) -> tuple[int, int]:
    """Return address and length of the text of the string value at ``position``, escapes unread.

    The length is NOT_JSON when the value is not a string.
    """
    if position >= end or load_byte(position) != QUOTE:
        return position, NOT_JSON
    close = skip_string(position + 1, end)
    if close < 0:
        return position, NOT_JSON
    return position + 1, close - position - 1


@compiled
def text_words(address: int, byte_count: int) -> tuple[int, int, int]:
    """Return the text between two quotes as three words, zero-filled; escapes are resolved.

    Text of more than ``TEXT_BYTES_MAX`` bytes, and text that cannot be a key or symbol (with an
    escaped control character or an escaped character beyond the basic plane), gives three times -1,
    which equals no text.
    """
    if byte_count > TEXT_BYTES_MAX:
        return _resolved_words(address, byte_count)
    first = low_bytes(load_word(address), byte_count)
    second = low_bytes(load_word(address + 8), byte_count - 8)
    third = low_bytes(load_word(address + 16), byte_count - 16)
    escapes = (
        byte_marks(first, BACKSLASH) | byte_marks(second, BACKSLASH) | byte_marks(third, BACKSLASH)
    )
    if escapes:
        return _resolved_words(address, byte_count)
    return first, second, third


@compiled
def _resolved_words(address: int, byte_count: int) -> tuple[int, int, int]:
    """Return the same as ``text_words``, character by character."""
    first, second, third, filled = 0, 0, 0, 0
    position, end = address, address + byte_count
    while position < end:
        code, width, position = resolved_character(position)
        if code < 32 or filled + width > TEXT_BYTES_MAX:
            return -1, -1, -1
        for index in range(width):
            character = _utf8_byte(code, width, index)
            signed = character - 256 if character > 127 and filled & 7 == 7 else character
            placed = signed * (1 << ((filled & 7) << 3))
            if filled < 8:
                first += placed
            elif filled < 16:
                second += placed
            else:
                third += placed
            filled += 1
    return first, second, third


@compiled
def resolved_character(position: int) -> tuple[int, int, int]:
    """Return character code (-1 when not known), bytes in UTF-8, and the next position.

    A raw byte is returned unchanged: code 128 to 255 with a width of 1.
    """
    character = load_byte(position)
    if character != BACKSLASH:
        return character, 1, position + 1
    kind = load_byte(position + 1)
    if kind != 117:
        # \" \/ \\ mean the character itself; the others are control characters.
        return (kind if kind < 97 else -1), 1, position + 2
    code = read_hexadecimal(position + 2, 4)
    if 0xD800 <= code <= 0xDFFF:
        return -1, 1, position + 6
    width = 1 if code < 0x80 else 2 if code < 0x800 else 3
    return code, width, position + 6


@compiled
def _utf8_byte(code: int, width: int, index: int) -> int:
    """Return byte ``index`` of ``code`` written in ``width`` bytes of UTF-8."""
    if width == 1:
        return code
    if index > 0:
        return 0x80 | ((code >> (6 * (width - 1 - index))) & 0x3F)
    return (0xC0 | code >> 6) if width == 2 else (0xE0 | code >> 12)


@compiled
def plain_integer(position: int) -> tuple[int, int]:
    """Return the number of 1 to 18 digits at ``position`` and the position behind it.

    The number is -1 when there is none, when it is longer, or when it has a leading zero.
    """
    first = position
    value = 0
    while True:
        word = load_word(position)
        count = leading_digits(word)
        if position + count - first > SIGNIFICANT_DIGITS_MAX:
            return -1, position
        if count > 0:
            value = value * int(POWERS_OF_TEN[count]) + eight_digits(to_the_end(word, count))
        position += count
        if count < 8:
            break
    if position == first or (position > first + 1 and load_byte(first) == ZERO):
        return -1, position
    return value, position


@compiled
def plain_decimal(position: int) -> tuple[int, int]:
    """Return the decimal at ``position`` in 1e-8 and the position behind it.

    It reads only the form that venues send: 1 to 8 digits, a point, exactly 8 digits.  It does not
    look at what follows.  The number is -1 for every other form; ``read_e8`` reads those.
    """
    word = load_word(position)
    count = leading_digits(word)
    fraction = load_word(position + count + 1)
    wrong = (load_byte(position + count) ^ POINT) | (leading_digits(fraction) ^ 8)
    if wrong or count == 0 or (count > 1 and word & 0xFF == ZERO):
        return -1, position
    whole = eight_digits(to_the_end(word, count))
    return whole * 100_000_000 + eight_digits(fraction), position + count + 9


@compiled
def read_integer(position: int, end: int) -> tuple[int, int]:
    """Return the integer value at ``position`` (up to 18 digits) and 0, or 0 and a Refusal.

    A fraction, an exponent and a string are refused as NOT_JSON.
    """
    if position >= end:
        return 0, NOT_JSON
    sign = -1 if load_byte(position) == MINUS else 1
    first = position + 1 if sign < 0 else position
    after = skip_number(position, end)
    if after < 0 or _skip_digits_before(first, after) < after:
        return 0, NOT_JSON
    if after - first > SIGNIFICANT_DIGITS_MAX:
        return 0, OUT_OF_RANGE
    value = 0
    for address in range(first, after):
        value = value * 10 + load_byte(address) - ZERO
    return sign * value, 0


@compiled
def read_e8(position: int, end: int) -> tuple[int, int]:
    """Return the decimal value at ``position``, a string or a number, in 1e-8; and 0.

    Exact or refused.  The second value is NOT_JSON when the text is neither a JSON number nor a
    string of one, OUT_OF_RANGE for more than 18 significant digits or more than 63 bits, and
    OFF_TICK for a number finer than 1e-8.
    """
    if position >= end:
        return 0, NOT_JSON
    if load_byte(position) != QUOTE:
        after = skip_number(position, end)
        if after < 0:
            return 0, NOT_JSON
        return _decimal_e8(position, after)
    value, after = plain_decimal(position + 1)
    if value >= 0 and after < end and load_byte(after) == QUOTE:
        return value, 0
    close = skip_string(position + 1, end)
    if close < 0 or skip_number(position + 1, close) != close:
        return 0, NOT_JSON
    return _decimal_e8(position + 1, close)


@compiled
def _decimal_e8(position: int, end: int) -> tuple[int, int]:
    """Return the well-formed number at ``[position, end)`` in 1e-8, and 0 or a Refusal."""
    sign = 1
    if load_byte(position) == MINUS:
        sign = -1
        position += 1
    # value = mantissa * 10 ** exponent, the mantissa without zeros at either end.
    mantissa, digits, exponent, in_fraction = 0, 0, 0, 0
    zeros = 0
    while position < end:
        character = load_byte(position)
        if character | 32 == 101:
            break
        position += 1
        if character == POINT:
            in_fraction = 1
            continue
        exponent -= in_fraction
        zeros += 1
        if character == ZERO:
            continue
        if mantissa == 0:
            zeros = 1
        digits += zeros
        if digits > SIGNIFICANT_DIGITS_MAX:
            return 0, OUT_OF_RANGE
        mantissa = mantissa * int(POWERS_OF_TEN[zeros]) + character - ZERO
        zeros = 0
    exponent += zeros + 8
    if position < end:
        exponent += _exponent(position + 1, end)
    if mantissa == 0:
        return 0, 0
    if exponent < 0:
        return 0, OFF_TICK
    if digits + exponent > 19 or mantissa > INT64_MAX // int(POWERS_OF_TEN[exponent]):
        return 0, OUT_OF_RANGE
    return sign * mantissa * int(POWERS_OF_TEN[exponent]), 0


@compiled
def _exponent(position: int, end: int) -> int:
    """Return the exponent whose sign or first digit is at ``position``, cut to EXPONENT_MAX."""
    sign = -1 if load_byte(position) == MINUS else 1
    if load_byte(position) == MINUS or load_byte(position) == PLUS:
        position += 1
    value = 0
    while position < end:
        value = min(EXPONENT_MAX, value * 10 + load_byte(position) - ZERO)
        position += 1
    return sign * value
