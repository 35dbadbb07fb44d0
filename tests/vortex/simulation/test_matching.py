"""The matching engine, against published vectors and an obvious twin."""

import random
from itertools import pairwise

import numpy as np
import pytest
from recordings import SEQUENCES, loaded
from scale import scaled

from ipc.memory import address_of, record_at, records_at
from vortex.codes import Side
from vortex.simulation import matching
from vortex.simulation.matching_records import (
    BOOK_SIDE,
    MARKET_PRICE_TICKS,
    MATCH_EVENT,
    MATCH_LEVEL,
    MATCHING,
    MatchEvent,
    MatchReject,
    Prevention,
    TimeInForce,
)
from vortex.simulation.matching_store import open_store, store_bytes

REJECT_NAMES = {
    MatchReject.DUPLICATE: "DUP",
    MatchReject.SIZE: "SIZE",
    MatchReject.UNKNOWN: "UNKNOWN",
    MatchReject.UNFILLABLE: "FOK",
    MatchReject.WOULD_TAKE: "POST",
}
TIME_IN_FORCE = {
    "GTC": TimeInForce.GTC,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
    "POST": TimeInForce.POST,
}


class Engine:
    """The compiled book behind the vectors' vocabulary."""

    def __init__(self, capacity=512):
        self.memory = np.zeros(store_bytes(capacity), dtype=np.uint8)
        self.address = address_of(self.memory)
        open_store(self.address, capacity)
        self.head = record_at(self.address, MATCHING.dtype)
        self.all_events = []

    def run(self, operation):
        name, order_id, *rest = operation
        if name == "add":
            side = Side.BUY if rest[0] == "B" else Side.SELL
            price = MARKET_PRICE_TICKS * side if rest[1] is None else rest[1]
            kind = TIME_IN_FORCE[rest[3]] if len(rest) > 3 else TimeInForce.GTC
            owner = rest[4] if len(rest) > 4 else 0
            mode = rest[5] if len(rest) > 5 else Prevention.EXPIRE_MAKER
            matching.add(self.address, order_id + 1, owner, side, price, rest[2], kind, mode)
        elif name == "cancel":
            matching.cancel(self.address, order_id + 1)
        elif name == "reduce":
            matching.reduce(self.address, order_id + 1, rest[0])
        else:
            matching.move(self.address, order_id + 1, rest[0])
        return self.take_events()

    def take_events(self):
        count = int(self.head.event_count)
        rows = records_at(int(self.head.events_address), MATCH_EVENT.dtype, max(count, 1))
        events = [dict(zip(rows.dtype.names, row.item(), strict=True)) for row in rows[:count]]
        self.head.event_count = 0
        self.all_events += events
        return [outcomes for outcomes in map(self.as_vector, events) if outcomes]

    @staticmethod
    def as_vector(event):
        kind = event["kind"]
        if kind == MatchEvent.TRADE:
            return ["T", event["maker_id"] - 1, event["price_ticks"], event["qty_lots"]]
        if kind == MatchEvent.REJECTED:
            return ["REJ", REJECT_NAMES[event["qty_lots"]]]
        if kind == MatchEvent.PREVENTED:
            return ["STP", event["order_id"] - 1, event["qty_lots"]]
        names = {MatchEvent.RESTED: "REST", MatchEvent.CANCELED: "CXL", MatchEvent.REDUCED: "RED"}
        return [names[kind], event["qty_lots"]] if kind in names else None

    def levels(self, side_address):
        side = record_at(int(side_address), BOOK_SIDE.dtype)
        count = int(side.level_count)
        rows = records_at(int(side.levels_address), MATCH_LEVEL.dtype, max(count, 1))[:count]
        return [
            [int(row["price_ticks"]), int(row["qty_lots"]), int(row["order_count"])]
            for row in rows[::-1]
        ]

    def l2(self):
        return {
            "bids": self.levels(self.head.bids_address),
            "asks": self.levels(self.head.asks_address),
        }


def test_published_vectors(recordings):
    """Each case of the vectors gives the expected events and the expected book."""
    vectors = loaded(recordings / SEQUENCES)
    assert len(vectors["cases"]) > 20
    for case in vectors["cases"]:
        engine = Engine()
        for operation in vectors["base"] if case["pre"] == "BASE" else []:
            engine.run(operation)
        outcomes = None
        for operation in case["ops"]:
            outcomes = engine.run(operation)
        assert outcomes == case["expect_last"], case["name"]
        assert engine.l2() == case["expect_l2"], case["name"]


class Twin:
    """Price-time priority written so that one sees it is right."""

    def __init__(self):
        self.resting = []  # [id, side, price, qty, owner], oldest first

    def makers(self, side, price):
        rows = [r for r in self.resting if r[1] != side]
        if price is not None:
            rows = [r for r in rows if (r[2] <= price if side == "B" else r[2] >= price)]
        return sorted(rows, key=lambda r: r[2] if side == "B" else -r[2])  # stable: oldest first

    def fillable(self, side, price, owner, mode):
        found = 0
        for maker in self.makers(side, price):
            if owner and maker[4] == owner and mode != Prevention.NONE:
                if mode in (Prevention.EXPIRE_TAKER, Prevention.EXPIRE_BOTH):
                    break
            else:
                found += maker[3]
        return found

    def find(self, order_id):
        return next((r for r in self.resting if r[0] == order_id), None)

    def take(self, outcomes, order_id, side, price, qty, owner, mode=Prevention.EXPIRE_MAKER):
        for maker in self.makers(side, price):
            if qty == 0:
                break
            if owner and maker[4] == owner and mode != Prevention.NONE:
                lost, taker_lost = {
                    Prevention.EXPIRE_TAKER: (0, qty),
                    Prevention.EXPIRE_MAKER: (maker[3], 0),
                    Prevention.EXPIRE_BOTH: (maker[3], qty),
                    Prevention.DECREMENT: (min(qty, maker[3]), min(qty, maker[3])),
                }[mode]
                outcomes += [["STP", maker[0], lost]] if lost else []
                outcomes += [["STP", order_id, taker_lost]] if taker_lost else []
                maker[3] -= lost
                qty -= taker_lost
                if maker[3] == 0:
                    self.resting.remove(maker)
                continue
            filled = min(qty, maker[3])
            outcomes.append(["T", maker[0], maker[2], filled])
            qty -= filled
            maker[3] -= filled
            if maker[3] == 0:
                self.resting.remove(maker)
        return qty

    def run(self, operation):
        name, order_id, *rest = operation
        outcomes = []
        found = self.find(order_id)
        if name == "add":
            side, price, qty = rest[:3]
            kind = rest[3] if len(rest) > 3 else "GTC"
            owner = rest[4] if len(rest) > 4 else 0
            mode = rest[5] if len(rest) > 5 else Prevention.EXPIRE_MAKER
            if qty <= 0:
                return [["REJ", "SIZE"]]
            if found:
                return [["REJ", "DUP"]]
            if kind == "FOK" and self.fillable(side, price, owner, mode) < qty:
                return [["REJ", "FOK"]]
            if kind == "POST" and self.makers(side, price):
                return [["REJ", "POST"]]
            left = self.take(outcomes, order_id, side, price, qty, owner, mode)
            if left and (kind == "IOC" or price is None):
                outcomes.append(["CXL", left])
            elif left:
                outcomes.append(["REST", left])
                self.resting.append([order_id, side, price, left, owner])
            return outcomes
        if not found:
            return [["REJ", "UNKNOWN"]]
        if name == "reduce" and rest[0] <= 0:
            return [["REJ", "SIZE"]]
        if name == "cancel" or (name == "reduce" and rest[0] >= found[3]):
            self.resting.remove(found)
            return [["CXL", found[3]]]
        if name == "reduce":
            found[3] -= rest[0]
            return [["RED", rest[0]]]
        self.resting.remove(found)
        left = self.take(outcomes, order_id, found[1], rest[0], found[3], found[4])
        if left:
            outcomes.append(["REST", left])
            self.resting.append([order_id, found[1], rest[0], left, found[4]])
        return outcomes

    def l2(self):
        book = {"bids": [], "asks": []}
        for name, side in (("bids", "B"), ("asks", "S")):
            for price in sorted({r[2] for r in self.resting if r[1] == side}):
                rows = [r[3] for r in self.resting if r[1] == side and r[2] == price]
                book[name].append([price, sum(rows), len(rows)])
        book["bids"].reverse()
        return book


def random_operation(draw, standing):
    known = draw.choice(standing) if standing and draw.random() < 0.9 else draw.randrange(3000)
    name = draw.choices(["add", "cancel", "reduce", "move"], [6, 2, 1, 1])[0]
    if name == "cancel":
        return [name, known]
    if name == "reduce":
        return [name, known, draw.randrange(-1, 25)]
    if name == "move":
        return [name, known, draw.randrange(90, 111)]
    order_id = draw.randrange(3000) * 65_537
    kind = draw.choices(["GTC", "IOC", "FOK", "POST"], [6, 2, 1, 2])[0]
    price = None if kind == "IOC" and draw.random() < 0.3 else draw.randrange(90, 111)
    owner = draw.choice([0, 0, 1, 2])
    mode = draw.choice(list(Prevention))
    return ["add", order_id, draw.choice("BS"), price, draw.randrange(0, 30), kind, owner, mode]


@pytest.mark.parametrize("seed", range(4))
def test_random_operations_equal_the_twin(seed):
    """Thousands of random operations give the same events, book, depth diffs and touch."""
    draw = random.Random(seed)
    engine, twin = Engine(), Twin()
    mirror = {Side.BUY: {}, Side.SELL: {}}
    for step in range(scaled(2500, 500)):
        operation = random_operation(draw, [r[0] for r in twin.resting])
        engine.all_events.clear()
        expected = twin.run(operation)
        assert engine.run(operation) == expected, (seed, step, operation)
        for event in engine.all_events:
            if event["kind"] == MatchEvent.LEVEL:
                mirror[event["side"]][event["price_ticks"]] = event["qty_lots"]
        if step % 20 == 0:
            book = twin.l2()
            assert engine.l2() == book, (seed, step)
            outcomes = {p: q for p, q in mirror[Side.BUY].items() if q}
            assert outcomes == {p: q for p, q, _ in book["bids"]}
            best = [*(book["bids"] or [[0, 0]])[0][:2], *(book["asks"] or [[0, 0]])[0][:2]]
            head = engine.head
            assert best == [head.bid_ticks, head.bid_lots, head.ask_ticks, head.ask_lots]


def test_numbers_are_consecutive_and_tops_differ():
    """Update ids and trade ids rise by one; no TOP repeats the one before."""
    draw = random.Random(7)
    engine = Engine()
    for _ in range(scaled(1500, 400)):
        engine.run(random_operation(draw, list(range(0, 3000 * 65_537, 65_537))))
    updates = [e["update_id"] for e in engine.all_events if e["kind"] == MatchEvent.LEVEL]
    trades = [e["trade_id"] for e in engine.all_events if e["kind"] == MatchEvent.TRADE]
    assert updates == list(range(1, len(updates) + 1))
    assert trades == list(range(1, len(trades) + 1))
    tops = [tuple(e.values()) for e in engine.all_events if e["kind"] == MatchEvent.TOP]
    assert all(a[1:5] != b[1:5] for a, b in pairwise(tops))


def test_a_full_book_refuses_and_recovers():
    """With no free row an order is refused with FULL; a cancel makes room again."""
    engine = Engine(capacity=4)
    for order_id in range(4):
        engine.run(["add", order_id, "B", 10 + order_id, 1])
    code = matching.add(engine.address, 99, 0, Side.BUY, 5, 1, TimeInForce.GTC, Prevention.NONE)
    assert code == -MatchReject.FULL
    engine.head.event_count = 0
    engine.run(["cancel", 2])
    code = matching.add(engine.address, 99, 0, Side.BUY, 5, 1, TimeInForce.GTC, Prevention.NONE)
    assert code == 1
