"""Cumulative int64 counters: one writer, readers take differences, no resets.

Each owner names its counters in an IntEnum; the number of a counter is its index in the block.
"""

from ipc.atomics import load_relaxed, store_relaxed
from ipc.compiled import compiled
from ipc.layout import Field, Layout

COUNTER_COUNT_MAX = 64

COUNTERS = Layout(
    "counters",
    "The counters of one stage, in the order of its IntEnum.",
    Field("value_count", "i8", "counter by number", (COUNTER_COUNT_MAX,)),
)


@compiled
def add(counters_address: int, counter_index: int, count: int) -> None:
    """Add ``count`` to one counter; only the owner calls this."""
    address = counters_address + 8 * counter_index
    store_relaxed(address, load_relaxed(address) + count)


@compiled
def read_counter(counters_address: int, counter_index: int) -> int:
    """Return one counter."""
    return load_relaxed(counters_address + 8 * counter_index)
