"""The benchmark ``log``: compiled code logs one event of three int64, beyond the clock read.

Beside it an event of which there are too many, so that it is only counted, and Python's logging of
the same text to a file.  The loops take turns, so that a noisy moment hits all.
"""

import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ipc.clock import CLOCK, calibrate
from ipc.log import EVENT_COUNT_MAX, EVENT_COUNTS, LOG, LOGGER, Catalogue
from ipc.memory import address_of
from ipc.segment import segment_name
from ipc.shared import RingSpec, SharedRing
from tools.bench import log_loops as loops
from tools.bench.bars import verdict
from tools.bench.machine import machine_line, pin

BAR_NS = 15
BATCH_COUNT = 100_000
PYTHON_COUNT = 2_000
TEXT = "sequence gap in {}: update {} came after {}"


class Teller:
    """A logger as a stage has one; ``close`` removes its ring."""

    def __init__(self) -> None:
        spec = RingSpec((LOG,), LOG.dtype.itemsize, 4_096, 1, "publish_ns", False)
        name = segment_name(f"bench-{os.getpid()}", "log")
        self.ring = SharedRing.create(name, spec, run_id=1)
        self.writer = SharedRing.attach_writer(name, spec)
        self.clock = np.zeros(1, CLOCK.dtype)
        calibrate(self.clock)
        self.counts = np.zeros(EVENT_COUNT_MAX, EVENT_COUNTS.dtype)
        self.logger = np.zeros(1, LOGGER.dtype)
        self.logger["ring_address"] = self.writer.address
        self.logger["counts_address"] = address_of(self.counts)
        catalogue = Catalogue()
        self.gap, self.storm = catalogue.warning(TEXT), catalogue.warning(f"{TEXT}, again")

    def clock_ns(self) -> float:
        """Return how long a read of the clock takes."""
        clock = address_of(self.clock)
        return timed(lambda: loops.read_clock(clock, BATCH_COUNT), BATCH_COUNT)

    def event_ns(self) -> float:
        """Return how long a read of the clock and an event take; each is in the ring."""
        before = self.ring.published_seq
        clock, logger = address_of(self.clock), address_of(self.logger)
        arguments = (clock, logger, self.gap, before, BATCH_COUNT)
        took_ns = timed(lambda: loops.log_each(*arguments), BATCH_COUNT)
        assert self.ring.published_seq == before + BATCH_COUNT, "some events were not logged"
        return took_ns

    def storm_ns(self) -> float:
        """Return the same for an event that comes too often."""
        arguments = (address_of(self.clock), address_of(self.logger), self.storm, BATCH_COUNT)
        return timed(lambda: loops.log_storm(*arguments), BATCH_COUNT)

    def close(self) -> None:
        """Remove the ring."""
        self.ring.segment.unlink()
        self.writer.close()
        self.ring.close()


def timed(function: Callable[[], object], count: int) -> float:
    """Return nanoseconds for each of ``count``."""
    start_ns = time.perf_counter_ns()
    function()
    return (time.perf_counter_ns() - start_ns) / count


def python_ns(log: logging.Logger) -> float:
    """Return nanoseconds for each line that Python's logging writes into a file."""

    def write() -> None:
        for number in range(PYTHON_COUNT):
            log.warning("sequence gap in %s: update %d came after %d", "BTCUSDT", number, 7)

    return timed(write, PYTHON_COUNT)


def measure(teller: Teller, log: logging.Logger, seconds: float) -> dict[str, list[float]]:
    """Let all take turns until ``seconds`` have passed; return their batches."""
    took: dict[str, list[float]] = {"ours": [], "ours, suppressed": [], "the clock": []}
    took["logging to a file"] = []
    teller.clock_ns(), teller.event_ns(), teller.storm_ns()  # compiles
    end = time.monotonic() + seconds
    while not took["ours"] or time.monotonic() < end:
        clock_ns = teller.clock_ns()
        took["the clock"].append(clock_ns)
        took["ours"].append(teller.event_ns() - clock_ns)
        took["ours, suppressed"].append(teller.storm_ns() - clock_ns)
        took["logging to a file"].append(python_ns(log))
    return took


def run(seconds: float) -> dict[str, Any]:
    """Run the benchmark for about ``seconds``; return machine and figures."""
    affinity = os.sched_getaffinity(0)
    pin(len(affinity) - 1)
    teller = Teller()
    log = logging.Logger("bench")
    try:
        with tempfile.TemporaryDirectory() as folder:
            handler = logging.FileHandler(Path(folder) / "bench.log")
            handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
            log.addHandler(handler)
            took = measure(teller, log, seconds)
            handler.close()
    finally:
        os.sched_setaffinity(0, affinity)
        teller.close()
    return {
        "machine": machine_line(),
        "figures": {
            kind: {
                "median_ns": statistics.median(batches),
                "least_ns": min(batches),
                "most_ns": max(batches),
                "batch_count": len(batches),
            }
            for kind, batches in took.items()
        },
    }


def lines(result: dict[str, Any]) -> list[str]:
    """Return the result for people."""
    ours = result["figures"]["ours"]
    rows = [
        f"log: one event of three words, beyond the clock read; {ours['batch_count']} batches of "
        f"{BATCH_COUNT}",
        f"  {'ns a record':<26}{'median':>9}{'least':>9}{'most':>9}",
    ]
    for kind, figure in result["figures"].items():
        rows.append(
            f"  {kind:<26}{figure['median_ns']:>9.1f}{figure['least_ns']:>9.1f}"
            f"{figure['most_ns']:>9.1f}"
        )
    return [*rows, f"  bar: {BAR_NS} ns, {verdict(ours['median_ns'] <= BAR_NS)}"]
