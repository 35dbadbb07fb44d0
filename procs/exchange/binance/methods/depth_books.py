"""The books that depth requests are answered with: the true ones, or old ones on demand."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from procs.exchange.accounts.venue import Venue
from procs.exchange.binance.accounts.account_desk import Desk
from procs.exchange.binance.words.parameters import Parameters, read_integer
from procs.exchange.faults.faults import StaleSnapshots

DEPTH_LIMIT_MAX = 5000

#: Gives the best levels of each side as a depth request is answered, as JSON text.
ReadBook = Callable[[int], Awaitable[str]]


class DepthBooks:
    """The books by symbol."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._readers: dict[str, ReadBook] = {}
        self._stale: dict[str, asyncio.Future[str]] = {}

    def add(self, symbol: str, read: ReadBook) -> None:
        """Take the book of a symbol."""
        self._readers[symbol] = read

    def keep_stale(self) -> None:
        """Remember the books as they are now, for depth requests that are to get old ones."""
        for symbol, read in self._readers.items():
            self._stale[symbol] = asyncio.ensure_future(read(DEPTH_LIMIT_MAX))

    def answer_depth(self, desk: Desk, parameters: Parameters) -> Awaitable[Any]:
        """Return the book, once it is there to tell."""
        limit = min(read_integer(parameters, "limit") or 100, DEPTH_LIMIT_MAX)
        symbol = desk.market(parameters["symbol"]).instrument.symbol
        is_stale = self._venue.faults.strikes(StaleSnapshots) is not None
        return self._stale_book(symbol, limit) if is_stale else self._book(symbol, limit)

    async def _book(self, symbol: str, limit: int) -> msgspec.Raw:
        return msgspec.Raw((await self._readers[symbol](limit)).encode())

    async def _stale_book(self, symbol: str, limit: int) -> Any:
        book = msgspec.json.decode(await asyncio.shield(self._stale[symbol]))
        return book | {"bids": book["bids"][:limit], "asks": book["asks"][:limit]}
