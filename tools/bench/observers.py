"""The benchmark ``observers``: what it costs the engine to be watched.

The engine runs as ``vortexctl start`` runs it, at a fixed load that sleeps between two frames, so
that the observers have a CPU: a tap on the busiest ring, ``top``, a dashboard and five browsers of
it.  Signals stop and continue them, in pairs of halves whose order alternates.  The gateway's own
histograms of the two halves are compared.  The confidence interval is a bootstrap over the pairs
(Efron 1979), from a printed seed.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self

import numpy as np

from ipc.histogram import bin_top_ns
from ipc.types import Int64Array
from procs.observe.latency.excursions import bins_of
from procs.observe.samples.view import RunView
from tools.bench.bars import verdict
from tools.bench.engine_run import as_far_side, house_cpu
from tools.bench.frames import ROOT
from tools.bench.machine import machine_line
from tools.bench.wire_to_wire import Engine, bursts

RATE = 1_000
PAUSE_US = 50
PAIR_COUNT = 24
SETTLE_S = 0.4
SEED = 1
RESAMPLE_COUNT = 10_000
BAR = 1.05
BAR_SHOWN_MS = 200
LATENCIES = ("tick_to_order_ns", "recv_to_order_ns")
LAYOUT = "four processes"
WATCHED_RING = "market.ingest"


class Observers:
    """All who watch; ``close`` ends them.  They begin stopped."""

    def __init__(self, name: str) -> None:
        self.processes: dict[str, subprocess.Popen[str]] = {}
        self.dashboard = self.begin("dashboard", "-n", name)
        url = line_of(self.dashboard.stdout, "dashboard: ").split()[1]
        self.begin("attach", "--tap", WATCHED_RING, "-n", name, "--to", os.devnull)
        self.begin("top", "-n", name, "-o", "json", "-i", "0.5", "-c", "0", out=subprocess.DEVNULL)
        host = url.removeprefix("http://").split("/")[0]
        self.browsers = self.keep("browsers", [sys.executable, "-m", "tools.bench.browsers", host])
        line_of(self.browsers.stdout, "looking")
        self.send_signal(signal.SIGSTOP)

    def begin(self, command: str, *arguments: str, out: int = subprocess.PIPE) -> Any:
        """Begin one vortexctl command."""
        words = [sys.executable, "-m", "procs.cli", command, *arguments]
        return self.keep(command, words, out)

    def keep(self, name: str, words: list[str], out: int = subprocess.PIPE) -> Any:
        """Begin one process, on the housekeeping CPU."""
        self.processes[name] = subprocess.Popen(
            ["taskset", "-c", str(house_cpu()), *words], cwd=ROOT, text=True,
            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL, encoding="utf-8",
        )  # fmt: skip
        return self.processes[name]

    def send_signal(self, number: int) -> None:
        """Send all of them one signal."""
        for name, process in self.processes.items():
            assert process.poll() is None, f"{name} ended with status {process.returncode}"
            process.send_signal(number)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Let them watch for a while."""
        self.send_signal(signal.SIGCONT)
        time.sleep(SETTLE_S)
        try:
            yield
        finally:
            self.send_signal(signal.SIGSTOP)

    def seen(self) -> dict[str, Any]:
        """End the browsers; return what they saw."""
        self.browsers.send_signal(signal.SIGCONT)
        self.browsers.send_signal(signal.SIGTERM)
        found: dict[str, Any] = json.loads(line_of(self.browsers.stdout, "{"))
        return found

    def close(self) -> None:
        """End all of them."""
        for process in self.processes.values():
            process.kill()
            process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def line_of(stream: IO[str] | None, begin: str) -> str:
    """Return the next line that begins so."""
    assert stream is not None
    for line in stream:
        if line.startswith(begin):
            return line
    raise AssertionError(f"an observer ended without a line {begin!r}")


def quantile_ns(bins: Int64Array, q: float) -> float | None:
    """Return a quantile of counted values, within its bin by rank; None for too few values."""
    count = int(bins.sum())
    if count * (1 - q) < 9.99:
        return None
    ranks = np.cumsum(bins)
    index = int(np.searchsorted(ranks, q * count))
    low_ns = bin_top_ns(index - 1) if index else 0
    share = (q * count - (ranks[index] - bins[index])) / bins[index]
    return float(low_ns + share * (bin_top_ns(index) - low_ns))


def segment(engine: Engine, view: RunView, tick_count: int) -> dict[str, Int64Array]:
    """Show the engine so many tickers; return what its gateway counted meanwhile."""
    before = bins_of(view)
    for count in bursts(RATE, tick_count):
        batch = engine.market.batch(RATE, count)
        with as_far_side(house_cpu()):
            engine.peer.drive(batch)
        engine.peer.judge(batch, engine.venue)
    after = bins_of(view)
    return {name: after[name] - before[name] for name in LATENCIES}


def interval(ratios: list[float]) -> tuple[float, float]:
    """Return the 95 % confidence interval of the median of some ratios."""
    generator = np.random.default_rng(SEED)
    drawn = generator.choice(np.array(ratios), (RESAMPLE_COUNT, len(ratios)))
    low, high = np.quantile(np.median(drawn, axis=1), [0.025, 0.975])
    return float(low), float(high)


def figures_of(pairs: list[dict[bool, dict[str, Int64Array]]]) -> dict[str, Any]:
    """Return for each latency the ratio of watched to unwatched P50, and all percentiles."""
    found: dict[str, Any] = {}
    for name in LATENCIES:
        p50s = {is_on: [quantile_ns(pair[is_on][name], 0.5) for pair in pairs]
                for is_on in (False, True)}  # fmt: skip
        ratios = [on / off for on, off in zip(p50s[True], p50s[False], strict=True) if on and off]
        whole = {is_on: np.sum([pair[is_on][name] for pair in pairs], axis=0)
                 for is_on in (False, True)}  # fmt: skip
        found[name] = {
            "ratio": float(np.median(ratios)),
            "interval": interval(ratios),
            "pair_count": len(ratios),
            **{
                label: {
                    "count": int(whole[is_on].sum()),
                    **{f"p{q * 100:g}": quantile_ns(whole[is_on], q) for q in (0.5, 0.9, 0.99)},
                }
                for label, is_on in (("watched", True), ("alone", False))
            },
        }
    return found


def run(seconds: float, pair_count: int = PAIR_COUNT) -> dict[str, Any]:
    """Run the benchmark for about ``seconds``; return machine and figures."""
    tick_count = max(round(RATE * seconds / pair_count / 2), 10)
    pairs: list[dict[bool, dict[str, Int64Array]]] = []
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(Path(folder), LAYOUT)
        try:
            engine.start()
            engine.peer.record[0]["pause_us"] = PAUSE_US
            with engine.view() as view, Observers(engine.instance) as observers:
                segment(engine, view, tick_count)  # not counted: everything warms up
                for index in range(pair_count):
                    pair: dict[bool, dict[str, Int64Array]] = {}
                    for is_on in (True, False) if index % 2 else (False, True):
                        if is_on:
                            with observers.at_work():
                                pair[True] = segment(engine, view, tick_count)
                        else:
                            pair[False] = segment(engine, view, tick_count)
                    pairs.append(pair)
                seen = observers.seen()
        finally:
            engine.close()
    return {
        "machine": machine_line(), "seed": SEED, "placement": engine.placement,
        "observers": list(observers.processes), "house_cpu": house_cpu(),
        "frame_counts": seen["frame_counts"], "delays_ms": seen["delays_ms"],
        "figures": figures_of(pairs),
    }  # fmt: skip


def lines(result: dict[str, Any]) -> list[str]:
    """Return the result for people."""
    placement = result["placement"].items()
    where = ", ".join(f"{role} {place['cpu']}/{place['wait']}" for role, place in placement)
    rows = [
        f"observers: tap of {WATCHED_RING}, top, dashboard with {len(result['frame_counts'])} "
        f"browsers, against none; {RATE:,} frames/s",
        f"  cpu/wait: {where}; observers and sender on cpu {result['house_cpu']}",
        f"  {'microseconds':<24}{'count':>9}{'P50':>9}{'P90':>9}{'P99':>9}",
    ]
    for name, figure in result["figures"].items():
        for label in ("alone", "watched"):
            values = figure[label]
            words = f"{name.removesuffix('_ns').replace('_', '-')}, {label}"
            cells = (values[p] for p in ("p50", "p90", "p99"))
            shown = "".join(f"{'-' if v is None else format(v / 1000, '.2f'):>9}" for v in cells)
            rows.append(f"  {words:<24}{values['count']:>9}{shown}")
        low, high = figure["interval"]
        rows.append(
            f"  ratio of P50, median of {figure['pair_count']} pairs: {figure['ratio']:.3f}, "
            f"95 % {low:.3f}..{high:.3f} (seed {result['seed']}); "
            f"bar {BAR}, {verdict(high < BAR)}"
        )
    delays = result["delays_ms"]
    if delays:
        p50, p90 = np.quantile(delays, [0.5, 0.9])
        rows.append(
            f"  from a fill to the frame that shows it: P50 {p50:.0f}, P90 {p90:.0f}, "
            f"most {max(delays):.0f} ms of {len(delays)}; bar {BAR_SHOWN_MS} ms"
        )
    return rows
