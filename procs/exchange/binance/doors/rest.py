"""The REST side: the same methods under their HTTP names, and a status page of our own.

`GET /vortex/status` is not the venue's: it tells, unsigned, what the report tells at the end,
less the single fills and orders.
"""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from procs.exchange.binance.accounts.account_desk import Desk
from procs.exchange.binance.doors.user_stream import UserStream
from procs.exchange.binance.methods.methods import Methods, RequestProof
from procs.exchange.binance.words.errors import ExchangeRefusal, too_many_requests
from procs.exchange.doors.json_answers import json_response
from procs.exchange.doors.request_log import RequestLog
from procs.exchange.faults.faults import Delay, Lose

ROUTES = (
    ("GET", "/api/v3/ping", "ping"),
    ("GET", "/api/v3/time", "time"),
    ("GET", "/api/v3/exchangeInfo", "exchangeInfo"),
    ("GET", "/api/v3/depth", "depth"),
    ("GET", "/api/v3/trades", "trades.recent"),
    ("GET", "/api/v3/aggTrades", "trades.aggregate"),
    ("GET", "/api/v3/ticker/bookTicker", "ticker.book"),
    ("GET", "/api/v3/ticker/price", "ticker.price"),
    ("GET", "/api/v3/ticker/24hr", "ticker.24hr"),
    ("GET", "/api/v3/account", "account.status"),
    ("GET", "/api/v3/rateLimit/order", "account.rateLimits.orders"),
    ("GET", "/api/v3/myTrades", "myTrades"),
    ("GET", "/api/v3/allOrders", "allOrders"),
    ("GET", "/api/v3/order", "order.status"),
    ("POST", "/api/v3/order", "order.place"),
    ("POST", "/api/v3/order/test", "order.test"),
    ("DELETE", "/api/v3/order", "order.cancel"),
    ("POST", "/api/v3/order/cancelReplace", "order.cancelReplace"),
    ("PUT", "/api/v3/order/amend/keepPriority", "order.amend.keepPriority"),
    ("GET", "/api/v3/openOrders", "openOrders.status"),
    ("DELETE", "/api/v3/openOrders", "openOrders.cancelAll"),
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def signed_text(query: str, body: str) -> str:
    """Return what a REST request signs: query and body as sent, without the signature."""
    kept = [
        "&".join(part for part in text.split("&") if not part.startswith("signature="))
        for text in (query, body)
    ]
    return "".join(kept)


def outcome(refusal: ExchangeRefusal | None) -> dict[str, int]:
    """Return how a request ended, for the log."""
    return {} if refusal is None else {"status": refusal.status, "code": refusal.code}


class Rest:
    """The HTTP routes."""

    def __init__(
        self,
        methods: Methods,
        user_stream: UserStream,
        log: RequestLog,
        status: Callable[[], dict[str, Any]],
    ) -> None:
        self._methods = methods
        self._venue = methods.venue
        self._user_stream = user_stream
        self._log = log
        self._status = status

    def application(self) -> web.Application:
        """Return the application with all routes."""
        application = web.Application()
        for verb, path, name in ROUTES:
            application.router.add_route(verb, path, self._handler(name))
        application.router.add_get("/vortex/status", self._tell_status)
        return application

    async def _tell_status(self, _: web.Request) -> web.Response:
        return json_response(200, self._status())

    def _handler(self, name: str) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            recv_ns = time.time_ns()
            query = request.raw_path.partition("?")[2]
            body = await request.text()
            parameters = dict(parse_qsl(query) + parse_qsl(body))
            api_key = request.headers.get("X-MBX-APIKEY")
            credentials = RequestProof(
                api_key, signed_text(query, body), parameters.get("signature", "")
            )
            refusal = None
            try:
                fault = self._venue.faults.refusal("rest")
                if fault is not None:
                    raise too_many_requests(fault, self._venue.clock.now_ms())
                result = self._methods.call(name, parameters, credentials)
                if inspect.isawaitable(result):
                    result = await result
            except ExchangeRefusal as error:
                refusal, result = error, error.body()
            self._user_stream.flush()
            line = f"{request.method} {request.raw_path} {body}".encode()
            self._log.write(recv_ns, "rest", line, **outcome(refusal))
            await self._suffer(request)
            return self._respond(self._methods.desk(api_key), result, refusal)

        return handle

    async def _suffer(self, request: web.Request) -> None:
        fault = self._venue.faults.strikes_lane("rest")
        if isinstance(fault, Delay):
            await asyncio.sleep(fault.delay_ms / 1000)
        elif isinstance(fault, Lose) and request.transport is not None:
            request.transport.abort()

    @staticmethod
    def _respond(desk: Desk, body: Any, refusal: ExchangeRefusal | None) -> web.Response:
        counts = [str(row["count"]) for row in desk.limits.counts(with_orders=True)]
        headers = {
            "X-MBX-ORDER-COUNT-10S": counts[0],
            "X-MBX-ORDER-COUNT-1D": counts[1],
            "X-MBX-USED-WEIGHT-1M": counts[2],
        }
        status = refusal.status if refusal is not None else 200
        if refusal is not None and status in (418, 429) and refusal.data:
            wait_ms = refusal.data.get("retryAfter", 0) - refusal.data.get("serverTime", 0)
            headers["Retry-After"] = str(max(1, wait_ms // 1000))
        return json_response(status, body, headers)
