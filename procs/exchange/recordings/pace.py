"""Plays lines at the pace of a recording, or as fast as the clients take them."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

START_GRACE_S = 0.2
BATCH_FRAMES = 64


class TimedLine(NamedTuple):
    """One line: when it was received (ns, any origin), and what."""

    recv_ns: int
    text: bytes


class PacedPlayer:
    """Plays to the first client that listens; ``speed`` 0 is as fast as their sockets take it.

    ``play`` takes the text of a line, ``flush`` sends what was played, ``can_write`` says whether
    no client's socket is full.
    """

    def __init__(
        self,
        lines: Iterable[TimedLine],
        speed: float,
        *,
        play: Callable[[bytes], None],
        flush: Callable[[], None],
        can_write: Callable[[], bool],
    ) -> None:
        self._lines = lines
        self._speed = speed
        self._play = play
        self._flush = flush
        self._can_write = can_write
        self._wanted = asyncio.Event()
        self.is_finished = False

    def start(self) -> None:
        """Hear that a client listens."""
        self._wanted.set()

    async def run(self) -> None:
        """Wait for the first client, play to the end, and then keep still."""
        await self._wanted.wait()
        await asyncio.sleep(START_GRACE_S)
        start_ns, first_ns, batch_count = time.monotonic_ns(), 0, 0
        for line in self._lines:
            first_ns = first_ns or line.recv_ns
            due_ns = start_ns
            if self._speed:
                due_ns += int((line.recv_ns - first_ns) / self._speed)
            wait_ns = due_ns - time.monotonic_ns() if self._speed else 0
            if wait_ns > 0 or batch_count == BATCH_FRAMES:
                await self._send_batch(max(wait_ns, 0))
                batch_count = 0
            batch_count += 1
            self._play(line.text)
        await self._send_batch(0)
        self.is_finished = True
        await asyncio.Event().wait()

    async def _send_batch(self, wait_ns: int) -> None:
        self._flush()
        await asyncio.sleep(wait_ns / 1e9)
        while not self._can_write():
            await asyncio.sleep(0.001)
