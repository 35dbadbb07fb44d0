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
def _fraction(point_address: int, point_distance: int) -> int:
    """Return the digits behind the point as values, zeros behind them."""
    return low_bytes(load_word(point_address + 1) ^ ZEROS, point_distance - 1)


@compiled
def _values(
    window: int, points: int, start: int, middle: int, second: int, after: int
) -> ShortPair:
    """Return the decimals at ``[start, middle)`` and ``[second, after)`` of the window.

    ``points`` are the ``byte_bits`` of points at ``window``; ``after`` is below 64.
    """
    first_point = min(middle, count_trailing_zeros(points & (-1 << start)))
    second_point = min(after, count_trailing_zeros(points & (-1 << second)))
    first_count, second_count = first_point - start, second_point - second
    first_distance, second_distance = middle - first_point, after - second_point
    # Both at once: a count outside 1 to 8 is 0 to 7 no more once one is taken away.
    is_long = ((first_count - 1) | (second_count - 1)) & ~7
    is_placed = (_POINT_PLACES >> (first_distance & 63)) & (_POINT_PLACES >> (second_distance & 63))
    first_lead, second_lead = load_byte(window + start), load_byte(window + second)
    needless = (first_lead == ZERO and first_count > 1) or (
        second_lead == ZERO and second_count > 1
    )
    if is_long or is_placed & 1 == 0 or needless:
        return ShortPair(-1, 0, 0, 0)
    first_e8, second_e8 = two_decimals(
        _whole(window + first_point, first_count),
        _fraction(window + first_point, first_distance),
        _whole(window + second_point, second_count),
        _fraction(window + second_point, second_distance),
    )
    return ShortPair(first_e8, second_e8, window + middle, window + after)


@compiled
def short_pair(position: int, end: int, start: int, between_bytes: int) -> ShortPair:
    """Return the two decimals in quotes, the first at ``position + start``, both before ``end``.

    ``between_bytes`` are between the numbers, from the quote behind the first on.  What these say
    is not looked at.  64 bytes before ``position`` are readable.
    """
    quotes, points = byte_bits(position, QUOTE), byte_bits(position, POINT)
    middle = count_trailing_zeros(quotes & (-1 << start))
    second = min(middle + between_bytes, WINDOW_BYTES - 1)
    after = count_trailing_zeros(quotes & (-1 << second))
    if after >= WINDOW_BYTES or position + after >= end:
        return ShortPair(-1, 0, 0, 0)
    return _values(position, points, start, middle, second, after)


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
    position: int,
    end: int,
    kind: int,
    instrument_id: int,
    steps: Steps,
    out_address: int,
    out_count_max: int,
) -> tuple[int, int]:
    """Write the levels behind the bracket before ``position``: the next position and the records.

    The position is -1 when anything is not as it usually is: nothing was decided,
    ``levels.write_levels`` has to say what it is.
    """
    if load_byte(position) == CLOSE_ARRAY:
        return position + 1, 0
    slot = out_address - MARKET_SLOT_BYTES
    out_end = out_address + out_count_max * MARKET_SLOT_BYTES
    index = LEVELS_PER_RECORD
    if load_word(position) & 0xFFFF != _OPEN:
        return -1, 0
    # The quotes of the next 63 characters are found at once, and used up level by level.
    window, quotes, points = position, 0, 0
    while position < end:
        start = count_trailing_zeros(quotes) + 1
        rest = quotes & (quotes - 1)
        middle = count_trailing_zeros(rest)
        rest &= rest - 1
        second = count_trailing_zeros(rest) + 1
        rest &= rest - 1
        if rest == 0:
            if quotes != 0 and window == position:
                return -1, 0
            window = position
            # Without its sign bit the word is the same number in plain Python.
            quotes, points = byte_bits(window, QUOTE) & INT64_MAX, byte_bits(window, POINT)
            if quotes == 0:
                return -1, 0
            continue
        after = count_trailing_zeros(rest)
        position = window + after
        if position >= end:
            return -1, 0
        pair = _values(window, points, start, middle, second, after)
        if pair.first_e8 <= 0 or load_word(pair.middle) & 0xFFFFFF != _BETWEEN:
            return -1, 0
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
        closing = load_word(position)
        if closing & 0xFFFFFF == _LAST:
            record_at(slot, LEVELS_DTYPE).level_count = index
            return position + 3, (slot - out_address) // MARKET_SLOT_BYTES + 1
        if closing & 0xFFFFFFFFFF != _NEXT:
            return -1, 0
        position += 3
        quotes = rest & (rest - 1)
    return -1, 0
