"""``vortexctl top``: the whole pipeline on one screen."""

import shutil
import time
from contextlib import suppress

import click
import msgspec

from procs.commands.common import (
    EXIT_NOT_RUNNING,
    EXIT_USAGE,
    fail,
    failing_plainly,
    instance_option,
    is_terminal,
    output_option,
)
from procs.observe.samples.rates import Rates
from procs.observe.samples.sample import Sample, json_of
from procs.observe.screens import top
from procs.observe.watch import Watch, keeping_house

TOP_SCHEMA = 1
INTERVAL_S_MIN = 0.05


class TopOutput(msgspec.Struct):
    """The object that ``-o json`` prints, one a line."""

    schema: int
    note: str
    sample: Sample
    rates: Rates


@click.command("top")
@instance_option
@output_option
@click.option(
    "-i", "--interval", "interval_s", default=1.0, show_default=True,
    type=click.FloatRange(min=INTERVAL_S_MIN), help="Seconds between two looks.",
)  # fmt: skip
@click.option("--plain", is_flag=True, help="Print text, as when this is not a terminal.")
@click.option("-c", "--count", "look_count", default=1, show_default=True,
              type=click.IntRange(min=0), help="Screens; 0 until the run ends.")  # fmt: skip
def command(name: str, output: str, interval_s: float, plain: bool, look_count: int) -> None:
    """Show the whole pipeline: stages, rings, books, latencies.

    On a terminal the screen is live; elsewhere it is printed once, after one interval.
    """
    watch = begin(name)
    try:
        with keeping_house(watch.view):
            if output == "table" and not plain and is_terminal():
                run_screen(watch, interval_s)
            else:
                print_looks(watch, output, interval_s, look_count)
    finally:
        watch.close()


def begin(name: str) -> Watch:
    """Attach to an instance, or fail with one line."""
    with failing_plainly():
        return Watch(name)


def need_textual() -> None:
    """Fail with one line when textual, which draws live screens, is not installed."""
    try:
        import textual  # noqa: F401
    except ImportError:
        fail(
            "live screens need textual: pip install 'vortex-mm[top]'; --plain prints text",
            EXIT_USAGE,
        )


def run_screen(watch: Watch, interval_s: float) -> None:
    """Show the live screen until it is left."""
    need_textual()
    from procs.observe.screens.live import LiveScreen

    heading = f"vortexctl top -n {watch.name}"
    LiveScreen(heading, {"pipeline": top.screen}, watch, interval_s).run()


def print_looks(watch: Watch, output: str, interval_s: float, look_count: int) -> None:
    """Print ``look_count`` screens or objects; end with 3 when the run does, quietly by Ctrl-C."""
    with suppress(KeyboardInterrupt):
        keep_printing(watch, output, interval_s, look_count)


def keep_printing(watch: Watch, output: str, interval_s: float, look_count: int) -> None:
    """Print until the requested number is reached."""
    printed = 0
    while look_count == 0 or printed < look_count:
        time.sleep(interval_s)
        now, rates = watch.look()
        printed += 1
        if output == "json":
            click.echo(json_of(TopOutput(TOP_SCHEMA, watch.note, now, rates)))
        else:
            width = shutil.get_terminal_size((100, 40)).columns
            click.echo("\n".join(line.text for line in top.screen(now, rates, width)))
        if watch.note:
            fail(watch.note, EXIT_NOT_RUNNING)
        if output == "table" and (look_count == 0 or printed < look_count):
            click.echo()
