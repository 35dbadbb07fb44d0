"""The kernel's counts for this thread: CPU time, switches, page faults.

Each reading is a system call of a few hundred nanoseconds: use it rarely.
*Source:* getrusage(2), clock_gettime(2).
"""

import resource
import time
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from ipc.clock import kernel_clock_ns
from ipc.compiled import compiled
from ipc.memory import load_word, store_word

RUSAGE_THREAD = 1
USAGE_BYTES = 144  # struct rusage: two timevals, then fourteen longs
_MINOR_FAULTS, _MAJOR_FAULTS, _VOLUNTARY, _INVOLUNTARY = 64, 72, 128, 136

_getrusage: Any = types.ExternalFunction("getrusage", types.int32(types.int32, types.int64))


def read_usage(usage_address: int) -> None:
    """Write the kernel's counts for this thread, as a struct rusage."""
    usage = resource.getrusage(RUSAGE_THREAD)
    store_word(usage_address + _MINOR_FAULTS, usage.ru_minflt)
    store_word(usage_address + _MAJOR_FAULTS, usage.ru_majflt)
    store_word(usage_address + _VOLUNTARY, usage.ru_nvcsw)
    store_word(usage_address + _INVOLUNTARY, usage.ru_nivcsw)


@overload(read_usage)
def _(usage_address: Any) -> Any:
    def machine(usage_address: Any) -> Any:
        _getrusage(np.int32(RUSAGE_THREAD), usage_address)

    return machine


@compiled
def switch_count_of(usage_address: int) -> int:
    """Return how often the kernel switched to another task, as of the last reading."""
    return load_word(usage_address + _VOLUNTARY) + load_word(usage_address + _INVOLUNTARY)


@compiled
def fault_count_of(usage_address: int) -> int:
    """Return how many page faults there were, as of the last reading."""
    return load_word(usage_address + _MINOR_FAULTS) + load_word(usage_address + _MAJOR_FAULTS)


@compiled
def thread_cpu_ns() -> int:
    """Return how long this thread has been on a CPU."""
    return kernel_clock_ns(time.CLOCK_THREAD_CPUTIME_ID)
