"""The series of the charts: one column a second, the newest ``COLUMN_COUNT`` kept.

A series is a name and a width: one number a second, five percentiles, or eighty rows of a heat map.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from ipc.histogram import BIN_COUNT, PERCENTILES, bin_top_ns
from ipc.types import Int64Array

COLUMN_COUNT = 600

#: A heat map has four rows an octave, from 1.024 us (2**10 ns) to 1.07 s (2**30 ns).
HEAT_FIRST_OCTAVE, HEAT_ROWS_PER_OCTAVE, HEAT_ROW_COUNT = 10, 4, 80
PERCENTILE_WIDTH = len(PERCENTILES) + 1  # and the maximum

_BIN_TOPS_NS = np.array([bin_top_ns(index) for index in range(BIN_COUNT)], np.float64)
_HEAT_ROW = np.clip(
    np.floor(HEAT_ROWS_PER_OCTAVE * (np.log2(np.maximum(_BIN_TOPS_NS, 1)) - HEAT_FIRST_OCTAVE)),
    0, HEAT_ROW_COUNT - 1,
).astype(np.int64)  # fmt: skip


class Columns:
    """A bounded store of series that all have one row a second."""

    def __init__(self, widths: dict[str, int]) -> None:
        self.rows = {
            name: np.full((COLUMN_COUNT, width), np.nan, "f8" if name == "time" else "f4")
            for name, width in widths.items()
        }
        self.count = 0  # columns ever appended

    def append(self, values: dict[str, Any]) -> None:
        """Append one column; a series that is not named is unknown (NaN) there."""
        index = self.count % COLUMN_COUNT
        for name, rows in self.rows.items():
            rows[index] = values.get(name, np.nan)
        self.count += 1

    def since(
        self, names: Iterable[str], first: int
    ) -> tuple[int, dict[str, "np.ndarray[Any, Any]"]]:
        """Return the number of the first column, and of each series its columns from there on.

        That is ``first``, or the oldest column that is still kept.  Unknown names are left out.
        """
        first = max(min(first, self.count), self.count - COLUMN_COUNT, 0)
        indices = np.arange(first, self.count) % COLUMN_COUNT
        return first, {name: self.rows[name][indices] for name in names if name in self.rows}


def heat(bins: Int64Array) -> "np.ndarray[Any, Any]":
    """Return one histogram's counts in the rows of a heat map, shortest time first."""
    return np.bincount(_HEAT_ROW, weights=bins, minlength=HEAT_ROW_COUNT)
