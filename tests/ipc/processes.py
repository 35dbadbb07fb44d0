"""Start a module as a process and talk to it line by line."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
#: Where a child finds the packages, and what tests share.
PATH = f"{ROOT}{os.pathsep}{ROOT / 'tests'}"


class Child:
    """A child process; killed and reaped at the latest when the ``with`` block ends."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": PATH, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @classmethod
    def driver(cls, role: str, *arguments: object) -> Self:
        """Start one role of ``tests.ipc.drivers``."""
        return cls("-m", "tests.ipc.drivers", role, *[str(argument) for argument in arguments])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.kill()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()

    def hear(self) -> list[str]:
        """Return the words of the child's next line; empty at its end."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().split()

    def say(self, text: str = "") -> None:
        """Send the child one line."""
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def signal(self, number: signal.Signals) -> None:
        """Send the child a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """Kill and reap."""
        self.process.kill()
        self.process.wait()

    def wait(self) -> int:
        """Return the exit status."""
        return self.process.wait()
