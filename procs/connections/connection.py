"""One WebSocket connection for compiled code: buffers in, buffers out.

The main thread makes the handshake and hands the descriptor over; from then on only the hot thread
uses it.  This module answers control frames: a ping with its pong, a close with its echo.
"""

import os

import numpy as np

from ipc import pipes, tls
from ipc.compiled import compiled
from ipc.intake import Entry, make_bytes, take_read, take_word
from ipc.layout import Field, Layout, reserved
from ipc.memory import address_of, copy_bytes, record_at
from ipc.sockets import FAILED, RECEIVER, WOULD_BLOCK, new_receiver, receive, send_all
from ipc.types import ByteArray, Record, RecordArray
from vortex.wire import websocket
from vortex.wire.websocket import (
    FRAMER,
    MASKS,
    Incoming,
    Opcode,
)

CONNECTION = Layout(
    "connection",
    "One connection's descriptor and buffers; addresses in this process.",
    Field("fd", "i8", "descriptor; -1 when there is none"),
    Field("tls_address", "i8", "TLS record; 0 on a plain connection"),
    Field("pipe_address", "i8", "PIPE of a peer in memory; 0 when the peer has a socket"),
    Field("receiver_address", "i8", "RECEIVER"),
    Field("framer_address", "i8", "FRAMER"),
    Field("buffer_address", "i8", "received bytes"),
    Field("buffer_bytes", "i8", "room for them"),
    Field("filled_bytes", "i8", "bytes received and not yet moved away"),
    Field("outbox_address", "i8", "bytes to send"),
    Field("outbox_bytes", "i8", "room for them"),
    Field("queued_bytes", "i8", "bytes that wait to be sent"),
    Field("masks_address", "i8", "MASKS: random masking keys, renewed by the main thread"),
    Field("ping_count", "i8", "pings answered"),
    Field("connected_ns", "i8", "when the hot thread got it"),
    Field("heard_ns", "i8", "when bytes last arrived"),
    Field("kernel_ns", "i8", "kernel receive stamp of the last read, on the run's clock"),
    Field("recv_ns", "i8", "when that read returned"),
    Field("read_bytes", "i8", "bytes read so far, on all connections that were here"),
    Field("index", "i8", "which of the stage's connections"),
    Field("intake_address", "i8", "INTAKE of the loop; 0 for none"),
    reserved(32),
)

CONNECTION_DTYPE = CONNECTION.dtype
FRAMER_DTYPE = FRAMER.dtype
RECEIVER_DTYPE = RECEIVER.dtype

RECEIVE_BUFFER_BYTES = 4 << 20
SEND_BUFFER_BYTES = 1 << 20
MESSAGE_BYTES_MAX = RECEIVE_BUFFER_BYTES // 2
READ_BYTES_MAX = 64 << 10
PAD_BYTES = 64
KEY_COUNT = 1 << 16  # enough for seconds, in case the main thread is delayed
FRAME_OVERHEAD_BYTES = 14 + 8  # the header, and the bytes that masking by words writes past the end


def touched_bytes(byte_count: int) -> ByteArray:
    """Return zeros whose pages are already in memory, so that the hot thread faults none."""
    array = np.empty(byte_count, np.uint8)
    array.fill(0)
    return array


class Buffers:
    """The memory behind one CONNECTION record, and the renewal of its masking keys."""

    def __init__(self, index: int = 0, intake_address: int = 0) -> None:
        self.record: RecordArray = np.zeros(1, CONNECTION_DTYPE)
        self._receiver = new_receiver()
        self._framer = np.zeros(1, FRAMER_DTYPE)
        self._received = touched_bytes(RECEIVE_BUFFER_BYTES + 2 * PAD_BYTES)
        self._outbox = touched_bytes(SEND_BUFFER_BYTES + 2 * PAD_BYTES)
        self._keys = np.zeros(KEY_COUNT, np.int64)
        self._masks = np.zeros(1, MASKS.dtype)
        record = self.record[0]
        record["fd"] = -1
        record["index"], record["intake_address"] = index, intake_address
        record["receiver_address"] = address_of(self._receiver)
        record["framer_address"] = address_of(self._framer)
        record["buffer_address"] = address_of(self._received) + PAD_BYTES
        record["buffer_bytes"] = RECEIVE_BUFFER_BYTES
        record["outbox_address"] = address_of(self._outbox) + PAD_BYTES
        record["outbox_bytes"] = SEND_BUFFER_BYTES
        record["masks_address"] = address_of(self._masks)
        self._masks["keys_address"] = address_of(self._keys)
        self._masks["key_count"] = KEY_COUNT
        self.renew_keys()

    @property
    def address(self) -> int:
        """Address of the record for compiled code; valid as long as this object lives."""
        return address_of(self.record)

    def renew_keys(self) -> None:
        """Main thread: replace the used keys with random ones from the operating system."""
        masks_address = address_of(self._masks)
        wanted_count = websocket.masks_wanted(masks_address)
        if wanted_count >= KEY_COUNT // 2:
            websocket.fill_masks(masks_address, os.urandom(websocket.MASK_BYTES * wanted_count))


@compiled
def begin(connection_address: int, fd: int, tls_address: int, now_ns: int) -> None:
    """Take over a fresh connection: nothing received, nothing queued."""
    connection = record_at(connection_address, CONNECTION_DTYPE)
    websocket.begin_framing(connection.framer_address, MESSAGE_BYTES_MAX)
    connection.fd = fd
    connection.tls_address = tls_address
    connection.filled_bytes = 0
    connection.queued_bytes = 0
    connection.connected_ns = now_ns
    connection.heard_ns = now_ns


@compiled
def end(connection_address: int) -> None:
    """Release the descriptor; the main thread closes it."""
    record_at(connection_address, CONNECTION_DTYPE).fd = -1


@compiled
def fill(connection: Record, now_ns: int) -> int:
    """Read the available bytes: byte count, CLOSED, WOULD_BLOCK or FAILED."""
    room_bytes = min(connection.buffer_bytes - connection.filled_bytes, READ_BYTES_MAX)
    if room_bytes <= 0:
        return WOULD_BLOCK
    target_address = connection.buffer_address + connection.filled_bytes
    if connection.pipe_address != 0:
        count = pipes.receive(
            connection.pipe_address, connection.receiver_address, target_address, room_bytes
        )
    elif connection.tls_address == 0:
        count = receive(connection.receiver_address, connection.fd, target_address, room_bytes)
    else:
        count = tls.receive(
            connection.tls_address,
            connection.receiver_address,
            connection.fd,
            target_address,
            room_bytes,
        )
    if connection.intake_address != 0 and count != WOULD_BLOCK:
        receiver = record_at(connection.receiver_address, RECEIVER_DTYPE)
        take_read(
            connection.intake_address, connection.index, count, receiver.kernel_wall_ns,
            target_address,
        )  # fmt: skip
    if count > 0:
        connection.filled_bytes += count
        connection.read_bytes += count
        connection.heard_ns = now_ns
    return count


@compiled
def next_message(connection_address: int) -> int:
    """Return a websocket.Incoming; control frames are answered before they are returned."""
    connection = record_at(connection_address, CONNECTION_DTYPE)
    incoming = websocket.next_message(
        connection.framer_address, connection.buffer_address, connection.filled_bytes
    )
    framer = record_at(connection.framer_address, FRAMER_DTYPE)
    if incoming == Incoming.PING:
        queue(connection_address, Opcode.PONG, framer.payload_address, framer.payload_bytes)
        connection.ping_count += 1
    elif incoming == Incoming.CLOSE:
        queue(connection_address, Opcode.CLOSE, framer.payload_address, framer.payload_bytes)
    elif incoming == Incoming.FAILED:
        queue_close(connection, framer.close_code)
    return incoming


@compiled
def keep_rest(connection: Record) -> None:
    """Move the unparsed rest to the front, to make room for the next read."""
    connection.filled_bytes = websocket.compact(
        connection.framer_address, connection.buffer_address, connection.filled_bytes
    )


@compiled
def take_mask(connection: Record) -> int:
    """Return a masking key, or a number below 0 when there is none."""
    key = websocket.take_mask(connection.masks_address)
    if connection.intake_address != 0:
        return take_word(connection.intake_address, Entry.MASK, key)
    return key


@compiled
def can_queue(connection_address: int, payload_bytes: int) -> bool:
    """Return whether there is room and a masking key for one more frame."""
    connection = record_at(connection_address, CONNECTION_DTYPE)
    frame_bytes = payload_bytes + FRAME_OVERHEAD_BYTES
    has_room = connection.queued_bytes + frame_bytes <= connection.outbox_bytes
    return has_room and websocket.has_mask(connection.masks_address)


@compiled
def queue(connection_address: int, opcode: int, payload_address: int, payload_bytes: int) -> bool:
    """Append a frame to the bytes to send; return False when there is no room or no key."""
    connection = record_at(connection_address, CONNECTION_DTYPE)
    if connection.queued_bytes + payload_bytes + FRAME_OVERHEAD_BYTES > connection.outbox_bytes:
        return False
    key = take_mask(connection)
    if key < 0:
        return False
    connection.queued_bytes += websocket.write_frame(
        connection.outbox_address + connection.queued_bytes,
        opcode,
        payload_address,
        payload_bytes,
        key,
    )
    return True


@compiled
def queue_close(connection: Record, close_code: int) -> None:
    """Queue a close frame with a code of ours."""
    key = take_mask(connection)
    room_bytes = connection.outbox_bytes - connection.queued_bytes
    if key >= 0 and room_bytes > 2 * FRAME_OVERHEAD_BYTES:
        out_address = connection.outbox_address + connection.queued_bytes
        connection.queued_bytes += websocket.write_close(out_address, close_code, key)


@compiled
def queue_ping(connection_address: int) -> None:
    """Queue a ping, which a live peer answers."""
    connection = record_at(connection_address, CONNECTION_DTYPE)
    if connection.fd >= 0:
        queue(connection_address, Opcode.PING, connection.outbox_address, 0)


@compiled
def flush(connection_address: int) -> int:
    """Send queued bytes, as many as the kernel takes: bytes left, or FAILED."""
    connection = record_at(connection_address, CONNECTION_DTYPE)
    intake_address, queued_bytes = connection.intake_address, connection.queued_bytes
    if intake_address == 0 or queued_bytes == 0:
        return _flush_queued(connection_address)
    make_bytes(intake_address, Entry.SENDING, connection.outbox_address, queued_bytes)
    return take_word(intake_address, Entry.LEFT, _flush_queued(connection_address))


@compiled
def _flush_queued(connection_address: int) -> int:
    """Do what ``flush`` does."""
    connection = record_at(connection_address, CONNECTION_DTYPE)
    if connection.tls_address != 0:
        return _flush_sealed(connection_address)
    if connection.queued_bytes == 0:
        return 0
    count = _send_queued(connection_address)
    if count == FAILED:
        return FAILED
    if count > 0:
        connection.queued_bytes -= count
        if connection.queued_bytes > 0:
            rest_address = connection.outbox_address + count
            copy_bytes(connection.outbox_address, rest_address, connection.queued_bytes)
    return int(connection.queued_bytes)


@compiled
def _send_queued(connection_address: int) -> int:
    """Send queued bytes as they are: byte count, WOULD_BLOCK or FAILED."""
    connection = record_at(connection_address, CONNECTION_DTYPE)
    outbox_address, queued_bytes = connection.outbox_address, connection.queued_bytes
    if connection.pipe_address != 0:
        return pipes.send(connection.pipe_address, outbox_address, queued_bytes)
    return send_all(connection.receiver_address, connection.fd, outbox_address, queued_bytes)


@compiled
def _flush_sealed(connection_address: int) -> int:
    """Do the same as ``flush`` over TLS, which may have bytes of its own to send."""
    connection = record_at(connection_address, CONNECTION_DTYPE)
    if connection.queued_bytes > 0:
        outbox_address, queued_bytes = connection.outbox_address, connection.queued_bytes
        if tls.seal(connection.tls_address, outbox_address, queued_bytes) == FAILED:
            return FAILED
        connection.queued_bytes = 0
    return tls.push(connection.tls_address, connection.receiver_address, connection.fd)
