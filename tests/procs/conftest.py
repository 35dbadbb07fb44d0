"""Engines and exchanges for the tests of this folder; all are ended, whatever happens."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from engines import Engine, Exchange
from still import Still


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """An exchange with its simulated market, shared by all tests that do not end it."""
    running = Exchange(tmp_path_factory.mktemp("market"))
    yield running
    running.close()


@pytest.fixture
def new_engine(market: Exchange, tmp_path: Path) -> Iterator[Callable[..., Engine]]:
    """Return the function that configures an engine on the shared exchange."""
    engines = []

    def make(**tables: Any) -> Engine:
        engines.append(Engine.on(tmp_path, market, **tables))
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()


@pytest.fixture
def nowhere(tmp_path: Path) -> Engine:
    """Return an engine that is never started."""
    keys = {"VORTEX_API_KEY": "k", "VORTEX_API_SECRET": "s"}
    return Engine(tmp_path, "http://127.0.0.1:1", "ws://127.0.0.1:1", "ws://127.0.0.1:1", keys)


@pytest.fixture
def still(tmp_path: Path) -> Iterator[Still]:
    """Return the memory of a run in which no process runs."""
    run = Still(tmp_path)
    yield run
    run.close()
