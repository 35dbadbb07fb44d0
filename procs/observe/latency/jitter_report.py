"""The report of a jitter audit of the CPUs: as an object, and for people."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from ipc.histogram import bin_index, summary
from procs.machine.jitter import NS_PER_SECOND, CpuAudit, Gap, cause_of, grid_of, window_of
from procs.observe.samples.report import microseconds

SCHEMA = 1
WORST_COUNT = 8


def report(found: CpuAudit) -> dict[str, Any]:
    """Return the report of one CPU."""
    counted = summary(found.histogram[0])
    bins = np.asarray(found.histogram[0]["bin_count"])
    begins = np.array([gap.begin_ns for gap in found.gaps], np.int64)
    grid = grid_of(begins)
    caused = [(cause_of(gap, window_of(gap, found.windows), grid), gap) for gap in found.gaps]
    seconds = max(found.watched_ns, 1) / NS_PER_SECOND
    worst = sorted(caused, key=lambda pair: -pair[1].gap_ns)[:WORST_COUNT]
    total_ns = sum(window.end_ns - window.begin_ns for window in found.windows)
    return {
        "cpu": found.cpu_index,
        "threshold_ns": found.threshold_ns,
        "clock_read_ns": found.median_round_ns,
        "seconds": round(found.watched_ns / NS_PER_SECOND, 3),
        "gap_ns": counted,
        "gaps_per_s": round((counted["count"] or 0) / seconds, 1),
        "lost_ppm": round(found.lost_ns * 1e6 / max(found.watched_ns, 1)),
        "over_50_us_count": int(bins[bin_index(50_000) + 1 :].sum()),
        "excursions": found.excursion_count,
        "causes": causes_of(caused),
        "grid_hz": grid[0] if grid else None,
        "steal_ms": round(sum(window.counts.steal_ns for window in found.windows) / 1e6, 3),
        "waited_ms": round(sum(window.counts.waited_ns for window in found.windows) / 1e6, 3),
        "interrupts_per_s": rates([window.counts.interrupts for window in found.windows], total_ns),
        "softirqs_per_s": rates([window.counts.softirqs for window in found.windows], total_ns),
        "worst": [
            {
                "at_s": round(gap.begin_ns / NS_PER_SECOND, 6),
                "gap_ns": gap.gap_ns,
                "switches": gap.switch_count,
                "cause": cause,
            }
            for cause, gap in worst
        ],
    }


def causes_of(caused: Sequence[tuple[str, Gap]]) -> dict[str, dict[str, int]]:
    """Return the number and the time of excursions by cause, the costliest first."""
    causes: dict[str, dict[str, int]] = {}
    for cause, gap in caused:
        row = causes.setdefault(cause, {"count": 0, "lost_ns": 0})
        row["count"] += 1
        row["lost_ns"] += gap.gap_ns
    return dict(sorted(causes.items(), key=lambda item: -item[1]["lost_ns"]))


def rates(parts: Sequence[dict[str, int]], total_ns: int) -> dict[str, float]:
    """Return how often a second each source counted, the most frequent first."""
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update(part)
    seconds = max(total_ns, 1) / NS_PER_SECOND
    return {name: round(count / seconds, 1) for name, count in counts.most_common()}


def lines(reports: Sequence[dict[str, Any]], excursion_ns: int) -> list[str]:
    """Return the audit for people, 60 columns wide."""
    heads = f"{'over':>6}{'a second':>10}{'p50':>7}{'p99':>8}{'p99.9':>8}{'max':>10}"
    rows = [f"{'gaps, us':<10}{heads}"]
    for each in reports:
        p50, p99, p99_9, most = (
            microseconds(each["gap_ns"][name]) for name in ("p50", "p99", "p99_9", "max")
        )
        over = f"{each['threshold_ns'] / 1000:.2f}"
        rows.append(
            f"cpu {each['cpu']:<6}{over:>6}{each['gaps_per_s']:>10.1f}"
            f"{p50:>7}{p99:>8}{p99_9:>8}{most:>10}"
        )
    for each in reports:
        rows += ["", *cpu_lines(each, excursion_ns)]
    return rows


def cpu_lines(each: dict[str, Any], excursion_ns: int) -> list[str]:
    """Return the report of one CPU, for people."""
    rows = [
        f"cpu {each['cpu']}: {each['seconds']:.1f} s, {each['lost_ppm'] / 10_000:.2f} % lost; "
        f"stolen {each['steal_ms']:.0f} ms, waited {each['waited_ms']:.1f} ms",
        f"  {each['excursions']} gaps of {excursion_ns / 1000:g} us and more, "
        f"{each['over_50_us_count']} over 50",
    ]
    rows += [
        f"  {row['count']:>7} x {cause[:34]:<34}{row['lost_ns'] / 1e6:>10.1f} ms"
        for cause, row in each["causes"].items()
    ]
    if each["grid_hz"]:
        rows.append(f"  they follow a timer tick of {each['grid_hz']} Hz")
    sources = [*each["interrupts_per_s"].items()][:4]
    if sources:
        rows.append("  interrupts a second")
        rows += [f"  {rate:>9.1f} {name[:46]}" for name, rate in sources]
    if each["worst"]:
        rows.append("  the longest")
        rows += [
            f"  {row['gap_ns'] / 1000:>9.1f} us at {row['at_s']:>9.3f} s  {row['cause'][:30]}"
            for row in each["worst"]
        ]
    return rows
