"""What observers show, against other ways to know it: no process runs here but this one."""

import ast
import contextlib
import itertools
import json
import os
import struct
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from engines import ROOT, strategy_of, until
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from still import SYMBOLS, Still

from ipc import ring
from ipc.control import State
from ipc.histogram import bin_index, record_value
from ipc.memory import address_of
from ipc.shared import SharedRing
from procs.observe import table_text
from procs.observe.events import stage_faults
from procs.observe.samples import kernel, rates, sample
from procs.observe.samples.sample import Sample
from procs.observe.screens import ladder, top
from procs.observe.screens.stage_pages import StagePages
from procs.observe.table_text import Column, TextRow
from procs.observe.taps import decode
from procs.observe.taps.tap import Tap
from procs.observe.taps.where import BadExpression, compile_where
from procs.plan import wiring
from procs.plan.config import Config
from vortex.books import book
from vortex.codes import BookState, Kind, OrderState, Side
from vortex.records import ON_RINGS, ORDER_EVENT, REQUEST, TICKER, TRADE

WIDTHS = (40, 60, 80, 120)


def publish(shared: SharedRing, layout: Any, count: int, **fields: int) -> None:
    """Publish records one by one; `cause_id` counts them."""
    for _ in range(count):
        address = ring.claim(shared.address)
        assert address, "the ring is full"
        record = np.zeros(1, layout.dtype)
        for name, value in fields.items():
            record[name] = value
        record["cause_id"] = int(shared.handle[0]["next_seq"])
        from ipc.memory import copy_bytes

        copy_bytes(address, address_of(record), layout.dtype.itemsize)
        ring.append(shared.address, 1)
        assert ring.commit(shared.address, 1)


# Samples and rates.


def test_a_sample_says_what_the_memory_holds(still: Still) -> None:
    """Each number was written by this test; a stage is alive by its lock alone."""
    status = still.records("status.book")[0]
    status["state"], status["pid"], status["thread_id"] = State.READY, os.getpid(), os.getpid()
    status["loop_count"], status["epoch"], status["heartbeat_ns"] = 77, 3, 1
    still.records("counters.book")[0]["value_count"][5] = 12  # GAPS
    touch = still.records("touches")[1]
    touch["version"], touch["bid_ticks"], touch["is_valid"] = 2, 300, 1
    touch["state"] = BookState.LIVE
    order = still.records("orders")[9]
    order["version"], order["order_id"], order["state"] = 2, 5, OrderState.RESTING
    order["side"], order["price_ticks"], order["instrument_id"] = Side.SELL, 301, 1
    taken = sample.take(still.view)
    assert taken.schema == 1
    assert taken.run_id == "abcdef01"
    assert taken.is_supervised, "this process holds the supervisor's lock"
    assert taken.stages["book"].state == "absent", "nobody holds the stage's lock"
    assert taken.stages["book"].thread is None
    assert taken.stages["book"].counters["gaps"] == 12
    assert (taken.stages["book"].loop_count, taken.stages["book"].epoch) == (77, 3)
    assert taken.books["ETHUSDT"].bid_ticks == 300
    assert taken.books["ETHUSDT"].is_valid
    assert not taken.books["BTCUSDT"].is_valid
    assert [(o.order_id, o.side, o.symbol) for o in taken.orders] == [(5, "sell", "ETHUSDT")]
    still.memory.tables["status.book"].segment.lock(0)
    taken = sample.take(still.view)
    assert taken.stages["book"].state == "ready"
    assert taken.stages["book"].thread is not None


def test_programs_get_all_of_a_sample(still: Still) -> None:
    """A histogram's bins are those in use, by number; the rest is as in the sample."""
    record_value(address_of(still.records("latency.strategy")[0:1]), 300, 1)
    taken = sample.take(still.view)
    decoded = json.loads(sample.json_of(taken))
    (latency,) = decoded["stages"]["strategy"]["latencies"].values()
    assert latency == {"count": 1, "sum_ns": 300, "max_ns": 300, "bins": {str(bin_index(300)): 1}}
    for role, stage in taken.stages.items():
        assert decoded["stages"][role]["counters"] == stage.counters
    without = msgspec.structs.replace(taken, stages={})
    assert msgspec.convert({**decoded, "stages": {}}, Sample) == without


def test_taking_a_sample_writes_nothing(still: Still) -> None:
    """The observer's maps are read-only, and no byte of any segment changes."""
    folder = Path("/dev/shm")
    names = [p for p in folder.iterdir() if f".{still.config.instance}." in p.name]
    assert len(names) > 20
    before = {path: path.read_bytes() for path in names}
    taken = sample.take(still.view)
    rates.between(taken, sample.take(still.view))
    ladder.read(still.view, 0, 5)
    assert {path: path.read_bytes() for path in names} == before


@given(st.lists(st.integers(0, 10**9), max_size=50), st.lists(st.integers(0, 10**9), max_size=3000))
def test_a_latency_in_between_is_that_of_the_new_values(old: list[int], new: list[int]) -> None:
    """The oracle sorts the values themselves; a bin is at most one per cent wide."""
    record = np.zeros(1, sample_dtype())
    for value in old:
        record_value(address_of(record), value, 1)
    before = sample.histogram_of(record[0])
    for value in new:
        record_value(address_of(record), value, 1)
    after = sample.histogram_of(record[0])
    latency = rates.latency(after, before)
    assert latency.count == len(new)
    values = sorted(new)
    for fraction, shown in ((0.5, latency.p50), (0.9, latency.p90), (0.99, latency.p99)):
        if len(new) * (1 - fraction) < 10 - 1e-9:
            assert shown is None, "the sample does not carry it"
        else:
            exact = values[max(1, int(np.ceil(len(new) * fraction - 1e-9))) - 1]
            assert shown is not None
            assert exact <= shown <= exact * 1.01 + 1
    assert (latency.max_ns is None) == (not new)


def sample_dtype() -> Any:
    from ipc.histogram import HISTOGRAM

    return HISTOGRAM.dtype


def test_rates_are_differences_over_the_runs_clock(still: Still) -> None:
    """A counter that was set back counts from zero."""
    before = sample.take(still.view)
    counts = still.records("counters.gateway")[0]["value_count"]
    counts[1] += 30  # PLACED
    still.records("status.gateway")[0]["loop_count"] += 500
    after = msgspec.structs.replace(sample.take(still.view), now_ns=before.now_ns + 2 * 10**9)
    rate = rates.between(before, after)
    assert rate.seconds == 2.0
    assert rate.orders_per_s == 15.0
    assert rate.stages["gateway"].loops_per_s == 250.0
    assert rate.stages["gateway"].cpu_share is None, "there is no thread"
    back = rates.between(after, msgspec.structs.replace(before, now_ns=after.now_ns + 10**9))
    assert back.orders_per_s == 0.0


def test_the_kernel_is_asked_about_the_thread_itself() -> None:
    """A thread that burns CPU has it on its account; one that is gone has none."""
    facts: list[Any] = []

    def burn() -> None:
        end = time.thread_time() + 0.05
        while time.thread_time() < end:
            pass
        facts.append((threading.get_native_id(), time.thread_time()))
        facts.append(kernel.look(os.getpid(), threading.get_native_id()))

    thread = threading.Thread(target=burn)
    thread.start()
    thread.join()
    (thread_id, cpu_s), looked = facts
    assert looked is not None
    assert looked.cpu_ns / 1e9 >= min(cpu_s, 0.05) * 0.9
    assert looked.resident_bytes > 1 << 20
    until(lambda: kernel.look(os.getpid(), thread_id) is None, "the kernel has buried it")


def test_a_thread_is_read_from_a_recorded_proc(tmp_path: Path) -> None:
    """A name with brackets and blanks, no schedstat: the fields of proc_pid_stat(5)."""
    task = tmp_path / "7" / "task" / "8"
    task.mkdir(parents=True)
    rest = ["R", *(str(number) for number in range(4, 53))]
    (task / "stat").write_text("8 (a ) b) " + " ".join(rest))
    (task / "status").write_text("voluntary_ctxt_switches:\t11\nnonvoluntary_ctxt_switches:\t12\n")
    (tmp_path / "7" / "statm").write_text("100 5 1 1 0 1 0")
    looked = kernel.look(7, 8, tmp_path)
    assert looked is not None
    assert looked.state == "R"
    assert (looked.minor_faults, looked.major_faults) == (10, 12)
    assert looked.cpu_ns == (14 + 15) * kernel.NS_PER_JIFFY
    assert looked.last_cpu_index == 39
    assert (looked.voluntary_switches, looked.involuntary_switches) == (11, 12)
    assert looked.resident_bytes == 5 * os.sysconf("SC_PAGE_SIZE")


# Text.


@given(st.lists(st.tuples(*[st.text("abc 1.", max_size=30)] * 4), max_size=5), st.integers(1, 100))
def test_no_table_is_wider_than_it_may_be(cells: list[tuple[str, ...]], width: int) -> None:
    """What matters least goes first, the first column last."""
    columns = (Column("name", is_text=True), Column("one"), Column("two", 2), Column("three", 1))
    lines = table_text.table(columns, [TextRow(row) for row in cells], width)
    assert all(len(line.text) <= width for line in lines)
    head = lines[0].text
    assert "three" not in head or "one" in head
    assert "two" not in head or "three" in head


@pytest.mark.parametrize("width", WIDTHS)
def test_every_screen_fits(still: Still, width: int) -> None:
    """Of a run in which all is missing, which is the worst there is."""
    taken = sample.take(still.view)
    lines = top.screen(taken, rates.between(taken, taken), width)
    assert all(len(line.text) <= width for line in lines)
    shown = "\n".join(line.text for line in lines)
    read_rings = [name for name, each in taken.rings.items() if each.reader is not None]
    for name in (*taken.stages, *read_rings, *SYMBOLS, "DEAD"):
        assert name in shown


class Watched:
    """What the pages of a stage ask of a watch."""

    def __init__(self, still: Still) -> None:
        self.view = still.view


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("role", ["ingest", "book", "strategy", "gateway"])
def test_every_page_of_every_stage_fits(still: Still, role: str, width: int) -> None:
    """Whether there is something to show or not; and in a run without such a stage."""
    watched: Any = Watched(still)
    for is_filled in (False, True):
        if is_filled:
            fill(still, role)
        taken = sample.take(still.view)
        rate = rates.between(taken, taken)
        for name, page in StagePages(watched, role).pages().items():
            lines = page(taken, rate, width)
            assert lines, name
            assert all(len(line.text) <= width for line in lines), name
        (line,) = StagePages(watched, "gone").pages()["stage"](taken, rate, width)
        assert "has no gone" in line.text


def fill(still: Still, role: str) -> None:
    """Put records on the rings, an order into the table and values into the histograms."""
    for ring_name, layout, kind in (
        ("market.ingest", TRADE, Kind.TRADE), ("tops", TRADE, Kind.TRADE),
        ("requests", REQUEST, Kind.PLACE), ("events", ORDER_EVENT, Kind.FILLED),
    ):  # fmt: skip
        writer = still.writer(ring_name)
        publish(writer, layout, 3, kind=kind)
        writer.close()
    order = still.records("orders")[3]
    order["version"], order["state"], order["side"] = 2, OrderState.UNKNOWN, Side.SELL
    histograms = still.records(f"latency.{'strategy' if role == 'strategy' else 'gateway'}")
    for index in range(len(histograms)):
        record_value(address_of(histograms[index : index + 1]), 10 ** min(index, 10), 5)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (0.25, "0.2"), (9.5, "9.5"), (42.4, "42"), (999.4, "999"), (999.9, "1.00k"),
     (12_345, "12.3k"), (123_456, "123k"), (4_560_000, "4.56M"), (None, "-"), (7e9, "7.00G")],
)  # fmt: skip
def test_counts_are_short(value: float | None, shown: str) -> None:
    assert table_text.count(value) == shown


@given(st.integers(-(10**15), 10**15), st.sampled_from([1, 10, 1000, 10**6, 10**8, 5 * 10**7]))
def test_ticks_are_shown_exactly(number: int, unit_e8: int) -> None:
    """What is shown is the number, to the last digit."""
    shown = table_text.units(number, unit_e8)
    whole, _, rest = shown.lstrip("-").partition(".")
    value = int(whole) * 10**8 + int(rest.ljust(8, "0") or 0)
    assert (-value if shown.startswith("-") else value) == number * unit_e8


# Records.


@given(st.binary(max_size=256), st.sampled_from(["market.ingest", "tops", "requests", "events"]))
def test_any_bytes_are_decoded_or_refused(raw: bytes, ring_name: str) -> None:
    """No bytes in a slot make an observer fail."""
    spec = WIRED.links[ring_name].spec
    raw = raw.ljust(spec.slot_bytes, b"\0")[: spec.slot_bytes]
    layout = decode.layout_of(spec, raw)
    if layout is None:
        return
    assert layout in spec.layouts
    fields = decode.with_symbol(decode.fields_of(layout, raw), SYMBOLS)
    assert decode.one_line(1, layout, fields)
    msgspec.json.encode(decode.named(fields))
    assert decode.explained(layout, fields, 80)


WIRED = wiring.wire(
    msgspec.convert(
        {
            "instance": "x",
            "sources": [{"rest_url": "http://x", "stream_url": "ws://x", "symbols": SYMBOLS}],
            "accounts": [{"rest_url": "http://x", "order_url": "ws://x"}],
            "strategies": [strategy_of(symbol, 1) for symbol in SYMBOLS],
        },
        Config,
    )
)


def test_a_record_is_what_struct_reads() -> None:
    """The declaration's offsets, by Python's own reading of the bytes."""
    raw = struct.pack("<bbhiqqqqqqqqqq40x", 6, 1, 1, 4, 55, 66, 7, 8, 9, 10, 11, 12, 13, 14)
    layout = decode.layout_of(WIRED.links["market.ingest"].spec, raw)
    assert layout is TICKER
    fields = decode.fields_of(layout, raw)
    assert list(fields.values()) == [6, 1, 1, 4, 55, 66, 7, 8, 9, 10, 11, 12, 13, 14]
    assert decode.named(fields)["kind"] == "ticker"
    line = decode.one_line(3, layout, decode.with_symbol(fields, SYMBOLS))
    assert line.startswith("3 ticker ETHUSDT ")


def test_every_kind_that_a_ring_may_carry_has_a_declaration() -> None:
    """A kind that is added later must be added here too."""
    specs = [link.spec for link in WIRED.links.values()]
    carried = {layout.name for spec in specs for layout in spec.layouts}
    mixed = {layout.name for spec in specs if len(spec.layouts) > 1 for layout in spec.layouts}
    assert mixed <= {layout.name for layout in decode.LAYOUTS.values()} <= carried
    assert {layout.name for layout in ON_RINGS} <= carried


# Which records are meant.

NAMES = st.sampled_from(["price_ticks", "qty_lots", "cause_id"])
NUMBERS = st.integers(-5, 5).map(str)
ATOMS = st.one_of(NAMES, NUMBERS)
SUMS = st.builds("({} {} {})".format, ATOMS, st.sampled_from(["+", "-", "*", "//", "%"]), ATOMS)
COMPARES = st.builds(
    "({} {} {})".format, st.one_of(ATOMS, SUMS), st.sampled_from(["<", "<=", "==", "!=", ">="]),
    st.one_of(ATOMS, SUMS),
)  # fmt: skip
CONDITIONS = st.recursive(
    COMPARES,
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("(not {})".format, inner),
    ),
    max_leaves=6,
)
FIELDS = st.fixed_dictionaries(
    dict.fromkeys(["price_ticks", "qty_lots", "cause_id"], st.integers(-4, 4))
)


@given(CONDITIONS, FIELDS)
def test_a_condition_means_what_python_means_by_it(expression: str, fields: dict[str, int]) -> None:
    """The oracle is Python itself; a division by zero does not pass."""
    try:
        expected = bool(eval(expression, {"__builtins__": {}}, dict(fields)))
    except ZeroDivisionError:
        expected = False
    assert compile_where(expression, set(fields))(fields) is expected


@given(st.text(max_size=60))
def test_any_text_is_a_condition_or_is_refused(expression: str) -> None:
    """Nothing but BadExpression comes out, and nothing is called."""
    with contextlib.suppress(BadExpression):
        compile_where(expression, {"price_ticks"})({"price_ticks": 1})


@pytest.mark.parametrize(
    "expression",
    ["__import__('os')", "price_ticks.real", "[x for x in y]", "lambda: 1", "price_ticks ** 9",
     "nonsense > 1", "(price_ticks := 3)", "f'{price_ticks}'", "", "1 if 2 else 3", "(" * 500],
)  # fmt: skip
def test_what_is_more_than_a_comparison_is_refused(expression: str) -> None:
    with pytest.raises(BadExpression):
        compile_where(expression, {"price_ticks"})


def test_codes_are_compared_by_name() -> None:
    """A name belongs to the field that it is compared with."""
    names = {"kind", "side", "reason", "symbol", "price_ticks"}
    fields = {"kind": int(Kind.HALTED), "side": -1, "reason": 9, "symbol": "ETHUSDT"}
    assert compile_where("kind == HALTED and reason == HALTED", names)(fields)
    assert compile_where('side == "sell" and symbol == "ETHUSDT"', names)(fields)
    assert compile_where("kind in (FILLED, HALTED)", names)(fields)
    assert not compile_where("kind == FILLED", names)(fields)
    assert not compile_where("price_ticks > 0", names)(fields), "it has no such field"


# Taps.


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bursts=st.lists(st.integers(0, 150), min_size=1, max_size=8))
def test_a_tap_sees_or_counts_every_record(still: Still, bursts: list[int]) -> None:
    """Bursts longer than the ring overtake it: what it copied is whole and in order, the rest is
    counted, and both together are all that was published.
    """
    writer = still.writer("requests")  # a new life each time: an epoch's hole is nobody's loss
    reader = SharedRing.attach_reader(
        still.memory.wiring.segment("requests"), still.memory.wiring.links["requests"].spec
    )
    tap, other = (Tap(still.view.rings["requests"], from_oldest=False) for _ in range(2))
    rows = np.zeros(7, REQUEST.dtype)
    seen, filled = [], []
    try:
        for burst in bursts:
            for _ in range(burst):
                publish(writer, REQUEST, 1, kind=Kind.PLACE)
                ring.consume(reader.address, ring.ready_count(reader.address) and 1)
                if ring.ready_count(reader.address) == ring.NEW_EPOCH:
                    ring.enter_epoch(reader.address)
            seen += tap.copy()
            filled += other.fill(rows)["cause_id"].tolist()
        while copies := tap.copy():
            seen += copies
        while len(found := other.fill(rows)):
            filled += found["cause_id"].tolist()
    finally:
        writer.close()
        reader.close()
    assert len(seen) + tap.lost_count == len(filled) + other.lost_count == sum(bursts)
    assert all(a < b for a, b in itertools.pairwise(filled)), "fewer rows than records, in order"
    assert all(a.seq < b.seq for a, b in itertools.pairwise(seen))
    for copy in seen:
        fields = decode.fields_of(REQUEST, copy.raw)
        assert fields["cause_id"] == copy.seq, "a record of another place, or torn"


def test_a_hole_is_no_loss(still: Still) -> None:
    """What a dead writer had claimed was never published: nobody lost it."""
    first = still.writer("tops")
    publish(first, TRADE, 3, kind=Kind.TRADE)
    assert ring.claim(first.address)
    second = still.writer("tops")
    publish(second, TRADE, 2, kind=Kind.TRADE)
    tap = Tap(still.view.rings["tops"], from_oldest=True)
    assert len(tap.copy()) == 5
    assert tap.lost_count == 0
    first.close()
    second.close()


# The book.


def test_the_ladder_is_the_book(still: Still) -> None:
    """Levels set by the book's own function, read back by the observer; ours are beside them."""
    address = still.memory.tables["books"].address
    book.init_book(address, 64, 256, 0)
    for price, qty in ((100, 5), (98, 7), (99, 1)):
        book.set_level(address, Side.BUY, price, qty)
    for price, qty in ((103, 2), (101, 4)):
        book.set_level(address, Side.SELL, price, qty)
    copied = ladder.read(still.view, 0, 2)
    assert copied is not None
    assert [tuple(level) for level in copied.bids] == [(100, 5), (99, 1)]
    assert [tuple(level) for level in copied.asks] == [(101, 4), (103, 2)]
    assert not copied.is_crossed
    assert ladder.Ladder(copied.asks, copied.bids).is_crossed
    order = still.records("orders")[0]
    order["version"], order["state"], order["side"] = 2, OrderState.RESTING, Side.BUY
    order["price_ticks"], order["qty_lots"], order["order_id"] = 97, 3, 1
    lines = [line.text for line in ladder.lines(copied, sample.take(still.view), "BTCUSDT", 60)]
    assert lines[2].split() == ["1.03", "0.00002"]
    assert lines[-1].split() == ["0.00003", "0.97"], "our order, where nobody else is known to be"


@settings(max_examples=60)
@given(
    changes=st.lists(
        st.tuples(st.sampled_from([Side.BUY, Side.SELL]), st.integers(1, 40), st.integers(0, 9)),
        max_size=80,
    ),
    count=st.integers(1, 50),
)
def test_a_ladder_is_the_best_levels(changes: list[tuple[Side, int, int]], count: int) -> None:
    levels_max = 64
    block = np.zeros(book.book_bytes(levels_max, 4) + 8, np.uint8)
    book.init_book(address_of(block), levels_max, 4, 0)
    twin: dict[Side, dict[int, int]] = {Side.BUY: {}, Side.SELL: {}}
    for side, distance, qty_lots in changes:
        price_ticks = 1000 - side * distance  # bids below a thousand, asks above
        book.set_level(address_of(block), int(side), price_ticks, qty_lots)
        twin[side][price_ticks] = qty_lots
    view: Any = SimpleNamespace(tables={"books": SimpleNamespace(address=address_of(block))},
                                config=SimpleNamespace(books=SimpleNamespace(
                                    levels=levels_max, pending_records=4)))  # fmt: skip
    found = ladder.read(view, 0, count)
    assert found is not None
    for side, levels in zip((Side.BUY, Side.SELL), found, strict=True):
        held = {price: qty for price, qty in twin[side].items() if qty > 0}
        assert levels == [(p, held[p]) for p in sorted(held, key=lambda p: -p * side)[:count]]


@settings(max_examples=200)
@given(data=st.binary(min_size=256, max_size=256))
def test_a_book_in_disorder_is_not_shown(data: bytes) -> None:
    block = np.zeros(4096, np.uint8)
    block[:256] = np.frombuffer(data, np.uint8)
    block[:8] = np.frombuffer(struct.pack("<q", 16), np.uint8)  # the capacity never changes
    view: Any = SimpleNamespace(tables={"books": SimpleNamespace(address=address_of(block))},
                                config=SimpleNamespace(books=SimpleNamespace(
                                    levels=16, pending_records=1)))  # fmt: skip
    found = ladder.read(view, 0, 12)
    if found is not None:
        for side, levels in zip((Side.BUY, Side.SELL), found, strict=True):
            assert ladder.is_ordered(levels, side)


def test_a_book_that_moves_is_not_shown_torn(still: Still) -> None:
    """A head that says more than there is room for is not believed."""
    address = still.memory.tables["books"].address
    book.init_book(address, 64, 256, 0)
    still.memory.tables["books"].records[0]["bytes"]  # mapped
    from ipc.memory import store_word

    store_word(address + book.BID_COUNTS_BYTES, 1 << 40)
    assert ladder.read(still.view, 0, 5) is None


# Logs.


def test_faults_are_reported_once_each(tmp_path: Path) -> None:
    """Lines that differ in their numbers are the same fault; those of shared logs are found."""
    (tmp_path / "logs").mkdir()
    log = "\n".join([
        "2026-01-01 00:00:00.001 INFO    book: trading",
        "2026-01-01 00:00:01.001 WARNING book: sequence gaps: 3 more, 3 in all",
        "2026-01-01 00:00:02.001 ERROR   book: it broke",
        "2026-01-01 00:00:03.001 WARNING book: sequence gaps: 1 more, 4 in all",
        "Traceback (most recent call last):",
    ])  # fmt: skip
    (tmp_path / "logs" / "book+strategy.log").write_text(log)
    found = stage_faults.last_faults(tmp_path, "book", 10)
    assert [(fault.times, fault.level, fault.message) for fault in found] == [
        (1, "error", "it broke"),
        (2, "warning", "sequence gaps: 1 more, 4 in all"),
    ]
    assert stage_faults.last_faults(tmp_path, "gateway", 10) == []


def test_no_observer_is_in_the_machine_code() -> None:
    """A change to a screen must not make anybody compile the stages again."""
    from ipc.fingerprints import sources_of

    sources = sources_of("procs.stages.joint", "procs.supervision.compiling.warm")
    inside = [str(path.relative_to(ROOT)) for path in sources]
    assert "procs/stages/gateway/gateway_stage.py" in inside
    assert not [path for path in inside if "observe" in path or "commands" in path]


def test_live_screens_are_imported_only_when_shown() -> None:
    """`top --plain` and the metrics work where textual is not installed."""
    for path in (ROOT / "procs").rglob("*.py"):
        if path.name == "live.py":
            continue
        for node in ast.parse(path.read_text()).body:
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not any(
                n.startswith(("textual", "procs.observe.screens.live")) for n in names
            ), path
