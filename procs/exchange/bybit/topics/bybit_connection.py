"""What all clients have in common: pings as text, silence, control messages.

The venue pings nobody; a connection on which the client says nothing for too long is closed.
"""

import asyncio
import itertools
from typing import Any

import msgspec
from picows import WSCloseCode, WSFrame, WSTransport

from procs.exchange.doors.client_connection import Connection, Rules
from procs.exchange.doors.web_frames import frame_header
from procs.exchange.faults.faults import NoPings

NUMBERS = itertools.count(1)
SPOT_ARGUMENTS_MAX = 10
ARGUMENTS_CHARACTERS_MAX = 21_000


class BybitConnection(Connection):
    """One client of any of the venue's sockets; ``pending`` are frames to be written."""

    def __init__(self, rules: Rules, idle_s: float) -> None:
        super().__init__(rules, frames_per_second_max=0)
        self.pending: list[bytes] = []
        self.conn_id = f"d{next(NUMBERS):019x}-{id(self) % 4096:03x}"
        self._idle_s = idle_s
        self._idle_timer: asyncio.TimerHandle | None = None
        self._heard_s = 0.0

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Begin to watch for silence."""
        super().on_ws_connected(transport)
        loop = asyncio.get_running_loop()
        self._heard_s = loop.time()
        self._idle_timer = loop.call_later(self._idle_s, self._check_idle)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Stop the timer."""
        super().on_ws_disconnected(transport)
        if self._idle_timer is not None:
            self._idle_timer.cancel()

    def _check_idle(self) -> None:
        loop = asyncio.get_running_loop()
        left_s = self._heard_s + self._idle_s - loop.time()
        if left_s > 0:
            self._idle_timer = loop.call_later(left_s, self._check_idle)
        else:
            self.close(WSCloseCode.GOING_AWAY, "No message for too long")

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take one frame from the client."""
        self._heard_s = asyncio.get_running_loop().time()
        super().on_ws_frame(transport, frame)

    def flush(self) -> None:
        """Write all pending frames with one call."""
        transport = self.transport
        if self.pending and transport is not None and self.may_write:
            transport.underlying_transport.write(b"".join(self.pending))
        self.pending.clear()

    def queue_disguised(self, message: bytes) -> None:
        """Put a message among the pending frames in the form that a fault gives it."""
        parts = self.disguise(message)
        for number, part in enumerate(parts, start=1):
            is_last = number == len(parts)
            header = frame_header(len(part), is_first=number == 1, is_last=is_last)
            self.pending += (header, part)

    def shutdown_notice(self, now_ms: int) -> bytes:
        """Return nothing: the venue announces no end."""
        return b""

    def answer(self, body: dict[str, Any]) -> None:
        """Send an answer to a control message."""
        self.send_text(msgspec.json.encode(body))

    def on_text(self, message: bytes) -> None:
        """Take one message: an operation, or what cannot be read."""
        try:
            request = msgspec.json.decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError):
            request = None
        if not isinstance(request, dict):
            self.fail({}, "Json parse error")
            return
        operation = request.get("op")
        if operation == "ping":
            if self._rules.faults.standing(NoPings) is None:
                self.pong(request)
        else:
            self.operate(str(operation), request, message)

    def request_id(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the id of a request as an answer has it: nothing where none was sent."""
        return {"req_id": request["req_id"]} if "req_id" in request else {}

    def fail(self, request: dict[str, Any], text: str) -> None:
        """Say that an operation is refused."""
        body = {"success": False, "ret_msg": text, "conn_id": self.conn_id}
        self.answer({**body, **self.request_id(request), "op": str(request.get("op", ""))})

    def pong(self, request: dict[str, Any]) -> None:
        """Answer a ping."""
        raise NotImplementedError

    def operate(self, operation: str, request: dict[str, Any], message: bytes) -> None:
        """Carry out an operation other than a ping."""
        raise NotImplementedError
