"""Ids of trades as 128 bits: a UUID is its bits, a decimal number its value."""

from ipc.compiled import compiled
from ipc.memory import load_byte, load_word
from vortex.codes import Refusal
from vortex.wire.scan import ZERO
from vortex.wire.words import (
    LOW_BITS,
    TOP_BITS,
    leading_digits,
    low_bytes,
    wrapping_product,
)

UUID_BYTES = 36
DECIMAL_BYTES_MAX = 19
NOT_JSON = int(Refusal.NOT_JSON)
OUT_OF_RANGE = int(Refusal.OUT_OF_RANGE)

_DASH = ord("-")
_NOT_A_DIGIT = 1 << 62


@compiled
def eight_hexadecimal_digits(word: int) -> int:
    """Return the number that eight hexadecimal digits of either case spell; 2**62 when not all do.

    The first character is the most significant digit.
    """
    letters = (word >> 6) & LOW_BITS
    mask = wrapping_product(letters, 0xFF)
    # A digit is 0x30 to 0x39, a letter 0x61 to 0x66; no sum below carries into the next byte.
    digit = (word ^ 0x3030303030303030) & ~mask
    letter = ((word | (letters << 5)) ^ 0x6060606060606060) & mask
    beyond = ((digit + 0x7676767676767676) | (letter + 0x7979797979797979)) | word
    below = (letters << 6) & ~(letter + 0x3F3F3F3F3F3F3F3F)
    if (beyond & TOP_BITS) | below:
        return _NOT_A_DIGIT
    nibbles = digit | (letter + wrapping_product(letters, 9))
    pairs = ((nibbles << 4) | (nibbles >> 8)) & 0x00FF00FF00FF00FF
    quads = ((pairs << 8) | (pairs >> 16)) & 0x0000FFFF0000FFFF
    return ((quads << 16) | (quads >> 32)) & 0xFFFFFFFF


@compiled
def _joined(first_address: int, second_address: int) -> int:
    """Return the four characters at each address as one word."""
    first = low_bytes(load_word(first_address), 4)
    return first | wrapping_product(low_bytes(load_word(second_address), 4), 1 << 32)


@compiled
def read_uuid(text_address: int) -> tuple[int, int, int]:
    """Return the upper and lower 64 bits of the UUID of 36 characters, and 0 or NOT_JSON."""
    dashes = (
        (load_byte(text_address + 8) ^ _DASH)
        | (load_byte(text_address + 13) ^ _DASH)
        | (load_byte(text_address + 18) ^ _DASH)
        | (load_byte(text_address + 23) ^ _DASH)
    )
    first = eight_hexadecimal_digits(load_word(text_address))
    second = eight_hexadecimal_digits(_joined(text_address + 9, text_address + 14))
    third = eight_hexadecimal_digits(_joined(text_address + 19, text_address + 24))
    fourth = eight_hexadecimal_digits(load_word(text_address + 28))
    if dashes or (first | second | third | fourth) & _NOT_A_DIGIT:
        return 0, 0, NOT_JSON
    high = wrapping_product(first, 1 << 32) | second
    return high, wrapping_product(third, 1 << 32) | fourth, 0


@compiled
def read_trade_id(text_address: int, text_bytes: int) -> tuple[int, int, int]:
    """Return the upper and lower 64 bits of the id in the text, and 0 or a Refusal.

    A UUID, or 1 to 19 digits; a number from 2**63 on wraps to the same bits.
    """
    if text_bytes == UUID_BYTES:
        return read_uuid(text_address)
    if text_bytes < 1 or text_bytes > DECIMAL_BYTES_MAX:
        return 0, 0, OUT_OF_RANGE
    value = 0
    for offset in range(0, text_bytes, 8):
        word = load_word(text_address + offset)
        if leading_digits(word) < min(8, text_bytes - offset):
            return 0, 0, NOT_JSON
    for offset in range(text_bytes):
        value = wrapping_product(value, 10) + load_byte(text_address + offset) - ZERO
    return 0, value, 0
