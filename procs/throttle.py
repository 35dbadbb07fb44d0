"""Whether the kernel stops real-time threads for a part of each second, and how to be rid of it.

By default they get 950 of each 1,000 ms of a CPU, which then idles to the end of its second: a hot
thread that never sleeps stands still for 50 ms.  Since Linux 6.12 a server for fair threads does
the work of that bound, and it is gone; but a kernel that keeps real-time threads in groups
(RT_GROUP_SCHED) bounds its root group by the same number as before.
*Source:* sched(7); Documentation/scheduler/sched-rt-group.rst.
"""

import gzip
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from procs.machine import Machine

SETTING = "kernel.sched_rt_runtime_us"
SETTING_PATH = Path("/proc/sys") / SETTING.replace(".", "/")
NO_BOUND = -1
#: Linux 6.12 gave up stopping real-time threads, but where it groups them.
FAIR_SERVER_SINCE = (6, 12)
#: Where the first cgroups show that real-time threads are grouped.
GROUP_FILES = "sys/fs/cgroup/cpu*/cpu.rt_runtime_us"


def bounds(machine: Machine) -> bool:
    """Return whether a real-time thread that never sleeps is stopped every second."""
    value = machine.sysctl(SETTING)
    if value is None or value == NO_BOUND:
        return False
    release = re.match(r"(\d+)\.(\d+)", machine.text("proc/sys/kernel/osrelease") or "0.0")
    version = (int(release[1]), int(release[2])) if release else (0, 0)
    return version < FAIR_SERVER_SINCE or groups_real_time(machine)


def groups_real_time(machine: Machine) -> bool:
    """Return whether the kernel keeps real-time threads in groups; no when nothing says so."""
    wanted = machine.command_line("rt_group_sched")
    options = kernel_options(machine)
    if wanted == "0" or (wanted is None and "CONFIG_RT_GROUP_SCHED_DEFAULT_DISABLED=y" in options):
        return False
    return "CONFIG_RT_GROUP_SCHED=y" in options or bool(machine.glob(GROUP_FILES))


def kernel_options(machine: Machine) -> frozenset[str]:
    """Return the lines of the kernel's configuration; none where it is not told."""
    try:
        packed = (machine.root / "proc/config.gz").read_bytes()
        return frozenset(gzip.decompress(packed).decode().splitlines())
    except (OSError, EOFError, ValueError):
        release = machine.text("proc/sys/kernel/osrelease")
        return frozenset((machine.text(f"boot/config-{release}") or "").splitlines())


@contextmanager
def lifted(say: Callable[[str], object]) -> Iterator[None]:
    """Have no real-time thread of this machine stopped meanwhile, where this user may.

    For tools that start an engine and end it; whoever trades sets it once (``vortexctl doctor``).
    """
    if not bounds(Machine()):
        yield
        return
    before = SETTING_PATH.read_text()
    try:
        SETTING_PATH.write_text(str(NO_BOUND))
    except OSError:
        yield
        return
    say(f"{SETTING}: {NO_BOUND} for this run, then {before.strip()} again")
    try:
        yield
    finally:
        SETTING_PATH.write_text(before)
