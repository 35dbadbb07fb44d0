"""The sockets and timers of an exchange.

Everything runs on one event loop.  Market time follows the wall clock, or runs faster by a factor,
in steps of a millisecond; a loop that was held up makes up for at most ``CATCH_UP_MS`` of the
wall's time.
"""

import asyncio
import random
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from weakref import WeakSet

import msgspec
from aiohttp import web
from picows import (
    WSCloseCode,
    WSListener,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

from procs.exchange.accounts.journal import Journal
from procs.exchange.core.errors import ExchangeRefusal
from procs.exchange.doors.request_log import RequestLog
from procs.exchange.doors.rest import Rest
from procs.exchange.doors.side_door import AuditRoute, FaultRoutes
from procs.exchange.doors.ws_api import ApiConnection
from procs.exchange.exchange import Exchange
from procs.exchange.faults.faults import AnyFault, Cut, Freeze, Revoke, Shutdown, StaleSnapshots
from procs.exchange.streams.client_connection import Connection, Rules
from procs.exchange.streams.streams import StreamConnection, Streams

TICK_S = 0.002
SHUTDOWN_S = 1.0
STEP_NS = 1_000_000
CATCH_UP_MS = 50

#: What is answered to a client that wants to connect.
Answer = WSListener | WSUpgradeResponseWithListener | None


def refused_format(target: str) -> ExchangeRefusal | None:
    """Return the refusal of a connection that asks for what is not spoken here."""
    query = parse_qs(urlsplit(target).query)
    if query.get("responseFormat", ["json"])[0].lower() == "sbe" or "sbeSchemaId" in query:
        return ExchangeRefusal(-1155, "SBE is not enabled.")
    if query.get("timeUnit", ["millisecond"])[0].lower() not in ("millisecond", "milliseconds"):
        return ExchangeRefusal(-1100, "Illegal characters found in parameter 'timeUnit'.")
    return None


def refuse(error: ExchangeRefusal) -> Answer:
    """Return what a client is told instead of an open connection."""
    body = msgspec.json.encode(error.body())
    response = WSUpgradeResponse.create_error_response(error.status, body)
    return WSUpgradeResponseWithListener(response, None)


def is_stream(path: str) -> bool:
    """Return whether market streams are asked for."""
    return path in ("/ws", "/stream") or path.startswith("/ws/")


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
        if has_audit or has_faults:
            exchange.venue.journal = Journal()
        exchange.faults.on_armed = self._strike
        self.log = RequestLog(request_log)
        self._draw = random.Random(exchange.config.seed)
        self._runner: web.AppRunner | None = None
        self._sockets: list[asyncio.Server] = []
        self._connections: WeakSet[Connection] = WeakSet()
        self.rest_port = 0
        self.ws_port = 0
        self.sbe_port = 0

    async def start(self, rest_port: int, ws_port: int, sbe_port: int) -> None:
        """Listen on all ports; 0 takes any free one."""
        host = self.exchange.config.host
        rest = Rest(
            self.exchange.methods, self.exchange.user_stream, self.log, self.exchange.status
        )
        application = rest.application()
        if self.exchange.venue.journal is not None:
            AuditRoute(
                self.exchange.venue, self.exchange.desks, self.exchange.venue.journal
            ).add_to(application)
        if self._has_faults:
            FaultRoutes(self.exchange.faults).add_to(application)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_S)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, rest_port, ssl_context=self._tls)
        await site.start()
        self.rest_port = int(self._runner.addresses[0][1])
        self.ws_port = await self._listen(self._connect, ws_port)
        self.sbe_port = await self._listen(self._connect_binary, sbe_port)

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

    def _connect(self, request: WSUpgradeRequest) -> Answer:
        refusal = refused_format(request.path.decode())
        if refusal is not None:
            return refuse(refusal)
        connection = self._connection_of(request)
        if connection is not None:
            self._connections.add(connection)
        return connection

    def _connect_binary(self, request: WSUpgradeRequest) -> Answer:
        """Open the binary streams to whoever shows a key; of which kind it is does not matter."""
        try:
            self.exchange.keyring.check_key(request.headers.get("X-MBX-APIKEY"))
        except ExchangeRefusal as error:
            return refuse(error)
        target = request.path.decode()
        if not is_stream(urlsplit(target).path):
            return None
        connection = self._stream_connection(self.exchange.binary_streams, target)
        self._connections.add(connection)
        return connection

    def _connection_of(self, request: WSUpgradeRequest) -> Connection | None:
        target = request.path.decode()
        path = urlsplit(target).path
        config = self.exchange.config
        if path == "/ws-api/v3":
            return ApiConnection(
                self.exchange.methods,
                self.exchange.user_stream,
                self.log,
                target,
                self._rules(),
                draw=self._draw,
                reply_delay_ms_max=config.reply_delay_ms_max,
            )
        return self._stream_connection(self.exchange.streams, target) if is_stream(path) else None

    def _stream_connection(self, streams: Streams, target: str) -> StreamConnection:
        frames_per_second_max = self.exchange.config.client_frames_per_second
        return StreamConnection(
            streams, target, self._rules(), frames_per_second_max=frames_per_second_max
        )

    def _rules(self) -> Rules:
        config = self.exchange.config
        return Rules(
            config.ping_interval_s,
            config.pong_timeout_s,
            config.connection_life_s,
            config.shutdown_notice_s,
            self.exchange.faults,
            self.exchange.venue.clock,
        )

    def _strike(self, fault: AnyFault) -> None:
        if isinstance(fault, StaleSnapshots):
            self.exchange.venue.keep_snapshots()
            return
        for connection in tuple(self._connections):
            if isinstance(fault, Revoke):
                if isinstance(connection, ApiConnection):
                    connection.tell_revoked(fault.account)
            elif not isinstance(fault, Cut | Freeze | Shutdown):
                return
            elif fault.kind not in ("all", connection.kind):
                continue
            elif isinstance(fault, Cut):
                connection.cut(mid_frame=fault.mid_frame)
            elif isinstance(fault, Freeze):
                connection.freeze(fault.seconds)
            else:
                connection.end_in(fault.seconds)

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
        for connection in tuple(self._connections):
            connection.close(WSCloseCode.GOING_AWAY, "The exchange stops")
        for sockets in self._sockets:
            sockets.close()
        if self._runner is not None:
            await self._runner.cleanup()
        self.log.close()
