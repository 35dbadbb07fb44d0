"""``vortexctl deaths``: what died in a run, and the last that was heard of it."""

import click
import msgspec

from procs.commands.common import echo_json, failing_plainly, instance_option, output_option

SCHEMA = 1


@click.command("deaths")
@instance_option
@output_option
@click.option("-l", "--lines", "line_count", default=10, show_default=True,
              type=click.IntRange(min=0), help="How many of each.")  # fmt: skip
def command(name: str, output: str, line_count: int) -> None:
    """Print each death of a process in the running or the last run: how, and what followed.

    With each stands the last that its hot loop told before it, and the last lines of its log.
    """
    from procs.observe.events import deaths

    with failing_plainly():
        found = deaths.of_instance(name, line_count)
    if output == "json":
        echo_json({"schema": SCHEMA, "deaths": msgspec.to_builtins(found)})
        return
    for death in found:
        click.echo("\n".join([*death.text(), ""]))
    count = "1 death" if len(found) == 1 else f"{len(found)} deaths"
    click.echo(count if found else "nothing died")
