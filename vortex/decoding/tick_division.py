"""Divides decimals in 1e-8 into an instrument's ticks and lots, exactly or not at all.

A division by the tick is a product with its inverse (``words.exact_quotient``).  The inverses of an
instrument are computed once and kept in the process's STEPS table.
"""

from typing import NamedTuple

from ipc.compiled import compiled
from ipc.layout import Field, Layout, reserved
from ipc.memory import record_at
from vortex.codes import Refusal
from vortex.records import CATALOG
from vortex.wire.words import count_trailing_zeros, exact_quotient, odd_inverse

CATALOG_DTYPE = CATALOG.dtype
INT64_MAX = 2**63 - 1
OFF_TICK = int(Refusal.OFF_TICK)
OUT_OF_RANGE = int(Refusal.OUT_OF_RANGE)

STEPS = Layout(
    "steps",
    "The constants to divide by one instrument's tick and lot; in private memory.",
    Field("tick_inverse", "i8", "odd_inverse of the tick's odd part"),
    Field("tick_zero_count", "i8", "the tick's trailing zero bits"),
    Field("tick_quotient_max", "i8", "2**63 - 1 divided by the tick"),
    Field("lot_inverse", "i8", "odd_inverse of the lot's odd part"),
    Field("lot_zero_count", "i8", "the lot's trailing zero bits"),
    Field("lot_quotient_max", "i8", "2**63 - 1 divided by the lot"),
    Field("lot_e8", "i8", "the lot"),
    reserved(8),
)
STEPS_DTYPE = STEPS.dtype
STEPS_BYTES = STEPS.dtype.itemsize


class Steps(NamedTuple):
    """The constants to divide by an instrument's tick and lot: see ``words.exact_quotient``."""

    tick_inverse: int
    tick_shift: int
    tick_quotient_max: int
    lot_inverse: int
    lot_shift: int
    lot_quotient_max: int
    lot_e8: int


@compiled
def steps_of(tick_e8: int, lot_e8: int) -> Steps:
    """Return the constants for ``tick_e8`` and ``lot_e8``, both above zero."""
    tick_shift = count_trailing_zeros(tick_e8)
    lot_shift = count_trailing_zeros(lot_e8)
    return Steps(
        odd_inverse(tick_e8 >> tick_shift),
        tick_shift,
        INT64_MAX // tick_e8,
        odd_inverse(lot_e8 >> lot_shift),
        lot_shift,
        INT64_MAX // lot_e8,
        lot_e8,
    )


@compiled
def to_ticks(steps: Steps, price_e8: int) -> int:
    """Return ``price_e8`` in ticks, or OUT_OF_RANGE below zero, or OFF_TICK between two ticks."""
    if price_e8 < 0:
        return OUT_OF_RANGE
    ticks = exact_quotient(price_e8, steps.tick_inverse, steps.tick_shift, steps.tick_quotient_max)
    return ticks if ticks >= 0 else OFF_TICK


@compiled
def to_lots(steps: Steps, qty_e8: int) -> int:
    """Return ``qty_e8`` in lots, or OUT_OF_RANGE below zero, or OFF_TICK between two lots."""
    if qty_e8 < 0:
        return OUT_OF_RANGE
    lots = exact_quotient(qty_e8, steps.lot_inverse, steps.lot_shift, steps.lot_quotient_max)
    return lots if lots >= 0 else OFF_TICK


@compiled
def to_lots_shown(steps: Steps, qty_e8: int) -> int:
    """Return a quantity that others show or trade, in lots, or OUT_OF_RANGE below zero.

    Exact when it is a whole number of lots.  It may not be: resting orders can be older than the
    venue's step (25.42618900 BTC was seen long after the step became 0.00001).  Such a quantity is
    rounded down, but never to zero, which would mean that the level is empty.
    """
    lots = to_lots(steps, qty_e8)
    return lots if lots != OFF_TICK else max(1, qty_e8 // steps.lot_e8)


@compiled
def fill_steps(steps_address: int, tick_e8: int, lot_e8: int) -> None:
    """Fill one row of the STEPS table."""
    row = record_at(steps_address, STEPS_DTYPE)
    steps = steps_of(tick_e8, lot_e8)
    row.tick_inverse = steps.tick_inverse
    row.tick_zero_count = steps.tick_shift
    row.tick_quotient_max = steps.tick_quotient_max
    row.lot_inverse = steps.lot_inverse
    row.lot_zero_count = steps.lot_shift
    row.lot_quotient_max = steps.lot_quotient_max
    row.lot_e8 = steps.lot_e8


@compiled
def steps_of_row(catalog_address: int, index: int) -> Steps:
    """Return the constants of instrument ``index``."""
    table_address = record_at(catalog_address, CATALOG_DTYPE).steps_address
    row = record_at(table_address + index * STEPS_BYTES, STEPS_DTYPE)
    return Steps(
        row.tick_inverse,
        row.tick_zero_count,
        row.tick_quotient_max,
        row.lot_inverse,
        row.lot_zero_count,
        row.lot_quotient_max,
        row.lot_e8,
    )
