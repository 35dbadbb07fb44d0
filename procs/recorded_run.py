"""What a run on a recording takes from its configuration, and what from the recording.

The symbols are the recording's; sources, accounts and strategies are the configuration's, where
they are of the recorded venue.
"""

import math
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import msgspec

from procs.exchange.core.exchange_config import ExchangeConfigError
from procs.exchange.recordings.recording_lines import recording_in
from procs.exchange.recordings.recording_owner import owner_of
from procs.plan.config import Config, Limits, Source, StrategyChoice
from procs.plan.errors import ConfigError

#: The configurations of engine and exchange that a recording is run with where none is named.
USUAL = {
    "binance": (Path("configs/demo.toml"), Path("configs/exchange.toml")),
    "bybit": (Path("configs/demo_bybit.toml"), Path("configs/exchange_bybit.toml")),
}
#: What an order of a symbol without a strategy of its own is worth, in smallest orders.
SMALLEST_ORDERS = 20


class RecordedFacts(msgspec.Struct):
    """What the exchange says of a recorded symbol; numbers as texts."""

    dialect: str
    symbol: str
    tick_size: str
    lot_size: str
    notional_min: str
    price: str


class RecordedRun(NamedTuple):
    """The configuration of a run, and what is to be said of it."""

    config: Config
    remarks: list[str]


def usual_for(capture: Path) -> tuple[Path, Path]:
    """Return the configurations of engine and exchange for a recording.

    Raises
    ------
    ConfigError
        When the recording is of a venue that is not served, or there is none.
    """
    try:
        return USUAL[owner_of(recording_in(capture))]
    except ExchangeConfigError as error:
        raise ConfigError(str(error)) from error


def run_on(
    config: Config, recorded: Sequence[RecordedFacts], wanted: Sequence[str], *, is_usual: bool
) -> RecordedRun:
    """Return the configuration for a recording; ``wanted`` are the symbols to trade, or none.

    Without them those are traded that are recorded and have a strategy, or else the first one
    that is recorded.  A usual configuration takes any venue of the recording.

    Raises
    ------
    ConfigError
        When nothing of the recording is of a venue of the configuration, or a symbol is missing.
    """
    replace = msgspec.structs.replace
    source = _source(config, recorded, is_usual=is_usual)
    account = next((each for each in config.accounts if each.venue == source.venue), None)
    if account is None:
        account = replace(config.accounts[0], venue=source.venue)
    facts = {each.symbol: each for each in recorded if each.dialect == source.venue}
    missing = [symbol for symbol in wanted if symbol not in facts]
    if missing:
        names = ", ".join(facts)
        raise ConfigError(f"{', '.join(missing)}: not in the recording, which holds {names}")
    symbols = list(wanted) or [each for each in source.symbols if each in facts]
    symbols = symbols or list(facts)[:1]
    remarks = []
    if len(symbols) < len(facts):
        remarks.append(
            f"the recording holds {', '.join(facts)}; trades {', '.join(symbols)}: "
            "choose with SYMBOL="
        )
    choices = []
    for symbol in symbols:
        choice = _choice(config, source, symbol)
        if choice is None:
            choice = _sized(config, facts[symbol])
            remarks.append(
                f"{symbol}: the configuration has no strategy for it; takes {choice.known_as}, "
                f"with quantities that fit its lot of {facts[symbol].lot_size}"
            )
        choices.append(replace(choice, account=None, source=None))
    source = replace(source, symbols=symbols)
    return RecordedRun(
        replace(config, sources=[source], accounts=[account], strategies=choices), remarks
    )


def _source(config: Config, recorded: Sequence[RecordedFacts], *, is_usual: bool) -> Source:
    """Return the source of the configuration that the recording takes the place of."""
    venues = list(dict.fromkeys(each.dialect for each in recorded))
    for source in config.sources:
        if source.venue in venues:
            return source
    if is_usual:
        return msgspec.structs.replace(config.sources[0], venue=venues[0], symbols=[""])
    theirs = ", ".join(sorted({source.venue for source in config.sources}))
    raise ConfigError(
        f"the recording is of {', '.join(venues)}, and the configuration has sources of {theirs}"
    )


def _choice(config: Config, source: Source, symbol: str) -> StrategyChoice | None:
    """Return what the configuration has for a symbol of a source; None for nothing."""
    for choice in config.strategies:
        if choice.symbol == symbol and choice.source in (None, source.name):
            if symbol not in source.symbols:
                continue
            return msgspec.structs.replace(choice, limits=config.limits(choice))
    return None


def _sized(config: Config, facts: RecordedFacts) -> StrategyChoice:
    """Return the first strategy of the configuration, with quantities that fit a symbol."""
    template = config.strategies[0]
    price, lot = Decimal(facts.price), Decimal(facts.lot_size)
    value = SMALLEST_ORDERS * Decimal(facts.notional_min)
    qty_lots = max(1, math.ceil(value / (price * lot))) if price else 1
    qty = qty_lots * lot
    limits = Limits(
        order_qty=f"{2 * qty:f}",
        order_notional=f"{math.ceil(4 * qty * price)}",
        position_qty=f"{20 * qty:f}",
        price_band_bps=config.limits(template).price_band_bps,
    )
    params = dict(template.params)
    if template.name == "constant_spread":
        params |= {"qty_lots": qty_lots, "inventory_lots_max": 10 * qty_lots}
    return msgspec.structs.replace(
        template, symbol=facts.symbol, params=params, limits=limits, leans_on=[]
    )
