"""Faults on demand, each seen from the wire by a client that shares nothing with the exchange."""

import http.client
import json
import time
from decimal import Decimal
from itertools import pairwise

import pytest
import websocket

AT_ONCE_S, HELD_BACK_S = 0.5, 0.3


@pytest.fixture
def faulty(faulty_exchange):
    """An exchange without a fault in force, before and after."""
    yield faulty_exchange
    assert faulty_exchange.control("DELETE", "faults") == (200, {})
    api = faulty_exchange.api()
    api.call("openOrders.cancelAll", {"symbol": "BTCUSDT"})
    faulty_exchange.close()


def arm(client, fault, **settings):
    status, body = client.control("POST", "faults", {"fault": fault, **settings})
    assert status == 200, body
    return body["id"]


def row(client, number):
    return next(row for row in client.control("GET", "faults")[1] if row["id"] == number)


def far_bid(api, name):
    book = api.call("depth", {"symbol": "BTCUSDT", "limit": 5}, signed=False)["result"]
    price = f"{Decimal(book['bids'][0][0]) - 500:.2f}"
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT_MAKER", "quantity": "0.00100"}
    return {**order, "price": price, "newClientOrderId": f"{name}-{time.monotonic_ns()}"}


def receive(api, seconds):
    """Return all messages until none has come for so long, which is less than a ping's interval."""
    messages = []
    api.socket.settimeout(seconds)
    try:
        while True:
            messages.append(json.loads(api.socket.recv()))
    except websocket.WebSocketTimeoutException:
        return messages
    finally:
        api.socket.settimeout(20)


def send(api, method, parameters):
    """Send a signed request and do not wait for its reply; return its id."""
    api.next_id += 1
    request = {"id": api.next_id, "method": method, "params": api.signed(parameters)}
    api.socket.send(json.dumps(request))
    return api.next_id


def executions(messages):
    reports = [m["event"] for m in messages if "event" in m]
    return [event["x"] for event in reports if event["e"] == "executionReport"]


def replies(messages):
    return [message["id"] for message in messages if "id" in message]


def test_a_lost_reply_leaves_the_order_standing(faulty):
    """The report comes, the reply never; the fault says that it struck, and is over."""
    api = faulty.api().subscribe()
    order = far_bid(api, "lost")
    number = arm(faulty, "lose", lane="replies", count=1)
    send(api, "order.place", order)
    messages = receive(api, HELD_BACK_S)
    assert (replies(messages), executions(messages)) == ([], ["NEW"])
    assert (row(faulty, number)["hit_count"], row(faulty, number)["is_over"]) == (1, True)
    found = {"symbol": "BTCUSDT", "origClientOrderId": order["newClientOrderId"]}
    assert api.call("order.status", found)["result"]["status"] == "NEW"


def test_a_lost_report_leaves_the_reply(faulty):
    """The reply comes, the report never; after ``skip`` reports that were let through."""
    api = faulty.api().subscribe()
    orders = [far_bid(api, f"n{n}") for n in range(3)]
    arm(faulty, "lose", lane="reports", count=1, skip=1)
    request_ids = [send(api, "order.place", order) for order in orders]
    messages = receive(api, HELD_BACK_S)
    assert replies(messages) == request_ids
    assert executions(messages) == ["NEW", "NEW"]


def test_delayed_doubled_and_swapped(faulty):
    """What is delayed comes later, what is doubled twice, what is swapped behind the next."""
    api = faulty.api().subscribe()
    order = far_bid(api, "delay")
    arm(faulty, "delay", lane="replies", count=1, delay_ms=250)
    first = send(api, "account.status", {})
    second = send(api, "account.status", {})
    assert replies(receive(api, AT_ONCE_S)) == [second, first]
    arm(faulty, "duplicate", lane="reports", count=1)
    api.call("order.place", order)
    api.until_execution("NEW", order["newClientOrderId"])
    twin = api.until_execution("NEW", order["newClientOrderId"])
    arm(faulty, "duplicate", lane="replies", count=1)
    only = send(api, "account.status", {})
    assert replies(receive(api, HELD_BACK_S)) == [only, only]
    after = far_bid(api, "after")
    arm(faulty, "swap", lane="reports", count=1)
    cancel = {"symbol": "BTCUSDT", "origClientOrderId": order["newClientOrderId"]}
    send(api, "order.cancel", cancel)
    send(api, "order.place", after)
    messages = receive(api, HELD_BACK_S)
    assert executions(messages) == ["NEW", "CANCELED"]
    numbers = [m["event"]["I"] for m in messages if m.get("event", {}).get("x")]
    assert twin["I"] < numbers[1] < numbers[0]


def test_a_fault_of_another_account_does_not_strike(faulty):
    """Replies, reports and time-outs can be had for one account alone."""
    api = faulty.api().subscribe()
    order = far_bid(api, "other")
    for settings in ({"lane": "replies"}, {"lane": "reports"}):
        arm(faulty, "lose", account=2, count=1, **settings)
    number = arm(faulty, "time_out", account=2, count=1)
    assert api.call("order.place", order)["status"] == 200
    assert api.until_execution("NEW", order["newClientOrderId"])
    assert row(faulty, number)["hit_count"] == 0


def test_a_swap_without_a_successor_ends(faulty):
    """What waits for a successor that never comes is sent all the same."""
    api = faulty.api()
    arm(faulty, "swap", lane="replies", count=1)
    wanted = send(api, "account.status", {})
    assert json.loads(api.socket.recv())["id"] == wanted


def test_timed_out_orders_rest(faulty):
    """-1007 with a status of 5xx, by WebSocket and by REST; the order rests."""
    api = faulty.api()
    arm(faulty, "time_out", count=2)
    order = far_bid(api, "unknown")
    reply = api.call("order.place", order)
    assert (reply["status"] // 100, reply["error"]["code"]) == (5, -1007)
    found = {"symbol": "BTCUSDT", "origClientOrderId": order["newClientOrderId"]}
    assert api.call("order.status", found)["result"]["status"] == "NEW"
    status, body = faulty.rest("DELETE", "/api/v3/order", found)
    assert (status // 100, body["code"]) == (5, -1007)
    assert api.call("order.status", found)["result"]["status"] == "CANCELED"


@pytest.mark.parametrize("status", [429, 418])
def test_refused_for_their_number(faulty, status):
    """429 and 418 say until when, in the header or in the error, and do nothing."""
    api = faulty.api()
    arm(faulty, "refuse", status=status, retry_after_s=7, via="ws-api", count=1)
    assert faulty.rest("GET", "/api/v3/ping", signed=False)[0] == 200
    reply = api.call("order.place", {**far_bid_unasked(), "price": "50000.00"})
    assert (reply["status"], reply["error"]["code"]) == (status, -1003)
    data = reply["error"]["data"]
    assert data["retryAfter"] - data["serverTime"] == 7000
    arm(faulty, "refuse", status=status, retry_after_s=7, via="rest", count=1)
    connection = http.client.HTTPConnection("127.0.0.1", faulty.rest_port, timeout=20)
    connection.request("GET", "/api/v3/depth?symbol=BTCUSDT")
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert (answer.status, answer.headers["Retry-After"]) == (status, "7")
    assert api.call("openOrders.status")["result"] == []


def far_bid_unasked():
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT_MAKER", "quantity": "0.00100"}
    return {**order, "newClientOrderId": f"r-{time.monotonic_ns()}"}


def test_rest_answers_can_be_lost_or_late(faulty):
    """A lost answer is a broken connection, a late one is late."""
    arm(faulty, "lose", lane="rest", count=1)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        faulty.rest("GET", "/api/v3/ping", signed=False)
    arm(faulty, "delay", lane="rest", delay_ms=200, count=1)
    began_s = time.monotonic()
    assert faulty.rest("GET", "/api/v3/ping", signed=False)[0] == 200
    assert time.monotonic() - began_s >= 0.2


def test_stale_snapshots(faulty):
    """Depth requests get the book of the moment of arming, so many times, then the true one."""
    stream = faulty.connect("/ws/btcusdt@depth@100ms")
    arm(faulty, "stale_snapshots", count=2)
    for _ in range(3):
        diff = json.loads(stream.recv())
    path = "/api/v3/depth?symbol=BTCUSDT&limit=10"
    first, second, true = (faulty.rest("GET", path, signed=False)[1] for _ in range(3))
    assert first == second
    assert len(first["bids"]) == 10
    assert first["lastUpdateId"] < diff["U"]
    assert true["lastUpdateId"] >= diff["u"]


def diffs(stream, count):
    return [json.loads(stream.recv()) for _ in range(count)]


def test_gaps_repeats_and_swaps_in_the_depth_stream(faulty):
    """A lost diff is a gap, a doubled one a repetition, a swapped one comes behind the next."""
    stream = faulty.connect("/ws/btcusdt@depth@100ms")
    rows = diffs(stream, 2)
    arm(faulty, "lose", lane="diffs", count=1)
    rows = rows[-1:] + diffs(stream, 5)
    gaps = [b["U"] - a["u"] - 1 for a, b in pairwise(rows)]
    assert [gap > 0 for gap in gaps].count(True) == 1
    arm(faulty, "duplicate", lane="diffs", count=1)
    rows = rows[-1:] + diffs(stream, 5)
    assert [a == b for a, b in pairwise(rows)].count(True) == 1
    arm(faulty, "swap", lane="diffs", count=1)
    rows = diffs(stream, 6)
    assert sorted(rows, key=lambda r: r["U"]) != rows
    ordered = sorted(rows, key=lambda r: r["U"])
    assert all(b["U"] == a["u"] + 1 for a, b in pairwise(ordered))


def test_diffs_change_places_within_their_symbol(faulty):
    """With two symbols on one connection, the order of one symbol's diffs is what suffers."""
    stream = faulty.connect("/stream?streams=btcusdt@depth@100ms/ethusdt@depth@100ms")
    arm(faulty, "swap", lane="diffs", count=1)
    rows = diffs(stream, 16)
    firsts = [
        [row["data"]["U"] for row in rows if row["stream"] == f"{symbol}@depth@100ms"]
        for symbol in ("btcusdt", "ethusdt")
    ]
    assert [found == sorted(found) for found in firsts].count(False) == 1


def test_a_silent_stream(faulty):
    """It can be subscribed to and pings come, but no frame, while another stream goes on."""
    arm(faulty, "silence", streams="btcusdt@bookTicker", seconds=2.5)
    silent = faulty.connect("/ws")
    silent.send(json.dumps({"method": "SUBSCRIBE", "params": ["btcusdt@bookTicker"], "id": 1}))
    assert json.loads(silent.recv()) == {"result": None, "id": 1}
    other = faulty.connect("/ws/ethusdt@bookTicker")
    assert json.loads(other.recv())["s"] == "ETHUSDT"
    opcode, _ = silent.recv_data(control_frame=True)
    assert opcode == websocket.ABNF.OPCODE_PING
    assert json.loads(silent.recv())["s"] == "BTCUSDT"


def test_no_pings(faulty):
    """No ping comes while the fault is in force; then they come again, without a disconnect."""
    number = arm(faulty, "no_pings", seconds=2.5)
    idle = faulty.connect("/ws/nothing@there")
    opcode, _ = idle.recv_data(control_frame=True)
    assert opcode == websocket.ABNF.OPCODE_PING
    assert row(faulty, number)["is_over"]


def test_a_wrong_clock(faulty):
    """A clock that is ahead refuses what is fresh, and tells its own time."""
    api = faulty.api()
    arm(faulty, "skew_clock", skew_ms=60_000, seconds=30)
    reply = api.call("account.status")
    assert reply["error"]["code"] == -1021
    venue_ms = api.call("time", signed=False)["result"]["serverTime"]
    assert venue_ms - time.time() * 1000 > 50_000
    assert api.call("account.status", {"timestamp": venue_ms})["status"] == 200
    faulty.control("DELETE", "faults")
    arm(faulty, "skew_clock", skew_ms=-60_000, seconds=30)
    assert "ahead" in api.call("account.status")["error"]["msg"]


def test_a_halted_symbol(faulty):
    """No orders and no trades; exchangeInfo says so; under CANCEL_ONLY orders can be cancelled."""
    api = faulty.api()
    order = far_bid(api, "halted")
    assert api.call("order.place", order)["status"] == 200
    cancel = {"symbol": "BTCUSDT", "origClientOrderId": order["newClientOrderId"]}
    arm(faulty, "halt", symbol="BTCUSDT", status="HALT", seconds=30)
    other = {**order, "newClientOrderId": f"other-{time.monotonic_ns()}"}
    assert api.call("order.place", other)["error"]["msg"] == "Market is closed."
    assert api.call("order.cancel", cancel)["error"]["msg"] == "Market is closed."
    info = api.call("exchangeInfo", {"symbol": "BTCUSDT"}, signed=False)["result"]
    assert info["symbols"][0]["status"] == "HALT"
    faulty.control("DELETE", "faults")
    arm(faulty, "halt", symbol="BTCUSDT", status="CANCEL_ONLY", seconds=30)
    assert api.call("order.place", other)["error"]["msg"] == "Market is closed."
    assert api.call("order.cancel", cancel)["status"] == 200


def test_a_revoked_key(faulty):
    """Listeners receive 401 with a null id and nothing more; requests are refused."""
    api = faulty.api().subscribe()
    arm(faulty, "revoke", account=1, seconds=30)
    received = json.loads(api.socket.recv())
    assert (received["id"], received["status"], received["error"]["code"]) == (None, 401, -2015)
    assert json.loads(api.socket.recv())["event"]["e"] == "eventStreamTerminated"
    assert api.call("account.status")["error"]["code"] == -2015


def is_broken(socket):
    try:
        while socket.recv():
            pass
    except (websocket.WebSocketConnectionClosedException, ConnectionError):
        return True
    except websocket.WebSocketTimeoutException:
        return False
    return True


def test_cuts(faulty):
    """Streams, order entry or all break at once; in the middle of a frame if wanted."""
    stream, api = faulty.connect("/ws/btcusdt@bookTicker"), faulty.api()
    arm(faulty, "cut", kind="streams")
    assert is_broken(stream)
    assert api.call("time", signed=False)["status"] == 200
    stream = faulty.connect("/ws/btcusdt@bookTicker")
    arm(faulty, "cut", kind="orders", mid_frame=True)
    assert is_broken(api.socket)
    assert json.loads(stream.recv())["s"] == "BTCUSDT"
    api = faulty.api()
    arm(faulty, "cut")
    assert is_broken(stream)
    assert is_broken(api.socket)


def test_frozen_connections(faulty):
    """The open connections send and read nothing; new ones work; then the old ones break."""
    api = faulty.api()
    arm(faulty, "freeze", kind="orders", seconds=1.5)
    send(api, "account.status", {})
    assert receive(api, HELD_BACK_S) == []
    assert faulty.api().call("time", signed=False)["status"] == 200
    assert is_broken(api.socket)


def test_an_announced_end(faulty):
    """serverShutdown in the shape of each connection, then a close."""
    combined = faulty.connect("/stream?streams=nothing@there")
    bare, api = faulty.connect("/ws/nothing@there"), faulty.api()
    arm(faulty, "shutdown", seconds=0.5)
    received = json.loads(combined.recv())
    assert (received["stream"], received["data"]["e"]) == ("!serverShutdown", "serverShutdown")
    assert json.loads(bare.recv())["e"] == "serverShutdown"
    assert json.loads(api.socket.recv())["event"]["e"] == "serverShutdown"
    assert all(is_broken(socket) for socket in (combined, bare, api.socket))


def test_disguised_messages(faulty):
    """Unknown members, another order, white space, padding and fragments; the same meaning."""
    stream, api = faulty.connect("/stream?streams=btcusdt@depth@100ms"), faulty.api().subscribe()
    arm(faulty, "disguise", seconds=30, padding_bytes=50_000, fragments=3)
    rows = [json.loads(stream.recv())["data"] for _ in range(3)]
    assert all(b["U"] == a["u"] + 1 for a, b in pairwise(rows[1:]))
    assert len({tuple(row) for row in rows}) > 1
    assert all(any("unknown" in name for name in row) for row in rows[1:])
    order = far_bid(api, "dress")
    reply = api.call("order.place", order)
    assert (reply["status"], len(reply["padding"])) == (200, 50_000)
    event = api.until_execution("NEW", order["newClientOrderId"])
    assert any("unknown" in name for name in event)
    stream.recv()
    stream.fire_cont_frame = True
    stream.cont_frame.fire_cont_frame = True
    opcodes = [stream.recv_data_frame()[1].opcode for _ in range(6)]
    assert set(opcodes) == {websocket.ABNF.OPCODE_TEXT, websocket.ABNF.OPCODE_CONT}


def test_a_connection_lives_its_time(start_exchange):
    """After its configured life a connection receives a notice, and is closed."""
    config = "connection_life_s = 0.6\nshutdown_notice_s = 0.3\n"
    with start_exchange(config=config) as client:
        stream = client.connect("/ws/nothing@there")
        assert json.loads(stream.recv())["e"] == "serverShutdown"
        assert is_broken(stream)
        assert client.control("GET", "status")[0] == 200
        with pytest.raises(json.JSONDecodeError):
            client.control("GET", "faults")


@pytest.mark.parametrize(
    "body",
    [
        {"fault": "dream", "count": 1},
        {"fault": "lose", "lane": "replies"},
        {"fault": "lose", "lane": "replies", "count": -1},
        {"fault": "lose", "lane": "replies", "count": 1, "colour": "red"},
        {"fault": "swap", "lane": "rest", "count": 1},
        {"fault": "silence", "count": 1},
        {"fault": "halt", "symbol": "BTCUSDT", "status": "ASLEEP", "seconds": 1},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(faulty, body):
    """It is answered with 400 and a reason, and nothing is armed."""
    before = faulty.control("GET", "faults")[1]
    status, answer = faulty.control("POST", "faults", body)
    assert status == 400
    assert answer["error"]
    assert len(faulty.control("GET", "faults")[1]) == len(before)


def test_the_books_for_an_audit(faulty):
    """Every order with when it arrived and ended, every fill, the position, who asked what."""
    began_ns = time.monotonic_ns()
    api = faulty.api()
    order = far_bid(api, "audit")
    api.call("order.place", order)
    standing_ns = time.monotonic_ns()
    name = order["newClientOrderId"]
    books = faulty.control("GET", "audit")[1]
    mine = next(row for row in books["orders"] if row["client_order_id"] == name)
    assert (mine["is_open"], mine["ended_ns"], mine["status"]) == (True, 0, "NEW")
    assert began_ns < mine["arrived_ns"] < standing_ns
    api.call("order.place", order)
    api.call("order.cancel", {"symbol": "BTCUSDT", "origClientOrderId": name})
    market = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.00200"}
    api.call("order.place", market)
    books = faulty.control("GET", "audit")[1]
    mine = next(row for row in books["orders"] if row["client_order_id"] == name)
    assert (mine["is_open"], mine["status"]) == (False, "CANCELED")
    assert standing_ns < mine["ended_ns"] < books["now_ns"]
    asked = [row for row in books["requests"] if name in row.values()]
    assert [(row["method"], row["code"]) for row in asked] == [
        ("order.place", 0),
        ("order.place", -2010),
        ("order.cancel", 0),
    ]
    assert all(began_ns < row["recv_ns"] < books["now_ns"] for row in asked)
    signed = [
        (1 if fill["side"] == "BUY" else -1) * Decimal(fill["qty"]) for fill in books["fills"]
    ]
    (account,) = books["accounts"]
    assert Decimal(account["positions"]["BTCUSDT"]) == sum(signed) == Decimal("0.002")
    assert account["open_orders"] == []
