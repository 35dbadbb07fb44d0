"""Decimal text and e8: exact, or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vortex.units import format_e8, to_e8, units_exact

int64 = st.integers(-(2**63) + 1, 2**63 - 1)


@given(int64)
def test_text_and_e8_are_each_other_s_inverse(value_e8: int) -> None:
    assert to_e8(format_e8(value_e8)) == value_e8


@pytest.mark.parametrize(
    "text", ["", "x", "NaN", "Infinity", "0.000000001", "92233720368.54775808", "1e30", "1e999999"]
)
def test_what_is_no_number_of_63_bits_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"decimal|1e-8|63 bits"):
        to_e8(text)


def test_exact_refuses_what_lies_between_two_ticks() -> None:
    assert units_exact(-300, 100) == -3
    with pytest.raises(ValueError, match="not a multiple"):
        units_exact(6_183_763_500_001, 1_000_000)
