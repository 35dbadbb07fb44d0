"""One client of the private topics.

*Source:* the venue's documents, "WebSocket Connect" (authentication and private topics).
"""

from typing import Any

from picows import WSTransport

from procs.exchange.bybit.gates.disconnect_watch import TOPICS, DisconnectWatch
from procs.exchange.bybit.gates.operations import Operations
from procs.exchange.bybit.gates.private_stream import PRIVATE_TOPICS, PrivateStream
from procs.exchange.bybit.texts.bybit_refusals import BybitRefusal
from procs.exchange.bybit.texts.secret_keys import SecretKeys
from procs.exchange.bybit.topics.bybit_connection import BybitConnection
from procs.exchange.doors.client_connection import Rules


class PrivateConnection(BybitConnection):
    """One client; ``owner_id`` is 0 until it has logged on."""

    kind = "orders"

    def __init__(
        self,
        keys: SecretKeys,
        operations: Operations,
        stream: PrivateStream,
        watch: DisconnectWatch,
        rules: Rules,
        *,
        idle_s: float,
    ) -> None:
        super().__init__(rules, idle_s)
        self.owner_id = 0
        self.topics: dict[str, None] = {}
        self._keys = keys
        self._operations = operations
        self._stream = stream
        self._watch = watch

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Count the client among those who may hear."""
        super().on_ws_connected(transport)
        self._stream.hearers.add(self)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Forget the client."""
        super().on_ws_disconnected(transport)
        self._stream.hearers.discard(self)
        self._watch.forget(self, self.owner_id)

    def pong(self, request: dict[str, Any]) -> None:
        """Answer a ping."""
        now = str(self._rules.clock.now_ms())
        body = {**self.request_id(request), "op": "pong", "args": [now], "conn_id": self.conn_id}
        self.answer(body)

    def _confirm(self, request: dict[str, Any], operation: str) -> None:
        body: dict[str, Any] = {**self.request_id(request), "success": True, "ret_msg": ""}
        self.answer({**body, "op": operation, "conn_id": self.conn_id})

    def operate(self, operation: str, request: dict[str, Any], message: bytes) -> None:
        """Log on, subscribe, unsubscribe."""
        if operation == "auth":
            self._log_on(request)
        elif operation not in ("subscribe", "unsubscribe"):
            self.fail(request, f"Invalid op: {operation}")
        elif not self.owner_id:
            self.fail(request, "Request not authorized")
        else:
            self._change(operation, request)

    def _log_on(self, request: dict[str, Any]) -> None:
        try:
            owner_id = self._keys.log_on(request.get("args"))
            self._operations.check_key(owner_id)
        except BybitRefusal as error:
            self.fail(request, error.message)
            return
        self.owner_id = owner_id
        self._confirm(request, "auth")

    def _change(self, operation: str, request: dict[str, Any]) -> None:
        names = request.get("args")
        is_list = isinstance(names, list) and all(isinstance(name, str) for name in names)
        if not is_list or not names:
            self.fail(request, "Params Error")
            return
        for name in names:
            if name not in PRIVATE_TOPICS:
                self.fail(request, f"Invalid topic: {name}")
                return
        kinds = {name.rpartition(".")[2] in ("spot", "linear") for name in names if is_mixed(name)}
        if len(kinds) > 1:
            self.fail(request, "All-in-one and categorised topics must not be mixed")
            return
        for name in names:
            if operation == "unsubscribe":
                self.topics.pop(name, None)
                continue
            self.topics[name] = None
            if name in TOPICS:
                self._watch.hold(self, self.owner_id, name)
        self._confirm(request, operation)


def is_mixed(name: str) -> bool:
    """Return whether a topic is there for all categories at once and for each."""
    return name.partition(".")[0] in ("order", "execution", "position")
