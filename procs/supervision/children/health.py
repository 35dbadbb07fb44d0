"""Distinguishes a stopped process from a stuck one, by its heartbeat and the kernel."""

from enum import Enum
from pathlib import Path

#: A loop iterates within a millisecond; after this time, check its state in the kernel.
LATE_NS = 100_000_000
#: After this time, a process that the kernel runs counts as stuck.
STUCK_NS = 5_000_000_000


class Health(Enum):
    """The state of a process whose heartbeat may be late."""

    WELL = 0
    STOPPED = 1  # by SIGSTOP: it can be continued
    STUCK = 2  # it runs, but its loop does not iterate


def health_of(pid: int, heartbeat_age_ns: int) -> Health:
    """Return the health of a process.  A process under a debugger counts as WELL."""
    if heartbeat_age_ns < LATE_NS:
        return Health.WELL
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except FileNotFoundError:
        return Health.WELL  # it has ended; its pidfd reports that
    state = stat.rpartition(")")[2].split()[0]
    if state == "T":
        return Health.STOPPED
    is_traced = any(
        line.startswith("TracerPid:") and line.split()[1] != "0" for line in status.splitlines()
    )
    if is_traced or heartbeat_age_ns < STUCK_NS:
        return Health.WELL
    return Health.STUCK
