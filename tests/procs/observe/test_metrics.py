"""The metrics as Prometheus's own parsers read them; and the queries that we ask of it."""

import json
import os
import re
from typing import Any

import numpy as np
from engines import ROOT
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text
from still import Still

from ipc.histogram import BIN_COUNT, bin_index, record_value
from ipc.memory import address_of
from procs.observe import metrics
from procs.observe.samples import sample


def test_the_metrics_are_what_prometheus_reads(still: Still) -> None:
    """Both formats, by the library's own parsers; every name and unit as the conventions ask."""
    for value in (500, 5_000, 5_001, 10**10):
        histogram = still.records("latency.gateway")
        record_value(address_of(histogram[0:1]), value, 1)
    still.records("counters.ingest")[0]["value_count"][10] = 9  # DROPPED
    assert "vortex_build_info" in metrics.text(still.view)
    taken = sample.take(still.view)
    body, content_type = metrics.of_sample(taken)
    assert content_type.startswith("text/plain")
    plain = {family.name: family for family in parse_text(body.decode())}
    body, content_type = metrics.of_sample(taken, "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    strict = {family.name: family for family in parse_openmetrics(body.decode())}
    assert set(strict) == {family.name for family in metrics.families(taken)}
    assert all(
        name.startswith("vortex_") and family.documentation for name, family in strict.items()
    )
    assert not [name for name in plain if re.search(r"_(ns|us|ms|micro|milli)", name)]
    lost = {s.labels["ring"]: s.value for s in strict["vortex_ring_lost_records"].samples}
    assert lost["market.ingest"] == 9
    buckets = {
        float(s.labels["le"]): s.value
        for s in strict["vortex_latency_seconds"].samples
        if s.name.endswith("_bucket") and s.labels["span"] == "tick_to_order"
    }
    assert buckets[float("inf")] == 4
    assert buckets[1024 / 1e9] == 1
    assert buckets[8192 / 1e9] == 3
    assert buckets[(1 << 30) / 1e9] == 3
    assert list(buckets.values()) == sorted(buckets.values())


@given(st.lists(st.integers(0, (1 << 37) - 1), max_size=200))
def test_no_value_is_in_the_wrong_bucket(values: list[int]) -> None:
    """The oracle compares each value with each edge."""
    bins = np.zeros(BIN_COUNT, np.int64)
    for value in values:
        bins[bin_index(value)] += 1
    buckets = metrics.buckets(sample.Histogram(len(values), 0, 0, bins))
    for (_, count), edge_ns in zip(buckets, metrics.EDGES_NS, strict=False):
        assert count == sum(value < edge_ns for value in values)
    assert buckets[-1] == ("+Inf", len(values))


def test_dashboard_and_alerts_ask_only_for_existing_metrics(still: Still) -> None:
    """A name that was changed in one place only would show as an empty panel."""
    still.memory.tables["status.book"].segment.lock(0)  # a stage with a thread has more to tell
    status = still.records("status.book")[0]
    status["pid"], status["thread_id"] = os.getpid(), os.getpid()
    taken = sample.take(still.view)
    served = {name for family in metrics.families(taken) for name in series_of(family)}
    dashboard = json.loads((ROOT / "configs" / "grafana-dashboard.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(asked) > 15
    alerts = (ROOT / "configs" / "prometheus-alerts.yml").read_text()
    asked.append(alerts)
    names = {name for each in asked for name in re.findall(r"\bvortex_\w+", each)}
    assert names - served == set()
    labels = {
        (name, label)
        for each in asked
        for name, inside in re.findall(r"(vortex_\w+)\{([^}]*)\}", each)
        for label in re.findall(r"(\w+)=", inside)
        if label != "job"
    }
    known = {
        (s.name, label) for f in metrics.families(taken) for s in f.samples for label in s.labels
    }
    assert labels - known == set()


def series_of(family: Any) -> set[str]:
    """Return the names under which a family's series are asked for."""
    return {
        "counter": {f"{family.name}_total"},
        "histogram": {f"{family.name}_{part}" for part in ("bucket", "sum", "count")},
    }.get(family.type, {family.name})
