"""Whether the kernel stops real-time threads in each second, and how to lift that.

By default they get 950 of each 1,000 ms of a CPU, which then idles for the rest of the second: a
hot thread that never sleeps is stopped for 50 ms.  Linux 6.12 replaced that bound by a server for
fair threads.  But a kernel that keeps real-time threads in groups (RT_GROUP_SCHED) still bounds its
root group by the same number.
*Source:* sched(7); Documentation/scheduler/sched-rt-group.rst.
"""

import fcntl
import gzip
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from procs.machine.facts import Machine

SETTING = "kernel.sched_rt_runtime_us"
PERIOD = "kernel.sched_rt_period_us"
HERE = Machine()
NO_BOUND = -1
#: From Linux 6.12 on the kernel stops real-time threads only if it groups them.
FAIR_SERVER_SINCE = (6, 12)
#: Shared by the runs that need no bound; it holds the value to set back.
LOCK = "run/vortex-sched-rt.lock"
#: Held for the moment in which a run begins or ends.
CHANGE_LOCK = "run/vortex-sched-rt.change"
#: Waits until its standard input is closed, for any reason.  The last one sets the value back.
SET_BACK = """
import fcntl, os, sys
path, lock, change = sys.argv[1], int(sys.argv[2]), sys.argv[3]
sys.stdin.buffer.read()
changing = open(change, "rb")
fcntl.flock(changing, fcntl.LOCK_EX)
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit()  # another run goes on without a bound
value = os.pread(lock, 100, 0)
if value and int(open(path, "rb").read()) == -1:
    open(path, "wb").write(value + b"\\n")
os.ftruncate(lock, 0)
"""
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


def open_lock(path: Path) -> int:
    """Open a file to lock, and make it when it is not there; the caller closes it."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def share_lift(machine: Machine, lock: int) -> str:
    """Lift the bound, or join the runs that have; return the value of before.

    Empty when nothing is to be set back: there was no bound.
    """
    path = setting_path(machine)
    if bounds(machine):
        before = path.read_text(encoding="utf-8").strip()
        os.ftruncate(lock, 0)
        os.pwrite(lock, before.encode(), 0)
        path.write_text(str(NO_BOUND), encoding="utf-8")
    else:
        before = os.pread(lock, 100, 0).decode()
    if before:
        fcntl.flock(lock, fcntl.LOCK_SH)
    return before


@contextmanager
def changing(machine: Machine) -> Iterator[None]:
    """Hold the lock under which runs begin and end."""
    change = open_lock(machine.root / CHANGE_LOCK)
    try:
        fcntl.flock(change, fcntl.LOCK_EX)
        yield
    finally:
        os.close(change)


def start_restorer(path: Path, lock: int, change_path: Path) -> subprocess.Popen[bytes]:
    """Start the process that sets the bound back when its input ends; leaving it ends the input."""
    return subprocess.Popen(
        [sys.executable, "-I", "-c", SET_BACK, str(path), str(lock), str(change_path)],
        stdin=subprocess.PIPE, start_new_session=True, pass_fds=(lock,),
    )  # fmt: skip


@contextmanager
def lifted(say: Callable[[str], object], machine: Machine = HERE) -> Iterator[None]:
    """Lift the bound on real-time threads for the length of a block, if this user may.

    For tools that start an engine and end it; for trading set it once (``vortexctl doctor``).
    A separate process restores it, so that it is restored however this process ends: the last one,
    when several runs need it.
    """
    path, lock_path = setting_path(machine), machine.root / LOCK
    if not os.access(path, os.W_OK) or not os.access(lock_path.parent, os.W_OK):
        yield
        return
    with ExitStack() as running:
        lock = open_lock(lock_path)
        try:
            with changing(machine):
                before = share_lift(machine, lock)
            if before:
                running.enter_context(start_restorer(path, lock, machine.root / CHANGE_LOCK))
                say(f"{SETTING}: {NO_BOUND} for this run, then {before} again")
        finally:
            os.close(lock)  # the process holds it
        yield
