"""One browser: what it looks at, what it has, and how fast it takes it.

It is sent the newest sample when it has answered for all but the last frame; in between samples
are skipped, never kept.  So a browser that cannot keep up sees fewer frames, all of them new, and
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
#: A browser that answers nothing for so long is gone, or asleep: it connects again when it wakes.
SILENCE_S = 20.0
SERIES_MAX = 16


class Wish(msgspec.Struct, forbid_unknown_fields=True):
    """What a browser says: how far it has come, and what it wants to see."""

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
        self.column = self.line = 0  # how much of the series and of the log it has
        self._heard = asyncio.Event()

    async def serve(self) -> None:
        """Send samples and hear wishes until either ends."""
        tasks = [asyncio.create_task(self.hear()), asyncio.create_task(self.show())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            # Whatever ended it (gone, silent, no grammar), there is nobody left to tell.
            await asyncio.gather(*tasks, return_exceptions=True)

    async def hear(self) -> None:
        """Take what the browser says."""
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
            self._heard.set()

    async def show(self) -> None:
        """Send the newest sample whenever the browser is ready for one."""
        number = 0
        while True:
            number = await self.feed.wait_for(number)
            while not self.wish.page or self.sent - self.seen >= UNANSWERED_MAX:
                self._heard.clear()
                await self._heard.wait()
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
