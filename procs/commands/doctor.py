"""``vortexctl doctor``: checks this machine, and prints the repairs."""

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from procs.commands.common import EXIT_FAILED, echo_json, fail, output_option

if TYPE_CHECKING:
    from procs.machine.facts import Machine

WIDTH_MAX = 100


@click.command("doctor")
@click.option(
    "-c", "--config", "config_path", type=click.Path(dir_okay=False, path_type=Path),
    help="Take placement and venues from this file; else four processes here.",
)  # fmt: skip
@click.option(
    "-p", "--profile", "profile_name", type=click.Choice(["auto", "dev", "vm", "prod"]),
    default="auto", show_default=True, help="Purpose of the machine; auto: vm on a guest, or dev.",
)  # fmt: skip
@click.option(
    "-a",
    "--all",
    "with_all",
    is_flag=True,
    help="Print the wanted value and the reason for all checks.",
)
@click.option("--grub", is_flag=True, help="Print the recommended kernel command line.")
@click.option("--tuned", is_flag=True, help="Print a profile for tuned.")
@output_option
def command(
    config_path: Path | None, profile_name: str, with_all: bool, grub: bool, tuned: bool,
    output: str,
) -> None:  # fmt: skip
    """Check this machine; exit 1 when something fails for the profile.

    It changes nothing: it prints the commands that would repair a fault.
    """
    from procs.machine import doctor
    from procs.machine.findings import MachineProfile

    machine = machine_for(config_path, is_measured=not (grub or tuned))
    if grub or tuned:
        texts = {
            name: "\n".join(make(machine))
            for name, make in (("grub", doctor.grub_lines), ("tuned", doctor.tuned_lines))
            if {"grub": grub, "tuned": tuned}[name]
        }
        if output == "json":
            echo_json({"schema": doctor.SCHEMA, **texts})
        else:
            click.echo("\n\n".join(texts.values()))
        return
    is_auto = profile_name == "auto"
    profile = doctor.own_profile(machine) if is_auto else MachineProfile(profile_name)
    findings = doctor.examine(machine, profile)
    if output == "json":
        echo_json(doctor.report(findings, profile))
    else:
        width = min(shutil.get_terminal_size().columns, WIDTH_MAX)
        click.echo("\n".join(doctor.lines(findings, profile, width, with_all)))
    if doctor.has_failed(findings):
        sys.exit(EXIT_FAILED)


def machine_for(config_path: Path | None, is_measured: bool) -> "Machine":
    """Return this machine with the CPUs that a configuration gives to the engine."""
    from procs.machine.facts import Machine, gather
    from procs.plan import placement, wiring
    from procs.plan.config import Placement, load
    from procs.plan.errors import ConfigError

    roles, settings = ["ingest", *wiring.AFTER_INGEST], Placement()
    venues: tuple[str, ...] = ()
    runs_folder = Path("runs")
    try:
        if config_path is not None:
            config = load(config_path)
            roles, settings = wiring.wire(config).roles, config.placement
            venues = tuple(sorted({account.venue for account in config.accounts}))
            runs_folder = Path(config.runs_folder)
        plan = placement.plan(settings, roles)
    except ConfigError as error:
        fail(str(error))
    hot = frozenset(plan.engine_cpus())
    return Machine(
        hot_cpus=hot,
        house_cpus=frozenset(plan.housekeeping_cpus),
        process_count=len(plan.groups),
        venues=venues,
        facts=gather(runs_folder, hot) if is_measured else {},
    )
