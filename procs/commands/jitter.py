"""``vortexctl jitter``: the time lost by the engine's CPUs, and by its orders."""

import os

import click

from procs.commands.common import EXIT_USAGE, echo_json, fail, failing_plainly, output_option


@click.command("jitter")
@click.option("--cpus", "cpus_text", help="The CPUs: 1,2 or 2-5; default: all that may be used.")
@click.option(
    "-s", "--seconds", type=click.FloatRange(min=0.1), default=10.0, show_default=True,
    help="How long.",
)  # fmt: skip
@click.option(
    "--over-us", type=click.FloatRange(min=1.0), default=20.0, show_default=True,
    help="Report gaps of at least this length with their causes.",
)  # fmt: skip
@click.option(
    "--threshold-ns", type=click.IntRange(min=1),
    help="A longer time is a gap; default: 12 times the median reading of the clock.",
)  # fmt: skip
@click.option(
    "--engine", "of_engine", is_flag=True, help="Audit a running engine's orders instead."
)
@click.option(
    "-n",
    "--instance",
    "name",
    default="vortex",
    show_default=True,
    help="With --engine: the instance.",
)
@click.option(
    "--bar-us", type=click.FloatRange(min=1.0), default=50.0, show_default=True,
    help="With --engine: an order over the median by more is an excursion.",
)  # fmt: skip
@output_option
def command(
    cpus_text: str | None, seconds: float, over_us: float, threshold_ns: int | None,
    of_engine: bool, name: str, bar_us: float, output: str,
) -> None:  # fmt: skip
    """Spin on each CPU and report the gaps in which it did something else, with their causes.

    On the CPUs of a running engine it adds to their load.  With --engine it does not spin: it
    follows the orders of a running instance, and reports those that took longer than usual with
    the part of their way that delayed them.
    """
    if of_engine:
        audit_engine(name, seconds, bar_us, output)
    else:
        audit_cpus(cpus_text, seconds, over_us, threshold_ns, output)


def audit_engine(name: str, seconds: float, bar_us: float, output: str) -> None:
    """Audit the orders of a running instance."""
    from procs.observe.latency import excursions
    from procs.observe.samples.view import open_view

    with failing_plainly():
        view, _ = open_view(name)
    try:
        report = excursions.audit(view, seconds, int(bar_us * 1000))
    finally:
        view.close()
    if output == "json":
        echo_json(report)
    else:
        click.echo("\n".join(excursions.lines(report)))


def audit_cpus(
    cpus_text: str | None, seconds: float, over_us: float, threshold_ns: int | None, output: str
) -> None:
    """Audit CPUs by spinning on them."""
    from procs.machine import jitter
    from procs.machine.facts import cpus_of
    from procs.observe.latency import jitter_report

    available = os.sched_getaffinity(0)
    cpus = available if cpus_text is None else cpus_of(cpus_text)
    missing = sorted(set(cpus) - available)
    if missing or not cpus:
        what = f"CPU {missing[0]} is not available here" if missing else "no CPU in --cpus"
        fail(f"{what}; this process may use {','.join(map(str, sorted(available)))}", EXIT_USAGE)
    excursion_ns = int(over_us * 1000)
    found = jitter.audit(sorted(cpus), seconds, excursion_ns, threshold_ns)
    reports = [jitter_report.report(each) for each in found]
    if output == "json":
        echo_json({"schema": jitter_report.SCHEMA, "over_ns": excursion_ns, "cpus": reports})
    else:
        click.echo("\n".join(jitter_report.lines(reports, excursion_ns)))
