"""The exchange put together: markets, listeners, timers, and the report.

Everything runs on one event loop.  Market time follows the wall clock in steps of a millisecond;
a loop that was held up makes up for at most ``CATCH_UP_STEPS`` of them.
"""

import asyncio
import random
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakSet

from aiohttp import web
from picows import WSCloseCode, WSListener, WSUpgradeRequest, ws_create_server

from procs.exchange.accounts import Account
from procs.exchange.config import ExchangeConfig
from procs.exchange.connection import Connection
from procs.exchange.desk import Desk
from procs.exchange.instrument import Instrument, text_e8
from procs.exchange.methods import Methods
from procs.exchange.rate_limits import RateLimits
from procs.exchange.recording import summarize, symbol_config
from procs.exchange.replay import Player, ReplayMarket
from procs.exchange.request_log import RequestLog
from procs.exchange.rest import Rest
from procs.exchange.signatures import Keyring
from procs.exchange.simulated import SimulatedMarket
from procs.exchange.streams import StreamConnection, Streams
from procs.exchange.user_stream import UserStream
from procs.exchange.ws_api import ApiConnection

TICK_S = 0.002
SHUTDOWN_S = 1.0
STEP_NS = 1_000_000
CATCH_UP_STEPS = 50
FAST_FLUSH_STEPS, SLOW_FLUSH_STEPS = 100, 1000


class Exchange:
    """The venue without its sockets: can be stepped in market time by a test."""

    def __init__(self, config: ExchangeConfig, api_key: str, api_secret: str) -> None:
        self.config = config
        self.streams = Streams()
        self.limits = RateLimits(config)
        self.account = Account(config.balances, config.maker_fee, config.taker_fee)
        self.desk = Desk(self.account, self.limits)
        self.keyring = Keyring(api_key, api_secret)
        self.methods = Methods(self.desk, self.limits, self.keyring)
        self.user_stream = UserStream(self.desk)
        self.simulated: list[SimulatedMarket] = []
        self.step_count = 0
        self.player: Player | None = None

    def open_simulated(self) -> None:
        """Open every configured symbol as a simulated market."""
        for row in self.config.symbols:
            instrument = Instrument(row, self.config.open_orders_max)
            market = SimulatedMarket(
                row,
                instrument,
                self.streams,
                self.desk,
                order_capacity=self.config.order_capacity,
                seed=self.config.seed,
            )
            self.simulated.append(market)
            self.desk.markets[row.symbol] = market

    def open_recording(self, path: Path, speed: float) -> None:
        """Open the symbol of a recording instead; ``speed`` 0 is as fast as sockets take it."""
        summary = summarize(path)
        row = symbol_config(summary, self.config.symbols)
        instrument = Instrument(row, self.config.open_orders_max)
        market = ReplayMarket(instrument, self.desk, has_snapshot=summary.has_snapshot)
        self.desk.markets[row.symbol] = market
        self.player = Player(
            path, market, self.streams, speed=speed, after_batch=self.user_stream.flush
        )

    def step(self, now_ns: int) -> None:
        """Let one millisecond pass on every simulated market; frames count as of ``now_ns``."""
        self.step_count += 1
        for market in self.simulated:
            market.step()
        if self.step_count % FAST_FLUSH_STEPS == 0:
            for market in self.simulated:
                market.feed.flush_fast()
        if self.step_count % SLOW_FLUSH_STEPS == 0:
            for market in self.simulated:
                market.feed.flush_slow()
        self.streams.flush(now_ns)
        self.user_stream.flush()

    def report(self) -> dict[str, Any]:
        """Return what happened so far, with every fill and open order."""
        fills = {
            symbol: [row for order in orders for row in order.trade_rows()]
            for symbol, orders in self.desk.filled.items()
        }
        open_orders = [order.status_row() for order in self.desk.open_orders.values()]
        return {**self.status(), "fills": fills, "open_orders": open_orders}

    def status(self) -> dict[str, Any]:
        """Return what happened so far in numbers: the status page."""
        desk = self.desk
        positions = {
            symbol: market.instrument.qty_text(desk.positions_lots.get(symbol, 0))
            if desk.positions_lots.get(symbol, 0) >= 0
            else "-" + market.instrument.qty_text(-desk.positions_lots[symbol])
            for symbol, market in desk.markets.items()
        }
        meter = self.streams.meter
        return {
            "frames_sent": self.streams.frames_sent_count,
            "user_frames_sent": self.user_stream.frames_sent_count,
            "market_frames": meter.count,
            "market_frames_per_second": round(meter.mean_per_second, 1),
            "market_frames_per_10ms_max": meter.window_max,
            "orders_received": desk.order_count,
            "signature_failures": self.keyring.failure_count,
            "fill_count": desk.fill_count,
            "open_order_count": len(desk.open_orders),
            "balances": self.account.status(omit_zero=False)["balances"],
            "fees": {asset: text_e8(fee) for asset, fee in self.account.fees_e8.items()},
            "positions": positions,
            "capture_finished": self.player is not None and self.player.is_finished,
        }


class Server:
    """The sockets and timers of an exchange."""

    def __init__(self, exchange: Exchange, request_log: Path | None) -> None:
        self.exchange = exchange
        self.log = RequestLog(request_log)
        self._draw = random.Random(exchange.config.seed)
        self._runner: web.AppRunner | None = None
        self._sockets: asyncio.Server | None = None
        self._connections: WeakSet[Connection] = WeakSet()
        self.rest_port = 0
        self.ws_port = 0

    async def start(self, rest_port: int, ws_port: int) -> None:
        """Listen on both ports; 0 takes any free one."""
        host = self.exchange.config.host
        rest = Rest(
            self.exchange.methods, self.exchange.user_stream, self.log, self.exchange.status
        )
        self._runner = web.AppRunner(
            rest.application(), access_log=None, shutdown_timeout=SHUTDOWN_S
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, rest_port)
        await site.start()
        self.rest_port = int(self._runner.addresses[0][1])
        self._sockets = await ws_create_server(
            self._connect,
            host,
            ws_port,
            enable_auto_pong=False,
            max_frame_size=1 << 20,
        )
        self.ws_port = int(self._sockets.sockets[0].getsockname()[1])

    def _connect(self, request: WSUpgradeRequest) -> WSListener | None:
        connection = self._connection_of(request)
        if connection is not None:
            self._connections.add(connection)
        return connection

    def _connection_of(self, request: WSUpgradeRequest) -> Connection | None:
        target = request.path.decode()
        path = urlsplit(target).path
        config = self.exchange.config
        rules = {
            "ping_interval_s": config.ping_interval_s,
            "pong_timeout_s": config.pong_timeout_s,
        }
        if path == "/ws-api/v3":
            return ApiConnection(
                self.exchange.methods,
                self.exchange.user_stream,
                self.log,
                target,
                draw=self._draw,
                reply_delay_ms_max=config.reply_delay_ms_max,
                frames_per_second_max=0,
                **rules,
            )
        if path in ("/ws", "/stream") or path.startswith("/ws/"):
            return StreamConnection(
                self.exchange.streams,
                target,
                frames_per_second_max=config.client_frames_per_second,
                **rules,
            )
        return None

    async def run_market(self) -> None:
        """Play the recording, or step the simulated markets as the wall clock goes."""
        if self.exchange.player is not None:
            await self.exchange.player.run()
        market_ns = time.monotonic_ns()
        while True:
            await asyncio.sleep(TICK_S)
            now_ns = time.monotonic_ns()
            steps = (now_ns - market_ns) // STEP_NS
            market_ns += steps * STEP_NS
            for _ in range(min(steps, CATCH_UP_STEPS)):
                self.exchange.step(time.monotonic_ns())

    async def stop(self) -> None:
        """Close all connections and ports."""
        for connection in tuple(self._connections):
            connection.close(WSCloseCode.GOING_AWAY, "The exchange stops")
        if self._sockets is not None:
            self._sockets.close()
        if self._runner is not None:
            await self._runner.cleanup()
        self.log.close()
