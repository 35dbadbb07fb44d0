"""Every venue keeps the contract, has a fixture, and does what the fixture says.

Venues are found by themselves; ``tests/conformance/venue_fixtures.py`` says what a fixture is.
"""

import dataclasses
import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.conformance import venue_fixtures
from tests.conformance.venue_fixtures import (
    FOLDER,
    check_account,
    check_answers,
    check_market,
    check_numbers,
    check_parts,
    check_requests,
)
from vortex import venues
from vortex.venues import contract

NAMES = venues.available()
MARKETS = [name for name in NAMES if hasattr(venues.load(name), "MARKET")]
ORDERS = [name for name in NAMES if hasattr(venues.load(name), "ORDERS")]
ACCOUNTS = [name for name in NAMES if hasattr(venues.load(name), "ACCOUNT")]
PLUGS = {
    "decode_market": contract.DECODE_MARKET,
    "decode_snapshot": contract.DECODE_SNAPSHOT,
    "encode_request": contract.ENCODE_REQUEST,
    "encode_cancel_all": contract.ENCODE_CANCEL_ALL,
    "encode_order_status": contract.ENCODE_ORDER_STATUS,
    "decode_answer": contract.DECODE_ANSWER,
}


def plugs_of(name: str) -> dict[str, Any]:
    """Return the compiled functions that a venue has."""
    module = venues.load(name)
    parts = [getattr(module, part, None) for part in ("MARKET", "ORDERS")]
    found = {plug: getattr(part, plug) for part in parts for plug in PLUGS if hasattr(part, plug)}
    return {plug: function for plug, function in found.items() if function is not None}


PLUGGED = [(name, plug) for name in NAMES for plug in plugs_of(name)]


def test_there_are_venues_and_each_has_a_fixture() -> None:
    assert {"binance_spot", "binance_spot_sbe"} <= set(MARKETS)
    assert sorted(path.name for path in FOLDER.iterdir()) == NAMES


@pytest.mark.parametrize(("name", "plug"), PLUGGED)
def test_each_compiled_function_fits_its_plug(name: str, plug: str) -> None:
    function = plugs_of(name)[plug]
    plain = getattr(function, "py_func", function)
    assert len(inspect.signature(plain).parameters) == len(PLUGS[plug].args)
    if hasattr(function, "compile"):
        function.compile(PLUGS[plug])
        assert function.overloads[PLUGS[plug].args].signature == PLUGS[plug]


@pytest.mark.parametrize("name", NAMES)
def test_its_parts_are_there(name: str) -> None:
    check_parts(venues.load(name))


@pytest.mark.parametrize("name", MARKETS)
def test_market_data(name: str) -> None:
    check_market(name, venues.market_of(name))


@pytest.mark.parametrize("name", MARKETS)
def test_numbers_that_begin_again_and_a_gap(name: str) -> None:
    check_numbers(name, venues.market_of(name))


@pytest.mark.parametrize("name", ORDERS)
def test_requests(name: str) -> None:
    check_requests(name, venues.market_of(name), venues.orders_of(name))


@pytest.mark.parametrize("name", ORDERS)
def test_answers(name: str) -> None:
    check_answers(name, venues.market_of(name), venues.orders_of(name))


@pytest.mark.parametrize("name", ACCOUNTS)
def test_account(name: str) -> None:
    check_account(name, venues.account_of(name))


def test_an_unknown_venue_is_named_together_with_those_that_exist() -> None:
    for name in NAMES:
        with pytest.raises(ValueError, match=name):
            venues.load("nowhere")


#: A venue whose functions are all there and do nothing.
NOTHING = '''"""Nothing at all.

*Source:* none.
"""
from vortex.venues.contract import Chain, MarketData, Snapshots

MARKET = MarketData(
    decode_market=lambda *_: -8,
    stream_path=None,
    instruments_path=None,
    next_instruments_path=None,
    read_instruments=None,
    snapshots=Snapshots.REST,
    chain=Chain.FIRST_ID,
    decode_snapshot=lambda *_: -8,
    snapshot_path=None,
)
'''


@pytest.fixture
def nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Yield a venue of stubs in a package of its own; its fixture is an honest venue's."""
    package = tmp_path / "stub_venues"
    (package / "nothing").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "nothing" / "__init__.py").write_text(NOTHING)
    monkeypatch.syspath_prepend(str(tmp_path))
    fixtures = tmp_path / "fixtures"
    fixtures.mkdir()
    (fixtures / "nothing").symlink_to(FOLDER / "binance_spot")
    monkeypatch.setattr(venue_fixtures, "FOLDER", fixtures)
    yield importlib.import_module("stub_venues.nothing")
    for name in ("stub_venues.nothing", "stub_venues"):
        sys.modules.pop(name, None)


def test_a_venue_of_stubs_fails_each_check(nothing: ModuleType) -> None:
    honest = venues.market_of("binance_spot")
    check_market("nothing", honest)  # so it is the stubs that fail, not their fixture
    check_numbers("nothing", honest)
    with pytest.raises(AssertionError):
        check_parts(nothing)
    # Whatever else were true of it, its decoders do nothing.
    deaf = dataclasses.replace(honest, decode_market=nothing.MARKET.decode_market)
    blank = dataclasses.replace(honest, decode_snapshot=nothing.MARKET.decode_snapshot)
    for market in (deaf, blank):
        with pytest.raises(AssertionError):
            check_market("nothing", market)
        with pytest.raises(AssertionError):
            check_numbers("nothing", market)


def test_a_venue_without_a_fixture_fails(nothing: ModuleType) -> None:
    with pytest.raises(FileNotFoundError):
        check_market("nowhere", nothing.MARKET)


@pytest.mark.parametrize("name", ORDERS)
def test_order_entry_of_stubs_fails(name: str) -> None:
    market, orders = venues.market_of(name), venues.orders_of(name)
    mute = dataclasses.replace(orders, encode_request=lambda *_: 0, decode_answer=lambda *_: -8)
    with pytest.raises(AssertionError):
        check_requests(name, market, mute)
    with pytest.raises(AssertionError):
        check_answers(name, market, mute)


@pytest.mark.parametrize("name", ACCOUNTS)
def test_an_account_of_stubs_fails(name: str) -> None:
    account = venues.account_of(name)
    deaf = dataclasses.replace(account, read_open_orders=lambda _: [])
    mute = dataclasses.replace(
        account, cancel_all=lambda *_: contract.Ask(account.time().transport)
    )
    for stub in (deaf, mute):
        with pytest.raises(AssertionError):
            check_account(name, stub)
