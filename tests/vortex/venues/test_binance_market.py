"""Binance Spot market messages: equal to a slow decoder built on json and decimal."""

import itertools
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import spot_kinds, spot_texts
from scale import scaled

from tools.fuzz.market import (
    FRAMES,
    TRADE_FRAME,
    Bench,
    Refused,
    difference,
    slow_decode,
    slow_levels,
)
from tools.fuzz.scanner import NUMBER
from vortex.codes import Kind, Refusal
from vortex.decoding.instruments import build_catalog
from vortex.venues._binance.anchored import decode_anchored
from vortex.venues._binance.market_decoder import _decode_any


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


def same(bench: Bench, text: bytes) -> Any:
    """Return what both decoders make of ``text``; assert that they agree."""
    try:
        expected = slow_decode(bench, text)
    except Refused:
        expected = None
    got = bench.decode(text)
    if expected is None:
        assert isinstance(got, int), (text, got)
        assert got < 0
    else:
        assert got == expected, text
    return got


@pytest.mark.parametrize("frame", FRAMES)
def test_real_frames_are_read(bench: Bench, frame: bytes) -> None:
    assert not isinstance(same(bench, frame), int)


def test_a_raw_stream_reads_the_same_as_a_combined_one(bench: Bench) -> None:
    for frame in FRAMES[:3]:
        raw = json.dumps(json.loads(frame)["data"], separators=(",", ":")).encode()
        assert bench.decode(raw) == bench.decode(frame)


def test_every_recorded_frame_reads_on_both_paths_as_json_and_decimal_read_it(
    bench: Bench, recordings: Path
) -> None:
    read = Counter[Kind]()
    for text in spot_texts(recordings):
        if text.startswith(b'{"lastUpdateId"'):
            message = json.loads(text)
            got = bench.snapshot(text)
            last = message["lastUpdateId"]
            sides = (slow_levels(message[key], 10**6, 10**3) for key in ("bids", "asks"))
            assert got == (Kind.SNAPSHOT, 0, 0, last, last, *sides)
            read[Kind.SNAPSHOT] += 1
            continue
        expected = same(bench, text)
        assert bench.decode_by(decode_anchored, text) == expected, text
        assert bench.decode_by(_decode_any, text) == expected, text
        read[expected[0]] += 1
    assert read == spot_kinds(recordings)
    assert read[Kind.SNAPSHOT] == 1
    assert all(read[kind] >= scaled(200, 40) for kind in (Kind.DEPTH, Kind.TICKER, Kind.TRADE))


def some_frames(recordings: Path, seed: int) -> list[bytes]:
    """Return frames from all over the recording; print the seed that chose them."""
    print(f"seed {seed}")
    texts = spot_texts(recordings)
    return [
        text for text in random.Random(seed).sample(texts, scaled(400, 40)) if len(text) < 10_000
    ]


def test_a_recorded_frame_means_the_same_in_any_order_and_with_any_spacing(
    bench: Bench, recordings: Path
) -> None:
    @settings(max_examples=60)
    @given(data=st.data(), frame=st.sampled_from(some_frames(recordings, 11)))
    def check(data: st.DataObject, frame: bytes) -> None:
        text = data.draw(same_meaning(json.loads(frame)))
        expected = bench.decode(frame)
        assert not isinstance(expected, int)
        assert bench.decode(text.encode()) == expected
        assert bench.decode_by(_decode_any, text.encode()) == expected

    check()


def test_a_recorded_frame_with_a_byte_changed_is_refused_or_means_what_json_says(
    bench: Bench, recordings: Path
) -> None:
    @settings(max_examples=1500)
    @given(
        frame=st.sampled_from([*FRAMES, *some_frames(recordings, 12)]),
        place=st.integers(0, 10**4),
        byte=st.integers(0, 255),
    )
    def check(frame: bytes, place: int, byte: int) -> None:
        offset = place % len(frame)
        text = frame[:offset] + bytes([byte]) + frame[offset + 1 :]
        assert not difference(text), text

    check()


@pytest.mark.parametrize("frame", FRAMES)
def test_a_cut_message_is_refused(bench: Bench, frame: bytes) -> None:
    for size in range(len(frame)):
        assert bench.decode(frame[:size]) == Refusal.NOT_JSON


@pytest.mark.parametrize("frame", FRAMES)
def test_any_changed_byte_is_refused_or_read_as_json_reads_it(bench: Bench, frame: bytes) -> None:
    changed = b'"\\{}[],:019.-e tuB\x00\xff'
    before = bench.decode(frame)
    for offset, byte in itertools.product(range(0, len(frame), scaled(1, 13)), changed):
        text = frame[:offset] + bytes([byte]) + frame[offset + 1 :]
        try:
            expected = slow_decode(bench, text)
        except Refused:
            expected = None
        got = bench.decode(text)
        assert isinstance(got, int) or got in (before, expected), text


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(c):04x}" for c in text)


@st.composite
def same_meaning(draw: st.DrawFn, value: Any) -> str:
    """Write a JSON value in any form that means the same."""
    space = draw(st.sampled_from(["", "", " ", "\n\t"]))
    if isinstance(value, dict):
        members = [
            f"{draw(same_text(key))}{space}:{draw(same_meaning(item))}"
            for key, item in value.items()
        ]
        for number in range(draw(st.integers(0, 2))):
            extra = draw(st.sampled_from(['{"b":[["1","2"]]}', '"\\"}"', "-1.5e3", "null", "[]"]))
            members.append(f'"new key {number}":{extra}')
        members = draw(st.permutations(members))
        return space + "{" + f"{space},".join(members) + space + "}" + space
    if isinstance(value, list):
        items = [draw(same_meaning(item)) for item in value]
        return space + "[" + ",".join(items) + space + "]" + space
    if isinstance(value, str) and not NUMBER.fullmatch(value):
        return draw(same_text(value))
    return space + json.dumps(value)


def same_text(text: str) -> st.SearchStrategy[str]:
    return st.sampled_from([json.dumps(text), json.dumps(text), f'"{escaped(text)}"'])


@settings(max_examples=60)
@given(data=st.data(), frame=st.sampled_from(FRAMES))
def test_other_forms_of_the_same_message_read_the_same(data: st.DataObject, frame: bytes) -> None:
    bench = BENCH
    text = data.draw(same_meaning(json.loads(frame)))
    assert bench.decode(text.encode()) == bench.decode(frame)


BENCH = Bench()
numbers = st.one_of(
    st.sampled_from(["0", "1", "0.00000070", "0.00000071", "-1", "01", "1e2", "9" * 19, "1.5e-3"]),
    st.decimals(0, 10**9, allow_nan=False, places=8).map(lambda d: f"{d:f}"),
    st.integers(0, 10**12).map(lambda n: f"{n * 70 // 10**8}.{n * 70 % 10**8:08d}"),
)


@settings(max_examples=150)
@given(
    symbol=st.sampled_from(["BTCUSDT", "LONGNAMEDTOKENUSDT", "ETHUSDT", ""]),
    bids=st.lists(st.tuples(numbers, numbers), max_size=14),
    asks=st.lists(st.tuples(numbers, numbers), max_size=2),
    when=st.sampled_from([0, 1723161255208, 1723161255208123, 10**18, -1]),
)
def test_made_up_depth_reads_as_json_and_decimal_read_it(
    symbol: str, bids: Any, asks: Any, when: int
) -> None:
    message = {"e": "depthUpdate", "E": when, "s": symbol, "U": 1, "u": 10**17, "b": bids}
    text = json.dumps(message | {"a": asks}, separators=(",", ":")).encode()
    same(BENCH, text)


def test_what_is_no_market_data_has_its_own_refusal(bench: Bench) -> None:
    cases = {
        b'{"result":null,"id":1}': Refusal.IGNORED,
        b'{"error":{"code":2,"msg":"Invalid request"},"id":5000001}': Refusal.IGNORED,
        b'{"e":"serverShutdown","E":1770123456789}': Refusal.SHUTDOWN,
        b'{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}': Refusal.SHUTDOWN,
        b'{"event":{"e":"serverShutdown","E":1770123456789}}': Refusal.SHUTDOWN,
        b'{"e":"aggTrade","E":1,"s":"BTCUSDT"}': Refusal.NOT_KNOWN,
        b"[1]": Refusal.NOT_KNOWN,
        b"{}": Refusal.NOT_KNOWN,
        b"": Refusal.NOT_JSON,
        b"[" * 100: Refusal.NOT_JSON,
        TRADE_FRAME.replace(b"BTCUSDT", b"ETHUSDT"): Refusal.UNKNOWN_SYMBOL,
        TRADE_FRAME.replace(b"61837.63000000", b"61837.63100000"): Refusal.OFF_TICK,
        TRADE_FRAME.replace(b"0.02000000", b"-0.02000000"): Refusal.OUT_OF_RANGE,
        TRADE_FRAME.replace(b"61837.63000000", b"9" * 19): Refusal.OUT_OF_RANGE,
        TRADE_FRAME.replace(b'"T":1723161255342,', b""): Refusal.MISSING_KEY,
        b'{"lastUpdateId":160,"bids":[],"asks":[]}': Refusal.MISSING_KEY,
    }
    for text, refusal in cases.items():
        assert bench.decode(text) == refusal, text


def test_a_partial_book_without_a_name_is_that_of_the_only_instrument() -> None:
    bench = Bench()
    bench.instruments = bench.instruments[:1].copy()
    bench.catalog, bench.slots = build_catalog(bench.instruments)
    text = b'{"lastUpdateId":160,"bids":[["1.00","2"]],"asks":[]}'
    assert bench.decode(text) == (Kind.PARTIAL, 0, 0, 160, 160, [(100, 200_000)], [])


def test_a_message_that_does_not_fit_its_room_is_refused(bench: Bench) -> None:
    levels = [[f"{price}.00000000", "1.00000000"] for price in range(1, 20)]
    message = {"e": "depthUpdate", "E": 1, "s": "BTCUSDT", "U": 1, "u": 2, "b": levels, "a": levels}
    for separators in ((",", ":"), (", ", ": ")):
        text = json.dumps(message, separators=separators).encode()
        assert not isinstance(bench.decode(text, room=9), int)
        for room in range(9):
            assert bench.decode(text, room) == Refusal.TOO_LARGE


def test_a_snapshot_reads_from_rest_and_from_the_websocket_api(bench: Bench) -> None:
    body = b'{"lastUpdateId":27,"bids":[["0.0137990","3.42"]],"asks":[["4.0","5.9"],["5","6"]]}'
    expected = (Kind.SNAPSHOT, 1, 0, 27, 27, [(19713, 1140000)], [])
    text = body.replace(b'["4.0","5.9"],["5","6"]', b"").replace(b"0.0137990", b"0.0137991")
    reply = b'{"id":"5","status":200,"result":' + text + b',"rateLimits":[{"bids":1}]}'
    assert bench.snapshot(text, 1) == expected
    assert bench.snapshot(reply, 1) == expected
    assert bench.snapshot(b'{"code":-1121,"msg":"Invalid symbol."}') == Refusal.MISSING_KEY
