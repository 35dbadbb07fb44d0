"""Which CPU each stage gets on machines of all sizes."""

import os
import subprocess
import sys
import time

import pytest

from ipc.waiting import Wait
from procs import placement
from procs.config import ConfigError, Placement
from procs.placement import plan

ROLES = ["ingest", "book", "strategy", "gateway"]


def cpus_of(count: int, **settings: object) -> list[int]:
    """Return the CPU of each role on a machine of ``count`` CPUs."""
    places = plan(Placement(**settings), ROLES, set(range(count))).places
    return [places[role].cpu_index for role in ROLES]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_too_few_cpus_are_shared_by_all_stages(count: int) -> None:
    """All sit on the last CPU and yield: a hop on one core is cheaper than one to a busy core."""
    made = plan(Placement(), ROLES, set(range(count)))
    assert {place.cpu_index for place in made.places.values()} == {count - 1}
    assert {place.wait for place in made.places.values()} == {Wait.YIELD}
    assert made.housekeeping_cpus == (0,)


@pytest.mark.parametrize("count", [5, 8])
def test_each_stage_is_alone_where_there_is_room(count: int) -> None:
    """The first CPU keeps house; each stage spins on one of its own."""
    made = plan(Placement(), ROLES, set(range(count)))
    assert [made.places[role].cpu_index for role in ROLES] == [1, 2, 3, 4]
    assert {place.wait for place in made.places.values()} == {Wait.SPIN}
    assert made.housekeeping_cpus == (0,)


def test_named_cpus_are_used() -> None:
    """In the order in which they are named; house is kept where it is said."""
    assert cpus_of(8, engine_cpus=[7, 5, 3, 1], housekeeping_cpus=[0, 2]) == [7, 5, 3, 1]
    made = plan(Placement(housekeeping_cpus=[3]), ROLES, {0, 1, 2, 3, 4})
    assert [made.places[role].cpu_index for role in ROLES] == [0, 1, 2, 4]
    assert made.housekeeping_cpus == (3,)


def test_cpus_need_not_begin_with_zero() -> None:
    """A container may hold any of the machine's CPUs."""
    made = plan(Placement(), ROLES, {4, 6, 8, 10, 12})
    assert made.housekeeping_cpus == (4,)
    assert [made.places[role].cpu_index for role in ROLES] == [6, 8, 10, 12]


def test_nobody_spins_on_the_housekeeping_cpu() -> None:
    """A stage that shares its CPU with the main threads gives way to them."""
    made = plan(Placement(engine_cpus=[0, 1, 2, 3]), ROLES, {0, 1, 2, 3})
    waits = [made.places[role].wait for role in ROLES]
    assert waits == [Wait.YIELD, Wait.SPIN, Wait.SPIN, Wait.SPIN]


@pytest.mark.parametrize("word", ["spin", "yield", "park"])
def test_how_to_wait_can_be_said(word: str) -> None:
    """One word for all stages."""
    made = plan(Placement(wait=word), ROLES, {0, 1})
    assert {place.wait.name.lower() for place in made.places.values()} == {word}


@pytest.mark.parametrize("key", ["engine_cpus", "housekeeping_cpus"])
def test_a_cpu_that_is_not_there_is_named(key: str) -> None:
    """The message names the key, the CPU and the ones that may be used."""
    with pytest.raises(ConfigError, match=rf"`\$\.placement\.{key}`: CPU 9 .* may use 0,1"):
        plan(Placement(**{key: [1, 9]}), ROLES, {0, 1})


def test_this_machine_is_asked_by_default() -> None:
    """Only CPUs that this process may use are given out."""
    made = plan(Placement(), ROLES)
    assert {place.cpu_index for place in made.places.values()} <= os.sched_getaffinity(0)


def test_the_plan_can_be_read() -> None:
    """One line for each stage, one for all else."""
    lines = plan(Placement(), ROLES, {0, 1}).lines()
    assert [line.split() for line in lines] == [
        *([role, "cpu", "1", "yield"] for role in ROLES),
        ["all", "else", "cpu", "0"],
    ]


def test_a_task_that_keeps_an_engine_cpu_busy_is_named() -> None:
    cpu = min(os.sched_getaffinity(0))
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        os.sched_setaffinity(busy.pid, {cpu})
        deadline = time.monotonic() + 30
        while not any(f"pid {busy.pid} " in line for line in placement.busy_tasks({cpu})):
            assert time.monotonic() < deadline, "a busy loop was not noticed"
        assert not any(f"pid {busy.pid} " in line for line in placement.busy_tasks({cpu + 1}))
    finally:
        busy.kill()
        busy.wait()
