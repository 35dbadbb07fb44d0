"""The life of a process that holds one stage or several: hot thread, main thread, end."""

import gc
import os
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

from ipc import control
from ipc.clock import now_ns
from ipc.compiled import cache_missed
from ipc.control import State
from ipc.waiting import Wait
from procs.plan.launch import Launch
from procs.stages.base.locked import lock_memory
from procs.stages.base.stage import Built, Stage, StageError

#: How long the main thread sleeps between two rounds of its duties.
ATTEND_S = 0.01


class HotThread(threading.Thread):
    """Runs a compiled loop on its CPU; ``error`` is what it ended with, if it failed."""

    def __init__(self, stages: Sequence[Stage], loop: Any, context_address: int) -> None:
        super().__init__(name="hot")
        self.stages = stages
        self.loop = loop
        self.context_address = context_address
        self.error: BaseException | None = None

    def run(self) -> None:
        """Say of each stage that it runs, and stay in the loop until it is ordered to leave."""
        try:
            cpu_index = self.stages[0].cpu_index
            os.sched_setaffinity(0, {cpu_index})
            for stage in self.stages:
                stage.status_record["thread_id"] = self.native_id
                stage.status_record["cpu_index"] = cpu_index
                stage.status_record["wait_mode"] = Wait.DOZE
                stage.status_record["started_ns"] = now_ns(stage.clock)
                control.set_state(stage.status, State.RUNNING)
            self.loop(self.context_address)
        except BaseException as error:  # an assertion of compiled code: we are wrong
            self.error = error


def run(built: Sequence[Built], loop: Any, context_address: int) -> int:
    """Run the hot loop in its thread and attend to the stages in this one; return the exit status.

    Raises
    ------
    StageError
        When the loop, or what is plugged into it, is not in the cache.
    """
    stages = [each.stage for each in built]
    if cache_missed(loop) or any(plug.missed_cache for stage in stages for plug in stage.plugs):
        names = ", ".join(stage.role for stage in stages)
        raise StageError(
            f"{names} would have to compile; `vortexctl start` compiles before it starts"
        )

    def leave(*_: object) -> None:
        for stage in stages:
            stage.leave()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)
    os.sched_setaffinity(0, stages[0].launch.housekeeping_cpus)
    # Only now: under such a lock rings and tables would not be faulted in when they are mapped.
    unlocked = lock_memory()
    if unlocked:
        stages[0].log.warning("%s", unlocked)
    hot = HotThread(stages, loop, context_address)
    for stage in stages:
        stage.log.info("the loop begins")
    hot.start()
    try:
        while hot.is_alive():
            for each in built:
                attend(each)
            hot.join(ATTEND_S)
    except BaseException as error:
        hot.error = hot.error or error
        leave()
        hot.join()
    collections = ", ".join(str(generation["collections"]) for generation in gc.get_stats())
    stages[0].log.info("garbage collections: %s", collections)
    return end(built, hot.error)


def attend(built: Built) -> None:
    """Do once what there is to do for a stage, and say whether it is ready.

    What is called again and again is handed plain numbers: of a member of an IntEnum numba makes a
    type again at each call, and the heap grows by what it remembers of them.
    """
    ready = built.attend()
    stage = built.stage
    stage.settle()
    state = State(control.get_state(stage.status))
    wanted = State.READY if ready else State.RUNNING
    if state in (State.RUNNING, State.READY) and state != wanted:
        control.set_state(stage.status, int(wanted))


def end(built: Sequence[Built], error: BaseException | None) -> int:
    """Say how the stages ended and release what they hold; return the exit status."""
    for each in built:
        stage = each.stage
        if error is not None:
            stage.log.error("stage failed", exc_info=error)
        control.set_state(stage.status, State.STOPPED if error is None else State.FAILED)
        each.release()
    return 0 if error is None else 1


def run_alone(
    role: str,
    launch: Launch,
    build: Callable[[Stage], Built],
    compile_loop: Callable[[], Any],
) -> int:
    """Build one stage, run it, and release everything; return the exit status."""
    with closing(Stage(role, launch)) as stage:
        built = build(stage)
        return run([built], compile_loop(), built.context_address)
