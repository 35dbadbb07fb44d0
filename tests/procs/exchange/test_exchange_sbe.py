"""The binary streams: who may hear them, and that they say what the text streams say."""

import json
import struct

import pytest
import websocket

BINARY, TEXT = websocket.ABNF.OPCODE_BINARY, websocket.ABNF.OPCODE_TEXT
E8 = 10**8


def e8(text):
    whole, fraction = text.split(".")
    return int(whole) * E8 + int(fraction.ljust(8, "0"))


def levels(rows):
    return [(e8(price), e8(qty)) for price, qty in rows]


class Cursor:
    """Unpacks from the front."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, layout):
        fields = struct.unpack_from(layout, self.data, self.at)
        self.at += struct.calcsize(layout)
        return fields

    def group(self, dimensions, entry):
        size, count = self.take(dimensions)
        assert size == struct.calcsize(entry)
        return [self.take(entry) for _ in range(count)]


def read(data):
    """Return a binary message as a dictionary with the names of the text streams."""
    cursor = Cursor(data)
    size, template_id, schema_id, version = cursor.take("<HHHH")
    assert (schema_id, version) == (1, 0)
    root = {10000: "<qqbb", 10001: "<qqbbqqqq", 10002: "<qqbb", 10003: "<qqqbb"}[template_id]
    assert size == struct.calcsize(root)
    fields = cursor.take(root)
    if template_id == 10000:
        assert fields[2:] == (-8, -8)
        message = {"trades": cursor.group("<HI", "<qqqB"), "T": fields[1]}
    elif template_id == 10001:
        assert fields[2:4] == (-8, -8)
        message = {"u": fields[1], "touch": fields[4:]}
    else:
        assert fields[-2:] == (-8, -8)
        message = {"ids": fields[1:-2], "bids": cursor.group("<HH", "<qq")}
        message["asks"] = cursor.group("<HH", "<qq")
    (length,) = cursor.take("<B")
    message["symbol"] = data[cursor.at :].decode()
    assert len(message["symbol"]) == length
    return message | {"kind": template_id, "E": fields[0]}


def messages(stream):
    """Yield what a binary stream says."""
    while True:
        opcode, data = stream.recv_data()
        assert opcode == BINARY
        yield read(data)


@pytest.mark.parametrize("key", ["", "nobody's"])
def test_without_a_key_nobody_is_let_in(exchange, key):
    """The handshake is refused as REST refuses such a key."""
    with pytest.raises(websocket.WebSocketBadStatusException) as caught:
        exchange.connect_binary("/ws/btcusdt@trade", key)
    assert caught.value.status_code == 401
    assert json.loads(caught.value.resp_body)["code"] == (-2015 if key else -2014)


def test_control_messages_are_text(exchange):
    """Replies are JSON among binary frames, and a combined stream has no envelope."""
    stream = exchange.connect_binary("/stream", exchange.key)
    names = ["btcusdt@bestBidAsk"]
    stream.send(json.dumps({"method": "SUBSCRIBE", "params": names, "id": 1}))
    assert json.loads(stream.recv_data()[1]) == {"result": None, "id": 1}
    assert next(messages(stream))["symbol"] == "BTCUSDT"
    stream.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": "x"}))
    while (frame := stream.recv_data())[0] != TEXT:
        pass
    assert json.loads(frame[1]) == {"result": names, "id": "x"}


def test_touch_and_trades_are_those_of_the_text_streams(exchange):
    """Each best bid and ask and each trade that both streams tell is the same."""
    binary = exchange.connect_binary(
        "/stream?streams=ethusdt@bestBidAsk/ethusdt@trade", exchange.key
    )
    text = exchange.connect("/stream?streams=ethusdt@bookTicker/ethusdt@trade")
    ours, theirs = {}, {}
    stream, largest = messages(binary), 0
    while len(ours.keys() & theirs.keys()) < 200 or largest < 2:
        message = next(stream)
        if message["kind"] == 10001:
            ours["touch", message["u"]] = message["touch"]
        else:
            largest = max(largest, len(message["trades"]))
            for number, *rest in message["trades"]:
                ours["trade", number] = (message["T"], *rest)
        data = json.loads(text.recv())["data"]
        if "t" in data:
            row = (data["T"] * 1000, e8(data["p"]), e8(data["q"]), int(data["m"]))
            theirs["trade", data["t"]] = row
        else:
            theirs["touch", data["u"]] = tuple(e8(data[key]) for key in "bBaA")
    both = ours.keys() & theirs.keys()
    assert {key: ours[key] for key in both} == {key: theirs[key] for key in both}
    numbers = sorted(number for what, number in ours if what == "trade")
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_diffs_lead_from_the_snapshot_to_the_partial_books(exchange):
    """The chain has no gap; where a partial book shows the same update, it shows the same."""
    target = "/stream?streams=btcusdt@depth/btcusdt@depth20"
    stream = messages(exchange.connect_binary(target, exchange.key))
    first = next(message for message in stream if message["kind"] == 10003)
    _, body = exchange.rest("GET", "/api/v3/depth?symbol=BTCUSDT&limit=5000", signed=False)
    book = {"bids": dict(levels(body["bids"])), "asks": dict(levels(body["asks"]))}
    update_id, agreed_count, chained_id = body["lastUpdateId"], 0, first["ids"][0] - 1
    assert first["ids"][0] <= update_id + 1
    waiting = [first]
    while agreed_count < 5:
        message = waiting.pop() if waiting else next(stream)
        if message["kind"] == 10003:
            assert message["ids"][0] == chained_id + 1
            chained_id = message["ids"][1]
            if chained_id > update_id:
                update_id = chained_id
                for side in ("bids", "asks"):
                    book[side].update(message[side])
                    book[side] = {price: qty for price, qty in book[side].items() if qty}
        elif message["ids"][0] == update_id:
            best = sorted(book["bids"].items(), reverse=True)[:20]
            assert message["bids"] == best
            assert message["asks"] == sorted(book["asks"].items())[:20]
            agreed_count += 1
