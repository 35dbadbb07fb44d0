"""The whole pipeline on one screen, from a sample and its rates."""

from decimal import Decimal

from procs.observe import table_text
from procs.observe.samples.rates import LatencyRate, Rates
from procs.observe.samples.sample import Sample, StageSample
from procs.observe.table_text import Column, Line, TextRow, Tone
from procs.plan import wiring

#: A loop iterates within about a millisecond; a longer time is shown in colour.
LATE_NS, SILENT_NS = 100_000_000, 1_000_000_000
FILL_WARN = 0.5
BAR_SIZE = 12
SHOWN_LATENCIES = (
    (wiring.GATEWAY, "tick_to_order_ns"),
    (wiring.GATEWAY, "recv_to_order_ns"),
    (wiring.STRATEGY, "tick_to_decision_ns"),
    (wiring.GATEWAY, "order_round_trip_ns"),
)


def screen(sample: Sample, rates: Rates, width: int) -> list[Line]:
    """Return the screen, no line wider than ``width``."""
    blank = Line("")
    read_rings = [name for name, ring in sample.rings.items() if ring.reader is not None]
    return [
        *heading(sample, rates, width),
        blank,
        *stage_table(sample, rates, width),
        blank,
        *ring_table(sample, rates, width, read_rings),
        blank,
        *book_table(sample, width),
        blank,
        *latency_table(rates, width),
    ]


def verdict(sample: Sample) -> tuple[str, Tone]:
    """Return the state of the run in one word."""
    if not any(stage.thread for stage in sample.stages.values()):
        return "DEAD", Tone.BAD
    if not sample.is_supervised:
        return "NO SUPERVISOR", Tone.BAD
    if sample.is_pulled:
        return "PULLED", Tone.BAD
    return ("ready", Tone.GOOD) if sample.is_ready else ("NOT READY", Tone.WARN)


def heading(sample: Sample, rates: Rates, width: int) -> list[Line]:
    """Return the run's identity, its state and its rates."""
    word, tone = verdict(sample)
    started = [stage.started_ns for stage in sample.stages.values() if stage.started_ns]
    up_s = (sample.now_ns - min(started)) / 1e9 if started else 0.0
    open_count = sum(book.open_order_count for book in sample.books.values())
    lost_count = sum(ring.lost_count for ring in sample.rings.values())
    names = [f"{sample.instance} {sample.run_id}", word, f"up {table_text.clock(up_s)}"]
    facts = [
        f"messages {table_text.count(rates.messages_per_s)}/s",
        f"orders {table_text.count(rates.orders_per_s)}/s",
        f"fills {table_text.count(rates.fills_per_s)}/s",
        f"open {open_count}",
        f"profit {Decimal(sample.profit):.4f}",
        f"lost {lost_count}",
    ]
    facts_tone = Tone.BAD if lost_count else Tone.PLAIN
    return [*table_text.wrapped(names, width, tone), *table_text.wrapped(facts, width, facts_tone)]


def stage_tone(stage: StageSample) -> Tone:
    """Return the tone of a stage's row."""
    if stage.thread is None or stage.state in ("absent", "failed", "stopped"):
        return Tone.BAD
    if stage.heartbeat_age_ns > SILENT_NS:
        return Tone.BAD
    is_well = stage.state == "ready" and stage.heartbeat_age_ns < LATE_NS
    return Tone.PLAIN if is_well else Tone.WARN


STAGE_COLUMNS = (
    Column("stage", is_text=True),
    Column("state", is_text=True),
    Column("beat"),
    Column("cpu", 2),
    Column("busy"),
    Column("work/s", 1),
    Column("lost", 2),
    Column("starved", 4),
    Column("invol/s", 3),
    Column("faults", 3),
    Column("memory", 6),
    Column("lives", 5),
    Column("pid", 4),
)


def stage_table(sample: Sample, rates: Rates, width: int) -> list[Line]:
    """Return one row a stage, in the order of a tick."""
    rows = []
    for role, stage in sample.stages.items():
        rate = rates.stages[role]
        faults = None if rate.minor_faults is None else rate.minor_faults + (rate.major_faults or 0)
        cells = [
            role,
            stage.state,
            table_text.age(stage.heartbeat_age_ns),
            str(stage.cpu_index),
            table_text.percent(rate.cpu_share),
            table_text.count(rate.work_per_s),
            table_text.share(rate.lost_share),
            table_text.percent(rate.runnable_share),
            table_text.count(rate.involuntary_switches_per_s),
            table_text.count(faults),
            table_text.byte_size(stage.thread.resident_bytes) if stage.thread else "-",
            str(stage.epoch),
            str(stage.pid),
        ]
        rows.append(TextRow(cells, stage_tone(stage)))
    return table_text.table(STAGE_COLUMNS, rows, width)


RING_COLUMNS = (
    Column("ring", is_text=True),
    Column("fill", 3, is_text=True),
    Column("waiting"),
    Column("of", 2),
    Column("records/s"),
    Column("full", 1),
    Column("lost"),
    Column("from", 4, is_text=True),
    Column("to", 4, is_text=True),
)


def ring_table(
    sample: Sample, rates: Rates, width: int, only: list[str] | None = None
) -> list[Line]:
    """Return one row a ring; ``only`` these when given."""
    rows = []
    for name, ring in sample.rings.items():
        if only is not None and name not in only:
            continue
        rate = rates.rings[name]
        tone = Tone.WARN if ring.fill >= FILL_WARN or rate.full_count else Tone.PLAIN
        has_reader = ring.reader is not None
        cells = [
            name,
            table_text.bar(ring.fill, BAR_SIZE) if has_reader else "",
            str(ring.waiting) if has_reader else "-",
            str(ring.capacity),
            table_text.count(rate.records_per_s),
            table_text.count(ring.full_count),
            table_text.count(ring.lost_count),
            ring.writer,
            ring.reader or "-",
        ]
        rows.append(TextRow(cells, Tone.BAD if ring.lost_count else tone))
    return table_text.table(RING_COLUMNS, rows, width)


BOOK_COLUMNS = (
    Column("book", is_text=True),
    Column("state", is_text=True),
    Column("bid"),
    Column("ask"),
    Column("age", 2),
    Column("gaps", 4),
    Column("position"),
    Column("open", 1),
    Column("fills", 3),
)


def book_table(sample: Sample, width: int) -> list[Line]:
    """Return one row an instrument."""
    rows = []
    for symbol, book in sample.books.items():
        state = "in sync" if book.is_valid else book.state
        cells = [
            symbol,
            state if book.is_valid or book.state != "live" else "doubted",
            table_text.units(book.bid_ticks, book.tick_e8) if book.bid_ticks else "-",
            table_text.units(book.ask_ticks, book.tick_e8) if book.ask_ticks else "-",
            table_text.age(book.age_ns),
            str(book.gap_count),
            table_text.units(book.position_lots, book.lot_e8),
            str(book.open_order_count),
            str(book.fill_count),
        ]
        rows.append(TextRow(cells, Tone.PLAIN if book.is_valid else Tone.BAD))
    return table_text.table(BOOK_COLUMNS, rows, width)


LATENCY_COLUMNS = (
    Column("microseconds", is_text=True),
    Column("count", 2),
    Column("p50"),
    Column("p90", 3),
    Column("p99"),
    Column("p99.9", 1),
    Column("max"),
)


def latency_row(name: str, latency: LatencyRate, role: str = "") -> TextRow:
    """Return one histogram's row; ``role`` is named where several stages measure it."""
    values = (latency.p50, latency.p90, latency.p99, latency.p99_9, latency.max_ns)
    label = name.removesuffix("_ns").replace("_", "-")
    return TextRow(
        [
            f"{label} {role}".rstrip(),
            table_text.count(latency.count),
            *map(table_text.micros, values),
        ]
    )


def latency_table(rates: Rates, width: int) -> list[Line]:
    """Return the latencies of the last interval; a percentile of too few values is a dash."""
    rows = [
        latency_row(name, rates.stages[role].latencies[name], role if role != kind else "")
        for kind, name in SHOWN_LATENCIES
        for role in rates.stages
        if wiring.kind_of(role) == kind
    ]
    note = Line(f"(of the last {rates.seconds:.1f} s)", Tone.FAINT)
    return [*table_text.table(LATENCY_COLUMNS, rows, width), *table_text.fit([note], width)]
