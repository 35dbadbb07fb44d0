"""The benchmark ``ring``: 64-byte records between two pinned processes, beside a C++ queue.

Throughput (messages of 16, capacity 4,096, the reader checks every word and the order), round trip,
and one way paced at 10 us and 1 ms.  Ours, stamped slots and moodycamel's ReaderWriterQueue (of
Debian's libreaderwriterqueue-dev, compiled here) take turns, so that a noisy moment hits all; and
with them two that Python processes would otherwise use, which the interpreter calls.
"""

import mmap
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from ipc import ring
from ipc.memory import address_of
from ipc.segment import segment_name
from ipc.shared import SharedRing
from tools.bench import ring_loops as loops
from tools.bench import ring_python
from tools.bench.bars import verdict
from tools.bench.machine import machine_line
from tools.bench.two_processes import in_two_processes, percentiles, shared_samples

REFERENCE = Path(__file__).with_name("ring_reference.cpp")
HEADER = Path("/usr/include/readerwriterqueue/readerwriterqueue.h")
VALUE_COUNT = loops.CAPACITY_COUNT * 1_200
ROUND_COUNT = 100_000
PACED = {"paced 10 us": (10_000, 20_000), "paced 1 ms": (1_000_000, 500)}


class Ours:
    """Our ring; two of them for the round trip."""

    def __init__(self) -> None:
        self.instance = f"bench-{os.getpid()}"
        names = [segment_name(self.instance, name) for name in ("there", "back")]
        self.shareds = [SharedRing.create(name, loops.SPEC, run_id=1) for name in names]
        self.writers = [SharedRing.attach_writer(name, loops.SPEC) for name in names]
        self.readers = [SharedRing.attach_reader(name, loops.SPEC) for name in names]

    def renew(self) -> list[int]:
        """Return the addresses of fresh ends; a fork's copy of a handle does not move ours."""
        for writer, reader in zip(self.writers, self.readers, strict=True):
            ring.take_over_writer(writer.address)
            ring.take_over_reader(reader.address)
        return [shared.address for shared in (*self.writers, *self.readers)]

    def throughput(self, value_count: int) -> float:
        """Return million records per second."""
        there, _, reader, _ = self.renew()
        took = in_two_processes(
            lambda: loops.send_values(there, value_count),
            lambda: loops.receive_values(reader, value_count),
        )
        return value_count / took / 1e6

    def round_trip(self, value_count: int) -> list[float]:
        """Return percentiles in nanoseconds."""
        there, back, there_reader, back_reader = self.renew()
        took_ns = loops.new_samples(value_count)
        in_two_processes(
            lambda: loops.ping(there, back_reader, took_ns),
            lambda: loops.pong(there_reader, back, value_count),
        )
        return percentiles(took_ns)

    def paced(self, value_count: int, gap_ns: int) -> list[float]:
        """Return percentiles of the way to the other process in nanoseconds."""
        there, _, reader, _ = self.renew()
        took_ns = shared_samples(value_count)
        in_two_processes(
            lambda: loops.send_paced(there, value_count, gap_ns),
            lambda: loops.receive_paced(reader, took_ns),
        )
        return percentiles(took_ns)

    def close(self) -> None:
        """Remove the rings."""
        for shared in self.shareds:
            shared.segment.unlink()
        for shared in (*self.shareds, *self.writers, *self.readers):
            shared.close()


class Stamped:
    """Slots that carry their own commit stamp."""

    BLOCK_BYTES = loops.CAPACITY_COUNT * loops.RECORD_BYTES + 4_096

    def _block(self) -> "np.ndarray[Any, np.dtype[np.uint8]]":
        return np.frombuffer(mmap.mmap(-1, self.BLOCK_BYTES), np.uint8)

    def throughput(self, value_count: int) -> float:
        """Return million records per second."""
        block = self._block()
        slots = address_of(block)
        word = slots + loops.CAPACITY_COUNT * loops.RECORD_BYTES
        took = in_two_processes(
            lambda: loops.stamped_send(slots, word, 0, value_count),
            lambda: loops.stamped_receive(slots, word, 0, value_count),
        )
        return value_count / took / 1e6

    def round_trip(self, value_count: int) -> list[float]:
        """Return percentiles in nanoseconds."""
        blocks = self._block(), self._block()
        there, back = (address_of(block) for block in blocks)
        took_ns = loops.new_samples(value_count)
        in_two_processes(
            lambda: loops.stamped_ping(there, back, took_ns),
            lambda: loops.stamped_pong(there, back, value_count),
        )
        return percentiles(took_ns)


class Reference:
    """The C++ queue, compiled into a folder of its own."""

    def __init__(self, folder: str) -> None:
        self.program = str(Path(folder) / "ring_reference")
        command = ["g++", "-O3", "-march=native", "-std=c++17", "-o", self.program, str(REFERENCE)]
        subprocess.run(command, check=True)

    def _run(self, *arguments: object) -> list[float]:
        command = [self.program, *map(str, arguments)]
        done = subprocess.run(command, check=True, capture_output=True, encoding="utf-8")
        return [float(word) for word in done.stdout.split()]

    def throughput(self, value_count: int) -> float:
        """Return million records per second."""
        return self._run("throughput", value_count)[0]

    def round_trip(self, value_count: int) -> list[float]:
        """Return percentiles in nanoseconds."""
        return self._run("round", value_count)

    def paced(self, value_count: int, gap_ns: int) -> list[float]:
        """Return percentiles in nanoseconds."""
        return self._run("paced", value_count, gap_ns)


def why_no_reference() -> str:
    """Return what is missing for the reference; empty when nothing is."""
    if not HEADER.exists():
        return "no libreaderwriterqueue-dev (apt-get install libreaderwriterqueue-dev)"
    if shutil.which("g++") is None:
        return "no g++ (apt-get install g++)"
    return ""


def measure(kinds: dict[str, Any], seconds: float) -> dict[str, dict[str, list[Any]]]:
    """Let the kinds take turns until ``seconds`` have passed; return all runs."""
    runs: dict[str, dict[str, list[Any]]] = {name: {} for name in kinds}

    def note(name: str, what: str, value: Any) -> None:
        runs[name].setdefault(what, []).append(value)

    end = time.monotonic() + seconds
    while not runs["ours"] or time.monotonic() < end:
        for name, kind in kinds.items():
            note(name, "throughput", kind.throughput(VALUE_COUNT))
            note(name, "round trip", kind.round_trip(ROUND_COUNT))
            for what, (gap_ns, value_count) in PACED.items():
                if hasattr(kind, "paced"):
                    note(name, what, kind.paced(value_count, gap_ns))
    return runs


def summarize(values: list[Any]) -> dict[str, Any]:
    """Return the median over the runs and the spread of its first figure."""
    rows = [value if isinstance(value, list) else [value] for value in values]
    first = [row[0] for row in rows]
    medians = [statistics.median(column) for column in zip(*rows, strict=True)]
    return {"median": medians, "least": min(first), "most": max(first), "run_count": len(rows)}


def run(seconds: float) -> dict[str, Any]:
    """Run the benchmark for about ``seconds``; return machine, figures and what was skipped."""
    skipped = why_no_reference()
    with tempfile.TemporaryDirectory() as folder:
        kinds: dict[str, Any] = {"ours": Ours(), "stamped": Stamped()}
        if not skipped:
            kinds["reference"] = Reference(folder)
        kinds |= ring_python.kinds(folder)
        try:
            for name in ("ours", "stamped"):  # compiles
                kinds[name].throughput(loops.BATCH_COUNT)
                kinds[name].round_trip(1)
            kinds["ours"].paced(1, 1_000)
            runs = measure(kinds, seconds)
        finally:
            for kind in kinds.values():
                if hasattr(kind, "close"):
                    kind.close()
    figures = {
        name: {what: summarize(values) for what, values in kind.items()}
        for name, kind in runs.items()
    }
    return {"machine": machine_line(), "skipped": skipped, "figures": figures}


def lines(result: dict[str, Any]) -> list[str]:
    """Return the result for people."""
    rows = ["ring: 64-byte records between two pinned processes; medians of the runs"]
    if result["skipped"]:
        rows.append(f"reference skipped: {result['skipped']}")
    rows.append(f"  {'':14}{'':14}{'P50':>12}{'P90':>12}{'P99':>12}   least..most of runs")
    for name, kind in result["figures"].items():
        for what, figure in kind.items():
            unit = "M/s" if what == "throughput" else "ns"
            digits = 2 if unit == "M/s" else 1
            cells = "".join(f"{value:12.{digits}f}" for value in figure["median"]).ljust(36)
            spread = f"{figure['least']:.{digits}f}..{figure['most']:.{digits}f}"
            spread += f" of {figure['run_count']}"
            rows.append(f"  {name:14}{what:14}{cells}   {spread} {unit}")
    if "reference" in result["figures"]:
        rows.append(f"  bars: {'; '.join(bars_of(result['figures']))}")
    return rows


def bars_of(figures: dict[str, Any]) -> list[str]:
    """Return our ratios to the C++ queue, and whether each reaches the bar of 1."""
    ours, reference = figures["ours"], figures["reference"]
    times = {
        "throughput": ours["throughput"]["median"][0] / reference["throughput"]["median"][0],
        "round trip": reference["round trip"]["median"][0] / ours["round trip"]["median"][0],
    }
    return [f"{what} {ratio:.2f} x, 1 x {verdict(ratio >= 1)}" for what, ratio in times.items()]
