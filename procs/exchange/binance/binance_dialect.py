"""Binance Spot put together: its accounts, streams, methods and doors."""

import random
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from aiohttp import web
from picows import WSUpgradeRequest, WSUpgradeResponse, WSUpgradeResponseWithListener

from procs.exchange.accounts.accounts import ExchangeAccount
from procs.exchange.accounts.desks import Desks
from procs.exchange.accounts.venue import Venue
from procs.exchange.binance.accounts.account_desk import Desk
from procs.exchange.binance.accounts.rate_limits import RateLimits, weight_window
from procs.exchange.binance.doors.rest import Rest
from procs.exchange.binance.doors.user_stream import UserStream
from procs.exchange.binance.doors.ws_api import ApiConnection
from procs.exchange.binance.methods.methods import Methods
from procs.exchange.binance.methods.signatures import Keyring
from procs.exchange.binance.recordings.replay import ReplayMarket, player_of
from procs.exchange.binance.streams.json_feed import JsonFeed
from procs.exchange.binance.streams.sbe_feed import BinaryFeed
from procs.exchange.binance.streams.streams import StreamConnection, Streams
from procs.exchange.binance.words.errors import ExchangeRefusal
from procs.exchange.core.exchange_config import ExchangeConfig, SymbolConfig
from procs.exchange.core.instrument import Instrument
from procs.exchange.dialect import Answer, Opened
from procs.exchange.doors.client_connection import Connection, Rules
from procs.exchange.doors.request_log import RequestLog
from procs.exchange.doors.side_door import add_side_door, desk_rows, desk_status
from procs.exchange.doors.web_frames import BINARY
from procs.exchange.faults.arming import Faults
from procs.exchange.faults.faults import AnyFault, Renumber, Revoke, StaleSnapshots
from procs.exchange.markets.simulated import SimulatedMarket
from procs.exchange.recordings.pace import PacedPlayer
from procs.exchange.recordings.recorded_rows import RecordedSymbols

FAST_FLUSH_STEPS, SLOW_FLUSH_STEPS = 100, 1000
BINARY_FLUSH_STEPS, BINARY_PARTIAL_STEPS = 20, 50


def refused_format(target: str) -> ExchangeRefusal | None:
    """Return the refusal of a connection that asks for what is not spoken here."""
    query = parse_qs(urlsplit(target).query)
    if query.get("responseFormat", ["json"])[0].lower() == "sbe" or "sbeSchemaId" in query:
        return ExchangeRefusal(-1155, "SBE is not enabled.")
    if query.get("timeUnit", ["millisecond"])[0].lower() not in ("millisecond", "milliseconds"):
        return ExchangeRefusal(-1100, "Illegal characters found in parameter 'timeUnit'.")
    return None


def refuse(error: ExchangeRefusal) -> Answer:
    """Return what a client gets instead of an open connection."""
    body = msgspec.json.encode(error.body())
    response = WSUpgradeResponse.create_error_response(error.status, body)
    return WSUpgradeResponseWithListener(response, None)


def is_stream(path: str) -> bool:
    """Return whether market streams are asked for."""
    return path in ("/ws", "/stream") or path.startswith("/ws/")


class BinanceDialect:
    """Binance Spot; ``keys`` are the accounts' names and secrets."""

    family = "binance"

    def __init__(self, config: ExchangeConfig, keys: Sequence[tuple[str, str]]) -> None:
        self._config = config
        self.venue = Venue(Faults(foreign=(Renumber,)))
        self.desks: Desks[Desk] = Desks()
        self.streams = Streams(self.venue.faults)
        self.binary_streams = Streams(self.venue.faults, BINARY)
        self.keyring = Keyring()
        weight = weight_window(config)
        for owner_id, (api_key, secret) in enumerate(keys, start=1):
            account = ExchangeAccount(config.balances, config.maker_fee, config.taker_fee)
            limits = RateLimits(config, weight, self.venue.clock)
            self.desks.add(Desk(self.venue, owner_id, account, limits))
            self.keyring.add(api_key, secret, owner_id)
        self.methods = Methods(self.venue, self.desks, self.keyring)
        self.user_stream = UserStream(self.venue, self.desks)
        self._draw = random.Random(config.seed)
        self._feeds: list[JsonFeed] = []
        self._binary_feeds: list[BinaryFeed] = []
        self._player: PacedPlayer | None = None

    def open_market(self, row: SymbolConfig, life: int) -> SimulatedMarket:
        """Open a symbol as a simulated market; its frames are text and binary."""
        instrument = Instrument(row, self._config, self._config.open_orders_max)
        market = SimulatedMarket(
            instrument,
            self.venue,
            self.desks,
            order_capacity=self._config.order_capacity,
            seed=self._config.seed,
            life=life,
        )
        clock = self.venue.clock
        feed = JsonFeed(instrument, self.streams, clock, market.rows)
        binary_feed = BinaryFeed(instrument, self.binary_streams, clock, market.rows)
        market.add_feed(feed)
        market.add_feed(binary_feed)
        self._feeds.append(feed)
        self._binary_feeds.append(binary_feed)
        self.venue.markets[instrument.key] = market
        self.methods.books.add(instrument.symbol, feed.snapshot)
        return market

    def open_recording(self, recorded: RecordedSymbols, speed: float) -> PacedPlayer:
        """Open the symbols of a recording instead."""
        markets: dict[str, ReplayMarket] = {}
        for row in recorded.rows:
            instrument = Instrument(row, self._config, self._config.open_orders_max)
            seen = recorded.look.symbols[row.dialect, row.symbol]
            market = markets[row.symbol] = ReplayMarket(
                instrument, self.venue, self.desks, snapshot_ids=seen.snapshots
            )
            self.venue.markets[instrument.key] = market
            self.methods.books.add(instrument.symbol, market.snapshot)
        self._player = player_of(
            recorded.path, markets, self.streams, speed=speed, after_batch=self.user_stream.flush
        )
        return self._player

    def flush(self, now_ns: int) -> None:
        """Send what is due; in binary a diff comes before the levels that it leads to."""
        step_count = self.venue.step_count
        if step_count % FAST_FLUSH_STEPS == 0:
            for feed in self._feeds:
                feed.flush_fast()
        if step_count % SLOW_FLUSH_STEPS == 0:
            for feed in self._feeds:
                feed.flush_slow()
        if step_count % BINARY_FLUSH_STEPS == 0:
            for binary_feed in self._binary_feeds:
                binary_feed.flush_diffs()
        if step_count % BINARY_PARTIAL_STEPS == 0:
            for binary_feed in self._binary_feeds:
                binary_feed.flush_partials()
        self.streams.flush(now_ns)
        self.binary_streams.flush(now_ns)
        self.user_stream.flush()

    def application(self, log: RequestLog, *, has_faults: bool) -> web.Application:
        """Return the HTTP side."""
        application = Rest(self.methods, self.user_stream, log, self.status).application()
        add_side_door(application, self.venue, self.desks, has_faults=has_faults)
        return application

    def listeners(self, log: RequestLog) -> dict[str, Callable[[WSUpgradeRequest], Answer]]:
        """Return what answers on the port of text, and on that of binary streams."""

        def connect(request: WSUpgradeRequest) -> Answer:
            target = request.path.decode()
            refusal = refused_format(target)
            if refusal is not None:
                return refuse(refusal)
            path = urlsplit(target).path
            if path == "/ws-api/v3":
                return self._api_connection(target, log)
            return self._stream_connection(self.streams, target) if is_stream(path) else None

        return {"ws": connect, "sbe": self._connect_binary}

    def _connect_binary(self, request: WSUpgradeRequest) -> Answer:
        """Open the binary streams to a client that shows a known key, of whichever kind."""
        try:
            self.keyring.check_key(request.headers.get("X-MBX-APIKEY"))
        except ExchangeRefusal as error:
            return refuse(error)
        target = request.path.decode()
        if not is_stream(urlsplit(target).path):
            return None
        return self._stream_connection(self.binary_streams, target)

    def _api_connection(self, target: str, log: RequestLog) -> ApiConnection:
        return ApiConnection(
            self.methods,
            self.user_stream,
            log,
            target,
            self._rules(),
            draw=self._draw,
            reply_delay_ms_max=self._config.reply_delay_ms_max,
        )

    def _stream_connection(self, streams: Streams, target: str) -> StreamConnection:
        frames_per_second_max = self._config.client_frames_per_second
        return StreamConnection(
            streams, target, self._rules(), frames_per_second_max=frames_per_second_max
        )

    def _rules(self) -> Rules:
        config = self._config
        return Rules(
            config.ping_interval_s,
            config.pong_timeout_s,
            config.connection_life_s,
            config.shutdown_notice_s,
            self.venue.faults,
            self.venue.clock,
        )

    def ready(self, opened: Opened) -> dict[str, Any]:
        """Return the ports: REST, streams and WebSocket API, binary streams."""
        return {f"{name}_port": opened.ports[name] for name in ("rest", "ws", "sbe")}

    def strike(self, fault: AnyFault, connections: tuple[Connection, ...]) -> None:
        """Keep the books of this moment, or tell connections that their key is gone."""
        if isinstance(fault, StaleSnapshots):
            self.methods.books.keep_stale()
        elif isinstance(fault, Revoke):
            for connection in connections:
                if isinstance(connection, ApiConnection):
                    connection.announce_revoked(fault.account)

    def status(self) -> dict[str, Any]:
        """Return what happened so far in numbers, of accounts the first: the status page."""
        meter = self.streams.meter
        return {
            "frames_sent": self.streams.frames_sent_count + self.binary_streams.frames_sent_count,
            "user_frames_sent": self.user_stream.frames_sent_count,
            "market_frames": meter.count,
            "market_frames_per_second": round(meter.mean_per_second, 1),
            "market_frames_per_10ms_max": meter.window_max,
            "market_ms": self.venue.step_count,
            "signature_failures": self.keyring.failure_count,
            **desk_status(self.desks.of(1)),
            "capture_finished": self._player is not None and self._player.is_finished,
        }

    def rows(self) -> dict[str, Any]:
        """Return every fill and open order of the first account."""
        return desk_rows(self.desks.of(1))
