"""The launch file and the keys of a stage, for a command that runs it."""

from pathlib import Path

import msgspec

from procs.commands.common import EXIT_USAGE, fail
from procs.plan import instance, wiring
from procs.plan.credentials import credentials_of
from procs.plan.errors import ConfigError
from procs.plan.instance import Mark
from procs.plan.launch import Launch, read_launch
from procs.supervision import reference


def launch_of(name: str, mark: Mark, stage: str) -> Launch:
    """Return the launch of a stage, or fail with one line."""
    path = instance.launch_path(Path(mark.run_folder), wiring.BOOK)
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
    config, wires = launch.config, wiring.wire(launch.config)
    accounts = [wires.account_of(stage).settings] if stage in wires.gateway_roles else []
    if reference.shows_key(config, wires, stage):
        accounts = config.accounts[:1]
    try:
        keys = {account.name: credentials_of(config, account) for account in accounts}
    except ConfigError as error:
        fail(str(error))
    return reference.variables_for(config, wires, [stage], keys) if keys else {}
