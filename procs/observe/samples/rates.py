"""The difference of two samples of a run, per second."""

import msgspec
import numpy as np

from ipc.histogram import PERCENTILES, bin_top_ns, percentile_ns
from procs.observe.samples.sample import Histogram, Ring, Sample, StageSample
from procs.plan.wiring import is_gateway

SCHEMA = 1


class LatencyRate(msgspec.Struct, frozen=True):
    """The new values of a histogram; a percentile is None when there are too few values."""

    count: int
    p50: int | None
    p90: int | None
    p99: int | None
    p99_9: int | None
    max_ns: int | None  # of the bin that holds the largest value


class StageRates(msgspec.Struct, frozen=True):
    """One stage between two samples."""

    loops_per_s: float
    work_per_s: float
    stalls_per_s: float
    lost_share: float  # its CPU did something else
    cpu_share: float | None  # of one CPU, 0 to 1; None when the thread did not exist all the time
    runnable_share: float | None  # ready to run, and had no CPU
    voluntary_switches_per_s: float | None
    involuntary_switches_per_s: float | None
    minor_faults: int | None
    major_faults: int | None
    is_restarted: bool
    counters_per_s: dict[str, float]
    latencies: dict[str, LatencyRate]


class RingRates(msgspec.Struct, frozen=True):
    """One ring between two samples."""

    records_per_s: float
    lost_count: int
    full_count: int


class Rates(msgspec.Struct, frozen=True):
    """A run between two samples."""

    schema: int
    seconds: float
    messages_per_s: float
    orders_per_s: float
    fills_per_s: float
    stages: dict[str, StageRates]
    rings: dict[str, RingRates]


def between(before: Sample, after: Sample) -> Rates:
    """Return the rates from one sample to a later one of the same run."""
    seconds = max((after.now_ns - before.now_ns) / 1e9, 1e-9)
    stages = {
        role: stage_rates(before.stages[role], stage, seconds)
        for role, stage in after.stages.items()
    }
    rings = {name: ring_rates(before.rings[name], r, seconds) for name, r in after.rings.items()}
    gateways = [stages[role].counters_per_s for role in stages if is_gateway(role)]
    messages = (
        s.counters_per_s["messages"] for s in stages.values() if "bytes" in s.counters_per_s
    )
    return Rates(
        schema=SCHEMA,
        seconds=seconds,
        messages_per_s=sum(messages),
        orders_per_s=sum(each["placed"] + each["replaced"] for each in gateways),
        fills_per_s=sum(each["fills"] for each in gateways),
        stages=stages,
        rings=rings,
    )


def stage_rates(before: StageSample, after: StageSample, seconds: float) -> StageRates:
    """Return the rates of one stage between two samples."""
    old, new = before.thread, after.thread
    is_restarted = before.epoch != after.epoch or before.thread_id != after.thread_id
    kernel: list[float | None] = [None] * 6
    if old is not None and new is not None and not is_restarted:
        kernel = [
            (new.cpu_ns - old.cpu_ns) / 1e9 / seconds,
            (new.runnable_ns - old.runnable_ns) / 1e9 / seconds,
            (new.voluntary_switches - old.voluntary_switches) / seconds,
            (new.involuntary_switches - old.involuntary_switches) / seconds,
            new.minor_faults - old.minor_faults,
            new.major_faults - old.major_faults,
        ]
    return StageRates(
        loops_per_s=grown(before.loop_count, after.loop_count) / seconds,
        work_per_s=grown(before.work_count, after.work_count) / seconds,
        stalls_per_s=grown(before.stall_count, after.stall_count) / seconds,
        lost_share=grown(before.lost_ns, after.lost_ns) / 1e9 / seconds,
        cpu_share=kernel[0],
        runnable_share=kernel[1],
        voluntary_switches_per_s=kernel[2],
        involuntary_switches_per_s=kernel[3],
        minor_faults=None if kernel[4] is None else int(kernel[4]),
        major_faults=None if kernel[5] is None else int(kernel[5]),
        is_restarted=is_restarted,
        counters_per_s={
            name: grown(before.counters[name], value) / seconds
            for name, value in after.counters.items()
        },
        latencies={
            name: latency(histogram, before.latencies[name])
            for name, histogram in after.latencies.items()
        },
    )


def ring_rates(before: Ring, after: Ring, seconds: float) -> RingRates:
    """Return the rates of one ring between two samples."""
    return RingRates(
        records_per_s=grown(before.published_seq, after.published_seq) / seconds,
        lost_count=grown(before.lost_count, after.lost_count),
        full_count=grown(before.full_count, after.full_count),
    )


def grown(before: int, after: int) -> int:
    """Return the increase of a count; a count that decreased has restarted from zero."""
    return after - before if after >= before else after


def latency(after: Histogram, before: Histogram | None = None) -> LatencyRate:
    """Return the values of a histogram since ``before``, or all of them."""
    bins = after.bins if before is None else np.maximum(after.bins - before.bins, 0)
    count = int(bins.sum())
    largest_ns = None
    if count:
        largest_ns = min(bin_top_ns(int(np.flatnonzero(bins)[-1])), after.max_ns)
    values = {name: percentile_ns(bins, fraction) for name, fraction in PERCENTILES.items()}
    shown = {
        name: None if value is None or largest_ns is None else min(value, largest_ns)
        for name, value in values.items()
    }
    return LatencyRate(count=count, max_ns=largest_ns, **shown)
