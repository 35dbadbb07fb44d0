"""The benchmark ``parse``: a whole capture into ring slots, in order, a reader summing every field.

On one core, beside msgspec, orjson and simdjson's on-demand parser on the same bytes, all taking
turns, so that a noisy moment hits all.  The sums must be equal, else the run fails.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ipc.memory import address_of
from ipc.segment import segment_name
from ipc.shared import RingSpec, SharedRing
from ipc.types import RecordArray
from tools.bench import frames as market
from tools.bench import parse_bybit
from tools.bench import parse_others as others
from tools.bench.bars import verdict
from tools.bench.bybit_frames import bybit_instruments, load_bybit
from tools.bench.machine import machine_line, pin
from tools.bench.parse_loops import Sum, parse_all, parse_all_bybit
from tools.bench.parse_others import TYPE_OFFSET, Simdjson
from vortex.decoding.instruments import build_catalog
from vortex.records import DEPTH, FEED, LEVELS, MARKET_SLOT_BYTES, TICKER, TRADE

MESSAGE_COUNT_MAX = 4_096
#: The bar of each case: figure, least value, unit; and how many times a rival's speed.
BARS = {
    "mix": ("gb_per_s", 1.5, "GB/s"),
    "depth": ("gb_per_s", 2.0, "GB/s"),
    "bookTicker": ("m_messages_per_s", 10.0, "M msg/s"),
    "bybit": ("gb_per_s", 1.5, "GB/s"),
}
RIVAL_BARS = {"msgspec": 5.0, "simdjson": 2.0}
#: Half of Bybit's bytes are keys and brackets around short numbers, which costs all alike.
BYBIT_RIVAL_BARS = {"msgspec": 4.0}
SPEC = RingSpec(
    (DEPTH, LEVELS, TICKER, TRADE, FEED), MARKET_SLOT_BYTES, 1 << 14, MESSAGE_COUNT_MAX,
    "publish_ns",
)  # fmt: skip
PAD_BYTES = 64


class Frames:
    """Frames in one piece of memory, as in a receive buffer, and the offset of each."""

    def __init__(self, frames: list[bytes]) -> None:
        self.frames = frames
        self.bytes = sum(len(frame) for frame in frames)
        header = b"\x82\x7e\0\0"  # the header of each payload on the wire
        joined = b"".join(header + frame for frame in frames) + bytes(PAD_BYTES)
        self.buffer = np.frombuffer(joined, np.uint8).copy()
        lengths = np.array([len(frame) for frame in frames], np.int64)
        ends = np.cumsum(lengths + len(header))
        self.table = np.empty((len(frames), 2), np.int64)
        self.table[:, 0] = address_of(self.buffer) + ends - lengths
        self.table[:, 1] = lengths


class Ours:
    """The engine's decoder, and a ring in shared memory as the engine has it."""

    def __init__(
        self, instruments: "RecordArray | None" = None, loop: Callable[..., int] = parse_all
    ) -> None:
        self.loop = loop
        self.instruments = market.instruments() if instruments is None else instruments
        self.catalog, self.slots = build_catalog(self.instruments)
        name = segment_name(f"bench-{os.getpid()}", f"market-{id(self):x}")
        self.shared = SharedRing.create(name, SPEC, run_id=1)
        self.writer = SharedRing.attach_writer(name, SPEC)
        self.reader = SharedRing.attach_reader(name, SPEC)

    def run(self, frames: Frames, expected: list[int]) -> float:
        """Decode and read all frames once; return the seconds."""
        sums = np.zeros(len(Sum), np.int64)
        arguments = (
            address_of(frames.table), len(frames.frames), address_of(self.catalog),
            self.writer.address, self.reader.address, MESSAGE_COUNT_MAX, address_of(sums),
        )  # fmt: skip
        start = time.perf_counter()
        refused_count = self.loop(*arguments)
        took = time.perf_counter() - start
        assert refused_count == 0, f"{refused_count} frames were refused"
        assert sums.tolist() == expected, "the sums of the records differ from the slow decoder's"
        return took

    def close(self) -> None:
        """Remove the ring."""
        self.shared.segment.unlink()
        for shared in (self.shared, self.writer, self.reader):
            shared.close()


def cases_of(frames: list[bytes]) -> dict[str, list[bytes]]:
    """Return the frames of each case."""
    of_type = {letter: [f for f in frames if f[TYPE_OFFSET] == ord(letter)] for letter in "db"}
    return {"mix": frames, "depth": of_type["d"], "bookTicker": of_type["b"]}


def seconds_of(function: Callable[[list[bytes]], Any], frames: list[bytes]) -> float:
    """Return how long a Python decoder takes for all frames."""
    start = time.perf_counter()
    function(frames)
    return time.perf_counter() - start


class Reading(NamedTuple):
    """How one venue's frames are decoded: by us, and by others."""

    ours: Ours
    sums: Callable[[list[bytes]], list[int]]
    python: dict[str, Callable[[list[bytes]], Any]]


def sides_of(cases: dict[str, list[bytes]]) -> dict[str, Reading]:
    """Return how the frames of each case are decoded."""
    binance = Reading(Ours(), others.decode_and_sum, others.kinds_of_python())
    bybit = Reading(
        Ours(bybit_instruments(), parse_all_bybit),
        parse_bybit.sum_bybit,
        parse_bybit.kinds_for_bybit(),
    )
    return {name: bybit if name == "bybit" else binance for name in cases}


def measure(cases: dict[str, list[bytes]], seconds: float, folder: str) -> dict[str, Any]:
    """Let all decoders take turns for about ``seconds``; return the seconds of each pass."""
    blocks = {name: Frames(frames) for name, frames in cases.items()}
    sides = sides_of(cases)
    expected = {name: sides[name].sums(frames) for name, frames in cases.items()}
    in_cpp = {name: frames for name, frames in cases.items() if name != "bybit"}
    simdjson = None if others.why_no_simdjson() else Simdjson(folder, in_cpp)
    took: dict[str, dict[str, list[float]]] = {name: {} for name in cases}
    try:
        for name in cases:  # compiles, and warms what there is to warm
            sides[name].ours.run(blocks[name], expected[name])
        end = time.monotonic() + seconds
        while not took["mix"] or time.monotonic() < end:
            for name, frames in cases.items():
                passes, side = took[name], sides[name]
                passes.setdefault("ours", []).append(side.ours.run(blocks[name], expected[name]))
                if simdjson is not None and name in in_cpp:
                    one = others.run_checked(simdjson, name, expected[name])
                    passes.setdefault("simdjson", []).append(one)
                for kind, function in side.python.items():
                    passes.setdefault(kind, []).append(seconds_of(function, frames))
    finally:
        if simdjson is not None:
            simdjson.close()
        for ours in {id(side.ours): side.ours for side in sides.values()}.values():
            ours.close()
    return took


def summarize(took: dict[str, list[float]], byte_count: int, frame_count: int) -> dict[str, Any]:
    """Return rates by the median pass, their spread, and how many times as fast ours is."""
    figures = {}
    for kind, passes in took.items():
        median = statistics.median(passes)
        ratios = [other / ours for other, ours in zip(passes, took["ours"], strict=True)]
        figures[kind] = {
            "gb_per_s": byte_count / median / 1e9,
            "gb_per_s_least": byte_count / max(passes) / 1e9,
            "gb_per_s_most": byte_count / min(passes) / 1e9,
            "m_messages_per_s": frame_count / median / 1e6,
            "ours_is_faster_by": statistics.median(ratios),
            "pass_count": len(passes),
        }
    return figures


def run(seconds: float, frame_count_max: int | None = None) -> dict[str, Any]:
    """Run the benchmark for about ``seconds``; return machine, frames and figures."""
    frames, source = market.load(frame_count_max)
    bybit, bybit_source = load_bybit(frame_count_max)
    cases = {**cases_of(frames), "bybit": bybit}
    affinity = os.sched_getaffinity(0)
    pin(len(affinity) - 1)
    try:
        with tempfile.TemporaryDirectory() as folder:
            took = measure(cases, seconds, folder)
    finally:
        os.sched_setaffinity(0, affinity)
    figures, sizes = {}, {}
    for name, chosen in cases.items():
        byte_count = sum(len(frame) for frame in chosen)
        figures[name] = summarize(took[name], byte_count, len(chosen))
        sizes[name] = {"frame_count": len(chosen), "bytes": byte_count}
    return {
        "machine": machine_line(),
        "frames": f"{source}, {bybit_source}",
        "cases": sizes,
        "skipped": others.why_no_simdjson(),
        "figures": figures,
    }


def bars_of(case: str, kinds: dict[str, Any]) -> list[str]:
    """Return the bars of one case, and whether it reaches them."""
    figure, bar, unit = BARS[case]
    texts = [f"{bar:g} {unit} {verdict(kinds['ours'][figure] >= bar)}"]
    for rival, times in (BYBIT_RIVAL_BARS if case == "bybit" else RIVAL_BARS).items():
        if rival in kinds:
            texts.append(
                f"{times:g} x {rival} {verdict(kinds[rival]['ours_is_faster_by'] >= times)}"
            )
    return texts


def lines(result: dict[str, Any]) -> list[str]:
    """Return the result for people."""
    rows = [f"parse: {result['frames']}; one core; every record's sums equal the slow decoder's"]
    if result["skipped"]:
        rows.append(f"simdjson skipped: {result['skipped']}")
    for name, kinds in result["figures"].items():
        size = result["cases"][name]
        mean = size["bytes"] / size["frame_count"]
        rows.append("")
        rows.append(
            f"{name + f', {mean:.0f} B a frame':<28}{'GB/s':>8}{'least..most':>14}"
            f"{'M msg/s':>9}{'ours is':>10}"
        )
        for kind, figure in kinds.items():
            spread = f"{figure['gb_per_s_least']:.2f}..{figure['gb_per_s_most']:.2f}"
            ratio = f"{figure['ours_is_faster_by']:.2f} x"
            rows.append(
                f"  {kind:<26}{figure['gb_per_s']:>8.2f}{spread:>14}"
                f"{figure['m_messages_per_s']:>9.2f}{ratio if kind != 'ours' else '':>10}"
            )
        rows.append(f"  bars: {'; '.join(bars_of(name, kinds))}")
    passes = result["figures"]["mix"]["ours"]["pass_count"]
    return [*rows, "", f"medians of {passes} interleaved passes"]
