"""Every venue that keeps the contract has a fixture and does what the fixture says."""

import dataclasses
import inspect
from typing import Any

import pytest

from tests.conformance.venue_fixtures import (
    check_answers,
    check_market,
    check_requests,
    read_fixture,
)
from vortex import venues
from vortex.codes import Refusal
from vortex.venues import contract

MARKETS = [name for name in venues.available() if hasattr(venues.load(name), "MARKET")]
TRADED = [name for name in venues.available() if hasattr(venues.load(name), "ORDERS")]
of_markets = pytest.mark.parametrize("name", MARKETS)
of_traded = pytest.mark.parametrize("name", TRADED)
ORDER_PLUGS = {
    "encode_request": contract.ENCODE_REQUEST,
    "decode_answer": contract.DECODE_ANSWER,
    "encode_cancel_all": contract.ENCODE_CANCEL_ALL,
    "encode_order_status": contract.ENCODE_ORDER_STATUS,
}
MARKET_PLUGS = {
    "decode_market": contract.DECODE_MARKET,
    "decode_snapshot": contract.DECODE_SNAPSHOT,
}


def check_plug(function: Any, signature: Any) -> None:
    """Check that a compiled function takes what a stage gives it; None is a part left out."""
    if function is None:
        return
    plain = getattr(function, "py_func", function)
    assert len(inspect.signature(plain).parameters) == len(signature.args)
    if hasattr(function, "compile"):
        function.compile(signature)
        assert function.overloads[signature.args].signature == signature


def test_every_venue_has_market_data() -> None:
    assert venues.available() == MARKETS


@of_markets
def test_market_functions_fit_their_plugs(name: str) -> None:
    market = venues.market_of(name)
    assert market.decode_market is not None
    for plug, signature in MARKET_PLUGS.items():
        check_plug(getattr(market, plug), signature)
    has_snapshots = market.decode_snapshot is not None and market.snapshot_path is not None
    assert has_snapshots == (market.snapshots == contract.Snapshots.REST)


@of_traded
def test_order_functions_fit_their_plugs(name: str) -> None:
    orders = venues.orders_of(name)
    assert orders.encode_request is not None
    assert orders.decode_answer is not None
    for plug, signature in ORDER_PLUGS.items():
        check_plug(getattr(orders, plug), signature)


@of_markets
def test_market_data(name: str) -> None:
    check_market(name, venues.market_of(name))


@of_traded
def test_requests(name: str) -> None:
    check_requests(name, venues.market_of(name), venues.orders_of(name))


@of_traded
def test_answers(name: str) -> None:
    check_answers(name, venues.market_of(name), venues.orders_of(name))


@of_markets
def test_a_gap_is_in_the_numbers(name: str) -> None:
    heads = [step["records"][0] for step in read_fixture(name, "market")["gap"]]
    assert heads[-1]["first_update_id"] > heads[-2]["last_update_id"] + 1


@of_markets
def test_where_snapshots_are_pushed_one_begins_to_count_again(name: str) -> None:
    if venues.market_of(name).snapshots == contract.Snapshots.REST:
        assert "snapshot" in read_fixture(name, "market")
        return
    heads = [step["records"][0] for step in read_fixture(name, "market")["reset"]]
    assert min(head["last_update_id"] for head in heads[1:]) < heads[0]["last_update_id"]


@of_markets
def test_market_data_of_stubs_fails(name: str) -> None:
    idle = dataclasses.replace(
        venues.market_of(name), decode_market=lambda *_: int(Refusal.IGNORED)
    )
    with pytest.raises(AssertionError):
        check_market(name, idle)


@of_traded
def test_order_entry_of_stubs_fails(name: str) -> None:
    market = venues.market_of(name)
    mute = dataclasses.replace(
        venues.orders_of(name),
        encode_request=lambda *_: 0,
        decode_answer=lambda *_: int(Refusal.NOT_KNOWN),
    )
    with pytest.raises(AssertionError):
        check_requests(name, market, mute)
    with pytest.raises(AssertionError):
        check_answers(name, market, mute)


@of_markets
def test_it_says_what_it_is_for_and_where_that_is_documented(name: str) -> None:
    assert "*Source:*" in (venues.load(name).__doc__ or "")
