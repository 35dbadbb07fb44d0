"""Replaying a recording: frames verbatim, the snapshot in its place, our orders beside them."""

import gzip
import json
import threading
import time

import pytest
from recordings import SPOT, spot_texts

SYMBOL = "btcusdt"
FIRST_NS = 1_700_000_000_000_000_000


class Recording:
    """A small recording: one bid and one ask level that trades and quotes move."""

    def __init__(self):
        self.lines, self.update_id, self.trade_id, self.now_ns = [], 100, 0, FIRST_NS

    def add(self, text, wait_ms=1):
        self.now_ns += wait_ms * 1_000_000
        self.lines.append((self.now_ns, text))

    def frame(self, kind, data, **timing):
        text = json.dumps({"stream": f"{SYMBOL}@{kind}", "data": data}, separators=(",", ":"))
        self.add(text, **timing)

    def diff(self, bids, asks, **timing):
        first, self.update_id = self.update_id + 1, self.update_id + 3
        data = {"e": "depthUpdate", "E": 1, "s": "BTCUSDT", "U": first, "u": self.update_id}
        self.frame("depth@100ms", {**data, "b": bids, "a": asks}, **timing)

    def quote(self, bid, ask, **timing):
        data = {"u": self.update_id, "s": "BTCUSDT", "b": bid, "B": "1.00000000"}
        self.frame("bookTicker", {**data, "a": ask, "A": "2.00000000"}, **timing)

    def trade(self, price, qty, buyer_is_maker, **timing):
        self.trade_id += 1
        data = {"e": "trade", "E": 1, "s": "BTCUSDT", "t": self.trade_id, "p": price, "q": qty}
        self.frame("trade", {**data, "T": 1, "m": buyer_is_maker, "M": True}, **timing)

    def snapshot(self, update_id, bids, asks):
        body = {"lastUpdateId": update_id, "bids": bids, "asks": asks}
        self.add(json.dumps(body, separators=(",", ":")))

    def save(self, path):
        with gzip.open(path, "wt") as file:
            file.writelines(f"{stamp} {text}\n" for stamp, text in self.lines)
        return path

    def frames(self):
        return [text for _, text in self.lines if not text.startswith('{"lastUpdateId"')]


LEVELS = ([["50000.00000000", "1.00000000"]], [["50000.10000000", "2.00000000"]])
STREAMS = "/".join(f"{SYMBOL}@{kind}" for kind in ("depth@100ms", "bookTicker", "trade"))


def simple_recording(snapshot):
    recording = Recording()
    for number in range(200):
        recording.diff([["49999.00000000", f"{1 + number}.00000000"]], [])
        recording.quote("50000.00000000", "50000.10000000")
        recording.trade("50000.00000000", "0.00100000", True)
        if snapshot and number == 100:
            recording.snapshot(recording.update_id - 30, *LEVELS)
    return recording


@pytest.mark.parametrize("speed", ["max", "10"])
def test_frames_are_verbatim_and_the_snapshot_keeps_its_place(start_exchange, tmp_path, speed):
    """Wrapped clients get each line, bare ones the data in it; depth waits for its place."""
    recording = simple_recording(snapshot=True)
    path = recording.save(tmp_path / "small.jsonl.gz")
    with start_exchange("--capture", str(path), "--speed", speed) as client:
        books = []
        target = "/api/v3/depth?symbol=BTCUSDT&limit=1000"
        early = threading.Thread(
            target=lambda: books.append(client.rest("GET", target, signed=False)[1])
        )
        early.start()
        _, info = client.rest("GET", "/api/v3/exchangeInfo", signed=False)
        assert [row["symbol"] for row in info["symbols"]] == ["BTCUSDT"]
        assert not books
        wrapped = client.connect(f"/stream?streams={STREAMS}")
        bare = client.connect(f"/ws/{SYMBOL}@trade")
        wanted = recording.frames()
        assert [wrapped.recv() for _ in wanted] == wanted
        trades = [frame for frame in wanted if "@trade" in frame]
        datas = [frame.partition('"data":')[2][:-1] for frame in trades]
        assert [bare.recv() for _ in datas] == datas
        early.join(timeout=20)
        snapshot = next(text for _, text in recording.lines if text.startswith('{"last'))
        assert books == [json.loads(snapshot)]
        later = client.rest("GET", target, signed=False)[1]
        assert later["lastUpdateId"] == recording.update_id
        assert ["49999.00000000", "200.00000000"] in later["bids"]
        deadline = time.monotonic() + 20
        finished = False
        while not finished and time.monotonic() < deadline:
            finished = client.rest("GET", "/vortex/status", signed=False)[1]["capture_finished"]
        assert finished
        wrapped.ping("still there")
        assert wrapped.recv_frame().data == b"still there"


def test_without_a_snapshot_the_diffs_make_one(start_exchange, tmp_path):
    """A recording with no snapshot line answers depth with the levels of its diffs."""
    recording = simple_recording(snapshot=False)
    path = recording.save(tmp_path / "small.jsonl.gz")
    with start_exchange("--capture", str(path), "--speed", "max") as client:
        stream = client.connect(f"/stream?streams={STREAMS}")
        for _ in recording.frames():
            stream.recv()
        api = client.api()
        book = api.call("depth", {"symbol": "BTCUSDT", "limit": 5}, signed=False)["result"]
        assert book["lastUpdateId"] == recording.update_id
        assert book["bids"] == [["49999.00000000", "200.00000000"]]


def test_orders_fill_as_the_recording_trades(start_exchange, tmp_path):
    """Queue position, trade-through, crossing quotes and takers at the last best price."""
    recording = Recording()
    recording.snapshot(100, *LEVELS)
    recording.quote("50000.00000000", "50000.10000000")
    recording.trade("50000.00000000", "0.60000000", True, wait_ms=4000)  # behind 1.0: 0.4 left
    recording.trade("50000.00000000", "0.40100000", True, wait_ms=100)  # then 0.001 of ours
    recording.trade("49990.00000000", "0.00100000", True, wait_ms=100)  # through the lower bid
    recording.quote("50020.00000000", "50020.10000000", wait_ms=100)  # crosses our ask
    path = recording.save(tmp_path / "small.jsonl.gz")
    with start_exchange("--capture", str(path)) as client:
        stream = client.connect(f"/stream?streams={STREAMS}")
        stream.recv()
        api = client.api().subscribe()
        post = {"symbol": "BTCUSDT", "type": "LIMIT_MAKER", "quantity": "0.00200"}

        def place(name, side, price):
            order = {**post, "newClientOrderId": name, "side": side, "price": price}
            return api.call("order.place", order)

        assert place("touch", "BUY", "50000.00")["status"] == 200
        assert place("below", "BUY", "49995.00")["status"] == 200
        assert place("above", "SELL", "50010.00")["status"] == 200
        assert place("cross", "BUY", "50000.10")["error"]["code"] == -2010
        market = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.00300"}
        taken = api.call("order.place", market)["result"]
        assert [(f["price"], f["qty"]) for f in taken["fills"]] == [
            ("50000.10000000", "0.00300000")
        ]
        part = api.until_execution("TRADE", "touch")
        assert (part["l"], part["L"], part["m"], part["X"]) == (
            "0.00100000",
            "50000.00000000",
            True,
            "PARTIALLY_FILLED",
        )
        rest = api.until_execution("TRADE", "touch")
        assert (rest["L"], rest["X"]) == ("50000.00000000", "FILLED")
        assert api.until_execution("TRADE", "below")["L"] == "49995.00000000"
        assert api.until_execution("TRADE", "above")["L"] == "50010.00000000"


def test_the_recorded_capture_is_served_whole(start_exchange, recordings):
    """A long recording: every frame verbatim, the tick and lot of its symbol, its snapshot."""
    path = recordings / SPOT
    lines = [text.decode() for text in spot_texts(recordings)]
    wanted = [line for line in lines if not line.startswith('{"lastUpdateId"')]
    with start_exchange("--capture", str(path), "--speed", "max") as client:
        _, info = client.rest("GET", "/api/v3/exchangeInfo", signed=False)
        filters = {f["filterType"]: f for f in info["symbols"][0]["filters"]}
        assert filters["PRICE_FILTER"]["tickSize"] == "0.01000000"
        assert filters["LOT_SIZE"]["stepSize"] == "0.00001000"
        stream = client.connect(f"/stream?streams={STREAMS}")
        for line in wanted:
            assert stream.recv() == line
        book = client.rest("GET", "/api/v3/depth?symbol=BTCUSDT&limit=5000", signed=False)[1]
        assert book == json.loads(next(line for line in lines if line.startswith('{"last')))
