"""What a strategy may ask of its view, against plain lists and dictionaries of the same facts."""

import numpy as np
import pytest
from builders import record_of
from hypothesis import given, settings
from hypothesis import strategies as st
from sights import SightMemory, as_record

from ipc.memory import address_of
from vortex.codes import Kind, OrderForce, OrderState, Side
from vortex.deciding import seeing, sight_writers
from vortex.deciding.sight import TRADE_ROWS
from vortex.orders import quoting
from vortex.orders.quoting import BID_QUOTE_COUNT, QUOTE_COUNT, UNKNOWN_LOTS, WANTED
from vortex.records import ORDER_EVENT, REQUEST

NOW_NS = 1_000_000
LEVEL_ROWS = 12

side_levels = st.lists(st.integers(1, 50), min_size=0, max_size=20)


def book_of(bid_lots, ask_lots):
    """Return levels around 1000, two ticks apart on the bid side and three on the ask side."""
    bids = [(1_000 - 2 * index, lots) for index, lots in enumerate(bid_lots)]
    asks = [(1_001 + 3 * index, lots) for index, lots in enumerate(ask_lots)]
    return bids, asks


class Maker:
    """Our quotes in instrument 1 of a run, asked for and acknowledged as the engine does it."""

    def __init__(self, sight):
        self.sight = sight
        self.rules = record_of(quoting.QUOTING)
        self.requests = np.zeros(QUOTE_COUNT, REQUEST.dtype)
        self.standing = as_record(sight.standing, 1)

    def ask(self, quotes, now_ns=NOW_NS, **arrays):
        """Want exactly these, (price, quantity) by quote; return the requests."""
        wanted = record_of(WANTED)
        for index, (price_ticks, qty_lots) in quotes.items():
            wanted["price_ticks"][0, index], wanted["qty_lots"][0, index] = price_ticks, qty_lots
            for name, value in arrays.items():
                wanted[name][0, index] = value
        count = quoting.difference(
            as_record(wanted), self.standing, as_record(self.rules), 1, address_of(self.requests),
            now_ns,
        )  # fmt: skip
        sight_writers.estimate_queues(
            self.sight.view(1), self.sight.top(1), self.standing, address_of(self.requests), count
        )
        return self.requests[:count].copy()

    def hear(self, kind, index, now_ns=NOW_NS, **fields):
        """Take one event of the gateway."""
        event = as_record(record_of(ORDER_EVENT, kind=kind, quote_index=index, **fields))
        quoting.on_event(self.standing, as_record(self.rules), event, now_ns)
        sight_writers.add_event(self.sight.view(1), event, now_ns)

    def place(self, quotes, **arrays):
        """Have quotes placed and acknowledged."""
        for request in self.ask(quotes, **arrays):
            index = int(request["quote_index"])
            self.hear(
                Kind.ACKED, index, order_id=100 + index, request_kind=request["kind"],
                price_ticks=request["price_ticks"], remaining_lots=request["qty_lots"],
            )  # fmt: skip


@settings(max_examples=100, print_blob=True)
@given(side_levels, side_levels)
def test_levels_are_those_that_the_book_showed(bid_lots, ask_lots):
    sight = SightMemory(3, LEVEL_ROWS)
    bids, asks = book_of(bid_lots, ask_lots)
    sight.show(0, [(7, 7)], [(8, 8)])
    sight.show(1, bids, asks)
    sight.show(2, [(9, 9)], [(10, 10)])
    for side, levels in ((Side.BUY, bids), (Side.SELL, asks)):
        found = [tuple(seeing.level(sight.view(1), side, index)) for index in range(20)]
        kept = levels[:LEVEL_ROWS]
        assert found == kept + [(0, 0)] * (20 - len(kept))
        assert tuple(seeing.level(sight.view(1), side, -1)) == (0, 0)
    assert tuple(seeing.level(sight.view(0), Side.SELL, 0)) == (8, 8)
    assert tuple(seeing.level(sight.view(2), Side.BUY, 0)) == (9, 9)


@settings(max_examples=100, print_blob=True)
@given(side_levels, side_levels, st.integers(940, 1_060), st.sampled_from([Side.BUY, Side.SELL]))
def test_the_quantity_at_a_price_is_known_as_far_as_levels_are_shown(bid, ask, price, side):
    sight = SightMemory(2, LEVEL_ROWS)
    bids, asks = book_of(bid, ask)
    sight.show(1, bids, asks)
    levels = (bids if side == Side.BUY else asks)[:LEVEL_ROWS]
    found = seeing.shown_lots(sight.view(1), sight.top(1), side, price)
    is_beyond = bool(levels) and (levels[-1][0] - price) * side > 0
    assert found == (UNKNOWN_LOTS if is_beyond else dict(levels).get(price, 0))


@pytest.mark.parametrize("count", [0, 1, 5, TRADE_ROWS, TRADE_ROWS + 9])
def test_trades_are_those_since_the_last_call_the_newest_kept(count):
    sight = SightMemory(2, 0)
    for number in range(40):  # before the last call
        sight.trade(1, Side.BUY, number + 1, 1)
    sight.view(1).new_trade_count = 0
    market_trades = [(Side.BUY if number % 3 else Side.SELL, 100 + number, 1 + number)
            for number in range(count)]  # fmt: skip
    for trade in market_trades:
        sight.trade(1, *trade)
        sight.trade(0, Side.SELL, 5, 5)
    view = sight.view(1)
    assert seeing.trade_count(view) == min(count, TRADE_ROWS)
    found = [seeing.trade(view, index) for index in range(seeing.trade_count(view))]
    assert [(each.aggressor_side, each.price_ticks, each.qty_lots) for each in found] == [
        (int(side), price, lots) for side, price, lots in market_trades[-TRADE_ROWS:]
    ][: len(found)]
    assert view.new_trade_count == count
    assert view.bought_lots == 40 + sum(lots for side, _, lots in market_trades if side == Side.BUY)


def test_an_order_is_seen_from_its_request_to_its_end():
    sight = SightMemory(2, LEVEL_ROWS)
    sight.show(1, [(100, 30)], [(110, 40)])
    view, maker = sight.view(1), Maker(sight)
    view.now_ns = NOW_NS + 5
    assert seeing.own_order(view, 0).state == OrderState.FREE
    maker.ask({0: (100, 7)}, tag=42)
    order = seeing.own_order(view, 0)
    assert (order.state, order.side, order.price_ticks) == (OrderState.SENT, Side.BUY, 100)
    assert (order.remaining_lots, order.queue_ahead_lots, order.age_ns) == (7, 30, 5)
    assert (order.request_kind, order.tag) == (Kind.PLACE, 42)
    maker.hear(Kind.UNKNOWN, 0, order_id=9)
    assert seeing.own_order(view, 0).state == OrderState.UNKNOWN
    acked = {"order_id": 9, "request_kind": Kind.PLACE, "price_ticks": 100, "remaining_lots": 7}
    maker.hear(Kind.ACKED, 0, NOW_NS + 2, **acked)
    order = seeing.own_order(view, 0)
    assert (order.state, order.age_ns, order.tag) == (OrderState.RESTING, 3, 42)
    assert (order.queue_ahead_lots, order.request_kind) == (30, 0)
    assert seeing.own_order_count(view) == 1
    sums = {"fill_count": 1, "bought_lots": 3, "bought_notional": 300, "position_lots": 3}
    fill = {"fill_ticks": 100, "fill_lots": 3, "side": Side.BUY, "is_maker": 1}
    maker.hear(Kind.FILLED, 0, NOW_NS + 4, order_id=9, remaining_lots=4, **fill, **sums)
    assert seeing.own_order(view, 0).remaining_lots == 4
    assert (view.last_fill_ticks, view.last_fill_lots, view.last_fill_ns) == (100, 3, NOW_NS + 4)
    assert (view.is_last_fill_maker, view.last_fill_side) == (1, Side.BUY)
    assert seeing.bought_average_ticks(view) == 100.0
    assert seeing.sold_average_ticks(view) == 0.0
    maker.hear(Kind.CANCELED, 0, order_id=9, **sums)
    assert seeing.own_order(view, 0).state == OrderState.FREE
    assert seeing.own_order_count(view) == 0
    assert view.last_fill_ticks == 100


def test_the_queue_ahead_shortens_by_the_trades_at_the_price():
    sight = SightMemory(2, LEVEL_ROWS)
    sight.show(1, [(100, 30), (98, 20)], [(110, 40)])
    view, maker = sight.view(1), Maker(sight)
    maker.ask({0: (100, 5), 1: (98, 5), 2: (99, 5), 3: (50, 5), BID_QUOTE_COUNT: (109, 5)})

    def ahead():
        indices = (0, 1, 2, 3, BID_QUOTE_COUNT)
        return [seeing.own_order(view, index).queue_ahead_lots for index in indices]

    assert ahead() == [30, 20, 0, UNKNOWN_LOTS, 0]
    sight.trade(1, Side.BUY, 100, 9)  # a buyer takes from the asks
    sight.trade(0, Side.SELL, 100, 9)  # another instrument
    assert ahead() == [30, 20, 0, UNKNOWN_LOTS, 0]
    sight.trade(1, Side.SELL, 100, 9)
    assert ahead() == [21, 20, 0, UNKNOWN_LOTS, 0]
    maker.hear(Kind.ACKED, 0, order_id=7, request_kind=Kind.PLACE, price_ticks=100,
               remaining_lots=5)  # fmt: skip
    sight.trade(1, Side.SELL, 100, 50)
    assert ahead() == [0, 20, 0, UNKNOWN_LOTS, 0]
    sight.trade(1, Side.SELL, 97, 1)  # through the price of the second
    assert ahead() == [0, 0, 0, UNKNOWN_LOTS, 0]


def test_an_amendment_keeps_the_place_in_the_queue_only_when_it_makes_the_order_smaller():
    sight = SightMemory(2, LEVEL_ROWS)
    sight.show(1, [(100, 30)], [(110, 40)])
    maker, view = Maker(sight), sight.view(1)
    maker.place({0: (100, 5)})
    sight.trade(1, Side.SELL, 100, 12)
    amended = {"order_id": 100, "price_ticks": 100, "request_kind": Kind.REPLACE}
    maker.ask({0: (100, 3)})
    maker.hear(Kind.ACKED, 0, remaining_lots=3, **amended)
    assert seeing.own_order(view, 0).queue_ahead_lots == 18
    maker.ask({0: (100, 9)})
    maker.hear(Kind.ACKED, 0, remaining_lots=9, **amended)
    assert seeing.own_order(view, 0).queue_ahead_lots == 27  # behind all that others have


@settings(max_examples=100, print_blob=True)
@given(
    side_levels, side_levels,
    st.dictionaries(st.integers(0, QUOTE_COUNT - 1), st.integers(0, 13), max_size=QUOTE_COUNT),
)  # fmt: skip
def test_the_touch_of_others_is_the_book_without_our_orders(bid_lots, ask_lots, places):
    sight = SightMemory(2, LEVEL_ROWS)
    bids, asks = book_of(bid_lots, ask_lots)
    sight.show(1, bids, asks)
    sides = {Side.BUY: bids[:LEVEL_ROWS], Side.SELL: asks[:LEVEL_ROWS]}
    quotes = {}
    for index, place in places.items():
        levels = sides[Side(quoting.quote_side(index))]
        if place < len(levels):  # each with a part of what is shown there
            quotes[index] = (levels[place][0], max(levels[place][1] // 4, 1))
    maker = Maker(sight)
    maker.place(quotes)
    for side, levels in sides.items():
        ours = {}
        for index, (price, lots) in quotes.items():
            if quoting.quote_side(index) == side:
                ours[price] = ours.get(price, 0) + lots
        others = [(price, lots - ours.get(price, 0)) for price, lots in levels]
        expected = next(((price, lots) for price, lots in others if lots > 0), (0, 0))
        assert tuple(seeing.others_touch(sight.view(1), sight.top(1), side)) == expected


def test_another_instrument_is_seen_by_its_id_and_its_price_in_our_ticks():
    sight = SightMemory(3, 2)
    sight.show(2, [(500, 3)], [(501, 4)])
    sight.views["tick_e8"] = [1_000_000, 1, 10_000_000]
    view = sight.view(0)
    assert seeing.market(view, 2).bid_ticks == 500
    assert seeing.view_of(view, 2).instrument_id == 2
    assert seeing.ticks_here(view, seeing.view_of(view, 2), 500.5) == 5_005.0
    with pytest.raises(AssertionError):
        seeing.market(view, 3)


def test_an_ioc_quote_is_sent_once_and_again_only_after_its_end():
    sight = SightMemory(2, 2)
    sight.show(1, [(100, 30)], [(110, 40)])
    maker = Maker(sight)
    request = maker.ask({0: (110, 5)}, time_in_force=OrderForce.IOC)[0]
    assert (request["kind"], request["time_in_force"]) == (Kind.PLACE, OrderForce.IOC)
    maker.hear(Kind.ACKED, 0, order_id=9, request_kind=Kind.PLACE, price_ticks=110,
               remaining_lots=5)  # fmt: skip
    assert seeing.own_order(sight.view(1), 0).time_in_force == OrderForce.IOC
    assert not len(maker.ask({0: (120, 9)}, time_in_force=OrderForce.IOC))
    assert not len(maker.ask({})), "it ends by itself"
    maker.hear(Kind.EXPIRED, 0, order_id=9)
    assert not len(maker.ask({}))
    assert len(maker.ask({0: (110, 5)}, time_in_force=OrderForce.IOC)) == 1


def test_a_resting_quote_makes_way_for_an_ioc_one():
    sight = SightMemory(2, 2)
    sight.show(1, [(100, 30)], [(110, 40)])
    maker = Maker(sight)
    maker.place({0: (100, 5)})
    (request,) = maker.ask({0: (110, 5)}, time_in_force=OrderForce.IOC)
    assert (request["kind"], request["order_id"]) == (Kind.CANCEL, 100)
    maker.hear(Kind.CANCELED, 0, order_id=100, request_kind=Kind.CANCEL)
    (request,) = maker.ask({0: (110, 5)}, time_in_force=OrderForce.IOC)
    assert (request["kind"], request["price_ticks"]) == (Kind.PLACE, 110)
