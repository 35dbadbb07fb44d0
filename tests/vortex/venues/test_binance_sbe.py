"""Binance Spot's binary messages: equal to a slow codec built on struct, and to its JSON."""

import json
import xml.etree.ElementTree as ET
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from binary_messages import (
    DEPTH_ID,
    GROUPS,
    PARTIAL_ID,
    ROOTS,
    TICKER_ID,
    TRADES_ID,
    Message,
    Refused,
    encode,
    parse,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import SPOT_SCHEMA, spot_kinds, spot_texts
from scale import scaled

from ipc.memory import address_of
from tools.fuzz.market import two_instruments
from vortex.codes import Kind, Refusal, Side
from vortex.decoding.instruments import build_catalog
from vortex.records import DEPTH, LEVELS, TICKER, TRADE
from vortex.venues import binance_spot, binance_spot_sbe
from vortex.venues._binance import sbe_schema as schema

SLOTS = 1024
INT64_MAX = 2**63 - 1


def slow_e8(mantissa: int, exponent: int) -> int:
    value = Decimal(mantissa).scaleb(exponent + 8)
    if mantissa < 0 or value != value.to_integral_value() or value > INT64_MAX:
        raise Refused
    return int(value)


def checked(value: int, largest: int = INT64_MAX) -> int:
    if not 0 <= value <= largest:
        raise Refused
    return value


class Units:
    """One instrument's tick and lot, and a message's exponents."""

    def __init__(self, bench: "Bench", index: int, exponents: tuple[int, int]) -> None:
        row = bench.instruments[index]
        self.tick_e8, self.lot_e8 = int(row["tick_e8"]), int(row["lot_e8"])
        self.price_exponent, self.qty_exponent = exponents

    def ticks(self, mantissa: int) -> int:
        ticks, rest = divmod(slow_e8(mantissa, self.price_exponent), self.tick_e8)
        if rest:
            raise Refused
        return ticks

    def lots(self, mantissa: int) -> int:
        qty_e8 = slow_e8(mantissa, self.qty_exponent)
        return max(1, qty_e8 // self.lot_e8) if qty_e8 else 0

    def level(self, row: tuple[int, ...]) -> tuple[int, int]:
        ticks, lots = self.ticks(row[0]), self.lots(row[1])
        if ticks == 0:
            raise Refused
        return ticks, lots


def slow_decode(bench: "Bench", data: bytes) -> Any:
    """Return the records of a message in the plain form of ``read_records``, or raise Refused."""
    message = parse(data)
    names = [row["symbol"] for row in bench.instruments]
    if message.symbol not in names:
        raise Refused
    index = names.index(message.symbol)
    when = checked(message.root[0], INT64_MAX // 1000) * 1000
    if message.template_id == TICKER_ID:
        _, number, price_exponent, qty_exponent, bid, bid_qty, ask, ask_qty = message.root
        units = Units(bench, index, (price_exponent, qty_exponent))
        touch = units.ticks(bid), units.lots(bid_qty), units.ticks(ask), units.lots(ask_qty)
        return [(Kind.TICKER, index, when, checked(number), *touch)]
    units = Units(bench, index, message.root[-2:])
    if message.template_id == TRADES_ID:
        when = checked(message.root[1], INT64_MAX // 1000) * 1000
        rows = []
        for number, price, qty, maker in message.groups[0]:
            ticks, lots = units.level((price, qty))
            side = Side.SELL if checked(maker, 1) else Side.BUY
            rows.append((Kind.TRADE, index, when, checked(number), ticks, lots, side))
        if not rows:
            raise Refused
        return rows
    bids, asks = ([units.level(row) for row in rows] for rows in message.groups)
    if message.template_id == PARTIAL_ID:
        number = checked(message.root[1])
        return [(Kind.PARTIAL, index, when, number, number, bids, asks)]
    first, last = checked(message.root[1]), checked(message.root[2])
    return [(Kind.DEPTH, index, when, first, last, bids, asks)]


class Bench:
    """Two instruments, an input buffer and slots to decode into."""

    def __init__(self) -> None:
        self.instruments = two_instruments()
        self.catalog, self.slots = build_catalog(self.instruments)
        self.buffer = np.zeros(1 << 20, dtype=np.uint8)
        self.out = np.zeros(SLOTS * 128, dtype=np.uint8)

    def decode(
        self, data: bytes, size: int | None = None, room: int = SLOTS, venue: Any = binance_spot_sbe
    ) -> Any:
        """Decode the first ``size`` bytes of ``data``; the rest is behind their end."""
        self.buffer[: len(data) + 64] = 0
        self.buffer[: len(data)] = np.frombuffer(data, dtype=np.uint8)
        self.out[:4096] = 0xAA  # whatever a ring held before
        count = venue.MARKET.decode_market(
            address_of(self.buffer), len(data) if size is None else size,
            address_of(self.catalog), address_of(self.out), room,
        )  # fmt: skip
        return count if count < 0 else read_records(self.out, count)


def read_records(out: Any, count: int) -> Any:
    """Return what the slots say as plain tuples: a row per trade, or one for the message."""
    kind = Kind(int(out.view(np.int8)[0]))
    for row in out[: 128 * count].view(DEPTH.dtype):
        assert all(row[name] == 0 for name in ("source_id", "epoch", "cause_id", "publish_ns"))
    if kind in (Kind.TRADE, Kind.TICKER):
        layout, names = {
            Kind.TRADE: (TRADE, "venue_ns trade_id price_ticks qty_lots aggressor_side"),
            Kind.TICKER: (TICKER, "venue_ns update_id bid_ticks bid_lots ask_ticks ask_lots"),
        }[kind]
        assert count == 1 or kind == Kind.TRADE
        rows = out[: 128 * count].view(layout.dtype)
        return [
            (Kind(row["kind"]), int(row["instrument_id"]), *(int(row[n]) for n in names.split()))
            for row in rows
        ]
    head = out[:128].view(DEPTH.dtype)[0]
    assert int(head["record_count"]) == count - 1
    sides: dict[int, list[tuple[int, int]]] = {Kind.BIDS: [], Kind.ASKS: []}
    for row in out[128 : 128 * count].view(LEVELS.dtype):
        assert row["instrument_id"] == head["instrument_id"]
        used = int(row["level_count"])
        assert 1 <= used <= 6
        levels = zip(
            row["price_ticks"][:used].tolist(), row["qty_lots"][:used].tolist(), strict=True
        )
        sides[int(row["kind"])] += levels
        assert not row["price_ticks"][used:].any()
        assert not row["qty_lots"][used:].any()
    names = "instrument_id venue_ns first_update_id last_update_id"
    return [(kind, *(int(head[n]) for n in names.split()), sides[Kind.BIDS], sides[Kind.ASKS])]


BENCH = Bench()


@pytest.fixture(scope="module")
def bench() -> Bench:
    return BENCH


def same(bench: Bench, data: bytes, size: int | None = None) -> Any:
    """Return what both decoders make of the first ``size`` bytes; assert that they agree."""
    try:
        expected = slow_decode(bench, data[:size])
    except Refused:
        expected = None
    got = bench.decode(data, size)
    if expected is None:
        assert isinstance(got, int), (data, got)
        assert got < 0
    else:
        assert got == expected, data
    return got


TICKER_MESSAGE = Message(
    TICKER_ID,
    (1723161255208123, 50093239212, -8, -8, 6183763000000, 378826000, 6183764000000, 154698000),
)
TRADES_MESSAGE = Message(
    TRADES_ID,
    (1723161255343000, 1723161255342000, -2, -5),
    (((3735683259, 6183763, 2000, 1), (3735683260, 6183762, 1, 1), (3735683261, 6183761, 7, 0)),),
)
DEPTH_MESSAGE = Message(
    DEPTH_ID,
    (1723161255208000, 50093239189, 50093239202, -8, -8),
    (((6173763000000, 0),), tuple((6183763000000 + n * 10**6, n * 1000) for n in range(7))),
)
PARTIAL_MESSAGE = Message(
    PARTIAL_ID,
    (1723161255208000, 160, -8, -8),
    (tuple((6173763000000 - n * 10**6, 1000 + n) for n in range(20)), ((6183763000000, 1000),)),
    b"BTCUSDT",
)
MESSAGES = [TICKER_MESSAGE, TRADES_MESSAGE, DEPTH_MESSAGE, PARTIAL_MESSAGE]


def layout_of_xml(path: Path) -> tuple[schema.MessageLayout, ...]:
    """Return the messages of a schema file as the table has them."""
    root = ET.parse(path).getroot()
    space = {"sbe": "http://fixprotocol.io/2016/sbe"}
    primitives = {
        each.get("name"): each.get("primitiveType") for each in root.findall("types/type")
    }
    primitives |= {e.get("name"): e.get("encodingType") for e in root.findall("types/enum")}

    def block_of(fields: list[ET.Element]) -> schema.Block:
        members, offset_bytes = [], 0
        for each in fields:
            if each.get("presence") == "constant":  # not on the wire
                continue
            kind = each.get("primitiveType") or primitives[each.get("type")]
            members.append(schema.Member(str(each.get("name")), offset_bytes, str(kind)))
            offset_bytes += schema.TYPE_BYTES[str(kind)]
        return schema.Block(tuple(members))

    composites = {
        str(each.get("name")): block_of(each.findall("type"))
        for each in root.findall("types/composite")
    }
    assert composites["messageHeader"] == schema.HEADER
    assert (root.get("id"), root.get("version")) == (
        str(schema.SCHEMA_ID), str(schema.SCHEMA_VERSION),
    )  # fmt: skip
    assert root.get("byteOrder") == "littleEndian"
    found = []
    for message in root.findall("sbe:message", space):
        groups = tuple(
            schema.Group(
                str(group.get("name")),
                composites[group.get("dimensionType", "groupSizeEncoding")],
                block_of(group.findall("field")),
            )
            for group in message.findall("group")
        )
        assert [each.get("name") for each in message.findall("data")] == ["symbol"]
        root_block = block_of(message.findall("field"))
        name, template_id = str(message.get("name")), int(str(message.get("id")))
        found.append(schema.MessageLayout(name, template_id, root_block, groups))
    return tuple(found)


def test_the_table_is_the_venues_schema(recordings: Path) -> None:
    assert layout_of_xml(recordings / SPOT_SCHEMA) == schema.MESSAGES


def test_the_slow_codec_has_the_tables_offsets() -> None:
    """Its formats and the table were written apart."""
    letters = {"int8": "b", "uint8": "B", "uint16": "H", "uint32": "I", "int64": "q"}

    def format_of(block: schema.Block) -> str:
        ends = [0, *(m.offset_bytes + schema.TYPE_BYTES[m.type_name] for m in block.members)]
        assert [m.offset_bytes for m in block.members] == ends[:-1], "no gaps"
        return "<" + "".join(letters[member.type_name] for member in block.members)

    assert {m.template_id: format_of(m.root) for m in schema.MESSAGES} == ROOTS
    assert {
        m.template_id: [(format_of(g.dimensions), format_of(g.entry)) for g in m.groups]
        for m in schema.MESSAGES
    } == GROUPS


def test_bytes_written_by_hand_are_read(bench: Bench) -> None:
    data = bytes.fromhex(
        "3200 1127 0100 0000"  # 50 bytes of template 10001, schema 1, version 0
        "8096980000000000 0700000000000000 fe fb"  # 10 s, update 7, exponents -2 and -5
        "d204000000000000 0200000000000000 d304000000000000 a086010000000000"
        "07 42544355534454"
    )
    assert bench.decode(data) == [(Kind.TICKER, 0, 10**10, 7, 1234, 2, 1235, 100_000)]


@pytest.mark.parametrize("message", MESSAGES)
def test_each_kind_of_message_is_read(bench: Bench, message: Message) -> None:
    assert not isinstance(same(bench, encode(message)), int)


@pytest.mark.parametrize("message", MESSAGES)
def test_a_cut_message_is_refused_though_the_rest_is_behind_it(
    bench: Bench, message: Message
) -> None:
    data = encode(message)
    for size in range(len(data)):
        got = bench.decode(data, size)
        if size >= 8:
            assert got == Refusal.NOT_SBE
        else:  # no header: it can only be text, of which a first "2" would be some
            assert got in (Refusal.NOT_JSON, Refusal.NOT_KNOWN)


@pytest.mark.parametrize("message", MESSAGES)
def test_any_changed_byte_is_refused_or_read_as_the_slow_decoder_reads_it(
    bench: Bench, message: Message
) -> None:
    data = encode(message)
    for offset in range(0, len(data), scaled(1, 13)):
        for byte in (0, 1, 2, 8, 15, 16, 17, 25, 127, 128, 255):
            same(bench, data[:offset] + bytes([byte]) + data[offset + 1 :])


@pytest.mark.parametrize("message", MESSAGES)
def test_a_later_version_reads_the_same(bench: Bench, message: Message) -> None:
    """Blocks and entries may be longer, and more may follow the symbol."""
    expected = bench.decode(encode(message))
    for size in (1, 3, 8, 200):
        more = bytes(range(1, size + 1))
        longer = [{"root_more": more}, {"entry_more": more}, {"tail": more}]
        for each in [*longer, longer[0] | longer[1] | longer[2]]:
            assert bench.decode(encode(message, version=size, **each)) == expected


@pytest.mark.parametrize("message", MESSAGES)
def test_shorter_blocks_than_our_fields_are_refused(bench: Bench, message: Message) -> None:
    data = bytearray(encode(message))
    size = int.from_bytes(data[:2], "little")
    for shorter in range(size):
        data[:2] = shorter.to_bytes(2, "little")
        assert bench.decode(bytes(data)) == Refusal.NOT_SBE
    entry_at = 8 + size
    data[:2] = size.to_bytes(2, "little")
    if message.groups:
        entry_bytes = int.from_bytes(data[entry_at : entry_at + 2], "little")
        for shorter in range(entry_bytes):
            data[entry_at : entry_at + 2] = shorter.to_bytes(2, "little")
            assert bench.decode(bytes(data)) == Refusal.NOT_SBE


def test_what_cannot_be_taken_has_its_own_refusal(bench: Bench) -> None:
    ticker = TICKER_MESSAGE
    when, number, _, _, *touch = ticker.root
    data = encode(ticker)
    trade = TRADES_MESSAGE

    def traded(*entry: int) -> bytes:
        return encode(trade._replace(groups=((entry,),)))

    cases = {
        data[:4] + b"\x02\x00" + data[6:]: Refusal.NOT_SBE,  # another schema
        data[:4] + b"\x03\x00" + data[6:]: Refusal.NOT_SBE,
        data[:2] + (10004).to_bytes(2, "little") + data[4:]: Refusal.NOT_KNOWN,
        encode(ticker._replace(symbol=b"ETHUSDT")): Refusal.UNKNOWN_SYMBOL,
        encode(ticker._replace(symbol=b"")): Refusal.UNKNOWN_SYMBOL,
        encode(ticker._replace(symbol=b"BTCUSDT\x00")): Refusal.UNKNOWN_SYMBOL,
        encode(ticker._replace(symbol=b"B" * 255)): Refusal.UNKNOWN_SYMBOL,
        encode(ticker._replace(root=(when, number, -9, -8, *touch))): Refusal.OFF_TICK,
        encode(ticker._replace(root=(when, number, -128, -8, *touch))): Refusal.OFF_TICK,
        encode(ticker._replace(root=(when, number, 127, -8, *touch))): Refusal.OUT_OF_RANGE,
        encode(ticker._replace(root=(when, number, -8, 11, *touch))): Refusal.OUT_OF_RANGE,
        encode(ticker._replace(root=(-1, number, -8, -8, *touch))): Refusal.OUT_OF_RANGE,
        encode(ticker._replace(root=(2**60, number, -8, -8, *touch))): Refusal.OUT_OF_RANGE,
        encode(ticker._replace(root=(when, -1, -8, -8, *touch))): Refusal.OUT_OF_RANGE,
        encode(trade._replace(groups=((),))): Refusal.IGNORED,
        traded(1, 6183763, 0, 2): Refusal.NOT_SBE,
        traded(1, 0, 1, 1): Refusal.OUT_OF_RANGE,
        traded(1, -1, 1, 1): Refusal.OUT_OF_RANGE,
        traded(1, 1, -(2**63), 1): Refusal.OUT_OF_RANGE,
        traded(-1, 1, 1, 1): Refusal.OUT_OF_RANGE,
        b"": Refusal.NOT_JSON,
        bytes(8): Refusal.NOT_SBE,
        b"\xff" * 64: Refusal.NOT_JSON,
    }
    for message, refusal in cases.items():
        assert bench.decode(message) == refusal, message


def test_text_on_the_same_connection_is_read_as_text(bench: Bench) -> None:
    """Replies and announcements are JSON, whatever form that has."""
    cases = {
        b'{"result":null,"id":1}': Refusal.IGNORED,
        b' \n{"result" :\tnull,"id":1}': Refusal.IGNORED,
        b'{"error":{"code":2,"msg":"Invalid request"},"id":5000001}': Refusal.IGNORED,
        b'{"e":"serverShutdown","E":1770123456789}': Refusal.SHUTDOWN,
        b"{}": Refusal.NOT_KNOWN,
        b'{"a":\n\n1}': Refusal.NOT_KNOWN,
    }
    for text, refusal in cases.items():
        assert bench.decode(text) == refusal, text


def test_a_block_as_long_as_an_opening_brace_is_not_taken_for_text(bench: Bench) -> None:
    """0x7b is the first byte of most JSON texts, and of a block of 123 bytes."""
    data = encode(TICKER_MESSAGE, root_more=bytes(123 - 50))
    assert data[:1] == b"{"
    assert bench.decode(data) == bench.decode(encode(TICKER_MESSAGE))


def test_a_message_that_does_not_fit_its_room_is_refused(bench: Bench) -> None:
    for message, wanted in ((TICKER_MESSAGE, 1), (TRADES_MESSAGE, 3), (DEPTH_MESSAGE, 4)):
        data = encode(message)
        assert not isinstance(bench.decode(data, room=wanted), int)
        for room in range(wanted):
            assert bench.decode(data, room=room) == Refusal.TOO_LARGE


exponents = st.sampled_from([-8, -8, -8, -2, -5, -9, -10, -26, -27, 0, 1, 10, 11, 127, -128])
counts = st.one_of(st.integers(0, 10**13), st.sampled_from([-1, 1, 2**63 - 1, -(2**63)]))
mantissas = st.one_of(
    st.integers(1, 10**7).map(lambda n: n * 10**6),
    st.integers(1, 10**6).map(lambda n: n * 70),
    st.integers(0, 10**12),
    st.sampled_from([0, 1, -1, 10**18, 2**63 - 1, -(2**63), 9 * 10**18]),
)
symbols = st.sampled_from(
    [b"BTCUSDT", b"BTCUSDT", b"LONGNAMEDTOKENUSDT", b"ETHUSDT", b"", b"BTCUSDT\x00", b"x" * 30]
)
levels = st.lists(st.tuples(mantissas, mantissas), max_size=14).map(tuple)


@st.composite
def made_up(draw: st.DrawFn) -> Message:
    """Return any message that the schema can say."""
    template_id = draw(st.sampled_from(sorted(ROOTS)))
    times = st.one_of(st.integers(0, 2 * 10**15), counts)
    root: tuple[int, ...] = (draw(times), draw(counts))
    root += (draw(counts),) if template_id == DEPTH_ID else ()
    root += (draw(exponents), draw(exponents))
    if template_id == TICKER_ID:
        root += tuple(draw(mantissas) for _ in range(4))
        return Message(template_id, root, (), draw(symbols))
    if template_id == TRADES_ID:
        entry = st.tuples(counts, mantissas, mantissas, st.sampled_from([0, 1, 1, 0, 2, 255]))
        entries = st.lists(entry, max_size=9).map(tuple)
        return Message(template_id, root, (draw(entries),), draw(symbols))
    return Message(template_id, root, (draw(levels), draw(levels)), draw(symbols))


more_bytes = st.one_of(st.just(b""), st.binary(max_size=40))


@settings(max_examples=400)
@given(
    message=made_up(), more=st.tuples(more_bytes, more_bytes, more_bytes), version=st.integers(0, 9)
)
def test_any_message_reads_as_the_slow_decoder_reads_it(
    message: Message, more: tuple[bytes, bytes, bytes], version: int
) -> None:
    root_more, entry_more, tail = more
    data = encode(
        message, version=version, root_more=root_more, entry_more=entry_more, tail=tail
    )  # fmt: skip
    assert parse(data) == message
    same(BENCH, data)


@settings(max_examples=400)
@given(message=made_up(), data=st.data())
def test_any_damage_is_refused_or_read_as_the_slow_decoder_reads_it(
    message: Message, data: st.DataObject
) -> None:
    damaged = bytearray(encode(message))
    for _ in range(data.draw(st.integers(0, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    same(BENCH, bytes(damaged), data.draw(st.integers(0, len(damaged))))


@settings(max_examples=200)
@given(data=st.binary(max_size=120))
def test_any_bytes_are_refused_or_read_as_the_slow_decoder_reads_them(data: bytes) -> None:
    same(BENCH, data)
    same(BENCH, data[:2] + b"\x10\x27\x01\x00" + data[6:])


def e8(text: str) -> int:
    return int(Decimal(text) * 10**8)


def binary_of(frame: bytes) -> bytes:
    """Return a JSON message in binary, with mantissas of 1e-8."""
    outer = json.loads(frame)
    data = outer.get("data", outer)
    symbol = data["s"].encode()

    def rows(key: str) -> tuple[tuple[int, int], ...]:
        return tuple((e8(price), e8(qty)) for price, qty in data[key])

    if data.get("e") == "depthUpdate":
        root = (data["E"] * 1000, data["U"], data["u"], -8, -8)
        return encode(Message(DEPTH_ID, root, (rows("b"), rows("a")), symbol))
    if data.get("e") == "trade":
        entry = (data["t"], e8(data["p"]), e8(data["q"]), int(data["m"]))
        root = (data["E"] * 1000, data["T"] * 1000, -8, -8)
        return encode(Message(TRADES_ID, root, ((entry,),), symbol))
    touch = (e8(data[key]) for key in "bBaA")
    return encode(Message(TICKER_ID, (0, data["u"], -8, -8, *touch), (), symbol))


def test_the_recording_reads_the_same_in_binary_as_in_json(bench: Bench, recordings: Path) -> None:
    """Diffs, tickers and trades as they were, packed by the slow codec."""
    read = Counter[Kind]()
    for frame in spot_texts(recordings):
        if frame.startswith(b'{"lastUpdateId"'):
            continue
        expected = bench.decode(frame, venue=binance_spot)
        assert bench.decode(binary_of(frame)) == expected, frame
        assert bench.decode(frame) == expected
        read[expected[0][0]] += 1
    assert read == spot_kinds(recordings) - Counter({Kind.SNAPSHOT: 1})
    assert all(read[kind] >= scaled(200, 40) for kind in (Kind.DEPTH, Kind.TICKER, Kind.TRADE))


quantities = st.integers(0, 10**13)
prices = st.integers(1, 10**7).map(lambda ticks: ticks * 10**6)


@settings(max_examples=150)
@given(
    bids=st.lists(st.tuples(prices, quantities), max_size=14),
    asks=st.lists(st.tuples(prices, quantities), max_size=7),
    number=st.integers(1, 2**53),
)
def test_a_partial_book_reads_the_same_in_binary_as_in_json(
    bids: list[tuple[int, int]], asks: list[tuple[int, int]], number: int
) -> None:
    def text(levels: list[tuple[int, int]]) -> list[list[str]]:
        return [[f"{Decimal(value).scaleb(-8):f}" for value in level] for level in levels]

    partial = {"lastUpdateId": number, "bids": text(bids), "asks": text(asks)}
    frame = json.dumps({"stream": "btcusdt@depth20", "data": partial}).encode()
    message = Message(PARTIAL_ID, (0, number, -8, -8), (tuple(bids), tuple(asks)))
    assert BENCH.decode(encode(message)) == BENCH.decode(frame, venue=binance_spot)
