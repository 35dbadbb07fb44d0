"""One side of a comparison: measures a short segment on each command, and answers in JSON.

``python -P tools/bench/segments.py NAME``, with ``PYTHONPATH`` at the checkout to be measured: the
file is of the newer checkout, all that it imports is of the one that it measures.  It uses what the
benchmarks have had since ec4de25.  A line ``ready`` comes first; each line that it reads is
answered with the nanoseconds (of an order, a frame, a message) of a segment by case.
"""

import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

Segment = Callable[[], dict[str, float]]

PASS_COUNT = 5
FRAME_COUNT_MAX = 20_000
ORDER_BATCH_COUNT = 50
TICK_COUNT = 300
LAYOUT = "four processes"
FLOOD_S = 1.0


@contextlib.contextmanager
def parse() -> Iterator[Segment]:
    """A capture into ring slots: nanoseconds a frame."""
    from tools.bench import frames as market
    from tools.bench import parse as benchmark
    from tools.bench import parse_others as others
    from tools.bench.machine import pin

    frames, _ = market.load(FRAME_COUNT_MAX)
    cases = benchmark.cases_of(frames)
    expected = {name: others.decode_and_sum(chosen) for name, chosen in cases.items()}
    blocks = {name: benchmark.Frames(chosen) for name, chosen in cases.items()}
    pin(len(os.sched_getaffinity(0)) - 1)
    ours = benchmark.Ours()

    def frame_ns(name: str) -> float:
        passes = [ours.run(blocks[name], expected[name]) for _ in range(PASS_COUNT)]
        return statistics.median(passes) / len(cases[name]) * 1e9

    def segment() -> dict[str, float]:
        return {name: frame_ns(name) for name in cases}

    try:
        yield segment
    finally:
        ours.close()


@contextlib.contextmanager
def order() -> Iterator[Segment]:
    """Build, sign and mask: nanoseconds an order."""
    from tools.bench import order as benchmark
    from tools.bench.machine import pin

    ours = benchmark.Ours("k" * 64, b"s" * 64)
    pin(len(os.sched_getaffinity(0)) - 1)
    ids = iter(range(1, 1 << 40, benchmark.BATCH_COUNT))

    def segment() -> dict[str, float]:
        return {"order": statistics.median(ours.batch(next(ids)) for _ in range(ORDER_BATCH_COUNT))}

    yield segment


@contextlib.contextmanager
def ring() -> Iterator[Segment]:
    """Two processes: nanoseconds a message, and of a round trip at P50."""
    from tools.bench import ring as benchmark

    ours = benchmark.Ours()

    def segment() -> dict[str, float]:
        return {
            "message": 1e3 / ours.throughput(benchmark.VALUE_COUNT),
            "round trip": ours.round_trip(benchmark.ROUND_COUNT)[0],
        }

    try:
        yield segment
    finally:
        ours.close()


@contextlib.contextmanager
def wire_to_wire() -> Iterator[Segment]:
    """Frame in, signed order out, in four processes: nanoseconds at P50."""
    from tools.bench import wire_to_wire as benchmark

    benchmark.compile_loops()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stopped:
        engine = benchmark.Engine(Path(folder), LAYOUT)
        try:
            engine.start()
            for _ in range(3):
                engine.warm_up()
            stopped.enter_context(engine.stopped())

            def segment() -> dict[str, float]:
                stopped.close()
                latency_ns = engine.segment(benchmark.BAR_RATE, TICK_COUNT).latency_ns
                stopped.enter_context(engine.stopped())
                return {LAYOUT: float(statistics.median(latency_ns))}

            yield segment
        finally:
            stopped.close()
            engine.close()


@contextlib.contextmanager
def flood() -> Iterator[Segment]:
    """As many frames as the engine takes: nanoseconds a frame."""
    from tools.bench import flood as benchmark
    from tools.bench.engine_run import house_cpu, pinned
    from tools.bench.flood_market import Flood

    flooded = Flood()
    layout = next(iter(benchmark.LAYOUTS))
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stopped:
        engine = benchmark.Engine(Path(folder), flooded, layout)
        try:
            engine.start()
            stopped.enter_context(engine.stopped())

            def segment() -> dict[str, float]:
                stopped.close()
                with engine.view() as view, pinned(house_cpu()):
                    done = benchmark.drive(engine, view, FLOOD_S)
                stopped.enter_context(engine.stopped())
                return {layout: 1e3 / done["m_messages_per_s"]}

            yield segment
        finally:
            stopped.close()
            engine.close()


COMPILE = """
import sys
from pathlib import Path
try:
    from procs.plan import config
    from procs.supervision.compiling import warm
except ImportError:  # before the wings
    from procs import config, warm
if __name__ == "__main__":  # its workers import this file
    warm.warm(config.load(Path(sys.argv[1])), print)
"""


def children_s() -> float:
    """Return the CPU seconds of all children that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextlib.contextmanager
def compile() -> Iterator[Segment]:
    """Compile the demonstration's four stages into an empty cache: nanoseconds in all."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "compile_demo.py"
        script.write_text(COMPILE, "utf-8")
        command = [sys.executable, "-P", str(script), str(Path.cwd() / "configs" / "demo.toml")]

        def segment() -> dict[str, float]:
            begun, begun_s = time.perf_counter(), children_s()
            with tempfile.TemporaryDirectory() as cache:
                environment = {**os.environ, "VORTEX_CACHE_DIR": cache}
                subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
            took_s, used_s = time.perf_counter() - begun, children_s() - begun_s
            return {"CPU": used_s * 1e9, "from begin to end": took_s * 1e9}

        yield segment


BENCHMARKS = {
    each.__name__: each for each in (wire_to_wire, parse, flood, order, ring, compile)
}  # fmt: skip
#: Those whose first segment is no other than the rest: nothing is compiled or warmed before it.
ALWAYS_COLD = ("compile",)


def main() -> None:
    """Serve segments until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)  # what a benchmark prints is no answer
    with BENCHMARKS[sys.argv[1]]() as segment:
        if sys.argv[1] not in ALWAYS_COLD:
            segment()  # compiles, and warms what there is to warm
        print("ready", file=answers)
        for _ in sys.stdin:
            print(json.dumps(segment()), file=answers)


if __name__ == "__main__":
    main()
