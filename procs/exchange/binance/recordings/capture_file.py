"""A recording of market streams on disk: gzipped lines of `<local ns> <raw JSON>`.

A line is a frame of a combined stream, or the answer to a depth request that was made meanwhile.
"""

import gzip
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from procs.exchange.core.exchange_config import ExchangeConfigError, SymbolConfig
from procs.exchange.core.instrument import E8, text_e8

QUOTE_ASSETS = ("FDUSD", "USDT", "USDC", "TUSD", "BUSD", "BTC", "ETH", "BNB", "EUR", "TRY")
ODD_SHARE_MAX = 0.001
NUMBER = re.compile(rb'"([0-9]+)\.([0-9]{1,8})"')


class CaptureLine(NamedTuple):
    """One line: when it was received, and what."""

    recv_ns: int
    text: bytes


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


def read_e8(text: str) -> int:
    """Return a decimal of at most eight decimals in 1e-8."""
    whole, _, fraction = text.partition(".")
    return int(whole + fraction.ljust(8, "0"))


def is_snapshot(text: bytes) -> bool:
    """Return whether a line answers a depth request."""
    return text.startswith(b'{"lastUpdateId"')


def read_lines(path: Path) -> Iterator[CaptureLine]:
    """Yield the lines of a recording in order."""
    with gzip.open(path, "rb") as file:
        for raw in file:
            stamp, _, text = raw.rstrip(b"\n").partition(b" ")
            if text:
                yield CaptureLine(int(stamp), text)


class Summary(NamedTuple):
    """What a first look at a recording tells."""

    symbol: str
    tick_e8: int
    lot_e8: int
    has_snapshot: bool


def power_of_ten(step_e8: int) -> int:
    """Return the largest power of ten, in 1e-8 and up to 1, that divides a step."""
    power = E8
    while step_e8 % power:
        power //= 10
    return power


def common_step(step_counts: Counter[int]) -> int:
    """Return the largest power of ten that fits all but a few odd ones of a recording's numbers.

    Levels may hold orders from before the venue made its step larger.
    """
    total_count, odd_count = step_counts.total(), 0
    for step_e8 in sorted(step_counts):
        odd_count += step_counts[step_e8]
        if odd_count > total_count * ODD_SHARE_MAX:
            return step_e8
    return E8


def summarize(path: Path) -> Summary:
    """Read a recording once: its symbol, the tick and lot that fit it, and what it holds.

    Raises
    ------
    ConfigError
        When the file cannot be read or holds no frame of a combined stream.
    """
    symbol, has_snapshot = "", False
    price_steps: Counter[int] = Counter()
    qty_steps: Counter[int] = Counter()
    try:
        for line in read_lines(path):
            if is_snapshot(line.text):
                has_snapshot = True
            elif not symbol:
                symbol = msgspec.json.decode(line.text, type=Frame).stream.split("@")[0]
            numbers = [int(w) * E8 + int(f.ljust(8, b"0")) for w, f in NUMBER.findall(line.text)]
            price_steps.update(map(power_of_ten, numbers[0::2]))
            qty_steps.update(map(power_of_ten, filter(None, numbers[1::2])))
    except (OSError, EOFError, ValueError, msgspec.MsgspecError) as error:
        raise ExchangeConfigError(
            f"{path}: not a recording of combined streams: {error}"
        ) from error
    if not symbol or not price_steps or not qty_steps:
        raise ExchangeConfigError(f"{path}: holds no market data")
    tick_e8, lot_e8 = min(price_steps), common_step(qty_steps)
    return Summary(symbol.upper(), tick_e8, lot_e8, has_snapshot)


def symbol_config(summary: Summary, known: tuple[SymbolConfig, ...]) -> SymbolConfig:
    """Return the recorded symbol's configuration: the known one if it fits, or a plain one."""
    for row in known:
        tick_e8, lot_e8 = read_e8(row.tick_size), read_e8(row.lot_size)
        fits = summary.tick_e8 % tick_e8 == 0 and summary.lot_e8 % lot_e8 == 0
        if row.symbol == summary.symbol and fits:
            return row
    quote = next((asset for asset in QUOTE_ASSETS if summary.symbol.endswith(asset)), "")
    if not quote:
        raise ExchangeConfigError(
            f"{summary.symbol}: unknown quote asset; name the symbol in --config"
        )
    return SymbolConfig(
        symbol=summary.symbol,
        base_asset=summary.symbol.removesuffix(quote),
        quote_asset=quote,
        anchor_price="0",
        tick_size=text_e8(summary.tick_e8),
        lot_size=text_e8(max(summary.lot_e8, E8 // summary.tick_e8)),
    )
