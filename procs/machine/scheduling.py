"""SCHED_FIFO for hot threads that share a CPU: they run in the order of a tick.

Under the fair scheduler a thread that yields goes behind the others in no fixed order, so a hop may
cost an iteration of all of them.  Under SCHED_FIFO a thread that yields goes to the end of a strict
queue.
*Source:* sched(7).
"""

import os
from collections.abc import Iterable
from typing import NamedTuple

from ipc.waiting import Wait
from procs.machine import throttle
from procs.plan.errors import ConfigError
from procs.plan.placement import Plan

#: Above threads of the fair scheduler, below the kernel's own real-time threads (50).
PRIORITY = 10


class Choice(NamedTuple):
    """Whether hot threads that share a CPU run under SCHED_FIFO, and the reason if they do not."""

    use_fifo: bool
    reason: str = ""  # also empty when it would gain nothing

    @property
    def name(self) -> str:
        """The name in ``[placement] scheduler``."""
        return "fifo" if self.use_fifo else "fair"

    def line(self) -> str:
        """Return the choice for people."""
        because = f": no SCHED_FIFO, {self.reason}" if self.reason else ""
        return f"scheduler    {self.name}{because}"


def may_use() -> bool:
    """Return whether this process may use SCHED_FIFO."""
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY + 1))
    except PermissionError:
        return False
    os.sched_setscheduler(0, policy, parameters)
    return True


def is_wanted(setting: str, plan: Plan) -> bool:
    """Return whether to use SCHED_FIFO; with ``auto``, when stages share a CPU."""
    takes_turns = any(place.wait == Wait.YIELD for place in plan.places.values())
    return setting == "fifo" or (setting == "auto" and takes_turns)


def choose(setting: str, plan: Plan) -> Choice:
    """Return whether to use SCHED_FIFO, and why not, for ``[placement] scheduler``.

    Raises
    ------
    ConfigError
        When the configuration demands it and the machine does not permit it.
    """
    if not is_wanted(setting, plan):
        return Choice(use_fifo=False)
    reason = ""
    if plan.engine_cpus() & set(plan.housekeeping_cpus):
        reason = "a stage shares its CPU with the housekeeping, which it would starve"
    elif throttle.bounds(throttle.HERE):  # first: with a bound, a group may have no right at all
        reason = (
            "this kernel stops such threads for 50 ms of each second: "
            f"sysctl -w {throttle.SETTING}={throttle.NO_BOUND}"
        )
    elif not may_use():
        reason = "this user may not; give it an rtprio limit (limits.conf, or LimitRTPRIO=99)"
    if reason and setting == "fifo":
        raise ConfigError(f"`$.placement.scheduler`: fifo is not possible: {reason}")
    return Choice(not reason, reason)


class Turns:
    """Keeps the hot threads of a run that share CPUs in the order of a tick."""

    def __init__(self, setting: str, plan: Plan) -> None:
        """``setting`` is ``[placement] scheduler``; raises as ``choose`` does."""
        self.choice = choose(setting, plan)
        self.plan = plan
        self._lined_up: dict[str, int] = {}
        self._away_counts: dict[str, int] = {}

    def see_to(self, threads: dict[str, int], away_counts: dict[str, int]) -> None:
        """Line the threads up again when they changed, or when one of them was away alone.

        Both are by role, in tick order: thread ids, and how often a thread was away while others
        of its CPU ran.  One that was stopped and continues goes to the end of the queue, wherever
        its place is.  A new thread joins as soon as it runs: before that the others leave it almost
        no time.
        """
        is_in_order = threads == self._lined_up and away_counts == self._away_counts
        if not self.choice.use_fifo or is_in_order:
            return
        self._lined_up, self._away_counts = threads, away_counts
        for cpu in self.plan.engine_cpus():
            roles = [role for role in threads if self.plan.places[role].cpu_index == cpu]
            try:
                line_up(dict.fromkeys(threads[role] for role in roles), cpu)
            except ProcessLookupError:
                self._lined_up = {}  # one has just ended; the next call sees that


def line_up(thread_ids: Iterable[int], cpu_index: int) -> None:
    """Put threads that share a CPU under SCHED_FIFO, in this order.

    This thread runs on that CPU above them meanwhile, so that none of them can run.  A thread that
    is under SCHED_FIFO already keeps its place in the queue: it leaves the queue first.
    """
    cpus = os.sched_getaffinity(0)
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY + 1))
    try:
        os.sched_setaffinity(0, {cpu_index})
        threads = list(thread_ids)
        for thread_id in threads:
            os.sched_setscheduler(thread_id, os.SCHED_OTHER, os.sched_param(0))
        for thread_id in threads:
            os.sched_setscheduler(thread_id, os.SCHED_FIFO, os.sched_param(PRIORITY))
    finally:
        os.sched_setaffinity(0, cpus)
        os.sched_setscheduler(0, policy, parameters)
