"""``vortexctl wait``: wait until an instance is in a state."""

import time
from collections.abc import Callable

import click

from procs.commands.common import (
    EXIT_TIMEOUT,
    echo_json,
    fail,
    instance_option,
    output_option,
)
from procs.observe.samples.view import RunView, open_view
from procs.plan import instance
from procs.plan.instance import NotReady, NotRunning, OtherVersion

LOOK_S = 0.05


@click.command("wait")
@click.option(
    "--for", "state", type=click.Choice(["ready", "stopped", "flat"]), required=True,
    help="Every stage ready and every book in sync; not running; no open order of ours.",
)  # fmt: skip
@click.option("--timeout", "timeout_s", default=60.0, show_default=True, help="In seconds.")
@instance_option
@output_option
def command(state: str, timeout_s: float, name: str, output: str) -> None:
    """Wait for a state; exit 99 at the timeout."""
    deadline = time.monotonic() + timeout_s
    while not CONDITIONS[state](name):
        if time.monotonic() > deadline:
            fail(f"instance {name!r} is not {state} after {timeout_s:g} s", EXIT_TIMEOUT)
        time.sleep(LOOK_S)
    if output == "json":
        echo_json({"schema": 1, "state": state})


def looked_at(name: str, condition: Callable[[RunView], bool]) -> bool:
    """Return whether an instance is up, and whether it meets ``condition``."""
    try:
        view, _ = open_view(name)
    except (NotRunning, NotReady, OtherVersion):
        return False
    try:
        return condition(view)
    finally:
        view.close()


def is_flat(view: RunView) -> bool:
    """Return whether no order of ours is open or may be open."""
    return view.open_order_count() == 0


CONDITIONS: dict[str, Callable[[str], bool]] = {
    "ready": lambda name: looked_at(name, RunView.ready),
    "stopped": lambda name: not instance.is_up(name),
    "flat": lambda name: looked_at(name, is_flat),
}
