"""What every strategy file keeps to; a new file is found and tested by being there.

One that lies elsewhere is tested with ``--strategy-file``.
"""

import sys

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sights import SightMemory

from ipc.compiled import compile_plug
from procs.plan import strategy_files
from vortex import strategies
from vortex.codes import Side
from vortex.orders.quoting import BID_QUOTE_COUNT, QUOTE_COUNT, WANTED

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
    """Return values that the bounds of a parameter allow, from msgspec's view of its type."""
    if isinstance(kind, msgspec.inspect.StrType):
        return st.just("main:OTHER")
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


prices = st.integers(PRICE_TICKS_MIN, PRICE_TICKS_MAX - 1_000)
lots = st.integers(1, 10**9)


class Situation:
    """One instrument with all that its strategy sees, and the memory that holds it."""

    def __init__(self, memory):
        self.memory = memory
        self.top, self.view = memory.tops[:1], memory.views[:1]


def draw_market(draw, memory, instrument_id, bid_ticks):
    """Give one instrument a touch, levels behind it, and trades."""
    ask_ticks = bid_ticks + draw(st.integers(1, 1_000))
    bids = [(bid_ticks - index, draw(lots)) for index in range(draw(st.integers(1, 4)))]
    asks = [(ask_ticks + index, draw(lots)) for index in range(draw(st.integers(1, 4)))]
    memory.show(instrument_id, bids, asks)
    top = memory.tops[instrument_id]
    top["bid_depth_lots"], top["ask_depth_lots"] = 5 * bids[0][1], 5 * asks[0][1]
    for _ in range(draw(st.integers(0, 3))):
        side = draw(st.sampled_from([Side.BUY, Side.SELL]))
        memory.trade(instrument_id, side, draw(prices), draw(lots))


@st.composite
def situations(draw):
    """Draw two instruments, of which the strategy quotes the first, and our orders in it."""
    memory = SightMemory(2, draw(st.sampled_from([0, 4])))
    for instrument_id in range(2):
        draw_market(draw, memory, instrument_id, draw(prices))
    memory.tops["is_valid"][1] = draw(st.integers(0, 1))
    memory.views["tick_e8"][1] = draw(st.sampled_from([1, 10]))
    view = memory.views[0]
    view["position_lots"] = draw(st.integers(-2_000, 2_000))
    view["now_ns"] = draw(st.integers(0, 10**15))
    view["price_ticks_min"], view["price_ticks_max"] = PRICE_TICKS_MIN, PRICE_TICKS_MAX
    view["qty_lots_min"], view["position_lots_max"] = 1, 10**9
    view["orders_left_count"] = draw(st.integers(-1, 100))
    for index in draw(st.sets(st.integers(0, QUOTE_COUNT - 1), max_size=3)):
        memory.standing["order_id"][0, index] = 1 + index
        memory.standing["price_ticks"][0, index] = draw(prices)
        memory.standing["remaining_lots"][0, index] = draw(lots)
    return Situation(memory)


def decide(strategy, situation, params, state):
    """Return what the strategy wants as (price, quantity) by quote; ``state`` changes."""
    wanted = np.zeros(1, WANTED.dtype)
    params_record = strategy.params_record(params, lambda name: 1)
    arrays = (situation.top, situation.view, params_record, state, wanted)
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
        if isinstance(kind, msgspec.inspect.StrType):
            assert kind.pattern, f"{field.name} is no Instrument"
            continue
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
        situation = data.draw(situations())
        top, view = situation.top, situation.view
        wanted = decide(strategy, situation, params, state)
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
    inputs = data.draw(st.lists(situations(), min_size=1, max_size=4))
    first, second = new_state(strategy), new_state(strategy)
    for situation in inputs:
        before = situation.memory.copied()
        wanted = decide(strategy, situation, params, first)
        assert situation.memory.copied() == before, "it writes to what it was given"
        assert decide(strategy, situation, params, second) == wanted
        assert first.tobytes() == second.tobytes()


@settings(max_examples=30, print_blob=True)
@given(st.data())
def test_without_a_two_sided_touch_it_wants_nothing(strategy, data):
    params, situation = data.draw(params_strategy(strategy)), data.draw(situations())
    for side in data.draw(st.sampled_from([("bid",), ("ask",), ("bid", "ask")])):
        situation.top[f"{side}_ticks"] = situation.top[f"{side}_lots"] = 0
    assert decide(strategy, situation, params, new_state(strategy)) == {}
