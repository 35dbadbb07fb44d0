"""``vortexctl completion``: the completion script of a shell."""

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the completion script for SHELL; for bash: source <(vortexctl completion bash)."""
    kind = get_completion_class(shell)
    assert kind is not None, "click knows the shells listed"
    root = context.find_root().command
    click.echo(kind(root, {}, "vortexctl", "_VORTEXCTL_COMPLETE").source())
