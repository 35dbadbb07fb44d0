"""Keeps the log writer of a run: starts, adopts and restarts it; no stage depends on it."""

import signal
from pathlib import Path

from procs.logs import process_log
from procs.logs.run_events import EventLog
from procs.observe.events import log_writer
from procs.observe.samples.view import RunView
from procs.plan import instance, wiring
from procs.supervision.children import nursery
from procs.supervision.children.keeper import Keeper, Phase
from procs.supervision.children.nursery import Child
from procs.supervision.children.policy import RestartPolicy


def spawn(run_folder: Path) -> Child:
    """Start the log writer of a run."""
    launch = instance.launch_path(run_folder, wiring.BOOK)
    return nursery.spawn(
        log_writer.enter, launch, process_log.log_path(run_folder, wiring.LOG_WRITER)
    )


class LogKeeper(Keeper):
    """The keeper of the log writer; it polls for its end."""

    def __init__(self, run_folder: Path, policy: RestartPolicy, events: EventLog) -> None:
        super().__init__(
            (wiring.LOG_WRITER,), lambda _: spawn(run_folder), self.ask_to_leave, events
        )
        self.policy = policy
        self.log = process_log.logger(wiring.SUPERVISOR)

    def begin(self, view: RunView) -> None:
        """Start it, unless the log writer of a dead supervisor still runs."""
        pid = log_writer.living_pid(view)
        if pid is None:
            self.start()
        else:
            self.take(Child(pid))

    def ask_to_leave(self, roles: tuple[str, ...]) -> None:
        """Order it to write the rest and end."""
        if self.child is not None:
            self.child.send_signal(signal.SIGTERM)

    def see_to(self, now_s: float) -> None:
        """Note its end; do what is due."""
        if self.child is not None and self.child.poll() is not None:
            self.ended(self.policy)
            if self.phase != Phase.STOPPED:
                self.log.warning(
                    "the log writer ended with status %s; %s", self.last_status, self.phase
                )
        super().see_to(now_s)
