"""``vortexctl step``: step through a recording of a stage, as plain Python."""

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from procs.commands.common import EXIT_FAILED, EXIT_USAGE, fail, is_terminal
from procs.debug.plain import run_plain

if TYPE_CHECKING:
    from procs.debug.steps.stepping import Stepper


@click.command("step")
@click.argument("recording", type=click.Path(path_type=Path))
@click.option("--stage", "role", metavar="STAGE",
              help="With a run's folder: book (default) or strategy.")  # fmt: skip
@click.option("-n", "count_max", type=click.IntRange(min=1), metavar="N",
              help="Take N steps and end.")  # fmt: skip
@click.option("--pdb", "wants_pdb", is_flag=True, help="Take the steps under pdb.")
@click.option("-b", "--break", "breaks", multiple=True, metavar="FUNCTION|FILE:LINE",
              help="With --pdb: stop there; default: at each step.")  # fmt: skip
def command(
    recording: Path, role: str | None, count_max: int | None, wants_pdb: bool,
    breaks: tuple[str, ...],
) -> None:  # fmt: skip
    """Repeat the recorded steps of a stage one by one, and compare the records that it published.

    RECORDING is a file from `vortexctl attach STAGE --to FILE` or `attach --tap RING --to FILE`, or
    the folder of a run that has ended.  It does not touch any running instance.
    """
    if breaks and not wants_pdb:
        fail("--break goes with --pdb", EXIT_USAGE)
    if wants_pdb and not is_terminal():
        fail("--pdb needs a terminal", EXIT_USAGE)
    if not recording.exists():
        fail(f"{recording} does not exist", EXIT_USAGE)
    words = ["--stage", role] if role else []
    words += ["-n", str(count_max)] if count_max else []
    words += ["--pdb"] if wants_pdb else []
    words += [word for each in breaks for word in ("--break", each)]
    run_plain(["step", str(recording), *words])
    take_steps(recording, role, count_max, breaks, wants_pdb=wants_pdb)


def take_steps(
    recording: Path, role: str | None, count_max: int | None, breaks: tuple[str, ...], *,
    wants_pdb: bool,
) -> None:  # fmt: skip
    """Step through a recording: at a prompt, under pdb, or all of it at once."""
    from procs.debug.prompt import BadBreak
    from procs.debug.steps import stepping
    from procs.debug.steps.moments import NotRepeatable
    from procs.debug.steps.sources import open_source
    from procs.debug.steps.stage_modules import show_plain_numbers
    from procs.debug.steps.step_recording import BadRecording

    try:
        source = open_source(recording, role)
        show_plain_numbers()
        with closing(stepping.Stepper(source, click.echo)) as stepper:
            if wants_pdb:
                step_under_pdb(stepper, count_max, breaks)
            elif count_max is None and is_terminal():
                stepping.Shell(stepper).cmdloop()
            else:
                stepping.take(stepper, count_max)
            click.echo(stepper.summary())
    except BadRecording as error:
        fail(f"{recording}: {error}")
    except (NotRepeatable, BadBreak) as error:
        fail(str(error), EXIT_USAGE)
    except OSError as error:
        fail(f"{recording}: {error.strerror}")
    sys.exit(EXIT_FAILED if stepper.differing_count else 0)


def step_under_pdb(stepper: "Stepper", count_max: int | None, breaks: tuple[str, ...]) -> None:
    """Take steps under pdb; a step that fails shows where."""
    from procs.debug.prompt import Left, Prompt, first_of, places_of
    from procs.debug.steps import stepping
    from procs.debug.steps.stage_modules import modules_of
    from procs.debug.steps.step_recording import BadRecording

    modules = modules_of(stepper.source.role, stepper.source.launch.config)
    prompt = Prompt(places_of(breaks, modules) or [first_of(modules[0].drain)])
    click.echo("c continues to the next stop, Ctrl-C returns to the prompt, q leaves.")
    try:
        prompt.run_until_left(stepping.take, stepper, count_max)
    except Left:
        pass
    except BadRecording:
        raise
    except Exception as error:
        prompt.look_at(error)
        fail(f"a step failed: {type(error).__name__}: {error}")
