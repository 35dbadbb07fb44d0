"""A running exchange, and a client that shares nothing with it but the protocol."""

import hashlib
import hmac
import http.client
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlencode

import pytest
import websocket
from bybit_client import BybitClient, bybit_config
from engines import until

from procs.exchange.core.exchange_config import ExchangeConfig
from procs.exchange.exchange import Exchange

ROOT = Path(__file__).resolve().parents[3]


class Client:
    """Speaks to one exchange process: signed REST, WebSocket API, streams."""

    def __init__(self, ports, key, secret):
        self.ports = ports
        self.rest_port, self.ws_port = ports.get("rest_port"), ports.get("ws_port")
        self.key, self.secret = key, secret
        self.sockets = []

    def connect(self, target):
        socket = websocket.create_connection(f"ws://127.0.0.1:{self.ws_port}{target}", timeout=20)
        self.sockets.append(socket)
        return socket

    def connect_binary(self, target, key):
        """Connect to the binary streams, showing a key, or none."""
        headers = {"X-MBX-APIKEY": key} if key else {}
        url = f"ws://127.0.0.1:{self.ports['sbe_port']}{target}"
        socket = websocket.create_connection(url, timeout=20, header=headers)
        self.sockets.append(socket)
        return socket

    def close(self):
        for socket in self.sockets:
            socket.close()
            socket.shutdown()
        self.sockets.clear()

    def sign(self, payload):
        return hmac.new(self.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()

    def rest(self, verb, path, parameters=None, *, signed=True, in_body=False):
        parameters = dict(parameters or {})
        headers = {}
        if signed:
            parameters.setdefault("timestamp", int(time.time() * 1000))
            headers["X-MBX-APIKEY"] = self.key
        text = urlencode(parameters)
        if signed:
            text += f"&signature={self.sign(text)}"
        if in_body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = http.client.HTTPConnection("127.0.0.1", self.rest_port, timeout=20)
        target = path if in_body or not text else f"{path}?{text}"
        with closing(connection):
            connection.request(verb, target, body=text if in_body else None, headers=headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def account(self, key, secret):
        """Return a client of the same exchange with another account's key."""
        other = Client(self.ports, key, secret)
        other.sockets = self.sockets
        return other

    def control(self, verb, path, body=None):
        """Call a route of the exchange's own; return the status and the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.rest_port, timeout=20)
        with closing(connection):
            connection.request(verb, f"/vortex/{path}", body=json.dumps(body) if body else None)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def api(self, query=""):
        return Api(self, self.connect(f"/ws-api/v3{query}"))


class Api:
    """One WebSocket API connection; keeps the events that arrive among the replies."""

    def __init__(self, client, socket):
        self.client, self.socket = client, socket
        self.events, self.next_id = [], 0

    def signed(self, parameters):
        parameters = {"apiKey": self.client.key, **parameters}
        parameters.setdefault("timestamp", int(time.time() * 1000))
        payload = "&".join(f"{name}={parameters[name]}" for name in sorted(parameters))
        parameters["signature"] = self.client.sign(payload)
        return parameters

    def call(self, method, parameters=None, *, signed=True):
        parameters = self.signed(parameters or {}) if signed else dict(parameters or {})
        return self.send({"method": method, "params": parameters})

    def send(self, request):
        self.next_id += 1
        self.socket.send(json.dumps({"id": self.next_id, **request}))
        while True:
            message = json.loads(self.socket.recv())
            if "event" in message:
                self.events.append(message["event"])
            elif message["id"] == self.next_id:
                return message

    def subscribe(self):
        reply = self.call("userDataStream.subscribe.signature")
        assert reply["status"] == 200, reply
        return self

    def until(self, wanted, seconds=30):
        """Return the first event, kept or to come, that is wanted; drop those before it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            while self.events:
                event = self.events.pop(0)
                if wanted(event):
                    return event
            message = json.loads(self.socket.recv())
            if "event" in message:
                self.events.append(message["event"])
        raise AssertionError("the event did not come")

    def until_execution(self, kind, client_id):
        """Return the executionReport of this kind for an order (`C` holds it on a cancel)."""
        return self.until(
            lambda e: (
                e["e"] == "executionReport" and e["x"] == kind and client_id in (e["c"], e["C"])
            )
        )


@contextmanager
def running_exchange(folder, *options, config="", more_keys=()):
    """Run an exchange whose further accounts have ``more_keys``: names and secrets."""
    key, secret = secrets.token_hex(32), secrets.token_hex(32)
    environment = {**os.environ, "VORTEX_API_KEY": key, "VORTEX_API_SECRET": secret}
    for number, (other_key, other_secret) in enumerate(more_keys, start=2):
        environment[f"VORTEX_API_KEY_{number}"] = other_key
        environment[f"VORTEX_API_SECRET_{number}"] = other_secret
    config_path, report_path = folder / "exchange.toml", folder / "report.json"
    config_path.write_text(config)
    process = subprocess.Popen(
        [
            sys.executable,
            *("-m", "procs.exchange"),
            *("--config", str(config_path), "--report", str(report_path), *options),
        ],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
    )
    client = None
    try:
        line = process.stdout.readline()
        assert line, f"the exchange ended with {process.wait()}"
        client = Client(json.loads(line), key, secret)
        client.process, client.report_path = process, report_path
        yield client
    finally:
        if client is not None:
            client.close()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=30)
        process.stdout.close()
    assert code == 0, "the exchange did not stop cleanly"


@pytest.fixture(scope="session")
def exchange(tmp_path_factory):
    """The default market in which every symbol has traded, shared by the tests of this folder."""
    with running_exchange(tmp_path_factory.mktemp("exchange")) as client:
        for symbol in ("BTCUSDT", "ETHUSDT"):
            query = {"symbol": symbol}
            until(
                lambda query=query: client.rest("GET", "/api/v3/trades", query, signed=False)[1],
                f"{symbol} has traded",
            )
        yield client


@pytest.fixture(scope="module")
def faulty_exchange(tmp_path_factory):
    """An exchange that takes faults, answers at once and pings every second."""
    config = "reply_delay_ms_max = 0.0\nping_interval_s = 1.0\n"
    with running_exchange(tmp_path_factory.mktemp("faulty"), "--faults", config=config) as client:
        yield client


@pytest.fixture(scope="session")
def bybit(tmp_path_factory):
    """Bybit's spot and linear beside Binance's spot, with wide budgets, where all have traded."""
    folder = tmp_path_factory.mktemp("bybit")
    with running_exchange(folder, "--faults", config=bybit_config()) as process:
        client = BybitClient(process.ports, process.key, process.secret)
        for category in ("linear", "spot"):
            query = {"category": category, "symbol": "BTCUSDT"}
            until(
                lambda query=query: client.get("/v5/market/recent-trade", query)["list"],
                f"{category} has traded",
            )
        yield client
        client.close()


@pytest.fixture
def start_exchange(tmp_path):
    """Return the function that runs another exchange with options of one's own."""

    def start(*options, **settings):
        return running_exchange(tmp_path, *options, **settings)

    return start


@pytest.fixture
def still():
    """A venue with two accounts in which no time passes, so that nobody else trades."""
    exchange = Exchange(ExchangeConfig(), [("first", "1"), ("second", "2")])
    exchange.open_simulated()
    return exchange.dialects["binance"]


@pytest.fixture
def inner_price(still):
    """Return the function that finds a price between best bid and ask."""

    def find(symbol="BTCUSDT"):
        market = still.venue.markets[symbol]
        for step in range(1, 20_000):
            bid_ticks, _, ask_ticks, _ = market.touch()
            if ask_ticks - bid_ticks >= 3:
                return f"{Decimal(bid_ticks + 1) / 100:.2f}"
            market.step()
            still.flush(step * 1_000_000)
        raise AssertionError("the spread never opened")

    return find
