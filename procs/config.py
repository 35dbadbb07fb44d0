"""The configuration file: TOML, read by msgspec; everything is checked before anything starts.

Secrets do not stand here.  They come from the environment (``VORTEX_API_KEY``,
``VORTEX_API_SECRET``) or from a file named by ``[secrets] file`` that only its owner may read.
"""

import os
import stat
import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from vortex import strategies, venues

KEY_VARIABLE = "VORTEX_API_KEY"
SECRET_VARIABLE = "VORTEX_API_SECRET"

Name = Annotated[str, Meta(pattern="^[a-z][a-z0-9_-]{0,23}$")]
PositiveInt = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=0)]
PowerOfTwoBits = Annotated[int, Meta(ge=6, le=24)]


class ConfigError(Exception):
    """The configuration cannot be used; the message names the key and what it should be."""


class Strict(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """A table of the file: unknown keys are refused."""


class Source(Strict, frozen=True, kw_only=True, omit_defaults=True):
    """One connection to market data: one ingest process."""

    name: Name = "main"
    venue: str = "binance_spot"
    rest_url: str
    stream_url: str
    symbols: Annotated[list[str], Meta(min_length=1)]


class OrderEntry(Strict, frozen=True, kw_only=True, omit_defaults=True):
    """Where orders go."""

    venue: str = "binance_spot"
    rest_url: str
    order_url: str
    recv_window_ms: Annotated[int, Meta(ge=1, le=60_000)] = 5_000
    orders_per_10s: PositiveInt = 80
    answer_timeout_ms: PositiveInt = 1_000


class Limits(Strict, frozen=True, kw_only=True, omit_defaults=True):
    """What the gateway enforces for one symbol; money in the quote asset, sizes in the base."""

    order_qty: str
    order_notional: str
    position_qty: str
    price_band_bps: PositiveInt = 200
    open_orders: PositiveInt = 8
    decision_age_ms: PositiveInt = 250
    touch_age_ms: Count = 0


class Quoting(Strict, frozen=True, kw_only=True, omit_defaults=True):
    """How eagerly quotes follow what the strategy wants."""

    reprice_ticks: PositiveInt = 1
    reject_pause_ms: Count = 20


class StrategyChoice(Strict, frozen=True, kw_only=True, omit_defaults=True):
    """Which strategy quotes a symbol, with its parameters."""

    symbol: str
    name: str = "constant_spread"
    params: dict[str, int | float] = {}
    limits: Limits


class Rings(Strict, frozen=True, kw_only=True, omit_defaults=True):
    """Sizes of the rings, as powers of two, and what happens when one is full."""

    market_bits: PowerOfTwoBits = 14
    tops_bits: PowerOfTwoBits = 12
    requests_bits: PowerOfTwoBits = 10
    events_bits: PowerOfTwoBits = 12
    steps_bits: PowerOfTwoBits = 12
    stall_ms: PositiveInt = 100


class Books(Strict, frozen=True, kw_only=True, omit_defaults=True):
    """Sizes of the books."""

    levels: Annotated[int, Meta(ge=64, le=1_000_000)] = 8_192
    pending_records: Annotated[int, Meta(ge=64, le=1_000_000)] = 8_192
    snapshot_levels: Annotated[int, Meta(ge=5, le=5_000)] = 1_000


class Placement(Strict, frozen=True, kw_only=True, omit_defaults=True):
    """CPUs; left out, they are worked out from the machine."""

    engine_cpus: list[Count] | None = None
    housekeeping_cpus: list[Count] | None = None
    wait: Literal["auto", "spin", "yield", "park"] = "auto"


class Liveness(Strict, frozen=True, kw_only=True, omit_defaults=True):
    """When silence is taken for death."""

    lease_ms: PositiveInt = 1_000
    start_timeout_s: PositiveInt = 30
    stop_timeout_s: PositiveInt = 10


class Secrets(Strict, frozen=True, kw_only=True, omit_defaults=True):
    """Where the key is, if not in the environment."""

    file: str


class Config(Strict, frozen=True, kw_only=True, omit_defaults=True):
    """The whole file."""

    instance: Name = "vortex"
    runs_folder: str = "runs"
    sources: Annotated[list[Source], Meta(min_length=1, max_length=16)]
    orders: OrderEntry
    strategies: Annotated[list[StrategyChoice], Meta(min_length=1)]
    quoting: Quoting = Quoting()
    rings: Rings = Rings()
    books: Books = Books()
    placement: Placement = Placement()
    liveness: Liveness = Liveness()
    secrets: Secrets | None = None

    @property
    def symbols(self) -> list[str]:
        """All symbols, in the order of their instrument ids."""
        return [symbol for source in self.sources for symbol in source.symbols]

    def choice(self, symbol: str) -> StrategyChoice:
        """Return what is configured for one symbol."""
        return next(choice for choice in self.strategies if choice.symbol == symbol)


class Credentials(msgspec.Struct, frozen=True):
    """A key and its secret; never written anywhere."""

    key: str
    secret: bytes

    def __repr__(self) -> str:
        return "Credentials(...)"


def load(path: Path) -> Config:
    """Read and check the file.

    Raises
    ------
    ConfigError
        Naming the key's path, what stands there and what should.
    """
    try:
        text = path.read_text()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    try:
        config = msgspec.convert(tomllib.loads(text), Config)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}") from error
    check(config, str(path))
    return config


def check(config: Config, path: str) -> None:
    """Check what the types cannot say."""
    symbols = config.symbols
    if len(set(symbols)) != len(symbols):
        raise ConfigError(f"{path}: a symbol stands twice in `$.sources[...].symbols`")
    if len({source.name for source in config.sources}) != len(config.sources):
        raise ConfigError(f"{path}: two `$.sources` have the same name")
    chosen = [choice.symbol for choice in config.strategies]
    if sorted(chosen) != sorted(symbols):
        raise ConfigError(
            f"{path}: `$.strategies` must name each symbol of `$.sources` once: "
            f"{', '.join(symbols)}; it names {', '.join(chosen)}"
        )
    if len({choice.name for choice in config.strategies}) != 1:
        raise ConfigError(f"{path}: `$.strategies[...].name` must be the same for all symbols")
    for index, source in enumerate(config.sources):
        _check_venue(path, f"$.sources[{index}].venue", source.venue)
        _check_url(path, f"$.sources[{index}].stream_url", source.stream_url, "ws://")
        _check_url(path, f"$.sources[{index}].rest_url", source.rest_url, "http://", "https://")
    _check_venue(path, "$.orders.venue", config.orders.venue)
    _check_url(path, "$.orders.order_url", config.orders.order_url, "ws://")
    _check_url(path, "$.orders.rest_url", config.orders.rest_url, "http://", "https://")
    for index, choice in enumerate(config.strategies):
        params_of(choice, f"{path}: `$.strategies[{index}]")


def _check_venue(path: str, key: str, name: str) -> None:
    if name not in venues.available():
        raise ConfigError(f"{path}: `{key}`: no venue {name!r}; there are {venues.available()}")


def _check_url(path: str, key: str, url: str, *schemes: str) -> None:
    if not url.startswith(schemes):
        raise ConfigError(f"{path}: `{key}` must begin with {' or '.join(schemes)}, not {url!r}")


def params_of(choice: StrategyChoice, where: str = "`") -> msgspec.Struct:
    """Return the strategy's parameters, checked against its own declaration."""
    try:
        strategy = strategies.load(choice.name)
        return msgspec.convert(choice.params, strategy.params_type)
    except LookupError as error:
        raise ConfigError(f"{where}.name`: {error}") from error
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}.params`: {error}") from error


def credentials(config: Config) -> Credentials:
    """Return the key and secret from the environment or the secrets file.

    Raises
    ------
    ConfigError
        When there is none, or when others may read the file.
    """
    key, secret = os.environ.get(KEY_VARIABLE), os.environ.get(SECRET_VARIABLE)
    if key and secret:
        return Credentials(key, secret.encode())
    if config.secrets is None:
        raise ConfigError(
            f"no key: set {KEY_VARIABLE} and {SECRET_VARIABLE}, or name a file in `$.secrets.file`"
        )
    path = Path(config.secrets.file).expanduser()
    try:
        mode = path.stat().st_mode
        text = path.read_text()
    except OSError as error:
        raise ConfigError(f"`$.secrets.file`: cannot read {path}: {error.strerror}") from error
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigError(f"`$.secrets.file`: others may read {path}; chmod 600 {path}")
    pairs = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    if not pairs.get(KEY_VARIABLE) or not pairs.get(SECRET_VARIABLE):
        raise ConfigError(f"{path} must hold {KEY_VARIABLE}=... and {SECRET_VARIABLE}=...")
    return Credentials(pairs[KEY_VARIABLE].strip(), pairs[SECRET_VARIABLE].strip().encode())
