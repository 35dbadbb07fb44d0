"""The configuration file: TOML, read by msgspec; everything is checked before anything starts.

It holds no secrets.  They come from the environment or from the file that an account names in
``secrets`` (``procs/plan/credentials.py``).
"""

import tomllib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self

import msgspec
from msgspec import Meta

from ipc.types import RecordArray
from procs.plan import strategy_files
from procs.plan.errors import ConfigError
from vortex import venues
from vortex.deciding.contract import Strategy


def says(description: str) -> Meta:
    """Describe a key; docs/configuration.md prints it."""
    return Meta(description=description)


Name = Annotated[str, Meta(pattern="^[a-z][a-z0-9_-]{0,23}$")]
StrategyName = Annotated[str, Meta(pattern="^[a-z][a-z0-9_]*$")]
PositiveInt = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=0)]
PowerOfTwoBits = Annotated[int, Meta(ge=6, le=24)]


class Strict(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """A table of the file: unknown keys are refused."""


class Source(Strict, frozen=True, kw_only=True, omit_defaults=True):
    """One connection to market data: one ingest process."""

    name: Annotated[Name, says("its stage is ingest, or ingest-NAME where there are several")] = (
        "main"
    )
    venue: Annotated[str, says("a folder of vortex/venues")] = "binance_spot"
    rest_url: Annotated[str, says("where snapshots and instruments come from: http(s)://")]
    stream_url: Annotated[str, says("where the streams are: ws(s)://, without a path")]
    symbols: Annotated[list[str], Meta(min_length=1), says("as the venue writes them")]


class SourceSymbol(NamedTuple):
    """What an instrument is known by: the name of its source, and the venue's symbol."""

    source: str
    symbol: str


class Limits(Strict, frozen=True, kw_only=True, omit_defaults=True):
    """What the gateway enforces for one symbol; money in the quote asset, sizes in the base."""

    order_qty: Annotated[str, says("largest order")]
    order_notional: Annotated[str, says("largest price times quantity of an order")]
    position_qty: Annotated[str, says("largest position, long or short, all open orders filled")]
    price_band_bps: Annotated[PositiveInt, says("how far from the mid a price may be")] = 200
    open_orders: Annotated[PositiveInt, says("orders that are open or may be open")] = 8
    decision_age_ms: Annotated[
        PositiveInt, says("an order whose newest frame is older is refused")
    ] = 250
    touch_age_ms: Annotated[
        Count, says("an order is refused while the touch is older; 0: a touch does not age")
    ] = 0


class AccountConfig(Strict, frozen=True, kw_only=True, omit_defaults=True):
    """One account at a venue, where orders go: one gateway process."""

    name: Annotated[Name, says("its stage is gateway, or gateway-NAME where there are several")] = (
        "main"
    )
    venue: Annotated[str, says("a file of vortex/venues")] = "binance_spot"
    order_url: Annotated[str, says("where orders are sent: ws(s)://, with its path")]
    private_url: Annotated[
        str | None, says("where the account's own stream is, if not there: ws(s)://, with its path")
    ] = None
    rest_url: Annotated[str, says("where the account is asked for: http(s)://")]
    secrets: Annotated[
        str | None,
        says(
            "the file of its key, if that is not in the environment: NAME=VALUE, line by line, a "
            "PEM whole; mode 600"
        ),
    ] = None
    recv_window_ms: Annotated[
        int, Meta(ge=1, le=60_000), says("a request that reaches the venue later is refused there")
    ] = 5_000
    orders_per_10s: Annotated[
        PositiveInt, says("orders placed in ten seconds at most; keep it below the venue's own")
    ] = 80
    answer_timeout_ms: Annotated[
        PositiveInt, says("an order not answered so long is unknown, and asked for")
    ] = 1_000
    limits: Annotated[
        Limits | None, says("of each of its symbols whose strategy names none of its own")
    ] = None


class Quoting(Strict, frozen=True, kw_only=True, omit_defaults=True):
    """How eagerly quotes follow what the strategy wants."""

    reprice_ticks: Annotated[PositiveInt, says("smallest change of price worth a request")] = 1
    reject_pause_ms: Annotated[Count, says("how long a quote rests after a refusal")] = 20


class StrategyChoice(Strict, frozen=True, kw_only=True, omit_defaults=True):
    """Which strategy quotes a symbol, by name or by file, with its parameters."""

    symbol: Annotated[str, says("one of a source's")]
    source: Annotated[str | None, says("its source, where several have the symbol")] = None
    name: Annotated[StrategyName | None, says("a file of vortex/strategies")] = None
    file: Annotated[str | None, says("a strategy file of your own, in place of `name`")] = None
    params: Annotated[dict[str, int | float | str], says("the strategy's own `Params`")] = {}
    leans_on: Annotated[
        list[str],
        says("other instruments, `SOURCE:SYMBOL`; a new top of one has this symbol decided too"),
    ] = []
    account: Annotated[str | None, says("the account that trades the symbol; the only one")] = None
    limits: Annotated[Limits | None, says("those of the account where left out")] = None

    @property
    def known_as(self) -> str:
        """What ``strategy_files`` knows the strategy by: its name or its file's path."""
        return self.file or self.name or ""


class RingSizes(Strict, frozen=True, kw_only=True, omit_defaults=True):
    """Sizes of the rings, as powers of two, and what happens when one is full."""

    market_bits: Annotated[PowerOfTwoBits, says("records from each ingest to the book")] = 14
    tops_bits: Annotated[PowerOfTwoBits, says("records from the book to the strategy")] = 12
    requests_bits: Annotated[PowerOfTwoBits, says("records from the strategy to the gateway")] = 10
    events_bits: Annotated[PowerOfTwoBits, says("records from the gateway to the strategy")] = 12
    steps_bits: Annotated[PowerOfTwoBits, says("steps that each stage keeps for a replay")] = 12
    stall_ms: Annotated[
        PositiveInt, says("drop the backlog when the book has not read for this long")
    ] = 100


class Books(Strict, frozen=True, kw_only=True, omit_defaults=True):
    """Sizes of the books."""

    levels: Annotated[int, Meta(ge=64, le=1_000_000), says("kept of each side")] = 8_192
    pending_records: Annotated[
        int, Meta(ge=64, le=1_000_000), says("what may wait for a snapshot")
    ] = 8_192
    snapshot_levels: Annotated[
        int, Meta(ge=5, le=5_000), says("how deep a snapshot is asked for")
    ] = 1_000
    shown_levels: Annotated[
        int, Meta(ge=0, le=100), says("levels of each side that strategies see; 0: only the touch")
    ] = 0
    refresh_s: Annotated[
        Count, says("a fresh snapshot so often, for levels beyond the last; 0: never")
    ] = 600


class Placement(Strict, frozen=True, kw_only=True, omit_defaults=True):
    """CPUs, worked out from the machine where left out, and which stages share a process."""

    engine_cpus: Annotated[list[Count] | None, says("for the stages, in the order of a tick")] = (
        None
    )
    housekeeping_cpus: Annotated[list[Count] | None, says("for all else")] = None
    wait: Annotated[
        Literal["auto", "spin", "yield", "park"],
        says("how a hot loop waits; `auto`: spin on a CPU of its own, else yield"),
    ] = "auto"
    scheduler: Annotated[
        Literal["auto", "fair", "fifo"], says("`fifo`: SCHED_FIFO; `auto`: where it may be had")
    ] = "auto"
    together: Annotated[
        list[Annotated[list[str], Meta(min_length=2)]], says("stages that share one process")
    ] = []


class Connections(Strict, frozen=True, kw_only=True, omit_defaults=True):
    """How long a connection may be silent, and how long one is used."""

    ping_after_s: Annotated[PositiveInt, says("silence after which it is pinged")] = 10
    dead_after_s: Annotated[PositiveInt, says("silence after which it is given up")] = 20
    first_message_s: Annotated[
        PositiveInt, says("subscribe again to a symbol that has sent nothing for this long")
    ] = 30
    renew_after_s: Annotated[
        PositiveInt, says("age at which a successor is opened, before the venue ends it")
    ] = 82_800


class Liveness(Strict, frozen=True, kw_only=True, omit_defaults=True):
    """When silence is taken for death."""

    lease_ms: Annotated[
        PositiveInt, says("quotes are pulled when a stage's heartbeat is older")
    ] = 1_000
    start_timeout_s: Annotated[PositiveInt, says("a start that is not ready by then fails")] = 30
    stop_timeout_s: Annotated[PositiveInt, says("how long a stop waits until no order is open")] = (
        10
    )
    deaths_per_minute: Annotated[
        PositiveInt, says("a stage that dies more often is not started again")
    ] = 6


class LatencyConfig(Strict, frozen=True, kw_only=True, omit_defaults=True):
    """What is slow: an order over budget, tick to order, is kept with what held it up."""

    budget_us: Annotated[PositiveInt, says("tick to order")] = 200


class Logs(Strict, frozen=True, kw_only=True, omit_defaults=True):
    """How many log files of the hot loops are kept, and the size of each."""

    file_mb: Annotated[int, Meta(ge=1, le=1_024), says("size of a file")] = 8
    file_count: Annotated[int, Meta(ge=2, le=100), says("files kept, the oldest goes")] = 4


class RecordConfig(Strict, frozen=True, kw_only=True, omit_defaults=True):
    """What a run records of itself, so that it can be repeated."""

    intake_mb: Annotated[
        int,
        Meta(ge=0, le=65_536),
        says("for each stage, a file of all that it took, for `vortexctl rerun`; 0 for none"),
    ] = 0


class Tls(Strict, frozen=True, kw_only=True, omit_defaults=True):
    """Whom to trust: the system's certificate authorities, or those in a file."""

    ca_file: Annotated[str | None, says("PEM, of the authorities to trust instead")] = None


class Config(Strict, frozen=True, kw_only=True, omit_defaults=True):
    """The whole file."""

    instance: Annotated[Name, says("what commands know the run by (`-n`)")] = "vortex"
    runs_folder: Annotated[str, says("where each run has its folder")] = "runs"
    sources: Annotated[list[Source], Meta(min_length=1, max_length=16)]
    accounts: Annotated[list[AccountConfig], Meta(min_length=1, max_length=7)]
    strategies: Annotated[list[StrategyChoice], Meta(min_length=1), says("one for each symbol")]
    quoting: Quoting = Quoting()
    rings: RingSizes = RingSizes()
    books: Books = Books()
    placement: Placement = Placement()
    connections: Connections = Connections()
    liveness: Liveness = Liveness()
    latency: LatencyConfig = LatencyConfig()
    logs: Logs = Logs()
    record: RecordConfig = RecordConfig()
    tls: Tls = Tls()

    @property
    def source_symbols(self) -> list[SourceSymbol]:
        """Source and symbol of all instruments, in the order of their ids."""
        return [SourceSymbol(each.name, symbol) for each in self.sources for symbol in each.symbols]

    @property
    def symbols(self) -> list[str]:
        """What all instruments are called, in the order of their ids, each by another name.

        That is the venue's symbol, and ``source:symbol`` where several sources have it.
        """
        found = self.source_symbols
        counts = Counter(each.symbol for each in found)
        return [
            each.symbol if counts[each.symbol] == 1 else f"{each.source}:{each.symbol}"
            for each in found
        ]

    def instrument_ids(self, choice: StrategyChoice) -> list[int]:
        """Return the instruments that a choice may mean: one, once ``check`` took it."""
        return [
            index
            for index, each in enumerate(self.source_symbols)
            if each.symbol == choice.symbol and choice.source in (None, each.source)
        ]

    def choice(self, name: str) -> StrategyChoice:
        """Return what is configured for one instrument, by its name in ``symbols``."""
        index = self.symbols.index(name)
        return next(each for each in self.strategies if index in self.instrument_ids(each))

    def account(self, choice: StrategyChoice) -> AccountConfig:
        """Return the account that trades the symbol of a choice."""
        if choice.account is None:
            return self.accounts[0]
        return next(account for account in self.accounts if account.name == choice.account)

    def limits(self, choice: StrategyChoice) -> Limits:
        """Return the limits of a choice: its own, or its account's."""
        limits = choice.limits or self.account(choice).limits
        assert limits is not None, "check refuses a choice without limits"
        return limits

    @property
    def account_ids(self) -> list[int]:
        """The account of each instrument, by its place in ``accounts``."""
        names = [account.name for account in self.accounts]
        choices = [self.choice(symbol) for symbol in self.symbols]
        return [names.index(self.account(choice).name) for choice in choices]

    @property
    def venues(self) -> list[str]:
        """Every venue that the run speaks to, once."""
        names = {source.venue for source in self.sources}
        return sorted(names | {account.venue for account in self.accounts})

    @property
    def choices(self) -> list[StrategyChoice]:
        """What is configured for each instrument, in the order of their ids."""
        return [self.choice(symbol) for symbol in self.symbols]

    @property
    def strategy_sources(self) -> list[str]:
        """Every strategy of the run once, as ``strategy_files`` knows it."""
        return list(dict.fromkeys(choice.known_as for choice in self.choices))

    def strategy(self, source: str) -> Strategy:
        """Return one of them, loaded."""
        return strategy_files.load(source)

    def instruments_of(self, source: str) -> list[int]:
        """Return the ids of the instruments that one strategy quotes."""
        return [index for index, choice in enumerate(self.choices) if choice.known_as == source]

    def instrument_id(self, name: str) -> int:
        """Return the id of an instrument: ``SOURCE:SYMBOL``, or the symbol where one source has it.

        Raises
        ------
        LookupError
            When there is none, or more than one.
        """
        known = [f"{each.source}:{each.symbol}" for each in self.source_symbols]
        found = [
            index for index, full in enumerate(known) if name in (full, full.partition(":")[2])
        ]
        if len(found) != 1:
            count = "no" if not found else "more than one"
            raise LookupError(f"{count} instrument {name!r}; there are {', '.join(known)}")
        return found[0]

    def leaders(self, instrument_id: int) -> list[int]:
        """Return the ids of the instruments on which one leans."""
        return [self.instrument_id(name) for name in self.choices[instrument_id].leans_on]

    def params_record(self, instrument_id: int) -> RecordArray:
        """Return the parameters of the strategy of one instrument."""
        choice = self.choices[instrument_id]
        return self.strategy(choice.known_as).params_record(params_of(choice), self.instrument_id)

    def with_strategy_files(self, place: Callable[[str], str]) -> Self:
        """Return the configuration with each strategy's file where ``place`` says."""
        choices = [
            msgspec.structs.replace(choice, file=place(choice.file)) if choice.file else choice
            for choice in self.strategies
        ]
        return msgspec.structs.replace(self, strategies=choices)


def load(path: Path) -> Config:
    """Read and check the file; paths in it are relative to its folder.

    Raises
    ------
    ConfigError
        Naming the key's path, the value found and the value expected.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    try:
        tables = tomllib.loads(text)
        _refuse_former_tables(tables, path)
        config = msgspec.convert(tables, Config)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}") from error

    def beside(file: str) -> str:
        return str(path.parent.resolve() / Path(file).expanduser())

    config = config.with_strategy_files(beside)
    accounts = [
        msgspec.structs.replace(account, secrets=beside(account.secrets))
        if account.secrets
        else account
        for account in config.accounts
    ]
    config = msgspec.structs.replace(config, accounts=accounts)
    if config.tls.ca_file is not None:
        tls = Tls(ca_file=beside(config.tls.ca_file))
        config = msgspec.structs.replace(config, tls=tls)
    check(config, str(path))
    return config


#: Tables of a former version, and what is written now.
FORMER_TABLES = {
    "orders": "write [[accounts]] instead: the same keys, and `name` where there are several",
    "secrets": "write `secrets` instead, the name of the file, in [[accounts]]",
}


def _refuse_former_tables(tables: dict[str, object], path: Path) -> None:
    for name, advice in FORMER_TABLES.items():
        if name in tables:
            raise ConfigError(f"{path}: there is no table [{name}] any more; {advice}")


def check(config: Config, path: str) -> None:
    """Check what the types cannot say."""
    if len({source.name for source in config.sources}) != len(config.sources):
        raise ConfigError(f"{path}: two `$.sources` have the same name")
    for index, source in enumerate(config.sources):
        for symbol, count in Counter(source.symbols).items():
            if count > 1:
                raise ConfigError(f"{path}: {symbol} is twice in `$.sources[{index}].symbols`")
    _check_choices(config, path)
    for index, choice in enumerate(config.strategies):
        if (choice.name is None) == (choice.file is None):
            raise ConfigError(f"{path}: `$.strategies[{index}]` needs one of `name` and `file`")
    for index, source in enumerate(config.sources):
        _check_venue(path, f"$.sources[{index}].venue", source.venue)
        _check_url(path, f"$.sources[{index}].stream_url", source.stream_url, "ws://", "wss://")
        _check_url(path, f"$.sources[{index}].rest_url", source.rest_url, "http://", "https://")
    _check_accounts(config, path)
    if config.tls.ca_file is not None and not Path(config.tls.ca_file).is_file():
        raise ConfigError(f"{path}: `$.tls.ca_file`: there is no file {config.tls.ca_file}")
    if config.connections.ping_after_s >= config.connections.dead_after_s:
        raise ConfigError(f"{path}: `$.connections.dead_after_s` must be more than ping_after_s")
    for index, choice in enumerate(config.strategies):
        _check_choice(config, choice, f"{path}: `$.strategies[{index}]")


def _check_choice(config: Config, choice: StrategyChoice, where: str) -> None:
    """Check the parameters of one symbol's strategy, and the instruments that it names."""
    params = params_of(choice, where)
    try:
        for name in choice.leans_on:
            if config.choices[config.instrument_id(name)] is choice:
                raise ConfigError(f"{where}.leans_on`: {name!r} is the symbol itself")
    except LookupError as error:
        raise ConfigError(f"{where}.leans_on`: {error}") from error
    try:
        config.strategy(choice.known_as).params_record(params, config.instrument_id)
    except LookupError as error:
        raise ConfigError(f"{where}.params`: {error}") from error


def _check_accounts(config: Config, path: str) -> None:
    names = [account.name for account in config.accounts]
    if len({name.replace("-", "_") for name in names}) != len(names):  # also as variables
        raise ConfigError(f"{path}: two `$.accounts` have the same name")
    for index, account in enumerate(config.accounts):
        key = f"$.accounts[{index}]"
        _check_venue(path, f"{key}.venue", account.venue)
        _check_url(path, f"{key}.order_url", account.order_url, "ws://", "wss://")
        _check_url(path, f"{key}.rest_url", account.rest_url, "http://", "https://")
        if account.private_url is not None:
            _check_url(path, f"{key}.private_url", account.private_url, "ws://", "wss://")
    for index, choice in enumerate(config.strategies):
        key = f"`$.strategies[{index}]"
        if choice.account is None and len(names) > 1:
            raise ConfigError(
                f"{path}: {key}.account` must say which account trades {choice.symbol}: "
                f"{', '.join(names)}"
            )
        if choice.account not in (None, *names):
            raise ConfigError(
                f"{path}: {key}.account`: no account {choice.account!r}; "
                f"there are {', '.join(names)}"
            )
        if choice.limits is None and config.account(choice).limits is None:
            raise ConfigError(
                f"{path}: {key}.limits` is missing, and the account {config.account(choice).name} "
                "has no limits for its symbols either"
            )
    for index, name in enumerate(names):
        owned = [
            s for s, i in zip(config.source_symbols, config.account_ids, strict=True) if i == index
        ]
        for symbol, count in Counter(each.symbol for each in owned).items():
            if count > 1:
                raise ConfigError(
                    f"{path}: `$.accounts[{index}]`: {name} trades {symbol} of "
                    f"{' and '.join(s.source for s in owned if s.symbol == symbol)}; "
                    "an account trades a symbol of one source"
                )
        if index not in config.account_ids:
            raise ConfigError(
                f"{path}: `$.accounts[{index}]`: no strategy trades on the account {name}; "
                "name it in one, or leave it out"
            )


def _check_choices(config: Config, path: str) -> None:
    """Check that each instrument is named by one strategy, and that it is plain which one."""
    chosen: list[int] = []
    for index, choice in enumerate(config.strategies):
        found = config.instrument_ids(choice)
        if len(found) > 1:
            sources = [config.source_symbols[each].source for each in found]
            keys = [f'source = "{source}"' for source in sources]
            raise ConfigError(
                f"{path}: `$.strategies[{index}].symbol`: {choice.symbol} is a symbol of "
                f"{' and '.join(sources)}; write "
                f"{' or '.join(keys)}"
            )
        chosen += found
        if not found and choice.source is not None:
            raise ConfigError(
                f"{path}: `$.strategies[{index}].source`: no source {choice.source!r} has "
                f"{choice.symbol}"
            )
    if sorted(chosen) != list(range(len(config.symbols))) or len(chosen) != len(config.strategies):
        named = [choice.symbol for choice in config.strategies]
        raise ConfigError(
            f"{path}: `$.strategies` must name each symbol of `$.sources` once: "
            f"{', '.join(config.symbols)}; it names {', '.join(named)}"
        )


def _check_venue(path: str, key: str, name: str) -> None:
    if name not in venues.available():
        raise ConfigError(f"{path}: `{key}`: no venue {name!r}; there are {venues.available()}")


def _check_url(path: str, key: str, url: str, *schemes: str) -> None:
    if not url.startswith(schemes):
        raise ConfigError(f"{path}: `{key}` must begin with {' or '.join(schemes)}, not {url!r}")


def params_of(choice: StrategyChoice, where: str = "`") -> msgspec.Struct:
    """Return the strategy's parameters, checked against its own declaration."""
    key = "file" if choice.file else "name"
    try:
        strategy = strategy_files.load(choice.known_as)
        return msgspec.convert(choice.params, strategy.params_type)
    except LookupError as error:
        raise ConfigError(f"{where}.{key}`: {error}") from error
    except OSError as error:
        raise ConfigError(f"{where}.file`: cannot read {choice.file}: {error.strerror}") from error
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}.params`: {error}") from error
