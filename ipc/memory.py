"""A record at an address; bytes and words at an address.

Compiled code holds shared memory as int64 addresses, so LLVM can assume nothing about aliasing, and
a stage can read any number of rings of any record type.  As in ``atomics``, each function has a
plain-Python meaning and a machine form.
"""

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from ipc.bounds import IS_CHECKED, KNOWN, know_array
from ipc.types import Int64Array, Record, RecordArray

I8 = ir.IntType(8)
I64 = ir.IntType(64)


def _checked(address: int, byte_count: int) -> int:
    """Return an address that so many bytes may be touched at."""
    if IS_CHECKED:
        KNOWN.check(int(address), int(byte_count))
    return int(address)


def record_at(address: int, dtype: "np.dtype[np.void]") -> Record:
    """Return the record of ``dtype`` at ``address``: a view, not a copy.

    ``dtype`` must be a module constant when called from compiled code.
    """
    memory: Any = (ctypes.c_char * dtype.itemsize).from_address(_checked(address, dtype.itemsize))
    return np.frombuffer(memory, dtype=dtype).view(np.recarray)[0]


def address_of(array: "np.ndarray[Any, Any]") -> int:
    """Return where ``array`` begins; the caller keeps the array alive."""
    if IS_CHECKED:
        know_array(array)
    return int(array.ctypes.data)


def records_at(address: int, dtype: "np.dtype[np.void]", count: int) -> RecordArray:
    """Return ``count`` records at ``address`` as an array view (cold code only)."""
    memory: Any = (ctypes.c_char * (dtype.itemsize * count)).from_address(
        _checked(address, dtype.itemsize * count)
    )
    return np.frombuffer(memory, dtype=dtype)


def words_at(address: int, count: int) -> Int64Array:
    """Return ``count`` words at ``address`` as an array view (cold code only)."""
    memory: Any = (ctypes.c_int64 * count).from_address(_checked(address, 8 * count))
    return np.frombuffer(memory, dtype=np.int64)


def load_byte(address: int) -> int:
    """Return the byte at ``address``, 0 to 255."""
    return ctypes.c_uint8.from_address(_checked(address, 1)).value


def store_byte(address: int, value: int) -> None:
    """Write the low eight bits of ``value``."""
    ctypes.c_uint8.from_address(_checked(address, 1)).value = int(value) & 0xFF


def load_word(address: int) -> int:
    """Return eight bytes at any ``address`` as a little-endian int64."""
    return ctypes.c_int64.from_address(_checked(address, 8)).value


def store_word(address: int, value: int) -> None:
    """Write eight bytes at any ``address``, little-endian."""
    ctypes.c_int64.from_address(_checked(address, 8)).value = int(value)


def copy_bytes(target_address: int, source_address: int, byte_count: int) -> None:
    """Copy ``byte_count`` bytes; the ranges may overlap."""
    target, source = _checked(target_address, byte_count), _checked(source_address, byte_count)
    ctypes.memmove(target, source, int(byte_count))


def zero_bytes(address: int, byte_count: int) -> None:
    """Set ``byte_count`` bytes to zero."""
    ctypes.memset(_checked(address, byte_count), 0, int(byte_count))


@intrinsic
def _record_at(typing_context: Any, address: Any, dtype: Any) -> Any:
    record = dtype.dtype

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], context.get_value_type(record))

    return record(types.int64, dtype), codegen


@overload(record_at)
def _(address: Any, dtype: Any) -> Any:
    def machine(address: Any, dtype: Any) -> Any:
        return _record_at(address, dtype)  # type: ignore[call-arg]

    return machine


overload(address_of)(lambda array: lambda array: np.int64(array.ctypes.data))


@intrinsic
def _load_byte(typing_context: Any, address: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value = builder.load(builder.inttoptr(args[0], I8.as_pointer()))
        return builder.zext(value, I64)

    return types.int64(types.int64), codegen


@intrinsic
def _store_byte(typing_context: Any, address: Any, value: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(builder.trunc(args[1], I8), builder.inttoptr(args[0], I8.as_pointer()))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def _load_word(typing_context: Any, address: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value = builder.load(builder.inttoptr(args[0], I64.as_pointer()))
        value.align = 1
        return value

    return types.int64(types.int64), codegen


@intrinsic
def _store_word(typing_context: Any, address: Any, value: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        stored = builder.store(args[1], builder.inttoptr(args[0], I64.as_pointer()))
        stored.align = 1
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def _copy_bytes(typing_context: Any, target: Any, source: Any, byte_count: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        target, source = (builder.inttoptr(a, I8.as_pointer()) for a in args[:2])
        cgutils.raw_memmove(builder, target, source, args[2], 1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


@intrinsic
def _zero_bytes(typing_context: Any, address: Any, byte_count: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = builder.inttoptr(args[0], I8.as_pointer())
        cgutils.memset(builder, pointer, args[1], 0)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


def _machine_load(plain: Callable[..., Any], machine: Any) -> None:
    overload(plain)(lambda address: lambda address: machine(address))


def _machine_store(plain: Callable[..., Any], machine: Any) -> None:
    overload(plain)(lambda address, value: lambda address, value: machine(address, value))


_machine_load(load_byte, _load_byte)
_machine_load(load_word, _load_word)
_machine_store(store_byte, _store_byte)
_machine_store(store_word, _store_word)


@overload(copy_bytes)
def _(target_address: Any, source_address: Any, byte_count: Any) -> Any:
    def machine(target_address: Any, source_address: Any, byte_count: Any) -> Any:
        _copy_bytes(target_address, source_address, byte_count)  # type: ignore[call-arg]

    return machine


@overload(zero_bytes)
def _(address: Any, byte_count: Any) -> Any:
    def machine(address: Any, byte_count: Any) -> Any:
        _zero_bytes(address, byte_count)  # type: ignore[call-arg]

    return machine
