"""The simulated traders: one seed one market, lively but sane, and fair to a quoting stranger."""

import numpy as np
import pytest
from scale import compiled_only, scaled

from ipc.memory import address_of, record_at, records_at
from vortex.codes import Side
from vortex.simulation import matching, traders
from vortex.simulation.matching_records import (
    MATCH_EVENT,
    MATCHING,
    MatchEvent,
    Prevention,
    TimeInForce,
)
from vortex.simulation.matching_store import open_store, store_bytes
from vortex.simulation.random_numbers import (
    RANDOM,
    draw_bell,
    draw_below,
    draw_heavy,
    draw_word,
    seed_random,
)

STRANGER_ID = 77
FIELDS = MATCH_EVENT.dtype.names
KIND, SIDE = FIELDS.index("kind"), FIELDS.index("side")
MAKER_OWNER = FIELDS.index("maker_owner_id")


class Market:
    """One symbol, stepped in market time; keeps the events of each millisecond."""

    def __init__(self, seed="a", anchor=6_000_000, capacity=8192):
        self.memory = np.zeros(store_bytes(capacity), dtype=np.uint8)
        self.crowd = np.zeros(traders.CROWD_BYTES, dtype=np.uint8)
        self.book = address_of(self.memory)
        open_store(self.book, capacity)
        parameters = traders.CrowdParameters(anchor, 12, 4000, 1000)
        traders.open_crowd(address_of(self.crowd), self.book, parameters, seed)
        self.head = record_at(self.book, MATCHING.dtype)
        count = int(self.head.event_capacity_count)
        events = records_at(int(self.head.events_address), MATCH_EVENT.dtype, count)
        self.rows = events.view(np.int64).reshape(count, -1)

    def take(self):
        rows = self.rows[: int(self.head.event_count)].copy()
        self.head.event_count = 0
        return rows

    def step(self):
        traders.step(address_of(self.crowd))
        return self.take()


def frame_count(rows):
    return int(np.isin(rows[:, KIND], (MatchEvent.TRADE, MatchEvent.TOP)).sum())


def test_the_same_seed_is_the_same_market():
    """Two markets of one seed tell the same events; another seed tells others."""
    first, same, other = Market("a"), Market("a"), Market("b")
    count = scaled(2000, 60)
    one = np.concatenate([first.step() for _ in range(count)])
    assert np.array_equal(one, np.concatenate([same.step() for _ in range(count)]))
    two = np.concatenate([other.step() for _ in range(count)])
    assert not np.array_equal(one[:1000], two[:1000])


@compiled_only("statistics of a minute")
def test_frames_bursts_spread_and_depth():
    """Half the promised thousand frames a second from each symbol, bursts, a spread of ticks."""
    market = Market()
    market.take()
    counts, spreads = [], []
    for _ in range(60_000):
        counts.append(frame_count(market.step()))
        if market.head.bid_ticks and market.head.ask_ticks:
            spreads.append(int(market.head.ask_ticks - market.head.bid_ticks))
    assert sum(counts) / 60 >= 500
    windows = np.convolve(counts, np.ones(10, dtype=int))
    assert windows.max() >= 500
    seconds = np.array(counts).reshape(60, 1000).sum(axis=1)
    assert seconds.min() > 50
    assert seconds.max() > 2 * np.median(seconds)
    assert min(spreads) >= 1
    assert 1 <= np.median(spreads) <= 5
    assert len(spreads) > 59_900
    assert market.head.order_count > 1000


@compiled_only("statistics of twenty minutes")
def test_the_price_wanders_but_returns():
    """Twenty minutes move the price by tens to thousands of ticks, not by percents."""
    market = Market("wander", anchor=300_000)
    mids = []
    for step in range(1_200_000):
        traders.step(address_of(market.crowd))
        market.head.event_count = 0
        if step % 1000 == 0:
            mids.append((int(market.head.bid_ticks) + int(market.head.ask_ticks)) // 2)
    assert 50 < max(mids) - min(mids) < 6_000
    assert abs(np.mean(mids) - 300_000) < 3_000
    assert market.head.order_count < 1_400


@compiled_only("statistics of half a minute")
@pytest.mark.parametrize("behind_ticks", [0, 10, 20])
def test_a_quoting_stranger_is_filled_on_both_sides(behind_ticks):
    """Quoting small size at and behind the touch is filled at least 20 times in 30 seconds."""
    market = Market("fills")
    market.take()
    standing, fills = {1: 0, -1: 0}, {1: 0, -1: 0}
    for millisecond in range(30_000):
        rows = market.step()
        for row in rows[rows[:, MAKER_OWNER] == STRANGER_ID]:
            fills[-int(row[SIDE])] += 1
        if millisecond % 20:
            continue
        for side in (Side.BUY.value, Side.SELL.value):
            matching.cancel(market.book, standing[side])
            best = matching.best_ticks(market.book, side)
            order_id = standing[side] = matching.next_order_id(market.book)
            price = best - side * behind_ticks
            post = TimeInForce.POST.value
            keep = Prevention.EXPIRE_MAKER.value
            matching.add(market.book, order_id, STRANGER_ID, side, price, 100, post, keep)
        market.take()
    assert sum(fills.values()) >= 20
    assert min(fills.values()) >= 5


def test_random_numbers_are_those_of_the_paper():
    """The words are xorshift128's."""
    state = np.zeros(1, dtype=RANDOM.dtype)
    address = address_of(state)
    seed_random(address, "x")
    x, y, z, w = (int(state[0][name]) for name in RANDOM.dtype.names)
    for _ in range(1000):
        t = (x ^ (x << 11)) & 0xFFFFFFFF
        x, y, z, w = y, z, w, w ^ (w >> 19) ^ t ^ (t >> 8)
        assert draw_word(address) == w
    assert {draw_below(address, 10) for _ in range(500)} == set(range(10))
    assert min(draw_heavy(address, 100) for _ in range(500)) >= 1
    assert abs(np.mean([draw_bell(address, 1000) for _ in range(500)])) < 300


@compiled_only("statistics of many draws")
def test_random_numbers_are_evenly_spread():
    """Draws keep to their bounds, the bell to its deviation."""
    state = np.zeros(1, dtype=RANDOM.dtype)
    address = address_of(state)
    seed_random(address, "x")
    draws = np.array([draw_below(address, 10) for _ in range(20_000)])
    assert set(np.bincount(draws, minlength=10) // 100) <= set(range(17, 24))
    bells = np.array([draw_bell(address, 1000) for _ in range(20_000)])
    assert abs(bells.mean()) < 30
    assert 950 < bells.std() < 1050
    sizes = np.array([draw_heavy(address, 100) for _ in range(20_000)])
    assert sizes.min() >= 1
    assert sizes.max() > 10 * np.median(sizes)
