"""The whole engine on a recording, at its own pace and faster (recipe M27)."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines import Engine, Exchange, strategy_of, until
from recordings import SPOT
from running import Running, started

from procs.stages.book_stage import BookCounter as Book
from procs.stages.ingest.ingest_stage import IngestCounter as Ingest
from procs.stages.strategy_inputs import StrategyCounter

pytestmark = pytest.mark.timeout(1000)  # it may be the first to need the compiler

#: How much of it is played, in the recording's time, at each pace.
SPANS_S = {"1": 5, "10": 60, "max": 10_000}


def beginning_of(source: Path, target: Path, span_s: float) -> list[bytes]:
    """Write the lines of the first ``span_s`` of a recording; return them."""
    with gzip.open(source) as stream:
        lines = stream.read().splitlines(keepends=True)
    begun_ns = int(lines[0].partition(b" ")[0])
    kept = [line for line in lines if int(line.partition(b" ")[0]) - begun_ns <= span_s * 1e9]
    target.write_bytes(gzip.compress(b"".join(kept), 1))
    return kept


@pytest.fixture(params=SPANS_S)
def played(
    request: pytest.FixtureRequest, recordings: Path, tmp_path: Path
) -> Iterator[tuple[Running, list[bytes]]]:
    """An engine on the recording, at one pace, and the lines that are played."""
    path = tmp_path / "capture.jsonl.gz"
    lines = beginning_of(recordings / SPOT, path, SPANS_S[request.param])
    exchange = Exchange(tmp_path, "--capture", str(path), "--speed", request.param)
    engine = Engine.on(tmp_path, exchange, strategies=[strategy_of("BTCUSDT", 100, 2000)])
    engine.config["sources"][0]["symbols"] = ["BTCUSDT"]
    engine.write_config()
    with started(exchange, engine) as run:
        yield run, lines


def test_m27_nothing_of_a_recording_is_lost(played: tuple[Running, list[bytes]]) -> None:
    """Every frame becomes a message, every trade reaches the strategy; no gap, no drop."""
    running, lines = played
    texts = [json.loads(line.partition(b" ")[2]) for line in lines]
    kinds = Counter(text["stream"].partition("@")[2] for text in texts if "stream" in text)
    frame_count = sum(kinds.values())
    until(lambda: running.report()["messages"] >= frame_count, "all was taken")
    until(lambda: running.booked(Book.FRAMES) >= frame_count, "all reached the book")
    until(
        lambda: running.count("strategy", StrategyCounter.TRADES) >= kinds["trade"],
        "all trades reached the strategy",
    )
    facts = running.report()
    assert facts["messages"] == frame_count
    assert (facts["gaps"], facts["dropped"], facts["invalid_messages"]) == (0, 0, 0)
    assert running.ingested(Ingest.STALLS) == 0
    assert running.booked(Book.MISMATCHES) == 0
    assert running.count("strategy", StrategyCounter.TRADES) == kinds["trade"]
