"""Which CPU each stage gets on machines of all sizes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import pytest
from engines import until

from ipc.waiting import Wait
from procs.machine import scheduling, throttle
from procs.machine.facts import Machine
from procs.machine.scheduling import Turns
from procs.plan import placement
from procs.plan.config import Placement
from procs.plan.errors import ConfigError
from procs.plan.placement import plan

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
    """The first CPU is for housekeeping; each stage spins on one of its own."""
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


ALL_TOGETHER = [["gateway", "ingest", "strategy", "book"]]


def test_stages_together_are_one_process_with_one_cpu() -> None:
    """They come in the order of a tick; alone on its CPU, their one hot thread spins."""
    made = plan(Placement(together=ALL_TOGETHER), ROLES, {0, 1})
    assert made.groups == (tuple(ROLES),)
    assert {(place.cpu_index, place.wait) for place in made.places.values()} == {(1, Wait.SPIN)}
    assert [line.split() for line in made.lines()] == [
        ["ingest+book+strategy+gateway", "cpu", "1", "spin"],
        ["others", "cpu", "0"],
    ]
    assert not scheduling.choose("auto", made).use_fifo


def test_a_group_counts_as_one_when_cpus_are_shared_out() -> None:
    """Three processes of four stages are alone on three CPUs, and share where there are two."""
    pair = Placement(together=[["strategy", "gateway"]])
    made = plan(pair, ROLES, {0, 1, 2, 3})
    assert made.groups == (("ingest",), ("book",), ("strategy", "gateway"))
    assert [made.places[role].cpu_index for role in ROLES] == [1, 2, 3, 3]
    assert {place.wait for place in made.places.values()} == {Wait.SPIN}
    made = plan(pair, ROLES, {0, 1, 2})
    assert [made.places[role].cpu_index for role in ROLES] == [2, 2, 2, 2]
    assert {place.wait for place in made.places.values()} == {Wait.YIELD}


def test_stages_together_need_not_follow_each_other() -> None:
    """The two ends of a tick may share a process, and what is between have others."""
    made = plan(Placement(together=[["gateway", "ingest"]]), ROLES, set(range(5)))
    assert made.groups == (("ingest", "gateway"), ("book",), ("strategy",))
    assert made.group_of("gateway") == made.group_of("ingest") == ("ingest", "gateway")
    assert [made.places[role].cpu_index for role in ROLES] == [1, 2, 3, 1]


@pytest.mark.parametrize(
    ("together", "said"),
    [
        ([["book", "bok"]], r"together\[0\]`: no stage 'bok'; there are ingest-a, ingest-b, book"),
        ([["book", "book"]], r"together\[0\]`: book is listed twice"),
        (
            [["strategy", "gateway"], ["book", "gateway"]],
            r"together\[1\]`: gateway is listed twice",
        ),
        ([["ingest-a", "ingest-b"]], r"together\[0\]`: ingest-a and ingest-b cannot share"),
    ],
)
def test_stages_that_cannot_be_together_are_named(together: list[list[str]], said: str) -> None:
    """The message names the key, the stage and what is wrong."""
    with pytest.raises(ConfigError, match=rf"`\$\.placement\.{said}"):
        plan(Placement(together=together), ["ingest-a", "ingest-b", *ROLES[1:]], {0, 1})


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
        ["others", "cpu", "0"],
    ]


#: Starts a loop that is nobody's child here, prints its pid, and ends it at the end of stdin.
STRANGER = """
import subprocess, sys
loop = subprocess.Popen([sys.executable, "-c", "while True: pass"])
print(loop.pid, flush=True)
sys.stdin.read()
loop.kill()
loop.wait()
"""


def test_a_task_that_keeps_an_engine_cpu_busy_is_named() -> None:
    """On the CPUs in question, and unless it is of this process's own family."""
    cpu = min(os.sched_getaffinity(0))
    with subprocess.Popen(
        [sys.executable, "-c", STRANGER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        os.sched_setaffinity(pid, {cpu})
        deadline = time.monotonic() + 30
        while not any(f"pid {pid} " in line for line in placement.busy_tasks({cpu})):
            assert time.monotonic() < deadline, "a busy loop was not noticed"
        assert not any(f"pid {pid} " in line for line in placement.busy_tasks({cpu + 1}))


def test_the_real_time_scheduler_is_for_stages_that_take_turns() -> None:
    """And never for the housekeeping CPU; if demanded there, it is refused with a reason."""
    alone = plan(Placement(), ROLES, set(range(6)))
    with_house = plan(Placement(), ROLES, {0})
    assert scheduling.choose("auto", alone).line() == "scheduler    fair"
    assert not scheduling.choose("auto", with_house).use_fifo
    assert scheduling.choose("auto", with_house).reason
    assert scheduling.choose("fair", plan(Placement(), ROLES, {0, 1})) == (False, "")
    with pytest.raises(ConfigError, match=r"scheduler`: fifo is not possible: .* housekeeping"):
        scheduling.choose("fifo", with_house)


@pytest.mark.parametrize(
    ("is_bounded", "may_use", "words"),
    [(False, True, ""), (True, True, "50 ms of each second"), (True, False, "50 ms of each second"),
     (False, False, "rtprio limit")],
)  # fmt: skip
def test_what_speaks_against_the_real_time_scheduler_is_said(
    monkeypatch: pytest.MonkeyPatch, is_bounded: bool, may_use: bool, words: str
) -> None:
    """Left to itself it is the fair one then; demanded, it is refused."""
    monkeypatch.setattr(throttle, "bounds", lambda machine: is_bounded)
    monkeypatch.setattr(scheduling, "may_use", lambda: may_use)
    turns = plan(Placement(), ROLES, {0, 1})
    choice = scheduling.choose("auto", turns)
    assert choice.use_fifo == (not words)
    assert words in choice.line()
    if words:
        with pytest.raises(ConfigError, match=words):
            scheduling.choose("fifo", turns)


def test_threads_are_lined_up_again_when_they_are_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or when one of them was away, and once more when one ended just then."""
    seen: list[tuple[list[int], int]] = []
    monkeypatch.setattr(throttle, "bounds", lambda machine: False)
    monkeypatch.setattr(scheduling, "may_use", lambda: True)
    monkeypatch.setattr(scheduling, "line_up", lambda ids, cpu: seen.append((list(ids), cpu)))
    turns = Turns("auto", plan(Placement(), ROLES, {0, 1}))
    threads = dict(zip(ROLES, (14, 13, 12, 11), strict=True))
    away = dict.fromkeys(ROLES, 3)
    turns.see_to(threads, away)
    turns.see_to(dict(threads), dict(away))
    assert seen == [([14, 13, 12, 11], 1)]
    turns.see_to(threads | {"book": 15}, away)
    assert seen.pop() == ([14, 15, 12, 11], 1)
    # One that was stopped and goes on is behind the others, although the threads are the same.
    turns.see_to(threads | {"book": 15}, away | {"book": 4})
    assert seen[1:] == [([14, 15, 12, 11], 1)]

    def fail(ids: Iterable[int], cpu: int) -> None:
        seen.append((list(ids), cpu))
        raise ProcessLookupError

    monkeypatch.setattr(scheduling, "line_up", fail)
    turns.see_to(threads, away)
    turns.see_to(threads, away)
    assert [ids for ids, _ in seen[2:]] == [[14, 13, 12, 11]] * 2


#: Lifts the bound on a machine that is made up, and stays there until it is killed.
LIFTS = """
import sys, time
from pathlib import Path
from procs.machine import throttle
from procs.machine.facts import Machine

machine = Machine(Path(sys.argv[1]))
with throttle.lifted(lambda line: print(line, flush=True), machine):
    with throttle.lifted(str, machine):  # who finds it lifted does not set it back
        pass
    assert throttle.setting_path(machine).read_text() == "-1"
    print("lifted", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("number", [None, signal.SIGTERM, signal.SIGKILL])
def test_the_bound_of_real_time_threads_is_set_back_however_it_ends(
    tmp_path: Path, number: signal.Signals | None
) -> None:
    setting = tmp_path / "proc/sys/kernel/sched_rt_runtime_us"
    setting.parent.mkdir(parents=True)
    (tmp_path / "run").mkdir()
    setting.write_text("940000\n")
    with subprocess.Popen(
        [sys.executable, "-c", LIFTS, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert "-1 for this run, then 940000 again" in process.stdout.readline()
        assert process.stdout.readline() == "lifted\n"
        if number is not None:
            process.send_signal(number)
        process.communicate()
    until(lambda: setting.read_text() == "940000\n", "the setting was set back")


def test_the_bound_stays_lifted_until_the_last_run_ends(tmp_path: Path) -> None:
    """Whichever of two runs began first, and whichever ends first."""
    setting = tmp_path / "proc/sys/kernel/sched_rt_runtime_us"
    setting.parent.mkdir(parents=True)
    (tmp_path / "run").mkdir()
    machine = Machine(tmp_path)
    said: list[str] = []
    for ends_first in (0, 1):
        setting.write_text("930000\n")
        with ExitStack() as left:
            runs = [ExitStack(), ExitStack()]
            for run in runs:
                left.enter_context(run)
                run.enter_context(throttle.lifted(said.append, machine))
            assert setting.read_text() == "-1"
            runs[ends_first].close()
            assert setting.read_text() == "-1", "the other run still trades"
        assert setting.read_text() == "930000\n"
    assert len(said) == 4
    assert all("then 930000 again" in line for line in said)


def test_a_bound_that_the_user_lifted_is_left_alone(tmp_path: Path) -> None:
    setting = tmp_path / "proc/sys/kernel/sched_rt_runtime_us"
    setting.parent.mkdir(parents=True)
    (tmp_path / "run").mkdir()
    setting.write_text("-1\n")
    said: list[str] = []
    with throttle.lifted(said.append, Machine(tmp_path)):
        assert said == []
    assert setting.read_text() == "-1\n"


def test_who_may_not_lift_the_bound_goes_on_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "bounds", lambda machine: True)
    said: list[str] = []
    with throttle.lifted(said.append, Machine(tmp_path)):
        assert said == []


#: Four processes that take turns on one CPU and write down, in shared memory, whose turn it was.
TURNS = """
import mmap, os, sys
seen = mmap.mmap(-1, 4096)
cpus = os.sched_getaffinity(0)
os.sched_setaffinity(0, {int(sys.argv[1])})
pids = []
for index in range(4):
    pid = os.fork()
    if pid == 0:
        while seen[0] < 200:
            if seen[1]:
                seen[0] += 1
                seen[2 + seen[0]] = index
            os.sched_yield()
        os._exit(0)
    pids.append(pid)
os.sched_setaffinity(0, cpus)
print(*pids, flush=True)
sys.stdin.read()
seen[1] = 1
for pid in pids:
    os.waitpid(pid, 0)
print(*seen[3:203], flush=True)
"""


def test_threads_are_lined_up_in_the_order_given() -> None:
    """Threads that only yield run one after another, each turn, from the first to the last."""
    if not scheduling.may_use():
        pytest.skip("this user may not use SCHED_FIFO")
    cpus = sorted(os.sched_getaffinity(0))
    with subprocess.Popen(
        [sys.executable, "-c", TURNS, str(cpus[-1])],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as turns:  # fmt: skip
        assert turns.stdin is not None
        assert turns.stdout is not None
        pids = [int(word) for word in turns.stdout.readline().split()]
        order = [pids[2], pids[0], pids[3], pids[1]]
        # Once fresh, then again in another order: threads that are in the queue already.
        scheduling.line_up(pids, cpus[-1])
        scheduling.line_up(order, cpus[-1])
        turns.stdin.close()
        seen = [pids[int(index)] for index in turns.stdout.readline().split()]
    start = seen.index(order[0])
    assert seen[start : start + 40] == order * 10
