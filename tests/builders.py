"""Records as tests write them: from plain Python numbers, slowly and plainly."""

from typing import Any

import numpy as np

from ipc.layout import Layout
from ipc.memory import address_of
from vortex.books.book import book_bytes, init_book
from vortex.codes import Chain, Kind
from vortex.records import DEPTH, FEED, LEVELS, LEVELS_PER_RECORD, MARKET_SLOT_BYTES, TICKER, TOUCH

Level = tuple[int, int]


class Block:
    """Aligned zeroed memory that stays alive with this object; ``address`` is where it begins."""

    def __init__(self, byte_count: int) -> None:
        self.array = np.zeros(byte_count // 8 + 8, dtype=np.int64)
        self.address = -(-address_of(self.array) // 64) * 64


class BookBlock(Block):
    """An empty book in memory of its own."""

    def __init__(
        self,
        level_capacity: int = 64,
        pending_capacity: int = 256,
        chain: Chain = Chain.FIRST_ID,
    ) -> None:
        super().__init__(book_bytes(level_capacity, pending_capacity))
        init_book(self.address, level_capacity, pending_capacity, chain)


class Message:
    """One message: a head, and the records behind it, in one piece of memory."""

    def __init__(self, records: list["np.ndarray[Any, Any]"]) -> None:
        self.block = Block(MARKET_SLOT_BYTES * len(records))
        target = (self.block.address - address_of(self.block.array)) // 8
        for record in records:
            words = np.frombuffer(record.tobytes(), dtype=np.int64)
            self.block.array[target : target + len(words)] = words
            target += len(words)
        self.address = self.block.address
        self.record_count = len(records)


def record_of(layout: Layout, **values: Any) -> "np.ndarray[Any, Any]":
    """Return one record of ``layout``; what is not named is zero."""
    record = np.zeros(1, dtype=layout.dtype)
    for name, value in values.items():
        record[name] = value
    return record


def levels_records(kind: Kind, levels: list[Level]) -> list["np.ndarray[Any, Any]"]:
    """Return the LEVELS records of one side, six levels each."""
    records = []
    for start in range(0, len(levels), LEVELS_PER_RECORD):
        part = levels[start : start + LEVELS_PER_RECORD]
        record = record_of(LEVELS, kind=kind, level_count=len(part))
        for index, (price_ticks, qty_lots) in enumerate(part):
            record["price_ticks"][0, index] = price_ticks
            record["qty_lots"][0, index] = qty_lots
        records.append(record)
    return records


def depth_message(
    kind: Kind,
    first_update_id: int,
    last_update_id: int,
    bids: list[Level],
    asks: list[Level],
    **more: int,
) -> Message:
    """Return a DEPTH, SNAPSHOT or PARTIAL message; ``more`` are fields of its head."""
    records = levels_records(Kind.BIDS, bids) + levels_records(Kind.ASKS, asks)
    head = record_of(
        DEPTH,
        kind=kind,
        first_update_id=first_update_id,
        last_update_id=last_update_id,
        record_count=len(records),
        **more,
    )
    return Message([head, *records])


def diff(
    first_id: int, last_id: int, bids: list[Level], asks: list[Level], venue_ns: int = 0
) -> Message:
    """Return a DEPTH message."""
    return depth_message(Kind.DEPTH, first_id, last_id, bids, asks, venue_ns=venue_ns)


def snapshot(last_id: int, bids: list[Level], asks: list[Level]) -> Message:
    """Return a SNAPSHOT message."""
    return depth_message(Kind.SNAPSHOT, 0, last_id, bids, asks)


def pushed(last_id: int, bids: list[Level], asks: list[Level], venue_ns: int = 0) -> Message:
    """Return a SNAPSHOT message that the venue pushed."""
    return depth_message(Kind.SNAPSHOT, last_id, last_id, bids, asks, is_reset=1, venue_ns=venue_ns)


def partial(last_id: int, bids: list[Level], asks: list[Level]) -> Message:
    """Return a PARTIAL message."""
    return depth_message(Kind.PARTIAL, 0, last_id, bids, asks)


def ticker(update_id: int, bid: Level, ask: Level) -> Message:
    """Return a TICKER message."""
    record = record_of(
        TICKER,
        kind=Kind.TICKER,
        update_id=update_id,
        bid_ticks=bid[0],
        bid_lots=bid[1],
        ask_ticks=ask[0],
        ask_lots=ask[1],
    )
    return Message([record])


def feed(kind: Kind) -> Message:
    """Return a FEED_DOWN or FEED_UP message."""
    return Message([record_of(FEED, kind=kind)])


def touch_block() -> Block:
    """Return room for one TOUCH."""
    return Block(TOUCH.dtype.itemsize)
