"""``vortexctl start``: start an instance, or stages of a running one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import click

from procs.commands.common import (
    EXIT_FAILED,
    EXIT_USAGE,
    command_stage,
    echo_json,
    fail,
    output_option,
)
from procs.logs.text_streams import utf8_environment
from procs.supervision.control.control_socket import StartStage


@click.command("start")
@click.argument("stages", nargs=-1)
@click.option(
    "-c", "--config", "config_path",
    type=click.Path(dir_okay=False, path_type=Path), help="The configuration file (TOML).",
)  # fmt: skip
@click.option(
    "-n", "--instance", "name", default="vortex", show_default=True,
    help="With STAGES: the instance.",
)  # fmt: skip
@click.option("--foreground/--detach", "-f/-d", help="Stay until Ctrl-C, or return.")
@click.option("--wait/--no-wait", default=True, help="Return when all is ready, or immediately.")
@output_option
@click.option("--dry-run", is_flag=True, help="Check, print what would run where, start nothing.")
def command(
    stages: tuple[str, ...], config_path: Path | None, name: str, foreground: bool, wait: bool,
    output: str, dry_run: bool,
) -> None:  # fmt: skip
    """Start an instance; return when every stage is ready and every book in sync.

    With STAGES: start stages of a running instance that were stopped or that died too often.
    """
    if stages:
        for stage in stages:
            command_stage(name, StartStage(stage), output, f"{stage} started")
        return
    if config_path is None:
        fail("name a configuration: vortexctl start -c FILE", EXIT_USAGE)
    if dry_run:
        say_plan(config_path, output)
        return
    supervise = [sys.executable, "-m", "procs.supervision.supervise"]
    if foreground:
        os.execv(sys.executable, [*supervise, "--foreground", str(config_path.resolve())])
    process = subprocess.Popen(
        [*supervise, str(config_path.resolve())], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if wait else subprocess.DEVNULL, encoding="utf-8",
        env=utf8_environment(), start_new_session=True,
    )  # fmt: skip
    if not wait:
        click.echo(f"starting; pid {process.pid}")
        return
    try:
        sys.exit(follow_start(process, output))
    except KeyboardInterrupt:
        process.send_signal(signal.SIGTERM)
        process.wait()
        fail("interrupted; nothing was left running")


def say_plan(config_path: Path, output: str) -> None:
    """Print the plan of a start."""
    from procs.machine import scheduling
    from procs.plan import placement, wiring
    from procs.plan.config import load
    from procs.plan.credentials import credentials
    from procs.plan.errors import ConfigError

    try:
        config = load(config_path)
        credentials(config)
        plan = placement.plan(config.placement, wiring.wire(config).roles)
        scheduler = scheduling.choose(config.placement.scheduler, plan)
    except ConfigError as error:
        fail(str(error))
    if output == "json":
        places = {role: place.cpu_index for role, place in plan.places.items()}
        echo_json(
            {"schema": 1, "cpus": places, "scheduler": scheduler.name, "why": scheduler.reason}
        )
        return
    click.echo("\n".join([*plan.lines(), scheduler.line()]))


def follow_start(process: "subprocess.Popen[str]", output: str) -> int:
    """Print the supervisor's progress until it is ready or has failed; return the exit status."""
    assert process.stdout is not None
    for line in process.stdout:
        word, _, rest = line.rstrip("\n").partition(" ")
        if word == "READY":
            # The end of this process must not take the CPU that now trades.
            os.sched_setaffinity(0, os.sched_getaffinity(process.pid))
            if output == "json":
                echo_json({"schema": 1, "ready": True, "run_folder": rest})
            else:
                click.echo(f"trading; logs and report in {rest}")
            return 0
        if word == "FAILED":
            click.echo(f"vortexctl: {rest}", err=True)
            for more in process.stdout:
                click.echo(more.rstrip("\n"), err=True)
            process.wait()
            return EXIT_FAILED
        if output == "table":
            click.echo(line.rstrip("\n"))
    process.wait()
    click.echo(f"vortexctl: the supervisor ended with status {process.returncode}", err=True)
    return EXIT_FAILED
