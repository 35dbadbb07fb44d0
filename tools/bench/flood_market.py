"""The market of ``flood``: recorded frames that repeat for ever as one unbroken chain.

A pass begins and ends with the same book: behind the recorded frames come diffs that undo what the
pass changed, and the next pass has all update ids so much higher that it continues the chain.
Levels are kept by a slow twin of the engine's book, a dictionary, which reads frames with ``json``.
"""

import gzip
import json
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import numpy as np

from ipc.memory import address_of
from ipc.types import Int64Array
from tools.bench import frames as market
from tools.bench.flood_loops import ID_DIGITS
from tools.bench.frames import LOT, TICK
from tools.bench.wire_market import Market, combined, server_frame

CHUNK_BYTES = 48 << 10
LEVELS_A_DIFF = 200
MADE_COUNT = 20_000
UPDATE_ID = re.compile(rb'"[uU]":(\d+)')

Side = dict[str, str]


class Twin:
    """The slow book: quantity by price, both as the venue writes them."""

    def __init__(self, snapshot: dict[str, Any]) -> None:
        self.update_id = int(snapshot["lastUpdateId"])
        self.sides: dict[str, Side] = {
            letter: dict(snapshot[key]) for letter, key in (("b", "bids"), ("a", "asks"))
        }

    def apply(self, data: dict[str, Any]) -> None:
        """Take one diff, which continues the chain."""
        assert data["U"] == self.update_id + 1, "the chain is broken"
        self.update_id = data["u"]
        for letter, side in self.sides.items():
            for price, qty in data[letter]:
                if Decimal(qty):
                    side[price] = qty
                else:
                    side.pop(price, None)

    def changes_to(self, wanted: dict[str, Side]) -> list[tuple[str, str, str]]:
        """Return side, price and quantity of every level that differs."""
        return [
            (letter, price, wanted[letter].get(price, "0.00000000"))
            for letter, side in self.sides.items()
            for price in side.keys() | wanted[letter].keys()
            if side.get(price) != wanted[letter].get(price)
        ]

    def levels(self, letter: str, tick: str, lot: str) -> list[tuple[int, int]]:
        """Return ticks and lots of one side, best first, as the engine rounds them."""
        found = {
            int(Decimal(price) / Decimal(tick)): max(1, int(Decimal(qty) / Decimal(lot)))
            for price, qty in self.sides[letter].items()
        }
        return sorted(found.items(), reverse=letter == "b")


def source() -> tuple[dict[str, Any], list[bytes], str]:
    """Return a snapshot, the payloads that continue it, and words that say which they are."""
    path = market.recording_path()
    if not path.exists():
        chain = Market()
        snapshot = json.loads(chain.snapshot())
        payloads = [frame[2:] if frame[1] < 126 else frame[4:] for frame in made(chain)]
        return snapshot, payloads, f"{MADE_COUNT} tickers made (no recording at hand)"
    with gzip.open(path, "rb") as lines:
        payloads = [line.partition(b" ")[2].rstrip() for line in lines]
    snapshot = next(json.loads(p) for p in payloads if p.startswith(b'{"lastUpdateId"'))
    stream = [payload for payload in payloads if payload.startswith(b'{"stream"')]
    return snapshot, from_first_diff(stream, snapshot), f"recording {path.name}"


def made(chain: Market) -> Iterable[bytes]:
    """Return the frames of one batch, one by one."""
    batch = chain.batch(1_000, MADE_COUNT)
    whole, first = batch.buffer.tobytes(), int(batch.table[0, 0])
    for address, byte_count, _ in batch.table.tolist():
        yield whole[address - first : address - first + byte_count]


def from_first_diff(payloads: list[bytes], snapshot: dict[str, Any]) -> list[bytes]:
    """Drop what the snapshot holds already, and let it end where the first diff begins."""
    for index, payload in enumerate(payloads):
        if b'"depthUpdate"' in payload:
            data = json.loads(payload)["data"]
            if data["u"] > snapshot["lastUpdateId"]:
                snapshot["lastUpdateId"] = data["U"] - 1  # quantities are absolute
                return payloads[index:]
    raise AssertionError("no diff continues the snapshot")


class Flood:
    """The frames of one pass in memory, the addresses of their ids, and the book around them."""

    def __init__(self) -> None:
        snapshot, payloads, self.words = source()
        self.first = snapshot
        self.twin = Twin(snapshot)
        self.first_id = self.twin.update_id
        for payload in payloads:
            if b'"depthUpdate"' in payload:
                self.twin.apply(json.loads(payload)["data"])
        self.last_id = self.twin.update_id
        ids = (int(match[1]) for payload in payloads for match in UPDATE_ID.finditer(payload))
        self.newest_id = max(ids)  # tickers run ahead of the diffs
        self.levels = {letter: self.twin.levels(letter, TICK, LOT) for letter in "ba"}
        bridge = self.bridge()
        self.ids_a_pass = self.twin.update_id - self.first_id
        #: Frames of a whole pass, and of one that does not go back.
        self.frame_count, self.forth_count = len(payloads) + len(bridge), len(payloads)
        framed = [server_frame(payload) for payload in [*payloads, *bridge]]
        self.buffer = np.frombuffer(b"".join(framed), np.uint8).copy()
        self.bytes = len(self.buffer)
        self.sites, self.chunks, self.frame_counts, self.forth_chunk_count = self.tables(framed)

    def bridge(self) -> list[bytes]:
        """Return the diffs that lead back to the book of the beginning."""
        begun = Twin(self.first)
        diffs = []
        # What goes first: no book on the way may cross.
        changes = sorted(
            self.twin.changes_to(begun.sides), key=lambda change: Decimal(change[2]) > 0
        )
        for index in range(0, len(changes), LEVELS_A_DIFF):
            part = changes[index : index + LEVELS_A_DIFF]
            first_id = self.twin.update_id + 1
            last_id = max(first_id, self.newest_id + 1)
            levels = {letter: [[p, q] for s, p, q in part if s == letter] for letter in "ba"}
            data = {"e": "depthUpdate", "E": 1_723_161_255_000, "s": market.SYMBOL,
                    "U": first_id, "u": last_id, **levels}  # fmt: skip
            self.twin.apply(data)
            frame = combined("depth@100ms", data)
            diffs.append(frame[2:] if frame[1] < 126 else frame[4:])
        assert self.twin.sides == begun.sides
        return diffs

    def tables(self, framed: list[bytes]) -> tuple[Int64Array, Int64Array, Int64Array, int]:
        """Return the ids' addresses, chunks, their frames, and how many chunks are the way there.

        A chunk is whole frames: address, bytes, and the number of ids before its end.
        """
        sites, chunks, frame_counts, forth_chunk_count, counted = [], [], [], 0, 0
        begun = end = address_of(self.buffer)
        for index, frame in enumerate(framed, start=1):
            for match in UPDATE_ID.finditer(frame):
                assert len(match[1]) == ID_DIGITS, "ids keep their length as they grow"
                sites.append((end + match.start(1), int(match[1])))
            end += len(frame)
            if end - begun >= CHUNK_BYTES or index in (self.forth_count, len(framed)):
                chunks.append((begun, end - begun, len(sites)))
                frame_counts.append(index - counted)
                begun, counted = end, index
            if index == self.forth_count:
                forth_chunk_count = len(chunks)
        site_table, chunk_table = np.array(sites, np.int64), np.array(chunks, np.int64)
        return site_table, chunk_table, np.array(frame_counts, np.int64), forth_chunk_count

    def snapshot(self) -> bytes:
        """Return the book as REST gives it before the first pass."""
        return json.dumps(self.first).encode()
