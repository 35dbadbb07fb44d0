"""The sockets and timers of an exchange.

Everything runs on one event loop.  Market time follows the wall clock, or runs faster by a factor,
in steps of a millisecond; a loop that was held up makes up for at most ``CATCH_UP_MS`` of the
wall's time.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakSet

from aiohttp import web
from picows import WSCloseCode, WSUpgradeRequest, ws_create_server

from procs.exchange.accounts.journal import Journal
from procs.exchange.dialect import Answer, Dialect, Opened
from procs.exchange.doors.client_connection import Connection
from procs.exchange.doors.request_log import RequestLog
from procs.exchange.exchange import Exchange
from procs.exchange.faults.faults import AnyFault, Cut, Freeze, Shutdown

TICK_S = 0.002
SHUTDOWN_S = 1.0
STEP_NS = 1_000_000
CATCH_UP_MS = 50


def break_connections(fault: AnyFault, connections: tuple[Connection, ...]) -> None:
    """Do what a fault does to the connections that are there."""
    if not isinstance(fault, Cut | Freeze | Shutdown):
        return
    for connection in connections:
        if fault.kind not in ("all", connection.kind):
            continue
        if isinstance(fault, Cut):
            connection.cut(mid_frame=fault.mid_frame)
        elif isinstance(fault, Freeze):
            connection.freeze(fault.seconds)
        else:
            connection.end_in(fault.seconds)


class Server:
    """The sockets and timers of an exchange."""

    def __init__(
        self,
        exchange: Exchange,
        request_log: Path | None,
        *,
        has_faults: bool = False,
        has_audit: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.exchange = exchange
        self._has_faults = has_faults
        self._tls = tls
        self.log = RequestLog(request_log)
        self._runners: list[web.AppRunner] = []
        self._sockets: list[asyncio.Server] = []
        self._connections: dict[str, WeakSet[Connection]] = {}
        for family, dialect in exchange.dialects.items():
            self._connections[family] = WeakSet()
            dialect.venue.faults.on_armed = partial(self._strike, dialect)
            if has_audit or has_faults:
                dialect.venue.journal = Journal()

    async def start(self, ports: Mapping[str, int]) -> dict[str, Any]:
        """Listen for every dialect; return what each says of its addresses.

        ``ports`` are the wanted ones by the names of venue and port, `binance.rest` and so on;
        where none is wanted, any free one is taken.
        """
        ready: dict[str, Any] = self.exchange.ready()
        host = self.exchange.config.host
        for family, dialect in self.exchange.dialects.items():
            application = dialect.application(self.log, has_faults=self._has_faults)
            taken = {"rest": await self._serve(application, ports.get(f"{family}.rest", 0))}
            for name, connect in dialect.listeners(self.log).items():
                listener = partial(self._connect, family, connect)
                taken[name] = await self._listen(listener, ports.get(f"{family}.{name}", 0))
            ready |= dialect.ready(Opened(host, taken, self._tls is not None))
        return ready

    async def _serve(self, application: web.Application, port: int) -> int:
        """Take HTTP on a port; return its number."""
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_S)
        self._runners.append(runner)
        await runner.setup()
        site = web.TCPSite(runner, self.exchange.config.host, port, ssl_context=self._tls)
        await site.start()
        return int(runner.addresses[0][1])

    async def _listen(self, connect: Callable[[WSUpgradeRequest], Answer], port: int) -> int:
        """Take WebSockets on a port; return its number."""
        sockets = await ws_create_server(
            connect,
            self.exchange.config.host,
            port,
            enable_auto_pong=False,
            max_frame_size=1 << 20,
            ssl=self._tls,
        )
        self._sockets.append(sockets)
        return int(sockets.sockets[0].getsockname()[1])

    def _connect(
        self, family: str, connect: Callable[[WSUpgradeRequest], Answer], request: WSUpgradeRequest
    ) -> Answer:
        answer = connect(request)
        if isinstance(answer, Connection):
            self._connections[family].add(answer)
        return answer

    def _strike(self, dialect: Dialect, fault: AnyFault) -> None:
        connections = tuple(self._connections[dialect.family])
        break_connections(fault, connections)
        dialect.strike(fault, connections)

    async def run_market(self) -> None:
        """Play the recording, or step the simulated markets as the wall clock goes."""
        if self.exchange.player is not None:
            await self.exchange.player.run()
        market_ns = time.monotonic_ns()
        step_ns = round(STEP_NS / self.exchange.speed)
        steps_max = round(CATCH_UP_MS * self.exchange.speed)
        while True:
            await asyncio.sleep(TICK_S)
            now_ns = time.monotonic_ns()
            steps = (now_ns - market_ns) // step_ns
            market_ns += steps * step_ns
            for _ in range(min(steps, steps_max)):
                self.exchange.step(time.monotonic_ns())

    async def stop(self) -> None:
        """Close all connections and ports."""
        for connections in self._connections.values():
            for connection in tuple(connections):
                connection.close(WSCloseCode.GOING_AWAY, "The exchange stops")
        for sockets in self._sockets:
            sockets.close()
        for runner in self._runners:
            await runner.cleanup()
        self.log.close()
