"""``vortexctl stop``: pull the quotes, end the stages, leave nothing behind."""

import os
import signal
import time
from collections.abc import Callable

import click

from procs.commands.common import (
    command_stage,
    echo_json,
    fail,
    instance_option,
    output_option,
)
from procs.plan import instance
from procs.plan.instance import Mark
from procs.supervision import orphans
from procs.supervision.control.control_socket import StopStage

STOP_WAIT_S = 60.0


@click.command("stop")
@click.argument("stages", nargs=-1)
@instance_option
@output_option
def command(stages: tuple[str, ...], name: str, output: str) -> None:
    """Pull all quotes, end the stages, and leave nothing behind.

    With STAGES: end only those, and do not start them again; quotes stay pulled.
    """
    if stages:
        for stage in stages:
            command_stage(name, StopStage(stage), output, f"{stage} stopped")
        return
    say = click.echo if output == "table" else lambda line: None
    stop_run(name, say)
    if output == "json":
        echo_json({"schema": 1, "done": "stopped"})


def stop_run(name: str, say: Callable[[str], object]) -> None:
    """End an instance, or remove the rest of a dead one; report the result to ``say``."""
    mark = instance.read_mark(name)
    if not instance.is_up(name):
        if not orphans.end(name, mark, say):
            say(f"instance {name!r} is not running")
        return
    if mark is None:
        fail(f"instance {name!r} is just starting or ending; try again")
    end_supervisor(mark)
    deadline = time.monotonic() + STOP_WAIT_S
    while instance.is_up(name):
        if time.monotonic() > deadline:
            fail(f"pid {mark.pid} does not end; see the log in {mark.run_folder}")
        time.sleep(0.02)
    say(f"stopped; report in {mark.run_folder}/report.json")


def end_supervisor(mark: Mark) -> None:
    """Order the supervisor to stop; by pidfd, so that a reused pid is never hit."""
    try:
        fd = os.pidfd_open(mark.pid)
    except ProcessLookupError:
        return
    try:
        if instance.is_up_by(mark):
            signal.pidfd_send_signal(fd, signal.SIGTERM)
    except ProcessLookupError:
        pass
    finally:
        os.close(fd)
