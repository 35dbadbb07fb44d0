"""The HTTP side: signatures, budgets, answers.

Refusals are answered with status 200 and a code, as the venue does, but for the number of
requests of one address: 403.  `GET /vortex/status` is not the venue's.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from procs.exchange.bybit.desk.bybit_desk import BybitDesk
from procs.exchange.bybit.gates import http_queries
from procs.exchange.bybit.gates.disconnect_watch import DisconnectWatch
from procs.exchange.bybit.gates.http_queries import MarketQueries, Query
from procs.exchange.bybit.gates.operations import Operations
from procs.exchange.bybit.gates.private_stream import PrivateStream
from procs.exchange.bybit.texts.budgets import SECOND_NS, RequestBudget
from procs.exchange.bybit.texts.bybit_refusals import BybitRefusal, bad_parameter
from procs.exchange.bybit.texts.secret_keys import SecretKeys
from procs.exchange.core.exchange_config import BybitConfig
from procs.exchange.doors.json_answers import json_response
from procs.exchange.doors.request_log import RequestLog
from procs.exchange.faults.faults import Delay, Lose

QUERIES: dict[str, Callable[[BybitDesk, Query], dict[str, Any]]] = {
    "/v5/order/realtime": http_queries.answer_open_orders,
    "/v5/order/history": http_queries.answer_order_history,
    "/v5/execution/list": http_queries.answer_executions,
    "/v5/account/wallet-balance": http_queries.answer_wallet,
    "/v5/position/list": http_queries.answer_positions,
    "/v5/account/info": http_queries.answer_account,
    "/v5/account/fee-rate": http_queries.answer_fee_rates,
    "/v5/user/query-api": http_queries.answer_key,
}
OPERATIONS = {
    f"/v5/order/{kind}": kind
    for kind in (
        *("create", "amend", "cancel", "cancel-all"),
        *("create-batch", "amend-batch", "cancel-batch"),
    )
}
DCP_SET, DCP_QUERY = "/v5/order/disconnected-cancel-all", "/v5/account/query-dcp-info"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
#: What an answer is made of: the result, what is said beside it, the headers.
Answered = tuple[dict[str, Any], dict[str, Any], dict[str, str]]


class HttpRoutes:
    """The routes of all accounts."""

    def __init__(
        self,
        keys: SecretKeys,
        operations: Operations,
        stream: PrivateStream,
        watch: DisconnectWatch,
        markets: MarketQueries,
        log: RequestLog,
        *,
        config: BybitConfig,
        status: Callable[[], dict[str, Any]],
    ) -> None:
        self._keys = keys
        self._operations = operations
        self._faults = operations.venue.faults
        self._clock = operations.venue.clock
        self._stream = stream
        self._watch = watch
        self._log = log
        self._status = status
        self._address_budget = RequestBudget(config.rest_requests_per_5s, 5 * SECOND_NS)
        self._public = {
            "/v5/market/time": markets.answer_time,
            "/v5/market/instruments-info": markets.answer_instruments,
            "/v5/market/orderbook": markets.answer_book,
            "/v5/market/tickers": markets.answer_tickers,
            "/v5/market/recent-trade": markets.answer_trades,
        }

    def application(self) -> web.Application:
        """Return the application with all routes."""
        application = web.Application()
        for path in (*self._public, *QUERIES, DCP_QUERY):
            application.router.add_get(path, self._handle)
        for path in (*OPERATIONS, DCP_SET):
            application.router.add_post(path, self._handle)
        application.router.add_get("/vortex/status", self._tell_status)
        return application

    async def _tell_status(self, _: web.Request) -> web.Response:
        return json_response(200, self._status())

    async def _handle(self, request: web.Request) -> web.Response:
        recv_ns, text = time.time_ns(), (await request.read()).decode(errors="replace")
        payload = text if request.method == "POST" else request.raw_path.partition("?")[2]
        headers: dict[str, str] = {}
        status, code = 200, 0
        try:
            result, extra, headers = self._answer(request, payload)
            body: dict[str, Any] = {"retCode": 0, "retMsg": "OK", "result": result}
        except BybitRefusal as error:
            status, code, extra = error.status, error.code, {}
            body = {**error.body(), "result": {}}
        self._stream.flush()
        line = f"{request.method} {request.raw_path} {text}".encode()
        self._log.write(recv_ns, "rest", line, status=status, code=code)
        await self._suffer(request)
        body |= {"retExtInfo": extra, "time": self._clock.now_ms()}
        return json_response(status, body, {"Traceid": secrets.token_hex(16), **headers})

    async def _suffer(self, request: web.Request) -> None:
        fault = self._faults.strikes_lane("rest")
        if isinstance(fault, Delay):
            await asyncio.sleep(fault.delay_ms / 1000)
        elif isinstance(fault, Lose) and request.transport is not None:
            request.transport.abort()

    def _answer(self, request: web.Request, payload: str) -> Answered:
        if not self._address_budget.take():
            raise BybitRefusal(10403, "access too frequent", status=403)
        self._operations.check_number("rest")
        path = request.path
        if path in self._public:
            return self._public[path](dict(parse_qsl(payload))), {}, {}
        owner_id = self._keys.owner_of_request(request.headers, payload)
        self._operations.check_key(owner_id)
        desk = self._operations.desks.of(owner_id)
        if request.method == "GET":
            return self._query(path, desk, dict(parse_qsl(payload)))
        try:
            parameters = msgspec.json.decode(payload)
        except msgspec.DecodeError:
            parameters = None
        if not isinstance(parameters, dict):
            raise bad_parameter("params error: the body is not an object of JSON")
        if path == DCP_SET:
            return self._watch.set_window(owner_id, parameters), {}, {}
        return self._operate(desk, OPERATIONS[path], parameters)

    def _query(self, path: str, desk: BybitDesk, query: dict[str, str]) -> Answered:
        category = "spot" if query.get("category") == "spot" else "linear"
        desk.budgets.take(category, "query")
        headers = desk.budgets.headers(category, "query")
        if path == DCP_QUERY:
            return self._watch.windows(desk.owner_id), {}, headers
        return QUERIES[path](desk, query), {}, headers

    def _operate(self, desk: BybitDesk, kind: str, parameters: dict[str, Any]) -> Answered:
        outcome = self._operations.call(desk.owner_id, kind, parameters)
        headers = desk.budgets.headers(parameters["category"], kind)
        return outcome.result, outcome.extra, headers
