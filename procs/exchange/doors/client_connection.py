"""One WebSocket client: pings, pongs, message assembly, and what gets it disconnected."""

import asyncio
import logging
import random
from typing import Any, ClassVar, NamedTuple

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from procs.exchange.core.exchange_clock import Clock
from procs.exchange.faults.arming import Faults
from procs.exchange.faults.disguise import disguised, fragments
from procs.exchange.faults.faults import Disguise, NoPings

logger = logging.getLogger(__name__)

TEXT = WSMsgType.TEXT
BACKLOG_BYTES_MAX = 64 * 1024 * 1024
MESSAGE_BYTES_MAX = 64 * 1024
#: The head and the beginning of a frame that says it is longer.
HALF_FRAME = b'\x81\x7e\x04\x00{"e":"depthUpdate"'


class Rules(NamedTuple):
    """What holds for every connection of a venue; no pings are sent at an interval of 0."""

    ping_interval_s: float
    pong_timeout_s: float
    life_s: float
    shutdown_notice_s: float
    faults: Faults
    clock: Clock


class Connection(WSListener):
    """The rules that all connections share; subclasses answer text messages."""

    kind: ClassVar[str]

    def __init__(self, rules: Rules, *, frames_per_second_max: int) -> None:
        self.transport: WSTransport | None = None
        self.can_write = True
        self.is_frozen = False
        self._rules = rules
        self._frames_per_second_max = frames_per_second_max
        self._pong_deadline_s = 0.0
        self._second = 0
        self._frames_in_second = 0
        self._parts: list[bytes] = []
        self._draw = random.Random(0)
        self._ping_timer: asyncio.TimerHandle | None = None
        self._end_timer: asyncio.TimerHandle | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Begin to ping, and to live the venue's day."""
        self.transport = transport
        rules, loop = self._rules, asyncio.get_running_loop()
        if rules.ping_interval_s:
            self._pong_deadline_s = loop.time() + rules.ping_interval_s + rules.pong_timeout_s
            self._ping_timer = loop.call_later(rules.ping_interval_s, self._ping)
        notice_s = min(rules.shutdown_notice_s, rules.life_s)
        self._end_timer = loop.call_later(rules.life_s - notice_s, self.end_in, notice_s)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Stop the timers."""
        self.transport = None
        for timer in (self._ping_timer, self._end_timer):
            if timer is not None:
                timer.cancel()

    def pause_writing(self) -> None:
        """Note that the socket takes no more for now."""
        self.can_write = False

    def resume_writing(self) -> None:
        """Note that the socket takes bytes again."""
        self.can_write = True

    @property
    def may_write(self) -> bool:
        """Whether the client is there and is to hear anything."""
        transport = self.transport
        return transport is not None and not transport.is_close_frame_sent and not self.is_frozen

    def _ping(self) -> None:
        transport, rules = self.transport, self._rules
        if transport is None:
            return
        loop = asyncio.get_running_loop()
        self._ping_timer = loop.call_later(rules.ping_interval_s, self._ping)
        if rules.faults.standing(NoPings) is not None or self.is_frozen:
            self._await_pong()
            return
        if loop.time() > self._pong_deadline_s:
            logger.warning("client disconnected: no pong in time")
            self.cut(mid_frame=False)
            return
        backlog_bytes = transport.underlying_transport.get_write_buffer_size()
        if backlog_bytes > BACKLOG_BYTES_MAX:
            logger.warning("client disconnected: it does not read")
            self.cut(mid_frame=False)
            return
        transport.send_ping(str(rules.clock.now_ms()).encode())

    def _await_pong(self) -> None:
        now_s = asyncio.get_running_loop().time()
        rules = self._rules
        self._pong_deadline_s = now_s + rules.ping_interval_s + rules.pong_timeout_s

    def disguise(self, message: bytes) -> list[bytes]:
        """Return the fragments in which a message is to be sent: one, unless a fault says else."""
        faults = self._rules.faults
        fault = faults.standing(Disguise, lambda fault: fault.kind in ("all", self.kind))
        if fault is None:
            return [message]
        return fragments(disguised(message, fault, self._draw), fault, self._draw)

    def send_text(self, message: bytes) -> None:
        """Send one text message, if the client is still there."""
        if self.transport is None or not self.may_write:
            return
        first, *others = self.disguise(message)
        self.transport.send(TEXT, first, fin=not others)
        for number, part in enumerate(others, start=1):
            self.transport.send(WSMsgType.CONTINUATION, part, fin=number == len(others))

    def close(self, code: WSCloseCode, reason: str) -> None:
        """Say goodbye and disconnect."""
        transport = self.transport
        if transport is not None:
            transport.send_close(code, reason.encode())
            transport.disconnect()

    def cut(self, *, mid_frame: bool) -> None:
        """Break the connection without a word, if wanted in the middle of one."""
        transport = self.transport
        if transport is not None:
            if mid_frame:
                transport.underlying_transport.write(HALF_FRAME)
            transport.disconnect(graceful=mid_frame)

    def freeze(self, seconds: float) -> None:
        """Say and hear nothing for so long, then break the connection."""
        self.is_frozen = True
        loop = asyncio.get_running_loop()
        loop.call_later(seconds, lambda: self.cut(mid_frame=False))

    def end_in(self, seconds: float) -> None:
        """Announce the end of the connection, and close it then."""
        notice = self.shutdown_notice(self._rules.clock.now_ms())
        if notice:
            self.send_text(notice)
        if self._end_timer is not None:
            self._end_timer.cancel()
        self._end_timer = asyncio.get_running_loop().call_later(
            seconds, self.close, WSCloseCode.GOING_AWAY, "The connection's time is over"
        )

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take one frame from the client."""
        if self.is_frozen:
            return
        if self._is_flooding():
            logger.warning("client disconnected: too many frames in a second")
            self.close(WSCloseCode.POLICY_VIOLATION, "Too many requests")
            return
        kind = frame.msg_type
        if kind == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif kind == WSMsgType.PONG:
            if frame.payload_size:
                self._await_pong()
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

    def shutdown_notice(self, now_ms: int) -> bytes:
        """Return the text that announces the end of the connection; empty for none."""
        raise NotImplementedError

    def on_text(self, message: bytes) -> Any:
        """Take one whole text message."""
        raise NotImplementedError
