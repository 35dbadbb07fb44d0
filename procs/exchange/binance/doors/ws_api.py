"""WebSocket API connections: requests in, replies and the accounts' events out.

The venue does not promise whether a reply or the events of its request come first, so the order is
drawn for each request, from the exchange's seed.
"""

import asyncio
import inspect
import random
import time
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from picows import WSTransport

from procs.exchange.binance.accounts.account_desk import Desk
from procs.exchange.binance.doors.api_session import Session
from procs.exchange.binance.doors.rest import outcome
from procs.exchange.binance.doors.user_stream import UserStream
from procs.exchange.binance.methods.methods import Method, Methods
from procs.exchange.binance.methods.signatures import revoked
from procs.exchange.binance.words.errors import ExchangeRefusal, too_many_requests
from procs.exchange.binance.words.parameters import Parameters
from procs.exchange.doors.client_connection import Connection, Rules
from procs.exchange.doors.request_log import RequestLog

REPLY_FIRST_SHARE, REPLY_LATE_SHARE = 0.5, 0.1


class Request(msgspec.Struct):
    """One request; the id is echoed as it came."""

    method: str
    id: msgspec.Raw = msgspec.Raw(b"null")
    params: dict[str, msgspec.Raw] = {}


REQUEST = msgspec.json.Decoder(Request)


def parameter_text(raw: msgspec.Raw) -> str:
    """Return a parameter as it is signed: strings without quotes, the rest as printed."""
    text = bytes(raw).decode()
    if text.startswith('"'):
        return msgspec.json.decode(raw, type=str)
    return text


class ApiConnection(Connection):
    """One client of the WebSocket API."""

    kind = "orders"

    def __init__(
        self,
        methods: Methods,
        user_stream: UserStream,
        log: RequestLog,
        target: str,
        rules: Rules,
        *,
        draw: random.Random,
        reply_delay_ms_max: float,
    ) -> None:
        super().__init__(rules, frames_per_second_max=0)
        self._methods = methods
        self._user_stream = user_stream
        self._log = log
        self._draw = draw
        self._reply_delay_ms_max = reply_delay_ms_max
        query = parse_qs(urlsplit(target).query)
        self._tells_limits = query.get("returnRateLimits", ["true"])[0] != "false"
        self._session = Session(methods, user_stream, self, self._tells_limits)
        self._tasks: set[asyncio.Task[None]] = set()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Forget the client; its orders stay open."""
        super().on_ws_disconnected(transport)
        self._user_stream.forget(self)

    def shutdown_notice(self, now_ms: int) -> bytes:
        """Return the serverShutdown event in the shape of this connection."""
        return b'{"event":{"e":"serverShutdown","E":%d}}' % now_ms

    def announce_revoked(self, owner_id: int) -> None:
        """Tell a client that listens to an account, or is logged on as it, that its key is gone."""
        is_logged_on = self._methods.keyring.owner_id(self._session.api_key) == owner_id
        if is_logged_on or owner_id in self._user_stream.numbers(self):
            self._session.end()
            error = revoked()
            reply = {"id": None, "status": error.status, "error": error.body()}
            self.send_text(msgspec.json.encode(reply))
            self._user_stream.end(self, owner_id)

    def on_text(self, message: bytes) -> None:
        """Answer one request."""
        recv_ns = time.time_ns()
        try:
            request = REQUEST.decode(message)
            parameters = {name: parameter_text(raw) for name, raw in request.params.items()}
        except (msgspec.DecodeError, UnicodeDecodeError):
            malformed = ExchangeRefusal(-1135, "Invalid JSON Request")
            desk = self._desk({})
            self._carry(self._reply(msgspec.Raw(b"null"), malformed, None, desk), desk)
            self._log.write(recv_ns, "ws-api", message, **outcome(malformed))
            return
        name = request.method.removeprefix("v3/")
        method, desk = self._methods.table.get(name), self._desk(parameters)
        result: Any = None
        refusal: ExchangeRefusal | None = None
        try:
            result = self._call(name, parameters)
        except ExchangeRefusal as error:
            refusal = error
        if inspect.isawaitable(result):
            task = asyncio.ensure_future(self._reply_later(request.id, result, method, desk))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        self._answer(self._reply(request.id, refusal or result, method, desk), desk)
        self._log.write(recv_ns, "ws-api", message, **outcome(refusal))
        if self._session.after_reply is not None:
            asyncio.get_running_loop().call_soon(self._session.after_reply)
            self._session.after_reply = None

    def _desk(self, parameters: Parameters) -> Desk:
        return self._methods.desk(parameters.get("apiKey", self._session.api_key))

    def _call(self, name: str, parameters: Parameters) -> Any:
        fault = self._methods.venue.faults.refusal("ws-api")
        if fault is not None:
            raise too_many_requests(fault, self._rules.clock.now_ms())
        if name in self._session.table:
            return self._session.table[name](parameters)
        if name not in self._methods.table:
            raise ExchangeRefusal(-1000, f"Unknown method '{name}'.")
        return self._methods.call(name, parameters, self._session.credentials(parameters))

    async def _reply_later(
        self, request_id: msgspec.Raw, result: Any, method: Method | None, desk: Desk
    ) -> None:
        self._carry(self._reply(request_id, await result, method, desk), desk)

    def _answer(self, reply: bytes, desk: Desk) -> None:
        if not self._user_stream.has_news():
            self._carry(reply, desk)
            return
        chance = self._draw.random()
        if chance < REPLY_FIRST_SHARE:
            self._carry(reply, desk)
            self._user_stream.flush()
            return
        self._user_stream.flush()
        if chance < REPLY_FIRST_SHARE + REPLY_LATE_SHARE and self._reply_delay_ms_max > 0:
            delay_s = self._draw.random() * self._reply_delay_ms_max / 1000
            asyncio.get_running_loop().call_later(delay_s, self._carry, reply, desk)
        else:
            self._carry(reply, desk)

    def _carry(self, reply: bytes, desk: Desk) -> None:
        send = partial(self.send_text, reply)
        self._methods.venue.faults.carry("replies", send, desk.owner_id)

    def _reply(
        self, request_id: msgspec.Raw, result: Any, method: Method | None, desk: Desk
    ) -> bytes:
        reply: dict[str, Any] = {"id": request_id, "status": 200}
        if isinstance(result, ExchangeRefusal):
            reply["status"] = result.status
            reply["error"] = result.body()
        else:
            reply["result"] = result
        if self._tells_limits:
            with_orders = method is not None and method.tells_order_limits
            reply["rateLimits"] = desk.limits.counts(with_orders)
        return msgspec.json.encode(reply)
