"""One stage as plain Python at the prompt, in place of the supervisor's own process.

The hot loop runs in the main thread, where pdb can stop it.  A second thread does the usual work of
the main thread (connect, fetch, obey the supervisor).  The stage never reports that it is ready, so
the gateway stays halted while it is debugged.
"""

import os
import threading
from collections.abc import Callable
from contextlib import closing

from ipc import control
from ipc.clock import now_ns
from ipc.control import State
from ipc.waiting import Wait
from procs.debug.prompt import Left, Prompt
from procs.plan import wiring
from procs.plan.launch import Launch
from procs.stages.base import running
from procs.stages.base.stage import Built, Stage
from procs.stages.joint import stage_module

#: What the other stages do while one stage is stopped at the prompt.
MEANWHILE = {
    wiring.BOOK: "While it is stopped the market rings fill; records without room are lost to the "
    "books, which then fetch a snapshot.",
    wiring.STRATEGY: "While it is stopped tops and events wait for it; it sees the newest.",
    wiring.GATEWAY: "While it is stopped it sends nothing to the venue, which may close the "
    "connection; it connects again.",
}
INGEST_MEANWHILE = (
    "While it is stopped its socket is not read and the venue may close it; it connects again."
)


def banner(role: str, instance: str) -> str:
    """Return the cost of debugging a stage, and how to leave."""
    return "\n".join([
        f"{role} of {instance} runs here, as plain Python under pdb; the other stages continue.",
        "Nothing is traded: all quotes were pulled, and the gateway stays halted until you leave.",
        MEANWHILE.get(wiring.kind_of(role), INGEST_MEANWHILE),
        "c continues, Ctrl-C returns to the prompt, q leaves and gives the stage back.",
    ])  # fmt: skip


class Attendant(threading.Thread):
    """Does the work of a stage's main thread, but never reports that the stage is ready."""

    def __init__(
        self, built: Built, say: Callable[[str], None], abandon: Callable[[], None]
    ) -> None:
        super().__init__(name="attendant", daemon=True)
        self.built = built
        self.say = say
        self.abandon = abandon
        self.error: BaseException | None = None
        self._over = threading.Event()

    def run(self) -> None:
        """Work until ``stop``; print once when the run is over.

        Without a supervisor the loan has no lender: end, so that the next start finds it free.
        """
        stage, was_over = self.built.stage, False
        try:
            while not self._over.wait(running.ATTEND_S):
                self.built.attend()
                stage.settle()
                if stage.is_orphan() and not stage.leaving:
                    self.say(
                        "\nThe supervisor has died; this ends, so that the next start can run it."
                    )
                    self.abandon()
                if stage.leaving and not was_over:
                    was_over = True
                    self.say("\nThe run is over: no more records arrive; q leaves.")
        except BaseException as error:
            self.error = error
            stage.leave()

    def stop(self) -> None:
        """End the thread."""
        self._over.set()
        self.join()


def run(role: str, launch: Launch, prompt: Prompt, abandon: Callable[[], None]) -> bool:
    """Run one stage at the prompt until the user leaves; return whether the run ended before.

    ``abandon`` ends this process immediately, in any state of the prompt.

    Raises
    ------
    Exception
        The failure of the stage, after the prompt showed its place.
    """
    module = stage_module(role)
    os.sched_setaffinity(0, launch.housekeeping_cpus)
    with closing(Stage(role, launch)) as stage:
        built: Built = module.build(stage)
        loop = module.compile_loop()
        stage.status_record["thread_id"] = threading.get_native_id()
        stage.status_record["cpu_index"] = launch.housekeeping_cpus[0]
        stage.status_record["wait_mode"] = Wait.DOZE
        stage.status_record["started_ns"] = now_ns(stage.clock)
        control.set_state(stage.status, State.RUNNING)
        attendant = Attendant(built, prompt.message, abandon)
        attendant.start()
        try:
            prompt.run_until_left(loop, built.context_address)
        except Left:
            pass
        except Exception as error:
            attendant.stop()  # its messages would only disturb the prompt
            prompt.look_at(error)
            raise
        finally:
            attendant.stop()
            running.end([built], attendant.error)
        return control.must_stop(stage.command) or stage.is_orphan()
