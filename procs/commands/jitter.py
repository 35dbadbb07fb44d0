"""``vortexctl jitter``: what takes time from the engine's CPUs, and from its orders."""

import os

import click

from procs.commands.common import EXIT_USAGE, echo_json, fail, failing_plainly, output_option


@click.command("jitter")
@click.option("--cpus", "cpus_text", help="Which CPUs: 1,2 or 2-5; all that may be used.")
@click.option(
    "-s", "--seconds", type=click.FloatRange(min=0.1), default=10.0, show_default=True,
    help="How long.",
)  # fmt: skip
@click.option(
    "--over-us", type=click.FloatRange(min=1.0), default=20.0, show_default=True,
    help="Gaps at least as long are told with their causes.",
)  # fmt: skip
@click.option(
    "--threshold-ns", type=click.IntRange(min=1),
    help="What is longer is a gap; else 12 times the median reading of the clock.",
)  # fmt: skip
@click.option(
    "--engine", "of_engine", is_flag=True, help="Audit a running engine's orders instead."
)
@click.option(
    "-n", "--instance", "name", default="vortex", show_default=True, help="With --engine: which."
)
@click.option(
    "--bar-us", type=click.FloatRange(min=1.0), default=50.0, show_default=True,
    help="With --engine: what is over the median by more is an excursion.",
)  # fmt: skip
@output_option
def command(
    cpus_text: str | None, seconds: float, over_us: float, threshold_ns: int | None,
    of_engine: bool, name: str, bar_us: float, output: str,
) -> None:  # fmt: skip
    """Spin on each CPU and tell the gaps in which it did something else, with their causes.

    On the CPUs of a running engine it takes part in their load.  With --engine nothing spins: the
    orders of a running instance are followed, and those that took longer than usual are told with
    the part of their way that held them up.
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
        told = excursions.audit(view, seconds, int(bar_us * 1000))
    finally:
        view.close()
    if output == "json":
        echo_json(told)
    else:
        click.echo("\n".join(excursions.lines(told)))


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
