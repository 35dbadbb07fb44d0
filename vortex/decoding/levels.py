"""Reads JSON levels, ``[["price","quantity"],...]``, into LEVELS records.

There are two readers.  The first reads only the form that venues send today, without white space
and with 8 decimals, and stops at anything else.  The second reads every form of the same meaning.
"""

from ipc.compiled import compiled
from ipc.memory import load_byte, load_word, record_at, store_word, zero_bytes
from vortex.codes import Refusal
from vortex.decoding.tick_division import Steps, to_lots, to_lots_shown, to_ticks
from vortex.records import LEVELS, LEVELS_PER_RECORD, MARKET_SLOT_BYTES
from vortex.wire.scan import (
    CLOSE_ARRAY,
    COMMA,
    NOT_JSON,
    OPEN_ARRAY,
    OUT_OF_RANGE,
    QUOTE,
    read_e8,
    skip_space,
    skip_value,
)
from vortex.wire.wide import byte_bits, plain_pair
from vortex.wire.words import word_of

LEVELS_DTYPE = LEVELS.dtype
PRICE_OFFSET_BYTES = LEVELS.offset_bytes("price_ticks")
QTY_OFFSET_BYTES = LEVELS.offset_bytes("qty_lots")
TOO_LARGE = int(Refusal.TOO_LARGE)

_OPEN = word_of(b'["')
_BETWEEN = word_of(b'","')
_NEXT = word_of(b'"],')
_LAST = word_of(b'"]]')


@compiled
def read_ticks(address: int, end_address: int, steps: Steps) -> int:
    """Return the price value at ``address`` in ticks, or a Refusal."""
    value_e8, refusal = read_e8(address, end_address)
    return refusal if refusal < 0 else to_ticks(steps, value_e8)


@compiled
def read_lots(address: int, end_address: int, steps: Steps) -> int:
    """Return the quantity value at ``address`` in lots, or a Refusal."""
    value_e8, refusal = read_e8(address, end_address)
    return refusal if refusal < 0 else to_lots(steps, value_e8)


@compiled
def read_lots_shown(address: int, end_address: int, steps: Steps) -> int:
    """Return the quantity value at ``address`` in lots by ``to_lots_shown``, or a Refusal."""
    value_e8, refusal = read_e8(address, end_address)
    return refusal if refusal < 0 else to_lots_shown(steps, value_e8)


@compiled
def _begin_record(address: int, kind: int, instrument_id: int) -> None:
    """Write an empty LEVELS record."""
    zero_bytes(address, MARKET_SLOT_BYTES)
    record = record_at(address, LEVELS_DTYPE)
    record.kind = kind
    record.instrument_id = instrument_id


@compiled
def write_plain_levels(
    address: int,
    end_address: int,
    kind: int,
    instrument_id: int,
    steps: Steps,
    out_address: int,
    out_count_max: int,
) -> tuple[int, int]:
    """Write the levels behind the bracket before ``address``: the next position and the records.

    The position is -1 when the text has another form: ``write_levels`` must then read it.
    """
    if load_byte(address) == CLOSE_ARRAY:
        return address + 1, 0
    slot = out_address - MARKET_SLOT_BYTES
    out_end = out_address + out_count_max * MARKET_SLOT_BYTES
    index = LEVELS_PER_RECORD
    while address < end_address and load_word(address) & 0xFFFF == _OPEN:
        pair = plain_pair(address, byte_bits(address, QUOTE), 2, 3)
        if pair.first_e8 <= 0 or load_word(pair.middle) & 0xFFFFFF != _BETWEEN:
            return -1, 0
        address = pair.after
        ticks = to_ticks(steps, pair.first_e8)
        lots = to_lots_shown(steps, pair.second_e8)
        if (ticks | lots) < 0:
            return -1, 0
        if index == LEVELS_PER_RECORD:
            if slot >= out_address:
                record_at(slot, LEVELS_DTYPE).level_count = index
            slot += MARKET_SLOT_BYTES
            index = 0
            if slot == out_end:
                return -1, 0
            _begin_record(slot, kind, instrument_id)
        store_word(slot + PRICE_OFFSET_BYTES + index * 8, ticks)
        store_word(slot + QTY_OFFSET_BYTES + index * 8, lots)
        index += 1
        closing = load_word(address) & 0xFFFFFF
        address += 3
        if closing == _LAST:
            record_at(slot, LEVELS_DTYPE).level_count = index
            return address, (slot - out_address) // MARKET_SLOT_BYTES + 1
        if closing != _NEXT:
            return -1, 0
    return -1, 0


@compiled
def write_levels(
    address: int,
    end_address: int,
    kind: int,
    instrument_id: int,
    steps: Steps,
    out_address: int,
    out_count_max: int,
) -> int:
    """Write the levels of the array at ``address``; return how many records, or a Refusal.

    The text was checked to be JSON (``scan.check_text``).  Columns beyond the second are ignored.
    """
    if load_byte(address) != OPEN_ARRAY:
        return NOT_JSON
    record_count = 0
    index = LEVELS_PER_RECORD
    address = skip_space(address + 1, end_address)
    while load_byte(address) != CLOSE_ARRAY:
        ticks, lots = _read_level(address, end_address, steps)
        if ticks < 0 or lots < 0:
            return ticks if ticks < 0 else lots
        if index == LEVELS_PER_RECORD:
            if record_count == out_count_max:
                return TOO_LARGE
            slot = out_address + record_count * MARKET_SLOT_BYTES
            _begin_record(slot, kind, instrument_id)
            record_count += 1
            index = 0
        slot = out_address + (record_count - 1) * MARKET_SLOT_BYTES
        store_word(slot + PRICE_OFFSET_BYTES + index * 8, ticks)
        store_word(slot + QTY_OFFSET_BYTES + index * 8, lots)
        index += 1
        record_at(slot, LEVELS_DTYPE).level_count = index
        address = skip_space(skip_value(address, end_address), end_address)
        if load_byte(address) == COMMA:
            address = skip_space(address + 1, end_address)
    return record_count


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
