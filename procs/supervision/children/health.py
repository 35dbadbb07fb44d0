"""Telling a stopped process from a stuck one, by its heartbeat and by what the kernel says."""

from enum import Enum
from pathlib import Path

#: A loop comes round within a millisecond; later than this it is worth asking the kernel.
LATE_NS = 100_000_000
#: Later than this, a process that the kernel lets run is taken for stuck.
STUCK_NS = 5_000_000_000


class Health(Enum):
    """What is the matter with a process whose heartbeat is late."""

    WELL = 0
    STOPPED = 1  # by SIGSTOP: it can be continued
    STUCK = 2  # it runs, and does not come round


def health_of(pid: int, heartbeat_age_ns: int) -> Health:
    """Return how a process is.  One under a debugger counts as well: somebody looks after it."""
    if heartbeat_age_ns < LATE_NS:
        return Health.WELL
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return Health.WELL  # it has ended, which is told elsewhere
    state = stat.rpartition(")")[2].split()[0]
    if state == "T":
        return Health.STOPPED
    is_traced = any(
        line.startswith("TracerPid:") and line.split()[1] != "0" for line in status.splitlines()
    )
    if is_traced or heartbeat_age_ns < STUCK_NS:
        return Health.WELL
    return Health.STUCK
