"""Replaying a recording of Bybit: messages verbatim, books for those who come later, our orders."""

import contextlib
import json
import time

import pytest
from bybit_client import BybitClient, limit_order, market_order, request
from bybit_recordings import STEPS, ScriptedRecording, moving_market
from engines import until

from procs.exchange.bybit.recordings.recorded_messages import read_messages
from procs.exchange.recordings.recording_lines import recording_in

SPEED_MAX = ("--speed", "max")


@pytest.fixture
def play(start_exchange, tmp_path):
    """Return the function that plays a recording; it gives the exchange's client."""
    with contextlib.ExitStack() as running:

        def start(recording, *options):
            path = recording.save(tmp_path / "recording.jsonl.gz")
            process = running.enter_context(start_exchange("--capture", str(path), *options))
            # The client's addresses are those of linear; both categories share the ports.
            ports = {"bybit_linear": process.ports[f"bybit_{recording.category}"]}
            client = BybitClient({**process.ports, **ports}, process.key, process.secret)
            running.callback(client.close)
            return client

        yield start


def is_finished(client):
    return client.http("GET", "/vortex/status", signed=False)[2]["capture_finished"]


def apply(book, message):
    """Take a message of a book as the venue's documents say; numbers must go on by one."""
    data = message["data"]
    if message["type"] == "snapshot":
        book.clear()
    else:
        assert data["u"] == book["u"] + 1
    for side in "ba":
        for price, qty in data[side]:
            book[side, price] = qty
            if float(qty) == 0:
                del book[side, price]
    book["u"] = data["u"]


@pytest.mark.parametrize("category", ["linear", "spot"])
def test_messages_are_verbatim_and_later_listeners_get_the_book_of_now(play, category):
    recording = ScriptedRecording(category)
    recording.instruments(("TESTUSDT", "TEST", "USDT", *STEPS[category]))
    moving_market(recording, "TESTUSDT", 100.0, 0.1, 120, 2 if category == "linear" else 1)
    client = play(recording, *SPEED_MAX)
    row = client.get("/v5/market/instruments-info", {"category": category})["list"]
    assert [each["symbol"] for each in row] == ["TESTUSDT"]
    topics = ["orderbook.200.TESTUSDT", "publicTrade.TESTUSDT", "tickers.TESTUSDT"]
    socket = client.connect(client.urls["stream_url"])
    socket.send(op="subscribe", args=topics)
    texts, known = [], {}
    while len(texts) < len(recording.texts):
        text = socket.socket.recv()
        if '"topic"' in text:
            texts.append(text)
    assert texts == recording.texts
    for message in map(json.loads, texts):
        if message["topic"] == topics[0]:
            apply(known, message)
    until(lambda: is_finished(client), "the recording is over")
    late = client.connect(client.urls["stream_url"])
    late.send(op="subscribe", args=topics)
    got, book = {}, {}
    while len(got) < 2:
        message = late.receive()
        got |= {message["topic"]: message} if "topic" in message else {}
    apply(book, got[topics[0]])
    assert book == known
    keys = list(json.loads(recording.texts[1]))
    assert list(got[topics[0]]) == keys, "in the order of the category"
    assert got["tickers.TESTUSDT"]["data"]["bid1Price"] == max(
        (price for side, price in (key for key in known if key != "u") if side == "b"), key=float
    )


def test_a_listener_that_subscribes_again_meanwhile_goes_on_from_a_snapshot(play):
    recording = ScriptedRecording(every_ms=20)
    moving_market(recording, "TESTUSDT", 100.0, 0.1, 100, 2)
    client = play(recording)
    topic = "orderbook.200.TESTUSDT"
    socket = client.public("linear", topic)
    book, rounds = {}, 0
    last = json.loads([text for text in recording.texts if topic in text][-1])["data"]["u"]
    while book.get("u") != last:
        message = socket.receive()
        if message.get("topic") == topic:
            apply(book, message)
        if message.get("topic") == topic and message["data"]["u"] % 20 == 0 and rounds < 3:
            rounds += 1
            socket.send(op="unsubscribe", args=[topic])
            socket.send(op="subscribe", args=[topic])
            while message.get("type") != "snapshot":
                message = socket.receive()
            apply(book, message)
    assert rounds == 3


def test_orders_fill_as_the_recording_trades(play):
    """Queue position, trade-through, crossing books and takers; block trades fill nothing."""
    recording = ScriptedRecording(every_ms=1)
    recording.instruments(("BTCUSDT", "BTC", "USDT", "0.10", "0.001"))
    bids, asks = [["50000.00", "1.000"]], [["50000.10", "2.000"]]
    recording.book("BTCUSDT", "snapshot", bids, asks)
    recording.trade("BTCUSDT", "Sell", "50000.00", "0.600")
    recording.now_ms += 4000
    recording.trade("BTCUSDT", "Sell", "49000.00", "9.000", is_block=True)
    recording.trade("BTCUSDT", "Sell", "50000.00", "1.001")  # behind 1.0: 0.001 of ours
    recording.trade("BTCUSDT", "Sell", "49990.00", "0.001")  # through the lower bid
    moved = [["50000.10", "0"], ["50020.10", "1.000"]]
    recording.book("BTCUSDT", "delta", [["50000.00", "0"], ["50020.00", "1.000"]], moved)
    client = play(recording)
    private = client.private("order.linear", "execution.linear")
    public = client.public("linear", "orderbook.200.BTCUSDT")
    assert public.until(lambda message: message["type"] == "snapshot")["data"]["b"] == bids
    trade = client.trade()
    names = {}

    def place(name, price, **changes):
        order = limit_order(price, qty="0.002", timeInForce="PostOnly", **changes)
        names[order["orderLinkId"]] = name
        assert trade.ask(**request("create", order))["retCode"] == 0

    place("touch", "50000.00")
    place("below", "49995.00")
    place("above", "50010.00", side="Sell")
    place("cross", "50000.10")
    assert trade.ask(**request("create", market_order(qty="0.003")))["retCode"] == 0
    fills, states = [], {}
    deadline = time.monotonic() + 20
    while len(fills) < 5 and time.monotonic() < deadline:
        message = private.receive()
        for row in message.get("data", []) if "topic" in message else []:
            name = names.get(row["orderLinkId"], "taker")
            if message["topic"].startswith("order"):
                states[name] = row["orderStatus"], row["rejectReason"]
            else:
                fills.append((name, row["execPrice"], row["execQty"], row["isMaker"]))
    assert fills == [
        ("taker", "50000.10", "0.003", False),
        ("touch", "50000.00", "0.001", True),
        ("touch", "50000.00", "0.001", True),
        ("below", "49995.00", "0.002", True),
        ("above", "50010.00", "0.002", True),
    ]
    assert states["cross"] == ("Cancelled", "EC_PostOnlyWillTakeLiquidity")
    assert client.position()["size"] == "0.005"


def test_the_deepest_book_has_the_usual_name_too(play):
    """A recording of 50 levels is what a client of 200 levels gets, and says so."""
    recording = ScriptedRecording()
    recording.book("BTCUSDT", "snapshot", [["60000.00", "1"]], [["60000.10", "1"]], depth=50)
    recording.book("BTCUSDT", "delta", [["60000.00", "2"]], [], depth=50)
    client = play(recording, *SPEED_MAX)
    socket = client.public("linear", "orderbook.200.BTCUSDT")
    wanted = [text.replace("orderbook.50", "orderbook.200") for text in recording.texts]
    assert [socket.socket.recv() for _ in wanted] == wanted


def test_a_recording_is_served_whole(start_exchange, recordings):
    """Every message of its topics, of four symbols, in order."""
    path = recording_in(recordings / "captures/bybit_linear")
    wanted = [each.text.decode() for each in read_messages(path) if b'{"topic"' in each.text[:9]]
    topics = list(dict.fromkeys(json.loads(text)["topic"] for text in wanted))
    assert len(wanted) > 30
    with start_exchange("--capture", str(path), *SPEED_MAX) as process:
        client = BybitClient(process.ports, process.key, process.secret)
        socket = client.connect(client.urls["stream_url"])
        socket.send(op="subscribe", args=topics)
        got = []
        while len(got) < len(wanted):
            text = socket.socket.recv()
            if text.startswith('{"topic"'):
                got.append(text)
        client.close()
    assert got == wanted
