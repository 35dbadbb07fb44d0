"""``vortexctl dashboard``: the run in a browser."""

import click

from procs.commands.common import EXIT_FAILED, fail, instance_option


@click.command("dashboard")
@instance_option
@click.option(
    "--port", default=0, show_default=True, help="The port on loopback; 0 takes any free one."
)
@click.option("--until-ended", is_flag=True, help="End when the run ends.")
def command(name: str, port: int, until_ended: bool) -> None:
    """Serve the dashboard on loopback and print its address; end with Ctrl-C.

    The address holds a token.  With it the pages can act on the run; without it they only show.
    """
    try:
        from procs.dashboard import serve
    except ImportError as error:
        fail(f"the dashboard needs {error.name}: pip install 'vortex-mm[web]'", EXIT_FAILED)
    try:
        serve.serve(
            name, port, until_ended=until_ended, say=lambda url: click.echo(f"dashboard: {url}")
        )
    except serve.PortTaken as error:
        fail(str(error))
    except KeyboardInterrupt:
        pass  # Ctrl-C is the normal end
