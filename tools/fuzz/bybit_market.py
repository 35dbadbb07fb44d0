"""Bybit's market messages against a slow decoder built on json, decimal and uuid."""

import json
import re
import uuid
from typing import Any

import numpy as np

from ipc.memory import address_of
from ipc.types import RecordArray
from tools.fuzz.market import (
    Number,
    Refused,
    slow_id,
    slow_levels,
    slow_shown,
    slow_units,
)
from tools.fuzz.scanner import is_nested_deeply, no_constant
from vortex.codes import Kind, Side
from vortex.decoding.instruments import build_catalog
from vortex.records import DEPTH, INSTRUMENT, LEVELS, TICKER, TRADE
from vortex.venues._bybit.any_form import decode_any_form
from vortex.venues._bybit.market_messages import decode_market, decode_usual

SLOTS = 512
BEFORE_BYTES = 64

SNAPSHOT_FRAME = (
    b'{"topic":"orderbook.50.SOLUSDT","type":"snapshot","ts":1786310819053,"data":{"s":"SOLUSDT",'
    b'"b":[["77.300","1347.2"],["77.290","4646.8"],["76.900","0.1"]],"a":[["77.310","20"]],'
    b'"u":13783402,"seq":272903637200},"cts":1786310819040}'
)
DELTA_FRAME = (
    b'{"topic":"orderbook.200.BTCUSDT","type":"delta","ts":1786310818130,"data":{"s":"BTCUSDT",'
    b'"b":[["65095.30","0.005"],["65093.10","0"]],"a":[["65116.60","0"],["65129.50","2.302"],'
    b'["65129.60","0.002"]],"u":15076953,"seq":753843913870},"cts":1786310818129}'
)
SPOT_DELTA_FRAME = (
    b'{"topic":"orderbook.1000.BTCUSDT","ts":1786310826153,"type":"delta","data":{"s":"BTCUSDT",'
    b'"b":[["65095.3","0.2"],["65095","3"]],"a":[],"u":56726560,"seq":178477363641},'
    b'"cts":1786310826149}'
)
RESTART_FRAME = DELTA_FRAME.replace(b'"u":15076953', b'"u":1')
TOUCH_FRAME = (
    b'{"topic":"orderbook.1.LONGNAMEDTOKENUSDT","ts":1786310826153,"type":"snapshot",'
    b'"data":{"s":"LONGNAMEDTOKENUSDT","b":[["0.00000070","0.000003"]],"a":[["1.4","33"]],'
    b'"u":56726561,"seq":178477363642},"cts":1786310826150}'
)
EMPTY_TOUCH_FRAME = TOUCH_FRAME.replace(b'[["0.00000070","0.000003"]]', b"[]")
TRADE_FRAME = (
    b'{"topic":"publicTrade.SOLUSDT","type":"snapshot","ts":1786310820347,"data":[{"T":'
    b'1786310820346,"s":"SOLUSDT","S":"Buy","v":"0.1","p":"77.310","L":"PlusTick","i":'
    b'"19d7df56-4f10-5290-a969-d9d9f2c74cc3","BT":false,"RPI":false,"seq":430879434439},{"T":'
    b'1786310820347,"s":"SOLUSDT","S":"Sell","v":"130","p":"77.290","L":"ZeroMinusTick","i":'
    b'"4d4ad26c-901f-5146-0dc0-1db29b6b9ab6","BT":false,"RPI":true,"seq":430879434440}]}'
)
SPOT_TRADE_FRAME = (
    b'{"topic":"publicTrade.BTCUSDT","ts":1786310853815,"type":"snapshot","data":[{"i":'
    b'"2280000001739247457","T":1786310853814,"p":"65095.3","v":"0.00051","S":"Buy","seq":'
    b'178477371106,"s":"BTCUSDT","BT":false,"RPI":false}]}'
)
BLOCK_FRAME = TRADE_FRAME.replace(b'"BT":false', b'"BT":true', 1)
FRAMES = [
    SNAPSHOT_FRAME,
    DELTA_FRAME,
    SPOT_DELTA_FRAME,
    RESTART_FRAME,
    TOUCH_FRAME,
    EMPTY_TOUCH_FRAME,
    TRADE_FRAME,
    SPOT_TRADE_FRAME,
]


def three_instruments() -> RecordArray:
    """Return three rows of the INSTRUMENT table, the last with a long name and odd steps."""
    rows = np.zeros(3, dtype=INSTRUMENT.dtype)
    steps = [
        (b"BTCUSDT", 10**7, 10**5),
        (b"SOLUSDT", 10**6, 10**7),
        (b"LONGNAMEDTOKENUSDT", 70, 300),
    ]
    for index, (symbol, tick_e8, lot_e8) in enumerate(steps):
        row = rows[index]
        row["symbol"], row["symbol_bytes"], row["instrument_id"] = symbol, len(symbol), index
        row["tick_e8"], row["lot_e8"] = tick_e8, lot_e8
    return rows


class BybitBench:
    """Instruments, an input buffer and slots to decode into."""

    def __init__(self, instruments: RecordArray) -> None:
        self.instruments = instruments
        self.catalog, self.tables = build_catalog(self.instruments)
        self.buffer = np.zeros(1 << 17, dtype=np.uint8)
        self.out = np.zeros(SLOTS * 128, dtype=np.uint8)

    def decode_by(self, path: Any, text: bytes, room: int = SLOTS) -> Any:
        """Return what one path makes of ``text``: plain records, a Refusal, or 0 for not usual."""
        self.out[:4096] = 0xAA  # old content of a ring
        # What is behind the text would continue it, if it were read.
        padded = b"7" * BEFORE_BYTES + text + (b'9"],["1.0","1.0"]]}}}' * 4)[:64]
        self.buffer[: len(padded)] = np.frombuffer(padded, dtype=np.uint8)
        start = address_of(self.buffer) + BEFORE_BYTES
        count = path(start, start + len(text), address_of(self.catalog), address_of(self.out), room)
        return count if count <= 0 else read_slots(self.out, count)

    def decode(self, text: bytes, room: int = SLOTS) -> Any:
        """Return what ``decode_market`` makes of ``text``: plain records, or its refusal."""
        return self.decode_by(_whole_message, text, room)


def _whole_message(start: int, end: int, catalog: int, out: int, room: int) -> int:
    return decode_market(start, end - start, catalog, out, room)


def read_slots(out: Any, count: int) -> Any:
    """Return what the slots say, in the same plain form as ``slow_decode``."""
    kind, index = Kind(int(out.view(np.int8)[0])), int(out[:4].view(np.int16)[1])
    if kind == Kind.TICKER:
        row = out[:128].view(TICKER.dtype)[0]
        names = ("venue_ns", "update_id", "bid_ticks", "bid_lots", "ask_ticks", "ask_lots")
        assert count == 1
        return (kind, index, *(int(row[name]) for name in names))
    if kind == Kind.TRADE:
        return [read_trade(row) for row in out[: 128 * count].view(TRADE.dtype)]
    head = out[:128].view(DEPTH.dtype)[0]
    assert int(head["record_count"]) == count - 1
    assert head["first_update_id"] == head["last_update_id"]
    sides: dict[int, list[tuple[int, int]]] = {Kind.BIDS: [], Kind.ASKS: []}
    for row in out[128 : 128 * count].view(LEVELS.dtype):
        assert int(row["instrument_id"]) == index
        used = int(row["level_count"])
        levels = zip(row["price_ticks"][:used], row["qty_lots"][:used], strict=True)
        sides[int(row["kind"])] += [(int(price), int(qty)) for price, qty in levels]
        assert not row["price_ticks"][used:].any()
    numbers = (int(head[name]) for name in ("is_reset", "venue_ns", "last_update_id"))
    return (kind, index, *numbers, sides[Kind.BIDS], sides[Kind.ASKS])


def read_trade(row: Any) -> Any:
    """Return a TRADE as plain numbers, its id as one."""
    assert row["kind"] == Kind.TRADE
    identity = int(row["trade_id_high"]) % 2**64 << 64 | int(row["trade_id"]) % 2**64
    names = ("venue_ns", "price_ticks", "qty_lots", "aggressor_side")
    return (int(row["instrument_id"]), identity, *(int(row[name]) for name in names))


def slow_ms(value: Any) -> int:
    """Return a time in ms in ns."""
    time_ns = slow_id(value) * 10**6
    if time_ns >= 2**63:
        raise Refused
    return time_ns


def slow_identity(value: Any) -> int:
    """Return a trade's id as a number of 128 bits."""
    if type(value) is not str:
        raise Refused
    if re.fullmatch(r"[0-9]{1,19}", value):
        return int(value)
    if re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", value):
        return uuid.UUID(value).int
    raise Refused


def slow_decode(bench: BybitBench, text: bytes) -> Any:
    """Return what a message means, read with json and decimal; raise Refused if nothing."""
    try:
        root = json.loads(
            text.decode("latin1"), parse_constant=no_constant, parse_int=Number, parse_float=Number
        )
        topic = root["topic"].split(".")
        if type(root["topic"]) is not str:
            raise Refused
        if topic[0] == "publicTrade":
            return slow_trades(bench, root["data"])
        if topic[0] == "orderbook" and re.fullmatch(r"[0-9]{1,4}", topic[1]):
            return slow_book(bench, root, int(topic[1]))
    except (KeyError, ValueError, AttributeError, TypeError, IndexError, RecursionError):
        raise Refused from None
    raise Refused


def steps_of(bench: BybitBench, symbol: Any) -> tuple[int, int, int]:
    """Return index, tick and lot of a symbol."""
    index = [row["symbol"].decode() for row in bench.instruments].index(symbol)
    row = bench.instruments[index]
    if type(symbol) is not str:
        raise Refused
    return index, int(row["tick_e8"]), int(row["lot_e8"])


def slow_trades(bench: BybitBench, data: Any) -> Any:
    """Return the trades of a message."""
    trades = []
    if not isinstance(data, list):
        raise Refused
    for one in data:
        if type(one.get("BT", False)) is not bool:
            raise Refused
        if one.get("BT"):
            continue
        index, tick, lot = steps_of(bench, one["s"])
        price, side = slow_units(one["p"], tick), {"Buy": Side.BUY, "Sell": Side.SELL}[one["S"]]
        if price == 0:
            raise Refused
        identity, qty = slow_identity(one["i"]), slow_shown(one["v"], lot)
        trades.append((index, identity, slow_ms(one["T"]), price, qty, side))
    if not trades:
        raise Refused
    return trades


def slow_book(bench: BybitBench, root: Any, level_count: int) -> Any:
    """Return a book message, of one level as a ticker."""
    data, is_snapshot = root["data"], {"snapshot": True, "delta": False}[root["type"]]
    index, tick, lot = steps_of(bench, data["s"])
    venue_ns, number = slow_ms(root["cts"] if "cts" in root else root["ts"]), slow_id(data["u"])
    bids, asks = (slow_levels(data[key], tick, lot) for key in "ba")
    if level_count == 1:
        if not is_snapshot:
            raise Refused
        bid = max(bids, key=lambda level: level[0], default=(0, 0))
        ask = min(asks, key=lambda level: level[0], default=(0, 0))
        return (Kind.TICKER, index, venue_ns, slow_id(data["seq"]), *bid, *ask)
    is_reset = is_snapshot or number == 1
    kind = Kind.SNAPSHOT if is_reset else Kind.DEPTH
    return kind, index, int(is_reset), venue_ns, number, bids, asks


BENCH = BybitBench(three_instruments())


def read(data: bytes) -> Any:
    """Return what ``decode_market`` makes of ``data``."""
    return BENCH.decode(data)


def difference(data: bytes) -> str:
    """Return how what we read differs from what the slow decoder reads; "" if nowhere."""
    got, usual = read(data), BENCH.decode_by(decode_usual, data)
    general = BENCH.decode_by(decode_any_form, data)
    if usual not in (0, general):
        return f"today's form reads {usual}, any form {general}"
    try:
        meant = slow_decode(BENCH, data)
    except Refused:
        meant = None
    if not isinstance(got, int):
        return "" if got == meant else f"read {got}, not {meant}"
    # Numbers are never escaped, and nothing of the venue nests deeply.
    is_odd = b"\\" in data or is_nested_deeply(data)
    return "" if meant is None or is_odd else f"refused ({got}), not {meant}"


def seeds() -> list[bytes]:
    """Return messages of the venue's forms, and a few forms of them."""
    spaced = [json.dumps(json.loads(frame)).encode() for frame in FRAMES]
    return [*FRAMES, BLOCK_FRAME, *spaced]
