"""The tools of ``vortexctl attach``: ``--to``, ``--stack``, ``--profile``, ``--gdb``.

A tool that costs the stage time prints that before it begins.
"""

import time
from contextlib import suppress
from pathlib import Path

import click

from procs.commands.common import EXIT_FAILED, EXIT_NOT_RUNNING, EXIT_USAGE, fail
from procs.observe.process import debugger, profile, stack
from procs.observe.process.debugger import NoDebugger
from procs.observe.process.profile import NoProfile
from procs.observe.samples.view import RunView
from procs.observe.watch import Watch
from procs.plan import wiring
from procs.plan.instance import launch_path
from procs.plan.launch import Launch, read_launch

TOP_SHOWN = 15


def process_of(watch: Watch, role: str) -> tuple[int, int]:
    """Return the process and the hot thread of a stage, or fail with one line."""
    if not watch.view.is_alive(role):
        fail(f"{role} has no process now; `vortexctl events` says why", EXIT_NOT_RUNNING)
    status = watch.view.status(role)
    return int(status["pid"]), int(status["thread_id"])


def sharing(watch: Watch, role: str) -> list[str]:
    """Return the other stages of the same process."""
    view = watch.view
    pid = int(view.status(role)["pid"])
    return [each for each in view.wiring.roles
            if each != role and int(view.status(each)["pid"]) == pid]  # fmt: skip


def show_stack(watch: Watch, role: str) -> None:
    """Print the stacks of a stage's threads."""
    pid, thread_id = process_of(watch, role)
    click.echo(f"--stack {stack.COST}", err=True)
    click.echo(f"hot thread {thread_id} of {role}, innermost first:")
    for name in stack.hot_stack(pid, thread_id):
        click.echo(f"    {name}")
    click.echo()
    click.echo("\n".join(stack.python_stacks(pid)))


def make_profile(watch: Watch, role: str, seconds: float) -> None:
    """Sample a stage; print the functions that ran most and the path of the flame graph."""
    pid, thread_id = process_of(watch, role)
    click.echo(f"--profile: {profile.cost(seconds)}", err=True)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    folder: Path = watch.view.run_folder / "profiles" / f"{role}-{stamp}"
    title = f"{role} of {watch.name}, {seconds:g} s, {stamp}"
    try:
        made = profile.record(pid, thread_id, seconds, folder, title)
    except NoProfile as error:
        fail(str(error), EXIT_FAILED)
    count = sum(made.folded.values())
    click.echo(f"{count} samples of {role}; the functions that ran:")
    for name, share in made.top(TOP_SHOWN):
        click.echo(f"{share:7.1%}  {name}")
    click.echo(f"\nflame graph: {folder / 'flame.svg'}")
    click.echo(f"also there: folded.txt, perf.data, and perf-{pid}.map, for perf report, in /tmp")


def run_debugger(watch: Watch, role: str, *, is_sure: bool) -> None:
    """Run gdb on a stage, after a confirmation."""
    pid, thread_id = process_of(watch, role)
    click.echo(f"--gdb: {debugger.cost(role, sharing(watch, role))}", err=True)
    if not is_sure:
        click.confirm("Stop it?", abort=True, err=True)
    try:
        status = debugger.run(pid, thread_id)
    except NoDebugger as error:
        fail(str(error), EXIT_FAILED)
    if status:
        fail(f"gdb ended with status {status}", EXIT_FAILED)


def launch_of(view: RunView, role: str) -> Launch:
    """Return the launch of a stage, for the head of a recording."""
    return read_launch(launch_path(view.run_folder, role))


def head_of(view: RunView, ring_name: str, where: str) -> str:
    """Return the first line of a file with the records of one ring."""
    from procs.debug.steps.recorder import ring_start
    from procs.debug.steps.step_recording import head_line

    return head_line(launch_of(view, wiring.BOOK), "", ring_name, where, ring_start(view))


def record(watch: Watch, role: str, path: Path, count_max: int | None) -> None:
    """Write the inputs and outputs of a stage, step by step; end by Ctrl-C, or with the run."""
    from procs.debug.steps.moments import NotRepeatable
    from procs.debug.steps.recorder import Recorder
    from procs.debug.steps.standing import NeverStill

    process_of(watch, role)
    try:
        recorder = Recorder(watch.view, role, launch_of(watch.view, role), count_max)
        with suppress(KeyboardInterrupt), path.open("w", encoding="utf-8") as out:
            recorder.run(out)
    except NotRepeatable as error:
        fail(str(error), EXIT_USAGE)
    except NeverStill as error:
        fail(str(error), EXIT_FAILED)
    except OSError as error:
        fail(f"{path}: {error.strerror}", EXIT_FAILED)
    click.echo(recorder.summary(), err=True)
