"""The wait of an idle loop.

A stage alone on its core spins.  Stages that share a core yield, so that the one with work runs
next.  Parking gives the core away for some time; it is for machines that must save power.
"""

import os
import time
from enum import IntEnum
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from ipc.atomics import pause
from ipc.compiled import compiled

PARK_US = 50
DOZE_US = 1_000

_sched_yield: Any = types.ExternalFunction("sched_yield", types.int32())
_usleep: Any = types.ExternalFunction("usleep", types.int32(types.int32))


class Wait(IntEnum):
    """How a stage waits for work."""

    SPIN = 0
    YIELD = 1
    PARK = 2
    DOZE = 3  # while other stages of the run are still starting


def give_way() -> None:
    """Let another thread of this core run."""
    os.sched_yield()


def sleep_us(duration_us: int) -> None:
    """Leave the core for about ``duration_us``."""
    time.sleep(duration_us / 1e6)


overload(give_way)(lambda: lambda: _sched_yield())
overload(sleep_us)(lambda duration_us: lambda duration_us: _usleep(np.int32(duration_us)))


@compiled
def idle(wait: int, done_count: int) -> None:
    """Wait once, as ``wait`` (a Wait) says; after work, only yield.

    A stage that worked and shares its core yields before it looks for more work: otherwise its
    output would wait.
    """
    if done_count > 0:
        if wait == Wait.YIELD:
            give_way()
    elif wait == Wait.SPIN:
        pause()
    elif wait == Wait.YIELD:
        give_way()
    else:
        sleep_us(PARK_US if wait == Wait.PARK else DOZE_US)
