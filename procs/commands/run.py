"""``vortexctl run``: one stage in the foreground, the others unchanged."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from procs.commands.common import (
    EXIT_NOT_RUNNING,
    EXIT_USAGE,
    fail,
    instance_option,
    is_terminal,
    send,
)
from procs.debug.plain import run_plain
from procs.plan import instance
from procs.plan.credentials import forget_credentials
from procs.supervision.control.control_socket import LendStage

if TYPE_CHECKING:
    pass


@click.command("run")
@click.argument("stage")
@instance_option
@click.option("--pdb", "wants_pdb", is_flag=True,
              help="Run it as plain Python under pdb, without trading.")  # fmt: skip
@click.option("--shadow", "is_shadow", is_flag=True,
              help="Repeat the steps of the running stage beside it, and compare.")  # fmt: skip
@click.option("-b", "--break", "breaks", multiple=True, metavar="FUNCTION|FILE:LINE",
              help="With --pdb: stop there; default: at the beginning.")  # fmt: skip
def command(
    stage: str, name: str, wants_pdb: bool, is_shadow: bool, breaks: tuple[str, ...]
) -> None:
    """Run STAGE of a running instance here, its log on this terminal; Ctrl-C gives it back.

    The gateway pulls all quotes first; then the supervisor's own process of the stage ends.  The
    supervisor starts it again when this command ends, for any reason.  With --shadow nothing of the
    instance changes.
    """
    if breaks and not wants_pdb:
        fail("--break goes with --pdb", EXIT_USAGE)
    if wants_pdb and not is_terminal():
        fail("--pdb needs a terminal", EXIT_USAGE)
    from procs.commands.borrowing import keys_of, launch_of

    mark = instance.read_mark(name)
    if mark is None or not instance.is_up(name):
        fail(f"instance {name!r} is not running", EXIT_NOT_RUNNING)
    if wants_pdb or is_shadow:
        flags = [*(["--pdb"] if wants_pdb else []), *(["--shadow"] if is_shadow else [])]
        run_plain(["run", stage, "-n", name, *flags, *(w for b in breaks for w in ("-b", b))])
        from procs.commands import debug

        launch = launch_of(name, mark, stage)
        debug.run(name, launch, stage, breaks, wants_pdb=wants_pdb, is_shadow=is_shadow)
        return
    launch = launch_of(name, mark, stage)
    environment = keys_of(launch, stage)
    send(name, LendStage(stage, os.getpid(), halts=False))
    forget_credentials()
    os.environ.update(environment)
    from procs.supervision.children import run_stage

    status = run_stage.run((stage,), instance.launch_path(Path(launch.run_folder), stage))
    click.echo(f"{stage} ended with status {status}; the supervisor takes it back")
