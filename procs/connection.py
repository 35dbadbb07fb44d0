"""One WebSocket connection as compiled code sees it: buffers in, buffers out.

The main thread makes the handshake and hands the descriptor over; from then on only the hot thread
touches it.  Control frames are answered here: a ping with its pong, a close with its echo.
"""

import os
from typing import Any

import numpy as np

from ipc.atomics import load_acquire, store_release
from ipc.compiled import compiled
from ipc.layout import Field, Layout
from ipc.memory import address_of, copy_bytes, load_word, record_at
from ipc.sockets import CLOSED, FAILED, WOULD_BLOCK, new_receiver, receive, send_all
from ipc.types import ByteArray, RecordArray
from vortex import websocket
from vortex.websocket import FRAMER, Opcode

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
    Field("source_id", "i8", "which source; -1 for orders"),
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

    def __init__(self, source_id: int) -> None:
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
        record["source_id"] = source_id
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
