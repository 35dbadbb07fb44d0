"""Frames of the WebSocket as a server sends them, and how many of them."""

from collections import deque

METER_WINDOW_NS = 10_000_000
TEXT, BINARY = 0x01, 0x02


def frame_header(
    payload_bytes: int, *, is_first: bool = True, is_last: bool = True, opcode: int = TEXT
) -> bytes:
    """Return the head of a frame of a server's message, not masked.

    *Source:* RFC 6455 section 5.2.
    """
    opening = (0x80 if is_last else 0) | (opcode if is_first else 0)
    if payload_bytes < 126:
        return bytes((opening, payload_bytes))
    if payload_bytes < 1 << 16:
        return bytes((opening, 0x7E)) + payload_bytes.to_bytes(2, "big")
    return bytes((opening, 0x7F)) + payload_bytes.to_bytes(8, "big")


class FrameMeter:
    """Counts frames, and the most of them in any ten milliseconds."""

    def __init__(self) -> None:
        self.count = 0
        self.window_max = 0
        self.first_ns = 0
        self.last_ns = 0
        self._recent: deque[tuple[int, int]] = deque()
        self._recent_count = 0

    def add(self, count: int, now_ns: int) -> None:
        """Count frames that were made at ``now_ns``."""
        if count == 0:
            return
        self.first_ns = self.first_ns or now_ns
        self.last_ns = now_ns
        self.count += count
        self._recent.append((now_ns, count))
        self._recent_count += count
        while self._recent[0][0] <= now_ns - METER_WINDOW_NS:
            self._recent_count -= self._recent.popleft()[1]
        self.window_max = max(self.window_max, self._recent_count)

    @property
    def mean_per_second(self) -> float:
        """Frames per second from the first to the last."""
        span_ns = self.last_ns - self.first_ns
        return self.count * 1e9 / span_ns if span_ns else 0.0
