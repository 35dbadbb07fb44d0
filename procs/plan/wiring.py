"""THE wiring: every ring and table, its records, its one writer and its readers.

The supervisor creates what stands here, the stages attach to it, and the observers and documents
read it.  Computed from the configuration, so that sources and instruments are not a rebuild.
"""

from dataclasses import dataclass

from ipc import control
from ipc.clock import CLOCK
from ipc.counters import COUNTERS
from ipc.histogram import HISTOGRAM
from ipc.layout import Field, Layout, reserved
from ipc.log import EVENT_COUNT_MAX, LOG, TOLD
from ipc.meter import STALL
from ipc.segment import segment_name
from ipc.shared import RingSpec
from procs.plan.config import Config
from vortex.books import book
from vortex.deciding import contract
from vortex.orders.limits import LIMITS, ORDER_RATE
from vortex.orders.quoting import QUOTE_COUNT, QUOTING, STANDING, WANTED
from vortex.records import (
    BALANCE,
    DEPTH,
    FEED,
    INSTRUMENT,
    LEVELS,
    MARKET_SLOT_BYTES,
    ORDER,
    ORDER_EVENT,
    POSITION,
    REQUEST,
    SENT,
    SENT_FIELDS,
    TICKER,
    TOP,
    TOP_SLOT_BYTES,
    TOUCH,
    TRADE,
)

SUPERVISOR = "supervisor"
#: The process that writes what the stages told into files (``procs/observe/events/log_writer.py``).
LOG_WRITER = "log_writer"
#: The supervisor's lock on every segment; stages lock role 0 of their own status.
SUPERVISOR_ROLE = 8
BOOK, STRATEGY, GATEWAY = "book", "strategy", "gateway"
#: The stages of which there is one; all others are ingest stages.
AFTER_INGEST = (BOOK, STRATEGY, GATEWAY)

ORDER_ROWS = 256
#: What an order passes.
HOPS = ("ingest", "book", "strategy", "gateway")
HOP_COUNT = len(HOPS)
#: Records that observers can look back on.
SENT_ROWS, WORST_ROWS, STALL_ROWS = 4_096, 1_024, 4_096
LOG_ROWS = 4_096
MARKET_MESSAGE_MAX = 4_096
BLOCK_BYTES = 4_096

MERGE = Layout(
    "merge",
    "What a drain has gathered for one instrument and not yet passed on.",
    Field("is_touched", "i8", "1 when something is to be passed on"),
    Field("kernel_ns", "i8", "kernel receive stamp of the oldest frame gathered"),
    Field("recv_ns", "i8", "when recv returned with that frame"),
    Field("ingest_publish_ns", "i8", "when ingest made it visible"),
    Field("newest_kernel_ns", "i8", "kernel receive stamp of the newest frame gathered"),
    Field("venue_ns", "i8", "the venue's event time of the newest frame"),
    Field("merged_count", "i8", "frames gathered"),
    Field("resync_count", "i8", "of these, how many brought the book into sync"),
    Field("cause_id", "i8", "number of the newest frame"),
    Field("consumed_seq", "i8", "records of its ring consumed"),
    Field("book_pick_ns", "i8", "strategy: when the book picked the oldest frame up"),
    Field("book_publish_ns", "i8", "strategy: when the book passed the oldest frame on"),
    Field("by_event", "i8", "strategy: 1 when an order event asks for a decision"),
    Field("decided_kernel_ns", "i8", "strategy: kernel_ns of the decision just made; 0 for none"),
    Field("decided_count", "i8", "strategy: frames that decision stands for"),
    reserved(8),
)

STEP = Layout(
    "step",
    "One step of a stage that did something: what a replay needs to repeat it.  The first of a "
    "life did nothing; it tells where the inputs stood.",
    Field("now_ns", "i8", "the time that the step was given"),
    Field("publish_ns", "i8", "when its output was committed"),
    Field("consumed_seq", "i8", "records consumed of each input after it", (4,)),
    Field("published_seq", "i8", "records published after it"),
    Field("input_epoch", "i4", "epochs of the first two inputs after it", (2,)),
)

OUTLIER = Layout(
    "outlier",
    "One order over budget, as in `sent`, and what the machine did meanwhile.",
    *SENT_FIELDS,
    Field(
        "lost_ns", "i8", "of each hop, the time in which its CPU did something else", (HOP_COUNT,)
    ),
    Field(
        "busy_ns", "i8", "of each hop, the time in long turns of stages of its CPU", (HOP_COUNT,)
    ),
    Field("stall_count", "i8", "gaps and long turns meanwhile"),
    Field("switch_count", "i8", "switches to other tasks in them"),
    Field("fault_count", "i8", "page faults in them"),
    Field("cause", "i8", "outliers.Cause"),
    Field("budget_ns", "i8", "what it was over"),
    reserved(56),
)

LOG_MARK = Layout(
    "log_mark",
    "How far the log of one stage was written; the next log writer goes on there.",
    Field("next_seq", "i8", "the first record not written yet"),
    Field("written_count", "i8", "records written"),
    Field("lost_count", "i8", "records overwritten before they could be written"),
    Field("file_bytes", "i8", "size of the file then, the same in every mark"),
    Field("pid", "i8", "the log writer's process, the same in every mark"),
    reserved(24),
)

BLOCK = Layout("block", "A page of a book's memory; see vortex/books/book.py.",
               Field("bytes", f"S{BLOCK_BYTES}", "opaque here"))  # fmt: skip


@dataclass(frozen=True)
class Link:
    """A ring: who writes it, who reads it (nobody: observers only)."""

    name: str
    spec: RingSpec
    writer: str
    reader: str | None


@dataclass(frozen=True)
class Table:
    """State of one owner that others read in place."""

    name: str
    layout: Layout
    count: int
    owner: str


@dataclass(frozen=True)
class Wiring:
    """All of it."""

    instance: str
    ingest_roles: tuple[str, ...]
    links: dict[str, Link]
    tables: dict[str, Table]

    @property
    def roles(self) -> list[str]:
        """The stages, in the order in which a tick passes them."""
        return [*self.ingest_roles, *AFTER_INGEST]

    def segment(self, name: str) -> str:
        """Return the name of the segment that holds a ring or table."""
        return segment_name(self.instance, name)


# What each stage measures; the names are those of the report.
INGEST_LATENCIES: tuple[str, ...] = ()
BOOK_LATENCIES: tuple[str, ...] = ()
STRATEGY_LATENCIES = ("tick_to_decision_ns",)
GATEWAY_LATENCIES = (
    "tick_to_order_ns",
    "recv_to_order_ns",
    "newest_to_order_ns",
    *(f"{hop}_{part}_ns" for hop in HOPS for part in ("wait", "service")),
    "order_round_trip_ns",
)


def ingest_roles(config: Config) -> tuple[str, ...]:
    """Return the names of the ingest processes, one per source."""
    if len(config.sources) == 1:
        return ("ingest",)
    return tuple(f"ingest-{source.name}" for source in config.sources)


def market_ring(role: str) -> str:
    """Return the name of the ring that an ingest process writes."""
    return f"market.{role}"


def stall_ring(role: str) -> str:
    """Return the name of the ring on which a stage tells of its stalls."""
    return f"stalls.{role}"


def log_ring(role: str) -> str:
    """Return the name of the ring on which a stage tells its events."""
    return f"log.{role}"


def watched(layout: Layout, count: int) -> RingSpec:
    """Return a ring of single records that only observers read, and nobody waits for."""
    return RingSpec((layout,), layout.dtype.itemsize, count, 1, "publish_ns", False)


def book_bytes(config: Config) -> int:
    """Return the memory of one book, in whole blocks."""
    need = book.book_bytes(config.books.levels, config.books.pending_records)
    return -(-need // BLOCK_BYTES) * BLOCK_BYTES


def wire(config: Config) -> Wiring:
    """Return the wiring of one configuration."""
    ingests = ingest_roles(config)
    roles = [*ingests, *AFTER_INGEST]
    count = len(config.symbols)
    sizes = config.rings
    market = RingSpec(
        (DEPTH, LEVELS, TICKER, TRADE, FEED),
        MARKET_SLOT_BYTES,
        1 << sizes.market_bits,
        min(MARKET_MESSAGE_MAX, 1 << (sizes.market_bits - 1)),
        "publish_ns",
    )
    tops = RingSpec((TOP, TRADE), TOP_SLOT_BYTES, 1 << sizes.tops_bits, 1, "publish_ns")
    requests = RingSpec(
        (REQUEST,), REQUEST.dtype.itemsize, 1 << sizes.requests_bits, QUOTE_COUNT, "publish_ns"
    )
    events = RingSpec(
        (ORDER_EVENT,), ORDER_EVENT.dtype.itemsize, 1 << sizes.events_bits, 4, "publish_ns"
    )
    steps = watched(STEP, 1 << sizes.steps_bits)
    block_count = count * (book_bytes(config) // BLOCK_BYTES)
    # fmt: off
    links = [
        *(Link(market_ring(role), market,   role,     BOOK)     for role in ingests),
        Link("tops",              tops,     BOOK,     STRATEGY),
        Link("requests",          requests, STRATEGY, GATEWAY),
        Link("events",            events,   GATEWAY,  STRATEGY),
        Link("steps.book",        steps,    BOOK,     None),
        Link("steps.strategy",    steps,    STRATEGY, None),
        Link("sent",              watched(SENT, SENT_ROWS),     GATEWAY, None),
        Link("worst",             watched(OUTLIER, WORST_ROWS), GATEWAY, None),
        *(Link(stall_ring(role),  watched(STALL, STALL_ROWS),   role,    None) for role in roles),
        *(Link(log_ring(role),    watched(LOG, LOG_ROWS),       role,    None) for role in roles),
    ]
    strategy_state = config.strategy.state
    latencies = {BOOK: BOOK_LATENCIES, STRATEGY: STRATEGY_LATENCIES, GATEWAY: GATEWAY_LATENCIES}
    tables = [
        Table("clock",            CLOCK,           1,           SUPERVISOR),
        Table("commands",         control.COMMAND, len(roles),  SUPERVISOR),
        Table("instruments",      INSTRUMENT,      count,       SUPERVISOR),
        Table("limits",           LIMITS,          count,       SUPERVISOR),
        Table("quoting",          QUOTING,         1,           SUPERVISOR),
        Table("touches",          TOUCH,           count,       BOOK),
        Table("books",            BLOCK,           block_count, BOOK),
        Table("merge.book",       MERGE,           count,       BOOK),
        Table("merge.strategy",   MERGE,           count,       STRATEGY),
        Table("newest_tops",      TOP,             count,       STRATEGY),
        Table("standing",         STANDING,        count,       STRATEGY),
        Table("wanted",           WANTED,          count,       STRATEGY),
        Table("view",             contract.VIEW, count,       STRATEGY),
        Table("strategy_state",   strategy_state,  count,       STRATEGY),
        Table("orders",           ORDER,           ORDER_ROWS,  GATEWAY),
        Table("positions",        POSITION,        count,       GATEWAY),
        Table("balances",         BALANCE,         2 * count,   GATEWAY),
        Table("order_rate",       ORDER_RATE,      1,           GATEWAY),
        Table("log_marks",        LOG_MARK,        len(roles),  LOG_WRITER),
        *(Table(f"status.{role}",   control.STATUS, 1, role) for role in roles),
        *(Table(f"counters.{role}", COUNTERS,       1, role) for role in roles),
        *(Table(f"told.{role}",     TOLD, EVENT_COUNT_MAX, role) for role in roles),
        *(Table(f"latency.{role}",  HISTOGRAM, len(names), role)
          for role, names in latencies.items() if names),
    ]
    # fmt: on
    return Wiring(
        config.instance,
        ingests,
        {link.name: link for link in links},
        {table.name: table for table in tables},
    )
