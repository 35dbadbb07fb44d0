"""Whether the kernel stops real-time threads for a part of each second, and how to be rid of it.

By default they get 950 of each 1,000 ms of a CPU, which then idles to the end of its second: a hot
thread that never sleeps stands still for 50 ms.  Since Linux 6.12 a server for fair threads does
the work of that bound, and it is gone; but a kernel that keeps real-time threads in groups
(RT_GROUP_SCHED) bounds its root group by the same number as before.
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
#: Linux 6.12 gave up stopping real-time threads, but where it groups them.
FAIR_SERVER_SINCE = (6, 12)
#: Sets the value back when its standard input is closed, by whom or by what ever.
SET_BACK = 'cat > /dev/null; echo "$1" > "$2"'
#: Where the first cgroups show that real-time threads are grouped.
GROUP_FILES = "sys/fs/cgroup/cpu*/cpu.rt_runtime_us"


def bounds(machine: Machine) -> bool:
    """Return whether a real-time thread that never sleeps is stopped every second."""
    value, period_us = machine.sysctl(SETTING), machine.sysctl(PERIOD)
    if value is None or value == NO_BOUND or (period_us is not None and value >= period_us):
        return False
    release = re.match(r"(\d+)\.(\d+)", machine.text("proc/sys/kernel/osrelease") or "0.0")
    version = (int(release[1]), int(release[2])) if release else (0, 0)
    return version < FAIR_SERVER_SINCE or groups_real_time(machine)


def groups_real_time(machine: Machine) -> bool:
    """Return whether the kernel can keep real-time threads in groups; no when nothing says so.

    ``rt_group_sched=0`` on its command line makes no difference: all are in the root group then.
    """
    has_option = "CONFIG_RT_GROUP_SCHED=y" in kernel_configuration(machine)
    return has_option or bool(machine.glob(GROUP_FILES))


def kernel_configuration(machine: Machine) -> frozenset[str]:
    """Return the lines of the configuration that the kernel was built with; none if not told."""
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
    """Have no real-time thread of this machine stopped meanwhile, where this user may.

    For tools that start an engine and end it; whoever trades sets it once (``vortexctl doctor``).
    A process of its own sets it back, so that it is set back however this one ends.
    """
    path = setting_path(machine)
    if not bounds(machine) or not os.access(path, os.W_OK):
        yield
        return
    before = path.read_text().strip()
    with subprocess.Popen(
        ["sh", "-c", SET_BACK, "sh", before, str(path)],
        stdin=subprocess.PIPE, start_new_session=True,
    ):  # fmt: skip
        path.write_text(str(NO_BOUND))
        say(f"{SETTING}: {NO_BOUND} for this run, then {before} again")
        yield
