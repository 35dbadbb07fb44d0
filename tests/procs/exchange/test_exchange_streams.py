"""Market streams: the chain of diffs, bookTicker, trades, control messages."""

import contextlib
import json
import time
from decimal import Decimal

import websocket


class Ladder:
    """A book kept by the venue's own rules, in decimals."""

    def __init__(self, snapshot):
        self.update_id = snapshot["lastUpdateId"]
        self.bids = {Decimal(p): Decimal(q) for p, q in snapshot["bids"]}
        self.asks = {Decimal(p): Decimal(q) for p, q in snapshot["asks"]}
        self.is_chained = False

    def apply(self, diff):
        if diff["u"] <= self.update_id:
            return
        if self.is_chained:
            assert diff["U"] == self.update_id + 1
        else:
            assert diff["U"] <= self.update_id + 1 <= diff["u"]
            self.is_chained = True
        for side, rows in ((self.bids, diff["b"]), (self.asks, diff["a"])):
            for price, qty in rows:
                assert len(price.split(".")[1]) == len(qty.split(".")[1]) == 8
                side[Decimal(price)] = Decimal(qty)
                if not Decimal(qty):
                    del side[Decimal(price)]
        self.update_id = diff["u"]


def is_closed(stream):
    """Return whether the server ends the connection; times out when it does not."""
    try:
        while True:
            frame = stream.recv_frame()
            if frame.opcode == websocket.ABNF.OPCODE_CLOSE:
                return True
    except (websocket.WebSocketConnectionClosedException, ConnectionError):
        return True


def test_diffs_lead_from_one_snapshot_to_the_next(exchange):
    """A snapshot plus the chain of diffs gives exactly a later snapshot at its update id."""
    stream = exchange.connect("/ws/btcusdt@depth@100ms")
    first = json.loads(stream.recv())
    assert list(first) == ["e", "E", "s", "U", "u", "b", "a"]
    path = "/api/v3/depth?symbol=BTCUSDT&limit=5000"
    ladder = Ladder(exchange.rest("GET", path, signed=False)[1])
    ladder.apply(first)
    for _ in range(20):
        ladder.apply(json.loads(stream.recv()))
    # A diff ends where its window ends; a snapshot may lie inside one.  The next diff brings the
    # snapshot's book to the ladder's.
    later = Ladder(exchange.rest("GET", path, signed=False)[1])
    while ladder.update_id < later.update_id or not later.is_chained:
        diff = json.loads(stream.recv())
        ladder.apply(diff)
        later.apply(diff)
    assert ladder.update_id == later.update_id
    assert ladder.bids == later.bids
    assert ladder.asks == later.asks
    assert max(ladder.bids) < min(ladder.asks)


def test_book_ticker_agrees_with_diffs_and_trades_count_up(exchange):
    """On one socket: bookTicker ids rise, trade ids rise by one, partial depth is the book."""
    names = ("depth@100ms", "bookTicker", "trade", "depth5@100ms")
    stream = exchange.connect("/stream?streams=" + "/".join(f"ethusdt@{n}" for n in names))
    path = "/api/v3/depth?symbol=ETHUSDT&limit=5000"
    seen = {f"ethusdt@{name}": [] for name in names}
    ladder, diffs, partial_count = None, [], 0
    while partial_count < 10 or len(seen["ethusdt@trade"]) < 3:
        message = json.loads(stream.recv())
        assert list(message) == ["stream", "data"]
        name, data = message["stream"], message["data"]
        seen[name].append(data)
        if name.endswith("@depth@100ms"):
            diffs.append(data)
            if ladder is None:
                ladder = Ladder(exchange.rest("GET", path, signed=False)[1])
            for diff in diffs:
                ladder.apply(diff)
            diffs.clear()
        if name.endswith("depth5@100ms") and ladder and ladder.update_id == data["lastUpdateId"]:
            partial_count += 1
            best = sorted(ladder.bids.items(), reverse=True)[:5]
            assert [(Decimal(p), Decimal(q)) for p, q in data["bids"]] == best
    tickers = [data["u"] for data in seen["ethusdt@bookTicker"]]
    assert tickers == sorted(set(tickers))
    trades = [data["t"] for data in seen["ethusdt@trade"]]
    assert trades == list(range(trades[0], trades[0] + len(trades)))


def test_control_messages(exchange):
    """SUBSCRIBE, LIST and UNSUBSCRIBE answer as the venue does; nonsense is refused politely."""
    stream = exchange.connect("/ws")
    stream.send(json.dumps({"method": "SUBSCRIBE", "params": ["btcusdt@bookTicker"], "id": 1}))
    assert json.loads(stream.recv()) == {"result": None, "id": 1}
    assert json.loads(stream.recv())["s"] == "BTCUSDT"
    stream.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": "x"}))
    replies = iter(lambda: json.loads(stream.recv()), None)
    assert next(r for r in replies if "id" in r) == {"result": ["btcusdt@bookTicker"], "id": "x"}
    stream.send(json.dumps({"method": "UNSUBSCRIBE", "params": ["btcusdt@bookTicker"], "id": 2}))
    assert next(r for r in replies if "id" in r) == {"result": None, "id": 2}
    stream.send(json.dumps({"method": "SUBSCRIBE", "params": "btcusdt@trade", "id": 3}))
    assert json.loads(stream.recv())["error"]["code"] == 2


def test_unknown_stream_is_silent_but_alive(exchange):
    """A name that does not exist is accepted; nothing comes but the answers to our pings."""
    stream = exchange.connect("/ws/nosuch@depth@100ms")
    stream.ping("hello")
    code, payload = stream.recv_data(control_frame=True)
    assert (code, payload) == (websocket.ABNF.OPCODE_PONG, b"hello")


def test_too_many_client_frames_are_fatal(exchange):
    """More than five frames in a second close the connection."""
    stream = exchange.connect("/ws/nosuch@trade")
    with contextlib.suppress(ConnectionError):  # it may be closed before the last one is sent
        for number in range(20):
            stream.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
    assert is_closed(stream)


def test_server_pings_and_drops_the_silent(start_exchange):
    """Pings carry the time in milliseconds; who never answers is disconnected."""
    config = "ping_interval_s = 0.2\npong_timeout_s = 0.6\n"
    with start_exchange(config=config) as client:
        stream = client.connect("/ws/nosuch@trade")
        frame = stream.recv_frame()
        assert frame.opcode == websocket.ABNF.OPCODE_PING
        assert abs(int(frame.data) / 1000 - time.time()) < 60
        assert is_closed(stream)
