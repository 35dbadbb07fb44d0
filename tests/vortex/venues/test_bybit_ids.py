"""Ids of trades as 128 bits: what uuid and int make of them."""

import re
import uuid

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ipc.memory import address_of
from vortex.venues._bybit.trade_identity import read_trade_id

PLAIN = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def read(text: bytes) -> int | None:
    """Return the id in ``text`` as one number; None when it is refused."""
    memory = np.frombuffer(text + b"f" * 64, np.uint8).copy()
    high, low, refusal = read_trade_id(address_of(memory), len(text))
    return None if refusal else int(high) % 2**64 << 64 | int(low) % 2**64


@given(identity=st.uuids(), is_upper=st.booleans())
def test_a_uuid_is_its_bits(identity: uuid.UUID, is_upper: bool) -> None:
    text = str(identity)
    assert read((text.upper() if is_upper else text).encode()) == identity.int


@given(number=st.integers(0, 10**19 - 1))
@example(2**63)
@example(2**63 - 1)
def test_a_decimal_number_is_its_value(number: int) -> None:
    assert read(str(number).encode()) == number


@given(identity=st.uuids(), place=st.integers(0, 35), byte=st.integers(0, 255))
@example(uuid.UUID(int=0), 8, ord("0"))
@example(uuid.UUID(int=0), 35, ord("g"))
@example(uuid.UUID(int=0), 0, ord("@"))
def test_a_changed_character_is_read_or_refused_as_it_is(
    identity: uuid.UUID, place: int, byte: int
) -> None:
    text = str(identity).encode()
    text = text[:place] + bytes([byte]) + text[place + 1 :]
    plain = PLAIN.fullmatch(text.decode("latin1"))
    assert read(text) == (uuid.UUID(text.decode()).int if plain else None)


@pytest.mark.parametrize("text", [b"", b"1" * 20, b"12a", b"-1", b"1.5", b"a" * 36, b"1" * 35])
def test_other_texts_are_no_ids(text: bytes) -> None:
    assert read(text) is None
