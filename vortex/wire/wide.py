"""Sixty-four characters at once: the places of the quotes, and two decimals.

Most of what the venue sends is pairs of decimals, ``"61832.01000000","0.00008000"``.  One
comparison finds all quotes of the next 64 characters.  They mark where the numbers begin and end,
so both numbers are converted side by side.  LLVM compiles the comparison for any processor; the
conversion uses AVX2, and has a second form in words for processors without it.
"""

from typing import Any, NamedTuple

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from ipc.compiled import compiled
from ipc.memory import load_byte, load_word
from vortex.wire.words import TOP_BITS, count_trailing_zeros, eight_digits

I1, I8, I16, I32, I64 = (ir.IntType(width) for width in (1, 8, 16, 32, 64))
WINDOW_BYTES = 64
ZEROS = 0x3030303030303030
ABOVE_NINE = 0x7676767676767676
ZERO, POINT = ord("0"), ord(".")
#: Digits behind the point in the venue's decimals.
DECIMALS = 8

HAS_AVX2 = bool(llvmlite.binding.get_host_cpu_features().get("avx2", False))


def byte_bits(address: int, character: int) -> int:
    """Return a word whose bit n is 1 when byte n of the 64 at ``address`` is ``character``."""
    bits = sum(1 << n for n in range(WINDOW_BYTES) if load_byte(address + n) == character)
    return bits - (1 << 64) if bits >> 63 else bits


@intrinsic
def _byte_bits(typing_context: Any, address: Any, character: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        window = ir.VectorType(I8, WINDOW_BYTES)
        loaded = builder.load(builder.inttoptr(args[0], window.as_pointer()))
        loaded.align = 1
        one = builder.insert_element(
            ir.Constant(window, ir.Undefined), builder.trunc(args[1], I8), ir.Constant(I32, 0)
        )
        lanes = ir.Constant(ir.VectorType(I32, WINDOW_BYTES), [0] * WINDOW_BYTES)
        wanted = builder.shuffle_vector(one, one, lanes)
        return builder.bitcast(builder.icmp_unsigned("==", loaded, wanted), I64)

    return types.int64(types.int64, types.int64), codegen


@overload(byte_bits)
def _(address: Any, character: Any) -> Any:
    def machine(address: Any, character: Any) -> Any:
        return _byte_bits(address, character)  # type: ignore[call-arg]

    return machine


@compiled
def two_decimals_portable(
    first_high: int, first_low: int, second_high: int, second_low: int
) -> tuple[int, int]:
    """Return two numbers of 16 digits, from digit values in words; (-1, 0) if one is invalid."""
    beyond = (first_high + ABOVE_NINE) | (first_low + ABOVE_NINE)
    beyond |= (second_high + ABOVE_NINE) | (second_low + ABOVE_NINE)
    beyond |= first_high | first_low | second_high | second_low
    if beyond & TOP_BITS:
        return -1, 0
    first = eight_digits(first_high) * 100_000_000 + eight_digits(first_low)
    return first, eight_digits(second_high) * 100_000_000 + eight_digits(second_low)


def two_decimals(
    first_high: int, first_low: int, second_high: int, second_low: int
) -> tuple[int, int]:
    """Return the same as ``two_decimals_portable``, the fastest way that the processor has."""
    return two_decimals_portable(first_high, first_low, second_high, second_low)


@intrinsic
def _two_decimals(
    typing_context: Any, first_high: Any, first_low: Any, second_high: Any, second_low: Any
) -> Any:
    """Multiply and add neighbours three times: 32 digits, 16 pairs, 8 fours, 4 eights."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bytes_32, halves_16 = ir.VectorType(I8, 32), ir.VectorType(I16, 16)
        words_8 = ir.VectorType(I32, 8)

        def call(name: str, result: Any, left: Any, right: Any) -> Any:
            kind = ir.FunctionType(result, [left.type, right.type])
            function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.avx2.{name}")
            return builder.call(function, [left, right])

        quads = ir.Constant(ir.VectorType(I64, 4), ir.Undefined)
        for lane, word in enumerate(args):
            quads = builder.insert_element(quads, word, ir.Constant(I32, lane))
        digits = builder.bitcast(quads, bytes_32)
        tens = ir.Constant(bytes_32, [10, 1] * 16)
        pairs = call("pmadd.ub.sw", halves_16, digits, tens)
        fours = call("pmadd.wd", words_8, pairs, ir.Constant(halves_16, [100, 1] * 8))
        packed = call("packusdw", halves_16, fours, fours)
        eights = call("pmadd.wd", words_8, packed, ir.Constant(halves_16, [10_000, 1] * 8))

        def eight(lane: int) -> Any:
            return builder.zext(builder.extract_element(eights, ir.Constant(I32, lane)), I64)

        def whole(lane: int) -> Any:
            scale = ir.Constant(I64, 100_000_000)
            return builder.add(builder.mul(eight(lane), scale), eight(lane + 1))

        nine = ir.Constant(bytes_32, [9] * 32)
        beyond = builder.bitcast(builder.icmp_unsigned(">", digits, nine), I32)
        is_number = builder.icmp_unsigned("==", beyond, ir.Constant(I32, 0))
        first = builder.select(is_number, whole(0), ir.Constant(I64, -1))
        return cgutils.pack_array(builder, [first, whole(4)])

    return types.UniTuple(types.int64, 2)(
        types.int64, types.int64, types.int64, types.int64
    ), codegen


@overload(two_decimals)
def _(first_high: Any, first_low: Any, second_high: Any, second_low: Any) -> Any:
    def instructions(first_high: Any, first_low: Any, second_high: Any, second_low: Any) -> Any:
        return _two_decimals(first_high, first_low, second_high, second_low)  # type: ignore[call-arg]

    def portable(first_high: Any, first_low: Any, second_high: Any, second_low: Any) -> Any:
        return two_decimals_portable(first_high, first_low, second_high, second_low)

    return instructions if HAS_AVX2 else portable


class Pair(NamedTuple):
    """Two decimals in 1e-8 and the positions of the quotes behind them; -1 when not plain."""

    first_e8: int
    second_e8: int
    middle: int
    after: int


@compiled
def whole_digits(quote_address: int, digit_count: int) -> int:
    """Return the digits before the point as values, zeros before them.

    ``quote_address`` is the position of the quote behind the number.  Only the last ``digit_count``
    (1 to 8) of the eight characters before the point belong to it.
    """
    word = load_word(quote_address - DECIMALS - 9) ^ ZEROS
    return word & (-1 << ((8 - digit_count) << 3))


@compiled
def plain_pair(address: int, quote_mask: int, start_offset: int, between_bytes: int) -> Pair:
    """Return the two decimals in quotes, the first at ``address + start_offset``.

    ``quote_mask`` is the ``byte_bits`` of quotes at ``address``.  ``between_bytes`` is the distance
    between the numbers, from the quote behind the first.  Only the form that venues send is a
    number: 1 to 8 digits, a point, 8 digits, no leading zero.  The bytes between are not checked.
    """
    middle = count_trailing_zeros(quote_mask & (-1 << start_offset))
    second_start = min(middle + between_bytes, WINDOW_BYTES - 1)
    after = count_trailing_zeros(quote_mask & (-1 << second_start))
    first_count = middle - start_offset - DECIMALS - 1
    second_count = after - second_start - DECIMALS - 1
    # Both checks at once: a count outside 1 to 8, minus one, is outside 0 to 7.
    if ((first_count - 1) | (second_count - 1)) & ~7 or after >= WINDOW_BYTES:
        return Pair(-1, 0, 0, 0)
    middle += address
    after += address
    points = (load_byte(middle - DECIMALS - 1) ^ POINT) | (load_byte(after - DECIMALS - 1) ^ POINT)
    first_lead, second_lead = load_byte(address + start_offset), load_byte(middle + between_bytes)
    needless = (first_lead == ZERO and first_count > 1) or (
        second_lead == ZERO and second_count > 1
    )
    first_e8, second_e8 = two_decimals(
        whole_digits(middle, first_count),
        load_word(middle - DECIMALS) ^ ZEROS,
        whole_digits(after, second_count),
        load_word(after - DECIMALS) ^ ZEROS,
    )
    if points or needless:
        return Pair(-1, 0, 0, 0)
    return Pair(first_e8, second_e8, middle, after)
