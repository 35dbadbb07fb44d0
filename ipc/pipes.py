"""A peer in memory: bytes in and bytes out of a connection without a socket.

A driver puts bytes where compiled code reads them as if they came from a peer, with the kernel's
stamp that they had or would have, and takes what compiled code sent.  Both sides run in one thread.
"""

import numpy as np

from ipc.compiled import compiled
from ipc.layout import Field, Layout
from ipc.memory import address_of, copy_bytes, record_at
from ipc.sockets import CLOSED, RECEIVER, WOULD_BLOCK
from ipc.types import RecordArray

PIPE = Layout(
    "pipe",
    "Bytes between compiled code and a driver; addresses in this process.",
    Field("inbound_address", "i8", "bytes for compiled code"),
    Field("inbound_bytes", "i8", "how many are there"),
    Field("read_bytes", "i8", "how many of them were read"),
    Field("kernel_wall_ns", "i8", "their receive stamp; 0 for none"),
    Field("is_closed", "i8", "1: after them the peer closes"),
    Field("outbound_address", "i8", "bytes that compiled code sent"),
    Field("outbound_bytes", "i8", "how many are there"),
    Field("outbound_bytes_max", "i8", "room for them"),
)
PIPE_DTYPE = PIPE.dtype
RECEIVER_DTYPE = RECEIVER.dtype

OUTBOUND_BYTES_MAX = 1 << 20


@compiled
def receive(pipe_address: int, receiver_address: int, target_address: int, room_bytes: int) -> int:
    """Read what the driver put there; return the byte count, CLOSED or WOULD_BLOCK."""
    pipe = record_at(pipe_address, PIPE_DTYPE)
    count = min(pipe.inbound_bytes - pipe.read_bytes, room_bytes)
    if count == 0:
        return CLOSED if pipe.is_closed != 0 else WOULD_BLOCK
    copy_bytes(target_address, pipe.inbound_address + pipe.read_bytes, count)
    pipe.read_bytes += count
    record_at(receiver_address, RECEIVER_DTYPE).kernel_wall_ns = pipe.kernel_wall_ns
    return int(count)


@compiled
def send(pipe_address: int, source_address: int, byte_count: int) -> int:
    """Hand bytes to the driver; return how many there was room for, or WOULD_BLOCK."""
    pipe = record_at(pipe_address, PIPE_DTYPE)
    count = min(pipe.outbound_bytes_max - pipe.outbound_bytes, byte_count)
    if count == 0:
        return WOULD_BLOCK
    copy_bytes(pipe.outbound_address + pipe.outbound_bytes, source_address, count)
    pipe.outbound_bytes += count
    return int(count)


class Pipe:
    """The driver's end; ``address`` is for compiled code and lives as long as this object."""

    def __init__(self, outbound_bytes_max: int = OUTBOUND_BYTES_MAX) -> None:
        self._inbound = np.zeros(0, np.uint8)
        self._outbound = np.zeros(outbound_bytes_max, np.uint8)
        self._record: RecordArray = np.zeros(1, PIPE_DTYPE)
        self._record["outbound_address"] = address_of(self._outbound)
        self._record["outbound_bytes_max"] = outbound_bytes_max

    @property
    def address(self) -> int:
        """Where compiled code finds the PIPE."""
        return address_of(self._record)

    def put(self, data: bytes, kernel_wall_ns: int = 0) -> None:
        """Add bytes behind those that were not read yet; all get the stamp."""
        record = self._record[0]
        unread = self._inbound[int(record["read_bytes"]) :].tobytes()
        self._inbound = np.frombuffer(unread + data, np.uint8)
        record["inbound_address"] = address_of(self._inbound)
        record["inbound_bytes"], record["read_bytes"] = len(self._inbound), 0
        record["kernel_wall_ns"] = kernel_wall_ns

    def take(self) -> bytes:
        """Return what was sent since the last call."""
        record = self._record[0]
        data = self._outbound[: int(record["outbound_bytes"])].tobytes()
        record["outbound_bytes"] = 0
        return data

    def close(self) -> None:
        """Let compiled code see the end of the stream once it has read everything."""
        self._record["is_closed"] = 1

    def reopen(self) -> None:
        """Take the place of a peer that closed, with nothing said yet."""
        self._record["is_closed"] = 0
