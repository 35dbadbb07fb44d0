"""vortexctl: start, inspect and stop an instance.

Exit status, by the LSB: 0 done, 1 failed, 2 wrong usage, 3 not running; and 99 when a wait timed
out.
A command's module is imported only when it is called, so that each begins at once.
"""

import importlib
from typing import Any

import click

from procs.commands.common import EXIT_USAGE, fail
from procs.logs.text_streams import accept_terminal

#: Every command, in the order of ``--help``; each is the module of that name.
COMMANDS = (
    "start", "stop", "restart", "status", "top", "attach", "dashboard", "wait", "logs", "events",
    "worst", "deaths", "run", "step", "rerun", "doctor", "jitter", "probe", "config", "shm", "new",
    "completion",
)  # fmt: skip


class Commands(click.Group):
    """The commands of the table above."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run one command, on any terminal."""
        accept_terminal()
        return super().main(*arguments, **options)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"procs.commands.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command


@click.group(cls=Commands)
@click.version_option(package_name="vortex-mm")
def main() -> None:
    """Run the Vortex market-making engine."""
    if not __debug__:
        fail("python -O strips the checks that keep orders safe; run without -O", EXIT_USAGE)


if __name__ == "__main__":
    main()
