"""Binance Spot's binary market messages (SBE): the same records as from its JSON.

A message is stepped through by the lengths that it states itself: its block's, each group entry's.
So a later version, whose blocks are longer, reads the same.  Every length is held against the
payload's end before anything behind it is read.  What is behind the symbol is passed over.

Numbers are a mantissa and a power of ten.  They come to ticks and lots by way of 1e-8, exactly or
not at all, as from decimal text; a quantity of others that is no whole number of lots is rounded
as there (``levels.to_lots_shown``).  Times are microseconds.

*Source:* Binance Spot API documentation, "SBE Market Data Streams"; the schema is a table in
``_binance_sbe_schema``.
"""

from typing import NamedTuple

from ipc.compiled import compiled
from ipc.memory import load_byte, load_word, record_at
from vortex.codes import Kind, Refusal
from vortex.decoding.instruments import find_instrument, instrument_at
from vortex.decoding.market_writers import write_depth, write_level, write_ticker, write_trade
from vortex.decoding.tick_division import Steps, steps_of_row, to_lots_shown, to_ticks
from vortex.records import INSTRUMENT, LEVELS_PER_RECORD, MARKET_SLOT_BYTES
from vortex.venues._binance.anchored import LAST_MICROSECOND
from vortex.venues._binance.market_decoder import decode_market as decode_text
from vortex.venues._binance.sbe_schema import (
    BEST_BID_ASK,
    DEPTH_DIFF,
    DEPTH_SNAPSHOT,
    GROUP_SIZE,
    GROUP_SIZE_16,
    HEADER,
    LEVEL,
    SCHEMA_ID,
    TRADES,
)
from vortex.wire.words import POWERS_OF_TEN, low_bytes

INSTRUMENT_DTYPE = INSTRUMENT.dtype
INT64_MAX = 2**63 - 1
POWER_MAX = 18
#: JSON text holds no byte below it (RFC 8259, sections 2 and 7: the tabulator is the least).
TEXT_BYTE_MIN = 9

IGNORED = int(Refusal.IGNORED)
NOT_KNOWN = int(Refusal.NOT_KNOWN)
NOT_SBE = int(Refusal.NOT_SBE)
OFF_TICK = int(Refusal.OFF_TICK)
OUT_OF_RANGE = int(Refusal.OUT_OF_RANGE)
TOO_LARGE = int(Refusal.TOO_LARGE)
UNKNOWN_SYMBOL = int(Refusal.UNKNOWN_SYMBOL)

HEADER_BYTES = HEADER.block_bytes
_TEMPLATE_AT = HEADER.offset_bytes("templateId")
_SCHEMA_AT = HEADER.offset_bytes("schemaId")
_COUNT_AT = GROUP_SIZE_16.offset_bytes("numInGroup")
#: How many bytes the count of a group has, by the dimensions' type.
_COUNT_BYTES = GROUP_SIZE.block_bytes - _COUNT_AT
_COUNT_BYTES_16 = GROUP_SIZE_16.block_bytes - _COUNT_AT

_TRADES, _TICKER = TRADES.template_id, BEST_BID_ASK.template_id
_PARTIAL, _DEPTH = DEPTH_SNAPSHOT.template_id, DEPTH_DIFF.template_id
_TRADES_BYTES, _TICKER_BYTES = TRADES.root.block_bytes, BEST_BID_ASK.root.block_bytes
_PARTIAL_BYTES, _DEPTH_BYTES = DEPTH_SNAPSHOT.root.block_bytes, DEPTH_DIFF.root.block_bytes

#: Every message begins with its time.
_EVENT_TIME_AT = TRADES.root.offset_bytes("eventTime")
_TRADES_TIME_AT = TRADES.root.offset_bytes("transactTime")
_TRADES_EXPONENTS_AT = TRADES.root.offset_bytes("priceExponent")
_TICKER_ID_AT = BEST_BID_ASK.root.offset_bytes("bookUpdateId")
_TICKER_EXPONENTS_AT = BEST_BID_ASK.root.offset_bytes("priceExponent")
_BID_AT, _BID_QTY_AT = (BEST_BID_ASK.root.offset_bytes(name) for name in ("bidPrice", "bidQty"))
_ASK_AT, _ASK_QTY_AT = (BEST_BID_ASK.root.offset_bytes(name) for name in ("askPrice", "askQty"))
_PARTIAL_ID_AT = DEPTH_SNAPSHOT.root.offset_bytes("bookUpdateId")
_PARTIAL_EXPONENTS_AT = DEPTH_SNAPSHOT.root.offset_bytes("priceExponent")
_FIRST_ID_AT = DEPTH_DIFF.root.offset_bytes("firstBookUpdateId")
_LAST_ID_AT = DEPTH_DIFF.root.offset_bytes("lastBookUpdateId")
_DEPTH_EXPONENTS_AT = DEPTH_DIFF.root.offset_bytes("priceExponent")

_TRADE = TRADES.groups[0].entry
_TRADE_BYTES = _TRADE.block_bytes
_TRADE_ID_AT, _TRADE_PRICE_AT = _TRADE.offset_bytes("id"), _TRADE.offset_bytes("price")
_TRADE_QTY_AT, _MAKER_AT = _TRADE.offset_bytes("qty"), _TRADE.offset_bytes("isBuyerMaker")
_LEVEL_BYTES = LEVEL.block_bytes
_LEVEL_PRICE_AT, _LEVEL_QTY_AT = LEVEL.offset_bytes("price"), LEVEL.offset_bytes("qty")


class Units(NamedTuple):
    """How to read a message's numbers: its exponents, and its instrument's tick and lot."""

    price_exponent: int
    qty_exponent: int
    steps: Steps


class Entries(NamedTuple):
    """A group's entries: where the first lies, how far apart they are, how many there are.

    ``after`` is where they end, or a Refusal in its place.
    """

    first: int
    entry_bytes: int
    entry_count: int
    after: int


@compiled
def decode_market(
    payload_address: int,
    payload_bytes: int,
    catalog_address: int,
    out_address: int,
    out_count_max: int,
) -> int:
    """Write the records of one market message; return how many, or a Refusal.

    ``out_address`` holds ``out_count_max`` slots of 128 bytes.  Replies and announcements are JSON
    on these streams too: text goes to the reader of text.

    Trades of one taker come in one message and become one TRADE record each, published together;
    a reader takes them one by one.  A message of none tells nothing and is IGNORED.

    NOT_SBE: another schema, or shorter than its own lengths or our fields want.
    """
    if is_text(payload_address, payload_bytes):
        return decode_text(
            payload_address, payload_bytes, catalog_address, out_address, out_count_max
        )
    end = payload_address + payload_bytes
    header = load_word(payload_address)
    if _uint16(header >> (8 * _SCHEMA_AT)) != SCHEMA_ID:
        return NOT_SBE
    template_id = _uint16(header >> (8 * _TEMPLATE_AT))
    block = payload_address + HEADER_BYTES
    after = block + _uint16(header)
    if after > end:
        return NOT_SBE
    if template_id == _TICKER:
        return _decode_ticker(block, after, end, catalog_address, out_address, out_count_max)
    if template_id == _DEPTH:
        return _decode_depth(block, after, end, catalog_address, out_address, out_count_max)
    if template_id == _TRADES:
        return _decode_trades(block, after, end, catalog_address, out_address, out_count_max)
    if template_id == _PARTIAL:
        return _decode_partial(block, after, end, catalog_address, out_address, out_count_max)
    return NOT_KNOWN


@compiled
def is_text(payload_address: int, payload_bytes: int) -> bool:
    """Return whether a message can only be text: no header, or none of a schema below 2,304."""
    if payload_bytes < HEADER_BYTES:
        return True
    return load_byte(payload_address + _SCHEMA_AT + 1) >= TEXT_BYTE_MIN


@compiled
def _uint16(word: int) -> int:
    """Return the lowest two bytes of a word."""
    return word & 0xFFFF


@compiled
def _int8(address: int) -> int:
    """Return the signed byte at ``address``."""
    value = load_byte(address)
    return value - 256 if value > 127 else value


@compiled
def _read_group(address: int, end_address: int, count_bytes: int, entry_bytes_min: int) -> Entries:
    """Return the group whose dimensions are at ``address``.

    ``count_bytes`` is the width of its count.  Entries may be longer than ``entry_bytes_min``.
    """
    first = address + _COUNT_AT + count_bytes
    if address < 0 or first > end_address:
        return Entries(0, 0, 0, NOT_SBE)
    dimensions = load_word(address)
    entry_bytes = _uint16(dimensions)
    count = low_bytes(dimensions >> (8 * _COUNT_AT), count_bytes)
    after = first + entry_bytes * count  # two numbers of 16 and at most 32 bits
    if after > end_address or (count > 0 and entry_bytes < entry_bytes_min):
        return Entries(0, 0, 0, NOT_SBE)
    return Entries(first, entry_bytes, count, after)


@compiled
def _find_symbol(address: int, end_address: int, catalog_address: int) -> int:
    """Return the instrument of the symbol whose length is at ``address``, or a Refusal."""
    if address < 0 or address >= end_address:
        return NOT_SBE
    symbol_bytes = load_byte(address)
    if address + 1 + symbol_bytes > end_address:
        return NOT_SBE
    index = find_instrument(catalog_address, address + 1, symbol_bytes)
    if index < 0:
        return UNKNOWN_SYMBOL
    # Words are filled with zeros, so a name with zeros behind it would pass for the name.
    instrument = record_at(instrument_at(catalog_address, index), INSTRUMENT_DTYPE)
    return index if instrument.symbol_bytes == symbol_bytes else UNKNOWN_SYMBOL


@compiled
def _units_of(exponents_address: int, catalog_address: int, index: int) -> Units:
    """Return how to read a message's numbers, by its two exponents."""
    return Units(
        _int8(exponents_address), _int8(exponents_address + 1), steps_of_row(catalog_address, index)
    )


@compiled
def to_e8(mantissa: int, exponent: int) -> int:
    """Return ``mantissa * 10**exponent`` in 1e-8, or a Refusal.

    OUT_OF_RANGE below zero and beyond 63 bits, OFF_TICK for what is finer than 1e-8.
    """
    shift = exponent + 8
    if mantissa <= 0:
        return OUT_OF_RANGE if mantissa < 0 else 0
    if shift == 0:
        return mantissa
    if shift > POWER_MAX:
        return OUT_OF_RANGE
    if shift < -POWER_MAX:
        return OFF_TICK
    power = int(POWERS_OF_TEN[abs(shift)])
    if shift > 0:
        return mantissa * power if mantissa <= INT64_MAX // power else OUT_OF_RANGE
    return mantissa // power if mantissa % power == 0 else OFF_TICK


@compiled
def _ticks_at(address: int, units: Units) -> int:
    """Return the price whose mantissa is at ``address``, in ticks, or a Refusal."""
    price_e8 = to_e8(load_word(address), units.price_exponent)
    return price_e8 if price_e8 < 0 else to_ticks(units.steps, price_e8)


@compiled
def _lots_at(address: int, units: Units) -> int:
    """Return the quantity whose mantissa is at ``address``, in lots, or a Refusal."""
    qty_e8 = to_e8(load_word(address), units.qty_exponent)
    return qty_e8 if qty_e8 < 0 else to_lots_shown(units.steps, qty_e8)


@compiled
def _nanoseconds_at(address: int) -> int:
    """Return the time at ``address`` in ns, or OUT_OF_RANGE."""
    venue_us = load_word(address)
    return venue_us * 1_000 if 0 <= venue_us <= LAST_MICROSECOND else OUT_OF_RANGE


@compiled
def _id_at(address: int) -> int:
    """Return the number at ``address``, or OUT_OF_RANGE below zero."""
    value = load_word(address)
    return value if value >= 0 else OUT_OF_RANGE


@compiled
def _decode_ticker(
    block_address: int,
    after_address: int,
    end_address: int,
    catalog_address: int,
    out_address: int,
    out_count_max: int,
) -> int:
    """Write a TICKER; return 1, or a Refusal."""
    if after_address - block_address < _TICKER_BYTES:
        return NOT_SBE
    index = _find_symbol(after_address, end_address, catalog_address)
    if index < 0:
        return index
    if out_count_max < 1:
        return TOO_LARGE
    units = _units_of(block_address + _TICKER_EXPONENTS_AT, catalog_address, index)
    venue_ns = _nanoseconds_at(block_address + _EVENT_TIME_AT)
    update_id = _id_at(block_address + _TICKER_ID_AT)
    bid_ticks = _ticks_at(block_address + _BID_AT, units)
    bid_lots = _lots_at(block_address + _BID_QTY_AT, units)
    ask_ticks = _ticks_at(block_address + _ASK_AT, units)
    ask_lots = _lots_at(block_address + _ASK_QTY_AT, units)
    worst = min(venue_ns, update_id, bid_ticks, bid_lots, ask_ticks, ask_lots)
    if worst < 0:
        return worst
    return write_ticker(
        out_address, index, venue_ns, update_id, bid_ticks, bid_lots, ask_ticks, ask_lots
    )


@compiled
def _decode_trades(
    block_address: int,
    after_address: int,
    end_address: int,
    catalog_address: int,
    out_address: int,
    out_count_max: int,
) -> int:
    """Write a TRADE for each trade; return how many, or a Refusal."""
    if after_address - block_address < _TRADES_BYTES:
        return NOT_SBE
    trades = _read_group(after_address, end_address, _COUNT_BYTES, _TRADE_BYTES)
    index = _find_symbol(trades.after, end_address, catalog_address)
    if index < 0:
        return index
    if trades.entry_count > out_count_max:
        return TOO_LARGE
    units = _units_of(block_address + _TRADES_EXPONENTS_AT, catalog_address, index)
    venue_ns = _nanoseconds_at(block_address + _TRADES_TIME_AT)
    if min(venue_ns, _nanoseconds_at(block_address + _EVENT_TIME_AT)) < 0:
        return OUT_OF_RANGE
    for number in range(trades.entry_count):
        entry = trades.first + number * trades.entry_bytes
        slot = out_address + number * MARKET_SLOT_BYTES
        refusal = _write_trade(slot, entry, index, venue_ns, units)
        if refusal < 0:
            return refusal
    return trades.entry_count if trades.entry_count > 0 else IGNORED


@compiled
def _write_trade(
    slot_address: int, entry_address: int, index: int, venue_ns: int, units: Units
) -> int:
    """Write one trade of a message; return 1, or a Refusal."""
    trade_id = _id_at(entry_address + _TRADE_ID_AT)
    ticks = _ticks_at(entry_address + _TRADE_PRICE_AT, units)
    lots = _lots_at(entry_address + _TRADE_QTY_AT, units)
    worst = min(trade_id, ticks, lots)
    if worst < 0:
        return worst
    if ticks == 0:
        return OUT_OF_RANGE
    is_maker = load_byte(entry_address + _MAKER_AT)
    if is_maker > 1:
        return NOT_SBE
    return write_trade(slot_address, index, venue_ns, trade_id, ticks, lots, is_maker)


@compiled
def _write_side(entries: Entries, kind: int, index: int, units: Units, out_address: int) -> int:
    """Write the levels of one side from ``out_address`` on; return the records, or a Refusal."""
    for number in range(entries.entry_count):
        entry = entries.first + number * entries.entry_bytes
        ticks = _ticks_at(entry + _LEVEL_PRICE_AT, units)
        lots = _lots_at(entry + _LEVEL_QTY_AT, units)
        worst = min(ticks, lots)
        if worst < 0:
            return worst
        if ticks == 0:
            return OUT_OF_RANGE
        write_level(out_address, kind, index, number, ticks, lots)
    return _record_count(entries.entry_count)


@compiled
def _record_count(level_count: int) -> int:
    """Return how many LEVELS records that many levels of one side take."""
    return (level_count + LEVELS_PER_RECORD - 1) // LEVELS_PER_RECORD


@compiled
def _write_sides(
    bids: Entries, asks: Entries, index: int, units: Units, out_address: int, out_count_max: int
) -> int:
    """Write both sides behind the head at ``out_address``; return the records, or a Refusal."""
    record_count = _record_count(bids.entry_count) + _record_count(asks.entry_count)
    if 1 + record_count > out_count_max:
        return TOO_LARGE
    slot = out_address + MARKET_SLOT_BYTES
    bid_count = _write_side(bids, Kind.BIDS, index, units, slot)
    if bid_count < 0:
        return bid_count
    slot += bid_count * MARKET_SLOT_BYTES
    ask_count = _write_side(asks, Kind.ASKS, index, units, slot)
    return ask_count if ask_count < 0 else record_count


@compiled
def _decode_depth(
    block_address: int,
    after_address: int,
    end_address: int,
    catalog_address: int,
    out_address: int,
    out_count_max: int,
) -> int:
    """Write a DEPTH message; return its records, or a Refusal."""
    if after_address - block_address < _DEPTH_BYTES:
        return NOT_SBE
    bids = _read_group(after_address, end_address, _COUNT_BYTES_16, _LEVEL_BYTES)
    asks = _read_group(bids.after, end_address, _COUNT_BYTES_16, _LEVEL_BYTES)
    index = _find_symbol(asks.after, end_address, catalog_address)
    if index < 0:
        return index
    venue_ns = _nanoseconds_at(block_address + _EVENT_TIME_AT)
    first_id, last_id = _id_at(block_address + _FIRST_ID_AT), _id_at(block_address + _LAST_ID_AT)
    if min(venue_ns, first_id, last_id) < 0:
        return OUT_OF_RANGE
    units = _units_of(block_address + _DEPTH_EXPONENTS_AT, catalog_address, index)
    count = _write_sides(bids, asks, index, units, out_address, out_count_max)
    if count < 0:
        return count
    return write_depth(out_address, Kind.DEPTH, index, venue_ns, first_id, last_id, count)


@compiled
def _decode_partial(
    block_address: int,
    after_address: int,
    end_address: int,
    catalog_address: int,
    out_address: int,
    out_count_max: int,
) -> int:
    """Write a PARTIAL message; return its records, or a Refusal."""
    if after_address - block_address < _PARTIAL_BYTES:
        return NOT_SBE
    bids = _read_group(after_address, end_address, _COUNT_BYTES_16, _LEVEL_BYTES)
    asks = _read_group(bids.after, end_address, _COUNT_BYTES_16, _LEVEL_BYTES)
    index = _find_symbol(asks.after, end_address, catalog_address)
    if index < 0:
        return index
    venue_ns, update_id = (
        _nanoseconds_at(block_address + _EVENT_TIME_AT),
        _id_at(block_address + _PARTIAL_ID_AT),
    )
    if min(venue_ns, update_id) < 0:
        return OUT_OF_RANGE
    units = _units_of(block_address + _PARTIAL_EXPONENTS_AT, catalog_address, index)
    count = _write_sides(bids, asks, index, units, out_address, out_count_max)
    if count < 0:
        return count
    return write_depth(out_address, Kind.PARTIAL, index, venue_ns, update_id, update_id, count)
