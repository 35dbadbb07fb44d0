"""A recording of market streams on disk: lines of `<local ns> <raw JSON>`.

A line is a frame of a combined stream, or the answer to a depth request that was made meanwhile.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from procs.exchange.core.exchange_config import ExchangeConfigError
from procs.exchange.recordings.first_look import FirstLook, SeenSymbol
from procs.exchange.recordings.pace import TimedLine
from procs.exchange.recordings.recording_lines import lines_of

DIALECT = "binance_spot"


class Frame(msgspec.Struct):
    """One frame of a combined stream."""

    stream: str
    data: msgspec.Raw


class RecordedLevel(NamedTuple):
    """Price and quantity as sent."""

    price: str
    qty: str


class Snapshot(msgspec.Struct):
    """The answer to a depth request."""

    last_update_id: int = msgspec.field(name="lastUpdateId")
    bids: list[RecordedLevel]
    asks: list[RecordedLevel]


class Diff(msgspec.Struct):
    """A depthUpdate."""

    first_update_id: int = msgspec.field(name="U")
    last_update_id: int = msgspec.field(name="u")
    bids: list[RecordedLevel] = msgspec.field(name="b")
    asks: list[RecordedLevel] = msgspec.field(name="a")


class Ticker(msgspec.Struct):
    """A bookTicker."""

    bid: str = msgspec.field(name="b")
    bid_qty: str = msgspec.field(name="B")
    ask: str = msgspec.field(name="a")
    ask_qty: str = msgspec.field(name="A")


class RecordedTrade(msgspec.Struct):
    """A trade; the taker sold when the buyer was the maker."""

    price: str = msgspec.field(name="p")
    qty: str = msgspec.field(name="q")
    is_buyer_maker: bool = msgspec.field(name="m")
    trade_id: int = msgspec.field(name="t", default=0)


FRAME = msgspec.json.Decoder(Frame)
SNAPSHOT = msgspec.json.Decoder(Snapshot)
DIFF = msgspec.json.Decoder(Diff)
TICKER = msgspec.json.Decoder(Ticker)
TRADE = msgspec.json.Decoder(RecordedTrade)
DIFFS = ("depth", "depth@100ms")


def is_snapshot(text: bytes) -> bool:
    """Return whether a line answers a depth request."""
    return text.startswith(b'{"lastUpdateId"')


def read_lines(path: Path) -> Iterator[TimedLine]:
    """Yield the lines of a recording in order."""
    for raw in lines_of(path):
        stamp, _, text = raw.partition(b" ")
        if text:
            yield TimedLine(int(stamp), text)


def look_at(path: Path) -> FirstLook:
    """Read a recording once: its symbols, the steps of their numbers, and what it holds.

    Raises
    ------
    ExchangeConfigError
        When the file cannot be read, or a line is no frame of a combined stream.
    """
    look = FirstLook()
    ids: dict[str, tuple[int, int]] = {}
    snapshots: list[Snapshot] = []
    try:
        for line in read_lines(path):
            if is_snapshot(line.text):
                snapshots.append(SNAPSHOT.decode(line.text))
                continue
            frame = FRAME.decode(line.text)
            name, _, kind = frame.stream.partition("@")
            seen = look.symbol(DIALECT, name.upper())
            seen.topics[frame.stream] = None
            if kind in DIFFS:
                diff = DIFF.decode(frame.data)
                first_id, _ = ids.get(seen.symbol, (diff.first_update_id, 0))
                ids[seen.symbol] = first_id, diff.last_update_id
            _add(seen, frame.stream, kind, frame.data)
    except (ValueError, msgspec.MsgspecError) as error:
        raise ExchangeConfigError(
            f"{path}: not a recording of combined streams: {error}"
        ) from error
    for snapshot in snapshots:
        _add_snapshot(look, ids, snapshot)
    return look


def _add(seen: SeenSymbol, stream: str, kind: str, data: msgspec.Raw) -> None:
    """Take the numbers of a frame; what is neither book, ticker nor trade has none of use."""
    if kind in DIFFS:
        diff = DIFF.decode(data)
        seen.books[stream] = None
        seen.add_levels(diff.bids)
        seen.add_levels(diff.asks)
    elif kind == "bookTicker":
        ticker = TICKER.decode(data)
        seen.add_level(ticker.bid, ticker.bid_qty)
        seen.add_level(ticker.ask, ticker.ask_qty)
        seen.last_price = ticker.bid
    elif kind == "trade":
        trade = TRADE.decode(data)
        seen.add_level(trade.price, trade.qty)
        seen.last_price = trade.price


def _add_snapshot(look: FirstLook, ids: dict[str, tuple[int, int]], snapshot: Snapshot) -> None:
    """Give a snapshot, which names no symbol, to the one whose diffs have the nearest ids."""

    def distance(symbol: str) -> int:
        first_id, last_id = ids[symbol]
        return max(first_id - snapshot.last_update_id, snapshot.last_update_id - last_id, 0)

    names = sorted(ids or [symbol for _, symbol in look.symbols], key=distance if ids else None)
    if names:
        seen = look.symbol(DIALECT, names[0])
        seen.snapshots[str(snapshot.last_update_id)] = None
        seen.add_levels(snapshot.bids)
        seen.add_levels(snapshot.asks)
        seen.last_price = seen.last_price or (snapshot.bids[0].price if snapshot.bids else "")
