"""``vortexctl deaths``: the deaths in a run, with the last events of each process."""

import click
import msgspec

from procs.commands.common import echo_json, failing_plainly, instance_option, output_option

SCHEMA = 1


@click.command("deaths")
@instance_option
@output_option
@click.option("-l", "--lines", "line_count", default=10, show_default=True,
              type=click.IntRange(min=0), help="Events and lines of each.")  # fmt: skip
def command(name: str, output: str, line_count: int) -> None:
    """Print each death of a process in the running or the last run, and the reaction to it.

    Each comes with the last events of its hot loop and the last lines of its log.
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
