"""The engine as ``vortexctl start`` runs it, against a venue of the benchmarks' own."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from procs.machine import throttle
from procs.machine.scheduling import PRIORITY
from procs.observe.samples import report
from procs.observe.samples.view import RunView, open_view
from procs.plan import instance, wiring
from procs.plan.config import Placement
from procs.plan.credentials import KEY_VARIABLE, SECRET_VARIABLE
from procs.plan.placement import plan
from tools.bench.frames import ROOT, SYMBOL
from tools.bench.wire_venue import Snapshots, Venue, server_context

ROLES = ["ingest", *wiring.AFTER_INGEST]
START_S = 900.0
STOP_S = 60.0
SETTLE_S = 0.03
CONFIG = """\
instance = "{instance}"
runs_folder = "{folder}"

[[sources]]
rest_url = "{rest_url}"
stream_url = "{stream_url}"
symbols = ["{symbol}"]

[[accounts]]
rest_url = "{rest_url}"
order_url = "{stream_url}/ws-api/v3"
orders_per_10s = 10000000

[tls]
{tls}

[placement]
together = {together}

[liveness]
lease_ms = 60000
start_timeout_s = 60

[connections]
ping_after_s = 3600
dead_after_s = 7200

[[strategies]]
symbol = "{symbol}"
name = "constant_spread"
limits = {{ order_qty = "0.01", order_notional = "1000", position_qty = "10" }}

[strategies.params]
half_spread_ticks = {half_spread_ticks}
qty_lots = {qty_lots}
skew_ticks = 0
inventory_lots_max = {inventory_lots_max}
"""


class Layout(NamedTuple):
    """One way to run the engine: `[placement] together`, and whether the wire is TLS."""

    together: list[list[str]]
    has_tls: bool = False


def house_cpu() -> int:
    """Return the CPU that the engine leaves to others."""
    return plan(Placement(), ["all"]).housekeeping_cpus[0]


def engine_cpu() -> int:
    """Return the CPU of the engine's last stage, when each has a process."""
    return plan(Placement(), ROLES).places[ROLES[-1]].cpu_index


@cache
def is_bounded() -> bool:
    """Return whether the kernel stops real-time threads, so that the engine has none."""
    return throttle.bounds(throttle.HERE)


def go_first() -> None:
    """Run before all of the fair scheduler, as the engine's hot threads do, where this user may."""
    if is_bounded():
        return
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))


@contextmanager
def pinned(cpu: int) -> Iterator[None]:
    """Keep this thread on one CPU."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def as_far_side(cpu: int) -> Iterator[None]:
    """Let this thread play the far side of a wire, on a CPU that the engine's house is on too.

    The far side is another machine's: where this user may, the house does not get before it.
    """
    with pinned(cpu):
        go_first()
        try:
            yield
        finally:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


class EngineRun:
    """One run of the engine; ``close`` ends it.  ``show`` is for subclasses."""

    def __init__(self, folder: Path, market: Snapshots, layout: Layout, **params: int) -> None:
        """``params`` are those of the strategy, one that quotes a constant spread."""
        key, secret = secrets.token_hex(32), secrets.token_hex(32)
        ca_path = folder / "authority.pem"
        tls = server_context(ca_path) if layout.has_tls else None
        self.venue = Venue(market, secret.encode(), tls)
        self.instance = f"bench-{os.getpid()}"
        self.environment = {**os.environ, KEY_VARIABLE: key, SECRET_VARIABLE: secret}
        self.config_path = folder / "bench.toml"
        text = CONFIG.format(
            instance=self.instance, folder=folder / "runs", rest_url=self.venue.rest_url,
            stream_url=self.venue.stream_url, symbol=SYMBOL, together=json.dumps(layout.together),
            tls=f'ca_file = "{ca_path}"' if tls else "", **params,
        )  # fmt: skip
        self.config_path.write_text(text, encoding="utf-8")
        self.pids: set[int] = set()
        self.placement: dict[str, Any] = {}

    def control(self, *arguments: str) -> "subprocess.Popen[str]":
        """Begin one vortexctl command."""
        return subprocess.Popen(
            [sys.executable, "-m", "procs.cli", *arguments], env=self.environment, cwd=ROOT,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
        )  # fmt: skip

    def show(self) -> None:
        """Show something of the market; called again and again while the engine starts."""
        raise NotImplementedError

    def start(self) -> float:
        """Start the engine, with a market from the moment that it listens; return the seconds."""
        started = time.monotonic()
        process = self.control("start", "-c", str(self.config_path))
        while process.poll() is None and not self.venue.is_taken_over.wait(0.05):
            assert time.monotonic() - started < START_S, "the engine does not start"
        while process.poll() is None:
            self.show()
        output, _ = process.communicate()
        assert process.returncode == 0, f"vortexctl start failed:\n{output}"
        took_s = time.monotonic() - started
        with self.view() as view:
            self.placement = view.placement()
        self.pids = {place["pid"] for place in self.placement.values()}
        return took_s

    @contextmanager
    def view(self) -> Iterator[RunView]:
        """Look at the run from outside."""
        view, _ = open_view(self.instance)
        try:
            yield view
        finally:
            view.close()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop the engine's processes for a while.

        The supervisor first: it continues stages that it finds stopped.
        """
        mark = instance.read_mark(self.instance)
        assert mark is not None, "the engine runs"
        pids = [mark.pid, *self.pids]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in reversed(pids):
                os.kill(pid, signal.SIGCONT)
            time.sleep(SETTLE_S)

    def report(self) -> dict[str, Any]:
        """Return what the engine says of the run so far."""
        with self.view() as view:
            return report.make(view)

    def close(self) -> None:
        """End the engine, answering what it asks on leaving, then the venue."""
        process = self.control("stop", "-n", self.instance)
        deadline = time.monotonic() + STOP_S
        while process.poll() is None and time.monotonic() < deadline:
            if self.venue.orders is not None:
                self.venue.serve_stop()
            time.sleep(0.01)
        if process.poll() is None:
            process.kill()
        process.communicate()  # closes its pipe
        self.venue.close()
