"""A client of Bybit's side that shares nothing with it but the protocol."""

import hashlib
import hmac
import http.client
import itertools
import json
import time
from contextlib import closing
from decimal import Decimal
from urllib.parse import urlencode

import websocket

CONFIG = """
reply_delay_ms_max = 0.0
[[symbols]]
symbol = "BTCUSDT"
base_asset = "BTC"
quote_asset = "USDT"
anchor_price = "60000.00"
[[symbols]]
symbol = "BTCUSDT"
dialect = "bybit_linear"
base_asset = "BTC"
quote_asset = "USDT"
anchor_price = "60000.00"
tick_size = "0.10"
lot_size = "0.001"
maker_fee = "0.0002"
taker_fee = "0.00055"
[[symbols]]
symbol = "ETHUSDT"
dialect = "bybit_linear"
base_asset = "ETH"
quote_asset = "USDT"
anchor_price = "3000.00"
tick_size = "0.01"
lot_size = "0.01"
maker_qty = "0.60"
taker_qty = "0.16"
[[symbols]]
symbol = "BTCUSDT"
dialect = "bybit_spot"
base_asset = "BTC"
quote_asset = "USDT"
anchor_price = "60000.00"
tick_size = "0.1"
lot_size = "0.000001"
maker_fee = "0.001"
taker_fee = "0.001"
"""
BUDGETS = """
[bybit]
linear_orders_per_s = 1000
spot_orders_per_s = 1000
spot_amends_per_s = 1000
queries_per_s = 1000
rest_requests_per_5s = 100000
"""
NAMES = itertools.count(1)


def bybit_config(budgets=BUDGETS, first=""):
    return first + CONFIG + budgets


def now_ms():
    return int(time.time() * 1000)


class BybitSocket:
    """One socket; keeps the messages of topics that arrive among the answers."""

    def __init__(self, client, url):
        self.client = client
        self.socket = websocket.create_connection(url, timeout=20)
        self.pushed = []

    def receive(self):
        return json.loads(self.socket.recv())

    def send(self, **body):
        self.socket.send(json.dumps(body))

    def ask(self, **body):
        """Send a message; return the first answer that belongs to no topic."""
        self.send(**body)
        while True:
            message = self.receive()
            if "topic" not in message:
                return message
            self.pushed.append(message)

    def log_on(self, key=None, secret=None, ahead_ms=5000):
        expires = now_ms() + ahead_ms
        text = f"GET/realtime{expires}"
        signature = sign(secret or self.client.secret, text)
        return self.ask(op="auth", args=[key or self.client.key, expires, signature])

    def until(self, wanted, seconds=30):
        """Return the first message of a topic that is wanted; drop those before it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            message = self.pushed.pop(0) if self.pushed else self.receive()
            if "topic" in message and wanted(message):
                return message
        raise AssertionError("the message did not come")

    def until_row(self, topic, wanted):
        """Return the first row of a topic's messages that is wanted."""
        found = self.until(lambda m: m["topic"] == topic and any(wanted(row) for row in m["data"]))
        return next(row for row in found["data"] if wanted(row))

    def drain(self, seconds):
        """Return all messages until none has come for so long."""
        messages, self.pushed = self.pushed, []
        self.socket.settimeout(seconds)
        try:
            while True:
                messages.append(self.receive())
        except websocket.WebSocketTimeoutException:
            return messages
        finally:
            self.socket.settimeout(20)


def sign(secret, text):
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


class BybitClient:
    """Speaks to one exchange process: signed HTTP and the three sockets."""

    def __init__(self, ports, key, secret):
        self.ports, self.key, self.secret = ports, key, secret
        self.urls = ports["bybit_linear"]
        self.rest_port = self.urls["rest_port"]
        self.sockets = []

    def connect(self, url):
        socket = BybitSocket(self, url)
        self.sockets.append(socket.socket)
        return socket

    def public(self, category="linear", *topics):
        socket = self.connect(self.ports[f"bybit_{category}"]["stream_url"])
        if topics:
            assert socket.ask(op="subscribe", args=list(topics))["success"]
        return socket

    def private(self, *topics):
        socket = self.connect(self.urls["private_url"])
        assert socket.log_on()["success"]
        if topics:
            assert socket.ask(op="subscribe", args=list(topics))["success"]
        return socket

    def trade(self):
        socket = self.connect(self.urls["trade_url"])
        assert socket.log_on()["retCode"] == 0
        return socket

    def close(self):
        for socket in self.sockets:
            socket.close()
            socket.shutdown()
        self.sockets.clear()

    def http(self, verb, path, parameters=None, *, headers=None, signed=True):
        """Return status, headers and body of one request."""
        text = json.dumps(parameters or {}) if verb == "POST" else urlencode(parameters or {})
        sent = {"Content-Type": "application/json"}
        if signed:
            stamp = str(now_ms())
            signature = sign(self.secret, f"{stamp}{self.key}5000{text}")
            sent |= {
                "X-BAPI-API-KEY": self.key,
                "X-BAPI-TIMESTAMP": stamp,
                "X-BAPI-RECV-WINDOW": "5000",
                "X-BAPI-SIGN": signature,
            }
        connection = http.client.HTTPConnection("127.0.0.1", self.rest_port, timeout=20)
        with closing(connection):
            target = f"{path}?{text}" if verb == "GET" and text else path
            body = text if verb == "POST" else None
            connection.request(verb, target, body=body, headers={**sent, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), json.loads(answer.read())

    def get(self, path, query=None):
        """Return the result of a query that succeeds."""
        status, _, body = self.http("GET", path, query)
        assert (status, body["retCode"]) == (200, 0), body
        return body["result"]

    def control(self, verb, path, body=None):
        """Call a route of the exchange's own; return the status and the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.rest_port, timeout=20)
        with closing(connection):
            connection.request(verb, f"/vortex/{path}", body=json.dumps(body) if body else None)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def touch(self, category="linear"):
        """Return best bid and ask."""
        query = {"category": category, "symbol": "BTCUSDT", "limit": 1}
        book = self.get("/v5/market/orderbook", query)
        return Decimal(book["b"][0][0]), Decimal(book["a"][0][0])

    def position(self):
        query = {"category": "linear", "symbol": "BTCUSDT"}
        return self.get("/v5/position/list", query)["list"][0]

    def flatten(self):
        """Cancel everything and close the position."""
        for category in ("linear", "spot"):
            body = {"category": category, "symbol": "BTCUSDT"}
            assert self.http("POST", "/v5/order/cancel-all", body)[2]["retCode"] == 0
        position = self.position()
        if position["side"]:
            side = "Sell" if position["side"] == "Buy" else "Buy"
            order = market_order(side=side, qty=position["size"], reduceOnly=True)
            assert self.http("POST", "/v5/order/create", order)[2]["retCode"] == 0
        assert self.position()["side"] == ""


def limit_order(price, **changes):
    order = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit"}
    order |= {"qty": "0.010", "price": str(price), "timeInForce": "GTC"}
    return {**order, "orderLinkId": f"test-{next(NAMES)}-{now_ms()}", **changes}


def market_order(**changes):
    order = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market"}
    order |= {"qty": "0.010", "orderLinkId": f"test-{next(NAMES)}-{now_ms()}"}
    return {**order, **changes}


def request(operation, parameters, **changes):
    """Return a request of the trade socket."""
    header = {"X-BAPI-TIMESTAMP": str(now_ms()), "X-BAPI-RECV-WINDOW": "8000"}
    body = {"reqId": f"req-{next(NAMES)}", "header": header, "op": f"order.{operation}"}
    return {**body, "args": [parameters], **changes}
