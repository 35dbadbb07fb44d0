"""The main thread of an ingest process: connects, fetches snapshots, renews masking keys."""

import random
import time
from concurrent.futures import Future, ThreadPoolExecutor
from enum import IntEnum

import numpy as np

from ipc.mailbox import Letter, Mailbox
from ipc.memory import address_of
from ipc.types import ByteArray, RecordArray
from procs import http
from procs.connection import PAD_BYTES, Buffers
from procs.handshake import HandshakeError, Link
from procs.stage import Stage
from vortex import venues
from vortex.codes import BookState

BACKOFF_S_MIN = 0.2
BACKOFF_S_MAX = 5.0


class Subject(IntEnum):
    """What the two threads of ingest write to each other about."""

    CONNECTED = 1  # to hot: first is the descriptor
    SNAPSHOT = 2  # to hot: instrument, address, bytes
    DISCONNECTED = 3  # to main: descriptor, close code
    SNAPSHOT_TAKEN = 4  # to main: instrument, address, records or Refusal


class Backoff:
    """How long to wait before the next try: doubling, jittered."""

    def __init__(self) -> None:
        self._delay_s = BACKOFF_S_MIN
        self._next = 0.0

    def is_over(self) -> bool:
        """Return whether the next try may be made."""
        return time.monotonic() >= self._next

    def failed(self) -> None:
        """Wait longer than the last time."""
        self._next = time.monotonic() + self._delay_s * random.uniform(0.8, 1.2)
        self._delay_s = min(2 * self._delay_s, BACKOFF_S_MAX)

    def reset(self) -> None:
        """Begin with the shortest wait again."""
        self._delay_s = BACKOFF_S_MIN


class Feed:
    """Keeps one source connected and its books supplied; ``close`` releases the connection."""

    def __init__(
        self, stage: Stage, source_id: int, buffers: Buffers, touches: RecordArray
    ) -> None:
        self.stage = stage
        self.source = stage.config.sources[source_id]
        self.venue = venues.load(self.source.venue)
        self.buffers = buffers
        self.touches = touches
        self.to_hot, self.to_main = Mailbox(), Mailbox()
        self.link: Link | None = None
        self.connecting = Backoff()
        self.instrument_ids = [stage.config.symbols.index(s) for s in self.source.symbols]
        self.served_count = dict.fromkeys(self.instrument_ids, 0)
        self.snapshotting = {i: Backoff() for i in self.instrument_ids}
        self.fetches: dict[int, Future[bytes]] = {}
        self.lent: dict[int, ByteArray] = {}
        self.pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="fetch")

    def attend(self) -> bool:
        """Do what there is to do; return whether the source is connected."""
        while (letter := self.to_main.take()) is not None:
            self.take(letter)
        if self.link is None and self.connecting.is_over():
            self.connect()
        if self.link is not None:
            self.want_snapshots()
        self.deliver_snapshots()
        self.buffers.renew_keys()
        return self.link is not None

    def take(self, letter: Letter) -> None:
        """Take one letter of the hot thread."""
        if letter.subject == Subject.DISCONNECTED:
            assert self.link is not None, "only an open connection breaks"
            self.stage.log.warning(
                "%s disconnected (close code %d)", self.source.name, letter.second
            )
            self.link.close()
            self.link = None
            self.connecting.failed()
        elif letter.subject == Subject.SNAPSHOT_TAKEN:
            del self.lent[letter.first]
            symbol = self.stage.config.symbols[letter.first]
            if letter.third > 0:
                self.stage.log.info("snapshot of %s: %d records", symbol, letter.third)
            else:
                self.stage.log.error("snapshot of %s refused: %d", symbol, letter.third)

    def connect(self) -> None:
        """Open the connection and hand it to the hot thread."""
        url = self.source.stream_url.rstrip("/") + self.venue.stream_path(self.source.symbols)
        try:
            link = Link(url)
        except HandshakeError as error:
            self.stage.log.warning("%s", error)
            self.connecting.failed()
            return
        self.connecting.reset()
        self.link = link
        self.to_hot.send(Letter(Subject.CONNECTED, link.hand_over()))
        self.stage.log.info("connected to %s", url)

    def want_snapshots(self) -> None:
        """Fetch a snapshot for each book that asks for one, at a pace that the venue bears."""
        for instrument_id in self.instrument_ids:
            touch = self.touches[instrument_id]
            if touch["state"] == BookState.LIVE:
                self.snapshotting[instrument_id].reset()
            wanted_count = int(touch["snapshot_wanted_count"])
            busy = instrument_id in self.fetches or instrument_id in self.lent
            if busy or wanted_count <= self.served_count[instrument_id]:
                continue
            if not self.snapshotting[instrument_id].is_over():
                continue
            self.snapshotting[instrument_id].failed()
            self.served_count[instrument_id] = wanted_count
            symbol = self.stage.config.symbols[instrument_id]
            path = self.venue.snapshot_path(symbol, self.stage.config.books.snapshot_levels)
            self.fetches[instrument_id] = self.pool.submit(http.get, self.source.rest_url, path)

    def deliver_snapshots(self) -> None:
        """Lend each fetched snapshot's bytes to the hot thread."""
        for instrument_id, fetch in list(self.fetches.items()):
            if not fetch.done():
                continue
            del self.fetches[instrument_id]
            try:
                body = fetch.result()
            except http.HttpError as error:
                self.stage.log.warning("%s", error)
                self.served_count[instrument_id] -= 1
                continue
            padded = np.zeros(len(body) + 2 * PAD_BYTES, np.uint8)
            padded[PAD_BYTES : PAD_BYTES + len(body)] = np.frombuffer(body, np.uint8)
            self.lent[instrument_id] = padded
            address = address_of(padded) + PAD_BYTES
            self.to_hot.send(Letter(Subject.SNAPSHOT, instrument_id, address, len(body)))

    def close(self) -> None:
        """Release the connection and the threads."""
        self.pool.shutdown(wait=False, cancel_futures=True)
        if self.link is not None:
            self.link.close()
            self.link = None
