"""Decides when a dead stage is started again, from its deaths and the time.

Delays double from one death to the next, and return to the first after a stable time.  A stage that
dies too often in too short a time is started again only by hand.
"""

from collections.abc import Sequence
from typing import NamedTuple

#: Exit status of a stage that a restart cannot help: a wrong configuration, or a wrong key.
EXIT_HOPELESS = 78


class RestartPolicy(NamedTuple):
    """The limits of restarts of one stage; all times in seconds."""

    delay_s: float = 0.05
    delay_s_max: float = 5.0
    stable_s: float = 5.0
    death_count_max: int = 6
    window_s: float = 60.0


class StageDeath(NamedTuple):
    """One unrequested end of a stage."""

    time_s: float
    started_s: float
    status: int


def restart_after_s(deaths: Sequence[StageDeath], policy: RestartPolicy) -> float | None:
    """Return the delay from the newest death to the next start; None for no restart.

    ``deaths`` are the stage's, the oldest first, at least one.
    """
    assert deaths, "nobody died"
    newest = deaths[-1]
    if newest.status == EXIT_HOPELESS:
        return None
    recent = [death for death in deaths if newest.time_s - death.time_s < policy.window_s]
    if len(recent) >= policy.death_count_max:
        return None
    quick_count = 0
    for death in reversed(deaths):
        if death.time_s - death.started_s >= policy.stable_s:
            break
        quick_count += 1
    delay_s = policy.delay_s * 2.0 ** max(quick_count - 1, 0)
    return min(delay_s, policy.delay_s_max)
