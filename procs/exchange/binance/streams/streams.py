"""Market streams: topics, who listens to them, and the connections.

A frame is encoded once for each of its two shapes, bare on `/ws`, wrapped on `/stream`, and only
when somebody listens.  What one step of the market publishes leaves in one write per client.
Binary streams are topics of their own, always bare; control messages are text there too.
"""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
from picows import WSTransport

from procs.exchange.doors.client_connection import Connection, Rules
from procs.exchange.doors.web_frames import TEXT, FrameMeter, frame_header
from procs.exchange.faults.arming import Faults
from procs.exchange.faults.faults import Disguise, Silence

logger = logging.getLogger(__name__)

STREAMS_MAX = 1024
DIFF_KINDS = ("depth", "depth@100ms")


class Topic:
    """One stream: who wants its frames bare, who wrapped."""

    __slots__ = ("bare", "is_diff", "name", "prefix", "streams", "wrapped")

    def __init__(self, name: str, streams: "Streams") -> None:
        self.name = name
        self.is_diff = name.partition("@")[2] in DIFF_KINDS
        self.streams = streams
        self.prefix = b'{"stream":"' + name.encode() + b'","data":'
        self.bare: set[StreamConnection] = set()
        self.wrapped: set[StreamConnection] = set()

    def is_wanted(self) -> bool:
        """Return whether anybody listens."""
        return bool(self.bare or self.wrapped)

    def publish(self, payload: bytes) -> None:
        """Send one frame to all who listen, at the end of this step."""
        wrapped = self.prefix + payload + b"}" if self.wrapped else b""
        self._publish(wrapped, payload if self.bare else b"")

    def publish_recorded(self, line: bytes, data: msgspec.Raw) -> None:
        """Send a recorded frame: the line as it is, or the data inside it, as they were."""
        self._publish(line if self.wrapped else b"", bytes(data) if self.bare else b"")

    def _publish(self, wrapped: bytes, bare: bytes) -> None:
        faults = self.streams.faults
        if faults.standing(Silence, lambda fault: fault.streams in self.name) is not None:
            return
        if self.is_diff and self.is_wanted():
            faults.carry("diffs", partial(self._send, wrapped, bare), stream=self.name)
        else:
            self._send(wrapped, bare)

    def _send(self, wrapped: bytes, bare: bytes) -> None:
        if wrapped:
            self._queue(self.wrapped, wrapped)
        if bare:
            self._queue(self.bare, bare)
        self.streams.market_frame_count += 1

    def _queue(self, subscribers: "set[StreamConnection]", message: bytes) -> None:
        opcode = self.streams.opcode
        header = frame_header(len(message), opcode=opcode)
        is_disguised = opcode == TEXT and self.streams.faults.standing(Disguise) is not None
        for connection in subscribers:
            if is_disguised:
                connection.queue_disguised(message)
            else:
                connection.pending += (header, message)
        self.streams.frames_sent_count += len(subscribers)


class Streams:
    """All topics; names that nobody serves are kept too, and stay silent.

    ``opcode`` is what the frames of the market are: TEXT or BINARY.
    """

    def __init__(self, faults: Faults, opcode: int = TEXT) -> None:
        self.faults = faults
        self.opcode = opcode
        self.topics: dict[str, Topic] = {}
        self.connections: set[StreamConnection] = set()
        self.frames_sent_count = 0
        self.market_frame_count = 0
        self.meter = FrameMeter()
        self.on_subscribed: Callable[[], None] | None = None

    def topic(self, name: str) -> Topic:
        """Return a topic, made on first mention."""
        if name not in self.topics:
            self.topics[name] = Topic(name, self)
        return self.topics[name]

    def can_write(self) -> bool:
        """Return whether no client's socket is full."""
        return all(connection.can_write for connection in self.connections)

    def flush(self, now_ns: int) -> None:
        """Write what was published since the last call, and count it as of ``now_ns``."""
        for connection in tuple(self.connections):
            connection.flush()
        made_count = self.market_frame_count - self.meter.count
        self.meter.add(made_count, now_ns)


class StreamConnection(Connection):
    """One client of `/ws` or `/stream`."""

    kind = "streams"

    def __init__(
        self, streams: Streams, target: str, rules: Rules, *, frames_per_second_max: int
    ) -> None:
        super().__init__(rules, frames_per_second_max=frames_per_second_max)
        self._streams = streams
        self._names: dict[str, None] = {}
        self.pending: list[bytes] = []
        parts = urlsplit(target)
        is_combined = parts.path.startswith("/stream")
        self._is_wrapped = is_combined and streams.opcode == TEXT
        names = parse_qs(parts.query).get("streams", [""])[0].split("/")
        if not is_combined:
            names = unquote(parts.path).removeprefix("/ws").strip("/").split("/")
        self._first_names = [name for name in names if name]

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Subscribe to what the address asked for."""
        super().on_ws_connected(transport)
        self._streams.connections.add(self)
        self._subscribe(self._first_names)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Forget the client."""
        super().on_ws_disconnected(transport)
        self._unsubscribe(list(self._names))
        self._streams.connections.discard(self)

    def flush(self) -> None:
        """Write all pending frames with one call: a burst leaves back to back."""
        transport = self.transport
        if self.pending and transport is not None and self.may_write:
            transport.underlying_transport.write(b"".join(self.pending))
        self.pending.clear()

    def queue_disguised(self, message: bytes) -> None:
        """Put a message among the pending frames in the dress that a fault gives it."""
        parts = self.disguise(message)
        for number, part in enumerate(parts, start=1):
            is_last = number == len(parts)
            header = frame_header(len(part), is_first=number == 1, is_last=is_last)
            self.pending += (header, part)

    def shutdown_notice(self, now_ms: int) -> bytes:
        """Return the serverShutdown event in the shape of this connection."""
        event = b'{"e":"serverShutdown","E":%d}' % now_ms
        if self._is_wrapped:
            return b'{"stream":"!serverShutdown","data":%b}' % event
        return event

    def _subscribers(self, name: str) -> "set[StreamConnection]":
        topic = self._streams.topic(name)
        return topic.wrapped if self._is_wrapped else topic.bare

    def _subscribe(self, names: Iterable[str]) -> None:
        for name in names:
            if len(self._names) < STREAMS_MAX:
                self._names[name] = None
                self._subscribers(name).add(self)
        if self._streams.on_subscribed and self._names:
            self._streams.on_subscribed()

    def _unsubscribe(self, names: Iterable[str]) -> None:
        for name in names:
            self._names.pop(name, None)
            self._subscribers(name).discard(self)

    def on_text(self, message: bytes) -> None:
        """Answer a control message."""
        try:
            request = msgspec.json.decode(message)
        except msgspec.DecodeError:
            self._refuse(3, "Invalid JSON: expected value at line 1 column 1", None)
            return
        if not isinstance(request, dict):
            self._refuse(2, "Invalid request: expected an object", None)
            return
        self._control(request, request.get("id"))

    def _refuse(self, code: int, text: str, request_id: Any) -> None:
        body = {"error": {"code": code, "msg": text}, "id": request_id}
        self.send_text(msgspec.json.encode(body))

    def _control(self, request: dict[str, Any], request_id: Any) -> None:
        method, names = request.get("method"), request.get("params")
        is_list = isinstance(names, list) and all(isinstance(name, str) for name in names)
        result: Any = None
        if method == "LIST_SUBSCRIPTIONS":
            result = list(self._names)
        elif method in ("SUBSCRIBE", "UNSUBSCRIBE"):
            if not is_list or names is None:
                self._refuse(2, "Invalid request: streams must be an array", request_id)
                return
            self.send_text(msgspec.json.encode({"result": None, "id": request_id}))
            change = self._subscribe if method == "SUBSCRIBE" else self._unsubscribe
            change(names)
            return
        elif method == "GET_PROPERTY" and names == ["combined"]:
            result = self._is_wrapped
        elif method == "SET_PROPERTY" and is_list is False and isinstance(names, list):
            self._set_property(names, request_id)
            return
        else:
            text = (
                f"Invalid request: unknown variant {method}, expected one of `SUBSCRIBE`, "
                "`UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`"
            )
            self._refuse(2, text, request_id)
            return
        self.send_text(msgspec.json.encode({"result": result, "id": request_id}))

    def _set_property(self, names: list[Any], request_id: Any) -> None:
        if len(names) != 2 or names[0] != "combined" or not isinstance(names[1], bool):
            self._refuse(0, "Unknown property", request_id)
            return
        kept = list(self._names)
        self._unsubscribe(kept)
        self._is_wrapped = names[1] and self._streams.opcode == TEXT
        self._subscribe(kept)
        self.send_text(msgspec.json.encode({"result": None, "id": request_id}))
