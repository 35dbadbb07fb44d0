"""Quotes that follow another market, against the same rule in whole numbers."""

from math import ceil, floor

import numpy as np
import pytest
from sights import SightMemory, as_record

from vortex import strategies
from vortex.orders.quoting import BID_QUOTE_COUNT, WANTED
from vortex.strategies.led_by import STATE, Params

STRATEGY = strategies.load("led_by")
MEMORY_NS = 1_000_000_000
PARAMS = Params(
    leader="bybit:BTCUSDT", half_spread_ticks=3, basis_memory_ms=MEMORY_NS // 1_000_000,
    qty_lots=5, inventory_lots_max=10,
)  # fmt: skip


class Follower:
    """Spot in ticks of 0.01 as instrument 0, its leader in ticks of 0.1 as instrument 1."""

    def __init__(self):
        self.sight = SightMemory(2, 0)
        self.sight.views["tick_e8"] = [1_000_000, 10_000_000]
        self.sight.views["price_ticks_min"], self.sight.views["price_ticks_max"] = 1, 10**9
        self.state = np.zeros(1, STATE.dtype)
        self.params = STRATEGY.params_record(PARAMS, {"bybit:BTCUSDT": 1}.__getitem__)

    def decide(self, now_ns, spot, leader):
        """Return the (bid, ask) wanted when the two markets have these touches."""
        self.sight.show(0, [(spot[0], 9)], [(spot[1], 9)])
        self.sight.show(1, [(leader[0], 9)], [(leader[1], 9)])
        return self.decide_again(now_ns)

    def decide_again(self, now_ns):
        """Return what is wanted with everything else as it is."""
        self.sight.views["now_ns"][0] = now_ns
        wanted = np.zeros(1, WANTED.dtype)
        STRATEGY.decide(
            self.sight.top(0), self.sight.view(0), as_record(self.params),
            as_record(self.state), as_record(wanted),
        )  # fmt: skip
        prices, lots = wanted["price_ticks"][0], wanted["qty_lots"][0]
        return tuple(int(prices[i]) if lots[i] else None for i in (0, BID_QUOTE_COUNT))


def test_quotes_stand_around_the_mid_while_the_basis_is_what_was_seen():
    follower = Follower()
    # Spot's mid is 10,000.5 ticks, the leader's 1,003 of ten times the size: a basis of -29.5.
    assert follower.decide(1, (10_000, 10_001), (1_002, 1_004)) == (9_997, 10_004)
    assert float(follower.state["basis_ticks"][0]) == -29.5


def test_quotes_move_with_the_leader_at_once_and_with_the_basis_slowly():
    follower = Follower()
    follower.decide(1, (10_000, 10_001), (1_002, 1_004))
    moved_ns = 1 + MEMORY_NS // 100
    bid, ask = follower.decide(moved_ns, (10_000, 10_001), (1_004, 1_006))
    basis = -29.5 - 20 * (1 - np.exp(-0.01))  # of 20 ticks one hundredth of a memory is learnt
    centre = 10_050 + basis
    assert (bid, ask) == (min(floor(centre) - 3, 10_000), max(ceil(centre) + 3, 10_001))
    assert bid == 10_000, "it may not cross the touch"


@pytest.mark.parametrize("is_valid", [0, 1])
def test_it_quotes_only_while_the_leader_is_in_sync(is_valid):
    follower = Follower()
    follower.decide(1, (10_000, 10_001), (1_002, 1_004))
    follower.sight.tops["is_valid"][1] = is_valid
    assert (follower.decide_again(2) == (None, None)) == (is_valid == 0)


@pytest.mark.parametrize(("position", "sides"), [(0, "both"), (6, "ask"), (-6, "bid")])
def test_a_full_position_stops_a_side(position, sides):
    follower = Follower()
    follower.sight.views["position_lots"][0] = position
    bid, ask = follower.decide(1, (10_000, 10_001), (1_002, 1_004))
    assert (bid is not None) == (sides in ("both", "bid"))
    assert (ask is not None) == (sides in ("both", "ask"))
