"""What a run on a recording takes from its configuration, and what from the recording."""

from pathlib import Path

import msgspec
import pytest
from bybit_recordings import ScriptedRecording
from engines import ROOT

from procs import demo, recorded_run
from procs.plan import config as configuration
from procs.plan.config import Config
from procs.plan.errors import ConfigError
from procs.recorded_run import RecordedFacts, RecordedRun, run_on


def facts(
    dialect: str, *symbols: str, price: str = "0.0704", lot: str = "1"
) -> list[RecordedFacts]:
    """Return what the exchange says of recorded symbols."""
    return [RecordedFacts(dialect, symbol, "0.00001", lot, "5", price) for symbol in symbols]


def load(name: str) -> Config:
    """Return one of our configurations."""
    return configuration.load(ROOT / "configs" / f"{name}.toml")


def checked(run: RecordedRun) -> Config:
    """Return a configuration that is written and read again as the engine does."""
    configuration.check(run.config, "run")
    return msgspec.toml.decode(msgspec.toml.encode(run.config), type=Config)


def test_the_symbols_are_those_of_the_recording_that_have_a_strategy() -> None:
    run = run_on(load("demo"), facts("binance_spot", "DOGEUSDT", "ETHUSDT"), [], is_usual=True)
    config = checked(run)
    assert config.symbols == ["ETHUSDT"]
    assert config.choice("ETHUSDT").params == load("demo").choice("ETHUSDT").params
    assert "DOGEUSDT, ETHUSDT; trades ETHUSDT" in "".join(run.remarks)


def test_a_symbol_without_a_strategy_gets_quantities_that_fit_it() -> None:
    """Orders of twenty times the smallest value, with limits above that."""
    run = run_on(load("demo"), facts("binance_spot", "DOGEUSDT"), [], is_usual=True)
    choice = checked(run).choice("DOGEUSDT")
    assert choice.params["qty_lots"] == 1421  # 100 / 0.0704
    limits = choice.limits
    assert limits is not None
    assert (limits.order_qty, limits.position_qty, limits.order_notional) == (
        "2842",
        "28420",
        "401",
    )
    assert "no strategy for it; takes constant_spread" in run.remarks[0]


def test_symbols_can_be_chosen() -> None:
    recorded = facts("bybit_linear", "A", "B", "C")
    run = run_on(load("demo_bybit"), recorded, ["C", "A"], is_usual=False)
    assert checked(run).symbols == ["C", "A"]
    with pytest.raises(ConfigError, match="D, E: not in the recording, which holds A, B, C"):
        run_on(load("demo_bybit"), recorded, ["D", "A", "E"], is_usual=False)


def test_a_configuration_of_another_venue_is_refused_unless_it_is_the_usual_one() -> None:
    recorded = facts("bybit_spot", "BTCUSDT")
    with pytest.raises(ConfigError, match=r"is of bybit_spot, and .* has sources of bybit_linear"):
        run_on(load("demo_bybit"), recorded, [], is_usual=False)
    config = checked(run_on(load("demo_bybit"), recorded, [], is_usual=True))
    assert [source.venue for source in config.sources] == ["bybit_spot"]
    assert [account.venue for account in config.accounts] == ["bybit_spot"]


def test_of_several_sources_and_accounts_those_of_the_venue_are_left() -> None:
    recorded = facts("bybit_linear", "BTCUSDT", price="65000", lot="0.001")
    config = checked(run_on(load("demo_led_by"), recorded, [], is_usual=False))
    assert [source.name for source in config.sources] == ["bybit"]
    assert [account.name for account in config.accounts] == ["bybit"]
    assert config.limits(config.choice("BTCUSDT")).order_notional == "2000"


def test_what_is_usual_follows_from_the_recording(tmp_path: Path) -> None:
    recording = ScriptedRecording()
    path = recording.save(tmp_path / "a.jsonl")
    engine, exchange = recorded_run.usual_for(path)
    assert (engine.name, exchange.name) == ("demo_bybit.toml", "exchange_bybit.toml")
    with pytest.raises(ConfigError, match="it has: none"):
        recorded_run.usual_for(ROOT / "docs")


def test_a_run_without_an_order_is_a_fault() -> None:
    dropped = {"dropped": 2, "orders": 0, "fills": 0}
    said = ["2 records were dropped", "no order was placed in 5 s"]
    assert demo.verdict(dropped, 5, is_market=False) == said
    assert demo.verdict(dropped | {"dropped": 0, "orders": 1}, 5, is_market=False) == []
    assert len(demo.verdict(dropped | {"orders": 1}, 30, is_market=True)) == 3
