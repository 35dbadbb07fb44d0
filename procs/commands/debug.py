"""``vortexctl run --pdb`` and ``--shadow``."""

import os
import sys
import termios
from collections.abc import Sequence

import click
import msgspec

from ipc.errors import SharedMemoryError
from ipc.waiting import Wait
from procs.commands.common import (
    EXIT_FAILED,
    EXIT_NOT_RUNNING,
    EXIT_USAGE,
    fail,
    failing_plainly,
    send,
)
from procs.debug.steps.stage_modules import modules_of, show_plain_numbers
from procs.logs import process_log
from procs.observe.samples.view import RunView
from procs.observe.watch import open_run
from procs.plan.credentials import forget_credentials
from procs.plan.launch import Launch
from procs.stages.base.stage import StageError
from procs.supervision.control.control_socket import LendStage


def run(
    name: str, launch: Launch, stage: str, breaks: Sequence[str], *, wants_pdb: bool,
    is_shadow: bool,
) -> None:  # fmt: skip
    """Run a stage as plain Python, in its place or beside it; this process does nothing else."""
    with failing_plainly():
        view = open_run(name)
    try:
        if is_shadow:
            run_shadow(view, launch, stage, breaks, wants_pdb=wants_pdb)
        else:
            run_in_place(name, launch, stage, breaks)
    finally:
        view.close()


def run_shadow(
    view: RunView, launch: Launch, stage: str, breaks: Sequence[str], *, wants_pdb: bool
) -> None:
    """Follow a stage as its shadow; fail when their outputs differ."""
    from procs.debug import shadow
    from procs.debug.prompt import BadBreak
    from procs.debug.steps.moments import NotRepeatable

    try:
        followed = shadow.run(view, launch, stage, breaks, wants_pdb=wants_pdb)
    except (NotRepeatable, BadBreak) as error:
        fail(str(error), EXIT_USAGE)
    except shadow.ShadowError as error:
        fail(str(error))
    if followed.is_over:
        fail(f"instance {view.config.instance!r} has ended", EXIT_NOT_RUNNING)
    sys.exit(EXIT_FAILED if followed.differing_count else 0)


def run_in_place(name: str, launch: Launch, stage: str, breaks: Sequence[str]) -> None:
    """Take a stage over at the prompt; the supervisor takes it back when this process ends."""
    from procs.commands.borrowing import keys_of
    from procs.debug import in_place
    from procs.debug.prompt import BadBreak, Prompt, first_of, places_of

    try:
        modules = modules_of(stage, launch.config)
        places = places_of(breaks, modules) or [first_of(modules[0].turn)]
    except BadBreak as error:
        fail(str(error), EXIT_USAGE)
    environment = keys_of(launch, stage)
    click.echo(f"pulling all quotes of {name} ...")
    send(name, LendStage(stage, os.getpid(), halts=True))
    forget_credentials()
    os.environ.update(environment)
    show_plain_numbers()
    process_log.to_stderr()
    click.echo(in_place.banner(stage, name))
    # On the housekeeping CPUs, with an idle loop that leaves them to other processes.
    here = msgspec.structs.replace(launch, wait=int(Wait.PARK))
    settings = termios.tcgetattr(sys.stdin)

    def abandon() -> None:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, settings)  # readline changes them
        os._exit(EXIT_NOT_RUNNING)

    try:
        is_over = in_place.run(stage, here, Prompt(places, once=not breaks), abandon)
    except (SharedMemoryError, StageError) as error:
        fail(str(error))
    except Exception as error:
        fail(f"{stage} failed: {type(error).__name__}: {error}; the supervisor takes it back")
    if is_over:
        fail(f"instance {name!r} has ended", EXIT_NOT_RUNNING)
    click.echo(f"the supervisor has {stage} back")
