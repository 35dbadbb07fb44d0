"""The numbers of a run for Prometheus, from one sample.

Names and units follow https://prometheus.io/docs/practices/naming/: base units, ``_total`` for
counters, labels with few values (never an order id).  Each scrape reads shared memory; no stage
counts anything extra for it.
"""

from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry

from ipc.control import State
from ipc.histogram import bin_top_ns
from procs.observe.samples import sample
from procs.observe.samples.sample import Book, Histogram, Ring, Sample, StageSample
from procs.observe.samples.view import RunView
from procs.plan.wiring import is_gateway
from vortex.codes import Reject

NS = 1e-9
E8 = 1e-8
#: Upper edges of the buckets, in nanoseconds: powers of two from about 1 us to about 1 s.
EDGES_NS = [1 << power for power in range(10, 31)]
#: The outcomes of order requests, and the gateway's counters of them.
SENT = {"place": "placed", "cancel": "canceled", "replace": "replaced"}


def exposition(view: RunView, accept: str = "") -> tuple[bytes, str]:
    """Return the body and the content type of ``/metrics``.

    ``accept`` is the request's Accept header: OpenMetrics on request, else the plain text format.
    """
    return of_sample(sample.take(view), accept)


def text(view: RunView) -> str:
    """Return the body of ``/metrics`` in the plain text format."""
    return exposition(view)[0].decode()


def of_sample(taken: Sample, accept: str = "") -> tuple[bytes, str]:
    """Return the body and the content type for one sample."""
    encode, content_type = choose_encoder(accept)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(taken))
    return encode(registry), content_type


class _Collected(Collector):
    """One sample, in the form that the library needs."""

    def __init__(self, taken: Sample) -> None:
        self.taken = taken

    def collect(self) -> Iterable[Metric]:
        """Return every family."""
        return families(self.taken)


def families(taken: Sample) -> Iterator[Metric]:
    """Yield every metric family of one sample."""
    yield from of_run(taken)
    yield from of_stages(taken.stages)
    yield from of_rings(taken.rings)
    yield from of_books(taken.books)
    yield from of_orders(taken)
    yield latencies(taken.stages)


def gauge(name: str, doc: str, labels: tuple[str, ...] = ()) -> GaugeMetricFamily:
    """Return an empty family of values that go up and down."""
    return GaugeMetricFamily(f"vortex_{name}", doc, labels=labels)


def counter(name: str, doc: str, labels: tuple[str, ...] = ()) -> CounterMetricFamily:
    """Return an empty family of values that only grow; the library adds ``_total``."""
    return CounterMetricFamily(f"vortex_{name}", doc, labels=labels)


def of_run(taken: Sample) -> Iterator[Metric]:
    """Yield the families with one value for the run."""
    build = gauge("build_info", "The program and its run; always 1.",
                  ("version", "instance_name", "run_id"))  # fmt: skip
    build.add_metric([program_version(), taken.instance, taken.run_id], 1)
    yield build
    facts = {
        "ready": ("1 when every stage is ready and every book in sync.", taken.is_ready),
        "supervised": ("1 while the supervisor lives.", taken.is_supervised),
        "pulled": ("1 while the supervisor orders the gateway to pull.", taken.is_pulled),
        "flat": ("1 when the gateway reports that none of our orders is open.", taken.is_flat),
    }
    for name, (doc, value) in facts.items():
        family = gauge(name, doc)
        family.add_metric([], int(value))
        yield family
    profit = gauge("profit_quote", "Profit in the quote asset, marked at mid, after fees.")
    profit.add_metric([], float(taken.profit))
    yield profit


def program_version() -> str:
    """Return the installed version."""
    try:
        return version("vortex-mm")
    except PackageNotFoundError:
        return "unknown"


def of_stages(stages: dict[str, StageSample]) -> Iterator[Metric]:
    """Yield the families with one value for each stage."""
    label = ("stage",)
    state = gauge("stage_state", "1 for the state that the stage is in.", ("stage", "state"))
    age = gauge("heartbeat_age_seconds", "Time since the hot loop's last iteration.", label)
    lives = counter("stage_starts", "How often the stage was started in this run.", label)
    loops = counter("stage_loops", "Iterations of the hot loop.", label)
    work = counter("stage_work", "Items of work that the hot loop did.", label)
    stalls = counter("stage_stalls", "Gaps and slow iterations that the loop's meter found.", label)
    lost = counter("stage_lost_seconds", "Time of these stalls in which its CPU did other work.",
                   label)  # fmt: skip
    memory = gauge("stage_resident_memory_bytes", "Resident memory of the process.", label)
    cpu = counter("stage_cpu_seconds", "CPU time of the hot thread.", label)
    starved = counter("stage_runnable_seconds", "Time the hot thread waited for a CPU.", label)
    switches = counter("stage_context_switches", "Context switches of the hot thread.",
                       ("stage", "kind"))  # fmt: skip
    faults = counter("stage_page_faults", "Page faults of the hot thread.", ("stage", "kind"))
    events = counter("stage_events", "The stage's own counters, by name.", ("stage", "event"))
    for role, stage in stages.items():
        for each in State:
            name = each.name.lower()
            state.add_metric([role, name], int(stage.state == name))
        age.add_metric([role], stage.heartbeat_age_ns * NS)
        lives.add_metric([role], stage.epoch)
        loops.add_metric([role], stage.loop_count)
        work.add_metric([role], stage.work_count)
        stalls.add_metric([role], stage.stall_count)
        lost.add_metric([role], stage.lost_ns * NS)
        for name, value in stage.counters.items():
            events.add_metric([role, name], value)
        if stage.thread is None:
            continue  # no number is better than a wrong one
        thread = stage.thread
        memory.add_metric([role], thread.resident_bytes)
        cpu.add_metric([role], thread.cpu_ns * NS)
        starved.add_metric([role], thread.runnable_ns * NS)
        switches.add_metric([role, "voluntary"], thread.voluntary_switches)
        switches.add_metric([role, "involuntary"], thread.involuntary_switches)
        faults.add_metric([role, "minor"], thread.minor_faults)
        faults.add_metric([role, "major"], thread.major_faults)
    yield from (state, age, lives, loops, work, stalls, lost)
    yield from (memory, cpu, starved, switches, faults, events)


def of_rings(rings: dict[str, Ring]) -> Iterator[Metric]:
    """Yield the families with one value for each ring."""
    label = ("ring",)
    records = counter("ring_records", "Records published on the ring.", label)
    lost = counter("ring_lost_records", "Records that its writer dropped.", label)
    full = counter("ring_full", "Times that its writer found it full.", label)
    fill = gauge("ring_occupancy_ratio", "How full it is, 0 to 1.", label)
    capacity = gauge("ring_capacity_records", "How many records fit.", label)
    for name, ring in rings.items():
        records.add_metric([name], ring.published_seq)
        lost.add_metric([name], ring.lost_count)
        full.add_metric([name], ring.full_count)
        capacity.add_metric([name], ring.capacity)
        if ring.reader is not None:
            fill.add_metric([name], ring.fill)
    yield from (records, lost, full, fill, capacity)


def of_books(books: dict[str, Book]) -> Iterator[Metric]:
    """Yield the families with one value for each instrument."""
    label = ("symbol",)
    in_sync = gauge("book_in_sync", "1 while the book agrees with the venue.", label)
    age = gauge("book_age_seconds", "Since the touch was last written.", label)
    gaps = counter("book_gaps", "Sequence gaps in the market data.", label)
    updates = counter("book_updates", "Frames applied to the book.", label)
    price = gauge("book_price", "Best prices, in the quote asset.", ("symbol", "side"))
    position = gauge("position_base", "Our position, in the base asset.", label)
    standing = gauge("open_orders", "Orders that are open or may be open.", label)
    fills = counter("fills", "Our fills.", label)
    for symbol, book in books.items():
        in_sync.add_metric([symbol], int(book.is_valid))
        age.add_metric([symbol], book.age_ns * NS)
        gaps.add_metric([symbol], book.gap_count)
        updates.add_metric([symbol], book.update_count)
        price.add_metric([symbol, "bid"], book.bid_ticks * book.tick_e8 * E8)
        price.add_metric([symbol, "ask"], book.ask_ticks * book.tick_e8 * E8)
        position.add_metric([symbol], book.position_lots * book.lot_e8 * E8)
        standing.add_metric([symbol], book.open_order_count)
        fills.add_metric([symbol], book.fill_count)
    yield from (in_sync, age, gaps, updates, price, position, standing, fills)


def of_orders(taken: Sample) -> Iterator[Metric]:
    """Yield the requests that were sent, and those that were refused."""
    gateways = [stage.counters for role, stage in taken.stages.items() if is_gateway(role)]
    counts = {name: sum(each[name] for each in gateways) for name in gateways[0]}
    sent = counter("order_requests", "Requests sent to the venue.", ("kind",))
    for kind, name in SENT.items():
        sent.add_metric([kind], counts[name])
    rejects = counter("order_rejects", "Requests refused, by us or by the venue.", ("reason",))
    for reason in Reject:
        if reason != Reject.NONE:
            name = reason.name.lower()
            rejects.add_metric([name], counts[f"reject_{name}"])
    yield from (sent, rejects)


def latencies(stages: dict[str, StageSample]) -> Metric:
    """Return every latency histogram, in seconds."""
    family = HistogramMetricFamily(
        "vortex_latency_seconds", "Latencies as the stages measure them.",
        labels=("stage", "span"),
    )  # fmt: skip
    for role, stage in stages.items():
        for name, histogram in stage.latencies.items():
            family.add_metric(
                [role, name.removesuffix("_ns")], buckets(histogram), histogram.sum_ns * NS
            )
    return family


def buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """Return (upper edge in seconds, count up to it) of a histogram, the last edge infinite.

    A bin counts in the first bucket that holds all of it.  The edges of buckets and bins are powers
    of two, so no bin is cut.
    """
    counts = [0] * (len(EDGES_NS) + 1)
    for index, count in histogram.used.items():
        top_ns = bin_top_ns(index)
        place = next((i for i, edge in enumerate(EDGES_NS) if top_ns < edge), len(EDGES_NS))
        counts[place] += count
    total = 0
    result = []
    for place, count in enumerate(counts):
        total += count
        edge = repr(EDGES_NS[place] / 1e9) if place < len(EDGES_NS) else "+Inf"
        result.append((edge, float(total)))
    return result
