"""What memory plain Python may touch: a bounds check for the functions as they are written.

Compiled code reads and writes at addresses, and nothing stops it at the end of what was allocated.
With ``NUMBA_DISABLE_JIT=1 VORTEX_CHECK_BOUNDS=1`` the same functions run as Python, and each access
must lie within one piece of memory that is known: an array whose address was asked for, as long as
the array lives, or a mapped segment.  Machine code does not come here.
"""

import os
import weakref
from bisect import bisect_right
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

CHECK_VARIABLE = "VORTEX_CHECK_BOUNDS"

#: Whether each access is checked.
IS_CHECKED = os.environ.get(CHECK_VARIABLE) == "1"


class OutOfBoundsError(Exception):
    """Memory was touched that nobody allocated; the message says where and how much."""


class KnownMemory:
    """The pieces of memory that are allocated, none inside another."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: dict[int, int] = {}

    def add(self, start: int, byte_count: int) -> None:
        """Learn of a piece; what it covers of others is forgotten."""
        if byte_count == 0 or self.holds(start, byte_count):
            return
        for each in [s for s in self._starts if start <= s < start + byte_count]:
            self.remove(each)
        index = bisect_right(self._starts, start)
        self._starts.insert(index, start)
        self._ends[start] = start + byte_count

    def remove(self, start: int) -> None:
        """Forget the piece that begins at ``start``, if there is one."""
        if self._ends.pop(start, None) is not None:
            self._starts.remove(start)

    def holds(self, address: int, byte_count: int) -> bool:
        """Return whether a range lies within one piece."""
        index = bisect_right(self._starts, address) - 1
        return index >= 0 and address + byte_count <= self._ends[self._starts[index]]

    def check(self, address: int, byte_count: int) -> None:
        """Check one access.

        Raises
        ------
        OutOfBoundsError
            When it does not lie within one known piece.
        """
        if byte_count != 0 and (byte_count < 0 or not self.holds(address, byte_count)):
            index = bisect_right(self._starts, address) - 1
            near = ""
            if index >= 0:
                start = self._starts[index]
                size_bytes = self._ends[start] - start
                near = f"; the piece before it has {size_bytes} bytes and this is {address - start}"
            raise OutOfBoundsError(f"{byte_count} bytes at {address:#x} were not allocated{near}")


KNOWN = KnownMemory()

#: How many arrays show a piece of memory, by where it begins; and the arrays that were asked about.
_owner_counts: dict[int, int] = {}
_owner_ids: set[int] = set()


def know_array(array: "np.ndarray[Any, Any]") -> None:
    """Learn of the memory that an array shows, as long as that lives."""
    owner: Any = array
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    start, end = byte_bounds(owner)
    is_inside = KNOWN.holds(start, end - start) and start not in _owner_counts
    if id(owner) in _owner_ids or is_inside or start == end:
        return
    KNOWN.add(start, end - start)
    _owner_ids.add(id(owner))
    _owner_counts[start] = _owner_counts.get(start, 0) + 1
    weakref.finalize(owner, _forget, id(owner), start)


def _forget(owner_id: int, start: int) -> None:
    _owner_ids.discard(owner_id)
    _owner_counts[start] -= 1
    if _owner_counts[start] == 0:
        del _owner_counts[start]
        KNOWN.remove(start)
