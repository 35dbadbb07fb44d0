"""One venue a folder, found by its name; ``contract`` says what it holds."""

import importlib
import pkgutil
from types import ModuleType
from typing import Any

from vortex.venues.contract import Account, MarketData, OrderEntry


def available() -> list[str]:
    """Return the names of all venues, in order: what is here and begins with a letter."""
    names = {module.name for module in pkgutil.iter_modules(__path__)}
    return sorted(name for name in names - {"contract"} if not name.startswith("_"))


def load(name: str) -> ModuleType:
    """Return the venue's module.

    Raises
    ------
    ValueError
        When there is no such venue.
    """
    if name not in available():
        raise ValueError(f"no venue {name!r}: write one of {', '.join(available())}")
    return importlib.import_module(f"{__name__}.{name}")


def market_of(name: str) -> MarketData:
    """Return how a venue's market data is read.

    Raises
    ------
    ValueError
        When there is no such venue, or it has no market data.
    """
    return _part(name, "MARKET", "market data")


def orders_of(name: str) -> OrderEntry:
    """Return how orders are sent to a venue.

    Raises
    ------
    ValueError
        When there is no such venue, or it takes no orders.
    """
    return _part(name, "ORDERS", "order entry")


def account_of(name: str) -> Account:
    """Return what a venue is asked about an account.

    Raises
    ------
    ValueError
        When there is no such venue, or it has no accounts.
    """
    return _part(name, "ACCOUNT", "accounts")


def _part(name: str, part: str, what: str) -> Any:
    found = getattr(load(name), part, None)
    if found is None:
        raise ValueError(f"venue {name!r} has no {what}")
    return found
