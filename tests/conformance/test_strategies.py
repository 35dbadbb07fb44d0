"""What every strategy file keeps to; a new file is found and tested by being there.

One that lies elsewhere is tested with ``--strategy-file``.
"""

import sys

import msgspec
import numpy as np
import pytest
from builders import record_of
from hypothesis import given, settings
from hypothesis import strategies as st

from ipc.compiled import compile_plug
from procs.plan import strategy_files
from vortex import strategies
from vortex.deciding.contract import VIEW
from vortex.orders.quoting import BID_QUOTE_COUNT, QUOTE_COUNT, WANTED
from vortex.records import TOP

PRICE_TICKS_MIN, PRICE_TICKS_MAX = 10, 1_000_000
#: Where a strategy names the position beyond which it does not quote a side.
INVENTORY_MAX = "inventory_lots_max"


def pytest_generate_tests(metafunc):
    if "strategy" in metafunc.fixturenames:
        sources = metafunc.config.getoption("--strategy-file") or strategies.names()
        metafunc.parametrize("strategy", sources, indirect=True, scope="module")


@pytest.fixture(scope="module")
def strategy(request):
    """Return each strategy of the package, or those that were asked for."""
    return strategy_files.load(request.param)


def number_strategy(kind):
    """Return numbers that the bounds of a parameter allow, from msgspec's view of its type."""
    if isinstance(kind, msgspec.inspect.IntType):
        low = kind.ge if kind.ge is not None else -1_000 if kind.gt is None else kind.gt + 1
        high = kind.le if kind.le is not None else low + 1_000 if kind.lt is None else kind.lt - 1
        return st.integers(low, high)
    low = next(bound for bound in (kind.ge, kind.gt, -1e3) if bound is not None)
    high = next(bound for bound in (kind.le, kind.lt, low + 1e3) if bound is not None)
    open_ends = {"exclude_min": kind.gt is not None, "exclude_max": kind.lt is not None}
    return st.floats(low, high, allow_nan=False, **open_ends)


def bare(kind):
    """Return a parameter's type without its metadata."""
    return kind.type if isinstance(kind, msgspec.inspect.Metadata) else kind


def params_strategy(strategy):
    """Return parameters within their bounds."""
    fields = msgspec.inspect.type_info(strategy.params_type).fields
    numbers = {field.encode_name: number_strategy(bare(field.type)) for field in fields}
    return st.builds(strategy.params_type, **numbers)


tops = st.builds(
    lambda bid, spread, lots: record_of(
        TOP, is_valid=1, bid_ticks=bid, ask_ticks=bid + spread, bid_lots=lots[0],
        ask_lots=lots[1], bid_depth_lots=5 * lots[0], ask_depth_lots=5 * lots[1],
    ),
    st.integers(PRICE_TICKS_MIN, PRICE_TICKS_MAX - 1_000),
    st.integers(1, 1_000),
    st.tuples(st.integers(1, 10**9), st.integers(1, 10**9)),
)  # fmt: skip
views = st.builds(
    lambda position, now_ns, taken: record_of(
        VIEW, position_lots=position, now_ns=now_ns, last_trade_ticks=500, bought_lots=taken[0],
        sold_lots=taken[1], price_ticks_min=PRICE_TICKS_MIN, price_ticks_max=PRICE_TICKS_MAX,
        qty_lots_min=1, position_lots_max=10**9,
    ),
    st.integers(-2_000, 2_000),
    st.integers(0, 10**15),
    st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)),
)  # fmt: skip


def decide(strategy, top, view, params, state):
    """Return what the strategy wants as (price, quantity) by quote; ``state`` changes."""
    wanted = np.zeros(1, WANTED.dtype)
    arrays = (top, view, strategy.params_record(params), state, wanted)
    strategy.decide(*(array.view(np.recarray)[0] for array in arrays))
    row = wanted[0]
    quotes = range(QUOTE_COUNT)
    return {
        index: (int(row["price_ticks"][index]), int(row["qty_lots"][index]))
        for index in quotes
        if row["qty_lots"][index]
    }


def new_state(strategy):
    """Return what a strategy remembers at the start."""
    return np.zeros(1, strategy.state.dtype)


def test_parameters_are_numbers_with_bounds_and_a_meaning(strategy):
    fields = msgspec.inspect.type_info(strategy.params_type).fields
    assert fields, "a strategy without parameters cannot be tuned"
    for field in fields:
        assert isinstance(field.type, msgspec.inspect.Metadata), f"{field.name}: use Annotated"
        assert (field.type.extra_json_schema or {}).get("description"), field.name
        kind = bare(field.type)
        assert isinstance(kind, msgspec.inspect.IntType | msgspec.inspect.FloatType), field.name
        bounds = (kind.ge, kind.gt, kind.le, kind.lt)
        assert any(bound is not None for bound in bounds), f"{field.name} has no bound"
    config = strategy.params_type.__struct_config__
    assert config.frozen
    assert config.forbid_unknown_fields, "a misspelt parameter must not be ignored"


def test_the_file_says_what_it_is_and_decide_compiles_as_the_loop_calls_it(strategy):
    module = sys.modules[strategy.params_type.__module__]
    assert len(module.__doc__.splitlines()) > 1, "say how it quotes, and after whom"
    compile_plug(strategy.decide, strategy.decide_signature)


@settings(max_examples=60, print_blob=True)
@given(st.data())
def test_its_quotes_are_ones_that_a_maker_may_place(strategy, data):
    params = data.draw(params_strategy(strategy))
    state = new_state(strategy)
    for _ in range(3):
        top, view = data.draw(tops), data.draw(views)
        wanted = decide(strategy, top, view, params, state)
        bids = [quote for index, quote in wanted.items() if index < BID_QUOTE_COUNT]
        asks = [quote for index, quote in wanted.items() if index >= BID_QUOTE_COUNT]
        assert all(qty_lots > 0 for _, qty_lots in wanted.values())
        assert all(PRICE_TICKS_MIN <= price <= PRICE_TICKS_MAX for price, _ in wanted.values())
        assert all(price < top["ask_ticks"][0] for price, _ in bids), "it would take"
        assert all(price > top["bid_ticks"][0] for price, _ in asks), "it would take"
        if bids and asks:
            assert max(bids)[0] < min(asks)[0], "it would trade with itself"
        position_lots = int(view["position_lots"][0])
        if hasattr(params, INVENTORY_MAX):
            max_lots = getattr(params, INVENTORY_MAX)
            if bids:
                assert position_lots + sum(lots for _, lots in bids) <= max_lots
            if asks:
                assert position_lots - sum(lots for _, lots in asks) >= -max_lots


@settings(max_examples=30, print_blob=True)
@given(st.data())
def test_the_same_inputs_give_the_same_quotes(strategy, data):
    params = data.draw(params_strategy(strategy))
    inputs = data.draw(st.lists(st.tuples(tops, views), min_size=1, max_size=4))
    first, second = new_state(strategy), new_state(strategy)
    for top, view in inputs:
        before = top.tobytes(), view.tobytes()
        wanted = decide(strategy, top, view, params, first)
        assert (top.tobytes(), view.tobytes()) == before, "it writes to what it was given"
        assert decide(strategy, top.copy(), view.copy(), params, second) == wanted
        assert first.tobytes() == second.tobytes()


@settings(max_examples=30, print_blob=True)
@given(st.data())
def test_without_a_two_sided_touch_it_wants_nothing(strategy, data):
    params, top, view = (data.draw(drawn) for drawn in (params_strategy(strategy), tops, views))
    for side in data.draw(st.sampled_from([("bid",), ("ask",), ("bid", "ask")])):
        top[f"{side}_ticks"] = top[f"{side}_lots"] = 0
    assert decide(strategy, top, view, params, new_state(strategy)) == {}
