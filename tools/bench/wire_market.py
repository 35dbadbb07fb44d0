"""The market that ``wire_to_wire`` shows the engine: each frame's price moves by one tick.

Best bid and ask come as ``bookTicker`` frames; every tenth of a second a ``depthUpdate`` brings the
levels to the same touch, as the venue does, so that the engine's book stays in sync and agrees.
"""

import json
from typing import Any, NamedTuple

import numpy as np

from ipc.memory import address_of
from ipc.types import Int64Array
from tools.bench.frames import SYMBOL, price_text, qty_text

BASE_TICKS = 6_000_000
#: Prices repeat after this many frames: an order's price tells which frame caused it.
PERIOD_COUNT = 1_000
SPREAD_TICKS = 2
TOUCH_LOTS = 150_000
DEEP_LEVEL_COUNT = 100
DEPTH_GAP_NS = 100_000_000
NS_PER_S = 1_000_000_000
WALL_MS = 1_723_161_255_000


class Batch(NamedTuple):
    """Frames to be sent, in order; ``table`` has address, bytes and due time (ns) of each.

    ``tick_due_ns`` are the due times of the tickers alone, the first of which has ``first_index``
    in the market's count of tickers.
    """

    buffer: "np.ndarray[Any, np.dtype[np.uint8]]"
    table: Int64Array
    tick_due_ns: Int64Array
    first_index: int


def server_frame(payload: bytes) -> bytes:
    """Return a server's text frame, unmasked."""
    if len(payload) < 126:
        return bytes([0x81, len(payload)]) + payload
    return b"\x81\x7e" + len(payload).to_bytes(2, "big") + payload


def combined(stream: str, data: dict[str, Any]) -> bytes:
    """Return a frame of a combined stream."""
    message = {"stream": f"{SYMBOL.lower()}@{stream}", "data": data}
    return server_frame(json.dumps(message, separators=(",", ":")).encode())


def bid_ticks_of(index: int) -> int:
    """Return the best bid that ticker ``index`` shows."""
    return BASE_TICKS + index % PERIOD_COUNT


class Market:
    """Makes batch after batch of one unbroken chain of updates."""

    def __init__(self) -> None:
        self.tick_count = 0
        self.update_id = 10_000_000_000
        self.depth_id = self.update_id
        self.depth_bid_ticks = 0

    def ticker(self) -> bytes:
        """Return the next best bid and ask."""
        self.update_id += 1
        bid_ticks = bid_ticks_of(self.tick_count)
        self.tick_count += 1
        qty = qty_text(TOUCH_LOTS)
        return combined("bookTicker", {
            "u": self.update_id, "s": SYMBOL, "b": price_text(bid_ticks), "B": qty,
            "a": price_text(bid_ticks + SPREAD_TICKS), "A": qty,
        })  # fmt: skip

    def depth(self) -> bytes:
        """Return the diff that brings the levels to the touch that the newest ticker showed."""
        bid_ticks = bid_ticks_of(self.tick_count - 1)
        if self.update_id == self.depth_id:
            self.update_id += 1
        levels: dict[str, list[list[str]]] = {"b": [], "a": []}
        for name, away_ticks in (("b", 0), ("a", SPREAD_TICKS)):
            if self.depth_bid_ticks not in (0, bid_ticks):
                levels[name].append([price_text(self.depth_bid_ticks + away_ticks), qty_text(0)])
            levels[name].append([price_text(bid_ticks + away_ticks), qty_text(TOUCH_LOTS)])
        frame = combined("depth@100ms", {
            "e": "depthUpdate", "E": WALL_MS, "s": SYMBOL, "U": self.depth_id + 1,
            "u": self.update_id, "b": levels["b"], "a": levels["a"],
        })  # fmt: skip
        self.depth_id, self.depth_bid_ticks = self.update_id, bid_ticks
        return frame

    def snapshot(self) -> bytes:
        """Return the book as the newest diff left it."""
        deep = range(1, DEEP_LEVEL_COUNT)
        below = [[price_text(BASE_TICKS - 10 * step), qty_text(step)] for step in deep]
        top_ticks = BASE_TICKS + PERIOD_COUNT + SPREAD_TICKS
        above = [[price_text(top_ticks + 10 * step), qty_text(step)] for step in deep]
        if self.depth_bid_ticks:
            below.insert(0, [price_text(self.depth_bid_ticks), qty_text(TOUCH_LOTS)])
            ask_ticks = self.depth_bid_ticks + SPREAD_TICKS
            above.insert(0, [price_text(ask_ticks), qty_text(TOUCH_LOTS)])
        book = {"lastUpdateId": self.depth_id, "bids": below, "asks": above}
        return json.dumps(book).encode()

    def batch(self, rate: int, tick_count: int) -> Batch:
        """Return the next ``tick_count`` tickers at ``rate`` a second, diffs between them."""
        first_index = self.tick_count
        gap_ns = NS_PER_S // rate
        every_count = max(1, DEPTH_GAP_NS // gap_ns)
        frames: list[tuple[bytes, int]] = []
        for index in range(tick_count):
            frames.append((self.ticker(), index * gap_ns))
            if index % every_count == every_count - 1 or index == tick_count - 1:
                frames.append((self.depth(), index * gap_ns + gap_ns // 2))
        buffer = np.frombuffer(b"".join(frame for frame, _ in frames), np.uint8).copy()
        table = np.empty((len(frames), 3), np.int64)
        table[:, 1] = [len(frame) for frame, _ in frames]
        table[:, 0] = address_of(buffer) + np.cumsum(table[:, 1]) - table[:, 1]
        table[:, 2] = [due_ns for _, due_ns in frames]
        return Batch(buffer, table, np.arange(tick_count) * gap_ns, first_index)
