"""vortexctl jitter --engine: orders of a run made up by the test, in shared memory of its own."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from builders import record_of
from engines import Engine, new_instance, strategy_of, until
from hypothesis import given
from hypothesis import strategies as st

from ipc import ring
from ipc.histogram import BIN_COUNT, HISTOGRAM, bin_index, record_value
from ipc.memory import address_of, copy_bytes
from ipc.meter import STALL
from ipc.shared import SharedRing
from procs.observe.latency import excursions
from procs.observe.samples.view import RunView
from procs.observe.taps.sent import PARTS, STAMPS, SentOrders, parts_ns
from procs.plan import run_records, wiring
from procs.plan.config import Config
from procs.stages.base.outliers import Cause
from procs.supervision.run_segments import RunMemory
from vortex.codes import Kind
from vortex.records import SENT

SEED = 47
BAR_NS = 50_000
START_NS = 10**12


class Run:
    """The memory of a run without stages: the test plays the gateway and the stages' meters."""

    def __init__(self, folder: Path) -> None:
        tables = {
            "instance": new_instance(),
            "sources": [{"rest_url": "http://x", "stream_url": "ws://x", "symbols": ["BTCUSDT"]}],
            "accounts": [{"rest_url": "http://x", "order_url": "ws://x"}],
            "strategies": [strategy_of("BTCUSDT", 1)],
        }
        config = msgspec.convert(tables, Config)
        self.wiring = wiring.wire(config)
        self.memory = RunMemory.create(self.wiring, run_id=1)
        self.view = RunView(config, folder)
        self.sent = self.writer("sent")
        self.stalls = {role: self.writer(f"stalls.{role}") for role in self.wiring.roles}

    def writer(self, name: str) -> SharedRing:
        """Become the writer of a ring."""
        return SharedRing.attach_writer(self.wiring.segment(name), self.wiring.links[name].spec)

    def publish(self, shared: SharedRing, record: Any, publish_ns: int) -> None:
        """Publish one record."""
        slot_address = ring.claim(shared.address)
        assert slot_address != 0
        copy_bytes(slot_address, address_of(record), record.dtype.itemsize)
        ring.append(shared.address, 1)
        assert ring.commit(shared.address, publish_ns)

    def send(self, parts: list[int], at_ns: int = 0, **values: int) -> None:
        """Publish an order whose parts took so long, from ``at_ns`` after START_NS on."""
        record = sent_of(parts, at_ns, **values)
        self.publish(self.sent, record, int(record[0]["sent_ns"]))

    def stall(self, role: str, begin_ns: int, end_ns: int) -> None:
        """Publish a gap; times from START_NS on."""
        record = record_of(STALL, begin_ns=START_NS + begin_ns, end_ns=START_NS + end_ns,
                           lost_ns=end_ns - begin_ns)  # fmt: skip
        self.publish(self.stalls[role], record, START_NS + end_ns)

    def count(self, part: str, value_ns: int) -> None:
        """Count a value in one of the gateway's histograms."""
        index = wiring.GATEWAY_LATENCIES.index(part)
        base = self.memory.tables["latency.gateway"].address
        record_value(base + index * HISTOGRAM.dtype.itemsize, value_ns, 1)

    def close(self) -> None:
        """Remove it."""
        self.view.close()
        for shared in (self.sent, *self.stalls.values()):
            shared.close()
        self.memory.remove()


def sent_of(parts: list[int], at_ns: int = 0, **values: int) -> Any:
    """Return a SENT whose parts took so long, from ``at_ns`` after START_NS on."""
    stamps = START_NS + at_ns + np.cumsum([0, *parts])
    values = {"kind": Kind.PLACE, **values}
    return record_of(SENT, **dict(zip(STAMPS, map(int, stamps), strict=True)), **values)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Return the memory of a run."""
    made = Run(tmp_path)
    yield made
    made.close()


def usual() -> list[int]:
    """Return how long each part of an ordinary order takes."""
    return [10_000, 1_000, 2_000, 1_500, 2_500, 1_000, 3_000, 9_000]


def test_an_order_is_followed_from_the_kernel_to_the_wire(run: Run) -> None:
    """Its parts are those that were put in; what no frame caused is not followed."""
    orders = SentOrders(run.view)
    run.send(usual(), quote_index=3)
    run.publish(run.sent, record_of(SENT, kind=Kind.PLACE), START_NS)
    assert len(orders.take()) == 0, (
        "returned by the next look, when the stages have published their turns"
    )
    run.stall("book", 1_000, 9_000)
    (row,) = orders.take()
    assert parts_ns(row) == usual()
    assert row["lost_ns"].tolist() == [8_000, 0, 0, 0]
    assert len(orders.take()) == 0


def test_what_was_overwritten_is_counted(run: Run) -> None:
    """More than the ring holds between two looks; what is still there is followed."""
    orders = SentOrders(run.view)
    count = 2 * wiring.SENT_ROWS
    for _ in range(count):
        run.send(usual())
    orders.take()
    seen_count = len(orders.take())
    assert orders.lost_count + seen_count == count
    assert 0 < seen_count <= wiring.SENT_ROWS


@pytest.mark.timeout(1000)  # it may be the first to need the compiler
def test_a_running_engine_is_followed(new_engine: Callable[..., Engine]) -> None:
    """Its requests are seen, their rows are found, and they are those that it counted itself."""
    engine = new_engine()
    done = engine.start()
    assert done.returncode == 0, done.stderr

    def audit() -> Any:
        done = engine.run("jitter", "--engine", "-n", engine.name, "-s", "2", "-o", "json")
        assert done.exit_code == 0, done.output
        facts = msgspec.json.decode(done.output)
        return facts if facts["orders"] >= 20 else None

    found = until(audit, "it trades")
    assert found["missed"] == 0
    # What was under way at either end may differ.
    assert found["tick_to_order_ns"]["count"] == pytest.approx(found["orders"], abs=50)
    assert {values["count"] > 0 for values in found["parts_ns"].values()} == {True}
    assert set(found["platform"]["waited_ms"]) == {"ingest", "book", "strategy", "gateway"}
    assert sum(found["excursions_by_part"].values()) == found["excursions"]
    assert sum(found["excursions_by_cause"].values()) == found["excursions"]
    assert set(found["platform"]["stalls"]) == set(found["platform"]["waited_ms"])


def order_of(parts: list[int]) -> Any:
    """Return the OUTLIER of an order whose parts took so long, with nothing lost."""
    row = np.zeros(1, run_records.OUTLIER.dtype)
    sent = sent_of(parts)
    copy_bytes(address_of(row), address_of(sent), SENT.offset_bytes("reserved"))
    return row


def table_of(rows: list[list[int]]) -> Any:
    """Return the OUTLIER records of some orders."""
    return np.concatenate([order_of(row) for row in rows])


@pytest.mark.parametrize("index", range(len(PARTS)))
def test_an_excursion_is_laid_to_the_part_that_held_it_up(index: int) -> None:
    """Just over the bar it is one, at the bar it is not."""
    ordinary = [usual() for _ in range(99)]
    slow = usual()
    slow[index] += BAR_NS
    assert excursions.excursions_of(table_of([*ordinary, slow]), BAR_NS) == []
    slow[index] += 1
    (found,) = excursions.excursions_of(table_of([*ordinary, slow]), BAR_NS)
    assert found.part == PARTS[index]
    assert found.part_ns == slow[index]
    assert found.excess_ns == found.part_excess_ns == BAR_NS + 1
    assert found.total_ns == sum(slow)
    assert found.cause == (Cause.QUEUE if "wait" in PARTS[index] else Cause.WORK)


def test_the_platform_caused_what_was_mostly_lost() -> None:
    """Half of what it was over the bar is not most of it."""
    rows = table_of([*[usual() for _ in range(99)], [usual()[0] + BAR_NS + 500, *usual()[1:]]])
    for lost_ns, cause in ((251, Cause.PLATFORM), (250, Cause.QUEUE)):
        rows[99]["lost_ns"][0] = lost_ns
        (found,) = excursions.excursions_of(rows, BAR_NS)
        assert (found.cause, found.lost_ns) == (cause, lost_ns)


def test_excursions_are_those_of_a_slow_twin() -> None:
    """Found again order by order, with Python's own median."""
    generator = random.Random(SEED)
    print(f"seed {SEED}")
    table = [
        [generator.choice([1, 1, 1, 40]) * generator.randrange(1, 4_000) for _ in PARTS]
        for _ in range(401)
    ]
    found = excursions.excursions_of(table_of(table), BAR_NS)
    usual_ns = sorted(map(sum, table))[200]
    expected = sorted(sum(row) - usual_ns for row in table if sum(row) - usual_ns > BAR_NS)
    assert expected
    assert [each.excess_ns for each in found] == expected[::-1]
    medians = [sorted(column)[200] for column in zip(*table, strict=True)]
    for each in found:
        over = {row[i] - medians[i] for row in table for i in [PARTS.index(each.part)]}
        assert each.part_excess_ns in over


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=200), st.integers(1, 10**6))
def test_values_over_the_bar_are_counted_from_their_bins(values: list[int], bar_ns: int) -> None:
    """Between the counts for a bar one bin narrower and one bin wider, at both ends."""
    bins = np.zeros(BIN_COUNT, np.int64)
    for value in values:
        bins[bin_index(value)] += 1
    summary = excursions.summary_of(bins, bar_ns)
    median = sorted(values)[(len(values) - 1) // 2]
    assert summary["count"] == len(values)
    count = summary["over_bar_count"]
    assert count is not None
    surely = sum(value > (median + bar_ns) * 1.02 + 2 for value in values)
    perhaps = sum(value * 1.02 + 2 > median + bar_ns for value in values)
    assert surely <= count <= perhaps


def test_an_audit_reports_what_happened_meanwhile_and_nothing_else(run: Run) -> None:
    """Orders and counts before it do not count; the table is narrow; the JSON is whole."""
    run.count("tick_to_order_ns", 77)
    run.send(usual())
    turns = 0

    def trade(_: float) -> None:
        nonlocal turns
        turns += 1
        parts = usual()
        if turns == 5:
            parts[0] += 400_000
            run.stall("gateway", turns * 10**6 + 5_000, turns * 10**6 + 395_000)
        if turns == 6:
            parts[2] += 300_000
        run.send(parts, turns * 10**6)
        for part, value_ns in zip(PARTS, parts, strict=True):
            run.count(f"{part.replace(' ', '_')}_ns", value_ns)
        run.count("tick_to_order_ns", sum(parts))
        if turns == 30:
            raise KeyboardInterrupt  # as Ctrl-C would end it

    found = excursions.audit(run.view, 3600.0, BAR_NS, sleep=trade)
    assert found["orders"] == 30
    assert found["missed"] == 0
    assert found["tick_to_order_ns"]["count"] == 30
    assert found["tick_to_order_ns"]["over_bar_count"] == 2
    over = {part: values["over_bar_count"] for part, values in found["parts_ns"].items()}
    assert over == {part: int(part in ("ingest wait", "book wait")) for part in PARTS}
    assert found["excursions"] == 2
    assert found["excursions_by_part"] == {"ingest wait": 1, "book wait": 1}
    assert found["excursions_by_cause"] == {"queue": 1, "platform": 1}
    assert found["excursions_of_engine"] == 1
    worst = found["worst"][0]
    assert worst["excess_ns"] == 400_000
    assert (worst["symbol"], worst["cause"], worst["lost_ns"]) == ("BTCUSDT", "platform", 390_000)
    assert set(found["platform"]) == {"cpus", "waited_ms", "stalls"}
    assert msgspec.json.decode(msgspec.json.encode(found))["schema"] == excursions.SCHEMA
    rows = excursions.lines(found)
    assert max(map(len, rows)) <= 60
    assert any("ingest wait" in row for row in rows)


def test_of_one_ticks_orders_the_worst_is_named() -> None:
    """Several quotes follow one frame; the list of the worst names it once."""
    table = [usual() for _ in range(99)]
    table += [[usual()[0] + extra_ns, *usual()[1:]] for extra_ns in (60_000, 90_000, 80_000)]
    found = excursions.excursions_of(table_of(table), BAR_NS)
    assert len(found) == 3
    assert [each.excess_ns for each in excursions.worst_of(found)] == [90_000]
