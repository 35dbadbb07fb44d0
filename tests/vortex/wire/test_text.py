"""ASCII written by compiled code is what Python writes."""

from decimal import Decimal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ipc.memory import address_of
from vortex.wire.text import literal, write_e8, write_hexadecimal, write_integer, write_literal

OUT = np.zeros(64, dtype=np.uint8)
ADDRESS = address_of(OUT)
int64 = st.one_of(
    st.integers(-(2**63) + 1, 2**63 - 1),
    st.integers(0, 18).flatmap(lambda power: st.sampled_from([10**power - 1, 10**power])),
)


def written(end: int) -> str:
    return bytes(OUT[: end - ADDRESS]).decode("ascii")


@settings(max_examples=300)
@given(int64)
def test_integers_and_decimals(value: int) -> None:
    assert written(write_integer(ADDRESS, value)) == str(value)
    decimal = written(write_e8(ADDRESS, value))
    assert Decimal(decimal) == Decimal(value).scaleb(-8)
    assert len(decimal.partition(".")[2]) == 8


@settings(max_examples=300)
@given(st.integers(-(2**63), 2**63 - 1), st.integers(1, 16))
def test_hexadecimal_digits(value: int, digit_count: int) -> None:
    end = write_hexadecimal(ADDRESS, value, digit_count)
    assert written(end) == f"{value % 2**64:016x}"[-digit_count:]


def test_a_literal_is_written_as_it_is() -> None:
    constant = literal('{"id":"')
    assert written(write_literal(ADDRESS, constant)) == '{"id":"'
