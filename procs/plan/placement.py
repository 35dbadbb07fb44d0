"""The process and the CPU of each stage, and its wait mode."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from ipc.waiting import Wait
from procs.plan import wiring
from procs.plan.config import Placement
from procs.plan.errors import ConfigError


@dataclass(frozen=True)
class StagePlace:
    """The CPU and the wait mode of a stage's hot thread."""

    cpu_index: int
    wait: Wait


@dataclass(frozen=True)
class Plan:
    """The placement of a whole run."""

    places: dict[str, StagePlace]
    housekeeping_cpus: tuple[int, ...]
    groups: tuple[tuple[str, ...], ...]  # the stages of each process, in the order of a tick

    def group_of(self, role: str) -> tuple[str, ...]:
        """Return the stages that share one stage's process."""
        return next(group for group in self.groups if role in group)

    def engine_cpus(self) -> set[int]:
        """Return the CPUs of the hot threads."""
        return {place.cpu_index for place in self.places.values()}

    def lines(self) -> list[str]:
        """Return the plan for people."""
        places = {process_name(group): self.places[group[0]] for group in self.groups}
        rows = [f"{name:<12} cpu {p.cpu_index}  {p.wait.name.lower()}"
                for name, p in places.items()]  # fmt: skip
        return [*rows, f"others       cpu {','.join(map(str, self.housekeeping_cpus))}"]


def process_name(group: Sequence[str]) -> str:
    """Return the name of the process of some stages, and of its log."""
    return "+".join(group)


def plan(settings: Placement, roles: list[str], available_cpus: set[int] | None = None) -> Plan:
    """Return the placement of ``roles``.

    By default the first CPU does housekeeping, and the processes get the others in order, each one
    alone while there are enough CPUs.  A hot thread alone on its CPU spins; threads that share a
    CPU yield.

    Raises
    ------
    ConfigError
        When a named CPU is not available, or when stages cannot share a process.
    """
    house, engine = share_out(settings, available_cpus)
    groups = groups_of(settings.together, roles)
    # With too few CPUs all share one: a hop on one core is far cheaper than a hop to a core that
    # sleeps or runs other tasks.
    is_enough = len(engine) >= len(groups)
    cpus = engine[: len(groups)] if is_enough else [engine[-1]] * len(groups)
    places: dict[str, StagePlace] = {}
    for group, cpu in zip(groups, cpus, strict=True):
        automatic = Wait.YIELD if cpus.count(cpu) > 1 or cpu in house else Wait.SPIN
        wait = automatic if settings.wait == "auto" else Wait[settings.wait.upper()]
        places |= dict.fromkeys(group, StagePlace(cpu, wait))
    return Plan({role: places[role] for role in roles}, tuple(house), groups)


def share_out(
    settings: Placement, available_cpus: set[int] | None = None
) -> tuple[list[int], list[int]]:
    """Return the housekeeping CPUs, and those of the engine.

    Raises
    ------
    ConfigError
        When a named CPU is not available to this process.
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
    return house, engine


#: Of which kinds of stage a process holds one at most, and to what it is connected.
CONNECTIONS = {"ingest": "market data", wiring.GATEWAY: "an account"}


def groups_of(together: list[list[str]], roles: list[str]) -> tuple[tuple[str, ...], ...]:
    """Return the stages of each process, in the order of ``roles``.

    Raises
    ------
    ConfigError
        When a named stage does not exist or occurs twice, or two stages share a group of which
        each needs the process's one connection.
    """
    group_of: dict[str, tuple[str, ...]] = {role: (role,) for role in roles}
    seen: set[str] = set()
    for index, names in enumerate(together):
        key = f"`$.placement.together[{index}]`"
        for name in names:
            if name not in roles:
                raise ConfigError(f"{key}: no stage {name!r}; there are {', '.join(roles)}")
            if name in seen:
                raise ConfigError(f"{key}: {name} is listed twice; a stage runs in one process")
            seen.add(name)
        for kind, connection in CONNECTIONS.items():
            alike = [name for name in names if wiring.kind_of(name) == kind]
            if len(alike) > 1:
                raise ConfigError(
                    f"{key}: {' and '.join(alike)} cannot share a process, "
                    f"which can have one connection to {connection}"
                )
        group = tuple(role for role in roles if role in names)
        group_of |= dict.fromkeys(group, group)
    return tuple(dict.fromkeys(group_of.values()))


#: A task with more than this share of a CPU would disturb a stage on the same one.
BUSY_SHARE = 0.2
SAMPLE_S = 0.2


def busy_tasks(cpus: set[int]) -> list[str]:
    """Return, for people, the other tasks on ``cpus`` that use a large part of one."""
    before = cpu_seconds(cpus)
    time.sleep(SAMPLE_S)
    after = cpu_seconds(cpus)
    shares = {task: (after[task] - before[task]) / SAMPLE_S for task in before.keys() & after}
    return [
        f"pid {pid} ({name}) takes {share:.0%} of a CPU of the engine"
        for (pid, name), share in sorted(shares.items())
        if share > BUSY_SHARE
    ]


def cpu_seconds(cpus: set[int]) -> dict[tuple[int, str], float]:
    """Return the CPU time so far of what may run on ``cpus``, but for this process's family."""
    found = {}
    own = os.getpid()
    for process in psutil.process_iter():
        try:
            is_own = own in (process.pid, process.ppid())
            if not is_own and cpus & set(process.cpu_affinity()):
                times = process.cpu_times()
                found[process.pid, process.name()] = times.user + times.system
        except psutil.Error:
            continue  # it ended, or is not ours to look at
    return found
