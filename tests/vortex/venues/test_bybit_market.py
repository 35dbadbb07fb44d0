"""Bybit's market messages: equal to a slow decoder built on json, decimal and uuid."""

import itertools
import json
import random
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from recordings import BYBIT_MESSAGES, linear_texts
from scale import scaled

from tests.vortex.venues.bybit_rows import linear_rows
from tools.fuzz.bybit_market import (
    BENCH,
    BLOCK_FRAME,
    DELTA_FRAME,
    EMPTY_TOUCH_FRAME,
    FRAMES,
    RESTART_FRAME,
    SNAPSHOT_FRAME,
    SPOT_TRADE_FRAME,
    TOUCH_FRAME,
    TRADE_FRAME,
    BybitBench,
    difference,
    seeds,
    slow_decode,
)
from vortex.codes import Kind, Refusal, Side
from vortex.venues._bybit.any_form import decode_any_form
from vortex.venues._bybit.market_messages import decode_usual


@pytest.mark.parametrize("frame", FRAMES)
def test_todays_forms_read_the_same_on_both_paths(frame: bytes) -> None:
    expected = slow_decode(BENCH, frame)
    assert BENCH.decode_by(decode_usual, frame) == expected
    assert BENCH.decode_by(decode_any_form, frame) == expected
    assert BENCH.decode(frame) == expected


def test_what_the_frames_say() -> None:
    assert BENCH.decode(SNAPSHOT_FRAME) == (
        Kind.SNAPSHOT, 1, 1, 1786310819040 * 10**6, 13783402,
        [(7730, 13472), (7729, 46468), (7690, 1)], [(7731, 200)],
    )  # fmt: skip
    assert BENCH.decode(DELTA_FRAME)[:5] == (Kind.DEPTH, 0, 0, 1786310818129 * 10**6, 15076953)
    assert BENCH.decode(RESTART_FRAME)[:3] == (Kind.SNAPSHOT, 0, 1)
    assert BENCH.decode(TOUCH_FRAME)[3:] == (178477363642, 1, 1, 2 * 10**6, 11 * 10**6)
    assert BENCH.decode(EMPTY_TOUCH_FRAME)[3:] == (178477363642, 0, 0, 2 * 10**6, 11 * 10**6)
    first, second = BENCH.decode(TRADE_FRAME)
    assert first[:2] == (1, 0x19D7DF564F105290A969D9D9F2C74CC3)
    assert second[-3:] == (7729, 1300, Side.SELL)
    assert BENCH.decode(SPOT_TRADE_FRAME)[0][1] == 2280000001739247457


def test_block_trades_are_passed_over() -> None:
    assert BENCH.decode(BLOCK_FRAME) == BENCH.decode(TRADE_FRAME)[1:]
    assert BENCH.decode(BLOCK_FRAME.replace(b'"BT":false', b'"BT":true')) == Refusal.IGNORED


def test_what_is_no_market_data_has_its_own_refusal() -> None:
    cases = {
        b'{"success":true,"ret_msg":"pong","conn_id":"0970","op":"ping"}': Refusal.IGNORED,
        b'{"success":true,"ret_msg":"pong","conn_id":"4","req_id":"","op":"ping"}': Refusal.IGNORED,
        b'{"args":["1672916271846"],"op":"pong"}': Refusal.IGNORED,
        b'{"success":true,"ret_msg":"","conn_id":"d","op":"subscribe"}': Refusal.IGNORED,
        b'{"success":false,"ret_msg":"Invalid topic: x","conn_id":"c","op":"subscribe"}': (
            Refusal.NOT_SUBSCRIBED
        ),
        b'{"success":false,"ret_msg":"args size >10"}': Refusal.NOT_SUBSCRIBED,
        b'{"topic":"tickers.BTCUSDT","type":"delta","data":{}}': Refusal.IGNORED,
        b'{"topic":"kline.1.BTCUSDT","data":[]}': Refusal.NOT_KNOWN,
        b'{"topic":"orderbook.rpi.BTCUSDT","type":"delta","data":{}}': Refusal.NOT_KNOWN,
        b"[1]": Refusal.NOT_KNOWN,
        b"{}": Refusal.NOT_KNOWN,
        b"": Refusal.NOT_JSON,
        TOUCH_FRAME.replace(b"snapshot", b"delta"): Refusal.NOT_KNOWN,
        DELTA_FRAME.replace(b'"s":"BTC', b'"s":"XRP'): Refusal.UNKNOWN_SYMBOL,
        DELTA_FRAME.replace(b"65095.30", b"65095.33"): Refusal.OFF_TICK,
        DELTA_FRAME.replace(b"65095.30", b"0"): Refusal.OUT_OF_RANGE,
        DELTA_FRAME.replace(b'"u":15076953,', b""): Refusal.MISSING_KEY,
        TRADE_FRAME.replace(b"-a969-", b"-a96g-"): Refusal.NOT_JSON,
        SPOT_TRADE_FRAME.replace(b'"2280000001739247457"', b'""'): Refusal.OUT_OF_RANGE,
        TRADE_FRAME.replace(b'"p":"77.310",', b""): Refusal.MISSING_KEY,
    }
    for text, refusal in cases.items():
        assert BENCH.decode(text) == refusal, text


@pytest.mark.parametrize("frame", [*FRAMES, BLOCK_FRAME])
def test_any_changed_byte_is_refused_or_read_as_json_reads_it(frame: bytes) -> None:
    offsets = range(0, len(frame), scaled(1, 29))
    for offset, byte in itertools.product(offsets, b'"\\{}[],:019.-ebB\x00\xff'):
        text = frame[:offset] + bytes([byte]) + frame[offset + 1 :]
        assert not difference(text), text


@pytest.mark.parametrize("frame", FRAMES)
def test_a_cut_message_is_refused(frame: bytes) -> None:
    for size in range(0, len(frame), scaled(1, 3)):
        assert BENCH.decode(frame[:size]) == Refusal.NOT_JSON


@settings(max_examples=400)
@given(frame=st.sampled_from(seeds()), data=st.data())
def test_a_message_with_pieces_moved_means_what_json_says(frame: bytes, data: Any) -> None:
    places = st.integers(0, len(frame))
    first, last = sorted((data.draw(places), data.draw(places)))
    target = data.draw(places)
    text = frame[:target] + frame[first:last] + frame[target:]
    assert not difference(text), text


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(c):04x}" for c in text)


#: Members whose text is a number or an id, which no venue escapes.
PLAIN_KEYS = ("i", "p", "v")


@st.composite
def same_meaning(draw: st.DrawFn, value: Any, may_escape: bool = True) -> str:
    """Write a JSON value in any form that means the same."""
    space = draw(st.sampled_from(["", "", " ", "\n\t"]))
    if isinstance(value, dict):
        members = []
        for key, item in value.items():
            text = draw(same_meaning(item, key not in PLAIN_KEYS))
            members.append(f"{draw(same_text(key))}{space}:{text}")
        for number in range(draw(st.integers(0, 2))):
            extra = draw(st.sampled_from(['{"b":[["1","2"]]}', '"\\"}"', "-1.5e3", "null", "[]"]))
            members.append(f'"new key {number}":{extra}')
        members = draw(st.permutations(members))
        return space + "{" + f"{space},".join(members) + space + "}" + space
    if isinstance(value, list):
        items = [draw(same_meaning(item, may_escape)) for item in value]
        return space + "[" + ",".join(items) + space + "]" + space
    if isinstance(value, str) and may_escape and not value[:1].isdigit():
        return draw(same_text(value))
    return space + json.dumps(value)


def same_text(text: str) -> st.SearchStrategy[str]:
    return st.sampled_from([json.dumps(text), json.dumps(text), f'"{escaped(text)}"'])


@settings(max_examples=150)
@given(data=st.data(), frame=st.sampled_from([*FRAMES, BLOCK_FRAME]))
def test_other_forms_of_the_same_message_read_the_same(data: st.DataObject, frame: bytes) -> None:
    text = data.draw(same_meaning(json.loads(frame))).encode()
    assert BENCH.decode(text) == BENCH.decode(frame)


numbers = st.one_of(
    st.sampled_from(["0", "1", "0.00000070", "0.00000071", "-1", "01", "1.", "1e2", "9" * 19, ""]),
    st.decimals(0, 10**9, allow_nan=False, places=8).map(lambda d: f"{d:f}"),
    st.integers(1, 10**10).map(lambda n: f"{n * 70 / 10**8:.8f}".rstrip("0").rstrip(".")),
    st.integers(1, 10**8).map(str),
)


@settings(max_examples=300)
@given(
    depth=st.sampled_from([1, 50, 200, 1000]),
    kind=st.sampled_from(["snapshot", "delta"]),
    symbol=st.sampled_from(["BTCUSDT", "LONGNAMEDTOKENUSDT", "ETHUSDT", ""]),
    bids=st.lists(st.tuples(numbers, numbers), max_size=14),
    asks=st.lists(st.tuples(numbers, numbers), max_size=2),
    update_id=st.sampled_from([0, 1, 2, 10**17, -1]),
)
@example(50, "delta", "LONGNAMEDTOKENUSDT", [("0.0000007", "0.000003")] * 13, [], 7)
def test_made_up_books_read_as_json_and_decimal_read_them(
    depth: int, kind: str, symbol: str, bids: Any, asks: Any, update_id: int
) -> None:
    data = {"s": symbol, "b": bids, "a": asks, "u": update_id, "seq": 5}
    message = {
        "topic": f"orderbook.{depth}.{symbol}",
        "type": kind,
        "ts": 9,
        "data": data,
        "cts": 7,
    }
    text = json.dumps(message, separators=(",", ":")).encode()
    assert not difference(text), text


def test_a_message_that_does_not_fit_its_room_is_refused() -> None:
    levels = [[f"{price}.1", "1"] for price in range(1, 20)]
    data = {"s": "BTCUSDT", "b": levels, "a": levels, "u": 2, "seq": 3}
    book = {"topic": "orderbook.50.BTCUSDT", "type": "delta", "ts": 1, "data": data, "cts": 1}
    for message, least in ((book, 9), (json.loads(TRADE_FRAME), 2)):
        for separators in ((",", ":"), (", ", ": ")):
            text = json.dumps(message, separators=separators).encode()
            assert not isinstance(BENCH.decode(text, room=least), int)
            for room in range(least):
                assert BENCH.decode(text, room) == Refusal.TOO_LARGE


def topic_of(text: bytes) -> str:
    """Return the first word of a message's topic."""
    return str(json.loads(text).get("topic", "")).partition(".")[0]


def recorded_bench() -> BybitBench:
    """Return a bench with the four instruments of the recording."""
    return BybitBench(linear_rows(["BTCUSDT", "ETHUSDT", "SOLUSDT", "DOGEUSDT"]))


def test_every_recorded_frame_reads_on_both_paths_and_the_books_keep_200_levels(
    recordings: Path,
) -> None:
    bench = recorded_bench()
    books: dict[int, Any] = {}
    topics = Counter[str]()
    for text in linear_texts(recordings):
        got = bench.decode(text)
        if b'"topic":"orderbook' not in text and b'"topic":"publicTrade' not in text:
            assert got in (Refusal.IGNORED, Refusal.NOT_KNOWN)
            continue
        assert got == bench.decode_by(decode_usual, text) == bench.decode_by(decode_any_form, text)
        assert got == slow_decode(bench, text)
        if isinstance(got, list):
            topics["publicTrade"] += 1
            assert len(got) == text.count(b'"i":"')
            continue
        topics["orderbook"] += 1
        kind, index, _, _, number, *sides = got
        if kind == Kind.SNAPSHOT:
            books[index] = [number, {}, {}]
        else:
            assert number == books[index][0] + 1
            books[index][0] = number
        for kept, levels in zip(books[index][1:], sides, strict=True):
            kept |= dict(levels)
            for ticks in [ticks for ticks, lots in kept.items() if lots == 0]:
                del kept[ticks]
            assert len(kept) == 200
        assert max(books[index][1]) < min(books[index][2])
    sent = Counter(topic_of(text) for text in linear_texts(recordings))
    assert topics == Counter({name: sent[name] for name in ("orderbook", "publicTrade")})
    assert min(topics.values()) > scaled(20, 4)


def test_recorded_frames_with_a_byte_changed_mean_what_json_says(recordings: Path) -> None:
    texts = linear_texts(recordings)
    frames = [text for text in texts if b"BTCUSDT" in text and len(text) < 2_000]
    chosen = random.Random(5).sample(frames, min(200, len(frames)))

    @settings(max_examples=600)
    @given(st.sampled_from(chosen), st.integers(0, 10**4), st.integers(0, 255))
    def check(frame: bytes, place: int, byte: int) -> None:
        offset = place % len(frame)
        text = frame[:offset] + bytes([byte]) + frame[offset + 1 :]
        assert not difference(text), text

    check()


def test_the_single_frames_of_another_source_read_as_json_reads_them(recordings: Path) -> None:
    folder = recordings / BYBIT_MESSAGES
    texts = [(folder / f"ws_orderbook_{kind}.json").read_bytes() for kind in ("snapshot", "delta")]
    # Of the book of one level: two levels a side, of which the best count, and an old delta.
    data = json.loads(texts[0])["data"]
    (bid, bid_qty), (ask, ask_qty) = data["b"][0], data["a"][0]
    prices = (int(Decimal(price) / Decimal("0.1")) for price in (bid, ask))
    lots = (int(Decimal(qty) / Decimal("0.001")) for qty in (bid_qty, ask_qty))
    (bid_ticks, ask_ticks), (bid_lots, ask_lots) = prices, lots
    assert BENCH.decode(texts[0])[4:] == (bid_ticks, bid_lots, ask_ticks, ask_lots)
    assert BENCH.decode(texts[1]) == Refusal.NOT_KNOWN
