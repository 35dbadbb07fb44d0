"""The kernel's counts for one CPU and one thread: interrupts, steal, waiting time.

They are read from a folder in the form of ``/proc``; a missing file counts as zero.
*Source:* proc(5), proc_stat(5); Documentation/scheduler/sched-stats.rst (schedstat).
"""

import os
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
NS_PER_SECOND = 1_000_000_000
#: The unit of /proc/stat, usually ten milliseconds.
TICK_NS = NS_PER_SECOND // os.sysconf("SC_CLK_TCK")
#: Of a ``cpu`` line of /proc/stat: user nice system idle iowait irq softirq steal.
STEAL_COLUMN = 8


@dataclass(frozen=True)
class Counts:
    """The counts so far, or between two readings."""

    interrupts: dict[str, int]
    softirqs: dict[str, int]
    steal_ns: int  # in whole ticks
    waited_ns: int  # by the thread, ready to run

    def since(self, before: "Counts") -> "Counts":
        """Return the counts since ``before``, without sources that did not change."""
        return Counts(
            difference(self.interrupts, before.interrupts),
            difference(self.softirqs, before.softirqs),
            self.steal_ns - before.steal_ns,
            self.waited_ns - before.waited_ns,
        )


def difference(after: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    """Return the increase of each source, for those that increased."""
    counts = {name: count - before.get(name, 0) for name, count in after.items()}
    return {name: count for name, count in counts.items() if count > 0}


def read_counts(cpu_index: int, thread_id: int | None = None, proc: Path = PROC) -> Counts:
    """Return the counts so far for a CPU, and for a thread of this process if one is named."""
    return Counts(
        interrupts_of(text_of(proc / "interrupts"), cpu_index),
        interrupts_of(text_of(proc / "softirqs"), cpu_index),
        steal_ns_of(text_of(proc / "stat"), cpu_index),
        waited_ns_of(text_of(proc / f"self/task/{thread_id}/schedstat")) if thread_id else 0,
    )


def thread_waited_ns(pid: int, thread_id: int, proc: Path = PROC) -> int:
    """Return how long a thread of another process was ready and did not run."""
    return waited_ns_of(text_of(proc / f"{pid}/task/{thread_id}/schedstat"))


def text_of(path: Path) -> str:
    """Return a file's text; empty when there is no such file."""
    try:
        return path.read_text(errors="replace", encoding="utf-8")
    except OSError:
        return ""


def number_of(word: str) -> int:
    """Return a number as the kernel writes one; 0 for anything else."""
    return int(word) if word.isascii() and word.isdigit() else 0


def interrupts_of(text: str, cpu_index: int) -> dict[str, int]:
    """Return one CPU's column of /proc/interrupts or /proc/softirqs, by name.

    The name of a device's interrupt is its number and the kernel's description.
    """
    lines = text.splitlines()
    header = lines[0].split() if lines else []
    if f"CPU{cpu_index}" not in header:
        return {}
    column = header.index(f"CPU{cpu_index}")
    counts = {}
    for line in lines[1:]:
        key, colon, rest = line.partition(":")
        words = rest.split()
        if not colon or len(words) < len(header):
            continue  # ERR and MIS are counted for no CPU
        name = " ".join([key.strip(), *words[len(header) :]])
        counts[name] = number_of(words[column])
    return counts


def steal_ns_of(text: str, cpu_index: int) -> int:
    """Return how long the hypervisor ran something else while a CPU wanted to run."""
    for line in text.splitlines():
        words = line.split()
        if words[:1] == [f"cpu{cpu_index}"] and len(words) > STEAL_COLUMN:
            return number_of(words[STEAL_COLUMN]) * TICK_NS
    return 0


def waited_ns_of(text: str) -> int:
    """Return how long a thread was ready and did not run, from its schedstat."""
    words = text.split()
    return number_of(words[1]) if len(words) > 1 else 0
