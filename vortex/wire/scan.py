"""Compiled readers of JSON bytes: exact, in any key order, without a tree.

A text lies at ``[address, end_address)``.  The owner of the buffer keeps 64 readable bytes behind
it: words are loaded there, but no byte in them counts as part of the text.  A negative position in
the result is a ``codes.Refusal``.

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
def skip_space(address: int, end_address: int) -> int:
    """Return the position of the first byte that is not white space, at most ``end_address``."""
    while address < end_address:
        character = load_byte(address)
        if character != 32 and character != 10 and character != 13 and character != 9:
            return address
        address += 1
    return end_address


@compiled
def _skip_escape(address: int) -> int:
    """Return the position behind the escape whose backslash is at ``address``, or NOT_JSON."""
    character = load_byte(address + 1)
    if character == 117:  # \u and four hexadecimal digits
        return address + 6 if read_hexadecimal(address + 2, 4) >= 0 else NOT_JSON
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
    return address + 2 if known else NOT_JSON


@compiled
def skip_string(address: int, end_address: int) -> int:
    """Return the position of the closing quote of the string that begins at ``address``.

    ``address`` is its first character.  Return NOT_JSON when the string is not closed before
    ``end_address``, or holds a control character or a malformed escape.
    """
    while address < end_address:
        word = load_word(address)
        control = (word - 0x2020202020202020) & ~word & TOP_BITS
        marks = byte_marks(word, QUOTE) | byte_marks(word, BACKSLASH) | control
        if marks == 0:
            address += 8
            continue
        address += count_trailing_zeros(marks) >> 3
        character = load_byte(address)
        if address >= end_address or character < 32:
            return NOT_JSON
        if character == QUOTE:
            return address
        address = _skip_escape(address)
        if address < 0:
            return NOT_JSON
    return NOT_JSON


@compiled
def skip_number(address: int, end_address: int) -> int:
    """Return the position behind the JSON number at ``address``, or NOT_JSON."""
    if load_byte(address) == MINUS:
        address += 1
    first = address
    address = _skip_digits_before(address, end_address)
    if address == first or (load_byte(first) == ZERO and address > first + 1):
        return NOT_JSON
    if address < end_address and load_byte(address) == POINT:
        first = address + 1
        address = _skip_digits_before(first, end_address)
        if address == first:
            return NOT_JSON
    if address < end_address and load_byte(address) | 32 == 101:
        first = address + 1
        sign = load_byte(first)
        if sign == PLUS or sign == MINUS:
            first += 1
        address = _skip_digits_before(first, end_address)
        if address <= first:
            return NOT_JSON
    return address if address <= end_address else NOT_JSON


@compiled
def _skip_digits_before(address: int, end_address: int) -> int:
    """Return the position of the first byte that is not a digit, at most ``end_address``."""
    while address < end_address:
        count = leading_digits(load_word(address))
        if count < 8:
            return min(address + count, end_address)
        address += 8
    return end_address


@compiled
def _skip_scalar(address: int, end_address: int) -> int:
    """Return the position behind a string, number, true, false or null, or NOT_JSON."""
    character = load_byte(address)
    if character == QUOTE:
        address = skip_string(address + 1, end_address)
        return address + 1 if address >= 0 else NOT_JSON
    word = load_word(address)
    if low_bytes(word, 4) == TRUE or low_bytes(word, 4) == NULL:
        address += 4
    elif low_bytes(word, 5) == FALSE:
        address += 5
    else:
        return skip_number(address, end_address)
    return address if address <= end_address else NOT_JSON


@compiled
def _skip_key(address: int, end_address: int) -> int:
    """Return the position of the value whose key begins at ``address``, or NOT_JSON."""
    if address >= end_address or load_byte(address) != QUOTE:
        return NOT_JSON
    address = skip_string(address + 1, end_address)
    if address < 0:
        return NOT_JSON
    address = skip_space(address + 1, end_address)
    if address >= end_address or load_byte(address) != COLON:
        return NOT_JSON
    return skip_space(address + 1, end_address)


@compiled
def skip_value(address: int, end_address: int) -> int:
    """Return the position behind the JSON value that begins at ``address``, or NOT_JSON.

    The whole value is checked against the grammar.  Nesting is below ``DEPTH_MAX``: ``nesting`` has
    one bit for each open bracket, 1 for an object, 0 for an array, below a first 1.
    """
    nesting = 1
    while True:
        if address >= end_address:
            return NOT_JSON
        character = load_byte(address)
        if character == OPEN_OBJECT or character == OPEN_ARRAY:
            is_object = 1 if character == OPEN_OBJECT else 0
            address = skip_space(address + 1, end_address)
            nesting = nesting * 2 + is_object
            if nesting >> DEPTH_MAX:
                return NOT_JSON
            if address >= end_address or load_byte(address) != character + 2:
                if is_object:
                    address = _skip_key(address, end_address)
                    if address < 0:
                        return NOT_JSON
                continue
        else:
            address = _skip_scalar(address, end_address)
            if address < 0 or nesting == 1:
                return address
        address, nesting = _close(address, end_address, nesting)
        if address < 0 or nesting == 1:
            return address


@compiled
def _close(address: int, end_address: int, nesting_count: int) -> tuple[int, int]:
    """Return the position of the next value, and its nesting, after a value or an open bracket.

    Nesting 1 means that the outermost bracket was closed just before the position.
    """
    while nesting_count > 1:
        address = skip_space(address, end_address)
        if address >= end_address:
            return NOT_JSON, nesting_count
        character = load_byte(address)
        if character == COMMA:
            address = skip_space(address + 1, end_address)
            if nesting_count & 1:
                address = _skip_key(address, end_address)
            return address, nesting_count
        if character != (CLOSE_OBJECT if nesting_count & 1 else CLOSE_ARRAY):
            return NOT_JSON, nesting_count
        nesting_count >>= 1
        address += 1
    return address, nesting_count


@compiled
def open_object(address: int, end_address: int) -> int:
    """Return the position of the first key's quote or of the closing brace, or NOT_JSON."""
    if address >= end_address or load_byte(address) != OPEN_OBJECT:
        return NOT_JSON
    address = skip_space(address + 1, end_address)
    if address >= end_address:
        return NOT_JSON
    return address


@compiled
def read_member(address: int, end_address: int) -> tuple[int, int, int, int]:
    """Return one member of an object: key address, key bytes, value address, next position.

    ``address`` comes from ``open_object`` or from the previous member.  The next position is that
    of the next key's quote or of the closing brace, or NOT_JSON when the member or its value breaks
    the grammar.
    """
    value = _skip_key(address, end_address)
    if value < 0:
        return 0, 0, 0, NOT_JSON
    key_end = skip_string(address + 1, end_address)
    after = skip_value(value, end_address)
    if after < 0:
        return 0, 0, 0, NOT_JSON
    after = skip_space(after, end_address)
    character = load_byte(after)
    if after >= end_address or (character != COMMA and character != CLOSE_OBJECT):
        return 0, 0, 0, NOT_JSON
    if character == COMMA:
        after = skip_space(after + 1, end_address)
        if after >= end_address or load_byte(after) != QUOTE:
            return 0, 0, 0, NOT_JSON
    return address + 1, key_end - address - 1, value, after


@compiled
def check_text(address: int, end_address: int) -> int:
    """Return the position of a text's one value, or NOT_JSON when it has none or several."""
    value = skip_space(address, end_address)
    after = skip_value(value, end_address)
    if after < 0 or skip_space(after, end_address) != end_address:
        return NOT_JSON
    return value


@compiled
def read_string(address: int, end_address: int) -> tuple[int, int]:
    """Return address and length of the text of the string value at ``address``, escapes unread.

    The length is NOT_JSON when the value is not a string.
    """
    if address >= end_address or load_byte(address) != QUOTE:
        return address, NOT_JSON
    close = skip_string(address + 1, end_address)
    if close < 0:
        return address, NOT_JSON
    return address + 1, close - address - 1


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
def resolved_character(address: int) -> tuple[int, int, int]:
    """Return character code (-1 when not known), bytes in UTF-8, and the next position.

    A raw byte is returned unchanged: code 128 to 255 with a width of 1.
    """
    character = load_byte(address)
    if character != BACKSLASH:
        return character, 1, address + 1
    kind = load_byte(address + 1)
    if kind != 117:
        # \" \/ \\ mean the character itself; the others are control characters.
        return (kind if kind < 97 else -1), 1, address + 2
    code = read_hexadecimal(address + 2, 4)
    if 0xD800 <= code <= 0xDFFF:
        return -1, 1, address + 6
    width = 1 if code < 0x80 else 2 if code < 0x800 else 3
    return code, width, address + 6


@compiled
def _utf8_byte(code: int, width_bytes: int, index: int) -> int:
    """Return byte ``index`` of ``code`` written in ``width_bytes`` bytes of UTF-8."""
    if width_bytes == 1:
        return code
    if index > 0:
        return 0x80 | ((code >> (6 * (width_bytes - 1 - index))) & 0x3F)
    return (0xC0 | code >> 6) if width_bytes == 2 else (0xE0 | code >> 12)


@compiled
def plain_integer(address: int) -> tuple[int, int]:
    """Return the number of 1 to 18 digits at ``address`` and the position behind it.

    The number is -1 when there is none, when it is longer, or when it has a leading zero.
    """
    first = address
    value = 0
    while True:
        word = load_word(address)
        count = leading_digits(word)
        if address + count - first > SIGNIFICANT_DIGITS_MAX:
            return -1, address
        if count > 0:
            value = value * int(POWERS_OF_TEN[count]) + eight_digits(to_the_end(word, count))
        address += count
        if count < 8:
            break
    if address == first or (address > first + 1 and load_byte(first) == ZERO):
        return -1, address
    return value, address


@compiled
def plain_decimal(address: int) -> tuple[int, int]:
    """Return the decimal at ``address`` in 1e-8 and the position behind it.

    It reads only the form that venues send: 1 to 8 digits, a point, exactly 8 digits.  It does not
    look at what follows.  The number is -1 for every other form; ``read_e8`` reads those.
    """
    word = load_word(address)
    count = leading_digits(word)
    fraction = load_word(address + count + 1)
    wrong = (load_byte(address + count) ^ POINT) | (leading_digits(fraction) ^ 8)
    if wrong or count == 0 or (count > 1 and word & 0xFF == ZERO):
        return -1, address
    whole = eight_digits(to_the_end(word, count))
    return whole * 100_000_000 + eight_digits(fraction), address + count + 9


@compiled
def read_integer(text_address: int, end_address: int) -> tuple[int, int]:
    """Return the integer value at ``text_address`` (up to 18 digits) and 0, or 0 and a Refusal.

    A fraction, an exponent and a string are refused as NOT_JSON.
    """
    if text_address >= end_address:
        return 0, NOT_JSON
    sign = -1 if load_byte(text_address) == MINUS else 1
    first = text_address + 1 if sign < 0 else text_address
    after = skip_number(text_address, end_address)
    if after < 0 or _skip_digits_before(first, after) < after:
        return 0, NOT_JSON
    if after - first > SIGNIFICANT_DIGITS_MAX:
        return 0, OUT_OF_RANGE
    value = 0
    for address in range(first, after):
        value = value * 10 + load_byte(address) - ZERO
    return sign * value, 0


@compiled
def read_e8(address: int, end_address: int) -> tuple[int, int]:
    """Return the decimal value at ``address``, a string or a number, in 1e-8; and 0.

    Exact or refused.  The second value is NOT_JSON when the text is neither a JSON number nor a
    string of one, OUT_OF_RANGE for more than 18 significant digits or more than 63 bits, and
    OFF_TICK for a number finer than 1e-8.
    """
    if address >= end_address:
        return 0, NOT_JSON
    if load_byte(address) != QUOTE:
        after = skip_number(address, end_address)
        if after < 0:
            return 0, NOT_JSON
        return _decimal_e8(address, after)
    value, after = plain_decimal(address + 1)
    if value >= 0 and after < end_address and load_byte(after) == QUOTE:
        return value, 0
    close = skip_string(address + 1, end_address)
    if close < 0 or skip_number(address + 1, close) != close:
        return 0, NOT_JSON
    return _decimal_e8(address + 1, close)


@compiled
def _decimal_e8(address: int, end_address: int) -> tuple[int, int]:
    """Return the well-formed number at ``[address, end_address)`` in 1e-8, and 0 or a Refusal."""
    sign = 1
    if load_byte(address) == MINUS:
        sign = -1
        address += 1
    # value = mantissa * 10 ** exponent, the mantissa without zeros at either end.
    mantissa, digits, exponent, in_fraction = 0, 0, 0, 0
    zeros = 0
    while address < end_address:
        character = load_byte(address)
        if character | 32 == 101:
            break
        address += 1
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
    if address < end_address:
        exponent += _exponent(address + 1, end_address)
    if mantissa == 0:
        return 0, 0
    if exponent < 0:
        return 0, OFF_TICK
    if digits + exponent > 19 or mantissa > INT64_MAX // int(POWERS_OF_TEN[exponent]):
        return 0, OUT_OF_RANGE
    return sign * mantissa * int(POWERS_OF_TEN[exponent]), 0


@compiled
def _exponent(address: int, end_address: int) -> int:
    """Return the exponent whose sign or first digit is at ``address``, cut to EXPONENT_MAX."""
    sign = -1 if load_byte(address) == MINUS else 1
    if load_byte(address) == MINUS or load_byte(address) == PLUS:
        address += 1
    value = 0
    while address < end_address:
        value = min(EXPONENT_MAX, value * 10 + load_byte(address) - ZERO)
        address += 1
    return sign * value
