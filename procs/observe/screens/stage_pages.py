"""The pages of ``vortexctl attach`` for one stage."""

from collections.abc import Callable
from decimal import Decimal

from ipc.histogram import bin_top_ns
from procs.observe import table_text
from procs.observe.events import stage_faults
from procs.observe.samples import names
from procs.observe.samples.rates import Rates, latency
from procs.observe.samples.sample import Histogram, Sample
from procs.observe.screens import ladder, top
from procs.observe.table_text import Column, Line, TextRow, Tone
from procs.observe.taps import decode
from procs.observe.watch import Watch
from procs.plan import wiring

BLANK = Line("")
FAULTS_SHOWN = 6
RECORDS_SHOWN = 6
LADDER_DEPTH = 8
BAR_SIZE = 30
#: Edges of the bars of a histogram, in nanoseconds: 1, 2 and 5 of each decade.
EDGES_NS = [digit * 10**power for power in range(2, 11) for digit in (1, 2, 5)]

#: Stages that are the only one of their kind; of the others, a row of latencies names the stage.
ONLY_ONES = (wiring.STRATEGY, wiring.GATEWAY)

Page = Callable[[Sample, Rates, int], list[Line]]


class StagePages:
    """The pages of one stage; ``watch`` gives the current run."""

    def __init__(self, watch: Watch, role: str) -> None:
        self.watch = watch
        self.role = role

    def pages(self) -> dict[str, Page]:
        """Return every page by its name, in the order of their keys."""
        pages: dict[str, Page] = {
            "stage": self.stage,
            "records": self.records,
            "book": self.books,
            "orders": self.orders,
            "counters": self.counters,
            "latency": self.latencies,
        }
        return {name: self.of_this_run(page) for name, page in pages.items()}

    def of_this_run(self, page: Page) -> Page:
        """Return a page that tolerates a next run without this stage."""

        def guarded(sample: Sample, rates: Rates, width: int) -> list[Line]:
            if self.role in sample.stages:
                return page(sample, rates, width)
            there = ", ".join(sample.stages)
            line = Line(f"run {sample.run_id} has no {self.role}; there are {there}", Tone.BAD)
            return table_text.fit([line], width)

        return guarded

    def heading(self, sample: Sample, rates: Rates, width: int) -> list[Line]:
        """Return the state of the stage and its hot thread."""
        stage, rate = sample.stages[self.role], rates.stages[self.role]
        thread = stage.thread
        words = [
            f"{self.role} of {sample.instance} {sample.run_id}",
            stage.state if thread else f"{stage.state} (no process)",
            f"pid {stage.pid}",
            f"thread {stage.thread_id}",
            f"cpu {stage.cpu_index} {stage.wait}",
            f"life {stage.epoch}",
            f"heartbeat {table_text.age(stage.heartbeat_age_ns)} ago",
            f"loops {table_text.count(rate.loops_per_s)}/s",
            f"work {table_text.count(rate.work_per_s)}/s",
        ]
        if thread:
            words += [
                f"busy {table_text.percent(rate.cpu_share)}",
                f"starved {table_text.percent(rate.runnable_share)}",
                f"stalls {table_text.count(rate.stalls_per_s)}/s, "
                f"{table_text.share(rate.lost_share)} lost",
                f"switches {table_text.count(rate.voluntary_switches_per_s)}/s given, "
                f"{table_text.count(rate.involuntary_switches_per_s)}/s taken",
                f"faults {thread.minor_faults} minor, {thread.major_faults} major",
                f"memory {table_text.byte_size(thread.resident_bytes)}",
            ]
        return table_text.wrapped(words, width, top.stage_tone(stage))

    def own_rings(self) -> list[str]:
        """Return the rings that the stage reads or writes."""
        return names.ring_names(self.watch.view.wiring, self.role)

    def stage(self, sample: Sample, rates: Rates, width: int) -> list[Line]:
        """Return its state, its rings, its latencies and its faults."""
        return [
            *self.heading(sample, rates, width),
            BLANK,
            *top.ring_table(sample, rates, width, self.own_rings()),
            BLANK,
            *self.latency_rows(rates, width),
            BLANK,
            *self.fault_table(width),
        ]

    def latency_names(self) -> list[tuple[str, str]]:
        """Return the (role, name) of the histograms of this stage's hop, in any stage."""
        kind = wiring.kind_of(self.role)
        own = [(self.role, name) for name in names.LATENCIES[kind]]
        gateways = [self.role] if kind == wiring.GATEWAY else self.watch.view.wiring.gateway_roles
        hop = [(role, f"{kind}_{part}_ns") for part in ("wait", "service") for role in gateways]
        return hop + [each for each in own if each not in hop]

    def latency_rows(self, rates: Rates, width: int) -> list[Line]:
        """Return the latencies of the last interval."""
        rows = [
            top.latency_row(
                name, rates.stages[role].latencies[name], "" if role in ONLY_ONES else role
            )
            for role, name in self.latency_names()
        ]
        return table_text.table(top.LATENCY_COLUMNS, rows, width)

    def fault_table(self, width: int) -> list[Line]:
        """Return the last distinct warnings and errors."""
        found = stage_faults.last_faults(self.watch.view.run_folder, self.role, FAULTS_SHOWN)
        if not found:
            return [Line("no warnings, no errors", Tone.FAINT)]
        lines = [
            Line(f"{fault.last} {fault.level} x{fault.times}: {fault.message}", Tone.WARN)
            for fault in found
        ]
        return table_text.fit([Line("last distinct warnings and errors", Tone.HEAD), *lines], width)

    def records(self, sample: Sample, rates: Rates, width: int) -> list[Line]:
        """Return the newest records of each ring, and the last one field by field."""
        lines = self.heading(sample, rates, width)
        view = self.watch.view
        for name in self.own_rings():
            spec = view.rings[name].spec
            lines += [BLANK, Line(name, Tone.HEAD)]
            newest: list[Line] = []
            for seq, raw in view.last_records(name, RECORDS_SHOWN):
                layout = decode.layout_of(spec, raw)
                if layout is None:
                    lines.append(Line(f"{seq} of an unknown kind: {raw[:16].hex()}", Tone.BAD))
                    continue
                fields = decode.with_symbol(decode.fields_of(layout, raw), view.config.symbols)
                lines.append(Line(decode.one_line(seq, layout, fields)))
                newest = decode.explained(layout, fields, width)
            lines += [BLANK, *newest] if newest else [Line("nothing yet", Tone.FAINT)]
        return table_text.fit(lines, width)

    def books(self, sample: Sample, rates: Rates, width: int) -> list[Line]:
        """Return the ladder of every instrument, our quotes beside it."""
        lines = self.heading(sample, rates, width)
        for index, symbol in enumerate(sample.books):
            copied = ladder.read(self.watch.view, index, LADDER_DEPTH)
            lines += [BLANK, *ladder.lines(copied, sample, symbol, width)]
        return lines

    def orders(self, sample: Sample, rates: Rates, width: int) -> list[Line]:
        """Return the order table: orders that are open or may be open."""
        columns = (
            Column("order"), Column("symbol", is_text=True), Column("side", is_text=True),
            Column("price"), Column("size"), Column("filled", 2), Column("state", is_text=True),
            Column("asked", 1, is_text=True), Column("age", 1), Column("quote", 3),
        )  # fmt: skip
        rows = []
        for order in sample.orders:
            book = sample.books[order.symbol]
            cells = [
                # The upper bits hold the gateway's life.
                f"{order.order_id:x}",
                order.symbol,
                order.side,
                table_text.units(order.price_ticks, book.tick_e8),
                table_text.units(order.qty_lots, book.lot_e8),
                table_text.units(order.filled_lots, book.lot_e8),
                order.state,
                order.request,
                table_text.age(order.age_ns),
                str(order.quote_index),
            ]
            rows.append(TextRow(cells, Tone.WARN if order.state == "unknown" else Tone.PLAIN))
        lines = [*self.heading(sample, rates, width), BLANK]
        if not rows:
            lines.append(Line("no order is open", Tone.FAINT))
        else:
            lines += table_text.table(columns, rows, width)
        profit = f"profit {Decimal(sample.profit):.4f} (marked at mid, after fees)"
        return [
            *lines,
            BLANK,
            *table_text.fit([Line(profit)], width),
            *top.book_table(sample, width),
        ]

    def counters(self, sample: Sample, rates: Rates, width: int) -> list[Line]:
        """Return every counter that is not zero, with its rate."""
        stage, rate = sample.stages[self.role], rates.stages[self.role]
        columns = (Column("counter", is_text=True), Column("count"), Column("per second"))
        rows = [
            TextRow([name, str(value), table_text.count(rate.counters_per_s[name])])
            for name, value in stage.counters.items()
            if value
        ]
        still = [name for name, value in stage.counters.items() if not value]
        return [
            *self.heading(sample, rates, width),
            BLANK,
            *table_text.table(columns, rows, width),
            BLANK,
            *table_text.wrapped(["never counted:", *still], width, Tone.FAINT),
        ]

    def latencies(self, sample: Sample, rates: Rates, width: int) -> list[Line]:
        """Return the histograms of the stage's hop since the start, as bars."""
        lines = self.heading(sample, rates, width)
        for role, name in self.latency_names():
            histogram = sample.stages[role].latencies[name]
            whole = latency(histogram)
            title = (
                f"{name.removesuffix('_ns').replace('_', '-')}: {table_text.count(whole.count)}, "
                f"p50 {table_text.micros(whole.p50)} p99 {table_text.micros(whole.p99)} "
                f"max {table_text.micros(whole.max_ns)} us"
            )
            lines += [BLANK, Line(title, Tone.HEAD), *bars(histogram)]
        return table_text.fit(lines, width)


def bars(histogram: Histogram) -> list[Line]:
    """Return a histogram as one bar for each of 1, 2, 5 of a decade that is not empty."""
    counts = [0] * (len(EDGES_NS) + 1)
    for index, count in histogram.used.items():
        top_ns = bin_top_ns(index)
        place = next((i for i, edge in enumerate(EDGES_NS) if top_ns <= edge), len(EDGES_NS))
        counts[place] += count
    used = [place for place, count in enumerate(counts) if count]
    if not used:
        return []
    largest = max(counts)
    lines = []
    for place in range(used[0], used[-1] + 1):
        edge = f"≤ {EDGES_NS[place] / 1000:g}" if place < len(EDGES_NS) else "more"
        share = counts[place] / largest
        lines.append(Line(f"{edge:>10} us  {table_text.bar(share, BAR_SIZE)}  {counts[place]}"))
    return lines
