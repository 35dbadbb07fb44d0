"""The recorded inputs of a run, fed to the same steps in one process, give the same outputs.

A real run is recorded by its own rings, made large enough to keep everything.  Then the book's and
the strategy's steps are repeated here, one by one as the step records say, on rings in private
memory: every top and every request must come out byte for byte.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from builders import Block
from engines import Engine, Exchange, Watch, until
from numba import types

from ipc import ring
from ipc.compiled import compile_entry, compile_plug
from ipc.counters import COUNTERS
from ipc.histogram import HISTOGRAM
from ipc.memory import address_of
from ipc.segment import PAGE_BYTES
from procs import book, report, strategy
from procs.config import params_of
from procs.wiring import MERGE, ORDER_ROWS, STEP, book_bytes
from vortex import strategies
from vortex.records import ORDER, TOP, TOUCH

pytestmark = pytest.mark.timeout(1000)  # it may be the first to need the compiler

RINGS = {
    "market_bits": 18, "tops_bits": 16, "requests_bits": 14, "events_bits": 15, "steps_bits": 17,
}  # fmt: skip
ORDER_COUNT, FILL_COUNT = 300, 10


class Tape:
    """A ring in private memory, long enough that it never wraps."""

    def __init__(self, spec: Any, slots: bytes = b"") -> None:
        capacity_count = spec.capacity_count
        self.slot_bytes = spec.slot_bytes
        self.pages = np.zeros(2 * PAGE_BYTES // 8, np.int64)
        self.memory = Block(spec.slot_bytes * capacity_count)
        first = (self.memory.address - address_of(self.memory.array)) // 8
        self.slots = self.memory.array[first : first + spec.slot_bytes * capacity_count // 8]
        self.slots[: len(slots) // 8] = np.frombuffer(slots, np.int64)
        self.handle = np.zeros(1, ring.RING_DTYPE)
        self.handle["writer_address"] = address_of(self.pages)
        self.handle["reader_address"] = address_of(self.pages) + PAGE_BYTES
        self.handle["slots_address"] = self.memory.address
        self.handle["slot_bytes"] = spec.slot_bytes
        self.handle["capacity_count"] = capacity_count
        self.handle["message_count_max"] = spec.message_count_max
        self.handle["stamp_offset_bytes"] = spec.stamp_offset_bytes

    @property
    def address(self) -> int:
        """Where compiled code finds the handle."""
        return address_of(self.handle)

    def begin_reading(self, seq: int, epoch: int) -> None:
        """Stand where the reader of the run stood when its loop began."""
        self.handle["next_seq"] = self.handle["limit_seq"] = seq
        self.handle["epoch"] = epoch
        self.pages[PAGE_BYTES // 8] = seq

    def show(self, seq: int, epoch: int) -> None:
        """Publish up to ``seq``, in ``epoch``."""
        self.pages[ring.PUBLISHED_BYTES // 8] = seq
        self.pages[ring.EPOCH_BYTES // 8] = epoch

    def begin_writing(self) -> None:
        """Become the first writer; there is no reader to wait for."""
        assert ring.take_over_writer(self.address)

    def written(self) -> bytes:
        """Return everything published."""
        seq = int(self.handle[0]["next_seq"])
        return self.slots[: seq * self.slot_bytes // 8].tobytes()


class Recording(NamedTuple):
    """What a run leaves behind that its replay needs."""

    view: Watch
    rings: dict[str, bytes]
    instruments: "np.ndarray[Any, Any]"

    def tape(self, name: str) -> Tape:
        """Return a ring of the run as a tape, full."""
        return Tape(self.view.rings[name].spec, self.rings[name])

    def blank(self, name: str) -> Tape:
        """Return a tape like a ring of the run, empty."""
        tape = Tape(self.view.rings[name].spec)
        tape.begin_writing()
        return tape

    def steps(self, role: str) -> "np.ndarray[Any, Any]":
        """Return the steps of one stage."""
        return np.frombuffer(self.rings[f"steps.{role}"], STEP.dtype)


def whole_ring(view: Watch, name: str) -> bytes:
    """Return all records that a ring ever held; none may be missing."""
    found = view.last_records(name, 1 << 24)
    assert [seq for seq, _ in found] == list(range(len(found))), f"{name} does not begin with 0"
    assert len(found) < view.rings[name].spec.capacity_count, f"{name} was too small to keep all"
    return b"".join(record for _, record in found)


@pytest.fixture(scope="module")
def recording(market: Exchange, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Record a run of some hundred orders; its memory stays mapped after its end."""
    engine = Engine.on(tmp_path_factory.mktemp("replay"), market, rings=RINGS)
    try:
        done = engine.start()
        assert done.returncode == 0, done.stderr
        view = engine.view()

        def is_enough() -> bool:
            facts = report.make(view)
            return facts["orders"] >= ORDER_COUNT and facts["fills"] >= FILL_COUNT

        until(is_enough, "there were orders and fills enough")
        assert engine.stop().exit_code == 0
        names = ("market.ingest", "tops", "events", "requests", "steps.book", "steps.strategy")
        rings = {name: whole_ring(view, name) for name in names}
        yield Recording(view, rings, np.array(view.records("instruments")))
    finally:
        engine.close()


def test_the_book_repeats_every_top(recording: Recording) -> None:
    """The market records alone, and the times of the steps, determine the tops byte for byte."""
    config = recording.view.config
    count = len(config.symbols)
    market, tops = recording.tape("market.ingest"), recording.blank("tops")
    block = Block(book_bytes(config) * count)
    touched, counters = np.zeros(count, np.int64), np.zeros(1, COUNTERS.dtype)
    touches, merges = np.zeros(count, TOUCH.dtype), np.zeros(count, MERGE.dtype)
    context = np.zeros(1, book.CONTEXT_DTYPE)
    context["epoch"] = 1
    context["ring_count"] = 1
    context["rings_address"] = market.address
    context["tops_address"] = tops.address
    context["instruments_address"] = address_of(recording.instruments)
    context["instrument_count"] = count
    context["books_address"] = block.address
    context["book_bytes"] = book_bytes(config)
    context["counters_address"] = address_of(counters)
    for name, array in (("touches", touches), ("merges", merges), ("touched", touched)):
        context[f"{name}_address"] = address_of(array)
    address = address_of(context)
    first, *steps = recording.steps("book")
    book.begin_books(address, config.books.levels, config.books.pending_records, first["now_ns"])
    market.begin_reading(int(first["consumed_seq"][0]), int(first["input_epoch"][0]))
    for step in steps:
        market.show(int(step["consumed_seq"][0]), int(step["input_epoch"][0]))
        while book.take(address, 0) > 0:
            pass
        book.finish(address, int(step["now_ns"]))
        ring.commit(tops.address, int(step["publish_ns"]))
        assert tops.handle[0]["next_seq"] == step["published_seq"]
        assert market.handle[0]["next_seq"] == step["consumed_seq"][0]
    assert len(recording.rings["tops"]) > 1000 * TOP.dtype.itemsize
    assert tops.written() == recording.rings["tops"]
    published = recording.view.records("touches")
    for name in ("bid_ticks", "bid_lots", "ask_ticks", "ask_lots", "update_id", "is_valid"):
        assert touches[name].tolist() == published[name].tolist()


def finish_of(chosen: strategies.Strategy) -> Callable[..., int]:
    """Return the strategy's ``finish`` as the loop calls it, with ``decide`` plugged in."""
    params = types.Array(chosen.params_record_type, 1, "C")
    states = types.Array(chosen.state.record_type, 1, "C")
    plug = types.FunctionType(chosen.decide_signature)
    signature = types.int64(types.int64, params, states, types.int64, plug)
    compile_plug(chosen.decide, chosen.decide_signature)

    def finish(context_address, params, states, now, decide):  # type: ignore[no-untyped-def]
        return strategy.finish(context_address, params, states, now, decide)

    entry = compile_entry(finish, signature)
    return lambda *arguments: int(entry(*arguments, chosen.decide))


def begin_views(recording: Recording) -> "np.ndarray[Any, Any]":
    """Return what the strategy knew from the start, before the first fill."""
    views = np.zeros(len(recording.instruments), strategy.VIEW_DTYPE)
    for name in ("price_ticks_min", "price_ticks_max", "qty_lots_min", "notional_min"):
        views[name] = recording.instruments[name]
    views["position_lots_max"] = recording.view.records("limits")["position_lots_max"]
    return views


def test_the_strategy_repeats_every_request(recording: Recording) -> None:
    """Tops, order events and the times of the steps determine the requests byte for byte."""
    config = recording.view.config
    count = len(config.symbols)
    chosen = strategies.load(config.strategies[0].name)
    finish = finish_of(chosen)
    tops, events = recording.tape("tops"), recording.tape("events")
    requests = recording.blank("requests")
    views = begin_views(recording)
    quoting = np.array(recording.view.records("quoting"))
    touched, counters = np.zeros(count, np.int64), np.zeros(1, COUNTERS.dtype)
    merges, newest = np.zeros(count, MERGE.dtype), np.zeros(count, TOP.dtype)
    standing = np.zeros(count, strategy.STANDING_DTYPE)
    standing["is_halted"] = 1  # until the gateway says otherwise
    wanted = np.zeros(count, strategy.WANTED_DTYPE)
    orders, row_copy = np.zeros(ORDER_ROWS, ORDER.dtype), np.zeros(1, ORDER.dtype)
    latency = np.zeros(1, HISTOGRAM.dtype)
    states = np.zeros(count, chosen.state.dtype)
    params = np.concatenate(
        [chosen.params_record(params_of(config.choice(symbol))) for symbol in config.symbols]
    )
    context = np.zeros(1, strategy.CONTEXT_DTYPE)
    context["epoch"] = 1
    context["instrument_count"] = count
    context["tops_address"] = tops.address
    context["events_address"] = events.address
    context["requests_address"] = requests.address
    arrays = {
        "counters": counters, "merges": merges, "newest": newest, "standing": standing,
        "wanted": wanted, "view": views, "quoting": quoting, "orders": orders,
        "row_copy": row_copy, "touched": touched, "latency": latency,
    }  # fmt: skip
    for name, array in arrays.items():
        context[f"{name}_address"] = address_of(array)
    address = address_of(context)
    first, *steps = recording.steps("strategy")
    for index, tape in enumerate((tops, events)):
        tape.begin_reading(int(first["consumed_seq"][index]), int(first["input_epoch"][index]))
    for step in steps:
        now_ns = int(step["now_ns"])
        for index, tape in enumerate((tops, events)):
            tape.show(int(step["consumed_seq"][index]), int(step["input_epoch"][index]))
        while strategy.take_event(address, now_ns) > 0:
            pass
        while strategy.take_top(address) > 0:
            pass
        finish(address, params, states, now_ns)
        ring.commit(requests.address, int(step["publish_ns"]))
        assert requests.handle[0]["next_seq"] == step["published_seq"]
    assert len(recording.rings["requests"]) >= ORDER_COUNT * strategy.REQUEST_DTYPE.itemsize
    assert requests.written() == recording.rings["requests"]
