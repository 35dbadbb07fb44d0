"""Decimal text, ticks and e8: exact, and rounded only the way the name says."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vortex.units import (
    format_e8,
    price_to_ticks_down,
    price_to_ticks_exact,
    price_to_ticks_up,
    to_e8,
    units_exact,
)

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


@settings(max_examples=200)
@given(
    price=st.decimals(-(10**10), 10**10, allow_nan=False, places=12),
    tick_e8=st.integers(1, 10**10),
)
def test_down_and_up_are_the_nearest_ticks_on_either_side(price: Decimal, tick_e8: int) -> None:
    text = f"{price:f}"
    tick = Decimal(tick_e8).scaleb(-8)
    down, up = price_to_ticks_down(text, tick_e8), price_to_ticks_up(text, tick_e8)
    assert down * tick <= price < (down + 1) * tick
    assert (up - 1) * tick < price <= up * tick
    assert up - down in (0, 1)


def test_exact_refuses_what_lies_between_two_ticks() -> None:
    assert price_to_ticks_exact("61837.63", 1_000_000) == 6_183_763
    assert units_exact(-300, 100) == -3
    with pytest.raises(ValueError, match="not a multiple"):
        price_to_ticks_exact("61837.635", 1_000_000)
