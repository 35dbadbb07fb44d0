"""The launch file and the keys of a stage, for a command that runs it."""

from pathlib import Path

import msgspec

from procs.commands.common import EXIT_USAGE, fail
from procs.plan import instance, wiring
from procs.plan.credentials import credentials
from procs.plan.errors import ConfigError
from procs.plan.instance import Mark
from procs.plan.launch import Launch, read_launch
from procs.supervision import reference


def launch_of(name: str, mark: Mark, stage: str) -> Launch:
    """Return the launch of a stage, or fail with one line."""
    path = instance.launch_path(Path(mark.run_folder), wiring.GATEWAY)
    try:
        roles = wiring.wire(read_launch(path).config).roles
        if stage not in roles:
            fail(f"no stage {stage!r}; there are {', '.join(roles)}", EXIT_USAGE)
        return read_launch(instance.launch_path(Path(mark.run_folder), stage))
    except OSError:
        fail(f"instance {name!r} is just starting or ending; try again")
    except msgspec.DecodeError as error:
        fail(f"instance {name!r} was started by another version: {error}; use that version")


def keys_of(launch: Launch, stage: str) -> dict[str, str]:
    """Return the keys that a stage needs, as environment variables, or fail."""
    for_orders = stage == wiring.GATEWAY
    for_streams = reference.shows_key(launch.config, wiring.wire(launch.config), stage)
    if not for_orders and not for_streams:
        return {}
    try:
        key = credentials(launch.config)
    except ConfigError as error:
        fail(str(error))
    return key.variables(for_orders=for_orders, for_streams=for_streams)
