"""What may be configured of the local exchange; a TOML file, unknown keys refused."""

from pathlib import Path
from typing import Literal

import msgspec


class SymbolConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One symbol: what its venue says of it, and how its simulated traders trade."""

    symbol: str
    base_asset: str
    quote_asset: str
    anchor_price: str
    tick_size: str = "0.01"
    lot_size: str = "0.00001"
    price_max: str = "1000000.00"
    qty_max: str = "9000.00000"
    notional_min: str = "5.00"
    notional_max: str = "9000000.00"
    deviation_ticks_per_second: int = 12
    maker_qty: str = "0.04"
    taker_qty: str = "0.01"
    dialect: Literal["binance_spot", "bybit_spot", "bybit_linear"] = "binance_spot"
    #: Fees as shares of the value; empty for the exchange's.
    maker_fee: str = ""
    taker_fee: str = ""
    #: The symbol whose fair price this one's traders believe in: `binance_spot:BTCUSDT`.
    follows: str = ""
    #: Of perpetuals: what longs pay to shorts, as a share of the value, and how often.
    funding_rate: str = "0.0001"
    funding_interval_s: int = 28_800
    leverage: int = 10


DEFAULT_SYMBOLS = (
    SymbolConfig("BTCUSDT", "BTC", "USDT", "60000.00"),
    SymbolConfig(
        "ETHUSDT",
        "ETH",
        "USDT",
        "3000.00",
        deviation_ticks_per_second=6,
        maker_qty="0.60",
        taker_qty="0.16",
    ),
)


class BybitConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rules of Bybit's dialect: budgets of a rolling second for each account, and the rest."""

    linear_orders_per_s: int = 10
    spot_orders_per_s: int = 20
    spot_amends_per_s: int = 10
    queries_per_s: int = 50
    rest_requests_per_5s: int = 600
    #: How long an acknowledgement takes; drawn between the two.
    ack_delay_ms_min: float = 1.0
    ack_delay_ms_max: float = 5.0
    #: A cancel so soon after the fill that ended its order is accepted, and said to be too late.
    cancel_race_ms: float = 5.0
    #: A public connection that says nothing for so long is closed.
    idle_s: float = 600.0
    #: The same for private and trade connections that do not say `max_active_time`.
    private_idle_s: float = 600.0
    #: Whether spot answers a post-only order that would take with 170218, not by cancelling it.
    spot_refuses_taking_post_only: bool = False
    open_orders_max: int = 500


DEFAULT_BALANCES = (("BTC", "100"), ("ETH", "2000"), ("USDT", "10000000"), ("BNB", "0"))


class ExchangeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The exchange: market, accounts, fees, limits and connection rules."""

    seed: int = 1
    host: str = "127.0.0.1"
    symbols: tuple[SymbolConfig, ...] = DEFAULT_SYMBOLS
    balances: dict[str, str] = msgspec.field(default_factory=lambda: dict(DEFAULT_BALANCES))
    maker_fee: str = "0.0001"
    taker_fee: str = "0.0005"
    open_orders_max: int = 200
    orders_per_10s: int = 5000
    orders_per_day: int = 50_000_000
    weight_per_minute: int = 100_000
    maker_fill_credit: int = 5
    reply_delay_ms_max: float = 1.0
    ping_interval_s: float = 20.0
    pong_timeout_s: float = 60.0
    connection_life_s: float = 86_400.0
    shutdown_notice_s: float = 10.0
    client_frames_per_second: int = 5
    order_capacity: int = 8192
    bybit: BybitConfig = BybitConfig()

    def rows(self, family: str) -> tuple[SymbolConfig, ...]:
        """Return the symbols of the dialects whose names begin with ``family``."""
        return tuple(row for row in self.symbols if row.dialect.startswith(family))


class ExchangeConfigError(Exception):
    """The configuration cannot be used; the message says which key and why."""


def load_config(path: Path | None) -> ExchangeConfig:
    """Return the configuration in ``path``, or the default one.

    Raises
    ------
    ConfigError
        When the file cannot be read, or a key is unknown or has the wrong type.
    """
    if path is None:
        return ExchangeConfig()
    try:
        return msgspec.toml.decode(path.read_bytes(), type=ExchangeConfig)
    except (OSError, msgspec.DecodeError) as error:
        raise ExchangeConfigError(f"{path}: {error}") from error
