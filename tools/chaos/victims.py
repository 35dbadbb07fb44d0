"""The acts on a running instance, and the processes that they hit."""

import json
import os
import signal
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from procs.observe.samples.view import open_view
from procs.plan import instance
from procs.stages.gateway.context import GatewayCounter
from procs.supervision.control.control_socket import ListStages, NoAnswer, ask

STAGES = ("ingest", "book", "strategy", "gateway")
SUPERVISOR = "supervisor"


class Act(NamedTuple):
    """One act on one victim."""

    name: str
    victim: str

    @property
    def title(self) -> str:
        """Its name in the table."""
        return f"{self.name} {self.victim}"


KILLS = [Act("kill -9", victim) for victim in (*STAGES, SUPERVISOR)]
STOPS = [Act("SIGSTOP", victim) for victim in (*STAGES, SUPERVISOR)]
CUT = Act("cut", "connections")
RESTART = Act("restart", "exchange")


def pid_of(name: str, victim: str) -> int:
    """Return the process of a stage or of the supervisor."""
    mark = instance.read_mark(name)
    assert mark is not None, "the instance was started"
    return mark.pid if victim == SUPERVISOR else ask(name, ListStages()).stages[victim].pid


def is_up(name: str) -> bool:
    """Return whether the supervisor answers and has a process for every stage."""
    try:
        stages = ask(name, ListStages()).stages
    except NoAnswer:
        return False
    return all(stage.phase == "up" for stage in stages.values())


class Traces(NamedTuple):
    """The observable traces of an act on a run."""

    pids: dict[str, int]
    connection_count: int


def traces(name: str) -> Traces | None:
    """Return the process of each stage and the gateway's connections; None without an answer."""
    try:
        stages = ask(name, ListStages()).stages
        view, mark = open_view(name)
    except (NoAnswer, instance.NotRunning, instance.NotReady):
        return None
    connection_count = view.counter("gateway", GatewayCounter.CONNECTIONS)
    view.close()
    pids = {victim: stage.pid for victim, stage in stages.items()}
    return Traces({**pids, SUPERVISOR: mark.pid}, connection_count)


def is_stopped(pid: int) -> bool:
    """Return whether a signal has stopped a process."""
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
            == "T"
        )
    except FileNotFoundError:
        return False


def has_struck(act: Act, before: Traces, now: Traces | None) -> bool:
    """Return whether the act has had an effect, so that a later check cannot pass before it."""
    if now is None:
        return False
    if act in (CUT, RESTART):
        return now.connection_count != before.connection_count
    if act in KILLS:
        return now.pids[act.victim] != before.pids[act.victim]
    return not is_stopped(now.pids[act.victim])


def do(
    act: Act,
    name: str,
    rest_url: str,
    start: Callable[[], None],
    restart_exchange: Callable[[], None],
    pause_s: float,
) -> int:
    """Do the act; return its monotonic time.  ``start`` starts the engine like an operator.

    A killed supervisor is started again after ``pause_s``; a stopped one is continued after it,
    because no other process watches it.
    """
    if act == RESTART:
        restart_exchange()
        return time.monotonic_ns()
    if act == CUT:
        fault = json.dumps({"fault": "cut"}).encode()
        request = urllib.request.Request(f"{rest_url}/vortex/faults", fault, method="POST")
        with urllib.request.urlopen(request, timeout=10):
            return time.monotonic_ns()
    pid = pid_of(name, act.victim)
    os.kill(pid, signal.SIGKILL if act in KILLS else signal.SIGSTOP)
    done_ns = time.monotonic_ns()
    if act.victim == SUPERVISOR:
        time.sleep(pause_s)
        if act in KILLS:
            start()
        else:
            os.kill(pid, signal.SIGCONT)
    return done_ns
