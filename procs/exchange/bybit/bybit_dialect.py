"""Bybit v5 put together, spot and linear: its accounts, topics and gates."""

import random
import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from aiohttp import web
from picows import WSUpgradeRequest

from procs.exchange.accounts.accounts import ExchangeAccount
from procs.exchange.accounts.desks import Desks
from procs.exchange.accounts.venue import Venue
from procs.exchange.bybit.desk.bybit_desk import BybitDesk
from procs.exchange.bybit.desk.bybit_rows import category_of
from procs.exchange.bybit.gates.disconnect_watch import DisconnectWatch
from procs.exchange.bybit.gates.http_queries import MarketQueries, ShownFeed
from procs.exchange.bybit.gates.http_routes import HttpRoutes
from procs.exchange.bybit.gates.operations import Operations
from procs.exchange.bybit.gates.private_connection import PrivateConnection
from procs.exchange.bybit.gates.private_stream import PrivateStream
from procs.exchange.bybit.gates.trade_connection import TradeConnection
from procs.exchange.bybit.recordings.message_player import player_of
from procs.exchange.bybit.recordings.recorded_feed import RecordedFeed
from procs.exchange.bybit.texts.budgets import Budgets
from procs.exchange.bybit.texts.secret_keys import SecretKeys
from procs.exchange.bybit.topics.public_connection import PublicConnection
from procs.exchange.bybit.topics.public_feed import PublicFeed
from procs.exchange.bybit.topics.public_topics import PublicTopics
from procs.exchange.core.exchange_config import ExchangeConfig, SymbolConfig
from procs.exchange.core.instrument import Instrument
from procs.exchange.dialect import Answer, Opened
from procs.exchange.doors.client_connection import Connection, Rules
from procs.exchange.doors.request_log import RequestLog
from procs.exchange.doors.side_door import add_side_door, desk_rows, desk_status
from procs.exchange.faults.arming import Faults
from procs.exchange.faults.faults import AnyFault, Renumber, StaleSnapshots
from procs.exchange.markets.replayed import ReplayedMarket
from procs.exchange.markets.simulated import SimulatedMarket
from procs.exchange.recordings.pace import PacedPlayer
from procs.exchange.recordings.recorded_rows import RecordedSymbols

CATEGORIES = ("spot", "linear")
PUBLIC, PRIVATE, TRADE = "/v5/public/", "/v5/private", "/v5/trade"
ACTIVE_S_MIN, ACTIVE_S_MAX = 30, 600


def active_s(query: str, default_s: float) -> float:
    """Return after what silence a client wants to be disconnected: `max_active_time`."""
    text = parse_qs(query).get("max_active_time", [""])[0]
    match = re.fullmatch(r"([0-9]{1,4})([sm])", text)
    if match is None:
        return default_s
    seconds = int(match[1]) * (60 if match[2] == "m" else 1)
    return float(min(max(seconds, ACTIVE_S_MIN), ACTIVE_S_MAX))


class SymbolFeed(ShownFeed, Protocol):
    """What makes the messages of one symbol: a simulated market, or a recording."""

    def flush(self, step_count: int) -> None:
        """Publish what is due after this step."""

    def renumber(self, fault: Renumber) -> None:
        """Send the books whole to all who listen."""


class BybitDialect:
    """Bybit v5; ``keys`` are the accounts' names and secrets."""

    family = "bybit"

    def __init__(self, config: ExchangeConfig, keys: Sequence[tuple[str, str]]) -> None:
        self._config = config
        self.venue = Venue(Faults(foreign=(StaleSnapshots,)))
        self.desks: Desks[BybitDesk] = Desks()
        self.topics = {name: PublicTopics(name, self.venue.faults) for name in CATEGORIES}
        self.keys = SecretKeys(self.venue.clock)
        for owner_id, (api_key, secret) in enumerate(keys, start=1):
            account = ExchangeAccount(config.balances, config.maker_fee, config.taker_fee)
            budgets = Budgets(config.bybit, self.venue.clock)
            self.desks.add(BybitDesk(self.venue, owner_id, account, config.bybit, budgets))
            self.keys.add(api_key, secret, owner_id)
        self._draw = random.Random(config.seed)
        self.operations = Operations(self.venue, self.desks)
        self.stream = PrivateStream(self.venue, self.desks, self._draw)
        self.watch = DisconnectWatch(self.desks)
        self.feeds: dict[str, SymbolFeed] = {}
        self._player: PacedPlayer | None = None

    def open_market(self, row: SymbolConfig, life: int) -> SimulatedMarket:
        """Open a symbol as a simulated market."""
        category, instrument = self._instrument(row)
        key = instrument.key
        market = SimulatedMarket(
            instrument,
            self.venue,
            self.desks,
            order_capacity=self._config.order_capacity,
            seed=self._config.seed,
            life=life,
        )
        feed = PublicFeed(market, self.topics[category], self.venue, life)
        market.add_feed(feed)
        self.feeds[key] = feed
        self.venue.markets[key] = market
        return market

    def _instrument(self, row: SymbolConfig) -> tuple[str, Instrument]:
        """Return the category of a symbol, and what it is."""
        category = row.dialect.removeprefix("bybit_")
        key = f"{category}:{row.symbol}"
        return category, Instrument(row, self._config, self._config.bybit.open_orders_max, key)

    def open_recording(self, recorded: RecordedSymbols, speed: float) -> PacedPlayer:
        """Open the symbols of a recording instead."""
        feeds: dict[tuple[str, str], RecordedFeed] = {}
        for row in recorded.rows:
            category, instrument = self._instrument(row)
            market = ReplayedMarket(instrument, self.venue, self.desks)
            seen = recorded.look.symbols[row.dialect, row.symbol]
            feed = RecordedFeed(market, self.topics[category], seen.topics)
            feeds[category, row.symbol] = self.feeds[instrument.key] = feed
            self.venue.markets[instrument.key] = market
        self._player = player_of(
            recorded.path, feeds, self.topics, speed=speed, after_batch=self.stream.flush
        )
        return self._player

    def flush(self, now_ns: int) -> None:
        """Pay the funding that is due, and send what is due."""
        step_count = self.venue.step_count
        for key, feed in self.feeds.items():
            market = self.venue.markets[key]
            config = market.instrument.config
            is_due = step_count % (config.funding_interval_s * 1000) == 0
            if market.instrument.is_linear and is_due:
                for desk in self.desks:
                    desk.fund(market)
            feed.flush(step_count)
        for topics in self.topics.values():
            topics.flush(now_ns)
        self.stream.flush()

    def application(self, log: RequestLog, *, has_faults: bool) -> web.Application:
        """Return the HTTP side."""
        routes = HttpRoutes(
            self.keys,
            self.operations,
            self.stream,
            self.watch,
            MarketQueries(self.venue, self.feeds),
            log,
            config=self._config.bybit,
            status=self.status,
        )
        application = routes.application()
        add_side_door(application, self.venue, self.desks, has_faults=has_faults)
        return application

    def listeners(self, log: RequestLog) -> dict[str, Callable[[WSUpgradeRequest], Answer]]:
        """Return what answers on the one port of WebSockets: the path says which socket."""

        def connect(request: WSUpgradeRequest) -> Answer:
            parts = urlsplit(request.path.decode())
            config = self._config.bybit
            idle_s = active_s(parts.query, config.private_idle_s)
            if parts.path.startswith(PUBLIC):
                return self._public_connection(parts.path.removeprefix(PUBLIC))
            if parts.path == PRIVATE:
                return PrivateConnection(
                    self.keys,
                    self.operations,
                    self.stream,
                    self.watch,
                    self._rules(),
                    idle_s=idle_s,
                )
            return self._trade_connection(log, idle_s) if parts.path == TRADE else None

        return {"ws": connect}

    def _public_connection(self, category: str) -> PublicConnection | None:
        if category not in CATEGORIES:
            return None
        idle_s = self._config.bybit.idle_s
        topics = self.topics[category]
        return PublicConnection(topics, self._rules(), idle_s=idle_s, draw=self._draw)

    def _trade_connection(self, log: RequestLog, idle_s: float) -> TradeConnection:
        return TradeConnection(
            self.keys,
            self.operations,
            self.stream,
            log,
            self._rules(),
            config=self._config.bybit,
            idle_s=idle_s,
            draw=self._draw,
        )

    def _rules(self) -> Rules:
        config = self._config
        notice_s = config.shutdown_notice_s
        faults, clock = self.venue.faults, self.venue.clock
        return Rules(0.0, 0.0, config.connection_life_s, notice_s, faults, clock)

    def ready(self, opened: Opened) -> dict[str, Any]:
        """Return the addresses by dialect."""
        names = {category_of(market.instrument) for market in self.venue.markets.values()}
        return {
            f"bybit_{category}": {
                "stream_url": opened.url("ws", PUBLIC + category),
                "private_url": opened.url("ws", PRIVATE),
                "trade_url": opened.url("ws", TRADE),
                "rest_url": opened.url("rest"),
                "rest_port": opened.ports["rest"],
                "ws_port": opened.ports["ws"],
            }
            for category in sorted(names)
        }

    def strike(self, fault: AnyFault, connections: tuple[Connection, ...]) -> None:
        """Send books whole, where the fault says so."""
        if isinstance(fault, Renumber):
            for feed in self.feeds.values():
                feed.renumber(fault)

    def status(self) -> dict[str, Any]:
        """Return what happened so far in numbers, of accounts the first: the status page."""
        topics = self.topics.values()
        frames_count = sum(each.frames_sent_count for each in topics)
        return {
            "frames_sent": frames_count,
            "user_frames_sent": self.stream.frames_sent_count,
            "market_frames": sum(each.meter.count for each in topics),
            "market_ms": self.venue.step_count,
            "signature_failures": self.keys.failure_count,
            **desk_status(self.desks.of(1)),
            "capture_finished": self._player is not None and self._player.is_finished,
        }

    def rows(self) -> dict[str, Any]:
        """Return every fill and open order of the first account."""
        return desk_rows(self.desks.of(1))
