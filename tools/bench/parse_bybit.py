"""What ``parse`` is measured beside on Bybit's frames: msgspec and orjson, on the same bytes."""

import uuid
from collections.abc import Callable
from typing import Any

import msgspec

from tools.bench.bybit_frames import CONTRACTS
from tools.bench.parse_loops import Sum
from tools.bench.parse_others import orjson_loads
from vortex.units import to_e8

#: Where a frame's topic tells its type: the ``o`` or ``p`` behind ``{"topic":"``.
TOPIC_OFFSET = len('{"topic":"')


class BookPart(msgspec.Struct):
    """``data`` of a book message."""

    s: str
    b: list[tuple[str, str]]
    a: list[tuple[str, str]]
    u: int
    seq: int


class BookFrame(msgspec.Struct):
    """A book message."""

    topic: str
    type: str
    data: BookPart
    cts: int


class TradePart(msgspec.Struct):
    """One trade of a message."""

    T: int
    s: str
    S: str
    v: str
    p: str
    i: str
    BT: bool


class TradesFrame(msgspec.Struct):
    """A message of trades."""

    topic: str
    data: list[TradePart]


DECODERS: dict[int, Callable[[bytes], Any]] = {
    ord("o"): msgspec.json.Decoder(BookFrame).decode,
    ord("p"): msgspec.json.Decoder(TradesFrame).decode,
}
STEPS = {contract.symbol: (contract.tick_e8, contract.lot_e8) for contract in CONTRACTS}


def decode_bybit(frames: list[bytes]) -> None:
    """Decode each frame into the Struct of its type; numbers in text stay text."""
    for frame in frames:
        DECODERS[frame[TOPIC_OFFSET]](frame)


def sum_bybit(frames: list[bytes]) -> list[int]:
    """Decode each frame, convert its numbers, and return what ``parse_loops.Sum`` names."""
    sums = [0] * len(Sum)
    for frame in frames:
        message = DECODERS[frame[TOPIC_OFFSET]](frame)
        if isinstance(message, BookFrame):
            _add_book(sums, message)
        else:
            _add_trades(sums, message)
    return [(value + 2**63) % 2**64 - 2**63 for value in sums]


def _add_book(sums: list[int], message: BookFrame) -> None:
    data = message.data
    tick_e8, lot_e8 = STEPS[data.s]
    sums[Sum.DEPTH_FIRST_ID] += data.u
    sums[Sum.DEPTH_LAST_ID] += data.u
    sums[Sum.DEPTH_MS] += message.cts
    for first, levels in ((Sum.BID_COUNT, data.b), (Sum.ASK_COUNT, data.a)):
        sums[first] += len(levels)
        sums[first + 1] += sum(to_e8(price) // tick_e8 for price, _ in levels)
        sums[first + 2] += sum(to_e8(qty) // lot_e8 for _, qty in levels)


def _add_trades(sums: list[int], message: TradesFrame) -> None:
    for trade in message.data:
        tick_e8, lot_e8 = STEPS[trade.s]
        sums[Sum.TRADE_ID] += uuid.UUID(trade.i).int % 2**64
        sums[Sum.TRADE_TICKS] += to_e8(trade.p) // tick_e8
        sums[Sum.TRADE_LOTS] += to_e8(trade.v) // lot_e8
        sums[Sum.TRADE_SIDE] += 1 if trade.S == "Buy" else -1
        sums[Sum.TRADE_MS] += trade.T


def kinds_for_bybit() -> dict[str, Callable[[list[bytes]], Any]]:
    """Return the Python decoders by name."""
    kinds: dict[str, Callable[[list[bytes]], Any]] = {"msgspec": decode_bybit}
    loads = orjson_loads()
    if loads is not None:
        kinds["orjson"] = loads
    return kinds
