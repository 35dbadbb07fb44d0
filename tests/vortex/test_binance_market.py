"""Binance Spot market messages: equal to a slow decoder built on json and decimal."""

import gzip
import itertools
import json
import re
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipc.memory import address_of
from vortex.codes import Kind, Refusal, Side
from vortex.instruments import build_catalog
from vortex.records import DEPTH, INSTRUMENT, LEVELS, TICKER, TRADE
from vortex.venues.binance_spot import decode_market, decode_snapshot

SLOTS = 1024
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")

DEPTH_FRAME = (
    b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161255208,"s":"BTCUSDT",'
    b'"U":50093239189,"u":50093239202,"b":[["61737.63000000","0.00000000"],["61730.17000000",'
    b'"0.00000000"],["56854.58000000","0.00000000"]],"a":[["61837.64000000","1.54698000"],'
    b'["61839.85000000","0.00000000"],["61845.11000000","0.32329000"]]}}'
)
TICKER_FRAME = (
    b'{"stream":"btcusdt@bookTicker","data":{"u":50093239212,"s":"BTCUSDT","b":"61837.63000000",'
    b'"B":"3.78826000","a":"61837.64000000","A":"1.54698000"}}'
)
TRADE_FRAME = (
    b'{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT",'
    b'"t":3735683259,"p":"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"M":true}}'
)
PARTIAL_FRAME = (
    b'{"stream":"btcusdt@depth5@100ms","data":{"lastUpdateId":160,"bids":[["61737.63000000",'
    b'"10.00000000"],["61737.62000000","1.00000000"]],"asks":[["61738.00000000","100.00000000"]]}}'
)
FRAMES = [DEPTH_FRAME, TICKER_FRAME, TRADE_FRAME, PARTIAL_FRAME]


class Bench:
    """Two instruments, an input buffer and slots to decode into."""

    def __init__(self) -> None:
        self.instruments = np.zeros(2, dtype=INSTRUMENT.dtype)
        for index, (symbol, tick_e8, lot_e8) in enumerate(
            [(b"BTCUSDT", 1_000_000, 1_000), (b"LONGNAMEDTOKENUSDT", 70, 300)]
        ):
            row = self.instruments[index]
            row["symbol"], row["symbol_bytes"], row["instrument_id"] = symbol, len(symbol), index
            row["tick_e8"], row["lot_e8"] = tick_e8, lot_e8
        self.catalog, self.slots = build_catalog(self.instruments)
        self.buffer = np.zeros(1 << 20, dtype=np.uint8)
        self.out = np.zeros(SLOTS * 128, dtype=np.uint8)

    def put(self, text: bytes) -> int:
        # What stands behind the text would continue it, if it were read.
        padded = text + (b'9"],["1.00000000","1.00000000"]]}}}' * 4)[:64]
        self.buffer[: len(padded)] = np.frombuffer(padded, dtype=np.uint8)
        return address_of(self.buffer)

    def decode(self, text: bytes, room: int = SLOTS) -> Any:
        self.out[:4096] = 0xAA  # whatever a ring held before
        count = decode_market(
            self.put(text), len(text), address_of(self.catalog), address_of(self.out), room
        )
        return count if count < 0 else read_records(self.out, count)

    def snapshot(self, text: bytes, index: int = 0) -> Any:
        self.out[:4096] = 0xAA
        row = address_of(self.instruments) + index * INSTRUMENT.dtype.itemsize
        count = decode_snapshot(self.put(text), len(text), row, address_of(self.out), SLOTS)
        return count if count < 0 else read_records(self.out, count)


def read_records(out: Any, count: int) -> Any:
    """Return what the slots say, in the same plain form as ``slow_decode``."""
    kind, index = Kind(int(out.view(np.int8)[0])), int(out[:4].view(np.int16)[1])
    if kind == Kind.TICKER:
        row = out[:128].view(TICKER.dtype)[0]
        names = ("venue_ns", "update_id", "bid_ticks", "bid_lots", "ask_ticks", "ask_lots")
        assert count == 1
        return (kind, index, *(int(row[name]) for name in names))
    if kind == Kind.TRADE:
        row = out[:128].view(TRADE.dtype)[0]
        names = ("venue_ns", "trade_id", "price_ticks", "qty_lots", "aggressor_side")
        assert count == 1
        return (kind, index, *(int(row[name]) for name in names))
    head = out[:128].view(DEPTH.dtype)[0]
    assert int(head["record_count"]) == count - 1
    sides: dict[int, list[tuple[int, int]]] = {Kind.BIDS: [], Kind.ASKS: []}
    for row in out[128 : 128 * count].view(LEVELS.dtype):
        assert int(row["instrument_id"]) == index
        used = int(row["level_count"])
        assert 1 <= used <= 6
        levels = zip(row["price_ticks"][:used], row["qty_lots"][:used], strict=True)
        sides[int(row["kind"])] += [(int(price), int(qty)) for price, qty in levels]
        assert not row["price_ticks"][used:].any()
        for name in ("source_id", "epoch", "cause_id", "publish_ns"):
            assert row[name] == 0 == head[name]
    return (
        kind,
        index,
        int(head["venue_ns"]),
        int(head["first_update_id"]),
        int(head["last_update_id"]),
        sides[Kind.BIDS],
        sides[Kind.ASKS],
    )


class Refused(Exception):
    pass


def slow_units(value: Any, unit_e8: int) -> int:
    text = value if isinstance(value, str) else None
    if text is None or not NUMBER.fullmatch(text):
        raise Refused
    number = Decimal(text)
    if number == 0:
        return 0
    if number < 0 or abs(number.adjusted()) > 15 or number * 10**8 % unit_e8 != 0:
        raise Refused
    return int(number * 10**8 / unit_e8)


def slow_shown(value: Any, lot_e8: int) -> int:
    """Return a quantity of others in lots: rounded down, but never to nothing."""
    qty_e8 = slow_units(value, 1)
    return max(1, qty_e8 // lot_e8) if qty_e8 else 0


def slow_id(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 10**18:
        raise Refused
    return value


def slow_ns(value: Any) -> int:
    number = slow_id(value)
    time_ns = number * (1000 if number >= 10**15 else 10**6)
    if time_ns >= 2**63:
        raise Refused
    return time_ns


def slow_levels(levels: Any, tick_e8: int, lot_e8: int) -> list[tuple[int, int]]:
    if not isinstance(levels, list) or any(not isinstance(x, list) or len(x) < 2 for x in levels):
        raise Refused
    pairs = [(slow_units(x[0], tick_e8), slow_shown(x[1], lot_e8)) for x in levels]
    if any(price == 0 for price, _ in pairs):
        raise Refused
    return pairs


def slow_constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are no JSON


def slow_decode(bench: Bench, text: bytes) -> Any:
    """Return what a message means, read with json and decimal; raise Refused if nothing."""
    try:
        root = json.loads(text.decode("latin1"), parse_constant=slow_constant)
    except (ValueError, RecursionError):
        raise Refused from None
    if not isinstance(root, dict):
        raise Refused
    message = root
    for key in ("data", "event"):
        if isinstance(root.get(key), dict):
            message = root[key]
    event = message.get("e")
    names = [row["symbol"].decode() for row in bench.instruments]
    try:
        if "e" not in message and "lastUpdateId" in message:
            index = names.index(root["stream"].split("@")[0].upper())
        else:
            index = names.index(message["s"])
        tick, lot = (int(bench.instruments[index][name]) for name in ("tick_e8", "lot_e8"))
        if "e" not in message and "lastUpdateId" in message:
            last = slow_id(message["lastUpdateId"])
            bids, asks = (slow_levels(message[k], tick, lot) for k in ("bids", "asks"))
            return Kind.PARTIAL, index, 0, last, last, bids, asks
        if event == "depthUpdate":
            ids = slow_ns(message["E"]), slow_id(message["U"]), slow_id(message["u"])
            bids, asks = (slow_levels(message[k], tick, lot) for k in ("b", "a"))
            return Kind.DEPTH, index, *ids, bids, asks
        if event == "trade":
            slow_ns(message["E"])
            price = slow_units(message["p"], tick)
            if price == 0 or type(message["m"]) is not bool:
                raise Refused
            qty, side = slow_shown(message["q"], lot), Side.SELL if message["m"] else Side.BUY
            when, number = slow_ns(message["T"]), slow_id(message["t"])
            return Kind.TRADE, index, when, number, price, qty, side
        if ("e" not in message and "u" in message) or event == "bookTicker":
            when = slow_ns(message["E"]) if "E" in message else 0
            sides = [
                read(message[key], unit)
                for key, read, unit in zip(
                    "bBaA", (slow_units, slow_shown) * 2, (tick, lot) * 2, strict=True
                )
            ]
            return Kind.TICKER, index, when, slow_id(message["u"]), *sides
    except (KeyError, ValueError, AttributeError, TypeError):
        raise Refused from None
    raise Refused


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


def test_the_whole_capture_reads_as_json_and_decimal_read_it(bench: Bench, shared: Any) -> None:
    path = shared / "captures/binance_spot/btcusdt_20240808.jsonl.gz"
    counts = {kind: 0 for kind in Kind}
    with gzip.open(path) as lines:
        for line in lines:
            text = line.partition(b" ")[2].strip()
            if text.startswith(b'{"lastUpdateId"'):
                message = json.loads(text)
                got = bench.snapshot(text)
                last = message["lastUpdateId"]
                sides = (slow_levels(message[key], 10**6, 10**3) for key in ("bids", "asks"))
                assert got == (Kind.SNAPSHOT, 0, 0, last, last, *sides)
                counts[Kind.SNAPSHOT] += 1
            else:
                counts[same(bench, text)[0]] += 1
    assert counts[Kind.SNAPSHOT] == 1
    assert (counts[Kind.DEPTH], counts[Kind.TICKER], counts[Kind.TRADE]) == (3451, 28040, 9757)


@pytest.mark.parametrize("frame", FRAMES)
def test_a_cut_message_is_refused(bench: Bench, frame: bytes) -> None:
    for size in range(len(frame)):
        assert bench.decode(frame[:size]) == Refusal.NOT_JSON


@pytest.mark.parametrize("frame", FRAMES)
def test_any_changed_byte_is_refused_or_read_as_json_reads_it(bench: Bench, frame: bytes) -> None:
    changed = b'"\\{}[],:019.-e tuB\x00\xff'
    before = bench.decode(frame)
    for offset, byte in itertools.product(range(len(frame)), changed):
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


@settings(max_examples=60, deadline=None)
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


@settings(max_examples=150, deadline=None)
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
