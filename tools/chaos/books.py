"""Judges an act of chaos by the exchange's own books; pure functions."""

from collections.abc import Sequence
from typing import Any, NamedTuple

#: A shorter time without any order is a replaced quote, not a pull.
FLAT_NS_MIN = 20_000_000


class Outcome(NamedTuple):
    """The effects of one act, in ns after it; None when they never occurred."""

    flat_ns: int | None
    trading_ns: int | None


def outcome_of(orders: Sequence[dict[str, Any]], act_ns: int, end_ns: int) -> Outcome:
    """Return when the last quote ended after ``act_ns``, and when the next one arrived.

    ``orders`` were open from ``arrived_ns`` until ``ended_ns``, 0 if still open; nothing is known
    after ``end_ns``.
    """
    standing_until_ns = act_ns
    later = sorted(
        (o for o in orders if act_ns < o["arrived_ns"] <= end_ns), key=lambda o: o["arrived_ns"]
    )
    for order in orders:
        if order["arrived_ns"] <= act_ns:
            standing_until_ns = max(standing_until_ns, order["ended_ns"] or end_ns)
    for order in later:
        if order["arrived_ns"] - standing_until_ns >= FLAT_NS_MIN:
            return Outcome(standing_until_ns - act_ns, order["arrived_ns"] - act_ns)
        standing_until_ns = max(standing_until_ns, order["ended_ns"] or end_ns)
    if standing_until_ns >= end_ns:
        return Outcome(None, None)
    return Outcome(standing_until_ns - act_ns, None)
