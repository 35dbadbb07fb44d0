"""A venue whose order entry is not held to the contract yet has what the gateway calls."""

import inspect
from typing import Any

import pytest

from vortex import venues

PLUGS = {
    "encode_request": venues.ENCODE_REQUEST,
    "encode_cancel_all": venues.ENCODE_CANCEL_ALL,
    "encode_order_status": venues.ENCODE_ORDER_STATUS,
    "decode_answer": venues.DECODE_ANSWER,
}
COLD = [
    "LIMITS",
    "read_account",
    "read_open_orders",
    "read_subscription",
    "read_time",
    "read_trades",
    "request",
    "signed_params",
    "signed_query",
    "signing_prefix",
    "time_request",
]

#: The others, and all market data, are held to ``contract`` by ``test_venue_parts``.
NAMES = [name for name in venues.available() if not hasattr(venues.load(name), "ORDERS")]
pytestmark = pytest.mark.parametrize("name", NAMES)


@pytest.mark.parametrize("plug", PLUGS)
def test_each_compiled_function_fits_its_plug(name: str, plug: str) -> None:
    function: Any = getattr(venues.load(name), plug)
    plain = getattr(function, "py_func", function)
    assert len(inspect.signature(plain).parameters) == len(PLUGS[plug].args)
    if hasattr(function, "compile"):
        function.compile(PLUGS[plug])
        assert function.overloads[PLUGS[plug].args].signature == PLUGS[plug]


def test_the_slow_side_is_there(name: str) -> None:
    module = venues.load(name)
    assert [what for what in COLD if not hasattr(module, what)] == []


def test_it_says_what_it_is_for_and_where_that_stands(name: str) -> None:
    module = venues.load(name)
    assert module.__doc__ is not None
    assert "*Source:*" in module.__doc__


def test_an_unknown_venue_is_named_together_with_those_that_exist(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        venues.load("nowhere")
