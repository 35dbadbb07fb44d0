"""The desk and a strategy's quotes against a venue that delays, loses, repeats and races.

The venue is a few lines of Python that know the open orders.  Its replies arrive in any order and
may be lost; its reports come in the order of their stream, some of them twice; it may take a
request and say that it does not know, or take it long after it said so.
"""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from order_side import OrderDesk, Quotes

from ipc.memory import address_of
from vortex.codes import Answer, Execution, Kind, OrderState, Outcome, Reject, Side
from vortex.orders import desk, desk_tables, order_events, order_table
from vortex.orders.quoting import quote_side

TIMEOUT_NS = 1_000
STEP_COUNT = 120
QUOTES = (0, 1, 4)


class Venue:
    """The orders that are really open, and the real trades."""

    def __init__(self) -> None:
        self.open = {}
        self.over = {}
        self.trade_id = 0
        self.fills = []
        self.reports = []

    def place(self, order_id, side, price_ticks, qty_lots, quote_index):
        self.open[order_id] = {
            "side": side, "price_ticks": price_ticks, "qty_lots": qty_lots,
            "filled_lots": 0, "quote_index": quote_index,
        }  # fmt: skip
        self.reports.append({"execution": Execution.NEW, "order_id": order_id})

    def end(self, order_id, execution, state):
        order = self.open.pop(order_id)
        self.over[order_id] = order | {"state": state}
        if execution:
            filled_lots = order["filled_lots"]
            self.reports.append(
                {"execution": execution, "order_id": order_id, "state": state,
                 "filled_lots": filled_lots}
            )  # fmt: skip

    def fill(self, order_id, lots):
        order = self.open[order_id]
        self.trade_id += 1
        order["filled_lots"] += lots
        fill = {
            "execution": Execution.TRADE, "order_id": order_id, "trade_id": self.trade_id,
            "side": order["side"], "fill_lots": lots, "filled_lots": order["filled_lots"],
            "fill_ticks": order["price_ticks"],
        }  # fmt: skip
        self.fills.append(fill)
        self.reports.append(fill)
        if order["filled_lots"] == order["qty_lots"]:
            self.end(order_id, 0, OrderState.FILLED)

    def fate(self, order_id):
        """Return what order.status says."""
        if order_id in self.open:
            return {"state": OrderState.RESTING, "filled_lots": self.open[order_id]["filled_lots"]}
        if order_id in self.over:
            order = self.over[order_id]
            return {"state": order["state"], "filled_lots": order["filled_lots"]}
        return {"reject": Reject.VENUE_UNKNOWN_ORDER, "place_outcome": Outcome.FAILURE}

    @property
    def position_lots(self):
        return sum(fill["side"] * fill["fill_lots"] for fill in self.fills)


class Exchange:
    """The desk, the quotes and the venue with everything that is on its way between them."""

    def __init__(self, seed, *, late, is_wild=True):
        self.random = random.Random(seed)
        self.late = late
        self.is_wild = is_wild
        self.desk = OrderDesk(row_count=32)
        self.quotes = Quotes()
        self.venue = Venue()
        self.sent = []  # to the venue
        self.replies = []
        self.undead = []  # taken by the venue, long after
        self.events = []  # to the strategy
        self.waits = {}
        self.event_count = 0  # published
        self.heard_count = 0
        self.must_hear_count = 0
        self.stray_count = 0

    def chance(self, probability):
        return self.is_wild and self.random.random() < probability

    # The strategy.

    def want(self, quotes):
        self.quotes.want(quotes)

    def decide(self):
        """Request the difference and let the gateway take the requests."""
        for request in self.quotes.requests(self.desk.now_ns):
            index = int(request["quote_index"])
            assert index not in self.waits, "two requests for one quote"
            self.waits[index] = int(request["kind"])
            self.take_request(request)

    def hear(self):
        """Take the oldest event."""
        event = self.events.pop(0)
        self.heard_count += 1
        if event["kind"] in (Kind.HALTED, Kind.RESUMED):
            self.waits.clear()
        elif event["request_kind"] and not self.quotes.standing["is_halted"][0]:
            index = int(event["quote_index"])
            assert self.waits.pop(index, None) == event["request_kind"], "one answer a request"
        self.quotes.hear(event, self.desk.now_ns)

    # The gateway.

    def publish(self):
        self.events += self.desk.events
        self.event_count += len(self.desk.events)
        self.desk.events.clear()

    def take_request(self, request):
        record = request.reshape(1)
        kind = request["kind"]
        reason = Reject.NONE
        if self.heard_count < self.must_hear_count:
            return
        if kind != Kind.PLACE:
            reason = desk.check_order(self.desk.address, int(request["order_id"]), Kind.CANCEL)
        if reason == Reject.NONE:
            request_id = self.desk.submit_record(record)
            if request_id:
                new_id = 0 if kind == Kind.CANCEL else self.desk.last_order_id
                self.sent.append((request_id, new_id, request.copy()))
                return
            reason = Reject.TABLE_FULL
        self.desk.refuse(record, reason)
        self.publish()

    def check_overdue(self):
        """Ask about what was not answered in time."""
        self.desk.now_ns += TIMEOUT_NS + 1
        row_index = 0
        while True:
            row_index = desk_tables.next_overdue(
                self.desk.address, row_index, TIMEOUT_NS, self.desk.now_ns
            )
            if row_index < 0:
                break
            self.desk.mark_unknown(row_index)
            row = self.desk.orders[row_index]
            row["sent_ns"] = self.desk.now_ns
            order_id = int(row["order_id"])
            request_id = desk_tables.begin_request(
                self.desk.address, Kind.STATUS, 0, order_id, 0, self.desk.now_ns
            )
            self.sent.append((request_id, order_id, None))
            row_index += 1
        self.publish()

    def take(self, answer):
        self.desk.answer(**answer)
        self.publish()
        if self.desk.desk["stray_count"][0] != self.stray_count:
            self.stray_count = int(self.desk.desk["stray_count"][0])
            self.reconnect()

    def reconnect(self):
        """The connection is lost with all that was on it; the main thread reconciles."""
        self.emit(Kind.HALTED)
        for order_id in list(self.venue.open):
            self.venue.end(order_id, 0, OrderState.CANCELED)
        self.replies.clear()
        self.venue.reports.clear()
        self.sent.clear()
        last_trade_id = int(self.desk.positions["last_trade_id"][0])
        for fill in self.venue.fills:
            if fill["trade_id"] > last_trade_id:
                answer = {name: fill[name] for name in fill if name != "filled_lots"}
                self.desk.answer(kind=Answer.EXECUTION, **answer | {"order_id": 1})
        for row in self.desk.orders.copy():
            if order_table.is_open(row["state"]):
                order_id = int(row["order_id"])
                fate = self.venue.fate(order_id)
                self.desk.answer(kind=Answer.FATE, order_id=order_id, **fate)
        self.publish()
        assert desk_tables.open_order_count(self.desk.address, 1) == 0, (
            "nothing rests when reconciled"
        )
        self.emit(Kind.RESUMED)
        self.must_hear_count = self.event_count

    def emit(self, kind):
        self.desk.desk["event_count"] = 0
        self.desk.desk["events_address"] = address_of(self.desk.room)
        order_events.next_event(self.desk.address, kind, 0, Reject.NONE)
        self.desk.take_events(1)
        self.publish()

    # The venue and the way there and back.

    def serve(self):
        """Let the venue take the oldest request."""
        request_id, order_id, request = self.sent.pop(0)
        if request is None:
            answer = self.venue.fate(order_id)
        elif self.chance(0.08):
            answer = {"cancel_outcome": Outcome.UNKNOWN, "place_outcome": Outcome.UNKNOWN}
            fate = self.random.random()
            if fate < 0.5:
                self.execute(order_id, request)
            elif fate < 0.7 and self.late:
                self.undead.append((order_id, request))
        elif self.chance(0.08):
            answer = {
                "cancel_outcome": Outcome.FAILURE, "place_outcome": Outcome.FAILURE,
                "reject": Reject.VENUE_THROTTLED,
            }  # fmt: skip
        else:
            answer = self.execute(order_id, request)
        if not self.chance(0.1):
            self.replies.append(answer | {"kind": Answer.REPLY, "request_id": request_id})

    def execute(self, order_id, request):
        """Do what a request asks; return the reply."""
        answer = {}
        if request["kind"] != Kind.PLACE:
            old_id = int(request["order_id"])
            if old_id not in self.venue.open:
                return {"cancel_outcome": Outcome.FAILURE, "reject": Reject.VENUE_UNKNOWN_ORDER}
            self.venue.end(old_id, Execution.CANCELED, OrderState.CANCELED)
            answer["cancel_outcome"] = Outcome.SUCCESS
            answer["canceled_filled_lots"] = self.venue.over[old_id]["filled_lots"]
        if request["kind"] != Kind.CANCEL:
            if self.chance(0.1):
                answer |= {"place_outcome": Outcome.FAILURE, "reject": Reject.VENUE_WOULD_TAKE}
            else:
                values = (int(request[name]) for name in ("price_ticks", "qty_lots", "quote_index"))
                self.venue.place(order_id, int(request["side"]), *values)
                answer["place_outcome"] = Outcome.SUCCESS
        return answer

    def deliver_report(self):
        """Deliver the oldest report, now and then once more later."""
        report = self.venue.reports.pop(0)
        if self.chance(0.1):
            place = self.random.randint(0, len(self.venue.reports))
            self.venue.reports.insert(place, report)
        self.take({"kind": Answer.EXECUTION, "trade_id": -1, "side": Side.BUY} | report)

    def deliver_reply(self):
        """Deliver any reply."""
        self.take(self.replies.pop(self.random.randrange(len(self.replies))))

    def trade(self):
        """Fill some of an order, or let the venue take it away."""
        order_id = self.random.choice(list(self.venue.open))
        order = self.venue.open[order_id]
        if self.random.random() < 0.1:
            self.venue.end(order_id, Execution.EXPIRED, OrderState.EXPIRED)
        else:
            rest_lots = order["qty_lots"] - order["filled_lots"]
            self.venue.fill(order_id, self.random.randint(1, rest_lots))

    def step(self):
        """Let one thing happen."""
        things = [self.decide]
        if self.is_wild:
            things.append(self.change_wish)
        if self.chance(0.05):
            things.append(self.check_overdue)
        if self.chance(0.02):
            things.append(self.reconnect)
        pending = {
            self.hear: self.events, self.serve: self.sent, self.deliver_reply: self.replies,
            self.deliver_report: self.venue.reports, self.rise: self.undead,
        }  # fmt: skip
        things += [act for act, queue in pending.items() if queue]
        if self.is_wild and self.venue.open:
            things.append(self.trade)
        self.random.choice(things)()
        self.check()

    def rise(self):
        """The venue takes what it had given up for lost."""
        self.execute(*self.undead.pop())

    def change_wish(self):
        wish = {index: (self.random.randint(90, 99), self.random.randint(1, 5)) for index in QUOTES}
        self.want({index: quote for index, quote in wish.items() if self.random.random() < 0.8})

    def check(self):
        """See that what the desk counts is never better than what is."""
        self.desk.check_exposure()
        if self.late:
            return
        places = [order["quote_index"] for order in self.venue.open.values()]
        assert len(places) == len(set(places)), "two orders for one quote"
        position = self.desk.positions[0]
        for side, name in ((Side.BUY, "bought_lots"), (Side.SELL, "sold_lots")):
            true_lots = sum(fill["fill_lots"] for fill in self.venue.fills if fill["side"] == side)
            for order in self.venue.open.values():
                if order["side"] == side:
                    true_lots += order["qty_lots"] - order["filled_lots"]
            open_name = "open_buy_lots" if side == Side.BUY else "open_sell_lots"
            assert position[name] + position[open_name] >= true_lots, "exposure understated"

    def settle(self):
        """Let everything arrive, with nothing new gone wrong, until there is nothing to do."""
        self.is_wild = False
        for _ in range(20):
            while self.undead:
                self.rise()
            for _ in range(10_000):
                busy = self.events or self.sent or self.replies or self.venue.reports
                if not busy and not len(self.quotes.requests_needed(self.desk.now_ns)):
                    break
                self.step()
            self.check_overdue()
            if not (self.sent or self.events):
                return
        pytest.fail("it never comes to rest")


@settings(max_examples=150, print_blob=True)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_whatever_the_order_of_arrival_the_desk_ends_where_the_venue_is(seed, late):
    exchange = Exchange(seed, late=late)
    for _ in range(STEP_COUNT):
        exchange.step()
    wish = {0: (95, 5), 4: (105, 3)}
    exchange.want(wish)
    exchange.settle()
    found = {
        order["quote_index"]: (order["price_ticks"], order["qty_lots"] - order["filled_lots"])
        for order in exchange.venue.open.values()
    }
    assert len(found) == len(exchange.venue.open), "a quote is open twice"
    assert found == exchange.quotes.open_quotes(), "the strategy knows its open quotes"
    # More than half of the size may be left standing where the price is right.
    assert {index: price for index, (price, _) in found.items()} == {0: 95, 4: 105}
    assert not exchange.waits
    exchange.want({})
    exchange.settle()
    assert not exchange.venue.open
    assert not exchange.quotes.open_quotes()
    assert not exchange.waits
    assert not exchange.quotes.standing["request_kind"].any()
    assert desk_tables.open_order_count(exchange.desk.address, 1) == 0
    position = exchange.desk.positions[0]
    assert position["base_lots"] == exchange.venue.position_lots
    assert position["fill_count"] == len(exchange.venue.fills)
    assert position["cash"] == -sum(
        fill["side"] * fill["fill_lots"] * fill["fill_ticks"] for fill in exchange.venue.fills
    )
    assert position["open_buy_lots"] == position["open_sell_lots"] == 0


def test_the_sides_of_the_quotes_used_here():
    assert [quote_side(index) for index in QUOTES] == [Side.BUY, Side.BUY, Side.SELL]
