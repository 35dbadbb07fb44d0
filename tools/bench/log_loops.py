"""The compiled loops of the benchmark ``log``: one logs events, one only reads the clock."""

from ipc.clock import now_ns
from ipc.compiled import compiled
from ipc.log import WINDOW_NS, log_event


@compiled
def read_clock(clock_address: int, count: int) -> int:
    """Read the clock ``count`` times; return a sum, so that no read is optimised away."""
    sum_ns = 0
    for index in range(count):
        sum_ns += now_ns(clock_address) + index * WINDOW_NS
    return sum_ns


@compiled
def log_each(clock_address: int, logger_address: int, event_id: int, first: int, count: int) -> int:
    """Read the clock and log an event ``count`` times, at a rate that is always logged."""
    sum_ns = 0
    for index in range(first, first + count):
        now = now_ns(clock_address) + index * WINDOW_NS
        log_event(logger_address, event_id, now, index, count, sum_ns)
        sum_ns += now
    return sum_ns


@compiled
def log_storm(clock_address: int, logger_address: int, event_id: int, count: int) -> int:
    """The same, so often that all but a few are only counted."""
    sum_ns = 0
    for index in range(count):
        now = now_ns(clock_address)
        log_event(logger_address, event_id, now, index, count, sum_ns)
        sum_ns += now + index * WINDOW_NS
    return sum_ns
