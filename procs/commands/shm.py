"""``vortexctl shm``: the shared memory of all instances."""

import click

from ipc.errors import SharedMemoryError
from ipc.segment import FOLDER, PREFIX, is_live, list_segments, remove_stale
from procs.commands.common import echo_json, fail, output_option


def list_instances() -> list[str]:
    """Return the names of all instances that have a segment."""
    return sorted({path.name.split(".")[1] for path in FOLDER.glob(f"{PREFIX}.*.*")})


@click.group("shm")
def command() -> None:
    """List the shared memory of all instances, and remove that of dead ones."""


@command.command("ls")
@output_option
def list_all(output: str) -> None:
    """List every segment: its size, and whether a live process holds it."""
    rows = [
        {
            "instance": instance,
            "segment": name,
            "bytes": (FOLDER / name.lstrip("/")).stat().st_size,
            "live": is_live(name),
        }
        for instance in list_instances()
        for name in list_segments(instance)
    ]
    if output == "json":
        echo_json({"schema": 1, "segments": rows})
        return
    for row in rows:
        state = "live" if row["live"] else "stale"
        click.echo(f"{row['instance']:<16}{row['segment']:<48}{row['bytes']:>12}  {state}")


@command.command()
@click.option("-n", "--instance", "name", help="Only this instance.")
@output_option
def clean(name: str | None, output: str) -> None:
    """Remove the segments of instances without a live process."""
    removed = []
    for instance in [name] if name else list_instances():
        try:
            removed += remove_stale(instance)
        except SharedMemoryError as error:
            if name:
                fail(str(error))
    if output == "json":
        echo_json({"schema": 1, "removed": removed})
    else:
        click.echo("\n".join(f"removed {each}" for each in removed) or "nothing to remove")
