"""One sample of a run: everything that observers show, copied once, as plain data.

``take`` reads only shared memory and /proc: it asks no process anything and writes nothing, so a
stage does not notice.  All counts only grow; ``rates`` takes the difference of two samples.
``json_of`` encodes a sample for programs, which recognise it by ``schema``.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from ipc.control import StageOrder, State
from ipc.memory import words_at
from ipc.ring import EPOCH_BYTES
from ipc.types import Int64Array
from ipc.waiting import Wait
from procs.observe.samples import kernel, names, report
from procs.observe.samples.view import RunView
from procs.plan.wiring import SUPERVISOR_ROLE, kind_of
from vortex.codes import BookState, Kind, OrderState, Side
from vortex.orders.order_table import is_open

SCHEMA = 1


class Ring(msgspec.Struct, frozen=True):
    """One ring; ``lost_count`` and ``full_count`` are its writer's, 0 where it never loses."""

    writer: str
    reader: str | None
    capacity: int
    record_bytes: int
    published_seq: int
    consumed_seq: int | None  # None: it has no reader, only observers
    epoch: int
    lost_count: int
    full_count: int

    @property
    def waiting(self) -> int:
        """How many records its reader has not consumed."""
        return 0 if self.consumed_seq is None else max(self.published_seq - self.consumed_seq, 0)

    @property
    def fill(self) -> float:
        """How full it is, 0 to 1."""
        return min(self.waiting / self.capacity, 1.0)


class Histogram(msgspec.Struct, frozen=True, eq=False):
    """One latency histogram; its size does not depend on the length of the run."""

    count: int
    sum_ns: int
    max_ns: int
    bins: Int64Array  # (BIN_COUNT,), as ``ipc.histogram`` lays them out

    @property
    def used(self) -> dict[int, int]:
        """The count of each bin that is not empty."""
        return used_of(self.bins)


class StageSample(msgspec.Struct, frozen=True):
    """One stage: its own status, and the kernel's figures of its hot thread."""

    state: str  # of control.State, lower case
    pid: int
    thread_id: int
    cpu_index: int
    wait: str
    epoch: int  # its life: one more at each start
    started_ns: int
    heartbeat_age_ns: int
    loop_count: int
    work_count: int
    stall_count: int  # gaps and slow iterations that its loop meter published
    lost_ns: int  # time in these in which its CPU did something else
    counters: dict[str, int]
    latencies: dict[str, Histogram]
    thread: kernel.Thread | None


class Book(msgspec.Struct, frozen=True):
    """One instrument: its touch, our position, and the size of its tick and lot."""

    tick_e8: int
    lot_e8: int
    bid_ticks: int
    bid_lots: int
    ask_ticks: int
    ask_lots: int
    is_valid: bool
    state: str
    age_ns: int  # since the touch was written
    update_id: int
    gap_count: int
    update_count: int
    snapshot_wanted_count: int
    position_lots: int
    open_order_count: int
    fill_count: int


class OrderSample(msgspec.Struct, frozen=True):
    """One order that is open or may be open."""

    order_id: int
    symbol: str
    side: str
    state: str
    price_ticks: int
    qty_lots: int
    filled_lots: int
    quote_index: int
    request: str  # the unanswered one; empty for none
    age_ns: int


class Sample(msgspec.Struct, frozen=True):
    """A run at one moment."""

    schema: int
    instance: str
    run_id: str
    now_ns: int  # the run's clock
    wall_ns: int
    is_supervised: bool
    is_ready: bool
    is_pulled: bool  # the supervisor orders a gateway to pull
    is_flat: bool  # every gateway reports that none of our orders is open
    profit: str  # in the quote asset, marked at mid, after fees
    stages: dict[str, StageSample]
    rings: dict[str, Ring]
    books: dict[str, Book]
    orders: list[OrderSample]


def used_of(bins: Int64Array) -> dict[int, int]:
    """Return the count of each bin that is not empty."""
    assert isinstance(bins, np.ndarray), "of a sample, only bins are no plain data"
    (indices,) = np.nonzero(bins)
    return dict(zip(indices.tolist(), bins[indices].tolist(), strict=True))


#: Encodes a sample, or an object that holds one; of bins, only those that are not empty.
json_of = msgspec.json.Encoder(enc_hook=used_of).encode


def take(view: RunView, *, has_latencies: bool = True) -> Sample:
    """Return a sample of a run; with the histograms, which are large, only on request."""
    now_ns = view.now_ns()
    states = {role: view.state(role) for role in view.wiring.roles}
    stages = {
        role: stage_of(view, role, state, has_latencies=has_latencies)
        for role, state in states.items()
    }
    commands = view.records("commands")
    ordered = [commands[view.wiring.roles.index(role)] for role in view.wiring.gateway_roles]
    is_ready = all(state == State.READY for state in states.values()) and view.books_in_sync()
    return Sample(
        schema=SCHEMA,
        instance=view.config.instance,
        run_id=f"{int(view.tables['clock'].segment.header['run_id']):08x}",
        now_ns=now_ns,
        wall_ns=now_ns + int(view.records("clock")[0]["wall_offset_ns"]),
        is_supervised=is_supervised(view),
        is_ready=is_ready,
        is_pulled=any(each["pull"] or each["order"] == StageOrder.STOP for each in ordered),
        is_flat=view.is_flat(),
        profit=report.text(report.profit(view)),
        stages=stages,
        rings={name: ring_of(view, name, stages) for name in view.rings},
        books={s: book_of(view, i) for i, s in enumerate(view.config.symbols)},
        orders=open_orders(view),
    )


def is_supervised(view: RunView) -> bool:
    """Return whether the supervisor of the run lives: the kernel frees its lock when it dies."""
    return view.tables["clock"].segment.is_locked(SUPERVISOR_ROLE)


def stage_of(view: RunView, role: str, state: State, *, has_latencies: bool) -> StageSample:
    """Return a sample of one stage."""
    status = view.status(role)
    pid, thread_id = int(status["pid"]), int(status["thread_id"])
    values = view.counters(role)
    latencies = names.LATENCIES[kind_of(role)] if has_latencies else ()
    return StageSample(
        state=state.name.lower(),
        pid=pid,
        thread_id=thread_id,
        cpu_index=int(status["cpu_index"]),
        wait=Wait(int(status["wait_mode"])).name.lower(),
        epoch=int(status["epoch"]),
        started_ns=int(status["started_ns"]),
        heartbeat_age_ns=max(view.heartbeat_age_ns(role), 0),
        loop_count=int(status["loop_count"]),
        work_count=int(status["work_count"]),
        stall_count=int(status["stall_count"]),
        lost_ns=int(status["lost_ns"]),
        counters={name: int(values[index]) for index, name in names.counter_names(role).items()},
        latencies={name: histogram_of(view.histogram(role, name)[0]) for name in latencies},
        # Another process may have the pid of one that died.
        thread=kernel.look(pid, thread_id) if view.is_alive(role) else None,
    )


def histogram_of(record: Any) -> Histogram:
    """Return a copy of one HISTOGRAM record."""
    bins = record["bin_count"].copy()
    return Histogram(
        count=int(bins.sum()),
        sum_ns=int(record["sum_ns"]),
        max_ns=int(record["max_ns"]),
        bins=bins,
    )


def ring_of(view: RunView, name: str, stages: dict[str, StageSample]) -> Ring:
    """Return a sample of one ring."""
    link, shared = view.wiring.links[name], view.rings[name]
    counts = []
    for counter in (names.lost_counter(link), names.wait_counter(link)):
        counts.append(stages[counter[0]].counters[counter[1]] if counter else 0)
    # The reader's position first: every record that it consumed was published before.
    consumed_seq = shared.consumed_seq if link.reader is not None else None
    writer_address = int(shared.handle[0]["writer_address"])
    return Ring(
        writer=link.writer,
        reader=link.reader,
        capacity=shared.spec.capacity_count,
        record_bytes=shared.spec.slot_bytes,
        published_seq=shared.published_seq,
        consumed_seq=consumed_seq,
        epoch=int(words_at(writer_address + EPOCH_BYTES, 1)[0]),
        lost_count=counts[0],
        full_count=counts[1],
    )


def book_of(view: RunView, index: int) -> Book:
    """Return a sample of one instrument."""
    touch, position = view.cell("touches", index), view.position(index)
    instrument = view.records("instruments")[index]
    return Book(
        tick_e8=int(instrument["tick_e8"]),
        lot_e8=int(instrument["lot_e8"]),
        bid_ticks=int(touch["bid_ticks"]),
        bid_lots=int(touch["bid_lots"]),
        ask_ticks=int(touch["ask_ticks"]),
        ask_lots=int(touch["ask_lots"]),
        is_valid=bool(touch["is_valid"]),
        state=BookState(int(touch["state"])).name.lower(),
        age_ns=max(view.now_ns() - int(touch["publish_ns"]), 0) if touch["publish_ns"] else 0,
        update_id=int(touch["update_id"]),
        gap_count=int(touch["gap_count"]),
        update_count=int(touch["update_count"]),
        snapshot_wanted_count=int(touch["snapshot_wanted_count"]),
        position_lots=int(position["base_lots"]),
        open_order_count=int(position["open_order_count"]),
        fill_count=int(position["fill_count"]),
    )


def open_orders(view: RunView) -> list[OrderSample]:
    """Return the orders that are open or may be open, the best price of each side first."""
    found = []
    for name, index in open_rows(view):
        row = view.cell(name, index)
        if not is_open(int(row["state"])):
            continue  # it ended in between
        request = int(row["request_kind"])
        found.append(
            OrderSample(
                order_id=int(row["order_id"]),
                symbol=view.config.symbols[int(row["instrument_id"])],
                side=Side(int(row["side"])).name.lower(),
                state=OrderState(int(row["state"])).name.lower(),
                price_ticks=int(row["price_ticks"]),
                qty_lots=int(row["qty_lots"]),
                filled_lots=int(row["filled_lots"]),
                quote_index=int(row["quote_index"]),
                request=Kind(request).name.lower() if request else "",
                age_ns=max(view.now_ns() - int(row["created_ns"]), 0),
            )
        )
    return sorted(found, key=lambda order: (order.symbol, -order.price_ticks))


def open_rows(view: RunView) -> Iterator[tuple[str, int]]:
    """Yield the table and the row of each order, of any account, that is open or may be open."""
    for account in view.wiring.accounts:
        name = account.named("orders")
        for index, state in enumerate(view.records(name)["state"].tolist()):
            if is_open(state):
                yield name, index
