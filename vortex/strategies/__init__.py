"""One strategy a file, here or anywhere else; ``vortex.deciding.contract`` says what it holds."""

import importlib
import pkgutil

from vortex.deciding.contract import Strategy, of_module


def names() -> list[str]:
    """Return the strategies of this package."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load(name: str) -> Strategy:
    """Return the strategy of that name in this package.

    Raises
    ------
    LookupError
        When there is none, or its file misses a part of the contract.
    """
    if name not in names():
        raise LookupError(f"no strategy {name!r}; there are {', '.join(names())}")
    return of_module(importlib.import_module(f"{__name__}.{name}"), name)
