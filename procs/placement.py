"""Which CPU each stage gets, and how it waits there."""

import os
import time
from dataclasses import dataclass

import psutil

from ipc.waiting import Wait
from procs.config import ConfigError, Placement


@dataclass(frozen=True)
class Place:
    """Where one hot thread runs."""

    cpu_index: int
    wait: Wait


@dataclass(frozen=True)
class Plan:
    """Where everything runs."""

    places: dict[str, Place]
    housekeeping_cpus: tuple[int, ...]

    def lines(self) -> list[str]:
        """Return the plan for people."""
        rows = [f"{role:<12} cpu {p.cpu_index}  {p.wait.name.lower()}"
                for role, p in self.places.items()]  # fmt: skip
        return [*rows, f"all else     cpu {','.join(map(str, self.housekeeping_cpus))}"]


def plan(settings: Placement, roles: list[str], available_cpus: set[int] | None = None) -> Plan:
    """Return the placement of ``roles``.

    Left to itself: the first CPU keeps house, and the stages share out the others, the earlier
    stages alone as long as CPUs last.  A stage alone on its CPU spins, stages that share one yield.

    Raises
    ------
    ConfigError
        When a CPU is named that this process may not use.
    """
    available = sorted(available_cpus or os.sched_getaffinity(0))
    house = settings.housekeeping_cpus or available[:1]
    engine = settings.engine_cpus or [cpu for cpu in available if cpu not in house] or available
    for key, cpus in (("housekeeping_cpus", house), ("engine_cpus", engine)):
        missing = sorted(set(cpus) - set(available))
        if missing:
            raise ConfigError(
                f"`$.placement.{key}`: CPU {missing[0]} is not available here; "
                f"this process may use {','.join(map(str, available))}"
            )
    cpu_of = {}
    for index, role in enumerate(roles):
        # With too few CPUs all stages share one: a hop on one core is far cheaper than a hop
        # to a core that sleeps or is shared with others.
        alone = len(engine) >= len(roles)
        cpu_of[role] = engine[index] if alone else engine[-1]
    shared = {cpu for cpu in cpu_of.values() if list(cpu_of.values()).count(cpu) > 1}
    places = {}
    for role, cpu in cpu_of.items():
        automatic = Wait.YIELD if cpu in shared or cpu in house else Wait.SPIN
        wait = automatic if settings.wait == "auto" else Wait[settings.wait.upper()]
        places[role] = Place(cpu, wait)
    return Plan(places, tuple(house))


#: A task that takes more than this share of a CPU would be felt by a stage on the same one.
BUSY_SHARE = 0.2
SAMPLE_S = 0.2


def busy_tasks(cpus: set[int]) -> list[str]:
    """Return, for people, what else runs on ``cpus`` and takes a good part of one."""
    before = cpu_seconds(cpus)
    time.sleep(SAMPLE_S)
    after = cpu_seconds(cpus)
    shares = {task: (after[task] - before[task]) / SAMPLE_S for task in before.keys() & after}
    return [
        f"pid {pid} ({name}) takes {share:.0%} of a CPU that the engine wants"
        for (pid, name), share in sorted(shares.items())
        if share > BUSY_SHARE
    ]


def cpu_seconds(cpus: set[int]) -> dict[tuple[int, str], float]:
    """Return the CPU time so far of every other process that may run on ``cpus``."""
    found = {}
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and cpus & set(process.cpu_affinity()):
                times = process.cpu_times()
                found[process.pid, process.name()] = times.user + times.system
        except psutil.Error:
            continue  # it ended, or is not ours to look at
    return found
