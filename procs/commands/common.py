"""The parts that commands share: failing, printing, the instance option."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import click
import msgspec

from procs.plan.instance import NothingKept, NotReady, NotRunning, OtherVersion
from procs.supervision.control.control_socket import Command, NoAnswer, ask

#: The LSB's values for init scripts; 99 is from s6-svwait.
EXIT_FAILED, EXIT_USAGE, EXIT_NOT_RUNNING, EXIT_TIMEOUT = 1, 2, 3, 99

instance_option = click.option(
    "-n", "--instance", "name", default="vortex", show_default=True, help="Which instance."
)
output_option = click.option(
    "-o", "--output", type=click.Choice(["table", "json"]), default="table", help="For whom."
)


def fail(message: str, status: int = EXIT_FAILED) -> NoReturn:
    """Print one message on standard error and exit."""
    click.echo(f"vortexctl: {message}", err=True)
    sys.exit(status)


@contextmanager
def failing_plainly() -> Iterator[None]:
    """Turn an error of attaching to a run into one line and an exit status."""
    try:
        yield
    except (NotRunning, NothingKept) as error:
        fail(str(error), EXIT_NOT_RUNNING)
    except (NotReady, OtherVersion) as error:
        fail(str(error))


def is_terminal() -> bool:
    """Return whether input and output are both terminals."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def echo_json(facts: dict[str, Any]) -> None:
    """Print one object on one line, for programs."""
    click.echo(msgspec.json.encode(facts))


def send(name: str, command: Command) -> None:
    """Send a command to an instance's supervisor; fail when it is refused."""
    try:
        answer = ask(name, command)
    except NoAnswer as error:
        fail(str(error), EXIT_NOT_RUNNING)
    if answer.error:
        fail(answer.error)


def command_stage(name: str, command: Command, output: str, done: str) -> None:
    """Send a command about a stage, and print that it was carried out."""
    send(name, command)
    if output == "json":
        echo_json({"schema": 1, "done": done})
    else:
        click.echo(done)
