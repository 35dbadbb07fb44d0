"""The compiler's process, as the supervisor runs and ends it."""

import os
import signal
import threading
from pathlib import Path

import pytest
from engines import until

from procs.plan.errors import StartError
from procs.supervision.compiling import compiler
from procs.supervision.compiling.compiler import Compiler


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a shell script that is run in place of Python, with its arguments."""
    path = tmp_path / "python"
    path.write_text("#!/bin/sh\nexit 0\n")
    path.chmod(0o755)
    monkeypatch.setattr(compiler.sys, "executable", str(path))
    return path


def test_progress_is_passed_on_and_a_failure_reported(script: Path) -> None:
    said: list[str] = []
    script.write_text('#!/bin/sh\necho "$@"; echo two\n')
    Compiler().run(Path("launch.json"), said.append)
    assert said == ["-m procs.supervision.compiling.warm launch.json", "two"]
    script.write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(StartError, match="failed with status 3"):
        Compiler().run(Path("launch.json"), said.append)


def test_it_is_ended_with_its_helpers(script: Path) -> None:
    """Before it was begun it is not begun; once it has ended there is nothing to end."""
    script.write_text("#!/bin/sh\nsleep 1000 &\necho $!\nwait\n")
    ended, said = Compiler(), list[str]()
    failed: list[StartError] = []

    def run() -> None:
        try:
            ended.run(Path("launch.json"), said.append)
        except StartError as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    until(lambda: said, "it runs")
    ended.end()
    thread.join()
    assert "stopped" in str(failed[0])
    until(lambda: is_gone(int(said[0])), "its helper was ended too")
    ended.end()
    with pytest.raises(StartError, match="stopped"):
        ended.run(Path("launch.json"), said.append)
    assert len(said) == 1


def is_gone(pid: int) -> bool:
    """Return whether a process has ended; anyone may reap it."""
    try:
        os.kill(pid, signal.SIGCONT)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True
