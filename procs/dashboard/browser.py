"""Serves one browser: its page, its position, its speed.

The server sends the newest sample when the browser has acknowledged all frames but the last; it
skips samples in between and keeps none.  So a slow browser sees fewer frames, all of them new, and
costs no memory.
"""

import asyncio
from typing import Any

import msgspec
import numpy as np
from starlette.websockets import WebSocket, WebSocketDisconnect

from procs.dashboard.frames import encode
from procs.dashboard.pages import PAGES
from procs.dashboard.sample_feed import SampleFeed

UNANSWERED_MAX = 2
#: A browser without an answer for this long is gone or asleep; it reconnects when it wakes.
SILENCE_S = 20.0
SERIES_MAX = 16


class Wish(msgspec.Struct, forbid_unknown_fields=True):
    """A message of a browser: the last frame that it drew, and the page that it shows."""

    seen: int = 0
    page: str = ""
    series: list[str] = []


class Browser:
    """Serves one WebSocket until it ends."""

    def __init__(self, feed: SampleFeed, socket: WebSocket) -> None:
        self.feed, self.socket = feed, socket
        self.wish = Wish()
        self.sent = self.seen = 0
        self.run_id = 0
        self.column = self.line = 0  # how much of the series and of the log it has received
        self._received = asyncio.Event()

    async def serve(self) -> None:
        """Send samples and receive wishes until either ends."""
        tasks = [asyncio.create_task(self.receive()), asyncio.create_task(self.show())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            # The browser is gone, silent, or broke the protocol: it gets no further message.
            await asyncio.gather(*tasks, return_exceptions=True)

    async def receive(self) -> None:
        """Receive the browser's wishes."""
        while True:
            try:
                text = await asyncio.wait_for(self.socket.receive_text(), SILENCE_S)
                wish = msgspec.json.decode(text, type=Wish)
            except (TimeoutError, msgspec.DecodeError, WebSocketDisconnect, KeyError):
                return
            self.seen = max(self.seen, min(wish.seen, self.sent))
            if wish.page in PAGES:
                wish.series = wish.series[:SERIES_MAX]
                if (wish.page, wish.series) != (self.wish.page, self.wish.series):
                    self.column = self.line = 0
                self.wish = wish
            self._received.set()

    async def show(self) -> None:
        """Send the newest sample whenever the browser is ready for one."""
        number = 0
        while True:
            number = await self.feed.wait_for(number)
            while not self.wish.page or self.sent - self.seen >= UNANSWERED_MAX:
                self._received.clear()
                await self._received.wait()
            await self.socket.send_bytes(self.frame())

    def frame(self) -> bytes:
        """Return the next frame for this browser."""
        self.sent += 1
        wish, watch = self.wish, self.feed.watch
        header: dict[str, Any] = {
            "schema": 1,
            "number": self.sent,
            "sample": self.feed.number,
            "head": self.feed.headline(),
            "page": wish.page,
            "facts": self.feed.page(wish.page),
        }
        if watch is None:
            return encode(header, {})
        if self.run_id != watch.mark.run_id:
            self.run_id, self.column, self.line = watch.mark.run_id, 0, 0
        arrays: dict[str, np.ndarray[Any, Any]] = {}
        if wish.series:
            first, arrays = watch.columns.since(["time", *wish.series], self.column)
            header["first"] = first
            self.column = watch.columns.count
        if wish.page == "log":
            header["lines"] = watch.log.since(self.line)
            self.line = watch.log.count
        return encode(header, arrays)
