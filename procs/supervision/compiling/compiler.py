"""Compiling for the supervisor, in a process of its own that can be ended any time."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from procs.logs.text_streams import utf8_environment
from procs.plan.errors import StartError


class Compiler:
    """Runs ``procs.supervision.compiling.warm`` once; ``end`` ends it from a signal's handler."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._was_ended = False

    def run(self, launch_path: Path, say: Callable[[str], object]) -> None:
        """Compile for one launch file, passing its progress on.

        Raises
        ------
        StartError
            When it does not compile, or was ended.
        """
        self._fail_if_ended()
        command = [sys.executable, "-m", "procs.supervision.compiling.warm", str(launch_path)]
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env=utf8_environment(),
            start_new_session=True,
        ) as process:
            self._process = process
            if self._was_ended:
                self.end()
            assert process.stdout is not None
            for line in process.stdout:
                say(line.rstrip())
        self._process = None
        self._fail_if_ended()
        if process.returncode != 0:
            raise StartError(f"compiling failed with status {process.returncode}")

    def end(self) -> None:
        """End the compiler and its helpers, when it runs."""
        self._was_ended = True
        if self._process is not None:
            with suppress(ProcessLookupError):  # it has just ended by itself
                os.killpg(self._process.pid, signal.SIGTERM)

    def _fail_if_ended(self) -> None:
        if self._was_ended:
            raise StartError("stopped while compiling")
