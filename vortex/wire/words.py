"""Eight bytes at once: arithmetic on words that holds several characters.

numba turns ``uint64 + int64`` into a float, so all of it is in int64: a product may wrap, and a
right shift copies the sign, which the masks that follow clear.  Where plain Python's unbounded
integers would give another result, a function is written twice, as in ``ipc.memory``.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from ipc.compiled import compiled
from ipc.memory import load_byte

I64 = ir.IntType(64)

#: 10 ** index, up to 63 bits.
POWERS_OF_TEN = np.array([10**power for power in range(19)], dtype=np.int64)

#: A word with its lowest ``index`` bytes set.
LOW_BYTES = np.array([256**count - 1 for count in range(8)] + [-1], dtype=np.int64)

#: The lowest and the highest bit of each byte.
LOW_BITS = 0x0101010101010101
TOP_BITS = -0x7F7F7F7F7F7F7F80


def word_of(text: bytes) -> int:
    """Return up to eight ASCII characters as a word, to compare with ``load_word``."""
    assert len(text) <= 8, text
    return int.from_bytes(text, "little")


def words_of(text: bytes) -> tuple[int, int, int]:
    """Return up to 24 ASCII characters as three words, zero-filled: see ``scan.text_words``."""
    assert len(text) <= 24, text
    return word_of(text[:8]), word_of(text[8:16]), word_of(text[16:])


def count_trailing_zeros(word: int) -> int:
    """Return the number of zero bits below the lowest one bit; 64 for zero."""
    word = int(word)
    return (word & -word).bit_length() - 1 if word else 64


def wrapping_product(left: int, right: int) -> int:
    """Return the low 64 bits of the product, as a signed word."""
    return (int(left) * int(right) + 2**63) % 2**64 - 2**63


def rotate_right(word: int, bit_count: int) -> int:
    """Return ``word`` with its lowest ``bit_count`` (0 to 63) bits moved to the top."""
    bits, count = int(word) % 2**64, int(bit_count)
    turned = (bits >> count | bits << (64 - count)) % 2**64
    return turned - 2**64 if turned >= 2**63 else turned


@intrinsic
def _count_trailing_zeros(typing_context: Any, word: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(I64, [I64, ir.IntType(1)])
        count = builder.module.declare_intrinsic("llvm.cttz", [I64], kind)
        return builder.call(count, [args[0], ir.Constant(ir.IntType(1), 0)])

    return types.int64(types.int64), codegen


@intrinsic
def _rotate_right(typing_context: Any, word: Any, bit_count: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(I64, [I64, I64, I64])
        turn = builder.module.declare_intrinsic("llvm.fshr", [I64], kind)
        return builder.call(turn, [args[0], args[0], args[1]])

    return types.int64(types.int64, types.int64), codegen


@overload(count_trailing_zeros)
def _(word: Any) -> Any:
    def machine(word: Any) -> Any:
        return _count_trailing_zeros(word)  # type: ignore[call-arg]

    return machine


@overload(wrapping_product)
def _(left: Any, right: Any) -> Any:
    def machine(left: Any, right: Any) -> Any:
        return left * right

    return machine


@overload(rotate_right)
def _(word: Any, bit_count: Any) -> Any:
    def machine(word: Any, bit_count: Any) -> Any:
        return _rotate_right(word, bit_count)  # type: ignore[call-arg]

    return machine


@compiled
def leading_digits(word: int) -> int:
    """Return how many of the eight characters, from the first, are digits: 0 to 8."""
    distance = word ^ 0x3030303030303030
    # A byte above nine carries into its top bit, or has it set; the carry affects only later bytes.
    beyond = ((distance + 0x7676767676767676) | distance) & TOP_BITS
    return count_trailing_zeros(beyond) >> 3


@compiled
def byte_marks(word: int, character: int) -> int:
    """Return a word whose lowest set bit is in the first byte that is ``character``, if any."""
    difference = word ^ (LOW_BITS * character)
    return (difference - LOW_BITS) & ~difference & TOP_BITS


@compiled
def eight_digits(word: int) -> int:
    """Return the number that eight digit characters spell; zero bytes in front count as zeros."""
    pairs = (wrapping_product(word & 0x0F0F0F0F0F0F0F0F, 2561) >> 8) & 0x00FF00FF00FF00FF
    quads = (wrapping_product(pairs, 6553601) >> 16) & 0x0000FFFF0000FFFF
    return (wrapping_product(quads, 42949672960001) >> 32) & 0xFFFFFFFF


@compiled
def to_the_end(word: int, byte_count: int) -> int:
    """Return the first ``byte_count`` (1 to 8) bytes, moved to the end of the word."""
    return wrapping_product(word & int(LOW_BYTES[byte_count]), 1 << ((8 - byte_count) << 3))


@compiled
def low_bytes(word: int, byte_count: int) -> int:
    """Return the first ``byte_count`` bytes of ``word``, zeros behind them; 8 or more is all."""
    return word & int(LOW_BYTES[min(8, max(0, byte_count))])


@compiled
def odd_inverse(odd: int) -> int:
    """Return the word whose product with ``odd`` has 1 as its low 64 bits.

    *Source:* Hacker's Delight, 10-16 (Newton's method; each step doubles the correct bits).
    """
    inverse = wrapping_product(odd, 3) ^ 2
    for _ in range(4):
        inverse = wrapping_product(inverse, 2 - wrapping_product(odd, inverse))
    return inverse


@compiled
def exact_quotient(value: int, inverse: int, shift: int, quotient_max: int) -> int:
    """Return ``value`` divided by a unit, or -1 when that is not a whole number.

    ``value`` is not negative.  ``shift`` is the unit's count of trailing zero bits, ``inverse`` the
    ``odd_inverse`` of the rest, ``quotient_max`` 2**63 - 1 divided by the unit.  One product
    replaces a division, which would take five times as long.

    *Source:* Hacker's Delight, 10-17 (test for a remainder of zero by multiplication).
    """
    quotient = rotate_right(wrapping_product(value, inverse), shift)
    return quotient if 0 <= quotient <= quotient_max else -1


@compiled
def hexadecimal_digit(character: int) -> int:
    """Return the value of a hexadecimal digit of either case, or -1."""
    if 48 <= character <= 57:
        return character - 48
    lower = character | 32
    return lower - 87 if 97 <= lower <= 102 else -1


@compiled
def read_hexadecimal(address: int, digit_count: int) -> int:
    """Return the number in ``digit_count`` (up to 15) hexadecimal digits, or -1."""
    value = 0
    for offset in range(digit_count):
        digit = hexadecimal_digit(load_byte(address + offset))
        if digit < 0:
            return -1
        value = value * 16 + digit
    return value
