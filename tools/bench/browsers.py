"""Browsers of a dashboard, for the benchmark ``observers``.

``python -m tools.bench.browsers HOST:PORT``

Each asks for the next frame when it has read the one before, as the page does when it has drawn.
One looks at the fills: how long after a fill a frame shows it.  On a signal to end, it prints
these delays and the number of frames, as JSON.
"""

import json
import signal
import sys
import threading
import time
from typing import Any

import msgspec
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from procs.dashboard.frames import decode

#: What each browser looks at, and the series that its charts want.
PAGES = {
    "book": ["pnl"],
    "latency": ["latency.tick_to_order_ns", "heat.tick_to_order_ns"],
    "pipeline": ["messages", "orders"],
    "machine": ["late"],
    "venue": ["messages"],
}
#: Frames come ten times a second: after a longer time without, this process was stopped.
STOPPED_MS = 700
FIRST_FRAME_S = 60


class Browser(threading.Thread):
    """One of them; ``delays_ms`` are those of the fills that it saw."""

    def __init__(self, host: str, page: str) -> None:
        super().__init__(daemon=True)
        self.page = page
        self.socket: ClientConnection = connect(f"ws://{host}/frames", max_size=None)
        self.has_drawn = threading.Event()
        self.frame_count = 0
        self.delays_ms: list[float] = []
        self._seen: set[tuple[Any, ...]] = set()
        self._last_ms = self._since_ms = 0.0

    def run(self) -> None:
        """Look until the connection ends."""
        number = 0
        try:
            while True:
                wish = {"seen": number, "page": self.page, "series": PAGES[self.page]}
                self.socket.send(json.dumps(wish))
                frame = self.socket.recv()
                now_ms = time.time() * 1e3
                assert isinstance(frame, bytes), "frames are binary"
                header, _ = decode(frame)
                number = header["number"]
                self.frame_count += 1
                self.has_drawn.set()
                if header.get("page") == "book" and header.get("facts"):
                    self.see_fills(header["facts"]["fills"], now_ms)
        except ConnectionClosed:
            return

    def see_fills(self, fills: list[dict[str, Any]], now_ms: float) -> None:
        """Note how old the fills are that were not there before.

        Not of those from before the first frame, or from a while in which all who watch were
        stopped: the first frame after it may have been sent before it.
        """
        if now_ms - self._last_ms > STOPPED_MS:
            self._since_ms = now_ms
        self._last_ms = now_ms
        for fill in fills:
            key = (fill["wall_ms"], fill["side"], fill["price"], fill["position"])
            if key not in self._seen and fill["wall_ms"] > self._since_ms:
                self.delays_ms.append(now_ms - fill["wall_ms"])
            self._seen.add(key)


def main() -> None:
    """Look until a signal ends it; print the delays and counts."""
    browsers = [Browser(sys.argv[1], page) for page in PAGES]
    for browser in browsers:
        browser.start()
    for browser in browsers:
        assert browser.has_drawn.wait(FIRST_FRAME_S), f"no frame of the page {browser.page}"
    print("looking", flush=True)
    signal.sigwait({signal.SIGTERM})
    figures = {
        "frame_counts": {browser.page: browser.frame_count for browser in browsers},
        "delays_ms": [delay for browser in browsers for delay in browser.delays_ms],
    }
    print(msgspec.json.encode(figures).decode(), flush=True)


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    main()
