"""What a drain has touched: the list that the book and the strategy each keep while they gather.

Both contexts begin with ``GATHERING``, so one pair of functions serves both.
"""

from ipc.compiled import compiled
from ipc.layout import Field, Layout
from ipc.memory import record_at, store_word
from procs.plan.run_records import MERGE
from procs.stages.base.stage import CONTEXT_FIELDS

GATHERING_FIELDS = (
    *CONTEXT_FIELDS,
    Field("merges_address", "i8", "MERGE table"),
    Field("touched_address", "i8", "list of the instruments touched"),
    Field("touched_count", "i8", "how many"),
)
GATHERING = Layout("gathering", "How both contexts begin.", *GATHERING_FIELDS, multiple_bytes=8)

GATHERING_DTYPE = GATHERING.dtype
MERGE_DTYPE = MERGE.dtype
MERGE_BYTES = MERGE.dtype.itemsize


@compiled
def merge_of(context_address: int, instrument_id: int) -> int:
    """Return the address of what a drain gathered for one instrument."""
    gathering = record_at(context_address, GATHERING_DTYPE)
    return gathering.merges_address + instrument_id * MERGE_BYTES


@compiled
def mark_touched(context_address: int, instrument_id: int) -> None:
    """Remember that the instrument must be served at the end of the drain."""
    merge = record_at(merge_of(context_address, instrument_id), MERGE_DTYPE)
    if merge.is_touched == 0:
        gathering = record_at(context_address, GATHERING_DTYPE)
        merge.is_touched = 1
        store_word(gathering.touched_address + 8 * gathering.touched_count, instrument_id)
        gathering.touched_count += 1
