"""A real terminal for the tests: a pseudo-terminal, and a screen that is drawn from its bytes."""

import os
import sys
from typing import Any

import pexpect
import pyte
from engines import ROOT, Engine, until


class Terminal:
    """One vortexctl command in a terminal of its own; ``close`` ends it."""

    def __init__(self, engine: Engine, *arguments: str, columns: int = 100, rows: int = 40) -> None:
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        environment = {**os.environ, **engine.environment, "TERM": "xterm-256color"}
        for name in ("COLUMNS", "LINES"):  # where they are set, they count for more than a terminal
            environment.pop(name, None)
        self.process = pexpect.spawn(
            sys.executable, ["-m", "procs.cli", *arguments], cwd=str(ROOT), env=environment,
            dimensions=(rows, columns), timeout=60,
        )  # fmt: skip

    @property
    def pid(self) -> int:
        """The process in the terminal."""
        return int(self.process.pid)

    def text(self) -> str:
        """Return the text on the screen now."""
        try:
            while True:
                self.stream.feed(self.process.read_nonblocking(1 << 16, timeout=0))
        except (pexpect.TIMEOUT, pexpect.EOF):
            pass
        return "\n".join(line.rstrip() for line in self.screen.display)

    def wait_for(self, *words: str) -> str:
        """Wait until all ``words`` are on the screen; return it."""
        shown = [""]

        def is_shown() -> bool:
            shown[0] = self.text()
            return all(word in shown[0] for word in words)

        try:
            until(is_shown, f"{words} were on the screen")
        except AssertionError as error:
            raise AssertionError(f"{error}; it shows\n{shown[0]}") from None
        return shown[0]

    def press(self, key: str) -> None:
        """Press one key."""
        self.process.send(key)

    def leave(self) -> Any:
        """Press q; return the exit status."""
        return self.leave_by("q")

    def leave_by(self, keys: str) -> Any:
        """Press what ends it; return the exit status."""
        self.press(keys)
        return self.end()

    def end(self) -> Any:
        """Wait for the end of the command; return its exit status."""
        until(lambda: self.text() is not None and not self.process.isalive(), "it was left")
        return self.process.exitstatus

    def close(self) -> None:
        """End whatever still runs."""
        self.process.close(force=True)
