"""Binance Spot market messages against a slow decoder built on json and decimal."""

import json
import re
from typing import Any

import numpy as np

from ipc.memory import address_of
from ipc.types import RecordArray
from tools.fuzz.scanner import is_nested_deeply, no_constant, slow_e8, slow_integer
from vortex.codes import Kind, Side
from vortex.decoding.instruments import build_catalog
from vortex.records import DEPTH, INSTRUMENT, LEVELS, TICKER, TRADE
from vortex.venues._binance.market_decoder import decode_market, decode_snapshot

SLOTS = 1024

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


def two_instruments() -> RecordArray:
    """Return two rows of the INSTRUMENT table: a short symbol, and a long one with odd steps."""
    rows = np.zeros(2, dtype=INSTRUMENT.dtype)
    for index, (symbol, tick_e8, lot_e8) in enumerate(
        [(b"BTCUSDT", 1_000_000, 1_000), (b"LONGNAMEDTOKENUSDT", 70, 300)]
    ):
        row = rows[index]
        row["symbol"], row["symbol_bytes"], row["instrument_id"] = symbol, len(symbol), index
        row["tick_e8"], row["lot_e8"] = tick_e8, lot_e8
    return rows


class Bench:
    """Two instruments, an input buffer and slots to decode into."""

    def __init__(self) -> None:
        self.instruments = two_instruments()
        self.catalog, self.slots = build_catalog(self.instruments)
        self.buffer = np.zeros(1 << 20, dtype=np.uint8)
        self.out = np.zeros(SLOTS * 128, dtype=np.uint8)

    def put(self, text: bytes) -> int:
        """Write ``text`` where compiled code can read it; return where."""
        # The bytes behind the text would continue it, if they were read.
        padded = text + (b'9"],["1.00000000","1.00000000"]]}}}' * 4)[:64]
        self.buffer[: len(padded)] = np.frombuffer(padded, dtype=np.uint8)
        return address_of(self.buffer)

    def decode(self, text: bytes, room: int = SLOTS) -> Any:
        """Return what ``decode_market`` makes of ``text``: plain records, or its refusal."""
        self.out[:4096] = 0xAA  # old content of a ring
        count = decode_market(
            self.put(text), len(text), address_of(self.catalog), address_of(self.out), room
        )
        return count if count < 0 else read_records(self.out, count)

    def decode_by(self, path: Any, text: bytes) -> Any:
        """Return what one path of ``decode_market``, called by itself, makes of ``text``.

        The anchored path returns 0 when it leaves the text to the other.
        """
        self.out[:4096] = 0xAA
        start = self.put(text)
        places = address_of(self.catalog), address_of(self.out)
        count = path(start, start + len(text), *places, SLOTS)
        return count if count <= 0 else read_records(self.out, count)

    def snapshot(self, text: bytes, index: int = 0) -> Any:
        """Return what ``decode_snapshot`` makes of ``text``."""
        self.out[:4096] = 0xAA
        row = address_of(self.instruments) + index * INSTRUMENT.dtype.itemsize
        count = decode_snapshot(self.put(text), len(text), row, address_of(self.out), SLOTS)
        return count if count < 0 else read_records(self.out, count)


def read_records(out: Any, count: int) -> Any:
    """Return what the slots say, in the same plain form as ``slow_decode``."""
    kind, index = Kind(int(out.view(np.int8)[0])), int(out[:4].view(np.int16)[1])
    if kind == Kind.TICKER:
        row = out[:128].view(TICKER.dtype)[0]
        names: tuple[str, ...] = (
            "venue_ns",
            "update_id",
            "bid_ticks",
            "bid_lots",
            "ask_ticks",
            "ask_lots",
        )
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
    """The message is not one that we accept."""


class Number(str):
    """A JSON number as it was written."""


def slow_units(value: Any, unit_e8: int) -> int:
    """Return a decimal in units of ``unit_e8``."""
    value_e8, refusal = slow_e8(value) if isinstance(value, str) else (0, -1)
    if refusal or value_e8 < 0 or value_e8 % unit_e8 != 0:
        raise Refused
    return value_e8 // unit_e8


def slow_shown(value: Any, lot_e8: int) -> int:
    """Return a quantity of others in lots: rounded down, but never to nothing."""
    qty_e8 = slow_units(value, 1)
    return max(1, qty_e8 // lot_e8) if qty_e8 else 0


def slow_id(value: Any) -> int:
    """Return an id, which is a whole number."""
    number, refusal = slow_integer(value) if type(value) is Number else (0, -1)
    if refusal or number < 0:
        raise Refused
    return number


def slow_ns(value: Any) -> int:
    """Return a time of the venue, which is in milliseconds or microseconds."""
    number = slow_id(value)
    time_ns = number * (1000 if number >= 10**15 else 10**6)
    if time_ns >= 2**63:
        raise Refused
    return time_ns


def slow_levels(levels: Any, tick_e8: int, lot_e8: int) -> list[tuple[int, int]]:
    """Return levels in ticks and lots."""
    if not isinstance(levels, list) or any(not isinstance(x, list) or len(x) < 2 for x in levels):
        raise Refused
    pairs = [(slow_units(x[0], tick_e8), slow_shown(x[1], lot_e8)) for x in levels]
    if any(price == 0 for price, _ in pairs):
        raise Refused
    return pairs


def slow_decode(bench: Bench, text: bytes) -> Any:
    """Return what a message means, read with json and decimal; raise Refused if nothing."""
    try:
        root = json.loads(
            text.decode("latin1"), parse_constant=no_constant, parse_int=Number, parse_float=Number
        )
    except (ValueError, RecursionError):
        raise Refused from None
    if not isinstance(root, dict):
        raise Refused
    message = root
    for key in ("data", "event"):
        if isinstance(root.get(key), dict):
            message = root[key]
    try:
        return slow_message(bench, root, message)
    except (KeyError, ValueError, AttributeError, TypeError):
        raise Refused from None


def slow_message(bench: Bench, root: Any, message: Any) -> Any:
    """Return what ``message`` means, which came in ``root``."""
    event = message.get("e")
    names = [row["symbol"].decode() for row in bench.instruments]
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
            take(message[key], unit)
            for key, take, unit in zip(
                "bBaA", (slow_units, slow_shown) * 2, (tick, lot) * 2, strict=True
            )
        ]
        return Kind.TICKER, index, when, slow_id(message["u"]), *sides
    raise Refused


BENCH = Bench()
STREAM_NAME = re.compile(rb'^\{"stream":"[^"\\]*"')


def read(data: bytes) -> Any:
    """Return what ``decode_market`` makes of ``data``."""
    return BENCH.decode(data)


def difference(data: bytes) -> str:
    """Return how our result differs from the slow decoder's; "" if equal."""
    # The usual form is known by its keys; no reader checks the name of its stream.
    named = STREAM_NAME.sub(b'{"stream":"btcusdt@x"', data)
    got = read(data)
    meanings = []
    for text in (data, named):
        try:
            meanings.append(slow_decode(BENCH, text))
        except Refused:
            meanings.append(None)
    if not isinstance(got, int):
        return "" if got in meanings else f"read {got}, not {meanings[0]}"
    # Numbers are never escaped, nothing of the venue nests deeply, and an envelope has one message.
    is_odd = b"\\" in data or is_nested_deeply(data) or (b'"data"' in data and b'"event"' in data)
    return "" if meanings[0] is None or is_odd else f"refused ({got}), not {meanings[0]}"


def seeds() -> list[bytes]:
    """Return real messages, and a few forms of them."""
    raw = [json.dumps(json.loads(frame)["data"], separators=(",", ":")) for frame in FRAMES[:3]]
    spaced = [json.dumps(json.loads(frame)) for frame in FRAMES]
    return [*FRAMES, *(text.encode() for text in raw + spaced)]
