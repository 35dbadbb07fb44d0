"""Pseudo-random numbers: the same seed gives the same numbers everywhere.

The generator is Marsaglia's xorshift128: four 32-bit words, only shifts and exclusive ors, so that
int64 never overflows and plain Python computes the same.

*Source:* G. Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8 (2003), p. 5.
"""

import hashlib

from ipc.compiled import compiled
from ipc.layout import Field, Layout
from ipc.memory import record_at
from ipc.types import Record

RANDOM = Layout(
    "random",
    "State of one generator; not all zero.",
    Field("first", "i8", "the oldest word"),
    Field("second", "i8", "the word after it"),
    Field("third", "i8", "the word after that"),
    Field("fourth", "i8", "the newest word: the last number drawn"),
    multiple_bytes=8,
)
RANDOM_DTYPE = RANDOM.dtype

MASK_32 = 0xFFFFFFFF


def seed_random(address: int, seed: str) -> None:
    """Set the generator at ``address`` from any text."""
    digest = hashlib.blake2b(seed.encode(), digest_size=16).digest()
    state: Record = record_at(address, RANDOM_DTYPE)
    state.first = int.from_bytes(digest[0:4], "little") | 1
    state.second = int.from_bytes(digest[4:8], "little")
    state.third = int.from_bytes(digest[8:12], "little")
    state.fourth = int.from_bytes(digest[12:16], "little")


@compiled
def draw_word(address: int) -> int:
    """Return a number from 0 to 2**32 - 1."""
    state = record_at(address, RANDOM_DTYPE)
    mixed = (state.first ^ (state.first << 11)) & MASK_32
    state.first, state.second, state.third = state.second, state.third, state.fourth
    state.fourth = (state.fourth ^ (state.fourth >> 19)) ^ (mixed ^ (mixed >> 8))
    word: int = state.fourth
    return word


@compiled
def draw_below(address: int, end_number: int) -> int:
    """Return a number from 0 to ``end_number - 1``; ``end_number`` is at most 2**31."""
    return (draw_word(address) * end_number) >> 32


@compiled
def draw_chance(address: int, per_million: int) -> bool:
    """Return True ``per_million`` times in a million."""
    return draw_below(address, 1_000_000) < per_million


@compiled
def draw_bell(address: int, deviation_ticks: int) -> int:
    """Return a roughly normal number of ticks, of mean 0 and this standard deviation.

    The sum of twelve uniforms has variance 1; six draws are split into 16-bit halves.
    """
    total = 0
    for _ in range(6):
        word = draw_word(address)
        total += (word & 0xFFFF) + (word >> 16)
    return ((total - 6 * 0xFFFF) * deviation_ticks) >> 16


@compiled
def draw_heavy(address: int, typical_lots: int) -> int:
    """Return a size in lots, at least 1: mostly near ``typical_lots``, at times far larger."""
    size = 1 + draw_below(address, 2 * typical_lots)
    while size < 64 * typical_lots and draw_below(address, 4) == 0:
        size += size
    return size
