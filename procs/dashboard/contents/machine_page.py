"""The load of the machine: its CPUs, its interrupts, its waiting tasks.

It is read from ``/proc`` once a second; the figures of threads come from samples.
*Source:* proc(5).
"""

import os
from pathlib import Path
from typing import Any, NamedTuple

CLOCK_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
SOURCE_COUNT = 8
CPU_FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")


class Interrupts(NamedTuple):
    """Cumulative interrupts: by source and CPU, and in all by CPU."""

    by_source: dict[str, list[int]]
    names: dict[str, str]


def read_text(path: Path) -> str:
    """Return a file of /proc; empty when it does not exist."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def cpus(root: Path) -> dict[int, dict[str, int]]:
    """Return the clock ticks of each CPU by activity."""
    found = {}
    for line in read_text(root / "stat").splitlines():
        name, *fields = line.split()
        if name.startswith("cpu") and name != "cpu":
            values = map(int, fields[: len(CPU_FIELDS)])
            found[int(name[3:])] = dict(zip(CPU_FIELDS, values, strict=False))
    return found


def interrupts(root: Path) -> Interrupts:
    """Return the interrupts so far."""
    head, *lines = read_text(root / "interrupts").splitlines() or [""]
    cpu_count = len(head.split())
    by_source, names = {}, {}
    for line in lines:
        source, _, rest = line.partition(":")
        words = rest.split()
        counts = [int(word) for word in words[:cpu_count] if word.isdigit()]
        if len(counts) == cpu_count:  # ERR and MIS have one count for all
            by_source[source.strip()] = counts
            names[source.strip()] = " ".join(words[cpu_count:])
    return Interrupts(by_source, names)


def pressure(root: Path) -> dict[str, float]:
    """Return the share of time in which some task waited, in percent of the last 10 s."""
    found = {}
    for what in ("cpu", "memory", "io"):
        for line in read_text(root / "pressure" / what).splitlines():
            if line.startswith("some"):
                found[what] = float(line.split()[1].partition("=")[2])
    return found


class MachinePage:
    """Differences of the figures in /proc, from second to second."""

    def __init__(self, root: Path = Path("/proc")) -> None:
        self.root = root
        self.cpus = cpus(root)
        self.interrupts = interrupts(root)
        self.facts: dict[str, Any] = {"cpus": {}, "interrupts": []}

    def look(self, seconds: float) -> None:
        """Read all figures again, ``seconds`` after the last time."""
        self.facts = {
            "cpus": self.look_at_cpus(seconds),
            "interrupts": self.look_at_interrupts(seconds),
            "pressure": pressure(self.root),
            "load": read_text(self.root / "loadavg").split()[:3],
        }

    def look_at_cpus(self, seconds: float) -> dict[int, dict[str, float]]:
        """Return the share of each activity on each CPU, in percent."""
        now, before = cpus(self.root), self.cpus
        self.cpus = now
        scale = 100 / (CLOCK_TICKS_PER_S * seconds)
        return {
            cpu: {
                name: (count - before[cpu].get(name, 0)) * scale for name, count in fields.items()
            }
            for cpu, fields in now.items()
            if cpu in before
        }

    def look_at_interrupts(self, seconds: float) -> list[dict[str, Any]]:
        """Return the busiest sources of interrupts: per second on each CPU."""
        now, before = interrupts(self.root), self.interrupts
        self.interrupts = now
        rates = {
            source: [
                (new - old) / seconds
                for new, old in zip(counts, before.by_source.get(source, counts), strict=False)
            ]
            for source, counts in now.by_source.items()
        }
        busiest = sorted(rates, key=lambda source: -sum(rates[source]))[:SOURCE_COUNT]
        return [
            {"source": source, "name": now.names[source], "rates": rates[source]}
            for source in busiest
            if sum(rates[source]) > 0
        ]
