"""The main thread of an ingest process: connects, brings snapshots, renews masking keys."""

from concurrent.futures import Future, ThreadPoolExecutor
from enum import IntEnum
from typing import Any

import numpy as np

from ipc.counters import read_counter
from ipc.mailbox import Letter, Mailbox
from ipc.memory import address_of
from ipc.types import ByteArray, RecordArray
from procs.connections import http
from procs.connections.connection import PAD_BYTES, Buffers
from procs.connections.handshake import HandshakeError, VenueSocket
from procs.connections.upkeep import Backoff, Need, Upkeep
from procs.plan.credentials import stream_key
from procs.stages.base.stage import Stage
from vortex.codes import BookState
from vortex.venues import market_of
from vortex.venues.contract import Snapshots


class IngestSubject(IntEnum):
    """What the two threads of ingest write to each other about."""

    CONNECTED = 1  # to hot: descriptor, address of its TLS record or 0
    SNAPSHOT = 2  # to hot: instrument, address, bytes
    DISCONNECTED = 3  # to main: descriptor, close code
    SNAPSHOT_TAKEN = 4  # to main: instrument, address, records or Refusal
    CHANGED = 5  # to main: descriptor that a fresh connection took the place of
    PING = 6  # to hot: ask the peer whether it lives
    DROP = 7  # to hot: descriptor of a connection that is of no use any more
    SEND = 8  # to hot: descriptor, address and bytes of a text message
    SENT = 9  # to main: address of a text message, which may be forgotten


#: How long a pushed snapshot may take before it is asked for again.
PUSHED_WITHIN_S = 2.0


def padded(body: bytes) -> ByteArray:
    """Return ``body`` behind and before ``PAD_BYTES`` zeros, as compiled code reads it."""
    array = np.zeros(len(body) + 2 * PAD_BYTES, np.uint8)
    array[PAD_BYTES : PAD_BYTES + len(body)] = np.frombuffer(body, np.uint8)
    return array


class Feed:
    """Keeps one source connected and its books supplied; ``close`` releases the connection."""

    def __init__(
        self,
        stage: Stage,
        source_id: int,
        buffers: Buffers,
        touches: RecordArray,
        shutdown_counter: int,
    ) -> None:
        """``shutdown_counter`` is the index of the counter of the venue's shutdown notices."""
        self.stage = stage
        self.shutdown_counter = int(shutdown_counter)  # no member of an IntEnum; see running.attend
        self.shutdown_count = 0
        self.source = stage.config.sources[source_id]
        self.market = market_of(self.source.venue)
        self.headers = {name: stream_key() for name in self.market.key_headers}
        self.buffers = buffers
        self.touches = touches
        self.to_hot, self.to_main = Mailbox(), Mailbox()
        self.link: VenueSocket | None = None
        self.former: VenueSocket | None = None
        self.upkeep = Upkeep(
            stage.config.connections, buffers.record[0], stage.clock, self.market.ping_every_s
        )
        self.connecting = Backoff()
        self.listening = Backoff()
        found = enumerate(stage.config.source_symbols)
        self.instrument_ids = [i for i, each in found if each.source == self.source.name]
        self.unheard_ids = set(self.instrument_ids)
        self.served_count = dict.fromkeys(self.instrument_ids, 0)
        self.book_epoch = 0
        self.snapshotting = {i: Backoff() for i in self.instrument_ids}
        self.fetches: dict[int, Future[bytes]] = {}
        self.lent: dict[int, ByteArray] = {}
        self.messages: dict[int, ByteArray] = {}
        self.pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="fetch")

    def attend(self) -> bool:
        """Do what there is to do; return whether the source is connected."""
        while (letter := self.to_main.take()) is not None:
            self.take(letter)
        if self.link is None and self.connecting.is_over():
            self.connect()
        if self.link is not None:
            self.keep_up(self.link)
            self.want_snapshots()
        self.deliver_snapshots()
        self.buffers.renew_keys()
        return self.link is not None

    def take(self, letter: Letter) -> None:
        """Take one letter of the hot thread."""
        if letter.subject == IngestSubject.CHANGED or self.is_former(letter):
            self.close_former()
        elif letter.subject == IngestSubject.DISCONNECTED:
            assert self.link is not None, "only an open connection breaks"
            self.stage.log.warning(
                "%s disconnected (close code %d)", self.source.name, letter.second
            )
            self.link.close()
            self.link = None
            self.connecting.failed()
        elif letter.subject == IngestSubject.SENT:
            del self.messages[letter.first]
        elif letter.subject == IngestSubject.SNAPSHOT_TAKEN:
            del self.lent[letter.first]
            symbol = self.stage.config.symbols[letter.first]
            if letter.third > 0:
                self.stage.log.info("snapshot of %s: %d records", symbol, letter.third)
            else:
                self.stage.log.error("snapshot of %s refused: %d", symbol, letter.third)

    def is_former(self, letter: Letter) -> bool:
        """Return whether a letter tells the end of a connection that has a successor already."""
        is_end = letter.subject == IngestSubject.DISCONNECTED
        return is_end and self.former is not None and self.former.fd == letter.first

    def close_former(self) -> None:
        """Close the connection that the hot thread let go for its successor."""
        assert self.former is not None, "only a connection with a successor is let go"
        self.former.close()
        self.former = None

    def keep_up(self, link: VenueSocket) -> None:
        """Do what the open connection needs."""
        shutdown_count = read_counter(self.stage.counters, self.shutdown_counter)
        if shutdown_count != self.shutdown_count:
            self.shutdown_count = shutdown_count
            self.stage.log.info("%s announced that it will disconnect", self.source.name)
            self.upkeep.end_soon()
        need = self.upkeep.need()
        if need == Need.PING:
            self.ping(link)
        elif need == Need.DROP:
            self.stage.log.warning("%s is silent, and does not answer pings", self.source.name)
            self.to_hot.send(Letter(IngestSubject.DROP, link.fd))
        elif need == Need.SUCCESSOR and self.former is None and self.connecting.is_over():
            self.connect()
        elif self.is_deaf():
            self.stage.log.warning("%s sends nothing of some symbol", self.source.name)
            self.listening.failed()
            self.to_hot.send(Letter(IngestSubject.DROP, link.fd))

    def ping(self, link: VenueSocket) -> None:
        """Ask the peer whether it lives, in the way of the venue."""
        if self.market.ping is None:
            self.to_hot.send(Letter(IngestSubject.PING))
        else:
            self.send(link, self.market.ping)

    def send(self, link: VenueSocket, text: bytes) -> None:
        """Let the hot thread send a text message, if the connection is still in use by then."""
        message = padded(text)
        address = address_of(message) + PAD_BYTES
        self.messages[address] = message
        if not self.to_hot.send(Letter(IngestSubject.SEND, link.fd, address, len(text))):
            del self.messages[address]

    def is_deaf(self) -> bool:
        """Return whether some symbol's stream never began; later silence may be a quiet market.

        What was heard once is remembered: a touch that comes of a snapshot has no frame's stamp.
        """
        if not self.unheard_ids:
            return False
        since_ns = self.upkeep.since_ns
        self.unheard_ids -= {
            i for i in self.unheard_ids if int(self.touches[i]["kernel_ns"]) > since_ns
        }
        if not self.unheard_ids:
            self.listening.reset()
            return False
        is_late = self.upkeep.age_s >= self.stage.config.connections.first_message_s
        return is_late and self.listening.is_over()

    def connect(self) -> None:
        """Open the connection and hand it to the hot thread, as a successor if there is one."""
        url = self.source.stream_url.rstrip("/") + self.market.stream_path(self.source.symbols)
        try:
            link = VenueSocket(url, self.stage.config.tls.ca_file, self.headers)
            self.open(link)
        except HandshakeError as error:
            self.stage.log.warning("%s", error)
            self.connecting.failed()
            return
        self.connecting.reset()
        self.former, self.link = self.link, link
        self.unheard_ids = set(self.instrument_ids)
        self.upkeep.begin()
        self.to_hot.send(Letter(IngestSubject.CONNECTED, *link.hand_over()))
        self.stage.log.info("connected to %s", url)

    def open(self, link: VenueSocket) -> None:
        """Send what the venue wants to be sent after the handshake.

        Raises
        ------
        HandshakeError
            When the peer does not take it; the connection is closed.
        """
        try:
            link.send(self.market.opening(self.source.symbols))
        except HandshakeError:
            link.close()
            raise

    def want_snapshots(self) -> None:
        """Bring a snapshot for each book that asks for one, at a pace that the venue bears."""
        epoch = int(self.touches[self.instrument_ids[0]]["epoch"])
        if epoch != self.book_epoch:  # another life of the book, which counts its wants from 0
            self.book_epoch = epoch
            self.served_count = dict.fromkeys(self.instrument_ids, 0)
        for instrument_id in self.instrument_ids:
            touch = self.touches[instrument_id]
            if touch["state"] == BookState.LIVE:
                self.snapshotting[instrument_id].reset()
            if not self.is_wanted(instrument_id, touch):
                continue
            self.snapshotting[instrument_id].failed()
            self.served_count[instrument_id] = int(touch["snapshot_wanted_count"])
            if self.market.snapshots == Snapshots.PUSHED:
                self.resubscribe(instrument_id)
            else:
                self.fetch(instrument_id)

    def is_wanted(self, instrument_id: int, touch: Any) -> bool:
        """Return whether a snapshot is to be brought now.

        One that the venue pushes may get lost like any message, so it is asked for until the book
        is live.
        """
        if not self.snapshotting[instrument_id].is_over():
            return False
        wanted_count = int(touch["snapshot_wanted_count"])
        if self.market.snapshots == Snapshots.PUSHED:
            return wanted_count > 0 and touch["state"] == BookState.BUFFERING
        is_busy = instrument_id in self.fetches or instrument_id in self.lent
        return not is_busy and wanted_count > self.served_count[instrument_id]

    def resubscribe(self, instrument_id: int) -> None:
        """Ask the venue to push a snapshot of one symbol again."""
        assert self.link is not None, "snapshots are wanted of an open connection"
        symbol = self.stage.config.source_symbols[instrument_id].symbol
        self.stage.log.info("subscribing to %s again, for its snapshot", symbol)
        self.snapshotting[instrument_id].hold(PUSHED_WITHIN_S)
        for frame in self.market.resubscribe(symbol):
            self.send(self.link, frame)

    def fetch(self, instrument_id: int) -> None:
        """Begin to fetch a snapshot of one symbol."""
        assert self.market.snapshot_path is not None, "snapshots come over REST"
        symbol = self.stage.config.source_symbols[instrument_id].symbol
        path = self.market.snapshot_path(symbol, self.stage.config.books.snapshot_levels)
        self.fetches[instrument_id] = self.pool.submit(
            http.get, self.source.rest_url, path, self.stage.config.tls.ca_file
        )

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
                for backoff in self.snapshotting.values():
                    backoff.hold(error.retry_after_s)  # the venue counts all symbols together
                continue
            self.lent[instrument_id] = padded(body)
            address = address_of(self.lent[instrument_id]) + PAD_BYTES
            self.to_hot.send(Letter(IngestSubject.SNAPSHOT, instrument_id, address, len(body)))

    def close(self) -> None:
        """Release the connection and the threads."""
        self.pool.shutdown(wait=False, cancel_futures=True)
        for link in (self.link, self.former):
            if link is not None:
                link.close()
        self.link = self.former = None
