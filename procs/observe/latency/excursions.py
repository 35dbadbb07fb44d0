"""The jitter audit of a running engine: the orders slower than usual, and the cause.

It only reads what every run publishes: the gateway publishes each order with all its stamps, the
stages publish their stalls, and the histograms count every wait and service.  An order is an
excursion when it took longer than the median by more than the bar.  The part of its way that is
furthest over its own median is where it was delayed.  If its CPUs did something else for most of
the excess, the platform caused it, otherwise the engine.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ipc.histogram import bin_top_ns, summary
from ipc.types import Int64Array, RecordArray
from procs.machine.kernel_counts import Counts, read_counts, thread_waited_ns
from procs.observe.samples.view import RunView
from procs.observe.taps.sent import PARTS, SentOrders, cause_over, cause_text, parts_ns, total_ns
from procs.plan import wiring
from procs.stages.base.outliers import Cause

SCHEMA = 2
BAR_NS = 50_000
LOOK_S = 0.02
WORST_COUNT = 10


@dataclass(frozen=True)
class Excursion:
    """An order that took longer than the median by more than the bar, and where it was delayed."""

    kernel_ns: int
    cause_id: int
    instrument_id: int
    total_ns: int
    excess_ns: int
    part: str
    part_ns: int
    part_excess_ns: int
    lost_ns: int
    cause: Cause
    note: str


def excursions_of(rows: RecordArray, bar_ns: int) -> list[Excursion]:
    """Return the excursions of some orders (OUTLIER records), the worst first."""
    if not len(rows):
        return []
    parts = np.array([parts_ns(row) for row in rows], np.int64)
    medians_ns = np.median(parts, axis=0).astype(np.int64)
    totals_ns = parts.sum(axis=1)
    usual_ns = int(np.median(totals_ns))
    found: list[Excursion] = []
    for index in np.flatnonzero(totals_ns - usual_ns > bar_ns).tolist():
        row = rows[index]
        over_ns = parts[index] - medians_ns
        worst = int(np.argmax(over_ns))
        cause = cause_over(row, usual_ns + bar_ns)
        found.append(
            Excursion(
                int(row["kernel_ns"]), int(row["cause_id"]), int(row["instrument_id"]),
                total_ns(row), total_ns(row) - usual_ns,
                PARTS[worst], int(parts[index, worst]), int(over_ns[worst]),
                int(row["lost_ns"].sum()), cause, cause_text(row, cause),
            )
        )  # fmt: skip
    return sorted(found, key=lambda each: -each.excess_ns)


def worst_of(found: Sequence[Excursion]) -> list[Excursion]:
    """Return the worst excursions; only the worst order of each tick."""
    by_tick: dict[int, Excursion] = {}
    for each in found:
        by_tick.setdefault(each.kernel_ns, each)
    return list(by_tick.values())[:WORST_COUNT]


def bins_of(view: RunView) -> dict[str, Int64Array]:
    """Return a copy of the bins of the gateway's histograms, by name."""
    return {
        name: np.array(view.gateway_histogram(name)[0]["bin_count"])
        for name in wiring.GATEWAY_LATENCIES
    }


def summary_of(bins: Int64Array, bar_ns: int) -> dict[str, int | None]:
    """Return the summary of an interval's values, and how many exceed the median by the bar.

    The largest value is known to the width of its bin, one per cent.
    """
    filled = np.flatnonzero(bins)
    largest_ns = bin_top_ns(int(filled[-1])) if len(filled) else 0
    facts = summary({"bin_count": bins, "max_ns": largest_ns})
    facts["over_bar_count"] = 0
    if len(filled):
        median = int(np.searchsorted(np.cumsum(bins), (int(bins.sum()) + 1) // 2))
        limit_ns = bin_top_ns(median) + bar_ns
        facts["over_bar_count"] = sum(int(bins[i]) for i in filled if bin_top_ns(int(i)) > limit_ns)
    return facts


@dataclass(frozen=True)
class Platform:
    """The kernel's counts for the engine's CPUs and hot threads, and the stalls of its loops."""

    cpus: dict[int, Counts]
    waited_ns: dict[str, int]
    stalls: dict[str, tuple[int, int]]  # count, and the time lost in them, ns

    @classmethod
    def of(cls, view: RunView) -> "Platform":
        """Read it now."""
        stages = {role: view.status(role) for role in view.wiring.roles}
        return cls(
            {cpu: read_counts(cpu) for cpu in {int(each["cpu_index"]) for each in stages.values()}},
            {
                role: thread_waited_ns(int(each["pid"]), int(each["thread_id"]))
                for role, each in stages.items()
            },
            {
                role: (int(each["stall_count"]), int(each["lost_ns"]))
                for role, each in stages.items()
            },
        )


def audit(
    view: RunView, seconds: float, bar_ns: int, sleep: Callable[[float], None] = time.sleep
) -> dict[str, Any]:
    """Watch a running instance for some seconds; Ctrl-C ends it early."""
    orders = SentOrders(view)
    seen: list[RecordArray] = []
    before, platform = bins_of(view), Platform.of(view)
    begin = time.monotonic()
    try:
        while time.monotonic() - begin < seconds:
            sleep(LOOK_S)
            seen.append(orders.take())
    except KeyboardInterrupt:
        pass  # report the orders so far
    took_s = time.monotonic() - begin
    after, platform_after = bins_of(view), Platform.of(view)
    seen += [orders.take(), orders.take()]
    facts = report(view, np.concatenate(seen), took_s, bar_ns)
    return facts | {
        "missed": orders.lost_count,
        "tick_to_order_ns": summary_of(
            after["tick_to_order_ns"] - before["tick_to_order_ns"], bar_ns
        ),
        "parts_ns": {
            part: summary_of(after[name] - before[name], bar_ns)
            for part in PARTS
            for name in [f"{part.replace(' ', '_')}_ns"]
        },
        "platform": platform_counts(platform, platform_after),
    }


def report(view: RunView, rows: RecordArray, took_s: float, bar_ns: int) -> dict[str, Any]:
    """Return the report of the orders."""
    found = excursions_of(rows, bar_ns)
    origin_ns = int(rows["kernel_ns"].min()) if len(rows) else 0
    symbols = view.config.symbols
    by_cause = Counter(each.cause.name.lower() for each in found)
    return {
        "schema": SCHEMA,
        "instance": view.config.instance,
        "seconds": round(took_s, 3),
        "bar_ns": bar_ns,
        "orders": len(rows),
        "excursions": len(found),
        "excursions_by_part": dict(Counter(each.part for each in found).most_common()),
        "excursions_by_cause": dict(by_cause.most_common()),
        "excursions_of_engine": len(found) - by_cause["platform"],
        "worst": [
            {
                "at_s": round((each.kernel_ns - origin_ns) / 1e9, 6),
                "symbol": symbols[each.instrument_id],
                "cause_id": each.cause_id,
                "total_ns": each.total_ns,
                "excess_ns": each.excess_ns,
                "part": each.part,
                "part_ns": each.part_ns,
                "part_excess_ns": each.part_excess_ns,
                "lost_ns": each.lost_ns,
                "cause": each.cause.name.lower(),
                "note": each.note,
            }
            for each in worst_of(found)
        ],
    }


def platform_counts(before: Platform, after: Platform) -> dict[str, Any]:
    """Return the platform's counts of the interval."""
    cpus = {}
    for cpu, counts in after.cpus.items():
        since = counts.since(before.cpus[cpu])
        cpus[str(cpu)] = {
            "steal_ms": round(since.steal_ns / 1e6, 3),
            "interrupts": dict(Counter(since.interrupts).most_common()),
            "softirqs": dict(Counter(since.softirqs).most_common()),
        }
    waited_ms = {
        role: round((waited_ns - before.waited_ns.get(role, 0)) / 1e6, 3)
        for role, waited_ns in after.waited_ns.items()
    }
    stalls = {}
    for role, (count, lost_ns) in after.stalls.items():
        count_before, lost_before_ns = before.stalls[role]
        stalls[role] = {
            "count": count - count_before,
            "lost_ms": round((lost_ns - lost_before_ns) / 1e6, 3),
        }
    return {"cpus": cpus, "waited_ms": waited_ms, "stalls": stalls}


def microseconds(value_ns: int | None) -> str:
    """Return a duration for people."""
    return "-" if value_ns is None else f"{value_ns / 1000:.1f}"


def lines(facts: dict[str, Any]) -> list[str]:
    """Return the audit for people, 60 columns wide."""
    bar_us = facts["bar_ns"] / 1000
    over = f"> +{bar_us:g}"
    rows = [
        f"instance {facts['instance']}, {facts['seconds']:.1f} s: {facts['orders']} orders "
        f"caused by ticks",
        "",
        f"{'microseconds':<18}{'count':>8}{'p50':>8}{'p99':>9}{'max':>10}{over:>7}",
    ]
    tables = {"tick-to-order": facts["tick_to_order_ns"]} | {
        f"  {part}": values for part, values in facts["parts_ns"].items()
    }
    for name, values in tables.items():
        p50, p99, most = (microseconds(values[key]) for key in ("p50", "p99", "max"))
        rows.append(
            f"{name:<18}{values['count']:>8}{p50:>8}{p99:>9}{most:>10}{values['over_bar_count']:>7}"
        )
    if facts["missed"]:
        rows.append(f"{facts['missed']} orders were overwritten before they were seen")
    of_engine = facts["excursions_of_engine"]
    rows += [
        "",
        f"{facts['excursions']} took over {bar_us:g} us more than the median: "
        f"{facts['excursions'] - of_engine} by the",
        f"platform, {of_engine} by the engine",
    ]
    rows += [f"  {count:>7} {cause}" for cause, count in facts["excursions_by_cause"].items()]
    rows += [f"  {count:>7} by the {part}" for part, count in facts["excursions_by_part"].items()]
    for each in facts["worst"]:
        rows += [
            f"  +{each['excess_ns'] / 1000:>8.1f} us at {each['at_s']:>8.3f} s, "
            f"{each['part']} {each['part_ns'] / 1000:.1f}",
            f"              {each['note'][:46]}",
        ]
    for cpu, counts in facts["platform"]["cpus"].items():
        interrupts = sum(counts["interrupts"].values())
        rows.append(
            f"cpu {cpu} meanwhile: stolen {counts['steal_ms']:.0f} ms, {interrupts} interrupts"
        )
    for role, stalls in facts["platform"]["stalls"].items():
        rows.append(f"{role:<10} saw {stalls['count']} stalls, {stalls['lost_ms']:.1f} ms lost")
    return rows
