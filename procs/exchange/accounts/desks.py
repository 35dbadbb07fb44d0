"""The desks of all accounts, by the number under which an account's orders match."""

from collections.abc import Iterator

from procs.exchange.accounts.account_desk import Desk


class Desks:
    """One desk for each account; owner 1 is the first account."""

    def __init__(self) -> None:
        self._desks: list[Desk] = []

    def add(self, desk: Desk) -> None:
        """Add the desk of the next owner."""
        assert desk.owner_id == len(self._desks) + 1, "owners are numbered from 1"
        self._desks.append(desk)

    def of(self, owner_id: int) -> Desk:
        """Return the desk of an owner."""
        return self._desks[owner_id - 1]

    def __iter__(self) -> Iterator[Desk]:
        return iter(self._desks)
