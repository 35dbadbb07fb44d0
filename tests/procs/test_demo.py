"""`python -m procs.demo`, the body of `make run`: on the simulated market and on a recording."""

import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bybit_recordings import ScriptedRecording, moving_market
from engines import ROOT, START_S, new_instance

from ipc.segment import list_segments
from procs.machine import throttle

pytestmark = pytest.mark.timeout(1000)  # it may be the first to need the compiler

SECONDS = 5
LATENCIES = (
    "tick_to_order_ns", "recv_to_order_ns", "newest_to_order_ns", "tick_to_decision_ns",
    "order_round_trip_ns",
)  # fmt: skip
COUNTS = (
    "messages", "book_updates", "orders", "cancels", "fills", "merged", "dropped", "gaps",
    "invalid_messages",
)  # fmt: skip


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Callable[..., tuple[str, dict[str, Any]]]]:
    """Return the function that runs the demonstration and returns its output and its report.

    It says which of our configurations is run, ``demo`` or ``demo_bybit``.
    """
    name = new_instance()
    config_path, report_path = tmp_path / "demo.toml", tmp_path / "report.json"

    def run(*options: str, config: str = "demo") -> tuple[str, dict[str, Any]]:
        text = (ROOT / "configs" / f"{config}.toml").read_text()
        own = f'instance = "{name}"\nruns_folder = "{tmp_path}"'
        config_path.write_text(text.replace('instance = "demo"', own))
        done = subprocess.run(
            [sys.executable, "-m", "procs.demo", "--config", str(config_path),
             "--seconds", str(SECONDS), "--report", str(report_path), *options],
            cwd=ROOT, env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
            capture_output=True, text=True, timeout=START_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout, json.loads(report_path.read_text())

    yield run
    assert list_segments(name) == []


def check_report(facts: dict[str, Any]) -> None:
    """Every field is there, and of its type."""
    assert facts["schema"] == 1
    assert facts["seconds"] >= SECONDS
    for name in COUNTS:
        assert isinstance(facts[name], int), name
    for name in LATENCIES:
        assert set(facts[name]) == {"count", "p50", "p90", "p99", "p99_9", "max"}
    assert set(facts["hops_ns"]) == {"ingest", "book", "strategy", "gateway"}
    for hop in facts["hops_ns"].values():
        assert set(hop) == {"wait", "service"}
    assert isinstance(facts["rejects"], dict)
    assert isinstance(facts["refusals"], dict)
    for number in (facts["pnl"], *facts["position"].values()):
        float(number)
    for place in facts["placement"].values():
        assert set(place) == {"pid", "cpu", "wait"}
    assert facts["dropped"] == facts["gaps"] == facts["invalid_messages"] == 0


def test_the_demonstration_trades(demo: Callable[..., tuple[str, dict[str, Any]]]) -> None:
    """One line a second, a report in the end, orders and fills on both symbols' markets."""
    output, facts = demo()
    check_report(facts)
    lines = [line for line in output.splitlines() if "tick-to-order p50" in line]
    assert len(lines) == SECONDS
    assert facts["orders"] > 0
    assert facts["fills"] > 0
    assert set(facts["position"]) == {"BTCUSDT", "ETHUSDT"}
    assert "out_of_bounds" not in facts["rejects"]


def test_stages_that_take_turns_run_under_the_real_time_scheduler(
    demo: Callable[..., tuple[str, dict[str, Any]]],
) -> None:
    """Where the machine has the CPUs and this user the right; its setting is as before then."""
    setting = throttle.setting_path(throttle.HERE)
    if len(os.sched_getaffinity(0)) < 2 or not os.access(setting, os.W_OK):
        pytest.skip("there is no CPU for the engine alone, or this user may not set the machine")
    before = setting.read_text()
    is_bounded = throttle.bounds(throttle.HERE)
    output, _ = demo("--no-dashboard")
    takes_turns = re.search(r"^gateway +cpu \d+ +yield$", output, re.M) is not None
    assert ("scheduler    fifo" in output) == takes_turns
    assert ("for this run" in output) == (takes_turns and is_bounded)
    assert setting.read_text() == before


def write_recording(path: Path, symbol: str) -> int:
    """Write a recording in which one quote moves up and down; return how many frames it has."""
    lower = symbol.lower()
    lines, update_id, now_ns = [], 100, 1_700_000_000_000_000_000

    def add(kind: str, data: dict[str, Any]) -> None:
        nonlocal now_ns
        now_ns += 1_000_000
        text = json.dumps({"stream": f"{lower}@{kind}", "data": data}, separators=(",", ":"))
        lines.append(f"{now_ns} {text}\n")

    for number in range(500):
        first_id, update_id = update_id + 1, update_id + 3
        bid, ask = (f"{50000 + number % 5 + side}.00000000" for side in (0, 1))
        old = f"{50000 + (number - 1) % 5 + 1}.00000000"
        gone = [[old, "0.00000000"]] if number % 5 and number else []
        bids = [[f"{50000 + n}.00000000", "0.00000000"] for n in range(number % 5 + 1, 5)]
        add("depth@100ms", {
            "e": "depthUpdate", "E": 1, "s": symbol, "U": first_id, "u": update_id,
            "b": [*bids, [bid, "1.00000000"]], "a": [*gone, [ask, "2.00000000"]],
        })  # fmt: skip
        add("bookTicker", {"u": update_id, "s": symbol, "b": bid, "B": "1.00000000",
                           "a": ask, "A": "2.00000000"})  # fmt: skip
        add("trade", {"e": "trade", "E": 1, "s": symbol, "t": number + 1, "p": bid,
                      "q": "0.00100000", "T": 1, "m": True, "M": True})  # fmt: skip
    with gzip.open(path, "wt") as file:
        file.writelines(lines)
    return len(lines)


def test_a_recording_can_be_served(
    demo: Callable[..., tuple[str, dict[str, Any]]], tmp_path: Path
) -> None:
    """Its symbol alone is run, though the configuration does not know it; what it holds arrives."""
    path = tmp_path / "tiny.jsonl.gz"
    frame_count = write_recording(path, "TESTUSDT")
    output, facts = demo("--capture", str(path), "--speed", "1")
    check_report(facts)
    assert set(facts["position"]) == {"TESTUSDT"}
    assert frame_count // 2 < facts["messages"] <= frame_count + 10
    assert facts["book_updates"] > 0
    assert facts["orders"] > 0
    assert set(facts["rejects"]) <= {"venue_unknown_order", "venue_would_take"}, "it has the assets"
    assert "TESTUSDT: the configuration has no strategy for it" in output


def test_a_recording_of_bybit_can_be_served(
    demo: Callable[..., tuple[str, dict[str, Any]]], tmp_path: Path
) -> None:
    """Pushed snapshots and changes reach the book; orders are placed, amended and filled."""
    recording = ScriptedRecording(every_ms=5)
    recording.instruments(("TESTUSDT", "TEST", "USDT", "0.10", "0.1"))
    moving_market(recording, "TESTUSDT", 100.0, 0.1, 300, 2)
    path = recording.save(tmp_path / "tiny.jsonl")
    output, facts = demo("--capture", str(path), config="demo_bybit")
    check_report(facts)
    assert set(facts["position"]) == {"TESTUSDT"}
    assert facts["book_updates"] >= 250
    assert facts["orders"] > 0
    assert facts["fills"] > 0
    assert "bybit_linear" in output
