"""Bybit's book messages in the form that the venue sends today, key for key."""

from typing import NamedTuple

from ipc.compiled import compiled
from ipc.memory import load_byte, load_word, record_at
from vortex.codes import Kind
from vortex.decoding.instruments import SYMBOL_BYTES_MAX, find_instrument
from vortex.decoding.market_writers import write_depth, write_ticker
from vortex.decoding.tick_division import Steps, steps_of_row, to_lots_shown, to_ticks
from vortex.records import DEPTH, MARKET_SLOT_BYTES
from vortex.venues._bybit.short_levels import short_pair, write_short_levels
from vortex.venues._bybit.usual_heads import (
    is_same_text,
    read_usual_head,
    symbol_length,
    to_nanoseconds_of,
)
from vortex.wire.scan import CLOSE_ARRAY, POINT, plain_integer
from vortex.wire.words import byte_marks, count_trailing_zeros, low_bytes, word_of

DEPTH_DTYPE = DEPTH.dtype

_SYMBOL = word_of(b'{"s":"')
_BIDS, _ASKS = word_of(b'","b":['), word_of(b',"a":[')
_UPDATE, _SEQUENCE, _MATCHED = word_of(b',"u":'), word_of(b',"seq":'), word_of(b'},"cts":')
_OPEN_LEVEL, _BETWEEN, _END_LEVEL = word_of(b'["'), word_of(b'","'), word_of(b'"]]')
_DEPTH_1, _DEPTH_50, _DEPTH_200, _DEPTH_1000 = (word_of(d) for d in (b"1", b"50", b"200", b"1000"))


@compiled
def decode_usual_book(
    address: int, end_address: int, catalog_address: int, out_address: int, out_count_max: int
) -> int:
    """Write the usual book message whose number of levels is at ``address``."""
    word = load_word(address)
    digit_count = count_trailing_zeros(byte_marks(word, POINT)) >> 3
    levels = low_bytes(word, digit_count)
    symbol = address + digit_count + 1
    symbol_bytes = symbol_length(symbol)
    if symbol_bytes > SYMBOL_BYTES_MAX:
        return 0
    head = read_usual_head(symbol + symbol_bytes)
    if head.is_snapshot < 0 or low_bytes(load_word(head.data), 6) != _SYMBOL:
        return 0
    address = head.data + 6
    if not is_same_text(symbol, address, symbol_bytes):
        return 0
    address += symbol_bytes
    index = find_instrument(catalog_address, symbol, symbol_bytes)
    if index < 0 or low_bytes(load_word(address), 7) != _BIDS:
        return 0
    steps = steps_of_row(catalog_address, index)
    if levels == _DEPTH_200 or levels == _DEPTH_50 or levels == _DEPTH_1000:
        return _usual_depth(
            address + 7, end_address, head.is_snapshot, index, steps, out_address, out_count_max
        )
    if levels == _DEPTH_1 and head.is_snapshot:
        return _usual_touch(address + 7, end_address, index, steps, out_address)
    return 0


class BookTail(NamedTuple):
    """What is behind the levels of a book message; ``update_id`` -1: not as usual."""

    update_id: int
    sequence: int
    venue_ns: int


@compiled
def _read_tail(address: int, end_address: int) -> BookTail:
    """Return the numbers behind the asks of the book message that ends at ``end_address``."""
    nothing = BookTail(-1, 0, 0)
    if address >= end_address or low_bytes(load_word(address), 5) != _UPDATE:
        return nothing
    update_id, address = plain_integer(address + 5)
    if address >= end_address or low_bytes(load_word(address), 7) != _SEQUENCE:
        return nothing
    sequence, address = plain_integer(address + 7)
    if sequence < 0 or load_word(address) != _MATCHED:
        return nothing
    matched_ms, address = plain_integer(address + 8)
    venue_ns = to_nanoseconds_of(matched_ms)
    if venue_ns < 0 or address + 1 != end_address:
        return nothing
    return BookTail(update_id, sequence, venue_ns)


@compiled
def write_book_head(
    address: int,
    is_snapshot: int,
    instrument_id: int,
    venue_ns: int,
    update_id: int,
    record_count: int,
) -> int:
    """Write the head of a book message; return all the slots that it takes.

    A snapshot, and the message with which the venue begins to count again, replace the book.
    """
    is_reset = 1 if is_snapshot != 0 or update_id == 1 else 0
    slot_count = write_depth(
        address, Kind.SNAPSHOT if is_reset else Kind.DEPTH, instrument_id, venue_ns,
        update_id, update_id, record_count,
    )  # fmt: skip
    record_at(address, DEPTH_DTYPE).is_reset = is_reset
    return slot_count


@compiled
def _usual_depth(
    address: int,
    end_address: int,
    is_snapshot: int,
    index: int,
    steps: Steps,
    out_address: int,
    out_count_max: int,
) -> int:
    """Write the book message whose bids begin at ``address``; return its slots, or 0."""
    slot = out_address + MARKET_SLOT_BYTES
    address, bid_count = write_short_levels(
        address, end_address, Kind.BIDS, index, steps, slot, out_count_max - 1
    )
    if address < 0 or address >= end_address or low_bytes(load_word(address), 6) != _ASKS:
        return 0
    slot += bid_count * MARKET_SLOT_BYTES
    address, ask_count = write_short_levels(
        address + 6, end_address, Kind.ASKS, index, steps, slot, out_count_max - 1 - bid_count
    )
    if address < 0:
        return 0
    tail = _read_tail(address, end_address)
    if tail.update_id < 0:
        return 0
    return write_book_head(
        out_address, is_snapshot, index, tail.venue_ns, tail.update_id, bid_count + ask_count
    )


@compiled
def _only_level(address: int, end_address: int, steps: Steps) -> tuple[int, int, int]:
    """Return ticks, lots and the next address of a side of one level or none; ticks -1: more."""
    if load_byte(address) == CLOSE_ARRAY:
        return 0, 0, address + 1
    if address >= end_address or low_bytes(load_word(address), 2) != _OPEN_LEVEL:
        return -1, 0, address
    pair = short_pair(address, end_address, 2, 3)
    if pair.first_e8 <= 0 or low_bytes(load_word(pair.middle), 3) != _BETWEEN:
        return -1, 0, address
    if low_bytes(load_word(pair.after), 3) != _END_LEVEL:
        return -1, 0, address
    ticks, lots = to_ticks(steps, pair.first_e8), to_lots_shown(steps, pair.second_e8)
    return (ticks if lots >= 0 else -1), lots, pair.after + 3


@compiled
def _usual_touch(address: int, end_address: int, index: int, steps: Steps, out_address: int) -> int:
    """Write the book of one level whose bids begin at ``address`` as a TICKER; 1, or 0."""
    bid_ticks, bid_lots, address = _only_level(address, end_address, steps)
    if bid_ticks < 0 or address >= end_address or low_bytes(load_word(address), 6) != _ASKS:
        return 0
    ask_ticks, ask_lots, address = _only_level(address + 6, end_address, steps)
    if ask_ticks < 0:
        return 0
    tail = _read_tail(address, end_address)
    if tail.update_id < 0:
        return 0
    return write_ticker(
        out_address, index, tail.venue_ns, tail.sequence, bid_ticks, bid_lots, ask_ticks, ask_lots
    )
