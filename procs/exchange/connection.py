"""One WebSocket client: pings, pongs, message assembly, and what gets it disconnected."""

import asyncio
import logging
import time
from typing import Any

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

logger = logging.getLogger(__name__)

TEXT = WSMsgType.TEXT
BACKLOG_BYTES_MAX = 64 * 1024 * 1024
MESSAGE_BYTES_MAX = 64 * 1024


class Connection(WSListener):
    """The rules that all connections share; subclasses answer text messages."""

    def __init__(
        self, *, ping_interval_s: float, pong_timeout_s: float, frames_per_second_max: int
    ) -> None:
        self.transport: WSTransport | None = None
        self.can_write = True
        self._ping_interval_s = ping_interval_s
        self._pong_timeout_s = pong_timeout_s
        self._frames_per_second_max = frames_per_second_max
        self._pong_deadline_s = 0.0
        self._second = 0
        self._frames_in_second = 0
        self._parts: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Begin to ping."""
        self.transport = transport
        loop = asyncio.get_running_loop()
        self._pong_deadline_s = loop.time() + self._ping_interval_s + self._pong_timeout_s
        self._timer = loop.call_later(self._ping_interval_s, self._ping)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Stop pinging."""
        self.transport = None
        if self._timer is not None:
            self._timer.cancel()

    def pause_writing(self) -> None:
        """Note that the socket takes no more for now."""
        self.can_write = False

    def resume_writing(self) -> None:
        """Note that the socket takes bytes again."""
        self.can_write = True

    def _ping(self) -> None:
        transport = self.transport
        if transport is None:
            return
        loop = asyncio.get_running_loop()
        if loop.time() > self._pong_deadline_s:
            logger.warning("client disconnected: no pong in time")
            transport.disconnect(graceful=False)
            return
        backlog_bytes = transport.underlying_transport.get_write_buffer_size()
        if backlog_bytes > BACKLOG_BYTES_MAX:
            logger.warning("client disconnected: it does not read")
            transport.disconnect(graceful=False)
            return
        transport.send_ping(str(time.time_ns() // 1_000_000).encode())
        self._timer = loop.call_later(self._ping_interval_s, self._ping)

    def send_text(self, message: bytes) -> None:
        """Send one text frame, if the client is still there."""
        if self.transport is not None:
            self.transport.send(TEXT, message)

    def close(self, code: WSCloseCode, reason: str) -> None:
        """Say goodbye and disconnect."""
        transport = self.transport
        if transport is not None:
            transport.send_close(code, reason.encode())
            transport.disconnect()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take one frame from the client."""
        if self._is_flooding():
            logger.warning("client disconnected: too many frames in a second")
            self.close(WSCloseCode.POLICY_VIOLATION, "Too many requests")
            return
        kind = frame.msg_type
        if kind == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif kind == WSMsgType.PONG:
            if frame.payload_size:
                now_s = asyncio.get_running_loop().time()
                self._pong_deadline_s = now_s + self._ping_interval_s + self._pong_timeout_s
        elif kind == WSMsgType.CLOSE:
            self.close(frame.get_close_code(), "")
        else:
            self._take_part(frame)

    def _is_flooding(self) -> bool:
        second = int(asyncio.get_running_loop().time())
        if second != self._second:
            self._second, self._frames_in_second = second, 0
        self._frames_in_second += 1
        return 0 < self._frames_per_second_max < self._frames_in_second

    def _take_part(self, frame: WSFrame) -> None:
        self._parts.append(frame.get_payload_as_bytes())
        if sum(map(len, self._parts)) > MESSAGE_BYTES_MAX:
            self.close(WSCloseCode.MESSAGE_TOO_BIG, "Message too long")
        elif frame.fin:
            message = b"".join(self._parts)
            self._parts.clear()
            self.on_text(message)

    def on_text(self, message: bytes) -> Any:
        """Take one whole text message."""
        raise NotImplementedError
