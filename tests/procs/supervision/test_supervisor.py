"""A run survives the death of any part of it: restarted, continued, adopted; the books agree."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from engines import Engine, Exchange, Watch, until

from ipc.segment import list_segments
from procs.supervision.control.control_socket import (
    CommandAnswer,
    ListStages,
    StartStage,
    StopStage,
    ask,
    socket_path,
)

pytestmark = pytest.mark.timeout(1000)  # it may be the first to need the compiler

STAGES = ("ingest", "book", "strategy", "gateway")


class Run:
    """An engine that trades, and what its supervisor says."""

    def __init__(self, engine: Engine, exchange: Exchange) -> None:
        self.engine = engine
        self.exchange = exchange
        self.view: Watch = engine.view()

    def stages(self) -> Any:
        """Return what the supervisor knows of the stages."""
        return ask(self.engine.name, ListStages()).stages

    def is_trading(self) -> bool:
        """Return whether all is ready and orders are open."""
        return self.view.ready() and self.open_count() > 0

    def open_count(self) -> int:
        """Return how many orders are open or may be open."""
        return int(self.view.records("positions")["open_order_count"].sum())

    def events(self) -> list[dict[str, Any]]:
        """Return what happened so far."""
        text = (self.engine.run_folder / "events.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def deaths(self, count: int = 4_096) -> list[dict[str, Any]]:
        """Return what ``vortexctl deaths`` tells."""
        done = self.engine.run("deaths", "-n", self.engine.name, "-l", str(count), "-o", "json")
        assert done.exit_code == 0, done.output
        found: list[dict[str, Any]] = json.loads(done.output)["deaths"]
        return found

    def marks(self) -> Any:
        """Return how far the log writer came."""
        return self.view.records("log_marks").copy()

    def all_is_written(self) -> bool:
        """Return whether all events of the hot loops until now are in the file."""
        rings = [self.view.rings[f"log.{role}"] for role in STAGES]
        return [ring.published_seq for ring in rings] == self.marks()["next_seq"].tolist()

    def event_count(self, what: str, stage: str) -> int:
        """Return how often something happened to a stage."""
        return sum(e["what"] == what and e.get("stage") == stage for e in self.events())


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """Return an exchange whose books are open."""
    made = Exchange(tmp_path_factory.mktemp("exchange"), "--audit")
    yield made
    made.close()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, exchange: Exchange) -> Iterator[Run]:
    """Return a run that trades; the tests of this module leave it trading."""
    engine = Engine.on(tmp_path_factory.mktemp("engine"), exchange)
    with engine.as_own_environment(), closing(engine):
        done = engine.start()
        assert done.returncode == 0, done.stderr
        made = Run(engine, exchange)
        until(made.is_trading, "the engine trades")
        yield made


@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_stage_is_started_again_and_the_run_goes_on(run: Run, stage: str) -> None:
    """Quotes are pulled meanwhile; the others do not notice."""
    before = run.stages()
    died = run.event_count("died", stage)
    os.kill(before[stage].pid, signal.SIGKILL)
    until(lambda: run.event_count("died", stage) == died + 1, f"the death of {stage} was noticed")
    until(run.is_trading, "the run trades again")
    after = run.stages()
    assert after[stage].pid != before[stage].pid
    assert after[stage].last_status == -signal.SIGKILL
    assert all(after[each].pid == before[each].pid for each in STAGES if each != stage)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stopped_stage_is_continued(run: Run, stage: str) -> None:
    """It is the same process as before."""
    pid = run.stages()[stage].pid
    continued = run.event_count("continued", stage)
    os.kill(pid, signal.SIGSTOP)
    until(lambda: run.event_count("continued", stage) > continued, f"{stage} was continued")
    until(run.is_trading, "the run trades again")
    assert run.stages()[stage].pid == pid


def test_a_stage_can_be_stopped_and_started_by_hand(run: Run) -> None:
    """No order is open while it is stopped, and nothing starts it by itself."""
    assert ask(run.engine.name, StopStage("strategy")) == CommandAnswer()
    until(lambda: run.open_count() == 0, "no order is open")
    assert run.stages()["strategy"].phase == "stopped"
    assert not run.view.ready()
    assert ask(run.engine.name, StartStage("strategy")) == CommandAnswer()
    until(run.is_trading, "the run trades again")


def test_restart_gives_a_stage_a_new_process(run: Run) -> None:
    """And returns when the run is whole."""
    before = run.stages()["book"]
    done = run.engine.run("restart", "book", "-n", run.engine.name)
    assert done.exit_code == 0, done.output
    assert run.view.ready()
    after = run.stages()["book"]
    assert after.pid != before.pid
    assert after.restart_count == before.restart_count + 1


def test_a_log_writer_that_is_killed_is_followed_by_one_that_goes_on(run: Run) -> None:
    """Events logged meanwhile are written, none twice; no stage notices."""
    stages, pid = run.stages(), int(run.marks()[0]["pid"])
    os.kill(pid, signal.SIGKILL)
    until(lambda: run.event_count("died", "log_writer") == 1, "its death was noticed")
    assert run.engine.run("restart", "strategy", "-n", run.engine.name).exit_code == 0
    until(lambda: run.marks()[0]["pid"] != pid, "there is another")
    until(run.all_is_written, "it caught up")
    begun = f"pid {run.stages()['strategy'].pid}"
    log = run.engine.log("hot")
    assert sum("strategy: life" in line and begun in line for line in log.splitlines()) == 1
    assert run.marks()["lost_count"].tolist() == [0] * len(STAGES)
    own = [line for line in log.splitlines() if "more not logged" not in line]
    assert len(own) == run.marks()["written_count"].sum()
    assert all(run.stages()[each].pid == stages[each].pid for each in STAGES if each != "strategy")


def test_deaths_show_how_each_life_ended_and_its_last_events(run: Run) -> None:
    """The events are those of its own loop, from its first to its last."""
    gateway_died = run.event_count("died", "gateway")
    os.kill(run.stages()["gateway"].pid, signal.SIGKILL)
    until(lambda: run.event_count("died", "gateway") == gateway_died + 1, "its death was noticed")
    until(run.is_trading, "the run trades again")
    deaths = run.deaths()
    died = [event for event in run.events() if event["what"] == "died"]
    assert [(d["stage"], d["pid"]) for d in deaths] == [(e["stage"], e["pid"]) for e in died]
    for death in deaths:
        assert death["ended"] == "was killed by SIGKILL"
        assert death["then"].startswith("started again after ")
        assert death["lines"][0].endswith(f": pid {death['pid']}")
        if death["stage"] in STAGES:
            first, *others = death["events"]
            assert first.endswith(f"begins, pid {death['pid']}")
            assert not [line for line in others if "begins, pid" in line]
    shown = run.engine.run("deaths", "-n", run.engine.name, "-l", "2").output
    assert "gateway (pid " in shown
    assert " was killed by SIGKILL; started again after " in shown
    assert shown.splitlines()[-1].split()[0] == str(len(deaths))


def test_an_unknown_stage_is_named_with_those_that_exist(run: Run) -> None:
    """One line, and nothing happens."""
    done = run.engine.run("restart", "broker", "-n", run.engine.name)
    assert done.exit_code == 1
    assert "no stage 'broker'" in done.output
    assert "gateway" in done.output


def test_the_control_socket_is_its_owners_alone(run: Run) -> None:
    """By its mode; the peer's user is checked besides."""
    assert socket_path(run.engine.name).stat().st_mode & 0o777 == 0o600


def test_a_run_without_supervisor_pulls_and_is_adopted_by_the_next_start(run: Run) -> None:
    """The stages live on as they are; no order was lost sight of."""
    before = run.stages()
    os.kill(run.engine.mark.pid, signal.SIGKILL)
    until(lambda: run.open_count() == 0, "the gateway pulled everything")
    done = run.engine.start()
    assert done.returncode == 0, done.stderr
    until(run.is_trading, "the adopted run trades")
    assert {name: stage.pid for name, stage in run.stages().items()} == {
        name: stage.pid for name, stage in before.items()
    }
    assert run.engine.process("start", "-c", str(run.engine.config_path)).returncode == 1


def test_wait_and_events_report_on_the_run(run: Run) -> None:
    """`wait` returns at once for what is so, and with 99 for what does not come."""
    name = run.engine.name
    assert run.engine.run("wait", "--for", "ready", "-n", name).exit_code == 0
    late = run.engine.run("wait", "--for", "stopped", "--timeout", "0.1", "-n", name)
    assert late.exit_code == 99
    events = run.engine.run("events", "-n", name)
    assert events.exit_code == 0
    assert " adopted " in events.output
    lines = run.engine.run("events", "-n", name, "-o", "json").output.splitlines()
    assert [json.loads(line)["what"] for line in lines] == [e["what"] for e in run.events()]


def test_logs_are_one_stream_in_the_order_of_time(run: Run) -> None:
    """The lines of processes and the events of their hot loops; of one stage, or of a severity."""
    name = run.engine.name
    everything = run.engine.run("logs", "-n", name, "-l", "1000000", "-o", "json")
    lines = [json.loads(line) for line in everything.output.splitlines()]
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)
    assert {"supervisor", "gateway", "book", "ingest", "log_writer"} <= {x["log"] for x in lines}
    of_gateway = run.engine.run("logs", "gateway", "-n", name, "-l", "1000000").output
    assert "gateway: halt: " in of_gateway, "its hot loop logged"
    assert "gateway: order connection to " in of_gateway, "its main thread logged"
    assert "book: " not in of_gateway
    grave = run.engine.run("logs", "--level", "warning", "-n", name).output
    assert grave
    assert " INFO " not in grave


def test_the_books_agree_after_all_that(run: Run) -> None:
    """By the exchange's own books: no id twice, no open order, the position to the lot."""
    deaths = run.deaths()
    done = run.engine.stop()
    assert done.exit_code == 0, done.output
    until(run.engine.has_left_nothing, "nothing was left")
    assert list_segments(run.engine.name) == []
    assert not socket_path(run.engine.name).exists()
    # The archive has what the rings had; the clock's distance to wall time was measured since.
    for before, after in zip(deaths, run.deaths(), strict=True):
        for life in (before, after):
            life["events"] = [line.split(None, 2)[2] for line in life["events"]]
        assert after == before
    books = audit(run.exchange)
    ids = [each for order in books["orders"] for each in order["client_order_ids"]]
    assert len(set(ids)) == len(ids) > 20
    assert [order for order in books["orders"] if order["is_open"]] == []
    report = json.loads((run.engine.run_folder / "report.json").read_text())
    for symbol, text in report["position"].items():
        held = sum(
            (1 if fill["side"] == "BUY" else -1) * Decimal(fill["qty"])
            for fill in books["fills"]
            if fill["symbol"] == symbol
        )
        assert Decimal(text) == held, symbol


def audit(exchange: Exchange) -> dict[str, Any]:
    """Return the books of the only account."""
    import urllib.request

    with urllib.request.urlopen(f"{exchange.rest_url}/vortex/audit", timeout=30) as answer:
        books: dict[str, Any] = json.loads(answer.read())
    for what in ("orders", "fills"):
        books[what] = [row for row in books[what] if row["account"] == 1]
    return books


def test_a_crash_loop_is_given_up_and_can_be_started_by_hand(
    tmp_path: Path, exchange: Exchange
) -> None:
    """Given up, it leaves no open order; started by hand, it trades again."""
    engine = Engine.on(tmp_path, exchange, liveness={
        "lease_ms": 5000, "start_timeout_s": 90, "stop_timeout_s": 30, "deaths_per_minute": 2,
    })  # fmt: skip
    with engine.as_own_environment(), closing(engine):
        assert engine.start().returncode == 0
        run = Run(engine, exchange)
        until(run.is_trading, "the engine trades")
        os.kill(run.stages()["strategy"].pid, signal.SIGKILL)
        until(lambda: run.event_count("died", "strategy") == 1, "its first death was noticed")
        until(run.is_trading, "the run trades again")
        os.kill(run.stages()["strategy"].pid, signal.SIGKILL)
        until(lambda: run.event_count("given up", "strategy") == 1, "it was given up")
        assert run.stages()["strategy"].phase == "given up"
        until(lambda: run.open_count() == 0, "no order is open")
        assert ask(engine.name, StartStage("strategy")) == CommandAnswer()
        until(run.is_trading, "the run trades again")
