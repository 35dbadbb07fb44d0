"""The REST side, the report, and starting and stopping."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import websocket

ROOT = Path(__file__).resolve().parents[3]


def test_public_endpoints(exchange):
    """ping, time, exchangeInfo and depth answer without a key."""
    assert exchange.rest("GET", "/api/v3/ping", signed=False) == (200, {})
    status, body = exchange.rest("GET", "/api/v3/time", signed=False)
    assert status == 200
    assert abs(body["serverTime"] / 1000 - time.time()) < 60
    _, info = exchange.rest("GET", "/api/v3/exchangeInfo?symbol=ETHUSDT", signed=False)
    (row,) = info["symbols"]
    filters = {f["filterType"]: f for f in row["filters"]}
    assert (row["baseAsset"], row["quoteAsset"], row["status"]) == ("ETH", "USDT", "TRADING")
    assert filters["PRICE_FILTER"]["tickSize"] == "0.01000000"
    assert filters["LOT_SIZE"]["stepSize"] == "0.00001000"
    _, book = exchange.rest("GET", "/api/v3/depth?symbol=ETHUSDT&limit=7", signed=False)
    assert len(book["bids"]) == len(book["asks"]) == 7
    bad = exchange.rest("GET", "/api/v3/depth?symbol=NOSUCH", signed=False)
    assert bad == (400, {"code": -1121, "msg": "Invalid symbol."})


def test_signed_order_life(exchange):
    """An order is placed, found, listed and cancelled by signed requests, query or body."""
    _, book = exchange.rest("GET", "/api/v3/depth?symbol=BTCUSDT&limit=5", signed=False)
    order = {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.001",
        "price": f"{float(book['asks'][0][0]) + 400:.2f}",
    }
    status, placed = exchange.rest("POST", "/api/v3/order", order, in_body=True)
    assert (status, placed["status"]) == (200, "NEW")
    found = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
    assert exchange.rest("GET", "/api/v3/order", found)[1]["status"] == "NEW"
    _, rows = exchange.rest("GET", "/api/v3/openOrders", {"symbol": "BTCUSDT"})
    assert placed["orderId"] in [row["orderId"] for row in rows]
    assert exchange.rest("DELETE", "/api/v3/order", found)[1]["status"] == "CANCELED"
    status, body = exchange.rest("DELETE", "/api/v3/order", found)
    assert (status, body["code"]) == (400, -2011)
    assert exchange.rest("GET", "/api/v3/account")[1]["accountType"] == "SPOT"


def test_rest_refuses_strangers(exchange):
    """A missing key or a wrong signature is refused with the venue's codes."""
    status, body = exchange.rest("GET", "/api/v3/account?timestamp=1&signature=00", signed=False)
    assert (status, body["code"]) == (401, -2014)
    stranger = type(exchange)(
        {"rest_port": exchange.rest_port, "ws_port": exchange.ws_port}, exchange.key, "wrong"
    )
    status, body = stranger.rest("GET", "/api/v3/account")
    assert (status, body["code"]) == (400, -1022)


def test_stop_writes_report_and_request_log(start_exchange, tmp_path):
    """SIGTERM ends with code 0, the report says what happened, the log has the requests."""
    log_path = tmp_path / "requests.jsonl"
    with start_exchange("--request-log", str(log_path), "--seed", "5") as client:
        api = client.api()
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.5"}
        assert api.call("order.place", order)["status"] == 200
        api.send({"method": "account.status", "params": {**api.signed({}), "signature": "0"}})
        stream = client.connect("/ws/btcusdt@bookTicker")
        for _ in range(50):
            stream.recv()
        client.process.send_signal(signal.SIGTERM)
        assert client.process.wait(timeout=30) == 0
        report = json.loads(client.report_path.read_text())
    assert report["frames_sent"] >= 50
    assert (report["orders_received"], report["signature_failures"]) == (1, 1)
    assert report["positions"]["BTCUSDT"] == "0.50000000"
    assert sum(float(fill["qty"]) for fill in report["fills"]["BTCUSDT"]) == 0.5
    rows = [json.loads(line) for line in log_path.read_text().splitlines()]
    assert [json.loads(row["request"])["method"] for row in rows] == [
        "order.place",
        "account.status",
    ]
    assert [row["code"] for row in rows] == [0, -1022]


def test_start_without_key_or_with_unknown_setting_says_so(tmp_path):
    """No key, or a setting that does not exist, ends with one line that names it."""
    config = tmp_path / "bad.toml"
    config.write_text("no_such_setting = 1\n")
    keys = {"VORTEX_API_KEY": "k", "VORTEX_API_SECRET": "s"}
    plain = {k: v for k, v in os.environ.items() if k not in keys}
    for environment, word in ((plain, "VORTEX_API_KEY"), ({**plain, **keys}, "no_such_setting")):
        ended = subprocess.run(
            [sys.executable, "-m", "procs.exchange", "--config", str(config)],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == 1
        assert word in ended.stderr
        assert len(ended.stderr.splitlines()) == 1


def test_formats_that_are_not_spoken_are_refused_at_the_handshake(exchange):
    """SBE and microseconds get HTTP 400 with a JSON error; milliseconds by name are fine."""
    for query in ("responseFormat=sbe&sbeSchemaId=3&sbeSchemaVersion=5", "timeUnit=MICROSECOND"):
        with pytest.raises(websocket.WebSocketBadStatusException) as caught:
            exchange.connect(f"/ws-api/v3?{query}")
        assert caught.value.status_code == 400
        assert json.loads(caught.value.resp_body)["code"] in (-1155, -1100)
    assert exchange.api("?timeUnit=MILLISECOND").call("time", signed=False)["status"] == 200


def test_a_test_order_is_checked_and_does_nothing(exchange):
    """It fails as an order would at the filters, and leaves no trace when it passes."""
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01000"}
    assert exchange.rest("POST", "/api/v3/order/test", order) == (200, {})
    status, body = exchange.rest("POST", "/api/v3/order/test", {**order, "quantity": "0.000001"})
    assert (status, body["code"]) == (400, -1013)
    before = exchange.rest("GET", "/api/v3/allOrders", {"symbol": "BTCUSDT"})[1]
    assert exchange.rest("POST", "/api/v3/order/test", order, in_body=True)[0] == 200
    assert exchange.rest("GET", "/api/v3/allOrders", {"symbol": "BTCUSDT"})[1] == before
