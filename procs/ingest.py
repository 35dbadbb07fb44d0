"""The ingest process: socket bytes in, market records out; one process per source.

Each frame is decoded in place into the slots of the market ring and published on its own.  When the
ring has no room the socket is not read: TCP holds the bytes, and the wait is counted.  After
``stall_ms`` the ring begins a new epoch, and the book knows that something is missing.
"""

from enum import IntEnum
from typing import Any

import numpy as np

from ipc import control, mailbox, ring
from ipc.clock import now_ns, wall_offset_ns
from ipc.compiled import compiled
from ipc.counters import add
from ipc.layout import Field, Layout
from ipc.memory import address_of, record_at
from ipc.sockets import RECEIVER, WOULD_BLOCK
from ipc.waiting import idle
from procs import connection
from procs.feed import Feed, Subject
from procs.stage import (
    CONTEXT_FIELDS,
    DRAIN_FRAME_MAX,
    DRAIN_NS_MAX,
    Entry,
    Launch,
    Stage,
    must_leave,
    plug_in,
)
from procs.wiring import MARKET_MESSAGE_MAX, market_ring
from vortex import venues
from vortex.codes import Kind, Refusal
from vortex.instruments import build_catalog
from vortex.records import DEPTH, FEED, INSTRUMENT, MARKET_SLOT_BYTES
from vortex.websocket import FRAMER, Incoming

CONTEXT = Layout(
    "ingest_context",
    "What ingest's loop works with; addresses in this process.",
    *CONTEXT_FIELDS,
    Field("connection_address", "i8", "CONNECTION"),
    Field("market_address", "i8", "handle of the market ring"),
    Field("instruments_address", "i8", "INSTRUMENT table"),
    Field("catalog_address", "i8", "CATALOG of this source's instruments"),
    Field("source_id", "i8", "this source"),
    Field("inbox_address", "i8", "letters from the main thread"),
    Field("outbox_address", "i8", "letters to the main thread"),
    Field("stall_ns_max", "i8", "how long a full ring is borne"),
    Field("stalled_ns", "i8", "since when the ring is full; 0 when it is not"),
    Field("frame_count", "i8", "frames so far: the next cause_id"),
    Field("decoded_bytes", "i8", "payload of the frame in hand"),
    multiple_bytes=8,
)

CONTEXT_DTYPE = CONTEXT.dtype
CONNECTION_DTYPE = connection.CONNECTION_DTYPE
DEPTH_DTYPE = DEPTH.dtype
FEED_DTYPE = FEED.dtype
FRAMER_DTYPE = FRAMER.dtype
INSTRUMENT_BYTES = INSTRUMENT.dtype.itemsize
LETTER_DTYPE = mailbox.LETTER_DTYPE
RECEIVER_DTYPE = RECEIVER.dtype
RING_DTYPE = ring.RING_DTYPE

REFUSAL_BASE = 32


class Counter(IntEnum):
    """What ingest counts; from REFUSAL_BASE on, refused messages by codes.Refusal."""

    READS = 0  # reads that brought bytes
    BYTES = 1
    FRAMES = 2  # WebSocket messages
    MESSAGES = 3  # of these, the ones that became records
    RECORDS = 4
    SNAPSHOTS = 5
    INVALID = 6  # messages refused: not the grammar, off the tick, out of range, ...
    STALLS = 7  # times that the ring was full
    STALL_NS = 8
    EPOCHS = 9  # backlogs given up after a stall
    DROPPED = 10  # records given up with them
    CONNECTIONS = 11
    DISCONNECTIONS = 12
    PINGS = 13


NOTABLE: dict[int, str] = {
    Counter.STALLS: "stalls on a full market ring",
    Counter.EPOCHS: "backlogs given up after a stall",
    Counter.DROPPED: "records given up with them",
    **{
        REFUSAL_BASE - refusal: f"messages refused: {refusal.name.lower()}"
        for refusal in Refusal
        if refusal not in (Refusal.IGNORED, Refusal.SHUTDOWN)
    },
}


@compiled
def stamp(context_address: int, first_address: int, record_count: int, kernel_ns: int) -> None:
    """Write into each record of one message where it came from."""
    context = record_at(context_address, CONTEXT_DTYPE)
    market = record_at(context.market_address, RING_DTYPE)
    for index in range(record_count):
        record = record_at(first_address + index * MARKET_SLOT_BYTES, DEPTH_DTYPE)
        record.source_id = context.source_id
        record.epoch = market.epoch
        record.cause_id = context.frame_count
    head = record_at(first_address, DEPTH_DTYPE)
    head.kernel_ns = kernel_ns


@compiled
def publish(
    context_address: int, first_address: int, count: int, kernel_ns: int, recv_ns: int
) -> None:
    """Stamp and publish the records of one message."""
    context = record_at(context_address, CONTEXT_DTYPE)
    stamp(context_address, first_address, count, kernel_ns)
    record_at(first_address, DEPTH_DTYPE).recv_ns = recv_ns
    ring.append(context.market_address, count)
    ring.commit(context.market_address, now_ns(context.clock_address))
    add(context.counters_address, Counter.RECORDS, count)


@compiled
def count_refusal(context_address: int, code: int) -> None:
    """Count a message that became no records, by its reason."""
    context = record_at(context_address, CONTEXT_DTYPE)
    add(context.counters_address, REFUSAL_BASE - code, 1)
    harmless = code == Refusal.IGNORED or code == Refusal.NOT_KNOWN or code == Refusal.SHUTDOWN
    if not harmless:
        add(context.counters_address, Counter.INVALID, 1)


@compiled
def publish_feed(context_address: int, kind: int, now: int) -> bool:
    """Publish that the connection went down or came up; False when there is no room."""
    context = record_at(context_address, CONTEXT_DTYPE)
    slot_address = ring.claim(context.market_address)
    if slot_address == 0:
        return False
    record = record_at(slot_address, FEED_DTYPE)
    record.kind = kind
    record.instrument_id = -1
    publish(context_address, slot_address, 1, 0, now)
    return True


@compiled
def has_room(context_address: int, now: int) -> bool:
    """Return whether the largest message fits; count the wait, and give the backlog up in time."""
    context = record_at(context_address, CONTEXT_DTYPE)
    if ring.claim(context.market_address) != 0:
        if context.stalled_ns != 0:
            add(context.counters_address, Counter.STALL_NS, now - context.stalled_ns)
            context.stalled_ns = 0
        return True
    if context.stalled_ns == 0:
        context.stalled_ns = now
        add(context.counters_address, Counter.STALLS, 1)
    elif now - context.stalled_ns > context.stall_ns_max:
        add(context.counters_address, Counter.EPOCHS, 1)
        add(context.counters_address, Counter.DROPPED, ring.unread_count(context.market_address))
        add(context.counters_address, Counter.STALL_NS, now - context.stalled_ns)
        ring.raise_epoch(context.market_address)
        context.stalled_ns = now
    return False


@compiled
def take_message(
    context_address: int, payload_address: int, payload_bytes: int, kernel_ns: int, recv_ns: int,
    decode: Any,
) -> int:  # fmt: skip
    """Decode one message into the ring and publish it; return its records, or a Refusal.

    A message that looked like market data and could not be read leaves the books in doubt: the
    venue's sequence numbers show the gap with the next message.
    """
    context = record_at(context_address, CONTEXT_DTYPE)
    slot_address = ring.claim(context.market_address)
    assert slot_address != 0, "has_room comes first"
    context.frame_count += 1
    count = decode(
        payload_address, payload_bytes, context.catalog_address, slot_address, MARKET_MESSAGE_MAX
    )
    add(context.counters_address, Counter.FRAMES, 1)
    if count < 0:
        count_refusal(context_address, count)
        return count
    publish(context_address, slot_address, count, kernel_ns, recv_ns)
    add(context.counters_address, Counter.MESSAGES, 1)
    return count


@compiled
def disconnect(context_address: int, reason: int, now: int) -> None:
    """Let go of the connection, tell the book, and ask the main thread for a new one."""
    context = record_at(context_address, CONTEXT_DTYPE)
    fd = record_at(context.connection_address, CONNECTION_DTYPE).fd
    connection.flush(context.connection_address)
    connection.end(context.connection_address)
    add(context.counters_address, Counter.DISCONNECTIONS, 1)
    if not publish_feed(context_address, Kind.FEED_DOWN, now):
        ring.raise_epoch(context.market_address)  # says as much: forget what this source told
    mailbox.post(context.outbox_address, Subject.DISCONNECTED, fd, reason, 0, 0, 0, 0)


@compiled
def take_frames(context_address: int, kernel_ns: int, recv_ns: int, decode: Any) -> int:
    """Take what was received, within the bounds of a drain; return how many messages."""
    context = record_at(context_address, CONTEXT_DTYPE)
    socket = record_at(context.connection_address, CONNECTION_DTYPE)
    framer = record_at(socket.framer_address, FRAMER_DTYPE)
    taken_count = 0
    while taken_count < DRAIN_FRAME_MAX:
        now = now_ns(context.clock_address)
        if now - recv_ns > DRAIN_NS_MAX or not has_room(context_address, now):
            break
        found = connection.next_message(context.connection_address)
        if found == Incoming.NEED_MORE:
            break
        if found == Incoming.CLOSE or found == Incoming.FAILED:
            disconnect(context_address, framer.close_code, now)
            return taken_count + 1
        if found == Incoming.TEXT or found == Incoming.BINARY:
            take_message(
                context_address, framer.payload_address, framer.payload_bytes,
                kernel_ns, recv_ns, decode,
            )  # fmt: skip
        elif found == Incoming.PING:
            add(context.counters_address, Counter.PINGS, 1)
        taken_count += 1
    return taken_count


@compiled
def read_socket(context_address: int, decode: Any) -> int:
    """Read and take what is there; return how many messages were taken."""
    context = record_at(context_address, CONTEXT_DTYPE)
    socket = record_at(context.connection_address, CONNECTION_DTYPE)
    if socket.fd < 0:
        return 0
    now = now_ns(context.clock_address)
    if context.stalled_ns != 0 and not has_room(context_address, now):
        return 0
    count = connection.fill(context.connection_address, now)
    recv_ns = now_ns(context.clock_address)
    if count <= 0 and count != WOULD_BLOCK:
        disconnect(context_address, 0, recv_ns)
        return 1
    if count > 0:
        add(context.counters_address, Counter.READS, 1)
        add(context.counters_address, Counter.BYTES, count)
        receiver = record_at(socket.receiver_address, RECEIVER_DTYPE)
        socket.kernel_ns = recv_ns
        if receiver.kernel_wall_ns > 0:
            stamped_ns = receiver.kernel_wall_ns - wall_offset_ns(context.clock_address)
            socket.kernel_ns = min(stamped_ns, recv_ns)
        socket.recv_ns = recv_ns
    taken_count = take_frames(context_address, socket.kernel_ns, socket.recv_ns, decode)
    if socket.fd >= 0:
        connection.keep_rest(context.connection_address)
        if connection.flush(context.connection_address) < 0:
            disconnect(context_address, 0, recv_ns)
    return taken_count


@compiled
def take_snapshot(
    context_address: int, letter_address: int, now: int, decode_snapshot: Any
) -> None:
    """Decode a snapshot that the main thread fetched, and give its bytes back."""
    context = record_at(context_address, CONTEXT_DTYPE)
    letter = record_at(letter_address, LETTER_DTYPE)
    slot_address = ring.claim(context.market_address)
    instrument_address = context.instruments_address + letter.first * INSTRUMENT_BYTES
    count = decode_snapshot(
        letter.second, letter.third, instrument_address, slot_address, MARKET_MESSAGE_MAX
    )
    if count > 0:
        publish(context_address, slot_address, count, 0, now)
        add(context.counters_address, Counter.SNAPSHOTS, 1)
    else:
        count_refusal(context_address, count)
    mailbox.post(
        context.outbox_address, Subject.SNAPSHOT_TAKEN, letter.first, letter.second, count, 0, 0, 0
    )


@compiled
def take_letter(context_address: int, decode_snapshot: Any) -> int:
    """Take one letter of the main thread: 1 taken, 0 none or no room for what it asks."""
    context = record_at(context_address, CONTEXT_DTYPE)
    if ring.ready_count(context.inbox_address) <= 0:
        return 0
    now = now_ns(context.clock_address)
    if not has_room(context_address, now):
        return 0
    letter_address = ring.slot(context.inbox_address, 0)
    letter = record_at(letter_address, LETTER_DTYPE)
    if letter.subject == Subject.CONNECTED:
        connection.begin(context.connection_address, letter.first, now)
        add(context.counters_address, Counter.CONNECTIONS, 1)
        publish_feed(context_address, Kind.FEED_UP, now)
    elif letter.subject == Subject.SNAPSHOT:
        take_snapshot(context_address, letter_address, now, decode_snapshot)
    ring.consume(context.inbox_address, 1)
    return 1


def loop(context_address: int, decode: Any, decode_snapshot: Any) -> int:
    """Read, decode and publish until told to leave; return how often the loop came round."""
    context = record_at(context_address, CONTEXT_DTYPE)
    loop_count = 0
    work_count = 0
    while not must_leave(context.command_address, context.leave_address):
        done = take_letter(context_address, decode_snapshot)
        done += read_socket(context_address, decode)
        loop_count += 1
        work_count += done
        now = now_ns(context.clock_address)
        control.beat(context.status_address, now, loop_count, work_count)
        if done == 0:
            idle(context.wait)
    return loop_count


def entry(venue_name: str) -> Entry:
    """Compile the loop for one venue, or read it from the cache."""
    venue = venues.load(venue_name)
    return plug_in(
        loop,
        (),
        (venue.decode_market, venues.DECODE_MARKET),
        (venue.decode_snapshot, venues.DECODE_SNAPSHOT),
    )


def main(role: str, launch: Launch) -> int:
    """Build one ingest process, run it, and release everything."""
    stage = Stage(role, launch, NOTABLE)
    try:
        source_id = stage.wiring.ingest_roles.index(role)
        source = stage.config.sources[source_id]
        instruments = stage.table("instruments")
        catalog, slots = build_catalog(instruments.records)
        catalog["instruments_address"] = instruments.address
        buffers = connection.Buffers()
        feed = Feed(stage, source_id, buffers, stage.table("touches").records)
        context = np.zeros(1, CONTEXT_DTYPE)
        stage.fill_common(context)
        context["connection_address"] = buffers.address
        context["market_address"] = stage.writer(market_ring(role)).address
        context["instruments_address"] = instruments.address
        context["catalog_address"] = address_of(catalog)
        context["source_id"] = source_id
        context["inbox_address"] = feed.to_hot.reader_address
        context["outbox_address"] = feed.to_main.writer_address
        context["stall_ns_max"] = stage.config.rings.stall_ms * 1_000_000
        status = stage.run(entry(source.venue), (address_of(context),), feed.attend)
        feed.close()
        return status
    finally:
        stage.close()
