"""What the exchange needs of a venue's dialect.

A dialect has its own accounts, orders, faults and doors; markets, time and ports are the
exchange's.  It hears what happens on a market through the feed that it gives to each of its
markets, takes requests at its doors, and calls its accounts' desks; the markets call the desks
back.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from aiohttp import web
from picows import WSListener, WSUpgradeRequest, WSUpgradeResponseWithListener

from procs.exchange.accounts.venue import Venue
from procs.exchange.core.exchange_config import SymbolConfig
from procs.exchange.doors.client_connection import Connection
from procs.exchange.doors.request_log import RequestLog
from procs.exchange.faults.faults import AnyFault
from procs.exchange.markets.simulated import SimulatedMarket
from procs.exchange.recordings.recorded_rows import RecordedSymbols

#: What is answered to a client that wants to connect.
Answer = WSListener | WSUpgradeResponseWithListener | None


class Opened(NamedTuple):
    """Where a dialect listens: ports by name, and how addresses begin."""

    host: str
    ports: Mapping[str, int]
    is_secure: bool

    def url(self, port: str, path: str = "") -> str:
        """Return an address of a port; the port named `rest` is HTTP, all others WebSockets."""
        scheme = "http" if port.startswith("rest") else "ws"
        secure = "s" if self.is_secure else ""
        return f"{scheme}{secure}://{self.host}:{self.ports[port]}{path}"


class Player(Protocol):
    """Plays a recording."""

    is_finished: bool

    async def run(self) -> None:
        """Play it to the end, and then keep still."""


class Dialect(Protocol):
    """One venue, as its clients see it."""

    #: The name of the venue: dialects of symbols begin with it.
    family: str
    #: Its markets, clock, faults and journal.
    venue: Venue

    def open_market(self, row: SymbolConfig, life: int) -> SimulatedMarket:
        """Open a symbol as a simulated market, with the feeds that make its frames."""

    def open_recording(self, recorded: RecordedSymbols, speed: float) -> Player:
        """Open the symbols of a recording instead; ``speed`` 0 is as fast as sockets take it."""

    def flush(self, now_ns: int) -> None:
        """Send what is due after one more millisecond of the market."""

    def application(self, log: RequestLog, *, has_faults: bool) -> web.Application:
        """Return the HTTP side, with the exchange's own side door."""

    def listeners(self, log: RequestLog) -> Mapping[str, Callable[[WSUpgradeRequest], Answer]]:
        """Return, by the names of their ports, what answers those who want to connect."""

    def ready(self, opened: Opened) -> dict[str, Any]:
        """Return what the line of JSON says of the dialect once it listens."""

    def strike(self, fault: AnyFault, connections: tuple[Connection, ...]) -> None:
        """Do at once what a fault does when it is armed, beside breaking connections."""

    def status(self) -> dict[str, Any]:
        """Return what happened so far in numbers, of accounts the first."""

    def rows(self) -> dict[str, Any]:
        """Return every fill and open order of the first account."""
