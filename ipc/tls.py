"""TLS from compiled code: OpenSSL between two memory BIOs; the socket stays ours.

OpenSSL never sees the descriptor.  Bytes from ``recvmsg`` go into one BIO, and ``SSL_read`` opens
them.  ``SSL_write`` seals bytes into the other BIO, from where they are sent.  So a read keeps its
kernel stamp, and one system call brings every record that is there.

The functions are those that pyOpenSSL is linked with.  Their addresses differ from process to
process, so compiled code gets them in the record, not as symbols: numba can cache only that.

*Source:* OpenSSL manual pages SSL_read(3), SSL_write(3), SSL_get_error(3), BIO_s_mem(3).
"""

import ctypes
from typing import Any

import numpy as np
from cryptography.hazmat.bindings._rust import _openssl
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload
from OpenSSL import SSL

from ipc import sockets
from ipc.compiled import compiled
from ipc.layout import Field, Layout, reserved
from ipc.memory import address_of, copy_bytes, record_at
from ipc.sockets import CLOSED, FAILED, WOULD_BLOCK
from ipc.types import RecordArray

_LIB: Any = _openssl.lib
_FFI: Any = _openssl.ffi

SEALED_BYTES = 64 << 10
READ_AGAIN = 2  # SSL_ERROR_WANT_READ
ENDED = 6  # SSL_ERROR_ZERO_RETURN: the peer ended its side of the connection

TLS = Layout(
    "tls",
    "One TLS connection: OpenSSL's handles, its functions, and room for sealed bytes.",
    Field("ssl_address", "i8", "SSL"),
    Field("into_address", "i8", "BIO for received bytes"),
    Field("from_address", "i8", "BIO for bytes to send"),
    Field("ssl_read_address", "i8", "SSL_read"),
    Field("ssl_write_address", "i8", "SSL_write"),
    Field("bio_read_address", "i8", "BIO_read"),
    Field("bio_write_address", "i8", "BIO_write"),
    Field("clear_errors_address", "i8", "ERR_clear_error"),
    Field("get_error_address", "i8", "SSL_get_error"),
    Field("received_address", "i8", "room for one read, SEALED_BYTES"),
    Field("sealed_address", "i8", "bytes on their way to the socket, room for SEALED_BYTES"),
    Field("sealed_bytes", "i8", "bytes that wait there"),
    Field("has_rest", "i8", "1 when OpenSSL may hold opened bytes: read it before the socket"),
    reserved(24),
)
TLS_DTYPE = TLS.dtype

I32, I64 = ir.IntType(32), ir.IntType(64)


def call_transfer(function_address: int, handle: int, address: int, byte_count: int) -> int:
    """Call ``int function(void *handle, void *bytes, int count)``: the four that move bytes."""
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)
    return int(kind(int(function_address))(int(handle), int(address), int(byte_count)))


def call_get_error(function_address: int, handle: int, result: int) -> int:
    """Call ``SSL_get_error(ssl, result)``."""
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)
    return int(kind(int(function_address))(int(handle), int(result)))


def call_clear(function_address: int) -> None:
    """Call ``ERR_clear_error()``."""
    ctypes.CFUNCTYPE(None)(int(function_address))()


@intrinsic
def _call_transfer(
    typing_context: Any, function: Any, handle: Any, address: Any, count: Any
) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(I32, [I64, I64, I32])
        callee = builder.inttoptr(args[0], kind.as_pointer())
        result = builder.call(callee, [args[1], args[2], builder.trunc(args[3], I32)])
        return builder.sext(result, I64)

    return types.int64(types.int64, types.int64, types.int64, types.int64), codegen


@intrinsic
def _call_get_error(typing_context: Any, function: Any, handle: Any, result: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(I32, [I64, I32])
        callee = builder.inttoptr(args[0], kind.as_pointer())
        return builder.sext(builder.call(callee, [args[1], builder.trunc(args[2], I32)]), I64)

    return types.int64(types.int64, types.int64, types.int64), codegen


@intrinsic
def _call_clear(typing_context: Any, function: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [])
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), [])
        return context.get_dummy_value()

    return types.void(types.int64), codegen


@overload(call_transfer)
def _(function_address: Any, handle: Any, address: Any, byte_count: Any) -> Any:
    def machine(function_address: Any, handle: Any, address: Any, byte_count: Any) -> Any:
        return _call_transfer(function_address, handle, address, byte_count)  # type: ignore[call-arg]

    return machine


@overload(call_get_error)
def _(function_address: Any, handle: Any, result: Any) -> Any:
    def machine(function_address: Any, handle: Any, result: Any) -> Any:
        return _call_get_error(function_address, handle, result)  # type: ignore[call-arg]

    return machine


@overload(call_clear)
def _(function_address: Any) -> Any:
    def machine(function_address: Any) -> Any:
        return _call_clear(function_address)  # type: ignore[call-arg]

    return machine


def _address_of_function(name: str) -> int:
    return int(_FFI.cast("uintptr_t", _FFI.addressof(_LIB, name)))


def _address_of_handle(handle: Any) -> int:
    return int(_FFI.cast("uintptr_t", handle))


class Channel:
    """The memory behind one TLS record; it and the connection must outlive the compiled loop."""

    def __init__(self, connection: SSL.Connection) -> None:
        """``connection`` works over memory BIOs, and its handshake is done."""
        private: Any = connection
        # Without this OpenSSL frees its buffers when they are empty, and allocates them again.
        _LIB.SSL_clear_mode(private._ssl, _LIB.SSL_MODE_RELEASE_BUFFERS)
        self._connection = connection
        self._received = np.full(SEALED_BYTES, 0, np.uint8)
        self._sealed = np.full(SEALED_BYTES, 0, np.uint8)
        self.record: RecordArray = np.zeros(1, TLS_DTYPE)
        record = self.record[0]
        record["ssl_address"] = _address_of_handle(private._ssl)
        record["into_address"] = _address_of_handle(private._into_ssl)
        record["from_address"] = _address_of_handle(private._from_ssl)
        record["ssl_read_address"] = _address_of_function("SSL_read")
        record["ssl_write_address"] = _address_of_function("SSL_write")
        record["bio_read_address"] = _address_of_function("BIO_read")
        record["bio_write_address"] = _address_of_function("BIO_write")
        record["clear_errors_address"] = _address_of_function("ERR_clear_error")
        record["get_error_address"] = _address_of_function("SSL_get_error")
        record["received_address"] = address_of(self._received)
        record["sealed_address"] = address_of(self._sealed)
        record["has_rest"] = 1  # the handshake may have read on into the first messages

    @property
    def address(self) -> int:
        """Address of the record for compiled code; valid as long as this object lives."""
        return address_of(self.record)


@compiled
def receive(
    tls_address: int, receiver_address: int, fd: int, target_address: int, room_bytes: int
) -> int:
    """Read and open the available bytes: byte count, CLOSED, WOULD_BLOCK or FAILED.

    The kernel's stamp in the RECEIVER is that of the last read that brought bytes.
    """
    tls = record_at(tls_address, TLS_DTYPE)
    if tls.has_rest == 0:
        count = sockets.receive(receiver_address, fd, tls.received_address, SEALED_BYTES)
        if count <= 0:
            return count
        if (
            call_transfer(tls.bio_write_address, tls.into_address, tls.received_address, count)
            != count
        ):
            return FAILED
    return open_records(tls_address, target_address, room_bytes)


@compiled
def open_records(tls_address: int, target_address: int, room_bytes: int) -> int:
    """Open the records that OpenSSL holds, up to ``room_bytes``; see ``receive``."""
    tls = record_at(tls_address, TLS_DTYPE)
    taken_bytes = 0
    tls.has_rest = 1  # until OpenSSL wants more bytes
    while taken_bytes < room_bytes:
        call_clear(tls.clear_errors_address)
        count = call_transfer(
            tls.ssl_read_address,
            tls.ssl_address,
            target_address + taken_bytes,
            room_bytes - taken_bytes,
        )
        if count > 0:
            taken_bytes += count
            continue
        error = call_get_error(tls.get_error_address, tls.ssl_address, count)
        if error == READ_AGAIN:
            tls.has_rest = 0
            return taken_bytes if taken_bytes > 0 else WOULD_BLOCK
        if taken_bytes == 0:
            return CLOSED if error == ENDED else FAILED
        return taken_bytes  # the next call reports the same result
    return taken_bytes


@compiled
def seal(tls_address: int, address: int, byte_count: int) -> int:
    """Give all bytes to OpenSSL, which keeps them sealed until ``push``; FAILED on an error."""
    tls = record_at(tls_address, TLS_DTYPE)
    sealed_bytes = 0
    while sealed_bytes < byte_count:
        call_clear(tls.clear_errors_address)
        count = call_transfer(
            tls.ssl_write_address,
            tls.ssl_address,
            address + sealed_bytes,
            byte_count - sealed_bytes,
        )
        if count <= 0:
            return FAILED
        sealed_bytes += count
    return byte_count


@compiled
def push(tls_address: int, receiver_address: int, fd: int) -> int:
    """Send sealed bytes, as many as the kernel takes: 0 all sent, 1 some wait, or FAILED."""
    tls = record_at(tls_address, TLS_DTYPE)
    while True:
        if tls.sealed_bytes == 0:
            count = call_transfer(
                tls.bio_read_address, tls.from_address, tls.sealed_address, SEALED_BYTES
            )
            if count <= 0:
                return 0
            tls.sealed_bytes = count
        count = sockets.send_all(receiver_address, fd, tls.sealed_address, tls.sealed_bytes)
        if count == FAILED:
            return FAILED
        if count == WOULD_BLOCK:
            return 1
        tls.sealed_bytes -= count
        copy_bytes(tls.sealed_address, tls.sealed_address + count, tls.sealed_bytes)
