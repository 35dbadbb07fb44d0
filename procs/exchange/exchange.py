"""The exchange put together, without its sockets: dialects, markets, and the report."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from procs.exchange.binance.binance_dialect import BinanceDialect
from procs.exchange.binance.recordings import capture_file
from procs.exchange.bybit.bybit_dialect import BybitDialect
from procs.exchange.bybit.recordings import recorded_messages
from procs.exchange.core.exchange_config import ExchangeConfig, ExchangeConfigError
from procs.exchange.dialect import Dialect, Player
from procs.exchange.markets.simulated import SimulatedMarket
from procs.exchange.recordings.first_look import FirstLook
from procs.exchange.recordings.recorded_rows import RecordedSymbols, find_rows
from procs.exchange.recordings.recording_lines import recording_in
from procs.exchange.recordings.recording_owner import owner_of

#: The dialects by the names of the venues.
DIALECTS: dict[str, Callable[[ExchangeConfig, Sequence[tuple[str, str]]], Dialect]] = {
    "binance": BinanceDialect,
    "bybit": BybitDialect,
}

#: How a recording of each is looked at.
LOOKS: dict[str, Callable[[Path], FirstLook]] = {
    "binance": capture_file.look_at,
    "bybit": recorded_messages.look_at,
}


def look_at_recording(
    path: Path, config: ExchangeConfig, reference: Path | None = None
) -> RecordedSymbols:
    """Look at a recording, or at the only one of a folder; return the symbols that are served.

    Raises
    ------
    ExchangeConfigError
        When the recording is of a venue that is not served, or holds nothing that is.
    """
    path = recording_in(path)
    look = LOOKS[owner_of(path)](path)
    return find_rows(path, look, config, reference)


class Exchange:
    """The venues without their sockets: can be stepped in market time by a test.

    ``keys`` are the accounts' names and secrets; each opens an account at each venue, and all
    accounts begin with the same balances.
    """

    def __init__(self, config: ExchangeConfig, keys: Sequence[tuple[str, str]]) -> None:
        self.config = config
        self.dialects = {
            family: make(config, keys) for family, make in DIALECTS.items() if config.rows(family)
        }
        if not self.dialects:
            raise ExchangeConfigError("symbols: name at least one")
        self.simulated: list[SimulatedMarket] = []
        self.speed = 1.0
        self.player: Player | None = None
        self.recorded: RecordedSymbols | None = None

    def open_simulated(self, life: int = 0, speed: float = 1.0) -> None:
        """Open every configured symbol as a simulated market.

        ``life`` is how often the exchange was started before: its ids only grow.  At a ``speed`` of
        10 ten seconds of the market happen in one.
        """
        self.speed = speed
        markets: dict[str, SimulatedMarket] = {}
        for family, dialect in self.dialects.items():
            for row in self.config.rows(family):
                name = f"{row.dialect}:{row.symbol}"
                if name in markets:
                    raise ExchangeConfigError(f"symbols: {name} is there twice")
                markets[name] = dialect.open_market(row, life)
        for name, market in markets.items():
            leader = market.instrument.config.follows
            if leader and leader not in markets:
                raise ExchangeConfigError(f"{name} follows {leader}, which is not there")
            if leader:
                market.follow(markets[leader])
        self.simulated = list(markets.values())

    def open_recording(self, recorded: RecordedSymbols, speed: float) -> None:
        """Open the symbols of a recording instead; ``speed`` 0 is as fast as sockets take it.

        The exchange's configuration names them: see ``recorded_rows.configured``.
        """
        self.recorded = recorded
        (dialect,) = self.dialects.values()
        self.player = dialect.open_recording(recorded, speed)

    def ready(self) -> dict[str, Any]:
        """Return what is said of a recording when the exchange listens; nothing without one."""
        return {} if self.recorded is None else {"recorded": self.recorded.facts()}

    def step(self, now_ns: int) -> None:
        """Let one millisecond pass on every simulated market; frames count as of ``now_ns``."""
        for dialect in self.dialects.values():
            dialect.venue.step_count += 1
        for market in self.simulated:
            market.step()
        for dialect in self.dialects.values():
            dialect.flush(now_ns)

    def report(self) -> dict[str, Any]:
        """Return what happened so far, with every fill and open order of the first account.

        Binance's report is at the top, that of each other venue under its name.
        """
        report: dict[str, Any] = {}
        for family, dialect in self.dialects.items():
            rows = {**dialect.status(), **dialect.rows()}
            report |= rows if family == "binance" else {family: rows}
        return report
