"""Levels of Bybit's books in the form that the venue sends today, two decimals at once.

A level is ``["65095.30","0.005"]``: decimals of up to 8 digits before and behind the point, or with
no point at all (``"0"``, ``"307807"``).  A reader gives up where it is not sure.
"""

from typing import NamedTuple

from ipc.compiled import compiled
from ipc.memory import load_byte, load_word, record_at, store_word, zero_bytes
from ipc.types import Record
from vortex.decoding.levels import PRICE_OFFSET_BYTES, QTY_OFFSET_BYTES
from vortex.decoding.tick_division import Steps, to_lots_shown, to_ticks
from vortex.records import LEVELS, LEVELS_PER_RECORD, MARKET_SLOT_BYTES
from vortex.wire.scan import CLOSE_ARRAY, POINT, QUOTE, ZERO
from vortex.wire.wide import WINDOW_BYTES, ZEROS, byte_bits, two_decimals
from vortex.wire.words import count_trailing_zeros, low_bytes, word_of

LEVELS_DTYPE = LEVELS.dtype
INT64_MAX = 2**63 - 1

_OPEN, _BETWEEN = word_of(b'["'), word_of(b'","')
_NEXT, _LAST = word_of(b'"],["'), word_of(b'"]]')

#: Bit n: a point may be n characters before the closing quote; 0 is no point, 1 no digit behind.
_POINT_PLACES = 0b11_1111_1101


class ShortPair(NamedTuple):
    """Two decimals in 1e-8, and where the quotes behind them are; ``first_e8`` -1: not usual."""

    first_e8: int
    second_e8: int
    middle: int
    after: int


@compiled
def _whole(point_address: int, digit_count: int) -> int:
    """Return the 1 to 8 digits before the point as values, zeros before them."""
    word = load_word(point_address - 8) ^ ZEROS
    return word & (-1 << ((8 - digit_count) << 3))


@compiled
def _fraction(point_address: int, point_distance_bytes: int) -> int:
    """Return the digits behind the point as values, zeros behind them."""
    return low_bytes(load_word(point_address + 1) ^ ZEROS, point_distance_bytes - 1)


@compiled
def _values(
    window_address: int,
    point_mask: int,
    start_index: int,
    middle_index: int,
    second_index: int,
    after_index: int,
) -> ShortPair:
    """Return the decimals of the window: ``[start_index, middle_index)`` and ``second_index`` on.

    The second ends before ``after_index``, which is below 64.  ``point_mask`` are the ``byte_bits``
    of points at ``window_address``.
    """
    first_point = min(middle_index, count_trailing_zeros(point_mask & (-1 << start_index)))
    second_point = min(after_index, count_trailing_zeros(point_mask & (-1 << second_index)))
    first_count, second_count = first_point - start_index, second_point - second_index
    first_distance, second_distance = middle_index - first_point, after_index - second_point
    # Both at once: a count outside 1 to 8 is 0 to 7 no more once one is taken away.
    is_long = ((first_count - 1) | (second_count - 1)) & ~7
    is_placed = (_POINT_PLACES >> (first_distance & 63)) & (_POINT_PLACES >> (second_distance & 63))
    first_lead, second_lead = (
        load_byte(window_address + start_index),
        load_byte(window_address + second_index),
    )
    needless = (first_lead == ZERO and first_count > 1) or (
        second_lead == ZERO and second_count > 1
    )
    if is_long or is_placed & 1 == 0 or needless:
        return ShortPair(-1, 0, 0, 0)
    first_e8, second_e8 = two_decimals(
        _whole(window_address + first_point, first_count),
        _fraction(window_address + first_point, first_distance),
        _whole(window_address + second_point, second_count),
        _fraction(window_address + second_point, second_distance),
    )
    return ShortPair(
        first_e8, second_e8, window_address + middle_index, window_address + after_index
    )


@compiled
def short_pair(address: int, end_address: int, start_index: int, between_bytes: int) -> ShortPair:
    """Return two decimals in quotes, the first at ``address + start_index``, both before the end.

    ``between_bytes`` are between the numbers, from the quote behind the first on.  What these say
    is not looked at.  64 bytes before ``address`` are readable.
    """
    quote_mask, point_mask = byte_bits(address, QUOTE), byte_bits(address, POINT)
    middle_index = count_trailing_zeros(quote_mask & (-1 << start_index))
    second_index = min(middle_index + between_bytes, WINDOW_BYTES - 1)
    after_index = count_trailing_zeros(quote_mask & (-1 << second_index))
    if after_index >= WINDOW_BYTES or address + after_index >= end_address:
        return ShortPair(-1, 0, 0, 0)
    return _values(address, point_mask, start_index, middle_index, second_index, after_index)


@compiled
def _begin_record(address: int, kind: int, instrument_id: int) -> Record:
    """Write an empty LEVELS record; return it."""
    zero_bytes(address, MARKET_SLOT_BYTES)
    record = record_at(address, LEVELS_DTYPE)
    record.kind = kind
    record.instrument_id = instrument_id
    return record


@compiled
def write_short_levels(
    address: int,
    end_address: int,
    kind: int,
    instrument_id: int,
    steps: Steps,
    out_address: int,
    out_count_max: int,
) -> tuple[int, int]:
    """Write the levels behind the bracket before ``address``: the next address and the records.

    The address is -1 when the text has another form: ``levels.write_levels`` must read it.
    """
    if load_byte(address) == CLOSE_ARRAY:
        return address + 1, 0
    slot_address, index = out_address - MARKET_SLOT_BYTES, LEVELS_PER_RECORD
    out_end = out_address + out_count_max * MARKET_SLOT_BYTES
    if load_word(address) & 0xFFFF != _OPEN:
        return -1, 0
    # The quotes of the next 63 characters are found at once, and used up level by level.
    window_address, quote_mask, point_mask = address, 0, 0
    while address < end_address:
        start_index = count_trailing_zeros(quote_mask) + 1
        rest = quote_mask & (quote_mask - 1)
        middle_index = count_trailing_zeros(rest)
        rest &= rest - 1
        second_index = count_trailing_zeros(rest) + 1
        rest &= rest - 1
        if rest == 0:
            if quote_mask != 0 and window_address == address:
                return -1, 0
            window_address = address
            quote_mask = byte_bits(window_address, QUOTE) & INT64_MAX  # alike in plain Python
            point_mask = byte_bits(window_address, POINT)
            if quote_mask == 0:
                return -1, 0
            continue
        after_index = count_trailing_zeros(rest)
        address = window_address + after_index
        if address >= end_address:
            return -1, 0
        pair = _values(
            window_address, point_mask, start_index, middle_index, second_index, after_index
        )
        if pair.first_e8 <= 0 or load_word(pair.middle) & 0xFFFFFF != _BETWEEN:
            return -1, 0
        ticks = to_ticks(steps, pair.first_e8)
        lots = to_lots_shown(steps, pair.second_e8)
        if (ticks | lots) < 0:
            return -1, 0
        if index == LEVELS_PER_RECORD:
            if slot_address >= out_address:
                record_at(slot_address, LEVELS_DTYPE).level_count = index
            slot_address += MARKET_SLOT_BYTES
            index = 0
            if slot_address == out_end:
                return -1, 0
            _begin_record(slot_address, kind, instrument_id)
        store_word(slot_address + PRICE_OFFSET_BYTES + index * 8, ticks)
        store_word(slot_address + QTY_OFFSET_BYTES + index * 8, lots)
        index += 1
        closing = load_word(address)
        if closing & 0xFFFFFF == _LAST:
            record_at(slot_address, LEVELS_DTYPE).level_count = index
            return address + 3, (slot_address - out_address) // MARKET_SLOT_BYTES + 1
        if closing & 0xFFFFFFFFFF != _NEXT:
            return -1, 0
        address += 3
        quote_mask = rest & (rest - 1)
    return -1, 0
