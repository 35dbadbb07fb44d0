"""The slow half of ``wire_to_wire``'s peer: HTTP, opening handshakes, and what is asked once.

Reference data and snapshots over HTTP; two WebSockets, one for the feed and one for orders, whose
sockets compiled code takes over once the engine has subscribed to its events.
"""

import contextlib
import json
import socket
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol

from OpenSSL import SSL
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Request, TextMessage

from ipc.tls import Channel
from procs.connections.tls_handshake import TlsSocket
from procs.exchange.core.certificate import make_certificate
from tools.bench.frames import EXCHANGE_INFO, SYMBOL
from tools.bench.signed import read_request

TIMEOUT_S = 10.0

THREAD_END_S = 10


class Snapshots(Protocol):
    """What the venue asks of a market."""

    def snapshot(self) -> bytes:
        """Return the book as REST gives it."""


class Side:
    """One WebSocket as the venue holds it: its socket, and its frames until it is taken over."""

    def __init__(self, connected: socket.socket, tls: SSL.Context | None = None) -> None:
        """``tls`` is what the server of a ``wss://`` address is."""
        self.socket = connected
        self.socket.settimeout(TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.secure: TlsSocket | None = None
        self.channel: Channel | None = None
        if tls is not None:
            self.secure = accept_tls(connected, tls)
            self.channel = Channel(self.secure.connection)
        self.frames = WSConnection(ConnectionType.SERVER)

    @property
    def tls_address(self) -> int:
        """Where compiled code finds the connection's TLS record; 0 without."""
        return 0 if self.channel is None else self.channel.address

    def events(self) -> list[Any]:
        """Return what came; waits as long as the socket's timeout says."""
        data = (self.secure or self.socket).recv(65_536)
        if not data:
            raise ConnectionResetError("the engine hung up")
        self.frames.receive_data(data)
        return list(self.frames.events())

    def send(self, data: bytes) -> None:
        """Send bytes."""
        if self.secure is not None:
            self.secure.send(data)
        else:
            self.socket.sendall(data)

    def accept(self) -> str:
        """Make the opening handshake; return the path that was asked for."""
        while True:
            for event in self.events():
                if isinstance(event, Request):
                    self.send(self.frames.send(AcceptConnection()))
                    return event.target

    def send_json(self, message: dict[str, Any]) -> None:
        """Send one message."""
        self.send(self.frames.send(TextMessage(data=json.dumps(message))))


def accept_tls(connected: socket.socket, context: SSL.Context) -> TlsSocket:
    """Make the handshake of a server."""
    connection = SSL.Connection(context, None)
    connection.set_accept_state()
    return TlsSocket(connected, connection)


def server_context(ca_path: Path) -> SSL.Context:
    """Return a server's TLS for loopback; write the authority to trust to ``ca_path``."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    certificate, key = make_certificate(ca_path)
    context.use_certificate(certificate)
    context.use_privatekey(key)
    return context


class Venue:
    """Serves one engine; ``close`` releases everything."""

    def __init__(self, market: Snapshots, secret: bytes, tls: SSL.Context | None = None) -> None:
        self.market = market
        self.tls = tls
        self.secret = secret
        #: By side: client order id, price and quantity of the open order.
        self.standing: dict[str, tuple[str, str, str]] = {}
        self.feed: Side | None = None
        self.orders: Side | None = None
        self.is_taken_over = threading.Event()
        self.fault: BaseException | None = None
        self.threads: list[threading.Thread] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        for target in (self.http.serve_forever, self.serve):
            thread = threading.Thread(target=target, daemon=True)
            self.threads.append(thread)
            thread.start()

    @property
    def rest_url(self) -> str:
        """Where HTTP is served."""
        return f"http://127.0.0.1:{self.http.server_address[1]}"

    @property
    def stream_url(self) -> str:
        """Where WebSockets are served."""
        scheme = "ws" if self.tls is None else "wss"
        return f"{scheme}://127.0.0.1:{self.listener.getsockname()[1]}"

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """Return what answers GET requests."""
        market = self.market

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                is_info = self.path.startswith("/api/v3/exchangeInfo")
                body = json.dumps(EXCHANGE_INFO).encode() if is_info else market.snapshot()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: Any) -> None:
                """Say nothing."""

        return Handler

    def serve(self) -> None:
        """Accept the two connections; answer on the second until the engine has subscribed."""
        try:
            while self.feed is None or self.orders is None:
                connected = self.listener.accept()[0]
                try:
                    side = Side(connected, self.tls)
                    path = side.accept()
                except OSError:  # only looked at our certificate
                    connected.close()
                    continue
                if path.startswith("/ws-api"):
                    while not self.answer_one(side):
                        pass
                    self.orders = side
                else:
                    self.feed = side
                side.socket.setblocking(False)
            self.is_taken_over.set()
        except OSError as error:
            self.fault = error

    def answer_one(self, side: Side) -> bool:
        """Answer what came on the order connection; return whether it was the subscription."""
        methods = []
        for event in side.events():
            if isinstance(event, TextMessage):
                request = read_request(event.data.encode(), self.secret)
                methods.append(request["method"])
                self.answer(side, request)
        return "userDataStream.subscribe.signature" in methods

    def answer(self, side: Side, request: dict[str, Any]) -> None:
        """Answer one request of those that are not hot."""
        method, reply = request["method"], {"id": request["id"], "status": 200}
        if method in ("openOrders.status", "myTrades"):
            side.send_json({**reply, "result": []})
        elif method == "time":
            side.send_json({**reply, "result": {"serverTime": time.time_ns() // 1_000_000}})
        elif method == "account.status":
            side.send_json({**reply, "result": {"balances": [], "canTrade": True}})
        elif method == "userDataStream.subscribe.signature":
            side.send_json({**reply, "result": {"subscriptionId": 0}})
        elif method == "openOrders.cancelAll":
            time_ms = request["params"]["timestamp"]
            rows = [self.canceled(name, time_ms) for name in sorted(self.standing)]
            self.standing.clear()
            side.send_json({**reply, "result": rows})
            for row in rows:
                side.send_json({"subscriptionId": 0, "event": report_of(row)})
        else:
            raise AssertionError(f"nobody expected {method}")

    def canceled(self, side: str, time_ms: int) -> dict[str, Any]:
        """Return what the venue says of one order that it cancelled."""
        client_id, price, qty = self.standing[side]
        return {
            "symbol": SYMBOL, "origClientOrderId": client_id,
            "orderId": int(client_id[-12:], 16), "orderListId": -1,
            "clientOrderId": "cancel-all", "transactTime": time_ms, "price": price,
            "origQty": qty, "executedQty": "0.00000000", "status": "CANCELED",
            "timeInForce": "GTC", "type": "LIMIT_MAKER", "side": side,
        }  # fmt: skip

    def serve_stop(self) -> None:
        """Answer what the engine asks on leaving, as far as it has come."""
        assert self.orders is not None
        with suppress(BlockingIOError, ConnectionError):
            self.answer_one(self.orders)

    def close(self) -> None:
        """End the threads and release the sockets."""
        self.http.shutdown()
        self.http.server_close()
        # A thread that waits to accept is not woken by a close, and would answer who comes next.
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(timeout=THREAD_END_S)
        self.listener.close()
        for side in (self.feed, self.orders):
            if side is not None:
                side.socket.close()


def report_of(row: dict[str, Any]) -> dict[str, Any]:
    """Return the execution report of an order that was cancelled."""
    zero = "0.00000000"
    return {
        "e": "executionReport", "E": row["transactTime"], "s": SYMBOL, "c": row["clientOrderId"],
        "S": row["side"], "o": "LIMIT_MAKER", "f": "GTC", "q": row["origQty"], "p": row["price"],
        "P": zero, "F": zero, "g": -1, "C": row["origClientOrderId"], "x": "CANCELED",
        "X": "CANCELED", "r": "NONE", "i": row["orderId"], "l": zero, "z": zero, "L": zero,
        "n": "0", "N": None, "T": row["transactTime"], "t": -1, "w": False, "m": False,
    }  # fmt: skip
