"""Compiled writers of ASCII bytes at an address; each returns the address behind its text.

The caller's buffer has 24 writable bytes behind the text: words are stored there.
"""

import numpy as np

from ipc.compiled import compiled
from ipc.memory import address_of, copy_bytes, store_byte, store_word
from ipc.types import ByteArray
from vortex.wire.words import count_trailing_zeros, wrapping_product

E8 = 100_000_000
MINUS, POINT, ZERO = ord("-"), ord("."), ord("0")


def literal(text: str) -> ByteArray:
    """Return ASCII ``text`` as a constant that ``write_literal`` writes from compiled code."""
    constant = np.frombuffer(text.encode("ascii"), dtype=np.uint8).copy()
    constant.setflags(write=False)
    return constant


@compiled
def write_literal(address: int, constant: ByteArray) -> int:
    """Write a ``literal``."""
    copy_bytes(address, address_of(constant), constant.size)
    return address + constant.size


@compiled
def _eight_characters(number: int) -> int:
    """Return the eight decimal digits of ``number`` (0 to 99,999,999) as a word of characters."""
    # Each step halves the fields: a product with a rounded-up inverse is the quotient by 10,000,
    # then by 100, then by 10, and the remainder goes into the upper half of each field.
    high = number // 10_000
    quads = high + ((number - high * 10_000) << 32)
    highs = ((quads * 10_486) >> 20) & 0x0000007F0000007F
    pairs = highs + ((quads - highs * 100) << 16)
    tens = ((pairs * 103) >> 10) & 0x000F000F000F000F
    return (tens + ((pairs - tens * 10) << 8)) | 0x3030303030303030


@compiled
def write_integer(address: int, number: int) -> int:
    """Write ``number`` (above -2**63) in decimal digits, without leading zeros."""
    if number < 0:
        store_byte(address, MINUS)
        return _write_natural(address + 1, -number)
    return _write_natural(address, number)


@compiled
def _write_natural(address: int, number: int) -> int:
    """Write ``number`` (not negative) in decimal digits, without leading zeros."""
    if number < E8:
        return _write_first_digits(address, number)
    rest = number // E8
    if rest < E8:
        address = _write_first_digits(address, rest)
    else:
        address = _write_first_digits(address, rest // E8)
        store_word(address, _eight_characters(rest % E8))
        address += 8
    store_word(address, _eight_characters(number - rest * E8))
    return address + 8


@compiled
def _write_first_digits(address: int, number: int) -> int:
    """Write ``number`` (0 to 99,999,999) without leading zeros."""
    word = _eight_characters(number)
    zeros = min(7, count_trailing_zeros(word ^ 0x3030303030303030) >> 3)
    store_word(address, word >> (zeros << 3))
    return address + 8 - zeros


@compiled
def write_e8(address: int, value_e8: int) -> int:
    """Write ``value_e8`` (above -2**63) as a decimal with 8 places, as the venue does."""
    if value_e8 < 0:
        store_byte(address, MINUS)
        address += 1
        value_e8 = -value_e8
    whole = value_e8 // E8
    address = _write_natural(address, whole)
    store_byte(address, POINT)
    store_word(address + 1, _eight_characters(value_e8 - whole * E8))
    return address + 9


@compiled
def _eight_hexadecimal_characters(number: int) -> int:
    """Return the eight lower-case hexadecimal digits of ``number`` (32 bits) as a word."""
    swapped = (
        ((number & 0xFF) << 24)
        | ((number & 0xFF00) << 8)
        | ((number >> 8) & 0xFF00)
        | (number >> 24)
    )
    spread = (swapped | (swapped << 16)) & 0x0000FFFF0000FFFF
    spread = (spread | (spread << 8)) & 0x00FF00FF00FF00FF
    nibbles = ((spread >> 4) & 0x000F000F000F000F) | ((spread & 0x000F000F000F000F) << 8)
    letters = ((nibbles + 0x0606060606060606) >> 4) & 0x0101010101010101
    return nibbles + 0x3030303030303030 + wrapping_product(letters, 39)


@compiled
def write_hexadecimal(address: int, number: int, digit_count: int) -> int:
    """Write the low ``digit_count`` (1 to 16) hexadecimal digits of ``number``, in lower case."""
    if digit_count > 8:
        address = _write_hexadecimal_word(address, number >> 32, digit_count - 8)
        digit_count = 8
    return _write_hexadecimal_word(address, number, digit_count)


@compiled
def _write_hexadecimal_word(address: int, number: int, digit_count: int) -> int:
    """Write the low ``digit_count`` (1 to 8) hexadecimal digits of ``number``, lower case."""
    word = _eight_hexadecimal_characters(number & 0xFFFFFFFF)
    store_word(address, word >> ((8 - digit_count) << 3))
    return address + digit_count
