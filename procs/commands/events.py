"""``vortexctl events``: the changes of state of the stages, one line each."""

import select
from pathlib import Path

import click
import msgspec

from procs.commands.common import EXIT_NOT_RUNNING, fail, instance_option, output_option
from procs.logs.run_events import RunEvent, events_path
from procs.plan import instance

LOOK_S = 0.2


@click.command("events")
@instance_option
@output_option
@click.option("-f", "--follow", is_flag=True, help="Continue with new events; end with Ctrl-C.")
def command(name: str, output: str, follow: bool) -> None:
    """Print the changes of state of the stages of the running or the last run."""
    mark = instance.read_mark(name)
    if mark is None:
        fail(f"instance {name!r} never ran here", EXIT_NOT_RUNNING)
    with events_path(Path(mark.run_folder)).open("rb") as file:
        rest = b""
        while True:
            *lines, rest = (rest + file.read()).split(b"\n")
            for line in lines:
                click.echo(line if output == "json" else text_of(line))
            if not follow:
                return
            select.select([], [], [], LOOK_S)


def text_of(line: bytes) -> str:
    """Return one event for people."""
    event = msgspec.json.decode(line, type=RunEvent)
    words = [event.time, event.what, event.stage]
    if event.pid:
        words.append(f"pid {event.pid}")
    if event.status is not None:
        words.append(f"status {event.status}")
    if event.delay_s is not None:
        words.append(f"again in {event.delay_s:g} s")
    return " ".join(word for word in [*words, event.note] if word)
