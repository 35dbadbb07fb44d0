"""``vortexctl worst``: the orders over budget, and what delayed them."""

import click

from procs.commands.common import echo_json, failing_plainly, instance_option, output_option

SCHEMA = 1


@click.command("worst")
@instance_option
@output_option
@click.option("-l", "--lines", "order_count", default=10, show_default=True, help="How many.")
def command(name: str, output: str, order_count: int) -> None:
    """Print the slowest orders of the running or the last run, and the cause of each.

    A run keeps the newest orders over `[latency] budget_us`, also after its processes died.
    """
    from procs.observe.latency import worst

    with failing_plainly():
        rows = worst.of_instance(name)
    shown = rows[:order_count]
    if output == "json":
        echo_json({"schema": SCHEMA, "kept": len(rows), "orders": [row.facts() for row in shown]})
        return
    for row in shown:
        click.echo("\n".join(row.lines()))
    click.echo(f"{len(rows)} orders over budget are kept" if rows else "no order was over budget")
