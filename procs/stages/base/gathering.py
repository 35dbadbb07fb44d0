"""Which instruments a drain has touched: a list that the book and the strategy each keep.

Both contexts begin with ``GATHERING``, so one pair of functions serves both.
"""

from ipc.compiled import compiled
from ipc.layout import Field, Layout
from ipc.memory import record_at, store_word
from ipc.types import Record
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
def merge_of(gathering: Record, instrument_id: int) -> Record:
    """Return the MERGE of one instrument; ``gathering`` is the context of the book or strategy."""
    return record_at(gathering.merges_address + instrument_id * MERGE_BYTES, MERGE_DTYPE)


@compiled
def mark_touched(gathering: Record, instrument_id: int) -> None:
    """Have the instrument served at the end of the drain."""
    merge = merge_of(gathering, instrument_id)
    if merge.is_touched == 0:
        merge.is_touched = 1
        store_word(gathering.touched_address + 8 * gathering.touched_count, instrument_id)
        gathering.touched_count += 1
