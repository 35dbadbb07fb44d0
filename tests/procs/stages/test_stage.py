"""One stage alone, in a process of its own, between hand-made inputs and its output ring."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from builders import Message, diff, record_of, snapshot, ticker
from engines import DEADLINE_S, ROOT, new_instance, strategy_of, until

from ipc import control, ring
from ipc.clock import calibrate, now_ns
from ipc.control import StageOrder, State
from ipc.memory import address_of, copy_bytes, record_at
from ipc.segment import list_segments
from ipc.shared import SharedRing
from procs.logs import process_log
from procs.plan import instance
from procs.plan.config import Config
from procs.plan.credentials import Credentials
from procs.supervision.children.nursery import Child
from procs.supervision.compiling import warm
from procs.supervision.run_segments import RunMemory
from procs.supervision.supervisor import Supervisor
from vortex.codes import Kind
from vortex.records import DEPTH, MARKET_SLOT_BYTES, ORDER_EVENT, TOP

pytestmark = pytest.mark.timeout(1000)  # it may be the first to need the compiler

#: Runs a stage whose main thread, once the loop runs, holds the GIL in one call for a second.
HOLD_GIL = """
import ctypes, sys
from ipc.clock import now_ns
from procs.stages import book_stage as book
from procs.supervision.children import run_stage

library, build = ctypes.PyDLL(None), book.build  # PyDLL: calls do not release the GIL

def hold(stage):
    if stage.status_record["work_count"] > 0 and not hold.done:
        hold.done = True
        begun_ns = now_ns(stage.clock)
        library.usleep(1_000_000)
        print("held", begun_ns, now_ns(stage.clock), flush=True)
    return True

hold.done = False
book.build = lambda stage: build(stage)._replace(attend=lambda: hold(stage))
sys.exit(run_stage.main())
"""


class Bench:
    """The segments of a run without its stages; the test plays those that it does not start."""

    def __init__(self, folder: Path) -> None:
        settings = {
            "instance": new_instance(),
            "sources": [{"rest_url": "http://x", "stream_url": "ws://x", "symbols": ["BTCUSDT"]}],
            "accounts": [{"rest_url": "http://x", "order_url": "ws://x"}],
            "strategies": [strategy_of("BTCUSDT", 100)],
            "placement": {"wait": "park"},
        }
        self.config = msgspec.convert(settings, Config)
        self.supervisor = Supervisor(self.config, Credentials("key", b"secret"))
        self.folder = folder
        (folder / "logs").mkdir()
        self.supervisor.open_run(folder, instance.new_run_id())
        self.supervisor.write_launches()
        self.memory = RunMemory.create(self.supervisor.wiring, self.supervisor.run_id)
        self.supervisor.memory = self.memory
        self.tables = self.memory.tables
        self.children: list[Child] = []
        calibrate(self.tables["clock"].records)
        self.ends: list[SharedRing] = []

    def link(self, name: str) -> tuple[str, Any, int]:
        """Return a ring's segment, its specification and the run."""
        wired = self.supervisor.wiring
        return wired.segment(name), wired.links[name].spec, self.supervisor.run_id

    def writer(self, name: str) -> SharedRing:
        """Play the writer of a ring."""
        segment, spec, run_id = self.link(name)
        self.ends.append(SharedRing.attach_writer(segment, spec, run_id=run_id))
        return self.ends[-1]

    def reader(self, name: str) -> SharedRing:
        """Play the reader of a ring."""
        segment, spec, run_id = self.link(name)
        self.ends.append(SharedRing.attach_reader(segment, spec, run_id=run_id))
        return self.ends[-1]

    def now_ns(self) -> int:
        """Return the run's clock."""
        return now_ns(self.tables["clock"].address)

    def start(self, role: str) -> Child:
        """Start one stage and wait until its loop runs."""
        child = self.supervisor.spawn((role,))
        self.children.append(child)
        self.wait_running(role)
        return child

    def wait_running(self, role: str) -> None:
        """Wait until the loop of a stage has run again."""
        # The first beat is that of the stage's beginning.
        until(lambda: self.status(role)["loop_count"] > 1, f"the loop of {role} ran")

    def status(self, role: str) -> Any:
        """Return the STATUS of a stage."""
        return self.tables[f"status.{role}"].records[0]

    def order(self, role: str, order: StageOrder) -> None:
        """Tell one stage what to do."""
        self.memory.order([role], order)

    def send(self, end: SharedRing, message: Message) -> None:
        """Publish one market message."""
        count = 1 + int(record_at(message.address, DEPTH.dtype)["record_count"])
        if record_at(message.address, DEPTH.dtype)["kind"] == Kind.TICKER:
            count = 1
        copy_bytes(ring.claim(end.address), message.address, count * MARKET_SLOT_BYTES)
        ring.append(end.address, count)
        ring.commit(end.address, self.now_ns())

    def close(self) -> None:
        """End the stages and remove the segments."""
        for child in self.children:
            child.kill()
            child.wait()
            child.close()
        for end in self.ends:
            end.close()
        self.memory.remove()
        self.supervisor.close_run()
        assert list_segments(self.config.instance) == []


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Return segments of a run of this test's own."""
    made = Bench(tmp_path)
    try:
        if not warm.is_warm(made.config):
            made.supervisor.compile()
        yield made
    finally:
        made.close()


def take_top(end: SharedRing) -> "np.ndarray[Any, Any]":
    """Return the next record of the tops ring, as soon as there is one."""
    if until(lambda: ring.ready_count(end.address), "a top came") == ring.NEW_EPOCH:
        ring.enter_epoch(end.address)
        return take_top(end)
    top = np.zeros(1, TOP.dtype)
    copy_bytes(address_of(top), ring.slot(end.address, 0), TOP.dtype.itemsize)
    ring.consume(end.address, 1)
    return top[0]


def take_valid_top(end: SharedRing) -> "np.ndarray[Any, Any]":
    """Return the next top of a book in sync."""
    while not (top := take_top(end))["is_valid"]:
        pass
    return top


def test_the_book_turns_market_records_into_tops(bench: Bench) -> None:
    """A snapshot, a diff and a ticker in; the touch that they make out."""
    tops, market = bench.reader("tops"), bench.writer("market.ingest")
    bench.start("book")
    bench.send(market, snapshot(100, [(50, 1), (49, 2)], [(52, 3), (53, 4)]))
    bench.send(market, diff(101, 101, [(51, 5)], [(52, 0)]))
    top = take_valid_top(tops)
    assert (top["bid_ticks"], top["bid_lots"]) == (51, 5)
    assert (top["ask_ticks"], top["ask_lots"]) == (53, 4)
    assert (top["bid_depth_lots"], top["ask_depth_lots"]) == (8, 4)
    assert top["update_id"] == 101
    bench.send(market, ticker(102, (51, 9), (53, 1)))
    top = take_top(tops)
    assert (top["bid_lots"], top["ask_lots"], top["update_id"]) == (9, 1, 102)
    assert top["book_pick_ns"] <= top["publish_ns"]


@pytest.mark.parametrize("role", ["book", "strategy"])
def test_a_stage_leaves_on_command(bench: Bench, role: str) -> None:
    """Its exit status is 0 and its state STOPPED."""
    child = bench.start(role)
    bench.order(role, StageOrder.STOP)
    assert child.wait(DEADLINE_S) == 0
    assert control.get_state(bench.tables[f"status.{role}"].address) == State.STOPPED


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stage_leaves_on_a_signal(bench: Bench, number: signal.Signals) -> None:
    """As on an order to leave."""
    child = bench.start("book")
    child.send_signal(number)
    assert child.wait(DEADLINE_S) == 0
    assert control.get_state(bench.tables["status.book"].address) == State.STOPPED


def test_a_failed_assertion_of_compiled_code_fails_the_stage(bench: Bench) -> None:
    """The state is FAILED, the exit status is not 0, the log tells what was wrong."""
    child = bench.start("strategy")
    events = bench.writer("events")
    event = record_of(ORDER_EVENT, kind=Kind.ACKED, quote_index=99)
    copy_bytes(ring.claim(events.address), address_of(event), event.nbytes)
    ring.append(events.address, 1)
    ring.commit(events.address, bench.now_ns())
    assert child.wait(DEADLINE_S) == 1
    assert control.get_state(bench.tables["status.strategy"].address) == State.FAILED
    log = process_log.log_path(bench.folder, "strategy").read_text()
    assert "AssertionError: an event of no quote" in log


def test_a_stage_refuses_optimized_python(bench: Bench) -> None:
    """Nothing can start one around vortexctl's own check."""
    launch = instance.launch_path(bench.folder, "book")
    done = subprocess.run(
        [sys.executable, "-O", "-m", "procs.supervision.children.run_stage", "book", str(launch)],
        cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_S, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "run without -O" in done.stderr


@pytest.fixture
def gil_holder(bench: Bench) -> Iterator[Callable[[], "subprocess.Popen[str]"]]:
    """Return the function that starts a book whose main thread holds the GIL for a second."""
    children = []

    def start() -> "subprocess.Popen[str]":
        launch = instance.launch_path(bench.folder, "book")
        children.append(subprocess.Popen(
            [sys.executable, "-c", HOLD_GIL, "book", str(launch)],
            cwd=ROOT, env={**os.environ}, stdout=subprocess.PIPE, text=True,
        ))  # fmt: skip
        bench.wait_running("book")
        return children[-1]

    yield start
    for child in children:
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


def test_ticks_are_answered_while_python_holds_the_gil(
    bench: Bench, gil_holder: Callable[[], "subprocess.Popen[str]"]
) -> None:
    """For the whole second in which no Python runs in the book's process, its tops go on."""
    tops, market = bench.reader("tops"), bench.writer("market.ingest")
    child = gil_holder()
    bench.send(market, snapshot(100, [(50, 1)], [(52, 3)]))
    bench.send(market, diff(101, 101, [(51, 5)], []))
    take_valid_top(tops)
    sent_ns, taken = [], []
    assert child.stdout is not None
    os.set_blocking(child.stdout.fileno(), False)

    def tick() -> str:
        sent_ns.append(bench.now_ns())
        number = len(sent_ns)
        bench.send(market, ticker(101 + number, (51, number), (52, 3)))
        while ring.ready_count(tops.address) > 0:
            taken.append(take_top(tops))
        assert child.stdout is not None
        return child.stdout.readline()

    begun_ns, ended_ns = (int(word) for word in until(tick, "the GIL was free").split()[1:])
    span_ns = ended_ns - begun_ns
    published = np.array([int(top["publish_ns"]) for top in taken])
    answered = np.array([int(top["bid_lots"]) for top in taken])  # the tick's own number
    inside = (published > begun_ns) & (published < ended_ns)
    tenths = set((10 * (published[inside] - begun_ns) // span_ns).tolist())
    # Half a tenth is time enough to answer; in some tenths this process may not have run itself.
    twentieths = (20 * (np.array(sent_ns) - begun_ns) // span_ns).tolist()
    asked = {each // 2 for each in twentieths if each % 2 == 0 and 0 <= each < 20}
    assert len(asked) > 5, "this process hardly ran"
    assert asked <= tenths, "the tops paused"
    early = [number for number, ns in enumerate(sent_ns, 1) if ns < ended_ns - span_ns // 10]
    assert len(early) > 20
    assert answered[inside].max() >= early[-1], "a tick waited for the GIL"
