"""The benchmark ``flood``: the recorded mix, renumbered to go on for ever, as fast as it is taken.

A compiled sender on the housekeeping CPU, the engine as ``vortexctl start`` runs it, loopback
between them, plain and over TLS.  Everything that the engine does with market data is on: gap
checks, validity, histograms, the steps that observers read.  The strategy wants nothing, so that no
orders are sent.  The run fails when a frame is lost, refused or a gap, or when the book at the end
is not that of a slow twin.  Beside it picows receives the same and does nothing with it.
"""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from ipc.memory import address_of
from ipc.sockets import new_receiver
from procs.observe.samples import report
from procs.observe.samples.view import RunView
from procs.plan import wiring
from procs.stages.book_stage import BookCounter as Booked
from procs.stages.ingest.ingest_stage import IngestCounter as Ingested
from tools.bench import flood_loops as loops
from tools.bench import flood_picows
from tools.bench.bars import verdict
from tools.bench.engine_run import EngineRun, Layout, house_cpu, pinned
from tools.bench.flood_market import Flood
from tools.bench.machine import machine_line
from vortex.books import book
from vortex.codes import Side

INGEST, MARKET = "ingest", wiring.market_ring("ingest")
LAYOUTS = {
    "plain": Layout([]),
    "TLS": Layout([], has_tls=True),
    "plain, one process": Layout([[INGEST, *wiring.AFTER_INGEST]]),
}
BARS_MB_PER_S = {"plain": 400, "TLS": 200}
WARM_S = 2.0
TAKEN_S = 30.0
SAMPLE_S = 0.5
BEGIN_CHUNK_COUNT = 2
SHOW_S = 0.05


class Engine(EngineRun):
    """The engine in one layout, and the sender."""

    def __init__(self, folder: Path, flood: Flood, layout: str) -> None:
        self.flood = flood
        self.pass_count = self.sent_count = self.sent_bytes = 0
        self.receiver = new_receiver()
        self.sender = np.zeros(1, loops.SENDER_DTYPE)
        record = self.sender[0]
        record["receiver_address"] = address_of(self.receiver)
        record["sites_address"] = address_of(flood.sites)
        record["chunks_address"] = address_of(flood.chunks)
        super().__init__(
            folder, flood, LAYOUTS[layout], half_spread_ticks=1, qty_lots=1, inventory_lots_max=1
        )

    def show(self) -> None:
        """Begin the first pass, for the book to come into sync, and wait."""
        assert self.venue.feed is not None
        if self.sent_count == 0:
            self.sender[0]["fd"] = self.venue.feed.socket.fileno()
            self.sender[0]["tls_address"] = self.venue.feed.tls_address
            self.send_chunks(0, BEGIN_CHUNK_COUNT)
        time.sleep(SHOW_S)

    def send_pass(self, *, there_and_back: bool = True) -> float:
        """Send one pass, or only its way there; return MB per second."""
        flood, bytes_before = self.flood, self.sent_bytes
        begun = time.perf_counter()
        first_index = BEGIN_CHUNK_COUNT if self.pass_count == 0 else 0
        self.send_chunks(
            first_index, len(flood.chunks) if there_and_back else flood.forth_chunk_count
        )
        self.pass_count += 1
        return (self.sent_bytes - bytes_before) / (time.perf_counter() - begun) / 1e6

    def send_chunks(self, first_index: int, end_index: int) -> None:
        """Send some chunks of the pass."""
        flood = self.flood
        self.sender[0]["first_index"], self.sender[0]["chunk_count"] = first_index, end_index
        id_offset = self.pass_count * flood.ids_a_pass
        assert loops.send_pass(address_of(self.sender), id_offset), "the connection failed"
        self.sent_count += int(flood.frame_counts[first_index:end_index].sum())
        self.sent_bytes += int(flood.chunks[first_index:end_index, 1].sum())

    def until_taken(self, view: RunView) -> None:
        """Wait until the book has taken all that was sent."""
        deadline = time.monotonic() + TAKEN_S
        while view.counter(INGEST, Ingested.FRAMES) < self.sent_count or view.backlog(MARKET):
            taken_count = view.counter(INGEST, Ingested.FRAMES)
            assert time.monotonic() < deadline, f"{self.sent_count - taken_count} frames were lost"
            time.sleep(0.001)


class Memory:
    """What the engine's processes hold, over time."""

    def __init__(self, pids: set[int]) -> None:
        self.processes = [psutil.Process(pid) for pid in sorted(pids)]
        self.resident_bytes: list[int] = []
        self.fault_count = self.faults()

    def faults(self) -> int:
        """Return how many pages were faulted in so far, for the first time or from disk."""
        total = 0
        for process in self.processes:
            fields = (
                Path(f"/proc/{process.pid}/stat")
                .read_text(encoding="utf-8")
                .rpartition(")")[2]
                .split()
            )
            total += int(fields[7]) + int(fields[9])
        return total

    def sample(self) -> None:
        """Note what is resident now."""
        self.resident_bytes.append(sum(p.memory_info().rss for p in self.processes))


def counts(view: RunView) -> dict[str, int]:
    """Return what must not change."""
    facts = report.make(view)
    return {name: facts[name] for name in ("gaps", "dropped", "invalid_messages")} | {
        "mismatches": view.counter(wiring.BOOK, Booked.MISMATCHES),
        "epochs": view.counter(INGEST, Ingested.EPOCHS),
        "disconnections": view.counter(INGEST, Ingested.DISCONNECTIONS),
        "general": view.counter(INGEST, Ingested.GENERAL),
    }


def check_book(view: RunView, flood: Flood, id_offset: int) -> int:
    """Compare the engine's book with the twin's; return its levels."""
    address = view.tables["books"].address
    deadline = time.monotonic() + TAKEN_S
    while (shown_id := view.cell("touches", 0)["update_id"]) < flood.last_id + id_offset:
        behind_count = flood.last_id + id_offset - shown_id
        assert time.monotonic() < deadline, f"the book is {behind_count} updates behind"
    count = 0
    for side, letter in ((Side.BUY, "b"), (Side.SELL, "a")):
        levels = [
            (book.level_ticks(address, side, index), book.level_lots(address, side, index))
            for index in range(book.level_count(address, side))
        ]
        assert levels == flood.levels[letter], f"side {letter} differs from the slow twin's"
        count += len(levels)
    return count


def drive(engine: Engine, view: RunView, seconds: float) -> dict[str, Any]:
    """Flood the engine for so long; return the figures."""
    end = time.monotonic() + min(WARM_S, seconds)
    while time.monotonic() < end:
        engine.send_pass()
    memory, before = Memory(engine.pids), counts(view)
    bytes_before, frames_before = engine.sent_bytes, engine.sent_count
    started = next_sample = time.monotonic()
    rates: list[float] = []
    while time.monotonic() - started < seconds or len(rates) < 3:
        rates.append(engine.send_pass())
        if time.monotonic() >= next_sample:
            memory.sample()
            next_sample += SAMPLE_S
    id_offset = engine.pass_count * engine.flood.ids_a_pass
    engine.send_pass(there_and_back=False)
    engine.until_taken(view)
    took_s = time.monotonic() - started
    changed = {
        name: now - before[name] for name, now in counts(view).items() if now != before[name]
    }
    assert not changed, f"the flood was not taken as it was sent: {changed}"
    assert view.counter(INGEST, Ingested.FRAMES) == engine.sent_count
    return {
        "seconds": took_s,
        "bytes": engine.sent_bytes - bytes_before,
        "frame_count": engine.sent_count - frames_before,
        "mb_per_s": (engine.sent_bytes - bytes_before) / took_s / 1e6,
        "m_messages_per_s": (engine.sent_count - frames_before) / took_s / 1e6,
        "pass_mb_per_s": [min(rates), statistics.median(rates), max(rates)],
        "page_faults": memory.faults() - memory.fault_count,
        "resident_bytes_first": memory.resident_bytes[0],
        "resident_bytes_last": memory.resident_bytes[-1],
        "level_count": check_book(view, engine.flood, id_offset),
        "placement": engine.placement,
    }


def run_layout(folder: Path, flood: Flood, layout: str, seconds: float) -> dict[str, Any]:
    """Start the engine in one layout, flood it, and end it."""
    engine = Engine(folder, flood, layout)
    try:
        engine.start()
        with engine.view() as view, pinned(house_cpu()):
            return drive(engine, view, seconds)
    finally:
        engine.close()


def run(seconds: float) -> dict[str, Any]:
    """Run the benchmark, ``seconds`` for each layout and a third of it for picows."""
    flood = Flood()
    figures: dict[str, Any] = {}
    for layout in LAYOUTS:
        with tempfile.TemporaryDirectory() as folder:
            figures[layout] = run_layout(Path(folder), flood, layout, seconds)
    others = {
        name: flood_picows.measure(flood, seconds / 3, has_tls=name == "TLS")
        for name in BARS_MB_PER_S
    }
    return {
        "machine": machine_line(),
        "frames": flood.words,
        "frame_bytes": flood.bytes / flood.frame_count,
        "sender_cpu": house_cpu(),
        "figures": figures,
        "picows": others,
    }


def lines(result: dict[str, Any]) -> list[str]:
    """Return the result for people."""
    rows = [
        f"flood: {result['frames']}, {result['frame_bytes']:.0f} B a frame, renumbered; "
        f"sender on cpu {result['sender_cpu']}",
        f"  {'':<22}{'MB/s':>8}{'M msg/s':>9}{'a pass, MB/s':>16}{'faults':>8}{'resident':>12}",
    ]
    for layout, figure in result["figures"].items():
        least, _, most = figure["pass_mb_per_s"]
        grown = (figure["resident_bytes_last"] - figure["resident_bytes_first"]) / 1024
        rows.append(
            f"  {layout:<22}{figure['mb_per_s']:>8.0f}{figure['m_messages_per_s']:>9.2f}"
            f"{f'{least:.0f}..{most:.0f}':>16}{figure['page_faults']:>8}{f'{grown:+.0f} KiB':>12}"
        )
    for layout, figure in result["picows"].items():
        words = f"picows, {layout}"
        rows.append(f"  {words:<22}{figure['mb_per_s']:>8.0f}{figure['m_messages_per_s']:>9.2f}")
    for layout, figure in result["figures"].items():
        where = ", ".join(f"{r} {p['cpu']}/{p['wait']}" for r, p in figure["placement"].items())
        bar = BARS_MB_PER_S.get(layout)
        wanted = "" if bar is None else f"; bar {bar} MB/s {verdict(figure['mb_per_s'] >= bar)}"
        rows.append(
            f"  {layout}: {figure['frame_count']:,} frames in {figure['seconds']:.1f} s, "
            f"none lost; book of {figure['level_count']} levels equal to the twin's{wanted}"
        )
        rows.append(f"    cpu/wait: {where}")
    return rows
