"""Two functions in two pinned processes, and what they measured; for the benchmark ``ring``."""

import mmap
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ipc.types import Int64Array
from tools.bench.machine import pin

QUANTILES = (0.5, 0.9, 0.99)


def in_two_processes(first: Callable[[], Any], second: Callable[[], Any]) -> float:
    """Run both, pinned to different CPUs, ``second`` in a child; return the seconds it took."""
    child = os.fork()
    if child == 0:
        pin(1)
        os._exit(0 if second() in (None, True) else 1)
    affinity = os.sched_getaffinity(0)
    pin(0)
    start = time.perf_counter()
    result = first()
    _, status = os.waitpid(child, 0)
    took = time.perf_counter() - start
    os.sched_setaffinity(0, affinity)
    assert status == 0, "the reader found a wrong record"
    assert result in (None, True), "the answer was wrong"
    return took


def shared_samples(count: int) -> Int64Array:
    """Return measurements that a child fills and its parent reads."""
    return np.frombuffer(mmap.mmap(-1, 8 * count), np.int64)


def percentiles(took_ns: Int64Array) -> list[float]:
    """Return P50, P90 and P99."""
    return [float(value) for value in np.quantile(took_ns, QUANTILES)]
