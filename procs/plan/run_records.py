"""Records that a run keeps about itself: what is gathered, steps, slow orders, marks of the log."""

from ipc.layout import Field, Layout, reserved
from vortex.records import MERGE_STAMPS, SENT_FIELDS

#: What an order passes.
HOPS = ("ingest", "book", "strategy", "gateway")
HOP_COUNT = len(HOPS)
#: The most rings in a STEP record: of those that a stage reads, and of those that it writes.
STEP_RING_COUNT_MAX = 8
BLOCK_BYTES = 4_096

MERGE = Layout(
    "merge",
    "What a drain has gathered for one instrument and not yet passed on.",
    Field("is_touched", "i8", "1 when something is to be passed on"),
    Field("cause_id", "i8", "number of the newest frame"),
    Field("consumed_seq", "i8", "records of its ring consumed"),
    *MERGE_STAMPS,
    Field("venue_ns", "i8", "the venue's event time of the newest frame"),
    Field("decided_kernel_ns", "i8", "strategy: kernel_ns of the decision just made; 0 for none"),
    Field("decided_count", "i8", "strategy: frames merged into that decision"),
    Field("top_count", "i8", "strategy: tops gathered"),
    reserved(8),
)

STEP = Layout(
    "step",
    "One step of a stage that did something: what a replay needs to repeat it.  The first of a "
    "life did nothing; it gives the positions of the inputs.",
    Field("now_ns", "i8", "the time that the step was given"),
    Field("publish_ns", "i8", "when its output was committed"),
    Field("consumed_seq", "i8", "records consumed of each input after it", (STEP_RING_COUNT_MAX,)),
    Field("published_seq", "i8", "records published to each output", (STEP_RING_COUNT_MAX,)),
    Field("input_epoch", "i4", "epoch of each input after it", (STEP_RING_COUNT_MAX,)),
    Field("read_bytes", "i8", "bytes read from connections by its end, in this life"),
    reserved(8),
)

OUTLIER = Layout(
    "outlier",
    "One order over budget, as in `sent`, and the time that the machine took.",
    *SENT_FIELDS,
    Field(
        "lost_ns", "i8", "of each hop, the time in which its CPU did something else", (HOP_COUNT,)
    ),
    Field(
        "busy_ns", "i8", "of each hop, the time in slow turns of stages of its CPU", (HOP_COUNT,)
    ),
    Field("stall_count", "i8", "gaps and slow turns during the order"),
    Field("switch_count", "i8", "switches to other tasks in them"),
    Field("fault_count", "i8", "page faults in them"),
    Field("cause", "i8", "outliers.Cause"),
    Field("budget_ns", "i8", "the budget that it exceeded"),
    reserved(48),
)

LOG_MARK = Layout(
    "log_mark",
    "The position of the log writer in one stage's log; its successor continues there.",
    Field("next_seq", "i8", "the first record not written yet"),
    Field("written_count", "i8", "records written"),
    Field("lost_count", "i8", "records overwritten before they could be written"),
    Field("file_bytes", "i8", "size of the file then, the same in every mark"),
    Field("pid", "i8", "the log writer's process, the same in every mark"),
    reserved(24),
)

BLOCK = Layout("block", "A page of a book's memory; see vortex/books/book.py.",
               Field("bytes", f"S{BLOCK_BYTES}", "opaque here"))  # fmt: skip
