"""WebSocket API connections: requests in, replies and the account's events out.

The venue does not promise whether a reply or the events that it caused come first, so the order
is drawn anew for each request, from the exchange's seed.
"""

import asyncio
import inspect
import random
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from picows import WSTransport

from procs.exchange.connection import Connection
from procs.exchange.errors import VenueError, missing
from procs.exchange.methods import Credentials, Method, Methods
from procs.exchange.parameters import Parameters, refuse_unknown
from procs.exchange.request_log import RequestLog
from procs.exchange.signatures import sorted_payload
from procs.exchange.user_stream import UserStream

SUBSCRIBE_WEIGHT = 2
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

    def __init__(
        self,
        methods: Methods,
        user_stream: UserStream,
        log: RequestLog,
        target: str,
        *,
        draw: random.Random,
        reply_delay_ms_max: float,
        **rules: Any,
    ) -> None:
        super().__init__(**rules)
        self._methods = methods
        self._user_stream = user_stream
        self._log = log
        self._draw = draw
        self._reply_delay_ms_max = reply_delay_ms_max
        query = parse_qs(urlsplit(target).query)
        self._tells_limits = query.get("returnRateLimits", ["true"])[0] != "false"
        self._subscription_count = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Forget the client; its orders stand."""
        super().on_ws_disconnected(transport)
        self._user_stream.unsubscribe(self)

    def on_text(self, message: bytes) -> None:
        """Answer one request."""
        recv_ns = time.time_ns()
        try:
            request = REQUEST.decode(message)
            parameters = {name: parameter_text(raw) for name, raw in request.params.items()}
        except (msgspec.DecodeError, UnicodeDecodeError):
            malformed = VenueError(-1135, "Invalid JSON Request")
            self._reply(msgspec.Raw(b"null"), None, malformed, None)
            self._log.write(recv_ns, "ws-api", message, malformed)
            return
        name = request.method.removeprefix("v3/")
        method = self._methods.table.get(name)
        result: Any = None
        refusal: VenueError | None = None
        try:
            if name.startswith("userDataStream.") or method is None:
                result = self._session(name, parameters)
            else:
                result = self._methods.call(method, parameters, self._credentials(parameters))
        except VenueError as error:
            refusal = error
        if inspect.isawaitable(result):
            task = asyncio.ensure_future(self._reply_later(request.id, result, method))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        self._answer(request.id, result, refusal, method)
        self._log.write(recv_ns, "ws-api", message, refusal)

    @staticmethod
    def _credentials(parameters: Parameters) -> Credentials:
        return Credentials(
            parameters.get("apiKey"),
            sorted_payload(parameters),
            parameters.get("signature", ""),
        )

    def _session(self, name: str, parameters: Parameters) -> dict[str, Any]:
        if name == "userDataStream.subscribe.signature":
            return self._subscribe(parameters)
        if name == "userDataStream.unsubscribe":
            return self._unsubscribe(parameters)
        raise VenueError(-1000, f"Unknown method '{name}'.")

    def _subscribe(self, parameters: Parameters) -> dict[str, Any]:
        refuse_unknown(parameters, frozenset())
        if "apiKey" not in parameters:
            raise missing("apiKey")
        self._methods.authorize(parameters, self._credentials(parameters))
        self._methods.limits.add_weight(SUBSCRIBE_WEIGHT)
        if self._user_stream.subscription(self) is not None:
            text = "User Data Stream subscription already active."
            raise VenueError(-2035, text)
        number = self._subscription_count
        self._subscription_count += 1
        self._user_stream.subscribe(self, number)
        return {"subscriptionId": number}

    def _unsubscribe(self, parameters: Parameters) -> dict[str, Any]:
        number = self._user_stream.subscription(self)
        if number is None or parameters.get("subscriptionId", str(number)) != str(number):
            raise VenueError(-2036, "User Data Stream subscription is not active.")
        event = {"e": "eventStreamTerminated", "E": time.time_ns() // 1_000_000}
        asyncio.get_running_loop().call_soon(self._terminate, number, event)
        return {}

    def _terminate(self, number: int, event: dict[str, Any]) -> None:
        if self._user_stream.subscription(self) == number:
            self._user_stream.send(self, event)
            self._user_stream.unsubscribe(self)

    async def _reply_later(
        self, request_id: msgspec.Raw, result: Any, method: Method | None
    ) -> None:
        self._reply(request_id, await result, None, method)

    def _answer(
        self,
        request_id: msgspec.Raw,
        result: Any,
        refusal: VenueError | None,
        method: Method | None,
    ) -> None:
        if not self._methods.desk.outbox:
            self._reply(request_id, result, refusal, method)
            return
        chance = self._draw.random()
        if chance < REPLY_FIRST_SHARE:
            self._reply(request_id, result, refusal, method)
            self._user_stream.flush()
            return
        self._user_stream.flush()
        if chance < REPLY_FIRST_SHARE + REPLY_LATE_SHARE and self._reply_delay_ms_max > 0:
            delay_s = self._draw.random() * self._reply_delay_ms_max / 1000
            loop = asyncio.get_running_loop()
            loop.call_later(delay_s, self._reply, request_id, result, refusal, method)
        else:
            self._reply(request_id, result, refusal, method)

    def _reply(
        self,
        request_id: msgspec.Raw,
        result: Any,
        refusal: VenueError | None,
        method: Method | None,
    ) -> None:
        reply: dict[str, Any] = {"id": request_id, "status": 200}
        if refusal is None:
            reply["result"] = result
        else:
            reply["status"] = refusal.status
            reply["error"] = refusal.body()
        if self._tells_limits:
            with_orders = method is not None and method.tells_order_limits
            reply["rateLimits"] = self._methods.limits.counts(with_orders)
        self.send_text(msgspec.json.encode(reply))
