"""The rules of a soak, over a series of looks; pure functions.

A run shorter than ``SLOPE_S_MIN`` is too short to distinguish growth from a single page: then
slopes and drifts are reported and not judged.
"""

import statistics
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from ipc.histogram import percentile_ns
from procs.observe.samples.sample import Histogram
from tools.soak.looks import LATENCIES, Held, Look

WARM_SHARE, WARM_S_MAX = 0.2, 120.0
SLOPE_S_MIN = 240.0
SLOPE_BYTES_PER_H_MAX = 1 << 20
DRIFT_MAX = 1.2
LOOK_COUNT_MIN = 3
#: Processes of the test itself: reported, not judged.
NOT_OURS = ("exchange",)


class Row(NamedTuple):
    """One rule: the value found and the bound; ``is_good`` is None when only reported."""

    what: str
    bar: str
    found: str
    is_good: bool | None


def slope_per_h(at_s: Sequence[float], values: Sequence[float]) -> float:
    """Return the median of the slopes between all pairs, per hour.

    Source: P. K. Sen, Estimates of the Regression Coefficient Based on Kendall's Tau (1968); up to
    29 % of the values may be anything.
    """
    pairs = combinations(range(len(at_s)), 2)
    slopes = [(values[j] - values[i]) / (at_s[j] - at_s[i]) for i, j in pairs if at_s[j] > at_s[i]]
    return 3600 * statistics.median(slopes) if slopes else 0.0


def warm_s(seconds: float) -> float:
    """Return the length of the warm-up, which is left out."""
    return min(WARM_SHARE * seconds, WARM_S_MAX)


def after_warm_up(looks: Sequence[Look]) -> list[Look]:
    """Return the looks that count."""
    return [look for look in looks if look.at_s >= warm_s(looks[-1].at_s)]


def thirds(looks: Sequence[Look]) -> tuple[Sequence[Look], Sequence[Look]]:
    """Return the first and the last third of the looks, of one look at least."""
    count = max(len(looks) // 3, 1)
    return looks[:count], looks[-count:]


def judge(all_looks: Sequence[Look]) -> list[Row]:
    """Return every rule's row."""
    looks = after_warm_up(all_looks)
    if len(looks) < LOOK_COUNT_MIN:
        return [Row("looks after the warm-up", f">= {LOOK_COUNT_MIN}", str(len(looks)), False)]
    is_long = all_looks[-1].at_s >= SLOPE_S_MIN
    return [
        slope_row(looks, is_long=is_long),
        *fault_rows(looks),
        flat_row(looks, "descriptors", "fd_count"),
        flat_row(looks, "threads", "thread_count"),
        segment_row(all_looks),
        *loss_rows(all_looks),
        *(row for name in LATENCIES for row in drift_rows(looks, name, is_long=is_long)),
    ]


def ours(looks: Sequence[Look]) -> list[str]:
    """Return the engine's processes that are in every look."""
    names = [name for name in looks[0].processes if name not in NOT_OURS]
    return [name for name in names if all(name in look.processes for look in looks)]


def of(looks: Sequence[Look], name: str) -> list[Held]:
    """Return one process's resources, look by look."""
    return [look.processes[name] for look in looks]


def slope_of(looks: Sequence[Look], name: str, field: str = "uss_bytes") -> float:
    """Return the growth of a process's memory, in bytes per hour."""
    at_s = [look.at_s for look in looks]
    return slope_per_h(at_s, [getattr(held, field) for held in of(looks, name)])


def slope_row(looks: Sequence[Look], *, is_long: bool) -> Row:
    """Judge the steepest growth of memory."""
    slopes = {name: slope_of(looks, name) for name in ours(looks)}
    name = max(slopes, key=lambda each: slopes[each])
    return Row(
        "memory of its own, steepest slope",
        "< 1 MB/h",
        f"{slopes[name] / 1e6:+.2f} MB/h ({name})",
        slopes[name] < SLOPE_BYTES_PER_H_MAX if is_long else None,
    )


def fault_rows(looks: Sequence[Look]) -> list[Row]:
    """Judge the page faults since the warm-up; a minor one of a hot thread is an allocation."""
    before, after = looks[0].processes, looks[-1].processes
    pairs = [(before[name], after[name]) for name in ours(looks)]
    hot_minor = sum(new.hot.minor - old.hot.minor for old, new in pairs)
    hot_major = sum(new.hot.major - old.hot.major for old, new in pairs)
    # The counts of ended threads are gone.
    other_minor = sum(max(new.others.minor - old.others.minor, 0) for old, new in pairs)
    other_major = sum(max(new.others.major - old.others.major, 0) for old, new in pairs)
    return [
        Row("minor faults, hot threads", "0", str(hot_minor), hot_minor == 0),
        Row("major faults, hot threads", "0", str(hot_major), hot_major == 0),
        Row("major faults, other threads", "0", str(other_major), other_major == 0),
        Row("minor faults, other threads", "", str(other_minor), None),
    ]


def flat_row(looks: Sequence[Look], what: str, field: str) -> Row:
    """Judge a value that may rise and fall but not stay up: medians of first and last third."""
    first, last = thirds(looks)
    grown = {}
    for name in ours(looks):
        begun, ended = (
            statistics.median_low([getattr(held, field) for held in of(part, name)])
            for part in (first, last)
        )
        if ended > begun:
            grown[name] = ended - begun
    found = ", ".join(f"+{count} {name}" for name, count in grown.items())
    return Row(what, "flat", found or "flat", not grown)


def segment_row(looks: Sequence[Look]) -> Row:
    """Judge the segments: they must stay those of the beginning."""
    is_good = all(look.segments == looks[0].segments for look in looks)
    found = f"{len(looks[-1].segments)}" + ("" if is_good else ", not the same")
    return Row("shared memory segments", f"{len(looks[0].segments)}", found, is_good)


def loss_rows(looks: Sequence[Look]) -> list[Row]:
    """Judge what must not happen at any time, the warm-up included."""
    last, first = looks[-1], looks[0]
    fullest = max(look.fill for look in looks)
    return [
        Row("records lost", "0", str(last.lost_count), last.lost_count == 0),
        Row("gaps in the market data", "0", str(last.gap_count), last.gap_count == 0),
        Row("stages started again", "0", str(last.lives - first.lives), last.lives == first.lives),
        Row(
            "connections opened again", "0", str(last.connections - first.connections),
            last.connections == first.connections,
        ),
        Row("waits for room on a ring", "", str(last.full_count), None),
        Row("fullest ring at a look", "", f"{fullest:.1%}", None),
    ]  # fmt: skip


def taken_between(before: Histogram, after: Histogram, fraction: float) -> int | None:
    """Return a percentile of a histogram's new values, in ns; None when there are too few."""
    return percentile_ns(np.maximum(after.bins - before.bins, 0), fraction)


def drift_rows(looks: Sequence[Look], name: str, *, is_long: bool) -> list[Row]:
    """Judge a latency of the last third against the first; its P99 is the machine's as well."""
    parts = [(part[0].latencies[name], part[-1].latencies[name]) for part in thirds(looks)]
    label = name.removesuffix("_ns").replace("_", "-")
    rows = []
    for word, fraction, bar in (("P50", 0.5, DRIFT_MAX), ("P99", 0.99, None)):
        begun_ns, ended_ns = (taken_between(*part, fraction) for part in parts)
        if not begun_ns or ended_ns is None:
            rows.append(Row(f"{label} {word}, last to first third", "", "too few", None))
            continue
        ratio = ended_ns / begun_ns
        found = f"{ratio:.2f} ({begun_ns / 1e3:.1f} to {ended_ns / 1e3:.1f} us)"
        is_good = ratio <= bar if is_long and bar is not None else None
        bar_text = f"<= {bar:.2f}" if bar is not None else ""
        rows.append(Row(f"{label} {word}, last to first third", bar_text, found, is_good))
    return rows
