"""``vortexctl rerun``: repeat a whole run from what its stages took, and compare."""

from pathlib import Path

import click

from procs.commands.common import EXIT_USAGE, fail


@click.command("rerun")
@click.argument("folder", type=click.Path(path_type=Path))
def command(folder: Path) -> None:
    """Repeat a whole run in this process, and compare all that it published and sent, byte by byte.

    FOLDER is that of a run that was started with `[record] intake_mb`, however it ended.  The
    venue's bytes, the letters of main threads and the clock are those of then.  No connection
    is opened, and no running instance touched.  The accounts' keys are needed: every order is
    signed again.
    """
    from procs.debug.steps.moments import NotRepeatable
    from procs.debug.steps.step_recording import BadRecording
    from procs.debug.whole_run import Differs, WholeRun
    from procs.plan.errors import ConfigError

    try:
        run = WholeRun(folder.resolve())
    except BadRecording as error:
        fail(str(error))
    except (NotRepeatable, ConfigError) as error:
        fail(str(error), EXIT_USAGE)
    try:
        for _ in run.repeat():
            pass
        for line in run.notes():
            click.echo(line)
    except (Differs, BadRecording) as error:
        fail(str(error))
    finally:
        click.echo("\n".join(run.counts.lines()))
        run.close()
