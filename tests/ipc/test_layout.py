"""A record is declared once, and what would go wrong silently is refused at import."""

import numba
import pytest

from ipc.compiled import compiled
from ipc.layout import Field, Layout, reserved
from ipc.memory import address_of, record_at, records_at

PAIR = Layout(
    "pair", "Two words.", Field("one", "i8", "first"), Field("two", "f8", "second"), reserved(48)
)
PAIR_DTYPE = PAIR.dtype


@compiled
def add_to_pair(address: int) -> None:
    pair = record_at(address, PAIR_DTYPE)
    pair.one += 2
    pair.two += 0.5


def test_compiled_code_and_numpy_see_the_same_fields() -> None:
    import numpy as np

    memory = np.zeros(2, PAIR.dtype)
    add_to_pair(address_of(memory) + PAIR.dtype.itemsize)
    seen = records_at(address_of(memory), PAIR.dtype, 2)
    assert seen["one"].tolist() == [0, 2]
    assert seen["two"].tolist() == [0.0, 0.5]
    assert numba.from_dtype(PAIR.dtype) == PAIR.record_type


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ((Field("a", "i4", ""), Field("b", "i8", ""), reserved(52)), "padding"),
        ((Field("a", "i8", ""),), "8 bytes"),
        ((Field("a", "u8", ""), reserved(56)), "unsigned"),
    ],
)
def test_a_bad_declaration_is_refused(fields: tuple[Field, ...], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        Layout("bad", "", *fields)


def test_different_declarations_have_different_fingerprints() -> None:
    def fingerprint(name: str, *fields: Field) -> int:
        return Layout(name, "any text", *fields, multiple_bytes=8).fingerprint

    one, two = Field("one", "i8", "x"), Field("two", "i8", "y")
    prints = {
        fingerprint("r", one, two),
        fingerprint("r", two, one),
        fingerprint("s", one, two),
        fingerprint("r", one, Field("two", "f8", "")),
        fingerprint("r", one, Field("two", "i8", "", (2,))),
        fingerprint("r", one),
    }
    assert len(prints) == 6
    assert fingerprint("r", one, two) == fingerprint("r", Field("one", "i8", "other words"), two)
    assert all(0 <= value < 2**63 for value in prints)


def test_the_table_names_every_field_at_its_offset() -> None:
    table = PAIR.table()
    assert "### pair (64 bytes)" in table
    assert "| 8 | `two` | f8 | second |" in table
