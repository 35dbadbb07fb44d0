"""One WebSocket connection as compiled code sees it: buffers in, buffers out.

The main thread makes the handshake and hands the descriptor over; from then on only the hot thread
touches it.  Control frames are answered here: a ping with its pong, a close with its echo.
"""

import os

import numpy as np

from ipc.atomics import load_acquire, store_release
from ipc.compiled import compiled
from ipc.layout import Field, Layout, reserved
from ipc.memory import address_of, copy_bytes, load_word, record_at, store_word
from ipc.sockets import FAILED, WOULD_BLOCK, new_receiver, receive, send_all
from ipc.types import ByteArray, RecordArray
from vortex import websocket
from vortex.websocket import FRAMER, Found, Opcode

CONNECTION = Layout(
    "connection",
    "One connection's descriptor and buffers; addresses in this process.",
    Field("fd", "i8", "descriptor; -1 when there is none"),
    Field("receiver_address", "i8", "RECEIVER"),
    Field("framer_address", "i8", "FRAMER"),
    Field("buffer_address", "i8", "received bytes"),
    Field("buffer_bytes", "i8", "room for them"),
    Field("filled_bytes", "i8", "how many are there"),
    Field("outbox_address", "i8", "bytes to send"),
    Field("outbox_bytes", "i8", "room for them"),
    Field("queued_bytes", "i8", "how many wait"),
    Field("keys_address", "i8", "random masking keys, one word each"),
    Field("keys_used_count", "i8", "keys used; published for the main thread, which renews them"),
    Field("keys_made_count", "i8", "keys made so far, by the main thread"),
    Field("ping_count", "i8", "pings answered"),
    Field("connected_ns", "i8", "when the hot thread got it"),
    Field("heard_ns", "i8", "when bytes last came"),
    Field("kernel_ns", "i8", "kernel receive stamp of the last read, on the run's clock"),
    Field("recv_ns", "i8", "when that read returned"),
    reserved(56),
)

CONNECTION_DTYPE = CONNECTION.dtype
FRAMER_DTYPE = FRAMER.dtype
KEYS_USED_BYTES = CONNECTION.offset_bytes("keys_used_count")
KEYS_MADE_BYTES = CONNECTION.offset_bytes("keys_made_count")

RECEIVE_BUFFER_BYTES = 4 << 20
SEND_BUFFER_BYTES = 1 << 20
READ_BYTES_MAX = 64 << 10
PAD_BYTES = 64
KEY_COUNT = 4_096
FRAME_OVERHEAD_BYTES = 14


class Buffers:
    """The memory behind one CONNECTION record, and the renewal of its masking keys."""

    def __init__(self) -> None:
        self.record: RecordArray = np.zeros(1, CONNECTION_DTYPE)
        self._receiver = new_receiver()
        self._framer = np.zeros(1, FRAMER_DTYPE)
        self._received: ByteArray = np.zeros(RECEIVE_BUFFER_BYTES + 2 * PAD_BYTES, np.uint8)
        self._outbox: ByteArray = np.zeros(SEND_BUFFER_BYTES + 2 * PAD_BYTES, np.uint8)
        self._keys = np.zeros(KEY_COUNT, np.int64)
        record = self.record[0]
        record["fd"] = -1
        record["receiver_address"] = address_of(self._receiver)
        record["framer_address"] = address_of(self._framer)
        record["buffer_address"] = address_of(self._received) + PAD_BYTES
        record["buffer_bytes"] = RECEIVE_BUFFER_BYTES
        record["outbox_address"] = address_of(self._outbox) + PAD_BYTES
        record["outbox_bytes"] = SEND_BUFFER_BYTES
        record["keys_address"] = address_of(self._keys)
        self.renew_keys()

    @property
    def address(self) -> int:
        """Where compiled code finds the record; valid as long as this object lives."""
        return address_of(self.record)

    def renew_keys(self) -> None:
        """Main thread: replace the keys that were used, from the system's strong source."""
        # pairs with: keys used
        used_count = load_acquire(self.address + KEYS_USED_BYTES)
        made_count = int(self.record[0]["keys_made_count"])
        wanted_count = used_count + KEY_COUNT - made_count
        if wanted_count < KEY_COUNT // 2 and made_count:
            return
        fresh = np.frombuffer(os.urandom(4 * wanted_count), np.int32).astype(np.int64)
        places = (made_count + np.arange(wanted_count)) % KEY_COUNT
        self._keys[places] = fresh & 0xFFFFFFFF
        # pairs with: keys made
        store_release(self.address + KEYS_MADE_BYTES, made_count + wanted_count)


@compiled
def begin(connection_address: int, fd: int, now_ns: int) -> None:
    """Take over a fresh connection: nothing is received, nothing queued."""
    connection = record_at(connection_address, CONNECTION_DTYPE)
    websocket.begin_framer(connection.framer_address, websocket.MESSAGE_BYTES_MAX)
    connection.fd = fd
    connection.filled_bytes = 0
    connection.queued_bytes = 0
    connection.connected_ns = now_ns
    connection.heard_ns = now_ns


@compiled
def end(connection_address: int) -> None:
    """Let go of the descriptor; the main thread closes it."""
    record_at(connection_address, CONNECTION_DTYPE).fd = -1


@compiled
def fill(connection_address: int, now_ns: int) -> int:
    """Read what is there: byte count, CLOSED, WOULD_BLOCK or FAILED."""
    connection = record_at(connection_address, CONNECTION_DTYPE)
    room_bytes = min(connection.buffer_bytes - connection.filled_bytes, READ_BYTES_MAX)
    if room_bytes <= 0:
        return WOULD_BLOCK
    count = receive(
        connection.receiver_address,
        connection.fd,
        connection.buffer_address + connection.filled_bytes,
        room_bytes,
    )
    if count > 0:
        connection.filled_bytes += count
        connection.heard_ns = now_ns
    return count


@compiled
def next_message(connection_address: int) -> int:
    """Return a websocket.Found; control frames are answered before they are returned."""
    connection = record_at(connection_address, CONNECTION_DTYPE)
    found = websocket.next_message(
        connection.framer_address, connection.buffer_address, connection.filled_bytes
    )
    if found == Found.PING:
        framer = record_at(connection.framer_address, FRAMER_DTYPE)
        queue(connection_address, Opcode.PONG, framer.payload_address, framer.payload_bytes)
        connection.ping_count += 1
    elif found == Found.CLOSE or found == Found.VIOLATION:
        queue_close(connection_address)
    return found


@compiled
def keep_rest(connection_address: int) -> None:
    """Move the unparsed rest to the front, to make room for the next read."""
    connection = record_at(connection_address, CONNECTION_DTYPE)
    connection.filled_bytes = websocket.compact(
        connection.framer_address, connection.buffer_address, connection.filled_bytes
    )


@compiled
def next_key(connection_address: int) -> int:
    """Return a masking key that no frame used; -1 when the main thread made too few."""
    connection = record_at(connection_address, CONNECTION_DTYPE)
    # pairs with: keys made
    made_count = load_acquire(connection_address + KEYS_MADE_BYTES)
    if connection.keys_used_count >= made_count:
        return -1
    key = load_word(connection.keys_address + 8 * (connection.keys_used_count % KEY_COUNT))
    # pairs with: keys used
    store_release(connection_address + KEYS_USED_BYTES, connection.keys_used_count + 1)
    return key


@compiled
def queue(connection_address: int, opcode: int, payload_address: int, payload_bytes: int) -> bool:
    """Write a frame behind what waits to be sent; False when there is no room or no key."""
    connection = record_at(connection_address, CONNECTION_DTYPE)
    if connection.queued_bytes + payload_bytes + FRAME_OVERHEAD_BYTES > connection.outbox_bytes:
        return False
    key = next_key(connection_address)
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
def queue_close(connection_address: int) -> None:
    """Queue a close frame with the framer's code; section 7.1.5 gives 1005 no bytes at all."""
    connection = record_at(connection_address, CONNECTION_DTYPE)
    framer = record_at(connection.framer_address, FRAMER_DTYPE)
    code_address = connection.outbox_address - 8
    code = framer.close_code
    store_word(code_address, (code >> 8) | ((code & 0xFF) << 8))
    code_bytes = 0 if code == websocket.CloseCode.NO_CODE else 2
    queue(connection_address, Opcode.CLOSE, code_address, code_bytes)


@compiled
def flush(connection_address: int) -> int:
    """Send what is queued, as far as the kernel takes it: bytes left, or FAILED."""
    connection = record_at(connection_address, CONNECTION_DTYPE)
    if connection.queued_bytes == 0:
        return 0
    count = send_all(
        connection.receiver_address,
        connection.fd,
        connection.outbox_address,
        connection.queued_bytes,
    )
    if count == FAILED:
        return FAILED
    if count > 0:
        connection.queued_bytes -= count
        if connection.queued_bytes > 0:
            rest_address = connection.outbox_address + count
            copy_bytes(connection.outbox_address, rest_address, connection.queued_bytes)
    return int(connection.queued_bytes)
