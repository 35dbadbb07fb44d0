"""Ordered reads and writes of one int64 at an address.

Every word that another process can see goes through these: LLVM hoists plain loads out of loops,
writes plain counters once at the loop's exit and deletes plain marks that are overwritten later
(all three were seen).  Each function is written twice: the Python body gives its meaning and runs
when JIT is disabled; the overload gives its order on the machine.

Both ends of an acquire/release pair carry the same comment, ``pairs with: <phrase>``.
"""

import ctypes
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from ipc.bounds import IS_CHECKED, KNOWN

I64 = ir.IntType(64)


def _word_at(address: int) -> ctypes.c_int64:
    """Return the word at ``address`` as plain Python sees it."""
    if IS_CHECKED:
        KNOWN.check(int(address), 8)
    return ctypes.c_int64.from_address(int(address))


def load_acquire(address: int) -> int:
    """Return the word at ``address``; later reads cannot move before it."""
    return _word_at(address).value


def load_relaxed(address: int) -> int:
    """Return the word at ``address``, untorn, in no particular order."""
    return _word_at(address).value


def store_release(address: int, value: int) -> None:
    """Write the word at ``address``; earlier reads and writes cannot move after it."""
    _word_at(address).value = int(value)


def store_relaxed(address: int, value: int) -> None:
    """Write the word at ``address``, untorn, in no particular order."""
    _word_at(address).value = int(value)


def compare_exchange(address: int, expected: int, value: int) -> bool:
    """Write ``value`` if the word equals ``expected``; return whether it did.  A full barrier."""
    word = _word_at(address)
    if word.value != expected:
        return False
    word.value = int(value)
    return True


def fence_acquire() -> None:
    """Keep later reads and writes after earlier reads."""


def fence_release() -> None:
    """Keep earlier reads and writes before later writes."""


def pause() -> None:
    """Tell the core that this is a spin-wait."""


def read_cycle_counter() -> int:
    """Return the processor's time-stamp counter (0 in plain Python: the clock then asks the OS)."""
    return 0


def _pointer(builder: Any, address: Any) -> Any:
    return builder.inttoptr(address, I64.as_pointer())


def _load(ordering: str) -> Any:
    @intrinsic
    def load(typing_context: Any, address: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.load_atomic(_pointer(builder, args[0]), ordering, 8)

        return types.int64(types.int64), codegen

    return load


def _store(ordering: str) -> Any:
    @intrinsic
    def store(typing_context: Any, address: Any, value: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            builder.store_atomic(args[1], _pointer(builder, args[0]), ordering, 8)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), codegen

    return store


def _fence(ordering: str) -> Any:
    @intrinsic
    def fence(typing_context: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            builder.fence(ordering)
            return context.get_dummy_value()

        return types.void(), codegen

    return fence


@intrinsic
def _compare_exchange(typing_context: Any, address: Any, expected: Any, value: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pair = builder.cmpxchg(_pointer(builder, args[0]), args[1], args[2], "acq_rel", "monotonic")
        return builder.extract_value(pair, 1)

    return types.boolean(types.int64, types.int64, types.int64), codegen


@intrinsic
def _pause(typing_context: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [])
        builder.call(builder.module.declare_intrinsic("llvm.x86.sse2.pause", (), kind), [])
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def _read_cycle_counter(typing_context: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(I64, [])
        counter = builder.module.declare_intrinsic("llvm.readcyclecounter", (), kind)
        return builder.call(counter, [])

    return types.int64(), codegen


_load_acquire = _load("acquire")
_load_relaxed = _load("monotonic")
_store_release = _store("release")
_store_relaxed = _store("monotonic")
_fence_acquire = _fence("acquire")
_fence_release = _fence("release")


@overload(compare_exchange)
def _(address: Any, expected: Any, value: Any) -> Any:
    def machine(address: Any, expected: Any, value: Any) -> Any:
        return _compare_exchange(address, expected, value)  # type: ignore[call-arg]

    return machine


def _machine_load(plain: Callable[..., Any], machine: Any) -> None:
    overload(plain)(lambda address: lambda address: machine(address))


def _machine_store(plain: Callable[..., Any], machine: Any) -> None:
    overload(plain)(lambda address, value: lambda address, value: machine(address, value))


def _machine_plain(plain: Callable[..., Any], machine: Any) -> None:
    overload(plain)(lambda: lambda: machine())


_machine_load(load_acquire, _load_acquire)
_machine_load(load_relaxed, _load_relaxed)
_machine_store(store_release, _store_release)
_machine_store(store_relaxed, _store_relaxed)
_machine_plain(fence_acquire, _fence_acquire)
_machine_plain(fence_release, _fence_release)
_machine_plain(pause, _pause)
_machine_plain(read_cycle_counter, _read_cycle_counter)
