"""``vortexctl logs``: all logs of a run in one stream."""

import os
import select
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import click

from procs.commands.common import (
    EXIT_NOT_RUNNING,
    EXIT_USAGE,
    echo_json,
    fail,
    instance_option,
    output_option,
)
from procs.logs.log_lines import GRAVITY, LogFolder, LogLine, is_at_least
from procs.plan import instance

LOOK_S = 0.2


@click.command("logs")
@instance_option
@click.argument("stage", required=False)
@output_option
@click.option("-f", "--follow", is_flag=True, help="Continue with new lines; end with Ctrl-C.")
@click.option("-l", "--lines", "line_count", default=20, show_default=True,
              type=click.IntRange(min=0), help="How many.")  # fmt: skip
@click.option("--level", type=click.Choice(GRAVITY), default=GRAVITY[0], show_default=True,
              help="Leave out lower levels.")  # fmt: skip
def command(
    name: str, stage: str | None, follow: bool, line_count: int, output: str, level: str
) -> None:
    """Print the last lines of the logs of the running or the last run, in the order of time.

    They include the events of the hot loops.  With STAGE: only the lines of that stage.
    """
    mark = instance.read_mark(name)
    if mark is None:
        fail(
            f"instance {name!r} is not running; logs of ended runs are in their folders",
            EXIT_NOT_RUNNING,
        )
    folder = LogFolder(Path(mark.run_folder))
    lines = folder.look()
    # Stages of one process share its log, which is named after all of them.
    names = {each for path in folder.followers for each in (path.stem, *path.stem.split("+"))}
    names |= {line.log for line in lines}
    if stage is not None and stage not in names:
        fail(f"no log of {stage!r}; there are {', '.join(sorted(names))}", EXIT_USAGE)

    def chosen(lines: Iterable[LogLine]) -> list[LogLine]:
        own = (line for line in lines if stage in (None, line.log, *line.log.split("+")))
        return list(is_at_least(own, level))

    with suppress(KeyboardInterrupt, BrokenPipeError):
        newest = chosen(lines)
        say(newest[max(len(newest) - line_count, 0) :], output)
        while follow:
            select.select([], [], [], LOOK_S)
            say(chosen(folder.look()), output)
        return
    # The reader of the lines has closed; the final flush of Python must not fail.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(lines: Iterable[LogLine], output: str) -> None:
    """Print lines, each with its process or stage."""
    for each in lines:
        if output == "json":
            line = {"schema": 1, "log": each.log, "line": each.line}
            echo_json({**line, "time": each.time, "level": each.level, "text": each.message})
        else:
            click.echo(f"{each.log:<10} {each.line}")
