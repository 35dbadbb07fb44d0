"""Whether the kernel stops real-time threads in each second, and how to lift that.

By default they get 950 of each 1,000 ms of a CPU, which then idles for the rest of the second: a
hot thread that never sleeps is stopped for 50 ms.  Linux 6.12 replaced that bound by a server for
fair threads.  But a kernel that keeps real-time threads in groups (RT_GROUP_SCHED) still bounds its
root group by the same number.
*Source:* sched(7); Documentation/scheduler/sched-rt-group.rst.
"""

import gzip
import os
import re
import subprocess
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from procs.machine.facts import Machine

SETTING = "kernel.sched_rt_runtime_us"
PERIOD = "kernel.sched_rt_period_us"
HERE = Machine()
NO_BOUND = -1
#: From Linux 6.12 on the kernel stops real-time threads only if it groups them.
FAIR_SERVER_SINCE = (6, 12)
#: Restores the value when its standard input is closed, for any reason.
SET_BACK = 'cat > /dev/null; echo "$1" > "$2"'
#: The file of cgroups version 1 that shows that real-time threads are grouped.
GROUP_FILES = "sys/fs/cgroup/cpu*/cpu.rt_runtime_us"


def bounds(machine: Machine) -> bool:
    """Return whether the kernel stops a real-time thread that never sleeps in every second."""
    value, period_us = machine.sysctl(SETTING), machine.sysctl(PERIOD)
    if value is None or value == NO_BOUND or (period_us is not None and value >= period_us):
        return False
    release = re.match(r"(\d+)\.(\d+)", machine.text("proc/sys/kernel/osrelease") or "0.0")
    version = (int(release[1]), int(release[2])) if release else (0, 0)
    return version < FAIR_SERVER_SINCE or groups_real_time(machine)


def groups_real_time(machine: Machine) -> bool:
    """Return whether the kernel can keep real-time threads in groups; False when not known.

    ``rt_group_sched=0`` on its command line makes no difference: all are in the root group then.
    """
    has_option = "CONFIG_RT_GROUP_SCHED=y" in kernel_configuration(machine)
    return has_option or bool(machine.glob(GROUP_FILES))


def kernel_configuration(machine: Machine) -> frozenset[str]:
    """Return the lines of the kernel's build configuration; none when it is not available."""
    text = ""
    with suppress(OSError, EOFError, ValueError, zlib.error):
        text = gzip.decompress((machine.root / "proc/config.gz").read_bytes()).decode()
    release = machine.text("proc/sys/kernel/osrelease")
    for place in (f"boot/config-{release}", f"lib/modules/{release}/config"):
        text = text or machine.text(place) or ""
    return frozenset(text.splitlines())


def setting_path(machine: Machine) -> Path:
    """Return the file of the setting."""
    return machine.root / "proc/sys" / SETTING.replace(".", "/")


@contextmanager
def lifted(say: Callable[[str], object], machine: Machine = HERE) -> Iterator[None]:
    """Lift the bound on real-time threads for the length of a block, if this user may.

    For tools that start an engine and end it; for trading set it once (``vortexctl doctor``).
    A separate process restores it, so that it is restored however this process ends.
    """
    path = setting_path(machine)
    if not bounds(machine) or not os.access(path, os.W_OK):
        yield
        return
    before = path.read_text(encoding="utf-8").strip()
    with subprocess.Popen(
        ["sh", "-c", SET_BACK, "sh", before, str(path)],
        stdin=subprocess.PIPE, start_new_session=True,
    ):  # fmt: skip
        path.write_text(str(NO_BOUND), encoding="utf-8")
        say(f"{SETTING}: {NO_BOUND} for this run, then {before} again")
        yield
