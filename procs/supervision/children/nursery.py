"""Forks the stages' processes from one parent with all imports and no secret.

A stage's imports take over a second of CPU; the fork of a process that has made them takes 20 ms.
That parent is the fork server of ``multiprocessing``, started before this process imports anything
heavy.  It compiles and runs nothing and has one thread, so forking it is safe.
"""

import contextlib
import multiprocessing
import os
import select
import signal
from collections.abc import Callable
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from typing import Any

from procs.logs.run_events import UNKNOWN_STATUS
from procs.plan.credentials import present_variables


def open_nursery() -> None:
    """Start the parent of the stages; it ends when this process and the stages have ended.

    It inherits neither the keys nor our output: a reader of that output waits for its last writer.
    """
    hidden = {name: os.environ.pop(name) for name in present_variables()}
    outputs = {fd: os.dup(fd) for fd in (1, 2)}
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for fd in outputs:
        os.dup2(nowhere, fd)
    try:
        forkserver.set_forkserver_preload(["procs.supervision.children.preload"])
        forkserver.ensure_running()
    finally:
        for fd, copy in outputs.items():
            os.dup2(copy, fd)
            os.close(copy)
        os.close(nowhere)
        os.environ.update(hidden)


class Child:
    """A stage's process; ``close`` releases its pidfd."""

    def __init__(self, pid: int, process: ForkServerProcess | None = None) -> None:
        """Watch a process; without ``process``, one that this supervisor did not start."""
        self.pid = pid
        self.process = process
        self.fd = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Return the exit status, or -N after a kill by signal N; None while it lives."""
        return self.wait(0.0)

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Wait for the end of the process and return its exit status; None after a timeout.

        The status of a process that another parent started is not known: it is UNKNOWN_STATUS.
        """
        if self.process is None:
            ready, _, _ = select.select([self.fd], [], [], timeout_s)
            return UNKNOWN_STATUS if ready else None
        self.process.join(timeout_s)
        return self.process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.fd, number)

    def kill(self) -> None:
        """Kill the process."""
        self.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """Release the descriptor."""
        os.close(self.fd)


def spawn(target: Callable[..., None], *arguments: Any) -> Child:
    """Fork a process that calls ``target`` with ``arguments``, which are pickled."""
    context = multiprocessing.get_context("forkserver")
    process = context.Process(target=target, args=arguments)
    process.start()
    assert process.pid is not None
    return Child(process.pid, process)
