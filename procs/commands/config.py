"""``vortexctl config``: checks a configuration."""

from pathlib import Path

import click
import msgspec

from procs.commands.common import echo_json, fail, output_option
from procs.plan import placement, wiring
from procs.plan.config import load
from procs.plan.errors import ConfigError


@click.group("config")
def command() -> None:
    """Check a configuration before you use it."""


@command.command()
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@output_option
def check(path: Path, output: str) -> None:
    """Check the file at PATH and print the whole configuration, with every default."""
    try:
        config = load(path)
        plan = placement.plan(config.placement, wiring.wire(config).roles)
    except ConfigError as error:
        fail(str(error))
    effective = effective_of(config)
    if output == "json":
        places = {role: place.cpu_index for role, place in plan.places.items()}
        echo_json({"schema": 1, "config": effective, "cpus": places})
        return
    click.echo(msgspec.toml.encode(effective).decode().rstrip())
    click.echo("\n" + "\n".join(f"# {line}" for line in plan.lines()))


def effective_of(thing: msgspec.Struct) -> dict[str, object]:
    """Return every field of a structure, including defaults, without unset ones."""
    found: dict[str, object] = {}
    for field in thing.__struct_fields__:
        value = getattr(thing, field)
        if isinstance(value, msgspec.Struct):
            value = effective_of(value)
        elif isinstance(value, list) and value and isinstance(value[0], msgspec.Struct):
            value = [effective_of(each) for each in value]
        if value is not None:
            found[field] = value
    return found
