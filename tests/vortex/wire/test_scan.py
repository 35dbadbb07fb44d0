"""JSON read without a tree: the same texts are JSON, the same numbers are exact."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.fuzz.scanner import ADDRESS, BUFFER, NUMBER, is_json, put, slow_e8
from vortex.codes import Refusal
from vortex.wire.scan import (
    CLOSE_OBJECT,
    check_text,
    open_object,
    read_e8,
    read_integer,
    read_member,
    text_words,
)
from vortex.wire.words import count_trailing_zeros, exact_quotient, odd_inverse, words_of

values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=12,
)


@settings(max_examples=300)
@given(
    value=values,
    indent=st.sampled_from([None, 1]),
    ascii_only=st.booleans(),
    offset=st.integers(0, 10**6),
    byte=st.sampled_from(list(b'[]{}",:\\ 019.eE-+tfnu\x00\x1f\x80a\n')),
    cut=st.booleans(),
)
def test_a_text_is_json_exactly_where_python_says_so(
    value: Any, indent: Any, ascii_only: bool, offset: int, byte: int, cut: bool
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    data = text.encode("utf-8", "surrogatepass").replace(b"Infinity", b"1e9")
    assert check_text(*put(data)) == ADDRESS
    offset %= len(data)
    changed = data[:offset] if cut else data[:offset] + bytes([byte]) + data[offset + 1 :]
    assert (check_text(*put(changed)) > 0) == is_json(changed)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_endless_nesting_is_refused(opening: bytes) -> None:
    assert check_text(*put(opening * 5000)) == Refusal.NOT_JSON


numbers = st.one_of(
    st.from_regex(NUMBER, fullmatch=True),
    st.text("0123456789.eE+-", max_size=24),
    st.text("00019.", max_size=30),
    st.decimals(-(10**11), 10**11, allow_nan=False, places=8).map(lambda value: f"{value:f}"),
    st.sampled_from(["92233720368.54775807", "92233720368.5477580", "1e-8", "1E+10", "0e999999"]),
)


@settings(max_examples=500)
@given(numbers)
def test_decimals_are_exact_or_refused(text: str) -> None:
    assert read_e8(*put(b'"' + text.encode() + b'"')) == slow_e8(text)
    if NUMBER.fullmatch(text):
        assert read_e8(*put(text.encode())) == slow_e8(text)


@settings(max_examples=200)
@given(st.one_of(st.integers(-(10**20), 10**20), st.sampled_from(["1.0", "1e3", '"1"', "-", ""])))
def test_integers_are_read_or_refused(value: Any) -> None:
    got, refusal = read_integer(*put(str(value).encode()))
    if isinstance(value, str):
        assert refusal == Refusal.NOT_JSON
    elif abs(value) >= 10**18:
        assert refusal == Refusal.OUT_OF_RANGE
    else:
        assert (got, refusal) == (value, 0)


def test_members_come_in_order_with_their_escapes_resolved() -> None:
    data = b'{ "s" :[1,{"x":"}"}], "\\u0065\\u00e9":"\\"" ,"a\\/b":-1.5e3}'
    address, end = put(data)
    position = open_object(address, end)
    names, seen = [], []
    while BUFFER[position - ADDRESS] != CLOSE_OBJECT:
        key, key_bytes, value, position = read_member(position, end)
        names.append(text_words(key, key_bytes))
        seen.append(chr(BUFFER[value - ADDRESS]))
    word = int.from_bytes("eé".encode(), "little")
    assert names == [words_of(b"s"), (word, 0, 0), words_of(b"a/b")]
    assert seen == ["[", '"', "-"]


@settings(max_examples=200)
@given(st.text(st.characters(min_codepoint=32, max_codepoint=0xD7FF), max_size=14))
def test_text_is_the_same_however_it_is_escaped(text: str) -> None:
    plain = text.encode()
    expected = (-1, -1, -1)
    if len(plain) <= 24:
        padded = plain.ljust(24, b"\0")
        words = [int.from_bytes(padded[i : i + 8], "little", signed=True) for i in (0, 8, 16)]
        expected = (words[0], words[1], words[2])
    for ensure_ascii in (True, False):
        data = json.dumps(text, ensure_ascii=ensure_ascii).encode()[1:-1]
        address, _ = put(data)
        assert text_words(address, len(data)) == expected


@settings(max_examples=300)
@given(st.integers(0, 2**63 - 1), st.integers(1, 10**12), st.booleans())
def test_exact_quotients_are_whole_or_refused(value: int, unit: int, whole: bool) -> None:
    if whole:
        value -= value % unit
    shift = count_trailing_zeros(unit)
    got = exact_quotient(value, odd_inverse(unit >> shift), shift, (2**63 - 1) // unit)
    assert got == (value // unit if value % unit == 0 else -1)
