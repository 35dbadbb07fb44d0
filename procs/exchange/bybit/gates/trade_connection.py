"""One client of the trade socket: orders in, acknowledgements out.

An acknowledgement says that a request was accepted, no more; the venue does not promise whether
it or the private topics come first, so that is drawn for each request.

*Source:* the venue's documents, "WebSocket Trade Guideline".
"""

import asyncio
import random
import secrets
import time
from functools import partial
from typing import Any

import msgspec

from procs.exchange.bybit.gates.operations import Acceptance, Operations
from procs.exchange.bybit.gates.private_stream import PrivateStream
from procs.exchange.bybit.texts.bybit_refusals import (
    RESTARTING,
    BybitRefusal,
    bad_parameter,
)
from procs.exchange.bybit.texts.order_requests import read_category
from procs.exchange.bybit.texts.secret_keys import RECV_WINDOW_MS, SecretKeys
from procs.exchange.bybit.topics.bybit_connection import BybitConnection
from procs.exchange.core.exchange_config import BybitConfig
from procs.exchange.doors.client_connection import Rules
from procs.exchange.doors.request_log import RequestLog

KINDS = {
    f"order.{name}{suffix}": f"{name}{suffix}"
    for name in ("create", "amend", "cancel")
    for suffix in ("", "-batch")
}
REQUEST_ID_MAX = 36
REQUEST_IDS_KEPT_MAX = 10_000
ACK_FIRST_SHARE = 0.5


class TradeConnection(BybitConnection):
    """One client of the trade socket."""

    kind = "orders"

    def __init__(
        self,
        keys: SecretKeys,
        operations: Operations,
        stream: PrivateStream,
        log: RequestLog,
        rules: Rules,
        *,
        config: BybitConfig,
        idle_s: float,
        draw: random.Random,
    ) -> None:
        super().__init__(rules, idle_s)
        self.owner_id = 0
        self._keys = keys
        self._operations = operations
        self._stream = stream
        self._log = log
        self._config = config
        self._chance = draw
        self._request_ids: dict[str, None] = {}
        self._is_draining = False

    def end_in(self, seconds: float) -> None:
        """Take no new requests from now on, and close then."""
        self._is_draining = True
        super().end_in(seconds)

    def pong(self, request: dict[str, Any]) -> None:
        """Answer a ping."""
        data = [str(self._rules.clock.now_ms())]
        body: dict[str, Any] = {"retCode": 0, "retMsg": "OK", "op": "pong", "data": data}
        self.answer({**self._echo(request), **body, "connId": self.conn_id})

    @staticmethod
    def _echo(request: dict[str, Any]) -> dict[str, Any]:
        return {"reqId": request["reqId"]} if request.get("reqId") else {}

    def fail(self, request: dict[str, Any], text: str) -> None:
        """Say that a message cannot be read."""
        self._refuse(request, bad_parameter(text))

    def _refuse(self, request: dict[str, Any], error: BybitRefusal) -> None:
        body: dict[str, Any] = {**self._echo(request), **error.body()}
        body |= {"op": str(request.get("op", "")), "connId": self.conn_id}
        self.answer(body)

    def operate(self, operation: str, request: dict[str, Any], message: bytes) -> None:
        """Log on, or carry out a request."""
        if operation == "auth":
            self._log_on(request)
            return
        recv_ns = time.time_ns()
        headers = self._headers(request)
        body: dict[str, Any] = {"reqId": str(request.get("reqId", ""))}
        code = 0
        try:
            outcome = self._carry_out(operation, request)
            body |= {"retCode": 0, "retMsg": "OK", "op": operation}
            body |= {"data": outcome.result, "retExtInfo": outcome.extra}
        except BybitRefusal as error:
            code = error.code
            body |= {**error.body(), "op": operation, "data": {}, "retExtInfo": {}}
        headers |= self._budget_headers(operation, request)
        self._acknowledge({**body, "header": headers, "connId": self.conn_id})
        self._log.write(recv_ns, "trade", message, code=code)

    def _log_on(self, request: dict[str, Any]) -> None:
        try:
            if self.owner_id:
                raise BybitRefusal(20001, "Repeat auth")
            owner_id = self._keys.log_on(request.get("args"))
            self._operations.check_key(owner_id)
        except BybitRefusal as error:
            self._refuse(request, error)
            return
        self.owner_id = owner_id
        body = {**self._echo(request), "retCode": 0, "retMsg": "OK", "op": "auth"}
        self.answer({**body, "connId": self.conn_id})

    def _carry_out(self, operation: str, request: dict[str, Any]) -> Acceptance:
        if not self.owner_id:
            raise BybitRefusal(10005, "Permission denied, please check your API key permissions.")
        if self._is_draining:
            raise RESTARTING
        self._operations.check_key(self.owner_id)
        self._operations.check_number("ws-api")
        self._check_request_id(request)
        header = request.get("header")
        if not isinstance(header, dict):
            raise bad_parameter("header is required")
        stamp = str(header.get("X-BAPI-TIMESTAMP", ""))
        window = str(header.get("X-BAPI-RECV-WINDOW", RECV_WINDOW_MS))
        self._keys.check_freshness(stamp, window)
        if operation not in KINDS:
            raise BybitRefusal(10404, f"op {operation} not found")
        arguments = request.get("args")
        if not isinstance(arguments, list) or len(arguments) != 1:
            raise bad_parameter("args must have one element")
        if not isinstance(arguments[0], dict):
            raise bad_parameter("args must be an object")
        return self._operations.call(self.owner_id, KINDS[operation], arguments[0])

    def _check_request_id(self, request: dict[str, Any]) -> None:
        request_id = request.get("reqId", "")
        if not isinstance(request_id, str) or len(request_id) > REQUEST_ID_MAX:
            raise bad_parameter("reqId invalid")
        if not request_id:
            return
        if request_id in self._request_ids:
            raise BybitRefusal(20006, "Duplicate reqId")
        self._request_ids[request_id] = None
        if len(self._request_ids) > REQUEST_IDS_KEPT_MAX:
            del self._request_ids[next(iter(self._request_ids))]

    def _headers(self, request: dict[str, Any]) -> dict[str, str]:
        return {"Traceid": secrets.token_hex(16), "Timenow": str(self._rules.clock.now_ms())}

    def _budget_headers(self, operation: str, request: dict[str, Any]) -> dict[str, str]:
        if not self.owner_id or operation not in KINDS:
            return {}
        try:
            category = read_category(request["args"][0])
        except (BybitRefusal, LookupError, TypeError, AttributeError):
            return {}
        desk = self._operations.desks.of(self.owner_id)
        return desk.budgets.headers(category, KINDS[operation])

    def _acknowledge(self, body: dict[str, Any]) -> None:
        message = msgspec.json.encode(body)
        if self._chance.random() < ACK_FIRST_SHARE:
            self._carry(message)
            self._stream.flush()
            return
        self._stream.flush()
        delay_ms = self._chance.uniform(
            self._config.ack_delay_ms_min, self._config.ack_delay_ms_max
        )
        asyncio.get_running_loop().call_later(delay_ms / 1000, self._carry, message)

    def _carry(self, message: bytes) -> None:
        send = partial(self.send_text, message)
        self._rules.faults.carry("replies", send, self.owner_id)
