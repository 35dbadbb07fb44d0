"""The modules of a stage, for a debugger."""

import sys
from types import ModuleType

import numpy as np

from procs.plan import wiring
from procs.plan.config import Config
from procs.stages import strategy_inputs
from procs.stages.joint import stage_module


def show_plain_numbers() -> None:
    """Show a number of an array as 5, not as np.int64(5)."""
    np.set_printoptions(legacy="1.25")


def modules_of(role: str, config: Config) -> list[ModuleType]:
    """Return the modules with a stage's functions: its own, and those of its plugs."""
    module = stage_module(role)
    if role == wiring.BOOK:
        return [module]
    if role == wiring.STRATEGY:
        functions = [config.strategy(source).decide for source in config.strategy_sources]
        functions.append(strategy_inputs.take_market)
    elif wiring.is_gateway(role):
        account = wiring.wire(config).account_of(role)
        functions = [function for function, _ in module.plugs(account.settings.venue).values()]
    else:
        source = config.sources[wiring.ingest_roles(config).index(role)]
        functions = [function for function, _ in module.plugs(source.venue).values()]
    return [module, *(sys.modules[function.__module__] for function in functions)]
