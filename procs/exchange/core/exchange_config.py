"""What may be configured of the local exchange; a TOML file, unknown keys refused."""

from pathlib import Path

import msgspec


class SymbolConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One symbol: what exchangeInfo says of it, and how its simulated traders trade."""

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
