"""Quotes by comparison and pairs of decimals, against Python's own reading of the same text."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ipc.memory import address_of
from vortex.wire import wide
from vortex.wire.scan import QUOTE
from vortex.wire.wide import byte_bits, plain_pair, two_decimals, two_decimals_portable

PAD = 64
EXAMPLES = settings(max_examples=200, print_blob=True)


def placed(text: bytes) -> "np.ndarray[tuple[int], np.dtype[np.uint8]]":
    """Return the text with room before and behind it."""
    return np.frombuffer(bytes(PAD) + text + bytes(2 * PAD), np.uint8).copy()


@EXAMPLES
@given(st.binary(min_size=64, max_size=64), st.integers(0, 255))
def test_bits_mark_each_place_of_a_character(text: bytes, character: int) -> None:
    memory = placed(text)
    bits = byte_bits(address_of(memory) + PAD, character) % 2**64
    assert [n for n in range(64) if bits >> n & 1] == [
        n for n, byte in enumerate(text) if byte == character
    ]


digits = st.integers(0, 10**16 - 1)


def words(value: int) -> tuple[int, int]:
    """Return the digits of a number as two words of digit values."""
    values = bytes(int(digit) for digit in f"{value:016}")
    return int.from_bytes(values[:8], "little"), int.from_bytes(values[8:], "little")


@EXAMPLES
@given(digits, digits)
@pytest.mark.parametrize("convert", [two_decimals, two_decimals_portable])
def test_both_ways_convert_sixteen_digits_exactly(convert, first: int, second: int) -> None:  # type: ignore[no-untyped-def]
    assert convert(*words(first), *words(second)) == (first, second)


@EXAMPLES
@given(digits, digits, st.integers(0, 31), st.integers(10, 255))
@pytest.mark.parametrize("convert", [two_decimals, two_decimals_portable])
def test_what_is_no_digit_is_refused_both_ways(  # type: ignore[no-untyped-def]
    convert, first: int, second: int, place: int, value: int
) -> None:
    parts = [bytearray(word.to_bytes(8, "little")) for word in (*words(first), *words(second))]
    parts[place // 8][place % 8] = value
    spoiled = [int.from_bytes(part, "little", signed=True) for part in parts]
    assert convert(*spoiled)[0] == -1


def plain(text: str) -> bool:
    """Return whether a text is a number in the form that venues send."""
    whole, point, fraction = text.partition(".")
    return (
        point == "."
        and len(fraction) == 8
        and 1 <= len(whole) <= 8
        and (whole + fraction).isascii()
        and (whole + fraction).isdigit()
        and (whole == "0" or whole[0] != "0")
    )


usual = st.decimals(0, Decimal("99999999.99999999"), places=8).map(lambda value: f"{value:.8f}")
texts = st.one_of(usual, st.text("0123456789.-+eE x/:", max_size=20))


@EXAMPLES
@given(usual | texts, usual | texts)
@example("61832.01000000", "0.00008000")
@example("99999999.99999999", "99999999.99999999")
@example("01.00000000", "1.00000000")
@example("1.00000000", "00.00000000")
@example("123456789.00000000", "1.00000000")
@example("1.0000000", "1.000000000")
def test_a_pair_is_read_where_both_are_plain_and_refused_elsewhere(first: str, second: str) -> None:
    text = f'","b":"{first}","B":"{second}","a":"'.encode()
    memory = placed(text)
    address = address_of(memory) + PAD
    pair = plain_pair(address, byte_bits(address, QUOTE), 7, 7)
    if plain(first) and plain(second):
        assert pair.first_e8 == int(Decimal(first).scaleb(8))
        assert pair.second_e8 == int(Decimal(second).scaleb(8))
        assert pair.middle - address == 7 + len(first)
        assert pair.after - address == 14 + len(first) + len(second)
    else:
        assert pair.first_e8 == -1


def test_a_processor_without_wide_instructions_takes_the_portable_way() -> None:
    """The machine form is chosen by what the processor says of itself."""
    chosen = wide._(None, None, None, None)
    assert chosen.__name__ == ("instructions" if wide.HAS_AVX2 else "portable")
