"""The kernel's figures of one thread: CPU time, waits, switches, page faults."""

import os
from pathlib import Path

import msgspec

PROC = Path("/proc")
NS_PER_JIFFY = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

# Fields of proc_pid_stat(5), counted from the one behind the command's name.
STATE, MINOR_FAULTS, MAJOR_FAULTS, USER_JIFFIES, SYSTEM_JIFFIES, LAST_CPU = 0, 7, 9, 11, 12, 36


class Thread(msgspec.Struct, frozen=True):
    """The kernel's figures of one thread; all numbers but the last three only grow."""

    cpu_ns: int
    runnable_ns: int  # spent waiting for a CPU although it could have run
    voluntary_switches: int
    involuntary_switches: int
    minor_faults: int
    major_faults: int
    state: str
    last_cpu_index: int
    resident_bytes: int  # of the whole process


def look(pid: int, thread_id: int, proc: Path = PROC) -> Thread | None:
    """Return the kernel's figures of a thread; None when it does not exist.

    Source: proc_pid_stat(5), proc_pid_status(5), Documentation/scheduler/sched-stats.rst.
    """
    folder = proc / str(pid) / "task" / str(thread_id)
    try:
        stat = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        status = (folder / "status").read_text(encoding="utf-8")
        pages = int((proc / str(pid) / "statm").read_text(encoding="utf-8").split()[1])
    except (OSError, IndexError):
        return None
    switches = dict.fromkeys(("voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"), 0)
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name in switches:
            switches[name] = int(value)
    cpu_ns, runnable_ns = _times(folder, stat)
    return Thread(
        cpu_ns=cpu_ns,
        runnable_ns=runnable_ns,
        voluntary_switches=switches["voluntary_ctxt_switches"],
        involuntary_switches=switches["nonvoluntary_ctxt_switches"],
        minor_faults=int(stat[MINOR_FAULTS]),
        major_faults=int(stat[MAJOR_FAULTS]),
        state=stat[STATE],
        last_cpu_index=int(stat[LAST_CPU]),
        resident_bytes=pages * PAGE_BYTES,
    )


def _times(folder: Path, stat: list[str]) -> tuple[int, int]:
    """Return the time on a CPU and the time spent waiting for one."""
    try:
        cpu, runnable, _ = (folder / "schedstat").read_text(encoding="utf-8").split()
        return int(cpu), int(runnable)
    except (OSError, ValueError):  # a kernel without it still counts jiffies
        return (int(stat[USER_JIFFIES]) + int(stat[SYSTEM_JIFFIES])) * NS_PER_JIFFY, 0
