"""``vortexctl attach``: inspect one stage of a running instance, and its rings."""

import os
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path

import click
import msgspec

from procs.commands import attach_tools
from procs.commands.common import (
    EXIT_FAILED,
    EXIT_NOT_RUNNING,
    EXIT_USAGE,
    fail,
    is_terminal,
    output_option,
)
from procs.commands.top import INTERVAL_S_MIN, begin, need_textual
from procs.observe.samples.rates import StageRates
from procs.observe.samples.sample import StageSample, json_of
from procs.observe.screens.stage_pages import StagePages
from procs.observe.watch import Watch, keeping_house

ATTACH_SCHEMA = 1


class AttachOutput(msgspec.Struct):
    """The object that ``-o json`` prints."""

    schema: int
    note: str
    stage: str
    sample: StageSample
    rates: StageRates
    faults: list[tuple[int, str, str, str]]


@click.command("attach")
@click.argument("stage", required=False)
@click.option("--instance", "name", default="vortex", show_default=True, help="Which instance.")
@click.option("-n", "names", multiple=True, metavar="NAME|N",
              help="The instance; with --tap or --to, a number is a count of records.")  # fmt: skip
@output_option
@click.option("-i", "--interval", "interval_s", default=0.5, show_default=True,
              type=click.FloatRange(min=INTERVAL_S_MIN), help="Seconds between looks.")  # fmt: skip
@click.option("--plain", is_flag=True, help="Print every page once, as without a terminal.")
@click.option(
    "--tap", "ring_name", metavar="RING", help="Print the records of a ring as they pass."
)
@click.option("--where", "expression", metavar="EXPR",
              help="Only matching records: \"kind == TRADE and qty_lots > 100\".")  # fmt: skip
@click.option("--to", "path", type=click.Path(path_type=Path, dir_okay=False),
              help="Write to this file, as JSON lines, what STAGE reads and writes, or with "
                   "--tap the records of RING; `vortexctl step` steps through it.")  # fmt: skip
@click.option("--stack", "wants_stack", is_flag=True,
              help="Print the stacks of its threads; costs it nothing.")  # fmt: skip
@click.option("--profile", "profile_s", metavar="SECONDS",
              type=click.FloatRange(min=0.1, max=3600),
              help="Sample its hot thread by perf, draw a flame graph; 1 % CPU.")  # fmt: skip
@click.option("--gdb", "wants_gdb", is_flag=True, help="Run gdb on it: STOPS it until you leave.")
@click.option("-y", "--yes", "is_sure", is_flag=True, help="Do not ask before --gdb.")
def command(
    stage: str | None, name: str, names: tuple[str, ...], output: str, interval_s: float,
    plain: bool, ring_name: str | None, expression: str | None, path: Path | None,
    wants_stack: bool, profile_s: float | None, wants_gdb: bool, is_sure: bool,
) -> None:  # fmt: skip
    """Inspect STAGE from outside, without stopping or slowing it.

    --stack, --profile and --gdb can cost it time, and say how much before they begin.
    On a terminal the view is live and a number chooses the page; elsewhere all are printed once.
    """
    takes_count = ring_name is not None or path is not None
    name, count_max = names_and_count(name, names, takes_count=takes_count)
    if ring_name is None and expression is not None:
        fail("--where goes with --tap RING", EXIT_USAGE)
    watch = begin(name)
    try:
        with keeping_house(watch.view):
            if stage is not None or ring_name is None:
                check_stage(watch, stage)
            if ring_name is not None:
                tap(watch, ring_name, expression, count_max, path, as_json=output == "json")
                return
            assert stage is not None
            if path is not None:
                attach_tools.record(watch, stage, path, count_max)
                return
            if wants_stack:
                attach_tools.show_stack(watch, stage)
            if profile_s is not None:
                attach_tools.make_profile(watch, stage, profile_s)
            if wants_gdb:
                attach_tools.run_debugger(watch, stage, is_sure=is_sure)
            if wants_stack or wants_gdb or profile_s is not None:
                return
            look(watch, stage, output, interval_s, plain=plain)
    finally:
        watch.close()


def names_and_count(
    name: str, names: tuple[str, ...], *, takes_count: bool
) -> tuple[str, int | None]:
    """Distinguish an instance from a count: ``-n`` gives both."""
    count_max = None
    for each in names:
        if takes_count and each.isdecimal():
            count_max = int(each)
        else:
            name = each
    return name, count_max


def check_stage(watch: Watch, stage: str | None) -> None:
    """Fail with one line when there is no such stage."""
    roles = watch.view.wiring.roles
    if stage not in roles:
        what = "which stage?" if stage is None else f"no stage {stage!r};"
        fail(f"{what} there are {', '.join(roles)}", EXIT_USAGE)


def look(watch: Watch, stage: str, output: str, interval_s: float, *, plain: bool) -> None:
    """Show the stage, live or once."""
    pages = StagePages(watch, stage)
    if output == "table" and not plain and is_terminal():
        need_textual()
        from procs.observe.screens.live import LiveScreen

        heading = f"vortexctl attach {stage} -n {watch.name}"
        LiveScreen(heading, pages.pages(), watch, interval_s).run()
        return
    time.sleep(interval_s)
    now, rates = watch.look()
    if output == "json":
        from procs.observe.events.stage_faults import last_faults

        found = last_faults(watch.view.run_folder, stage, 100)
        report = AttachOutput(
            ATTACH_SCHEMA, watch.note, stage, now.stages[stage], rates.stages[stage], list(found)
        )  # fmt: skip
        click.echo(json_of(report))
    else:
        width = shutil.get_terminal_size((100, 40)).columns
        for title, page in pages.pages().items():
            click.echo(f"== {title} ==")
            click.echo("\n".join(line.text for line in page(now, rates, width)))
            click.echo()
    if watch.note:
        fail(watch.note, EXIT_NOT_RUNNING)


def tap(
    watch: Watch, ring_name: str, expression: str | None, count_max: int | None,
    path: Path | None, *, as_json: bool,
) -> None:  # fmt: skip
    """Print the records of one ring; end by Ctrl-C, at the requested count, or with the run."""
    from procs.observe.taps import tapping
    from procs.observe.taps.where import BadExpression, compile_where

    view = watch.view
    if ring_name not in view.rings:
        fail(f"no ring {ring_name!r}; there are {', '.join(view.rings)}", EXIT_USAGE)
    passes = None
    if expression is not None:
        try:
            passes = compile_where(expression, tapping.field_names(view, ring_name))
        except BadExpression as error:
            fail(f"--where: {error}", EXIT_USAGE)
    as_json = as_json or path is not None
    tapped = tapping.Tapping(view, ring_name, passes, count_max, as_json=as_json)
    try:
        with suppress(KeyboardInterrupt), tapping.output(path) as out:
            if path is not None:
                out.write(attach_tools.head_of(view, ring_name, expression or ""))
            tapped.run(out)
    except BrokenPipeError:
        # The reader of the lines has closed; the final flush of Python must not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    except OSError as error:
        fail(f"{path or 'standard output'}: {error.strerror}", EXIT_FAILED)
    click.echo(tapped.summary(), err=True)
