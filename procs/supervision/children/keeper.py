"""Keeps one stage's process: starts, watches, stops and restarts it."""

import signal
import time
from collections.abc import Callable
from enum import StrEnum

from procs.logs.run_events import EventLog
from procs.plan.placement import process_name
from procs.supervision.children.nursery import Child
from procs.supervision.children.policy import RestartPolicy, StageDeath, restart_after_s
from procs.supervision.control.control_socket import Supervised

TERM_AFTER_S = 5.0
KILL_AFTER_S = 8.0


class Phase(StrEnum):
    """The supervisor's current action on one process."""

    UP = "up"
    STOPPING = "stopping"
    STOPPED = "stopped"
    LENT = "lent"
    BACK_OFF = "back-off"
    GIVEN_UP = "given up"


class Keeper:
    """Keeps one process, which hosts one stage or several.

    ``spawn`` starts it, ``order_stop`` orders its stages to end.
    """

    def __init__(
        self,
        roles: tuple[str, ...],
        spawn: Callable[[tuple[str, ...]], Child],
        order_stop: Callable[[tuple[str, ...]], None],
        events: EventLog,
    ) -> None:
        self.roles = roles
        self.name = process_name(roles)
        self.spawn = spawn
        self.order_stop = order_stop
        self.events = events
        self.child: Child | None = None
        self.phase = Phase.STOPPED
        self.deaths: list[StageDeath] = []
        self.restart_count = 0
        self.last_status: int | None = None
        self.starts_again = False
        self._started_s = 0.0
        self._due_s = 0.0

    @property
    def is_alive(self) -> bool:
        """Whether there is a process."""
        return self.child is not None

    def start(self) -> None:
        """Start the process; ``ended`` is called when it ends."""
        self.take(self.spawn(self.roles))
        assert self.child is not None
        self.events.append("started", self.name, pid=self.child.pid)

    def take(self, child: Child) -> None:
        """Keep a process that already runs."""
        assert self.child is None, "one process at a time"
        self.child = child
        self.phase = Phase.UP
        self._started_s = time.monotonic()

    def stop(self, *, again: bool = False) -> None:
        """Order the process to end; with ``again``, start another one afterwards."""
        self.starts_again = again
        if self.child is None:
            self.phase = Phase.STOPPED
            if again:
                self.deaths.clear()
                self.start()
            return
        self.order_stop(self.roles)
        self.child.send_signal(signal.SIGCONT)  # a stopped process cannot react
        self.phase = Phase.STOPPING
        self._due_s = time.monotonic() + TERM_AFTER_S

    def ended(self, policy: RestartPolicy) -> None:
        """Note that the process has ended, and decide the next action."""
        assert self.child is not None, "nothing ran"
        status = self.child.wait()
        assert status is not None, "it has ended"
        pid, now_s = self.child.pid, time.monotonic()
        self.child.close()
        self.child = None
        self.last_status = status
        if self.phase == Phase.STOPPING:
            self.phase = Phase.STOPPED
            self.events.append("stopped", self.name, pid=pid, status=status)
            if self.starts_again:
                self.starts_again = False
                self.restart_count += 1
                self.start()
            return
        self.deaths.append(StageDeath(now_s, self._started_s, status))
        delay_s = restart_after_s(self.deaths, policy)
        if delay_s is None:
            self.phase = Phase.GIVEN_UP
            self.events.append("given up", self.name, pid=pid, status=status)
        else:
            self.phase = Phase.BACK_OFF
            self._due_s = now_s + delay_s
            self.events.append("died", self.name, pid=pid, status=status, delay_s=delay_s)

    def see_to(self, now_s: float) -> None:
        """Do what is due: start after a delay, or kill a process that does not end."""
        if now_s < self._due_s:
            return
        if self.phase == Phase.BACK_OFF:
            self.restart_count += 1
            self.start()
        elif self.phase == Phase.STOPPING and self.child is not None:
            is_late = now_s > self._due_s + KILL_AFTER_S - TERM_AFTER_S
            self.child.send_signal(signal.SIGKILL if is_late else signal.SIGTERM)

    def state_of_stage(self) -> Supervised:
        """Return the state of the process, for people and programs."""
        pid = self.child.pid if self.child is not None else 0
        return Supervised(pid, str(self.phase), self.restart_count, self.last_status)
