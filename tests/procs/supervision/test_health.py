"""The health of a process: stopped, stuck, or only slow, which is well."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines import until

from procs.supervision.children.health import LATE_NS, STUCK_NS, Health, health_of


@pytest.fixture
def process() -> Iterator["subprocess.Popen[bytes]"]:
    """Return a process that runs."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as made:
        yield made
        made.kill()


def state_of(pid: int) -> str:
    """Return the kernel's letter for the state of a process."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_fresh_heartbeat_is_all_that_is_asked(process: "subprocess.Popen[bytes]") -> None:
    assert health_of(process.pid, LATE_NS - 1) == Health.WELL


def test_a_process_that_runs_is_stuck_only_after_a_while(
    process: "subprocess.Popen[bytes]",
) -> None:
    assert health_of(process.pid, STUCK_NS - 1) == Health.WELL
    assert health_of(process.pid, STUCK_NS) == Health.STUCK


def test_a_stopped_process_is_known_at_once(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGSTOP)
    until(lambda: state_of(process.pid) == "T", "it was stopped")
    assert health_of(process.pid, LATE_NS) == Health.STOPPED
    process.send_signal(signal.SIGCONT)
    until(lambda: state_of(process.pid) == "R", "it runs again")
    assert health_of(process.pid, LATE_NS) == Health.WELL


def test_a_process_that_has_ended_is_not_for_this_to_judge() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
        assert health_of(ended.pid, STUCK_NS) == Health.WELL
