"""The peer of ``wire_to_wire`` answers as a venue does, and finds orders that are wrong or missing.

The engine's side is played by a slow client here; one test runs the engine itself, briefly.
"""

import contextlib
import json
import socket
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from numba import types
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Request, TextMessage

from tools.bench import wire_loops, wire_to_wire
from tools.bench.frames import price_text
from tools.bench.signed import read_request, signature_of
from tools.bench.wire_market import SPREAD_TICKS, Market, bid_ticks_of
from tools.bench.wire_peer import HALF_SPREAD_TICKS, Peer, Segment, joined
from tools.bench.wire_venue import Venue

SECRET = b"a secret of this test"
HALF = SPREAD_TICKS // 2
RATE, TICK_COUNT = 200, 20


class Client:
    """A trader that quotes a bid at each tick, with wsproto, json and hmac."""

    def __init__(self, venue, fault=""):
        self.fault = fault
        self.answers = []
        self.order_count = 0
        feed_near, feed_far = socket.socketpair()
        order_near, order_far = socket.socketpair()
        self.feed, self.orders = opened(), opened()
        venue.feed, venue.orders = Accepted(feed_far), Accepted(order_far)
        self.sockets = [feed_near, order_near, feed_far, order_far]
        self.feed_socket, self.order_socket = feed_near, order_near
        for near in (feed_near, order_near):
            near.settimeout(5)
        self.threads = [threading.Thread(target=run) for run in (self.read_answers, self.follow)]
        for thread in self.threads:
            thread.start()

    def messages(self, connection, near):
        while True:
            try:
                data = near.recv(65_536)
            except OSError:
                return
            if not data:
                return
            connection.receive_data(data)
            for event in connection.events():
                assert isinstance(event, TextMessage)
                yield json.loads(event.data)

    def read_answers(self):
        for message in self.messages(self.orders, self.order_socket):
            self.answers.append(message)

    def follow(self):
        for message in self.messages(self.feed, self.feed_socket):
            if message["stream"].endswith("bookTicker"):
                self.quote(message["data"]["b"])

    def quote(self, bid):
        self.order_count += 1
        number = self.order_count
        if self.fault == "silent" and number > 5:
            return
        ticks = round(float(bid) * 100) + HALF - HALF_SPREAD_TICKS
        if self.fault == "price":
            ticks -= 5_000
        params = {
            "apiKey": "k",
            "newClientOrderId": f"v00000001-0001-{number:012x}",
            "price": price_text(ticks),
            "quantity": "0.00100000",
            "side": "BUY",
            "symbol": "BTCUSDT",
            "timestamp": 1_723_161_255_000,
        }
        if number > 1:
            params["cancelOrigClientOrderId"] = f"v00000001-0001-{number - 1:012x}"
        key = b"wrong" if self.fault == "signature" else SECRET
        params["signature"] = signature_of(params, key)
        method = "order.place" if number == 1 else "order.cancelReplace"
        request = {"id": f"{number:016x}", "method": method, "params": params}
        text = json.dumps(request, separators=(",", ":"))
        with contextlib.suppress(OSError):  # the peer may have left at a fault that it found
            self.order_socket.sendall(self.orders.send(TextMessage(data=text)))

    def close(self):
        """End both readers, and only then give up the sockets that they read."""
        for near in (self.feed_socket, self.order_socket):
            near.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join()
        for end in self.sockets:
            end.close()


class Accepted:
    """The venue's end of a connection whose handshake is done."""

    def __init__(self, connected):
        self.socket = connected
        self.tls_address = 0
        connected.setblocking(False)


def opened():
    """Return a client's end of a connection whose handshake is done."""
    client, server = WSConnection(ConnectionType.CLIENT), WSConnection(ConnectionType.SERVER)
    server.receive_data(client.send(Request(host="venue", target="/")))
    assert list(server.events())
    client.receive_data(server.send(AcceptConnection()))
    assert list(client.events())
    return client


@pytest.fixture
def market():
    return Market()


@pytest.fixture
def venue(market):
    venue = Venue(market, SECRET)
    yield venue
    venue.feed = venue.orders = None
    venue.close()


@pytest.fixture(scope="module", autouse=True)
def _compiled():
    """Compile the peer's loop before a client waits for it."""
    wire_loops.drive.compile((types.int64, types.int64, types.int64))


def run(venue, market, fault=""):
    peer = Peer()
    client = Client(venue, fault)
    peer.take_over(venue)
    batch = market.batch(RATE, TICK_COUNT)
    try:
        peer.drive(batch)
        return peer.judge(batch, venue), client
    finally:
        client.close()


def test_each_frame_is_timed_to_the_order_that_it_caused(venue, market):
    segment, client = run(venue, market)
    assert segment.request_count == client.order_count == TICK_COUNT
    assert segment.order_count == TICK_COUNT
    assert np.all(segment.latency_ns > 0)


def test_a_replacement_is_answered_and_reported_as_the_venue_does(venue, market):
    _, client = run(venue, market)
    replies = [answer for answer in client.answers if answer.get("id") == f"{2:016x}"]
    result = replies[0]["result"]
    assert result["cancelResult"] == result["newOrderResult"] == "SUCCESS"
    assert result["cancelResponse"]["origClientOrderId"] == f"v00000001-0001-{1:012x}"
    first = price_text(bid_ticks_of(0) + HALF - HALF_SPREAD_TICKS)
    assert result["cancelResponse"]["price"] == first
    assert result["newOrderResponse"]["clientOrderId"] == f"v00000001-0001-{2:012x}"
    reports = [answer["event"] for answer in client.answers if "event" in answer]
    assert [report["x"] for report in reports[:3]] == ["NEW", "CANCELED", "NEW"]
    assert reports[1]["C"] == f"v00000001-0001-{1:012x}"
    assert reports[1]["i"] == 1
    assert reports[2]["i"] == 2


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("silent", "frames got no order"),
        ("price", "no frame explains"),
        ("signature", "wrong signature"),
    ],
)
def test_a_wrong_or_missing_order_is_found(venue, market, fault, message):
    with pytest.raises(AssertionError, match=message):
        run(venue, market, fault)


def test_the_market_is_one_chain_whose_levels_agree_with_its_tickers(market):
    first = market.depth_id
    for _ in range(3):
        batch = market.batch(100, 25)
        client = opened()
        client.receive_data(batch.buffer.tobytes())
        messages = [json.loads(event.data)["data"] for event in client.events()]
        newest = None
        for data in messages:
            if "U" not in data:
                newest = data
                continue
            assert data["U"] == first + 1
            first = data["u"]
            assert [newest["b"], newest["B"]] == data["b"][-1]
            assert [newest["a"], newest["A"]] == data["a"][-1]
    assert json.loads(market.snapshot())["lastUpdateId"] == first


def test_the_venue_sends_its_time_unsigned_and_our_balances_signed(venue):
    sent = []
    side = SimpleNamespace(send_json=sent.append)
    asked = read_request(b'{"id":"a","method":"time","params":{}}', SECRET)
    venue.answer(side, asked)
    venue.answer(side, {"id": "b", "method": "account.status", "params": {}})
    assert abs(sent[0]["result"]["serverTime"] - time.time() * 1000) < 60_000
    assert sent[1]["result"]["balances"] == []
    with pytest.raises(KeyError):
        read_request(b'{"id":"b","method":"account.status","params":{}}', SECRET)


def test_the_venue_cancels_open_orders_when_the_engine_leaves(venue):
    sent = []
    side = SimpleNamespace(send_json=sent.append)
    venue.standing["BUY"] = ("v00000001-0001-00000000000a", "60000.00", "0.00100000")
    params = {"timestamp": 5}
    venue.answer(side, {"id": "x", "method": "openOrders.cancelAll", "params": params})
    assert sent[0]["result"][0]["orderId"] == 10
    assert sent[1]["event"]["x"] == "CANCELED"
    assert venue.standing == {}


@pytest.mark.skipif(
    wire_to_wire.house_cpu() == wire_to_wire.engine_cpu("one process"),
    reason="the peer and the engine need a CPU each",
)
@pytest.mark.timeout(1200)
def test_the_engine_answers_every_frame_in_every_layout(monkeypatch):
    monkeypatch.setattr(wire_to_wire, "PLAIN_LAYOUTS", tuple(wire_to_wire.LAYOUTS))
    result = wire_to_wire.run(1.2, rates=(100,), pair_count=1)
    shown = "\n".join(wire_to_wire.lines(result))
    for layout, figure in result["figures"]["100"].items():
        assert figure["frame_count"] == 20
        assert figure["request_count"] >= figure["frame_count"] / figure["frames_an_order"]
        assert figure["engine_report"]["dropped"] == 0
        assert f"100 frames/s, {layout}" in shown
    pids = {
        layout: {place["pid"] for place in figure["placement"].values()}
        for layout, figure in result["figures"]["100"].items()
    }
    assert {layout: len(found) for layout, found in pids.items()} == {
        "four processes": 4, "one process": 1, "four processes, TLS": 4,
    }  # fmt: skip


def test_a_segment_is_measured_in_bursts(monkeypatch):
    monkeypatch.setattr(wire_to_wire, "REST_S", 0)
    assert list(wire_to_wire.bursts(1_000, 1_000)) == [300, 300, 300, 100]
    assert list(wire_to_wire.bursts(1, 3)) == [1, 1, 1]
    part = Segment(np.array([1, 2]), 5, 2, 7), Segment(np.array([3]), 4, 1, 9)
    whole = joined(list(part))
    assert whole.latency_ns.tolist() == [1, 2, 3]
    assert (whole.request_count, whole.order_count, whole.late_ns_max) == (9, 3, 9)


def test_a_ratio_over_its_bar_is_named():
    ratios = {"p50": {"median": 2.9}, "p90": {"median": 3.6}}
    bar, over = wire_to_wire.bar_lines(wire_to_wire.BARS["four processes"], ratios)
    assert bar.split()[-3:] == ["3.00", "3.50", "4.00"]
    assert over.endswith("over the bar: P90, P99")
    bar, over = wire_to_wire.bar_lines(wire_to_wire.BARS["one process"], {"p50": {"median": 1.5}})
    assert bar.split()[-3:] == ["1.50", "-", "-"]
    assert over.endswith(": none")
