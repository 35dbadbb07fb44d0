"""recv and send from compiled code, with the kernel's receive stamps.

The main thread connects; from then on compiled code owns the descriptor.  A read returns the
kernel's stamp of its last segment: TCP merges segments that wait together and keeps the newest
stamp, so when one read brings several segments, only the arrival of the last one is known.
"""

import ctypes
import socket
import sys
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from ipc.compiled import PLAIN_PYTHON, compiled
from ipc.layout import Field, Layout, reserved
from ipc.memory import address_of, load_word, record_at
from ipc.types import RecordArray

SO_TIMESTAMPING = 37
SOF_TIMESTAMPING_RX_SOFTWARE = 1 << 3
SOF_TIMESTAMPING_SOFTWARE = 1 << 4

CLOSED = 0
WOULD_BLOCK = -1
FAILED = -2

EAGAIN = 11
EINTR = 4
MSG_DONTWAIT = 0x40
MSG_NOSIGNAL = 0x4000
LOW_32_BITS = 0xFFFFFFFF
STAMP_CONTROL_TYPE = (SO_TIMESTAMPING << 32) | socket.SOL_SOCKET

RECEIVER = Layout(
    "receiver",
    "The arguments of recvmsg(2), kept between calls: struct msghdr, one iovec, one control area.",
    Field("name_address", "i8", "msghdr: none"),
    Field("name_bytes", "i8", "msghdr: 0"),
    Field("iovec_address", "i8", "msghdr: the iovec below"),
    Field("iovec_count", "i8", "msghdr: 1"),
    Field("control_address", "i8", "msghdr: the control area below"),
    Field("control_bytes", "i8", "msghdr: its size; the kernel writes what it used"),
    Field("flags", "i8", "msghdr: written by the kernel"),
    Field("target_address", "i8", "iovec: destination of the bytes"),
    Field("room_bytes", "i8", "iovec: bytes that fit there"),
    Field("control", "i8", "control area", (16,)),
    Field("kernel_wall_ns", "i8", "wall-clock receive stamp of the last read; 0 without one"),
    Field("error_number", "i8", "errno of the last call that failed"),
    reserved(40),
)
RECEIVER_DTYPE = RECEIVER.dtype
CONTROL_BYTES = 128
CONTROL_OFFSET_BYTES = RECEIVER.offset_bytes("control")
IOVEC_OFFSET_BYTES = RECEIVER.offset_bytes("target_address")

_LIBC = ctypes.CDLL(None, use_errno=True)
_recvmsg: Any = types.ExternalFunction(
    "recvmsg", types.int64(types.int32, types.int64, types.int32)
)
_send: Any = types.ExternalFunction(
    "send", types.int64(types.int32, types.int64, types.int64, types.int32)
)
_errno_location: Any = types.ExternalFunction("__errno_location", types.int64())


def recvmsg(fd: int, header_address: int, flags: int) -> int:
    """Call recvmsg(2): bytes read, 0 at the end of the stream, -1 on error."""
    where = ctypes.c_void_p(int(header_address))
    return _plain("recvmsg", ctypes.c_int(int(fd)), where, ctypes.c_int(flags))


def send_bytes(fd: int, address: int, byte_count: int, flags: int) -> int:
    """Call send(2): bytes taken, -1 on error."""
    where, room = ctypes.c_void_p(int(address)), ctypes.c_size_t(int(byte_count))
    return _plain("send", ctypes.c_int(int(fd)), where, room, ctypes.c_int(flags))


def error_number() -> int:
    """Return errno of this thread's last failed call."""
    return ctypes.get_errno()


def _plain(name: str, *arguments: Any) -> int:
    function = getattr(_LIBC, name)
    function.restype = ctypes.c_ssize_t
    return int(function(*arguments))


overload(recvmsg)(
    lambda fd, header_address, flags: (
        lambda fd, header_address, flags: _recvmsg(np.int32(fd), header_address, np.int32(flags))
    )
)
overload(send_bytes)(
    lambda fd, address, byte_count, flags: (
        lambda fd, address, byte_count, flags: _send(
            np.int32(fd), address, byte_count, np.int32(flags)
        )
    )
)
overload(error_number)(lambda: lambda: load_word(_errno_location()) & LOW_32_BITS)


def new_receiver() -> RecordArray:
    """Return a RECEIVER ready for use; the caller keeps it alive."""
    receiver = np.zeros(1, RECEIVER_DTYPE)
    base = address_of(receiver)
    receiver["iovec_address"] = base + IOVEC_OFFSET_BYTES
    receiver["iovec_count"] = 1
    receiver["control_address"] = base + CONTROL_OFFSET_BYTES
    return receiver


def prepare(connection: socket.socket) -> bool:
    """Set up ``connection`` for compiled code; return whether the kernel stamps its reads."""
    connection.setblocking(False)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if sys.platform != "linux" or PLAIN_PYTHON:
        return False
    try:
        flags = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE
        connection.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, flags)
    except OSError:
        return False
    return True


@compiled
def receive(receiver_address: int, fd: int, target_address: int, room_bytes: int) -> int:
    """Read the available bytes; return their count, CLOSED, WOULD_BLOCK or FAILED.

    Set ``kernel_wall_ns``.
    """
    receiver = record_at(receiver_address, RECEIVER_DTYPE)
    receiver.target_address = target_address
    receiver.room_bytes = room_bytes
    receiver.control_bytes = CONTROL_BYTES
    receiver.kernel_wall_ns = 0
    count = recvmsg(fd, receiver_address, MSG_DONTWAIT)
    if count < 0:
        receiver.error_number = error_number()
        if receiver.error_number == EAGAIN or receiver.error_number == EINTR:
            return WOULD_BLOCK
        return FAILED
    # struct cmsghdr: size, then level and type in one word; struct scm_timestamping follows.
    if receiver.control_bytes >= 32 and receiver.control[1] == STAMP_CONTROL_TYPE:
        receiver.kernel_wall_ns = receiver.control[2] * 1_000_000_000 + receiver.control[3]
    return count


@compiled
def send_all(receiver_address: int, fd: int, address: int, byte_count: int) -> int:
    """Send as much as the kernel takes now: byte count, WOULD_BLOCK or FAILED."""
    count = send_bytes(fd, address, byte_count, MSG_DONTWAIT | MSG_NOSIGNAL)
    if count < 0:
        receiver = record_at(receiver_address, RECEIVER_DTYPE)
        receiver.error_number = error_number()
        if receiver.error_number == EAGAIN or receiver.error_number == EINTR:
            return WOULD_BLOCK
        return FAILED
    return count
