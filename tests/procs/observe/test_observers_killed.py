"""Observers that die in the middle of what they do: nothing of the engine changes."""

import contextlib
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dashboards import Dashboard
from engines import Engine, Exchange, Watch, command_line, is_alive, until
from running import Running, started
from terminals import Terminal

from ipc.memory import words_at
from ipc.ring import EPOCH_BYTES
from ipc.segment import list_segments
from procs.observe.samples.sample import take
from procs.plan import wiring
from procs.stages.gateway import context
from procs.stages.ingest import ingest_stage
from procs.stages.strategy_inputs import StrategyCounter

pytestmark = pytest.mark.timeout(1000)  # it may be the first to need the compiler

STAGES = ("ingest", "book", "strategy", "gateway")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """One engine that trades."""
    exchange = Exchange(tmp_path)
    with started(exchange, Engine.on(tmp_path, exchange)) as run:
        until(run.is_trading(), "orders went out")
        yield run


def observers(engine: Engine, folder: Path) -> list[tuple[str, ...]]:
    """Return every way to look at an engine."""
    name = engine.name
    return [
        ("top", "-n", name, "-i", "0.05"),
        ("attach", "book", "-n", name, "-i", "0.05"),
        ("attach", "gateway", "-n", name, "-i", "0.05"),
        ("attach", "--tap", "market.ingest", "-n", name),
        ("attach", "--tap", "tops", "-n", name, "--to", str(folder / "tops.jsonl")),
        ("top", "-n", name, "-o", "json", "-c", "0", "-i", "0.05"),
        ("attach", "ingest", "--profile", "1", "-n", name),
        ("dashboard", "-n", name),
        ("jitter", "--engine", "-n", name, "-s", "60"),
    ]


def is_quiet(pid: int) -> bool:
    """Return whether an observer shows nothing before its end, and has begun."""
    line = command_line(pid)
    return "--to" in line or "jitter" in line


def locks_of(view: Watch) -> dict[str, list[int]]:
    """Return which roles of each segment somebody holds."""
    segments = {name: shared.segment for name, shared in (view.tables | view.rings).items()}
    return {
        name: [role for role in range(wiring.SUPERVISOR_ROLE + 1) if segment.is_locked(role)]
        for name, segment in segments.items()
    }


def test_observers_that_are_killed_at_random_leave_no_trace(running: Running) -> None:
    """Fourteen die in the middle of what they do, and with them a dashboard whose browser does not
    read; no stage is restarted, no record lost, no segment changed hands, and orders go on.
    """
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    view, engine = running.view, running.engine
    until(view.ready, "everything is ready")

    def facts() -> dict[str, Any]:
        return {
            "pids": [engine.mark.pid, *view.pids()],
            "epochs": [int(view.status(role)["epoch"]) for role in STAGES],
            "ring epochs": [int(ring_epoch(view, name)) for name in view.rings],
            "segments": sorted(list_segments(engine.name)),
            "locks": locks_of(view),
            "waits for room": {name: ring.full_count for name, ring in take(view).rings.items()},
            "lost": running.ingested(ingest_stage.IngestCounter.DROPPED),
            "reloads": view.counter("strategy", StrategyCounter.RELOADS),
            "events lost": running.gated(context.GatewayCounter.EVENTS_LOST),
            "connections": running.gated(context.GatewayCounter.CONNECTIONS),
            "halts": running.gated(context.GatewayCounter.HALTS),
        }

    before = facts()
    kinds = observers(engine, engine.folder)
    terminals: list[Terminal] = []
    dashboard = Dashboard(engine.name, engine.folder)
    browser = dashboard.look("book", "pnl")
    browser.raw()  # the last that it reads
    dashboard_dies_at = chance.randrange(14)
    try:
        for number in range(14):
            if number == dashboard_dies_at:
                dashboard.kill()
            terminal = Terminal(engine, *kinds[number % len(kinds)], columns=80)
            terminals.append(terminal)
            # Some die while they still attach, others while they draw.
            if chance.random() < 0.7:
                until(lambda: terminals[-1].text().strip() or not is_alive(terminals[-1].pid) or
                      is_quiet(terminals[-1].pid), "it draws")  # fmt: skip
            time.sleep(chance.random() * 0.3)
            victim = chance.choice(terminals)
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim.pid, signal.SIGKILL)
            terminals.remove(victim)
            victim.close()
        until(running.is_trading(), "orders go on")
        assert facts() == before
    finally:
        for terminal in terminals:
            terminal.close()
        dashboard.close()
        browser.close()


def ring_epoch(view: Any, name: str) -> int:
    """Return the epoch word of a ring: who writes it raises it when something is given up."""
    return int(words_at(int(view.rings[name].handle[0]["writer_address"]) + EPOCH_BYTES, 1)[0])
