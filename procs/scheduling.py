"""The real-time scheduler for hot threads that share a CPU: they come to run in a tick's order.

Under the fair scheduler a thread that yields goes behind the others in no certain order, so a hop
may cost a turn of all of them.  Under SCHED_FIFO the queue is strict: who yields goes to its end.
*Source:* sched(7).
"""

import os
import platform
import re
from collections.abc import Iterable
from pathlib import Path

from ipc.waiting import Wait
from procs.errors import ConfigError
from procs.placement import Plan

#: Above threads of the fair scheduler, below the kernel's own real-time threads (50).
PRIORITY = 10
#: Linux 6.12 gave up stopping real-time threads for a twentieth of each second.
FAIR_SERVER_SINCE = (6, 12)
THROTTLE_FILE = Path("/proc/sys/kernel/sched_rt_runtime_us")


def may_use() -> bool:
    """Return whether this process may use SCHED_FIFO."""
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY + 1))
    except PermissionError:
        return False
    os.sched_setscheduler(0, policy, parameters)
    return True


def is_throttled() -> bool:
    """Return whether the kernel stops a real-time thread that never sleeps, every second."""
    release = re.match(r"(\d+)\.(\d+)", platform.release())
    assert release is not None, "the kernel's release begins with two numbers"
    if (int(release[1]), int(release[2])) >= FAIR_SERVER_SINCE:
        return False
    return THROTTLE_FILE.read_text().strip() != "-1"


def choose(setting: str, plan: Plan) -> bool:
    """Return whether to use SCHED_FIFO, for ``[placement] scheduler``.

    Left to itself: where stages take turns on a CPU that keeps no house.

    Raises
    ------
    ConfigError
        When it is demanded and cannot be had.
    """
    takes_turns = any(place.wait == Wait.YIELD for place in plan.places.values())
    if setting == "fair" or (setting == "auto" and not takes_turns):
        return False
    reason = ""
    if plan.engine_cpus() & set(plan.housekeeping_cpus):
        reason = "a stage shares its CPU with the housekeeping, which it would starve"
    elif not may_use():
        reason = "this user may not; give it an rtprio limit (limits.conf, or LimitRTPRIO=99)"
    elif is_throttled():
        reason = f"this kernel would stop the threads every second; write -1 to {THROTTLE_FILE}"
    if reason and setting == "fifo":
        raise ConfigError(f"`$.placement.scheduler`: fifo cannot be had: {reason}")
    return not reason


class Turns:
    """The hot threads of a run that share CPUs, kept in the order of a tick as they come and go."""

    def __init__(self, plan: Plan, *, use_fifo: bool) -> None:
        self.plan = plan
        self.use_fifo = use_fifo
        self._lined_up: dict[str, int] = {}

    def see_to(self, threads: dict[str, int]) -> None:
        """Line up again when other threads run than before; their ids by role, in tick order.

        A new one joins as soon as it runs: before that the others leave it next to no time.
        """
        if not self.use_fifo or threads == self._lined_up:
            return
        self._lined_up = threads
        for cpu in self.plan.engine_cpus():
            roles = [role for role in threads if self.plan.places[role].cpu_index == cpu]
            try:
                line_up(dict.fromkeys(threads[role] for role in roles), cpu)
            except ProcessLookupError:
                self._lined_up = {}  # one has just ended; the next look sees that


def line_up(thread_ids: Iterable[int], cpu_index: int) -> None:
    """Put threads that share a CPU under SCHED_FIFO, in this order.

    This thread runs there above them meanwhile, so that none of them can run between.
    """
    cpus = os.sched_getaffinity(0)
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY + 1))
    try:
        os.sched_setaffinity(0, {cpu_index})
        for thread_id in thread_ids:
            os.sched_setscheduler(thread_id, os.SCHED_FIFO, os.sched_param(PRIORITY))
    finally:
        os.sched_setaffinity(0, cpus)
        os.sched_setscheduler(0, policy, parameters)
