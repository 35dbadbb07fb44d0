"""Adopts or ends the stages and segments that a dead supervisor left.

The gateway noticed the death and pulled its quotes.  To end them, this module orders the stages to
end, kills those that do not, and removes the segments.
"""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from ipc import control
from ipc.control import StageOrder
from ipc.segment import is_live, list_segments, remove_stale
from ipc.shared import SharedTable
from procs.observe.samples.view import RunView
from procs.plan import strategy_files, wiring
from procs.plan.config import Config
from procs.plan.errors import StartError
from procs.plan.instance import Mark, launch_path
from procs.plan.launch import read_launch

LEAVE_S = 10.0


def abandoned_run(config: Config, mark: Mark | None) -> Mark | None:
    """Return the run whose stages still live without a supervisor, or None.

    Raises
    ------
    StartError
        When that run was started with another configuration.
    """
    if mark is None or not any(is_live(name) for name in list_segments(config.instance)):
        return None
    launch = read_launch(launch_path(Path(mark.run_folder), wiring.BOOK))
    if launch.config != config.with_strategy_files(strategy_files.keep):
        raise StartError(
            f"stages of a run with another configuration still live; "
            f"`vortexctl stop -n {config.instance}` ends them"
        )
    return mark


def end(instance: str, mark: Mark | None, say: Callable[[str], object]) -> bool:
    """End the stages and remove the segments of an instance without a supervisor.

    Return whether there was anything to end.
    """
    if not list_segments(instance):
        return False
    if any(is_live(name) for name in list_segments(instance)):
        if mark is None:
            say(f"segments of {instance!r} are held by processes of an unknown run; end them")
            return True
        end_stages(Path(mark.run_folder), say)
    for name in remove_stale(instance):
        say(f"removed {name}")
    return True


def end_stages(run_folder: Path, say: Callable[[str], object]) -> None:
    """Order every live stage to end; kill those that do not."""
    view = RunView.of_run(run_folder)
    commands = SharedTable.attach(view.wiring.segment("commands"), control.COMMAND, writable=True)
    living = {}
    for index, role in enumerate(view.wiring.roles):
        if view.is_alive(role):
            living[role] = os.pidfd_open(int(view.status(role)["pid"]))
        control.give_pull(commands.record_address(index), 1)
    gateways = view.wiring.gateway_roles
    for role in gateways:
        if role not in living:
            say(f"the {role} is dead: orders may be open at the venue; the next start cancels them")
    deadline = time.monotonic() + LEAVE_S
    while time.monotonic() < deadline:
        if all(view.status(role)["is_flat"] == 1 for role in gateways if role in living):
            break
        time.sleep(0.02)
    for index in range(len(view.wiring.roles)):
        control.give_order(commands.record_address(index), StageOrder.STOP)
    while time.monotonic() < deadline and any(view.is_alive(role) for role in living):
        time.sleep(0.02)
    for role, fd in living.items():
        if view.is_alive(role):
            signal.pidfd_send_signal(fd, signal.SIGKILL)
            say(f"killed {role}, which did not end")
        else:
            say(f"{role} left")
        os.close(fd)
    while any(view.is_alive(role) for role in living):
        time.sleep(0.02)
    commands.close()
    view.close()
