"""The benchmark ``wire_to_wire``: frame in, signed order out, beside a TCP echo.

The engine runs as ``vortexctl start`` runs it; only the address differs, and quotes follow each
tick.  The peer sends frames on schedule, answers and fills orders, and times from the *intended*
send of a frame to the arrival of the first order that answers it or a later one.  Engine and echo
take turns on the same cores; while the echo runs, the engine's stages are stopped by signal, for
which their lease (``liveness.lease_ms``) is raised.  A missing or wrong order fails the run.
"""

import os
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ipc.memory import address_of
from ipc.sockets import new_receiver
from ipc.types import Int64Array
from procs import report
from procs.cli import open_view
from procs.config import KEY_VARIABLE, SECRET_VARIABLE, Placement
from procs.placement import plan
from tools.bench import wire_loops as loops
from tools.bench.frames import ROOT, SYMBOL
from tools.bench.machine import machine_line
from tools.bench.wire_market import Market
from tools.bench.wire_peer import HALF_SPREAD_TICKS, QTY_LOTS, EchoClient, Peer, Segment
from tools.bench.wire_venue import Venue

RATES = (1_000, 100, 10_000)
#: Of the whole time, the part that a rate gets.
SHARES = {1_000: 0.45, 100: 0.4, 10_000: 0.15}
SEGMENT_PAIRS = 20
REPLY_BYTES = 540
ECHO_P50_NS_MAX = 12_000
QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
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

[orders]
rest_url = "{rest_url}"
order_url = "{stream_url}/ws-api/v3"
orders_per_10s = 10000000

[liveness]
lease_ms = 60000
start_timeout_s = 60

[[strategies]]
symbol = "{symbol}"
name = "constant_spread"
limits = {{ order_qty = "0.01", order_notional = "1000", position_qty = "10" }}

[strategies.params]
half_spread_ticks = {half_spread_ticks}
qty_lots = {qty_lots}
skew_ticks = 0
inventory_lots_max = 1000000
"""


def house_cpu() -> int:
    """Return the CPU that the engine leaves to others."""
    return plan(Placement(), ["all"]).housekeeping_cpus[0]


def engine_cpu() -> int:
    """Return the CPU that the engine's last stage runs on."""
    return plan(Placement(), ["one", "two", "three", "four"]).places["four"].cpu_index


@contextmanager
def pinned(cpu: int) -> Iterator[None]:
    """Keep this thread on one CPU."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Engine:
    """One run of the engine against a venue of ours; ``close`` ends it."""

    def __init__(self, folder: Path) -> None:
        key, secret = secrets.token_hex(32), secrets.token_hex(32)
        self.market = Market()
        self.venue = Venue(self.market, secret.encode())
        self.peer = Peer()
        self.instance = f"bench-{os.getpid()}"
        self.environment = {**os.environ, KEY_VARIABLE: key, SECRET_VARIABLE: secret}
        self.config_path = folder / "bench.toml"
        text = CONFIG.format(
            instance=self.instance, folder=folder / "runs", rest_url=self.venue.rest_url,
            stream_url=self.venue.stream_url, symbol=SYMBOL, half_spread_ticks=HALF_SPREAD_TICKS,
            qty_lots=QTY_LOTS,
        )  # fmt: skip
        self.config_path.write_text(text)
        self.pids: list[int] = []

    def control(self, *arguments: str) -> "subprocess.Popen[str]":
        """Begin one vortexctl command."""
        return subprocess.Popen(
            [sys.executable, "-m", "procs.cli", *arguments], env=self.environment, cwd=ROOT,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def start(self) -> float:
        """Start the engine, with a market from the moment that it listens; return the seconds."""
        started = time.monotonic()
        process = self.control("start", "-c", str(self.config_path))
        while process.poll() is None and not self.venue.is_taken_over.wait(0.05):
            assert time.monotonic() - started < START_S, "the engine does not start"
        while process.poll() is None:
            self.peer.take_over(self.venue)
            self.warm_up()
        output, _ = process.communicate()
        assert process.returncode == 0, f"vortexctl start failed:\n{output}"
        took_s = time.monotonic() - started
        view, _ = open_view(self.instance)
        self.placement = view.placement()
        view.close()
        self.pids = [place["pid"] for place in self.placement.values()]
        return took_s

    def warm_up(self) -> None:
        """Show the market for a moment; what is asked is answered, and not measured."""
        self.peer.drive(self.market.batch(100, 10))
        for index in range(int(self.peer.record[0]["request_count"])):
            self.peer.check(self.peer.payload(index), self.venue)

    def segment(self, rate: int, tick_count: int) -> Segment:
        """Measure one batch."""
        batch = self.market.batch(rate, tick_count)
        with pinned(house_cpu()):
            return self.peer.run(batch, self.venue)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop the stages for a while."""
        for pid in self.pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in self.pids:
                os.kill(pid, signal.SIGCONT)
            time.sleep(SETTLE_S)

    def report(self) -> dict[str, Any]:
        """Return what the engine says of the run so far."""
        view, _ = open_view(self.instance)
        facts = report.make(view)
        view.close()
        return facts

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


class Echo:
    """The far side of the TCP echo in a process of its own, stopped while it is not needed."""

    def __init__(self, frame_bytes: int) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            near = socket.create_connection(listener.getsockname())
            far, _ = listener.accept()
        for end in (near, far):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.client = EchoClient(near, REPLY_BYTES)
        self.pid = os.fork()
        if self.pid == 0:
            near.close()
            os.sched_setaffinity(0, {engine_cpu()})
            receiver, buffer = new_receiver(), np.zeros(8_192, np.uint8)
            done = loops.echo(
                address_of(receiver), far.fileno(), address_of(buffer), frame_bytes, REPLY_BYTES
            )
            os._exit(0 if done else 1)
        far.close()
        os.kill(self.pid, signal.SIGSTOP)

    def segment(self, market: Market, rate: int, tick_count: int) -> Int64Array:
        """Measure the tickers of one batch."""
        batch = market.batch(rate, tick_count)
        os.kill(self.pid, signal.SIGCONT)
        try:
            with pinned(house_cpu()):
                return self.client.run(batch)
        finally:
            os.kill(self.pid, signal.SIGSTOP)

    def close(self) -> None:
        """End it."""
        self.client.socket.close()
        os.kill(self.pid, signal.SIGCONT)
        os.waitpid(self.pid, 0)


def compile_loops() -> None:
    """Compile the peer's loops before anything is forked or timed: on connections that are shut."""
    peer = Peer()
    near, far = socket.socketpair()
    far.close()
    near.setblocking(False)
    peer.record["feed_fd"] = peer.record["order_fd"] = near.fileno()
    address = address_of(peer.record)
    loops.drive(address, address, 0)
    loops.drive_echo(address, address, 1, REPLY_BYTES, address)
    loops.echo(address_of(peer.receiver), near.fileno(), address_of(peer.out), 1, 1)
    near.close()


def percentiles(latency_ns: Int64Array) -> dict[str, float | None]:
    """Return the percentiles that there are enough samples for."""
    return {
        name: float(np.quantile(latency_ns, q)) if len(latency_ns) * (1 - q) >= 9.99 else None
        for name, q in QUANTILES.items()
    }


def summarize(segments: list[Segment], echoes: list[Int64Array]) -> dict[str, Any]:
    """Return one rate's figures: ratios of neighbouring segments, and all segments together."""
    engine = [percentiles(segment.latency_ns) for segment in segments]
    echo = [percentiles(latency_ns) for latency_ns in echoes]
    ratios = {}
    for name in QUANTILES:
        pairs = [(e[name], o[name]) for e, o in zip(engine, echo, strict=True)]
        values = sorted(e / o for e, o in pairs if e is not None and o is not None)
        if values:
            ratios[name] = {
                "median": statistics.median(values),
                "least": values[0],
                "lower_quartile": float(np.quantile(values, 0.25)),
                "upper_quartile": float(np.quantile(values, 0.75)),
                "most": values[-1],
            }
    frame_count = sum(len(segment.latency_ns) for segment in segments)
    order_count = sum(segment.order_count for segment in segments)
    echo_p50 = statistics.median(float(np.median(latency_ns)) for latency_ns in echoes)
    return {
        "ratios": ratios,
        "engine_ns": percentiles(np.concatenate([s.latency_ns for s in segments])),
        "echo_ns": percentiles(np.concatenate(echoes)),
        "engine_segments_ns": engine,
        "echo_segments_ns": echo,
        "echo_p50_ns": echo_p50,
        "is_void": echo_p50 > ECHO_P50_NS_MAX,
        "frame_count": frame_count,
        "request_count": sum(segment.request_count for segment in segments),
        "frames_an_order": frame_count / order_count,
        "late_ns_max": max(segment.late_ns_max for segment in segments),
    }


def run_rate(folder: Path, rate: int, seconds: float, pair_count: int) -> dict[str, Any]:
    """Measure one rate in a run of its own, so that the engine's histograms are of that rate."""
    tick_count = max(10, int(rate * seconds / pair_count / 2))
    engine = Engine(folder)
    echo = Echo(int(Market().batch(1, 1).table[0, 1]))
    segments: list[Segment] = []
    echoes: list[Int64Array] = []
    try:
        start_s = engine.start()
        for _ in range(3):
            engine.warm_up()
        echo_market = Market()
        for _ in range(pair_count):
            segments.append(engine.segment(rate, tick_count))
            with engine.stopped():
                echoes.append(echo.segment(echo_market, rate, tick_count))
        facts = engine.report()
    finally:
        echo.close()
        engine.close()
    return {
        "start_s": start_s,
        "placement": engine.placement,
        "fill_count": engine.peer.fill_count,
        "engine_report": facts,
        **summarize(segments, echoes),
    }


def run(
    seconds: float, rates: tuple[int, ...] = RATES, pair_count: int = SEGMENT_PAIRS
) -> dict[str, Any]:
    """Run the benchmark; return machine and, by rate, figures."""
    compile_loops()
    figures = {}
    whole = sum(SHARES[rate] for rate in rates)
    for rate in rates:
        with tempfile.TemporaryDirectory() as folder:
            figures[str(rate)] = run_rate(
                Path(folder), rate, seconds * SHARES[rate] / whole, pair_count
            )
    return {"machine": machine_line(), "pair_count": pair_count, "figures": figures}


def lines(result: dict[str, Any]) -> list[str]:
    """Return the result for people."""
    rows = [
        f"wire_to_wire: frame in, signed order out, against a TCP echo; {result['pair_count']} "
        "pairs of segments in turns"
    ]
    for rate, figure in result["figures"].items():
        rows += ["", *rate_lines(rate, figure)]
    return rows


def rate_lines(rate: str, figure: dict[str, Any]) -> list[str]:
    """Return one rate's figures for people."""
    where = ", ".join(f"{role} {p['cpu']}/{p['wait']}" for role, p in figure["placement"].items())
    rows = [
        f"{int(rate):,} frames/s: {figure['frame_count']} frames, {figure['request_count']} orders "
        f"checked, {figure['fill_count']} filled, {figure['frames_an_order']:.2f} frames an order",
        f"  cpu/wait: {where}; started in {figure['start_s']:.1f} s; "
        f"frames at most {figure['late_ns_max'] / 1000:.0f} us late",
        f"  {'':<22}{'P50':>10}{'P90':>10}{'P99':>10}",
    ]
    for label, key in (("engine, us", "engine_ns"), ("echo, us", "echo_ns")):
        cells = "".join(f"{report.microseconds(figure[key][name]):>10}" for name in QUANTILES)
        rows.append(f"  {label:<22}{cells}")
    for label, key in (
        ("ratio, median", "median"), ("lower quartile", "lower_quartile"),
        ("upper quartile", "upper_quartile"),
    ):  # fmt: skip
        ratios = [figure["ratios"].get(name, {}).get(key) for name in QUANTILES]
        cells = "".join(f"{'-' if r is None else format(r, '.2f'):>10}" for r in ratios)
        rows.append(f"  {label:<22}{cells}")
    if figure["is_void"]:
        rows.append(
            f"  VOID: the echo's P50 is {figure['echo_p50_ns'] / 1000:.1f} us, over "
            f"{ECHO_P50_NS_MAX / 1000:.0f}: this machine was busy with something else"
        )
    facts = figure["engine_report"]
    table = report.lines(facts)
    return [*rows, "  the engine's own histograms:", *(f"    {row}" for row in table[4:])]
