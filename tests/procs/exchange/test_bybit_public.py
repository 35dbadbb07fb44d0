"""Bybit's public topics, read from the wire by a client that shares nothing with the exchange."""

import json
import time
from decimal import Decimal
from itertools import pairwise
from uuid import UUID

import pytest
from recordings import linear_texts

BOOK_50, TRADES, TICKERS = "orderbook.50.BTCUSDT", "publicTrade.BTCUSDT", "tickers.BTCUSDT"


@pytest.fixture
def venue(bybit):
    yield bybit
    assert bybit.control("DELETE", "faults") == (200, {})
    bybit.close()


class Book:
    """A book kept by the venue's rules; says what breaks them."""

    def __init__(self):
        self.sides, self.number = {"b": {}, "a": {}}, None

    def take(self, message):
        data = message["data"]
        if message["type"] == "snapshot":
            self.sides = {"b": {}, "a": {}}
        else:
            assert data["u"] == self.number + 1, "a hole in the numbers"
        self.number = data["u"]
        for name, levels in self.sides.items():
            for price, size in data[name]:
                if Decimal(size) == 0:
                    levels.pop(Decimal(price), None)
                else:
                    levels[Decimal(price)] = Decimal(size)
        bids, asks = self.rows()
        assert bids[0][0] < asks[0][0], "crossed"

    def rows(self):
        return (
            sorted(self.sides["b"].items(), reverse=True),
            sorted(self.sides["a"].items()),
        )


@pytest.mark.parametrize(
    ("category", "answer", "pong"),
    [
        (
            "linear",
            {"success": True, "ret_msg": "", "req_id": "", "op": "subscribe"},
            {"success": True, "ret_msg": "pong", "req_id": "", "op": "ping"},
        ),
        (
            "spot",
            {"success": True, "ret_msg": "subscribe", "op": "subscribe"},
            {"success": True, "ret_msg": "pong", "op": "ping"},
        ),
    ],
)
def test_answers_have_the_shapes_of_their_category(venue, category, answer, pong):
    """The acknowledgement and the pong of spot and of linear are not alike; an id is echoed."""
    socket = venue.public(category)
    for request, wanted in (
        ({"op": "subscribe", "args": [BOOK_50]}, answer),
        ({"op": "ping"}, pong),
    ):
        got = socket.ask(**request)
        assert got.pop("conn_id")
        assert got == wanted
    assert socket.ask(op="ping", req_id="7")["req_id"] == "7"


def test_requests_that_cannot_be_carried_out_are_refused(venue):
    """Unknown topics, spot's eleventh argument, what is no request: nothing is subscribed to."""
    spot = venue.public("spot")
    topics = [f"orderbook.{depth}.BTCUSDT" for depth in (1, 50, 200, 1000)] * 3
    got = spot.ask(op="subscribe", args=topics[:11])
    assert (got["success"], got["ret_msg"], got["op"]) == (False, "args size >10", "subscribe")
    got = spot.ask(op="subscribe", args=[BOOK_50, "invalid.topic.BTCUSDT"])
    assert (got["success"], got["ret_msg"]) == (False, "Invalid topic: invalid.topic.BTCUSDT")
    for text in ("{", "[]", "null", '{"op": 3}', '{"op":"subscribe","args":[3]}', '"x"', "\x00"):
        spot.socket.send(text)
        assert spot.receive()["success"] is False
    assert [m for m in spot.drain(0.4) if "topic" in m] == []
    assert spot.ask(op="subscribe", args=[BOOK_50])["success"]


@pytest.mark.parametrize("category", ["linear", "spot"])
def test_books_chain_and_always_have_their_depth(venue, category):
    """The first is a snapshot; numbers go up by one; each side has exactly so many levels."""
    depths = (50, 200)
    socket = venue.public(category, *(f"orderbook.{d}.BTCUSDT" for d in depths))
    books = {depth: Book() for depth in depths}
    counts = dict.fromkeys(depths, 0)
    while min(counts.values()) < 30:
        message = socket.until(lambda m: m["topic"].startswith("orderbook"))
        depth = int(message["topic"].split(".")[1])
        assert (message["type"] == "snapshot") == (counts[depth] == 0)
        assert message["cts"] <= message["ts"]
        counts[depth] += 1
        books[depth].take(message)
        assert [len(rows) for rows in books[depth].rows()] == [depth, depth]


def test_depths_agree_where_their_sequences_do(venue):
    """At one `seq` the deep book begins with the levels of the shallow one."""
    socket = venue.public("linear", "orderbook.50.BTCUSDT", "orderbook.1000.BTCUSDT")
    books, seen, agreed = {"50": Book(), "1000": Book()}, {"50": {}, "1000": {}}, 0
    while agreed < 3:
        message = socket.until(lambda m: True)
        depth, sequence = message["topic"].split(".")[1], message["data"]["seq"]
        books[depth].take(message)
        seen[depth][sequence] = [rows[:50] for rows in books[depth].rows()]
        other = seen["1000" if depth == "50" else "50"]
        if sequence in other:
            assert seen[depth][sequence] == other[sequence]
            agreed += 1


def test_depth_one_is_snapshots_and_repeats_when_nothing_changes(venue):
    """Of an unchanged book the same snapshot with the same number comes after three seconds."""
    socket = venue.public("linear", "orderbook.1.BTCUSDT")
    first = [socket.until(lambda m: True) for _ in range(20)]
    assert {m["type"] for m in first} == {"snapshot"}
    assert all(b["data"]["u"] == a["data"]["u"] + 1 for a, b in pairwise(first))
    assert all(len(m["data"]["b"]) == len(m["data"]["a"]) == 1 for m in first)
    venue.control("POST", "faults", {"fault": "halt", "symbol": "BTCUSDT", "seconds": 20})
    messages = [*first, *socket.drain(1.0)]
    while True:  # what the exchange had in hand may come late
        last, started = messages[-1]["data"], time.monotonic()
        messages.append(socket.until(lambda m: True))
        if messages[-1]["data"]["u"] == last["u"]:
            break
    assert time.monotonic() - started > 0.5
    repeated = messages[-1]["data"]
    assert repeated["seq"] >= last["seq"], "orders that change no level move it"
    assert repeated | {"seq": 0} == last | {"seq": 0}


def test_a_book_is_sent_whole_again_on_demand(venue):
    """A restart of the numbering begins at 1 and goes on; a snapshot may come at any time."""
    socket = venue.public("linear", BOOK_50, "orderbook.50.ETHUSDT")
    book, others = Book(), []

    def is_ours(message):
        if message["topic"] != BOOK_50:
            others.append(message)
        return message["topic"] == BOOK_50

    book.take(socket.until(is_ours))
    fault = {"fault": "renumber", "streams": "BTCUSDT"}
    assert venue.control("POST", "faults", fault)[0] == 200
    snapshot = socket.until(lambda m: is_ours(m) and m["type"] == "snapshot")
    assert snapshot["data"]["u"] == 1
    book.take(snapshot)
    for _ in range(10):
        book.take(socket.until(is_ours))
    assert venue.control("POST", "faults", {**fault, "restarts": False})[0] == 200
    number = book.number
    again = socket.until(lambda m: is_ours(m) and m["type"] == "snapshot")
    assert again["data"]["u"] >= number
    book.take(again)
    while len(others) < 20:
        book.take(socket.until(is_ours))
    assert {m["type"] for m in others} == {"snapshot", "delta"}
    assert sum(m["type"] == "snapshot" for m in others) == 1


def test_a_lost_delta_is_a_hole_that_a_new_subscription_mends(venue):
    """What the lane of diffs loses is missing in the numbers; the next subscription is whole."""
    socket = venue.public("linear", BOOK_50)
    book = Book()
    book.take(socket.until(lambda m: True))
    venue.control("POST", "faults", {"fault": "lose", "lane": "diffs", "count": 1})
    numbers = [book.number]
    while len(numbers) == 1 or numbers[-1] == numbers[-2] + 1:
        numbers.append(socket.until(lambda m: True)["data"]["u"])
    assert numbers[-1] == numbers[-2] + 2
    assert socket.ask(op="unsubscribe", args=[BOOK_50])["success"]
    assert socket.ask(op="subscribe", args=[BOOK_50])["success"]
    first = socket.until(lambda m: m["type"] == "snapshot")
    book.take(first)
    for _ in range(5):
        book.take(socket.until(lambda m: m["data"]["u"] > first["data"]["u"]))


def test_a_silent_topic_leaves_the_others(venue):
    """Books fall silent, trades and pongs go on."""
    socket = venue.public("linear", BOOK_50, TICKERS)
    venue.control("POST", "faults", {"fault": "silence", "streams": "orderbook", "seconds": 20})
    recent = []
    while len(recent) < 5 or set(recent[-5:]) != {TICKERS}:
        recent.append(socket.until(lambda m: True)["topic"])
        assert len(recent) < 2000, "the book is still heard"
    topics = {socket.until(lambda m: True)["topic"] for _ in range(5)}
    assert topics == {TICKERS}


@pytest.mark.parametrize(("category", "read_id"), [("linear", UUID), ("spot", int)])
def test_trades_have_the_ids_of_their_category(venue, category, read_id):
    """Each trade of the topic is among those that HTTP lists, with the same numbers."""
    socket = venue.public(category, TRADES)
    rows = []
    while len(rows) < 5:
        rows += socket.until(lambda m: m["topic"] == TRADES)["data"]
    query = {"category": category, "symbol": "BTCUSDT", "limit": 1000}
    listed = {row["execId"]: row for row in venue.get("/v5/market/recent-trade", query)["list"]}
    for row in rows:
        read_id(row["i"])
        known = listed[row["i"]]
        assert (row["p"], row["v"], row["S"]) == (known["price"], known["size"], known["side"])
        assert ("L" in row) == (category == "linear")


def test_a_linear_ticker_is_a_snapshot_and_then_what_changed(venue):
    """Merged, the changes give the ticker that HTTP tells, but for what changed since."""
    socket = venue.public("linear", TICKERS)
    messages = [socket.until(lambda m: m["topic"] == TICKERS) for _ in range(6)]
    assert [m["type"] for m in messages] == ["snapshot", *["delta"] * 5]
    merged = {}
    for message in messages:
        changed = {k: v for k, v in message["data"].items() if k != "symbol"}
        assert all(merged.get(name) != text for name, text in changed.items())
        merged |= changed
    query = {"category": "linear", "symbol": "BTCUSDT"}
    assert set(venue.get("/v5/market/tickers", query)["list"][0]) == {*merged, "symbol"}
    spot = venue.public("spot", TICKERS)
    kinds = {spot.until(lambda m: m["topic"] == TICKERS)["type"] for _ in range(3)}
    assert kinds == {"snapshot"}


def form(value):
    """Return the form of a message: its names in order, and the kinds of what they name."""
    if isinstance(value, dict):
        return {name: form(item) for name, item in value.items()}
    if isinstance(value, list):
        return [form(value[0])] if value else []
    return type(value).__name__


def test_messages_have_the_recorded_forms(venue, recordings):
    """Books, trades and answers: the same names in the same order, the same decimals."""
    frames = [json.loads(text) for text in linear_texts(recordings)]
    socket = venue.public("linear")
    mine = [socket.ask(op="subscribe", args=["orderbook.200.BTCUSDT", TRADES, TICKERS])]
    wanted = [("orderbook.200.BTCUSDT", "snapshot"), ("orderbook.200.BTCUSDT", "delta")]
    wanted.append((TRADES, "snapshot"))

    def all_of(messages, topic, kind):
        """Return the messages of a kind with something in each of their fields."""
        found = [m for m in messages if (m.get("topic"), m.get("type")) == (topic, kind)]
        return [m for m in found if "b" not in m["data"] or (m["data"]["b"] and m["data"]["a"])]

    def first(messages, topic, kind):
        return all_of(messages, topic, kind)[0]

    while not all(all_of(mine, *each) for each in [*wanted, (TICKERS, "snapshot")]):
        mine.append(socket.until(lambda m: True))
    for topic, kind in wanted:
        theirs, ours = first(frames, topic, kind), first(mine, topic, kind)
        assert json.dumps(form(ours)) == json.dumps(form(theirs)), topic
    theirs, ours = (first(each, "orderbook.200.BTCUSDT", "snapshot") for each in (frames, mine))
    for theirs_text, ours_text in zip(theirs["data"]["b"][0], ours["data"]["b"][0], strict=True):
        assert len(theirs_text.partition(".")[2]) == len(ours_text.partition(".")[2])
    answer = next(m for m in frames if m.get("op") == "subscribe")
    assert form(mine[0]) == form(answer)
    theirs, ours = (first(each, TICKERS, "snapshot") for each in (frames, mine))
    assert list(theirs) == list(ours)
    assert set(ours["data"]) <= set(theirs["data"])
