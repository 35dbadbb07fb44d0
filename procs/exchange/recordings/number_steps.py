"""The steps that the numbers of a recording are multiples of: a guess at tick and lot.

A guess never is too large for what is recorded; it is too small where all recorded prices are
multiples of more than a tick, or where orders rest from before the venue made its tick larger.
"""

from collections import Counter

from procs.exchange.core.instrument import E8

ODD_SHARE_MAX = 0.001


def read_e8(text: str) -> int:
    """Return a decimal of at most eight decimals in 1e-8."""
    whole, _, fraction = text.partition(".")
    return int(whole + fraction.ljust(8, "0"))


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
