"""One client of the public topics.

*Source:* the venue's documents, "WebSocket Connect"; answers have the recorded shapes, which
differ between spot and linear.
"""

import random
from typing import Any

from picows import WSTransport

from procs.exchange.bybit.topics.bybit_connection import (
    ARGUMENTS_CHARACTERS_MAX,
    SPOT_ARGUMENTS_MAX,
    BybitConnection,
)
from procs.exchange.bybit.topics.public_topics import PublicTopic, PublicTopics
from procs.exchange.doors.client_connection import Rules

DATA_FIRST_SHARE = 0.5


class PublicConnection(BybitConnection):
    """One client of one category's topics."""

    kind = "streams"

    def __init__(
        self, topics: PublicTopics, rules: Rules, *, idle_s: float, draw: random.Random
    ) -> None:
        super().__init__(rules, idle_s)
        self._topics = topics
        self._chance = draw
        self._names: dict[str, PublicTopic] = {}

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Count the client among those to be written to."""
        super().on_ws_connected(transport)
        self._topics.connections.add(self)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Forget the client."""
        super().on_ws_disconnected(transport)
        self._topics.connections.discard(self)
        for topic in self._names.values():
            topic.listeners.discard(self)

    def pong(self, request: dict[str, Any]) -> None:
        """Answer a ping: linear has a `req_id` also when none was sent."""
        self._confirm(request, "pong", "ping")

    def _confirm(self, request: dict[str, Any], text: str, operation: str) -> None:
        body: dict[str, Any] = {"success": True, "ret_msg": text, "conn_id": self.conn_id}
        body |= self.request_id(request)
        if self._topics.category == "linear":
            body.setdefault("req_id", "")
        self.answer({**body, "op": operation})

    def operate(self, operation: str, request: dict[str, Any], message: bytes) -> None:
        """Subscribe or unsubscribe: all of a request, or nothing of it."""
        if operation not in ("subscribe", "unsubscribe"):
            self.fail(request, f"Invalid op: {operation}")
            return
        names = request.get("args")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            self.fail(request, "Params Error")
            return
        problem = self._problem(operation, names)
        if problem:
            self.fail(request, problem)
            return
        text = operation if self._topics.category == "spot" else ""
        if operation == "unsubscribe":
            for name in names:
                self._names.pop(name).listeners.discard(self)
            self._confirm(request, text, operation)
            return
        data_first = self._chance.random() < DATA_FIRST_SHARE
        if data_first:
            self._subscribe(names)
        self._confirm(request, text, operation)
        if not data_first:
            self._subscribe(names)

    def _problem(self, operation: str, names: list[str]) -> str:
        if self._topics.category == "spot" and len(names) > SPOT_ARGUMENTS_MAX:
            return f"args size >{SPOT_ARGUMENTS_MAX}"
        if not names or sum(map(len, names)) > ARGUMENTS_CHARACTERS_MAX:
            return "Params Error"
        for name in names:
            if operation == "unsubscribe" and name not in self._names:
                return f"error:topic not subscribed,topic:{name}"
            if operation == "subscribe" and name in self._names:
                return f"error:already subscribed,topic:{name}"
            if name not in self._topics.topics:
                return f"Invalid topic: {name}"
        return ""

    def _subscribe(self, names: list[str]) -> None:
        for name in dict.fromkeys(names):
            topic = self._topics.topics[name]
            if not topic.is_silent():
                for message in topic.first():
                    topic.send_to(self, message)
            self._names[name] = topic
            topic.listeners.add(self)
        self.flush()
        if self._topics.on_subscribed is not None:
            self._topics.on_subscribed()
