"""The machine that a benchmark ran on, in one line."""

import os
import platform
from pathlib import Path


def machine_line() -> str:
    """Return processor, cores and kernel."""
    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    hypervisor = (
        " (virtual)" if "hypervisor" in Path("/proc/cpuinfo").read_text(encoding="utf-8") else ""
    )
    return f"{model}{hypervisor}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"


def pin(cpu_index: int) -> None:
    """Stay on one of the CPUs that this process may use."""
    cpus = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpus[cpu_index % len(cpus)]})
