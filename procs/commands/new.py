"""`vortexctl new`: a working file to begin with."""

import keyword
import re
from pathlib import Path

import click

TEMPLATE = Path(__file__).with_name("strategy_template.py")
NAME = re.compile(r"[a-z][a-z0-9_]*")


@click.group("new")
def command() -> None:
    """Write a file to begin with."""


@command.command()
@click.argument("name")
@click.option(
    "--folder", default=".", show_default=True, help="Where to write it.",
    type=click.Path(exists=True, file_okay=False, writable=True, path_type=Path),
)  # fmt: skip
def strategy(name: str, folder: Path) -> None:
    """Write NAME.py, a small working strategy with comments on what to change."""
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise click.BadParameter(
            f"{name!r} cannot name a Python module; "
            "begin with a letter and use lower-case letters, digits and underscores",
            param_hint="NAME",
        )
    path = folder / f"{name}.py"
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text_of(name))
    except FileExistsError:
        raise click.ClickException(f"{path} exists already; choose another name") from None
    click.echo(f"wrote {path}")
    click.echo(f'name it in the configuration: file = "{path.resolve()}" in each [[strategies]]')


def text_of(name: str) -> str:
    """Return the template with the strategy's own name."""
    return TEMPLATE.read_text(encoding="utf-8").replace(TEMPLATE.stem, name)
