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

NAMES = [name for name in venues.available() if hasattr(venues.load(name), "MARKET")]
PLUGS = {
    "decode_market": contract.DECODE_MARKET,
    "encode_request": contract.ENCODE_REQUEST,
    "decode_answer": contract.DECODE_ANSWER,
}

pytestmark = pytest.mark.parametrize("name", NAMES)


@pytest.mark.parametrize("plug", PLUGS)
def test_each_compiled_function_fits_its_plug(name: str, plug: str) -> None:
    part: Any = venues.market_of(name) if plug == "decode_market" else venues.orders_of(name)
    function = getattr(part, plug)
    plain = getattr(function, "py_func", function)
    assert len(inspect.signature(plain).parameters) == len(PLUGS[plug].args)
    if hasattr(function, "compile"):
        function.compile(PLUGS[plug])
        assert function.overloads[PLUGS[plug].args].signature == PLUGS[plug]


def test_market_data(name: str) -> None:
    check_market(name, venues.market_of(name))


def test_requests(name: str) -> None:
    check_requests(name, venues.market_of(name), venues.orders_of(name))


def test_answers(name: str) -> None:
    check_answers(name, venues.market_of(name), venues.orders_of(name))


def test_a_reset_and_a_gap_are_in_the_numbers(name: str) -> None:
    scenes = read_fixture(name, "market")
    heads = [step["records"][0] for step in scenes["reset"]]
    assert min(head["last_update_id"] for head in heads[1:]) < heads[0]["last_update_id"]
    *_, before, last = [step["records"][0] for step in scenes["gap"]]
    assert last["first_update_id"] > before["last_update_id"] + 1


def test_a_venue_of_stubs_fails(name: str) -> None:
    market, orders = venues.market_of(name), venues.orders_of(name)
    idle = dataclasses.replace(market, decode_market=lambda *_: int(Refusal.IGNORED))
    with pytest.raises(AssertionError):
        check_market(name, idle)
    mute = dataclasses.replace(
        orders, encode_request=lambda *_: 0, decode_answer=lambda *_: int(Refusal.NOT_KNOWN)
    )
    with pytest.raises(AssertionError):
        check_requests(name, market, mute)
    with pytest.raises(AssertionError):
        check_answers(name, market, mute)


def test_it_says_what_it_is_for_and_where_that_is_documented(name: str) -> None:
    assert "*Source:*" in (venues.load(name).__doc__ or "")
