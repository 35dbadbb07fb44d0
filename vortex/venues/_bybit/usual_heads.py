"""What Bybit's market messages begin with in the form that the venue sends today.

Spot and the books of one level name ``ts`` before ``type``, the other linear topics behind it: both
orders are read.  Where anything is not as usual the readers give up, and ``any_form`` says what the
message means; what they write is what ``any_form`` would write.
"""

from typing import NamedTuple

from ipc.compiled import compiled
from ipc.memory import load_word
from vortex.wire.scan import QUOTE, plain_integer
from vortex.wire.wide import byte_bits
from vortex.wire.words import byte_marks, count_trailing_zeros, low_bytes, word_of

#: The last millisecond that 63 bits of ns hold.
LAST_MILLISECOND = (2**63 - 1) // 1_000_000

_TYPE, _TIME = word_of(b'","type"'), word_of(b'","ts":')
_DELTA, _SNAPSHOT, _SNAPSHOT_1 = word_of(b':"delta"'), word_of(b':"snapsh'), word_of(b'ot"')
_TIME_SECOND, _TYPE_SECOND = word_of(b',"ts":'), word_of(b',"type"')
_DATA = word_of(b',"data":')


class UsualHead(NamedTuple):
    """What is before a message's data: what it is of, and where the value of ``data`` begins.

    ``is_snapshot`` is -1 where the head is not as usual.
    """

    is_snapshot: int
    data: int


@compiled
def to_nanoseconds_of(venue_ms: int) -> int:
    """Return a time of the venue in ns, or -1 when it is negative or does not fit."""
    return venue_ms * 1_000_000 if 0 <= venue_ms <= LAST_MILLISECOND else -1


@compiled
def symbol_length(address: int) -> int:
    """Return the bytes before the next quote; more than ``SYMBOL_BYTES_MAX`` for no symbol."""
    count = count_trailing_zeros(byte_marks(load_word(address), QUOTE)) >> 3
    return count if count < 8 else count_trailing_zeros(byte_bits(address, QUOTE))


@compiled
def is_same_text(first_address: int, second_address: int, byte_count: int) -> bool:
    """Return whether two texts of up to 24 bytes are equal."""
    difference = low_bytes(load_word(first_address) ^ load_word(second_address), byte_count)
    if byte_count > 8:
        second = load_word(first_address + 8) ^ load_word(second_address + 8)
        third = load_word(first_address + 16) ^ load_word(second_address + 16)
        difference |= low_bytes(second, byte_count - 8) | low_bytes(third, byte_count - 16)
    return difference == 0


@compiled
def _read_kind(address: int) -> tuple[int, int]:
    """Return 1 for ``:"snapshot"``, 0 for ``:"delta"``, -1 for neither; and the address behind."""
    word = load_word(address)
    if word == _DELTA:
        return 0, address + 8
    if word == _SNAPSHOT and low_bytes(load_word(address + 8), 3) == _SNAPSHOT_1:
        return 1, address + 11
    return -1, address


@compiled
def read_usual_head(address: int) -> UsualHead:
    """Return what is said between the quote behind the topic, at ``address``, and the data."""
    if load_word(address) == _TYPE:
        is_snapshot, address = _read_kind(address + 8)
        if low_bytes(load_word(address), 6) != _TIME_SECOND:
            return UsualHead(-1, 0)
        venue_ms, address = plain_integer(address + 6)
    elif low_bytes(load_word(address), 7) == _TIME:
        venue_ms, address = plain_integer(address + 7)
        if low_bytes(load_word(address), 7) != _TYPE_SECOND:
            return UsualHead(-1, 0)
        is_snapshot, address = _read_kind(address + 7)
    else:
        return UsualHead(-1, 0)
    if venue_ms < 0 or load_word(address) != _DATA:
        return UsualHead(-1, 0)
    return UsualHead(is_snapshot, address + 8)
