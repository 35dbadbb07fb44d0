"""The benchmark ``wire_to_wire``: frame in, signed order out, beside a TCP echo.

The engine runs as ``vortexctl start`` runs it, each stage a process, and then all in one process;
only the address differs, and quotes follow each tick.  The peer sends frames on schedule, answers
and fills orders, and times from the *intended* send of a frame to the arrival of the first order
that answers it or a later one.  Engine and echo take turns on the same cores; while the echo runs,
the engine's processes are stopped by signal, for which their lease (``liveness.lease_ms``) is
raised.  Peer, echo and hot threads all run under SCHED_FIFO where that can be had.  A missing or
wrong order fails the run.
"""

import os
import signal
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ipc.memory import address_of
from ipc.sockets import new_receiver
from ipc.tls import Channel
from ipc.types import Int64Array
from procs.connections.tls_handshake import TlsSocket, client_connection, client_context
from procs.observe.samples import report
from procs.plan import wiring
from procs.plan.config import Placement
from procs.plan.placement import plan
from tools.bench import wire_loops as loops
from tools.bench.engine_run import EngineRun, Layout, as_far_side, go_first, house_cpu
from tools.bench.machine import machine_line
from tools.bench.wire_market import Market
from tools.bench.wire_peer import HALF_SPREAD_TICKS, QTY_LOTS, EchoClient, Peer, Segment, joined
from tools.bench.wire_venue import accept_tls, server_context

RATES = (1_000, 100, 10_000)
#: Of the whole time, the part that a rate gets.
SHARES = {1_000: 0.45, 100: 0.4, 10_000: 0.15}
ROLES = ["ingest", *wiring.AFTER_INGEST]


LAYOUTS = {
    "four processes": Layout([]),
    "one process": Layout([ROLES]),
    "four processes, TLS": Layout([], has_tls=True),
}
#: The rate at which the medians of the ratios must not exceed their bars.
BAR_RATE = 1_000
BARS = {
    "four processes": {"p50": 3.0, "p90": 3.5, "p99": 4.0},
    "one process": {"p50": 1.5},
    "four processes, TLS": {"p50": 3.0, "p90": 3.5, "p99": 4.0},
}
#: What is measured at the other rates too.
PLAIN_LAYOUTS = ("four processes", "one process")
SEGMENT_PAIRS = 20
REPLY_BYTES = 540
ECHO_P50_NS_MAX = 12_000
BURST_S, REST_S = 0.3, 0.1
QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


def bursts(rate: int, tick_count: int) -> Iterator[int]:
    """Yield how many tickers to measure in one go, with a rest between.

    Peer and echo never sleep.  After most of a second in which other threads of their CPU did not
    run, the kernel would give those 50 ms, at the cost of the side that is being timed.
    """
    burst_count = max(round(rate * BURST_S), 1)
    for first in range(0, tick_count, burst_count):
        if first:
            time.sleep(REST_S)
        yield min(burst_count, tick_count - first)


def engine_cpu(layout: str) -> int:
    """Return the CPU that the engine's last stage runs on."""
    return plan(Placement(together=LAYOUTS[layout].together), ROLES).places[ROLES[-1]].cpu_index


class Engine(EngineRun):
    """One run of the engine in one layout; quotes follow each tick."""

    def __init__(self, folder: Path, layout: str) -> None:
        self.market = Market()
        self.peer = Peer()
        super().__init__(
            folder, self.market, LAYOUTS[layout], half_spread_ticks=HALF_SPREAD_TICKS,
            qty_lots=QTY_LOTS, inventory_lots_max=1_000_000,
        )  # fmt: skip

    def show(self) -> None:
        """Show the market while the engine starts."""
        self.peer.take_over(self.venue)
        self.warm_up()

    def warm_up(self) -> None:
        """Show the market for a moment; what is asked is answered, and not measured."""
        self.peer.drive(self.market.batch(100, 10))
        for index in range(int(self.peer.record[0]["request_count"])):
            self.peer.check(self.peer.payload(index), self.venue)

    def segment(self, rate: int, tick_count: int) -> Segment:
        """Measure so many tickers."""
        parts = []
        for count in bursts(rate, tick_count):
            batch = self.market.batch(rate, count)
            with as_far_side(house_cpu()):
                self.peer.drive(batch)
            parts.append(self.peer.judge(batch, self.venue))
        return joined(parts)


def secure_both(near: socket.socket, far: socket.socket) -> tuple[Channel, Channel]:
    """Make the TLS handshake between two ends of a connection of ours."""
    accepted: list[TlsSocket] = []
    with tempfile.TemporaryDirectory() as folder:
        ca_path = Path(folder) / "authority.pem"
        context = server_context(ca_path)
        thread = threading.Thread(target=lambda: accepted.append(accept_tls(far, context)))
        thread.start()
        connection = client_connection("127.0.0.1", client_context(str(ca_path)))
        opened = TlsSocket(near, connection)
        thread.join()
    return Channel(opened.connection), Channel(accepted[0].connection)


class Echo:
    """The far side of the TCP echo in a process of its own, stopped while it is not needed."""

    def __init__(self, frame_bytes: int, cpu: int, *, has_tls: bool) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            near = socket.create_connection(listener.getsockname())
            far, _ = listener.accept()
        self.channels = secure_both(near, far) if has_tls else None
        near_tls, far_tls = (c.address for c in self.channels) if self.channels else (0, 0)
        for end in (near, far):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.client = EchoClient(near, REPLY_BYTES, near_tls)
        self.pid = os.fork()
        if self.pid == 0:
            near.close()
            os.sched_setaffinity(0, {cpu})
            go_first()
            receiver, buffer = new_receiver(), np.zeros(8_192, np.uint8)
            done = loops.echo(
                far_tls, address_of(receiver), far.fileno(), address_of(buffer), frame_bytes,
                REPLY_BYTES,
            )  # fmt: skip
            os._exit(0 if done else 1)
        far.close()
        os.kill(self.pid, signal.SIGSTOP)

    def segment(self, market: Market, rate: int, tick_count: int) -> Int64Array:
        """Measure so many tickers."""
        parts = []
        for count in bursts(rate, tick_count):
            batch = market.batch(rate, count)
            os.kill(self.pid, signal.SIGCONT)
            try:
                with as_far_side(house_cpu()):
                    parts.append(self.client.run(batch))
            finally:
                os.kill(self.pid, signal.SIGSTOP)
        return np.concatenate(parts)

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
    loops.echo(0, address_of(peer.receiver), near.fileno(), address_of(peer.out), 1, 1)
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


def run_rate(
    folder: Path, layout: str, rate: int, seconds: float, pair_count: int
) -> dict[str, Any]:
    """Measure one layout at one rate in a run of its own, whose histograms are of that alone."""
    tick_count = max(10, round(rate * seconds / pair_count / 2))
    engine = Engine(folder, layout)
    frame_bytes = int(Market().batch(1, 1).table[0, 1])
    echo = Echo(frame_bytes, engine_cpu(layout), has_tls=LAYOUTS[layout].has_tls)
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
    """Run the benchmark; return machine and, by rate and layout, figures."""
    compile_loops()
    figures: dict[str, dict[str, Any]] = {str(rate): {} for rate in rates}
    layouts = {rate: LAYOUTS if rate == BAR_RATE else PLAIN_LAYOUTS for rate in rates}
    whole = sum(SHARES[rate] * len(layouts[rate]) for rate in rates)
    for rate in rates:
        for layout in layouts[rate]:
            with tempfile.TemporaryDirectory() as folder:
                figures[str(rate)][layout] = run_rate(
                    Path(folder), layout, rate, seconds * SHARES[rate] / whole, pair_count
                )
    return {"machine": machine_line(), "pair_count": pair_count, "figures": figures}


def lines(result: dict[str, Any]) -> list[str]:
    """Return the result for people."""
    rows = [
        f"wire_to_wire: frame in, signed order out, against a TCP echo; {result['pair_count']} "
        "pairs of segments in turns"
    ]
    for rate, by_layout in result["figures"].items():
        for layout, figure in by_layout.items():
            rows += ["", *layout_lines(int(rate), layout, figure)]
    return rows


def layout_lines(rate: int, layout: str, figure: dict[str, Any]) -> list[str]:
    """Return the figures of one layout at one rate for people."""
    where = ", ".join(f"{role} {p['cpu']}/{p['wait']}" for role, p in figure["placement"].items())
    rows = [
        f"{rate:,} frames/s, {layout}: {figure['frame_count']} frames, "
        f"{figure['request_count']} orders checked, {figure['fill_count']} filled, "
        f"{figure['frames_an_order']:.2f} frames an order",
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
    if rate == BAR_RATE:
        rows += bar_lines(BARS[layout], figure["ratios"])
    if figure["is_void"]:
        rows.append(
            f"  VOID: the echo's P50 is {figure['echo_p50_ns'] / 1000:.1f} us, over "
            f"{ECHO_P50_NS_MAX / 1000:.0f}: this machine was busy with something else"
        )
    facts = figure["engine_report"]
    table = report.lines(facts)
    return [*rows, "  the engine's own histograms:", *(f"    {row}" for row in table[4:])]


def bar_lines(bars: dict[str, float], ratios: dict[str, dict[str, float]]) -> list[str]:
    """Return the bars of the medians of the ratios, and which medians exceed them."""
    cells = "".join(f"{format(bars[q], '.2f') if q in bars else '-':>10}" for q in QUANTILES)
    over = [q.upper() for q, bar in bars.items() if q not in ratios or ratios[q]["median"] > bar]
    return [f"  {'bar for the median':<22}{cells}", f"  over the bar: {', '.join(over) or 'none'}"]
