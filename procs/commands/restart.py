"""``vortexctl restart``: end one stage and start it again."""

import click

from procs.commands.common import command_stage, instance_option, output_option
from procs.supervision.control.control_socket import RestartStage


@click.command("restart")
@click.argument("stage")
@instance_option
@output_option
def command(stage: str, name: str, output: str) -> None:
    """End STAGE and start it again; return when the run is whole.  Quotes are pulled until then."""
    command_stage(name, RestartStage(stage), output, f"{stage} restarted; the run is whole again")
