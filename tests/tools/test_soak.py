"""What a soak judges, on series that are made up; and one short soak as it is run."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from engines import ROOT, START_S
from hypothesis import given, settings
from hypothesis import strategies as st

from ipc.histogram import BIN_COUNT, bin_index, bin_top_ns
from procs.observe.samples.sample import Histogram
from tools.soak import rules
from tools.soak.looks import LATENCIES, Faults, Held, Look

MB = 1_000_000
PAGE_BYTES = 4096
LOOK_S, LOOK_COUNT = 5.0, 121  # ten minutes
SEGMENTS = ["x.books", "x.clock"]

replace = msgspec.structs.replace


def held(uss_bytes: int = 20 * MB) -> Held:
    """Return what a process holds."""
    return Held(9, uss_bytes, uss_bytes, uss_bytes, 20, 2, Faults(7, 1), Faults(900, 2))


def histogram(count: int, value_ns: int) -> Histogram:
    """Return a histogram of one value."""
    bins = np.zeros(BIN_COUNT, np.int64)
    bins[bin_index(value_ns)] = count
    return Histogram(count, count * value_ns, value_ns, bins)


def look(index: int) -> Look:
    """Return one look of a run in which nothing goes wrong."""
    return Look(
        at_s=index * LOOK_S, processes={name: held() for name in ("book", "gateway", "exchange")},
        segments=SEGMENTS, messages=1_000 * index, orders=100 * index, lost_count=0, full_count=0,
        gap_count=0, lives=4, connections=2, fill=0.01,
        latencies={name: histogram(10_000 * index, 20_000) for name in LATENCIES},
    )  # fmt: skip


def series(change: Callable[[int, Look], Look] = lambda _, each: each) -> list[Look]:
    """Return ten minutes of looks, each changed."""
    return [change(index, look(index)) for index in range(LOOK_COUNT)]


def broken(looks: list[Look]) -> list[str]:
    """Return the rules that a series breaks."""
    return [row.what for row in rules.judge(looks) if row.is_good is False]


def with_book(each: Look, **changes: Any) -> Look:
    """Return a look with another book."""
    book = replace(each.processes["book"], **changes)
    return replace(each, processes={**each.processes, "book": book})


def test_a_run_in_which_nothing_grows_passes() -> None:
    rows = rules.judge(series())
    assert [row for row in rows if row.is_good is False] == []
    assert {row.what for row in rows if row.is_good} >= {
        "memory of its own, steepest slope", "minor faults, hot threads", "descriptors",
        "records lost", "tick-to-order P50, last to first third",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("memory of its own, steepest slope",
         lambda i, each: with_book(each, uss_bytes=20 * MB + 2 * MB * i // 720)),
        ("minor faults, hot threads", lambda i, each: with_book(each, hot=Faults(7 + i // 100, 1))),
        ("major faults, hot threads", lambda i, each: with_book(each, hot=Faults(7, 1 + i // 100))),
        ("major faults, other threads",
         lambda i, each: with_book(each, others=Faults(900, 2 + i // 100))),
        ("descriptors", lambda i, each: with_book(each, fd_count=20 + i // 40)),
        ("threads", lambda i, each: with_book(each, thread_count=2 + i // 40)),
        ("shared memory segments",
         lambda i, each: replace(each, segments=SEGMENTS + ["x.more"] * (i // 100))),
        ("records lost", lambda _, each: replace(each, lost_count=1)),
        ("gaps in the market data", lambda _, each: replace(each, gap_count=1)),
        ("stages started again", lambda i, each: replace(each, lives=4 + i // 10)),
        ("connections opened again", lambda i, each: replace(each, connections=2 + i // 10)),
    ],
)  # fmt: skip
def test_each_leak_breaks_its_own_rule_alone(
    rule: str, change: Callable[[int, Look], Look]
) -> None:
    assert broken(series(change)) == [rule]


def test_a_latency_that_drifts_is_found() -> None:
    """What matters is what was recorded in the last third, not the sum of all."""

    def slower(index: int, each: Look) -> Look:
        early, late = min(index, 90), max(index - 90, 0)
        bins = histogram(10_000 * early, 20_000).bins + histogram(10_000 * late, 30_000).bins
        mixed = Histogram(10_000 * index, 0, 30_000, bins)
        return replace(each, latencies=dict.fromkeys(LATENCIES, mixed))

    assert broken(series(slower)) == [
        "tick-to-order P50, last to first third", "recv-to-order P50, last to first third",
    ]  # fmt: skip


def test_what_is_taken_while_it_warms_up_is_forgiven() -> None:
    def warming(index: int, each: Look) -> Look:
        early = min(index, int(rules.WARM_S_MAX / LOOK_S))
        return with_book(each, uss_bytes=(20 + early) * MB, hot=Faults(early, 0), fd_count=early)

    assert broken(series(warming)) == []


def test_one_page_more_is_no_slope_and_what_is_not_ours_is_not_judged() -> None:
    def step(index: int, each: Look) -> Look:
        exchange = held(20 * MB + MB * index)
        each = replace(each, processes={**each.processes, "exchange": exchange})
        return with_book(each, uss_bytes=20 * MB + PAGE_BYTES * (index // 61))

    assert broken(series(step)) == []


def test_a_short_run_is_not_judged_by_slopes_but_by_what_must_never_be() -> None:
    def growing(index: int, each: Look) -> Look:
        return with_book(replace(each, at_s=float(index)), uss_bytes=(20 + index) * MB)

    looks = series(growing)
    assert broken(looks) == []
    assert rules.judge(looks)[0].is_good is None
    assert broken([replace(each, lost_count=3) for each in looks]) == ["records lost"]
    assert broken(looks[:2]) == ["looks after the warm-up"]


@settings(max_examples=60, deadline=None)
@given(
    per_h=st.integers(-(10**8), 10**8),
    start=st.integers(0, 10**9),
    spikes=st.dictionaries(st.integers(0, 40), st.integers(0, 10**9), max_size=8),
)
def test_the_slope_is_that_of_the_line_whatever_the_outliers(
    per_h: int, start: int, spikes: dict[int, int]
) -> None:
    """Eight of 41 values may be anything; the slope stays within those of the rest."""
    at_s = [float(second) for second in range(0, 205, 5)]
    line = [start + per_h * second / 3600 for second in at_s]
    assert rules.slope_per_h(at_s, line) == pytest.approx(per_h, abs=1e-3)
    if per_h == 0:
        spoiled = [value + spikes.get(index, 0) for index, value in enumerate(line)]
        assert rules.slope_per_h(at_s, spoiled) == 0


def test_the_percentile_between_two_looks_is_of_what_came_in_between() -> None:
    before, more = histogram(900, 20_000), histogram(500, 40_000)
    after = replace(before, count=1_400, bins=before.bins + more.bins)
    assert rules.taken_between(before, after, 0.5) == bin_top_ns(bin_index(40_000))
    assert rules.taken_between(after, after, 0.5) is None


@pytest.mark.timeout(1000)  # it may be the first to need the compiler
def test_a_short_soak_runs_and_leaves_nothing(tmp_path: Path) -> None:
    """Every rule has a row, every process a line, and the exchange's books agree."""
    text = (ROOT / "configs" / "demo.toml").read_text()
    config_path, json_path = tmp_path / "soak.toml", tmp_path / "soak.json"
    config_path.write_text(f'runs_folder = "{tmp_path}"\n{text}')
    done = subprocess.run(
        [sys.executable, "-m", "tools.soak", "--config", str(config_path), "--minutes", "0.15",
         "--json", str(json_path)],
        cwd=ROOT, env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True, text=True, timeout=START_S, check=False,
    )  # fmt: skip
    assert json_path.exists(), done.stdout + done.stderr
    facts = json.loads(json_path.read_text())
    assert facts["faults"] == []
    assert "nothing is left" in done.stdout
    looks = facts["looks"]
    names = {"ingest", "book", "strategy", "gateway", "supervisor", "nursery", "exchange"}
    assert names <= set(looks[0]["processes"])
    assert looks[-1]["orders"] > looks[0]["orders"]
    assert all(sum(h["bins"].values()) == h["count"] for h in looks[-1]["latencies"].values())
    assert {row["what"] for row in facts["rules"]} == {row.what for row in rules.judge(series())}
    for row in facts["rules"]:
        assert row["what"] in done.stdout
    assert done.returncode == (1 if any(row["is_good"] is False for row in facts["rules"]) else 0)
    # A loaded machine may cost a connection or a record, but never an allocation.
    (hot,) = (row for row in facts["rules"] if row["what"] == "minor faults, hot threads")
    assert hot["is_good"], done.stdout
