"""The ingest stage: socket bytes in, market records out; one stage per source.

Each frame is decoded in place into the slots of the market ring and published on its own.  When the
ring has no room the socket is not read: TCP holds the bytes, and the wait is counted.  After
``stall_ms`` the ring begins a new epoch, and the book knows that something is missing.
"""

from enum import IntEnum
from typing import Any

import numpy as np

from ipc import clock, intake, mailbox, ring
from ipc.compiled import compile_entry, compiled
from ipc.counters import add
from ipc.intake import Entry
from ipc.layout import Field, Layout
from ipc.log import log_event
from ipc.memory import address_of, record_at
from ipc.plugs import call_plug
from ipc.sockets import RECEIVER, WOULD_BLOCK
from ipc.types import Record
from procs.connections import connection
from procs.logs import hot_events
from procs.plan.launch import Launch
from procs.plan.wiring import MARKET_MESSAGE_MAX, market_ring
from procs.stages.base.running import run_alone
from procs.stages.base.stage import (
    CONTEXT_FIELDS,
    DRAIN_CLOCK_FRAMES,
    DRAIN_FRAME_MAX,
    DRAIN_NS_MAX,
    LOOP,
    Built,
    Outside,
    Stage,
    begin_turn,
    end_intake,
    end_turn,
    log_step,
    must_leave,
    rest,
)
from procs.stages.ingest.feed import Feed, IngestSubject
from vortex.codes import Kind, Refusal
from vortex.decoding.instruments import build_catalog
from vortex.records import CATALOG, DEPTH, FEED, INSTRUMENT, MARKET_SLOT_BYTES
from vortex.venues import market_of
from vortex.venues.contract import DECODE_MARKET, DECODE_SNAPSHOT
from vortex.wire.websocket import FRAMER, Incoming, Opcode

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
    Field("stepped_count", "i8", "records, letters and bytes so far, by the end of the last step"),
    Field("stall_ns_max", "i8", "how long a full ring is borne"),
    # Of a turn that does nothing, only these two are changed: see WAITS_BYTES.
    Field("stalled_ns", "i8", "since when the ring is full; 0 when it is not"),
    Field("has_more", "i8", "1 when whole messages of the last read may still wait"),
    Field("decode_market_address", "i8", "the venue's decoder of messages"),
    Field("decode_snapshot_address", "i8", "the venue's decoder of snapshots; 0 for none"),
    Field("frame_count", "i8", "frames so far: the next cause_id"),
    multiple_bytes=8,
)

CATALOG_DTYPE = CATALOG.dtype
CONTEXT_DTYPE = CONTEXT.dtype
CONNECTION_DTYPE = connection.CONNECTION_DTYPE
DEPTH_DTYPE = DEPTH.dtype
FEED_DTYPE = FEED.dtype
FRAMER_DTYPE = FRAMER.dtype
INSTRUMENT_BYTES = INSTRUMENT.dtype.itemsize
LETTER_DTYPE = mailbox.LETTER_DTYPE
LETTER_BYTES = LETTER_DTYPE.itemsize
RECEIVER_DTYPE = RECEIVER.dtype
RING_DTYPE = ring.RING_DTYPE

#: Offset and size of what a turn that does nothing may change.
WAITS_OFFSET_BYTES, WAITS_BYTES = CONTEXT.offset_bytes("stalled_ns"), 16
REFUSAL_BASE = 32


class IngestCounter(IntEnum):
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
    GENERAL = 14  # messages that the decoder's general path had to read: not today's form


@compiled
def stamp(
    context: Record, first_address: int, record_count: int, kernel_ns: int, recv_ns: int
) -> None:
    """Write into each record of one message where it came from, and into each head when.

    A message is one head and its levels, or several trades, each of which is passed on by itself.
    """
    market = record_at(context.market_address, RING_DTYPE)
    for index in range(record_count):
        record = record_at(first_address + index * MARKET_SLOT_BYTES, DEPTH_DTYPE)
        record.source_id = context.source_id
        record.epoch = market.epoch
        record.cause_id = context.frame_count
        if index == 0 or record.kind == Kind.TRADE:
            record.kernel_ns = kernel_ns
            record.recv_ns = recv_ns


@compiled
def publish(context: Record, first_address: int, count: int, kernel_ns: int, recv_ns: int) -> None:
    """Stamp and publish the records of one message."""
    stamp(context, first_address, count, kernel_ns, recv_ns)
    ring.append(context.market_address, count)
    ring.commit(context.market_address, clock.now_ns(context.clock_address))
    add(context.counters_address, IngestCounter.RECORDS, count)


@compiled
def count_refusal(context: Record, code: int, byte_count: int, now_ns: int) -> None:
    """Count a message that became no records, by its reason; log those that do harm."""
    add(context.counters_address, REFUSAL_BASE - code, 1)
    harmless = code == Refusal.IGNORED or code == Refusal.NOT_KNOWN or code == Refusal.SHUTDOWN
    if not harmless:
        add(context.counters_address, IngestCounter.INVALID, 1)
        log_event(
            context.log_address, hot_events.MESSAGE_REFUSED, now_ns,
            code, byte_count, context.frame_count,
        )  # fmt: skip


@compiled
def publish_feed(context: Record, kind: int, now_ns: int) -> bool:
    """Publish that the connection went down or came up; False when there is no room."""
    slot_address = ring.claim(context.market_address)
    if slot_address == 0:
        return False
    record = record_at(slot_address, FEED_DTYPE)
    record.kind = kind
    record.instrument_id = -1
    publish(context, slot_address, 1, 0, now_ns)
    return True


@compiled
def has_room(context: Record, now_ns: int) -> bool:
    """Return whether the largest message fits; count the wait, and give the backlog up in time."""
    if ring.claim(context.market_address) != 0:
        if context.stalled_ns != 0:
            add(context.counters_address, IngestCounter.STALL_NS, now_ns - context.stalled_ns)
            log_event(
                context.log_address, hot_events.MARKET_ROOM, now_ns, now_ns - context.stalled_ns
            )
            context.stalled_ns = 0
        return True
    if context.stalled_ns == 0:
        context.stalled_ns = now_ns
        add(context.counters_address, IngestCounter.STALLS, 1)
        unread_count = ring.unread_count(context.market_address)
        log_event(context.log_address, hot_events.MARKET_FULL, now_ns, unread_count)
    elif now_ns - context.stalled_ns > context.stall_ns_max:
        give_up_backlog(context, now_ns)
    return False


@compiled
def give_up_backlog(context: Record, now_ns: int) -> None:
    """Declare void what the book has not read, so that it knows that something is missing."""
    dropped_count = ring.unread_count(context.market_address)
    stalled_ns = now_ns - context.stalled_ns
    add(context.counters_address, IngestCounter.EPOCHS, 1)
    add(context.counters_address, IngestCounter.DROPPED, dropped_count)
    add(context.counters_address, IngestCounter.STALL_NS, stalled_ns)
    log_event(context.log_address, hot_events.BACKLOG_DROPPED, now_ns, stalled_ns, dropped_count)
    ring.raise_epoch(context.market_address)
    context.stalled_ns = now_ns


@compiled
def take_message(
    context: Record, payload_address: int, payload_bytes: int, kernel_ns: int, recv_ns: int
) -> int:
    """Decode one message into the ring and publish it; return its records, or a Refusal.

    A message that looked like market data and could not be read leaves the books in doubt: the
    venue's sequence numbers show the gap with the next message.
    """
    slot_address = ring.claim(context.market_address)
    assert slot_address != 0, "has_room comes first"
    context.frame_count += 1
    catalog = record_at(context.catalog_address, CATALOG_DTYPE)
    general_count = catalog.general_count
    count = call_plug(
        context.decode_market_address,
        (payload_address, payload_bytes, context.catalog_address, slot_address, MARKET_MESSAGE_MAX),
    )
    add(context.counters_address, IngestCounter.FRAMES, 1)
    add(context.counters_address, IngestCounter.GENERAL, catalog.general_count - general_count)
    if count < 0:
        count_refusal(context, count, payload_bytes, recv_ns)
        return count
    publish(context, slot_address, count, kernel_ns, recv_ns)
    add(context.counters_address, IngestCounter.MESSAGES, 1)
    return count


@compiled
def disconnect(context: Record, reason: int, now_ns: int) -> None:
    """Close the connection, mark this source down, and ask the main thread for another."""
    fd = record_at(context.connection_address, CONNECTION_DTYPE).fd
    connection.flush(context.connection_address)
    connection.end(context.connection_address)
    add(context.counters_address, IngestCounter.DISCONNECTIONS, 1)
    log_event(context.log_address, hot_events.FEED_DOWN, now_ns, context.frame_count, reason)
    if not publish_feed(context, Kind.FEED_DOWN, now_ns):
        ring.raise_epoch(context.market_address)  # says as much: forget what this source said
    mailbox.post(context.outbox_address, IngestSubject.DISCONNECTED, fd, reason, 0, 0, 0, 0)


@compiled
def take_frames(context: Record, begun_ns: int) -> int:
    """Take what was received, within the bounds of a drain; return how many messages."""
    socket = record_at(context.connection_address, CONNECTION_DTYPE)
    framer = record_at(socket.framer_address, FRAMER_DTYPE)
    taken_count, now_ns = 0, begun_ns
    context.has_more = 1
    while taken_count < DRAIN_FRAME_MAX:
        if taken_count & (DRAIN_CLOCK_FRAMES - 1) == 0:
            now_ns = clock.now_ns(context.clock_address)
        if now_ns - begun_ns > DRAIN_NS_MAX or not has_room(context, now_ns):
            break
        found = connection.next_message(context.connection_address)
        if found == Incoming.NEED_MORE:
            context.has_more = 0
            break
        if found == Incoming.CLOSE or found == Incoming.FAILED:
            disconnect(context, framer.close_code, now_ns)
            return taken_count + 1
        if found == Incoming.TEXT or found == Incoming.BINARY:
            take_message(
                context, framer.payload_address, framer.payload_bytes,
                socket.kernel_ns, socket.recv_ns,
            )  # fmt: skip
        elif found == Incoming.PING:
            add(context.counters_address, IngestCounter.PINGS, 1)
        taken_count += 1
    return taken_count


@compiled
def read(context: Record, now_ns: int) -> bool:
    """Read what is there and stamp it; False when the connection is lost."""
    socket = record_at(context.connection_address, CONNECTION_DTYPE)
    count = connection.fill(socket, now_ns)
    recv_ns = clock.now_ns(context.clock_address)
    if count == WOULD_BLOCK:
        return True
    if count <= 0:
        disconnect(context, 0, recv_ns)
        return False
    add(context.counters_address, IngestCounter.READS, 1)
    add(context.counters_address, IngestCounter.BYTES, count)
    receiver = record_at(socket.receiver_address, RECEIVER_DTYPE)
    socket.kernel_ns = recv_ns
    if receiver.kernel_wall_ns > 0:
        stamped_ns = receiver.kernel_wall_ns - clock.wall_offset_ns(context.clock_address)
        socket.kernel_ns = min(stamped_ns, recv_ns)
    socket.recv_ns = recv_ns
    return True


@compiled
def read_socket(context: Record) -> int:
    """Read and take what is there; return how many messages were taken.

    Nothing new is read before all of the last read was taken, so that each message has the stamps
    of the read that brought it.
    """
    socket = record_at(context.connection_address, CONNECTION_DTYPE)
    if socket.fd < 0:
        return 0
    now_ns = clock.now_ns(context.clock_address)
    if context.stalled_ns != 0 and not has_room(context, now_ns):
        return 0
    if context.has_more == 0 and not read(context, now_ns):
        return 1
    taken_count = take_frames(context, now_ns)
    if socket.fd >= 0:
        if context.has_more == 0:
            connection.keep_rest(socket)
        if connection.flush(context.connection_address) < 0:
            disconnect(context, 0, now_ns)
    return taken_count


@compiled
def take_snapshot(context: Record, letter: Record, now_ns: int) -> None:
    """Decode a snapshot that the main thread fetched, and give its bytes back."""
    slot_address = ring.claim(context.market_address)
    instrument_address = context.instruments_address + letter.first * INSTRUMENT_BYTES
    count = call_plug(
        context.decode_snapshot_address,
        (letter.second, letter.third, instrument_address, slot_address, MARKET_MESSAGE_MAX),
    )
    if count > 0:
        publish(context, slot_address, count, 0, now_ns)
        add(context.counters_address, IngestCounter.SNAPSHOTS, 1)
    else:
        count_refusal(context, count, letter.third, now_ns)
    mailbox.post(
        context.outbox_address,
        IngestSubject.SNAPSHOT_TAKEN,
        letter.first,
        letter.second,
        count,
        0,
        0,
        0,
    )


@compiled
def take_connection(context: Record, fd: int, tls_address: int, now_ns: int) -> None:
    """Go on with a fresh connection; the main thread closes the one before.

    One that is changed while it works was subscribed to before: what it brings overlaps, so the
    books stay in sync.
    """
    old_fd = record_at(context.connection_address, CONNECTION_DTYPE).fd
    connection.begin(context.connection_address, fd, tls_address, now_ns)
    context.has_more = 0
    add(context.counters_address, IngestCounter.CONNECTIONS, 1)
    if old_fd >= 0:
        log_event(context.log_address, hot_events.FEED_CHANGED, now_ns, fd, old_fd)
        mailbox.post(context.outbox_address, IngestSubject.CHANGED, old_fd, 0, 0, 0, 0, 0)
    else:
        log_event(context.log_address, hot_events.FEED_UP, now_ns, fd)
        publish_feed(context, Kind.FEED_UP, now_ns)


@compiled
def drop(context: Record, fd: int, now_ns: int) -> None:
    """Give up a connection on which nothing comes, unless it was given up before."""
    if record_at(context.connection_address, CONNECTION_DTYPE).fd == fd:
        disconnect(context, 0, now_ns)


@compiled
def send_text(context: Record, letter: Record) -> None:
    """Queue a text message of the main thread, if its connection is still in use."""
    if record_at(context.connection_address, CONNECTION_DTYPE).fd == letter.first:
        connection.queue(context.connection_address, Opcode.TEXT, letter.second, letter.third)
    mailbox.post(context.outbox_address, IngestSubject.SENT, letter.second, 0, 0, 0, 0, 0)


@compiled
def note_letter(context: Record, letter_address: int) -> None:
    """Have the intake take a letter, and the bytes that the main thread lends with it."""
    letter = record_at(letter_address, LETTER_DTYPE)
    lends = letter.subject == IngestSubject.SNAPSHOT or letter.subject == IngestSubject.SEND
    lent_bytes = letter.third if lends else 0
    intake.take_letter(
        context.intake_address, letter_address, LETTER_BYTES, letter.second, lent_bytes
    )


@compiled
def take_letter(context: Record) -> int:
    """Take one letter of the main thread: 1 taken, 0 none or no room for what it asks."""
    if ring.ready_count(context.inbox_address) <= 0:
        return 0
    now_ns = clock.now_ns(context.clock_address)
    if not has_room(context, now_ns):
        return 0
    letter_address = ring.slot(context.inbox_address, 0)
    letter = record_at(letter_address, LETTER_DTYPE)
    if context.intake_address != 0:
        note_letter(context, letter_address)
    if letter.subject == IngestSubject.CONNECTED:
        take_connection(context, letter.first, letter.second, now_ns)
    elif letter.subject == IngestSubject.PING:
        connection.queue_ping(context.connection_address)
    elif letter.subject == IngestSubject.SEND:
        send_text(context, letter)
    elif letter.subject == IngestSubject.DROP:
        drop(context, letter.first, now_ns)
    elif letter.subject == IngestSubject.SNAPSHOT:
        take_snapshot(context, letter, now_ns)
    ring.consume(context.inbox_address, 1)
    return 1


@compiled
def done_so_far(context: Record) -> int:
    """Return a number that grows with each record, letter and byte."""
    market = record_at(context.market_address, RING_DTYPE)
    inbox = record_at(context.inbox_address, RING_DTYPE)
    socket = record_at(context.connection_address, CONNECTION_DTYPE)
    return market.next_seq + market.epoch + inbox.next_seq + socket.read_bytes


@compiled
def end_step(context_address: int, begin_ns: int) -> None:
    """Log a step: what was read and published is there already."""
    context = record_at(context_address, CONTEXT_DTYPE)
    context.stepped_count = done_so_far(context)
    socket = record_at(context.connection_address, CONNECTION_DTYPE)
    publish_ns = clock.now_ns(context.clock_address)
    log_step(context_address, begin_ns, publish_ns, socket.read_bytes)


@compiled
def begin(context_address: int) -> None:
    """Log where the loop begins."""
    context = record_at(context_address, CONTEXT_DTYPE)
    end_step(context_address, clock.now_ns(context.clock_address))
    end_intake(context_address)


@compiled
def turn(context_address: int) -> int:
    """Make one iteration: read, decode and publish; return how much was done."""
    begin_ns = begin_turn(context_address)
    context = record_at(context_address, CONTEXT_DTYPE)
    if context.intake_address != 0:
        waits_address = context_address + WAITS_OFFSET_BYTES
        intake.take_bytes(context.intake_address, Entry.STATE, waits_address, WAITS_BYTES)
    had_more = context.has_more
    done_count = take_letter(context)
    done_count += read_socket(context)
    if done_count > 0 or had_more != 0 or done_so_far(context) != context.stepped_count:
        end_step(context_address, begin_ns)
    return end_turn(context_address, done_count)


def loop(context_address: int) -> int:
    """Iterate until the stage is to leave."""
    context = record_at(context_address, CONTEXT_DTYPE)
    begin(context_address)
    while not must_leave(context.command_address, context.leave_address):
        rest(context, turn(context_address))
    return 0


def plugs(venue_name: str) -> dict[str, tuple[Any, Any]]:
    """Return what a venue plugs in: fields of the context, functions and their signatures."""
    market = market_of(venue_name)
    plugs = {"decode_market_address": (market.decode_market, DECODE_MARKET)}
    if market.decode_snapshot is not None:
        plugs["decode_snapshot_address"] = (market.decode_snapshot, DECODE_SNAPSHOT)
    return plugs


def compile_loop() -> Any:
    """Compile the loop, or read it from the cache."""
    return compile_entry(loop, LOOP)


def build(stage: Stage) -> Built:
    """Attach one ingest stage to its rings and tables, and fill its context."""
    source_id = stage.wiring.ingest_roles.index(stage.role)
    instruments = stage.table("instruments")
    (instrument_ids,) = np.nonzero(instruments.records["source_id"] == source_id)
    catalog, slots = build_catalog(instruments.records, instrument_ids.tolist())
    catalog["instruments_address"] = instruments.address
    stage.keep(slots)
    buffers = connection.Buffers(0, stage.intake_address)
    touches = stage.table("touches").records
    feed = Feed(stage, source_id, buffers, touches, REFUSAL_BASE - Refusal.SHUTDOWN)
    context = np.zeros(1, CONTEXT_DTYPE)
    stage.fill_common(context)
    context["connection_address"] = buffers.address
    context["market_address"] = market_address = stage.writer(market_ring(stage.role)).address
    context["instruments_address"] = instruments.address
    context["catalog_address"] = stage.keep(catalog)
    context["source_id"] = source_id
    context["inbox_address"] = feed.to_hot.reader_address
    context["outbox_address"] = feed.to_main.writer_address
    outputs = {market_ring(stage.role): market_address}
    stage.fill_steps(context, [feed.to_hot.reader_address], outputs)
    context["stall_ns_max"] = stage.config.rings.stall_ms * 1_000_000
    for field, (function, signature) in plugs(feed.source.venue).items():
        context[field] = stage.plug(function, signature)
    outside = Outside([buffers], feed.to_hot, feed.to_main)
    return Built(stage, address_of(context), feed.attend, feed.close, outside=outside)


def main(role: str, launch: Launch) -> int:
    """Build one ingest process, run it, and release everything."""
    return run_alone(role, launch, build, compile_loop)
