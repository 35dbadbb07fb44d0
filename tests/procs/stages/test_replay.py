"""The recorded inputs of a run, fed to the same steps in one process, give the same outputs.

A real run is recorded by its own rings, made large enough to keep everything.  Then the book's and
the strategy's steps are repeated here, one by one as the step records say, on rings in private
memory: every top and every request must come out byte for byte.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from engines import ROOT, Engine, Exchange, Watch, strategy_of, until

from procs.debug.steps.apart import RingPosition, Start
from procs.debug.steps.moments import Gatherer, Moment, places_after, rings_of
from procs.debug.steps.repeat import Repeater
from procs.observe.samples import report
from procs.observe.taps.tap import Copy
from procs.plan import wiring
from procs.plan.instance import launch_path
from procs.plan.launch import read_launch
from procs.plan.run_records import STEP

pytestmark = pytest.mark.timeout(1000)  # it may be the first to need the compiler

RINGS = {
    "market_bits": 18, "tops_bits": 16, "requests_bits": 14, "events_bits": 15, "steps_bits": 17,
}  # fmt: skip
ORDER_COUNT, FILL_COUNT, TOP_COUNT = 300, 10, 1000


class Recording(NamedTuple):
    """What a run leaves behind that its replay needs."""

    view: Watch
    rings: dict[str, list[Copy]]
    tables: dict[str, "np.ndarray[Any, Any]"]

    def repeater(self, role: str) -> tuple[Repeater, list[Moment]]:
        """Return a stage at the beginning of its life, and all steps that it took."""
        rings = rings_of(self.view.wiring, role)
        begun = np.frombuffer(self.rings[rings.steps][0].raw, STEP.dtype)[0]
        places = {
            **places_after(rings, begun),
            **dict.fromkeys(rings.outputs, RingPosition(0, 1)),
            rings.steps: RingPosition(1, 1),
        }  # fmt: skip
        start = Start(int(begun["now_ns"]), 1, places, self.tables)
        gatherer = Gatherer(rings, start)
        for name in rings.all:
            gatherer.add(name, self.rings[name][name == rings.steps :])
        moments = list(iter(gatherer.next, None))
        assert not gatherer.broken
        launch = read_launch(launch_path(self.view.run_folder, role))
        return Repeater(role, launch, start), moments


def watching(symbol: str, qty_lots: int) -> dict[str, Any]:
    """Return a strategy whose quotes depend on all that a strategy can see."""
    return {
        **{key: each for key, each in strategy_of(symbol, qty_lots).items() if key != "name"},
        "file": str(ROOT / "tests" / "strategies" / "watching.py"),
        "params": {"other": "main:ETHUSDT", "qty_lots": qty_lots, "wake_ms": 5},
        "leans_on": ["ETHUSDT"],
    }


def whole_ring(view: Watch, name: str) -> list[Copy]:
    """Return all records that a ring ever held; none may be missing."""
    found = view.last_records(name, 1 << 24)
    assert [seq for seq, _ in found] == list(range(len(found))), f"{name} does not begin with 0"
    assert len(found) < view.rings[name].spec.capacity_count, f"{name} was too small to keep all"
    return [Copy(seq, record) for seq, record in found]


@pytest.fixture(scope="module")
def recording(market: Exchange, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recording]:
    """Record a run of some hundred orders; its memory stays mapped after its end."""
    engine = Engine.on(
        tmp_path_factory.mktemp("replay"), market, rings=RINGS, books={"shown_levels": 12},
        strategies=[watching("BTCUSDT", 100), strategy_of("ETHUSDT", 1000)],
    )  # fmt: skip
    try:
        done = engine.start()
        assert done.returncode == 0, done.stderr
        view = engine.view()

        def is_enough() -> bool:
            facts = report.make(view)
            done = facts["orders"] >= ORDER_COUNT and facts["fills"] >= FILL_COUNT
            return done and len(view.last_records("tops", TOP_COUNT)) == TOP_COUNT

        until(is_enough, "there were orders, fills and tops enough")
        assert engine.stop().exit_code == 0
        names = ("market.ingest", "tops", "events", "requests", "steps.book", "steps.strategy")
        rings = {name: whole_ring(view, name) for name in names}
        known = ("instruments", "limits", "quoting")
        yield Recording(view, rings, {name: np.array(view.records(name)) for name in known})
    finally:
        engine.close()


def test_the_book_repeats_every_top(recording: Recording) -> None:
    """The market records alone, and the times of the steps, determine the tops byte for byte."""
    repeater, moments = recording.repeater(wiring.BOOK)
    published = [
        copy for moment in moments for copies in repeater.step(moment).values() for copy in copies
    ]
    assert len(published) >= TOP_COUNT
    assert published == recording.rings["tops"]
    touches, real = repeater.tables()["touches"], recording.view.records("touches")
    for name in ("bid_ticks", "bid_lots", "ask_ticks", "ask_lots", "update_id", "is_valid"):
        assert touches[name].tolist() == real[name].tolist()
    repeater.close()


def test_the_strategy_repeats_every_request(recording: Recording) -> None:
    """Tops, order events and the times of the steps determine the requests byte for byte."""
    repeater, moments = recording.repeater(wiring.STRATEGY)
    published = [
        copy for moment in moments for copies in repeater.step(moment).values() for copy in copies
    ]
    assert len(published) >= ORDER_COUNT
    assert published == recording.rings["requests"]
    states = repeater.tables()["strategy_state.0"][0]
    real = recording.view.records("strategy_state.0")[0]
    assert states.tobytes() == real.tobytes()
    for name in ("woken_count", "trade_count", "level_count", "led_count", "queue_count"):
        assert states[name] > 0, f"the run has nothing to show of {name}"
    repeater.close()


def test_a_timer_is_a_step_of_its_own(recording: Recording) -> None:
    """In a quiet market the strategy takes steps that read nothing."""
    _, moments = recording.repeater(wiring.STRATEGY)
    assert any(not any(moment.inputs.values()) for moment in moments[1:])
