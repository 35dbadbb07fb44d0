"""What a debugger asks of a stage's modules."""

import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from ipc.compiled import PLAIN_PYTHON
from procs.plan import wiring
from procs.plan.config import Config
from procs.stages.joint import stage_module


def with_attributes(arguments: Sequence[Any]) -> tuple[Any, ...]:
    """Return a loop's arguments so that a record of an array has its fields as attributes.

    In compiled code it has them anyway.
    """
    return tuple(
        each.view(np.recarray) if PLAIN_PYTHON and isinstance(each, np.ndarray) else each
        for each in arguments
    )


def show_plain_numbers() -> None:
    """Have a number of an array shown as 5, and not as np.int64(5)."""
    np.set_printoptions(legacy="1.25")


def modules_of(role: str, config: Config) -> list[ModuleType]:
    """Return where the functions of a stage stand: its module, and those of what is plugged in."""
    module = stage_module(role)
    if role == wiring.BOOK:
        return [module]
    if role == wiring.STRATEGY:
        plugs = module.plugs(config.strategy)
    elif role == wiring.GATEWAY:
        plugs = module.plugs(config.orders.venue)
    else:
        index = wiring.ingest_roles(config).index(role)
        plugs = module.plugs(config.sources[index].venue)
    return [module, *(sys.modules[plug.__module__] for plug, _ in plugs)]
