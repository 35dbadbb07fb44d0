"""The messages of a recording on disk, and a first look at them.

A line is an object of JSON: ``t`` says what it is (header, http, connect, send, recv), ``conn``
over which connection, ``ts`` when (s), ``addr`` or ``url`` where, ``data`` is the text.  The
category of a connection is the end of its address.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from procs.exchange.core.exchange_config import ExchangeConfigError
from procs.exchange.recordings.first_look import FirstLook, SeenSymbol
from procs.exchange.recordings.recording_lines import lines_of

SERVED_CATEGORIES = ("linear", "spot")
INSTRUMENTS = "/v5/market/instruments-info"


class RecordedLine(msgspec.Struct):
    """One line of the file."""

    kind: str = msgspec.field(name="t")
    connection: str = msgspec.field(name="conn", default="")
    seconds: float = msgspec.field(name="ts", default=0.0)
    address: str = msgspec.field(name="addr", default="")
    url: str = ""
    data: str = ""


class RecordedMessage(msgspec.Struct):
    """A message of a topic; answers to requests have none."""

    topic: str = ""
    kind: str = msgspec.field(name="type", default="")
    data: msgspec.Raw = msgspec.Raw(b"null")
    sent_ms: int = msgspec.field(name="ts", default=0)
    matched_ms: int = msgspec.field(name="cts", default=0)


class BookChange(msgspec.Struct):
    """Levels of a book as sent; ``number`` is the venue's `u`."""

    symbol: str = msgspec.field(name="s")
    bids: list[tuple[str, str]] = msgspec.field(name="b")
    asks: list[tuple[str, str]] = msgspec.field(name="a")
    number: int = msgspec.field(name="u")
    sequence: int = msgspec.field(name="seq", default=0)


class PublicTrade(msgspec.Struct):
    """One trade; the side is the taker's.  Block trades are arranged outside the book."""

    symbol: str = msgspec.field(name="s")
    side: str = msgspec.field(name="S")
    qty: str = msgspec.field(name="v")
    price: str = msgspec.field(name="p")
    is_block: bool = msgspec.field(name="BT", default=False)


LINE = msgspec.json.Decoder(RecordedLine)
MESSAGE = msgspec.json.Decoder(RecordedMessage)
BOOK = msgspec.json.Decoder(BookChange)
TRADES = msgspec.json.Decoder(list[PublicTrade])
TICKER = msgspec.json.Decoder(dict[str, object])


class Received(NamedTuple):
    """A message that came over a connection of one category."""

    recv_ns: int
    category: str
    text: bytes


def category_of_address(address: str) -> str:
    """Return the category of a public connection: the last part of its path."""
    path = address.partition("?")[0]
    return path.rpartition("/v5/public/")[2] if "/v5/public/" in path else ""


def read_messages(path: Path, look: FirstLook | None = None) -> Iterator[Received]:
    """Yield what was received of public connections; note in ``look`` what else is there.

    Raises
    ------
    ExchangeConfigError
        When the file cannot be read, or a line is not of this form.
    """
    categories: dict[str, str] = {}
    try:
        for text in lines_of(path):
            line = LINE.decode(text)
            if line.address:
                categories[line.connection] = category_of_address(line.address)
            if line.kind == "http" and look is not None and INSTRUMENTS in line.url:
                look.bodies.append(line.data.encode())
            category = categories.get(line.connection, "")
            if line.kind != "recv" or not category:
                continue
            if category in SERVED_CATEGORIES:
                yield Received(round(line.seconds * 1e9), category, line.data.encode())
            elif look is not None:
                look.others.add(f"bybit_{category}")
    except msgspec.MsgspecError as error:
        raise ExchangeConfigError(f"{path}: not a recording of Bybit's: {error}") from error


def look_at(path: Path) -> FirstLook:
    """Read a recording once: its symbols, the steps of their numbers, and what it holds.

    Raises
    ------
    ExchangeConfigError
        When the file cannot be read, or is not of this form.
    """
    look = FirstLook()
    try:
        for received in read_messages(path, look):
            message = MESSAGE.decode(received.text)
            name, _, symbol = message.topic.rpartition(".")
            if name:
                seen = look.symbol(f"bybit_{received.category}", symbol)
                seen.topics[message.topic] = None
                _add(seen, message)
    except (ValueError, msgspec.MsgspecError) as error:
        raise ExchangeConfigError(f"{path}: not a recording of Bybit's: {error}") from error
    return look


def _add(seen: SeenSymbol, message: RecordedMessage) -> None:
    """Take the numbers of a message; what is neither book nor trades has none of use."""
    if message.topic.startswith("orderbook."):
        change = BOOK.decode(message.data)
        seen.books[message.topic] = None
        if message.kind == "snapshot":
            seen.snapshots[message.topic] = None
        seen.add_levels(change.bids)
        seen.add_levels(change.asks)
        if not seen.last_price and change.bids:
            seen.last_price = change.bids[0][0]
    elif message.topic.startswith("publicTrade."):
        for row in TRADES.decode(message.data):
            seen.add_level(row.price, row.qty)
            seen.last_price = row.price
