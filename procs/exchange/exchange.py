"""The exchange put together, without its sockets: accounts, markets, and the report."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from procs.exchange.accounts.account_desk import Desk
from procs.exchange.accounts.accounts import ExchangeAccount
from procs.exchange.accounts.desks import Desks
from procs.exchange.accounts.order_rows import status_row, trade_rows
from procs.exchange.accounts.rate_limits import RateLimits, weight_window
from procs.exchange.accounts.venue import Venue
from procs.exchange.core.exchange_config import ExchangeConfig
from procs.exchange.core.instrument import Instrument, text_e8
from procs.exchange.doors.side_door import position_text
from procs.exchange.doors.user_stream import UserStream
from procs.exchange.faults.arming import Faults
from procs.exchange.markets.capture_file import summarize, symbol_config
from procs.exchange.markets.replay import Player, ReplayMarket
from procs.exchange.markets.simulated import SimulatedMarket
from procs.exchange.methods.methods import Methods
from procs.exchange.methods.signatures import Keyring
from procs.exchange.streams.streams import BINARY, Streams

FAST_FLUSH_STEPS, SLOW_FLUSH_STEPS = 100, 1000
BINARY_FLUSH_STEPS, BINARY_PARTIAL_STEPS = 20, 50


class Exchange:
    """The venue without its sockets: can be stepped in market time by a test.

    ``keys`` are the accounts' names and secrets; all accounts begin with the same balances.
    """

    def __init__(self, config: ExchangeConfig, keys: Sequence[tuple[str, str]]) -> None:
        self.config = config
        self.faults = Faults()
        self.venue = Venue(self.faults)
        self.desks = Desks()
        self.streams = Streams(self.faults)
        self.binary_streams = Streams(self.faults, BINARY)
        self.keyring = Keyring()
        weight = weight_window(config)
        for owner_id, (api_key, secret) in enumerate(keys, start=1):
            account = ExchangeAccount(config.balances, config.maker_fee, config.taker_fee)
            limits = RateLimits(config, weight, self.venue.clock)
            self.desks.add(Desk(self.venue, owner_id, account, limits))
            self.keyring.add(api_key, secret, owner_id)
        self.methods = Methods(self.venue, self.desks, self.keyring)
        self.user_stream = UserStream(self.venue, self.desks)
        self.simulated: list[SimulatedMarket] = []
        self.step_count = 0
        self.speed = 1.0
        self.player: Player | None = None

    def open_simulated(self, life: int = 0, speed: float = 1.0) -> None:
        """Open every configured symbol as a simulated market.

        ``life`` is how often the exchange was started before: its ids only grow.  At a ``speed`` of
        10 ten seconds of the market happen in one.
        """
        self.speed = speed
        for row in self.config.symbols:
            instrument = Instrument(row, self.config.open_orders_max)
            market = SimulatedMarket(
                row,
                instrument,
                self.streams,
                self.binary_streams,
                self.venue,
                self.desks,
                order_capacity=self.config.order_capacity,
                seed=self.config.seed,
                life=life,
            )
            self.simulated.append(market)
            self.venue.markets[row.symbol] = market

    def open_recording(self, path: Path, speed: float) -> None:
        """Open the symbol of a recording instead; ``speed`` 0 is as fast as sockets take it."""
        summary = summarize(path)
        row = symbol_config(summary, self.config.symbols)
        instrument = Instrument(row, self.config.open_orders_max)
        market = ReplayMarket(instrument, self.venue, self.desks, has_snapshot=summary.has_snapshot)
        self.venue.markets[row.symbol] = market
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
        self._flush_binary()
        self.streams.flush(now_ns)
        self.binary_streams.flush(now_ns)
        self.user_stream.flush()

    def _flush_binary(self) -> None:
        """Tell in binary what is due: a diff before the levels that it leads to."""
        if self.step_count % BINARY_FLUSH_STEPS == 0:
            for market in self.simulated:
                market.binary_feed.flush_diffs()
        if self.step_count % BINARY_PARTIAL_STEPS == 0:
            for market in self.simulated:
                market.binary_feed.flush_partials()

    def report(self) -> dict[str, Any]:
        """Return what happened so far, with every fill and open order of the first account."""
        desk = self.desks.of(1)
        fills = {
            symbol: [row for order in orders for row in trade_rows(order)]
            for symbol, orders in desk.filled.items()
        }
        open_orders = [status_row(order) for order in desk.open_orders.values()]
        return {**self.status(), "fills": fills, "open_orders": open_orders}

    def status(self) -> dict[str, Any]:
        """Return what happened so far in numbers, of accounts the first: the status page."""
        desk = self.desks.of(1)
        positions = {
            symbol: position_text(self.venue, symbol, desk.positions_lots.get(symbol, 0))
            for symbol in self.venue.markets
        }
        meter = self.streams.meter
        return {
            "frames_sent": self.streams.frames_sent_count + self.binary_streams.frames_sent_count,
            "user_frames_sent": self.user_stream.frames_sent_count,
            "market_frames": meter.count,
            "market_frames_per_second": round(meter.mean_per_second, 1),
            "market_frames_per_10ms_max": meter.window_max,
            "market_ms": self.step_count,
            "orders_received": desk.order_count,
            "signature_failures": self.keyring.failure_count,
            "fill_count": desk.fill_count,
            "open_order_count": len(desk.open_orders),
            "balances": desk.account.status(False, desk.owner_id)["balances"],
            "fees": {asset: text_e8(fee) for asset, fee in desk.account.fees_e8.items()},
            "positions": positions,
            "capture_finished": self.player is not None and self.player.is_finished,
        }
