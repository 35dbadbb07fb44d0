"""Bybit's book messages in any form that means the same.

*Source:* Bybit v5 API documentation, "WebSocket Stream: Orderbook".
"""

from typing import NamedTuple

from ipc.compiled import compiled
from ipc.memory import load_byte
from vortex.codes import Kind, Refusal, Side
from vortex.decoding.levels import read_lots_shown, read_ticks, write_levels
from vortex.decoding.market_writers import write_ticker
from vortex.decoding.tick_division import Steps, steps_of_row
from vortex.records import MARKET_SLOT_BYTES
from vortex.venues._bybit.any_envelope import MarketEnvelope, id_at, symbol_at, text_at, time_at
from vortex.venues._bybit.usual_books import write_book_head
from vortex.wire.scan import (
    CLOSE_ARRAY,
    CLOSE_OBJECT,
    COMMA,
    NOT_JSON,
    OPEN_ARRAY,
    OPEN_OBJECT,
    OUT_OF_RANGE,
    open_object,
    read_member,
    skip_space,
    skip_value,
    text_words,
)
from vortex.wire.words import words_of

MISSING_KEY = int(Refusal.MISSING_KEY)
NOT_KNOWN = int(Refusal.NOT_KNOWN)

_SNAPSHOT, _DELTA = words_of(b"snapshot"), words_of(b"delta")
_SYMBOL, _BIDS, _ASKS = words_of(b"s"), words_of(b"b"), words_of(b"a")
_UPDATE, _SEQUENCE = words_of(b"u"), words_of(b"seq")


class BookData(NamedTuple):
    """Where the values of a book's data begin; 0 for those that it has not."""

    symbol: int
    bids: int
    asks: int
    update_id: int
    sequence: int


@compiled
def _read_data(address: int, end_address: int) -> BookData:
    """Return the members of the object at ``address``, which was checked to be JSON."""
    symbol, bids, asks, update_id, sequence = 0, 0, 0, 0, 0
    address = open_object(address, end_address)
    while load_byte(address) != CLOSE_OBJECT:
        key, key_bytes, value, address = read_member(address, end_address)
        name = text_words(key, key_bytes)
        if name == _SYMBOL:
            symbol = value
        elif name == _BIDS:
            bids = value
        elif name == _ASKS:
            asks = value
        elif name == _UPDATE:
            update_id = value
        elif name == _SEQUENCE:
            sequence = value
    return BookData(symbol, bids, asks, update_id, sequence)


@compiled
def decode_any_book(
    envelope: MarketEnvelope,
    level_count: int,
    end_address: int,
    catalog_address: int,
    out_address: int,
    out_count_max: int,
) -> int:
    """Write a book message; return its records, or a Refusal.

    The book of one level is a TICKER, whose update id is the venue's ``seq``: that one is common to
    the books of all depths, ``u`` is not.
    """
    if min(envelope.type, envelope.data) == 0:
        return MISSING_KEY
    kind = text_at(envelope.type, end_address)
    if level_count < 0 or (kind != _SNAPSHOT and kind != _DELTA):
        return NOT_KNOWN
    if load_byte(envelope.data) != OPEN_OBJECT:
        return NOT_JSON
    data = _read_data(envelope.data, end_address)
    index = symbol_at(data.symbol, end_address, catalog_address)
    if index < 0:
        return index
    if min(data.bids, data.asks) == 0:
        return MISSING_KEY
    time = envelope.matched_ms if envelope.matched_ms else envelope.venue_ms
    venue_ns = time_at(time, end_address)
    update_id = id_at(data.update_id, end_address)
    if min(venue_ns, update_id) < 0:
        return min(venue_ns, update_id)
    steps = steps_of_row(catalog_address, index)
    if level_count == 1:
        if kind == _DELTA:
            return NOT_KNOWN
        return _decode_touch(data, end_address, index, venue_ns, steps, out_address)
    count = _write_sides(data, end_address, index, steps, out_address, out_count_max)
    if count < 0:
        return count
    is_snapshot = 1 if kind == _SNAPSHOT else 0
    return write_book_head(out_address, is_snapshot, index, venue_ns, update_id, count)


@compiled
def _write_sides(
    data: BookData, end_address: int, index: int, steps: Steps, out_address: int, out_count_max: int
) -> int:
    """Write both sides behind the head at ``out_address``; return the records, or a Refusal."""
    slot, room = out_address + MARKET_SLOT_BYTES, out_count_max - 1
    bid_count = write_levels(data.bids, end_address, Kind.BIDS, index, steps, slot, room)
    if bid_count < 0:
        return bid_count
    slot += bid_count * MARKET_SLOT_BYTES
    ask_count = write_levels(
        data.asks, end_address, Kind.ASKS, index, steps, slot, room - bid_count
    )
    return ask_count if ask_count < 0 else bid_count + ask_count


@compiled
def _decode_touch(
    data: BookData, end_address: int, index: int, venue_ns: int, steps: Steps, out_address: int
) -> int:
    """Write the book of one level as a TICKER; return 1, or a Refusal."""
    sequence = id_at(data.sequence, end_address)
    if sequence < 0:
        return sequence
    bid_ticks, bid_lots = _best_level(data.bids, end_address, Side.BUY, steps)
    ask_ticks, ask_lots = _best_level(data.asks, end_address, Side.SELL, steps)
    worst = min(bid_ticks, bid_lots, ask_ticks, ask_lots)
    if worst < 0:
        return worst
    return write_ticker(
        out_address, index, venue_ns, sequence, bid_ticks, bid_lots, ask_ticks, ask_lots
    )


@compiled
def _best_level(address: int, end_address: int, side: int, steps: Steps) -> tuple[int, int]:
    """Return ticks and lots of the best level of a side, zeros for none; negative is a Refusal."""
    best_ticks, best_lots = 0, 0
    if load_byte(address) != OPEN_ARRAY:
        return NOT_JSON, 0
    address = skip_space(address + 1, end_address)
    while load_byte(address) != CLOSE_ARRAY:
        ticks, lots = _read_level(address, end_address, steps)
        if ticks < 0 or lots < 0:
            return min(ticks, lots), 0
        if best_ticks == 0 or (ticks - best_ticks) * side > 0:
            best_ticks, best_lots = ticks, lots
        address = skip_space(skip_value(address, end_address), end_address)
        if load_byte(address) == COMMA:
            address = skip_space(address + 1, end_address)
    return best_ticks, best_lots


@compiled
def _read_level(address: int, end_address: int, steps: Steps) -> tuple[int, int]:
    """Return ticks and lots of the level at ``address``; either may be a Refusal."""
    if load_byte(address) != OPEN_ARRAY:
        return NOT_JSON, 0
    address = skip_space(address + 1, end_address)
    ticks = read_ticks(address, end_address, steps)
    if ticks <= 0:
        return (ticks if ticks < 0 else OUT_OF_RANGE), 0
    address = skip_space(skip_value(address, end_address), end_address)
    if load_byte(address) != COMMA:
        return NOT_JSON, 0
    return ticks, read_lots_shown(skip_space(address + 1, end_address), end_address, steps)
