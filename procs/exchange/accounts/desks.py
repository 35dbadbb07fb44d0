"""The desks of all accounts, by the number under which an account's orders match."""

from collections.abc import Iterator
from typing import Generic, TypeVar

from procs.exchange.accounts.ledger import Ledger

D = TypeVar("D", bound=Ledger)


class Desks(Generic[D]):
    """One desk for each account; owner 1 is the first account."""

    def __init__(self) -> None:
        self._desks: list[D] = []

    def add(self, desk: D) -> None:
        """Add the desk of the next owner."""
        assert desk.owner_id == len(self._desks) + 1, "owners are numbered from 1"
        self._desks.append(desk)

    def of(self, owner_id: int) -> D:
        """Return the desk of an owner."""
        return self._desks[owner_id - 1]

    def __iter__(self) -> Iterator[D]:
        return iter(self._desks)
