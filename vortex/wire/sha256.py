"""SHA-256 of whole blocks, with the processor's SHA instructions if it has them.

The state is eight 32-bit words, ``a`` to ``h``, in the processor's byte order.

*Source:* FIPS 180-4, 6.2 (the function) and 4.2.2 (the constants).
"""

from typing import Any

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from ipc.compiled import compiled
from ipc.layout import Field, Layout
from ipc.memory import load_byte, load_word, record_at, store_word
from vortex.wire.words import wrapping_product

I32, I64 = ir.IntType(32), ir.IntType(64)
VECTOR = ir.VectorType(I32, 4)
BLOCK_BYTES = 64
LOW_32 = 0xFFFFFFFF

#: Bytes that ``hash_blocks`` may overwrite at its scratch address.
SCRATCH_BYTES = 64 * 8

HAS_SHA_INSTRUCTIONS = bool(llvmlite.binding.get_host_cpu_features().get("sha", False))

STATE = Layout("sha256_state", "State between two blocks.", Field("words", "i4", "a to h", (8,)),
               multiple_bytes=32)  # fmt: skip
STATE_DTYPE = STATE.dtype

INITIAL_STATE = (
    0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19,
)  # fmt: skip

ROUND_CONSTANTS = np.array([
    0x428A2F98, 0x71374491, 0xB5C0FBCF, 0xE9B5DBA5, 0x3956C25B, 0x59F111F1, 0x923F82A4, 0xAB1C5ED5,
    0xD807AA98, 0x12835B01, 0x243185BE, 0x550C7DC3, 0x72BE5D74, 0x80DEB1FE, 0x9BDC06A7, 0xC19BF174,
    0xE49B69C1, 0xEFBE4786, 0x0FC19DC6, 0x240CA1CC, 0x2DE92C6F, 0x4A7484AA, 0x5CB0A9DC, 0x76F988DA,
    0x983E5152, 0xA831C66D, 0xB00327C8, 0xBF597FC7, 0xC6E00BF3, 0xD5A79147, 0x06CA6351, 0x14292967,
    0x27B70A85, 0x2E1B2138, 0x4D2C6DFC, 0x53380D13, 0x650A7354, 0x766A0ABB, 0x81C2C92E, 0x92722C85,
    0xA2BFE8A1, 0xA81A664B, 0xC24B8B70, 0xC76C51A3, 0xD192E819, 0xD6990624, 0xF40E3585, 0x106AA070,
    0x19A4C116, 0x1E376C08, 0x2748774C, 0x34B0BCB5, 0x391C0CB3, 0x4ED8AA4A, 0x5B9CCA4F, 0x682E6FF3,
    0x748F82EE, 0x78A5636F, 0x84C87814, 0x8CC70208, 0x90BEFFFA, 0xA4506CEB, 0xBEF9A3F7, 0xC67178F2,
], dtype=np.int64)  # fmt: skip


@compiled
def signed_32(value: int) -> int:
    """Return the low 32 bits as a signed number, as an ``i4`` field holds them."""
    return ((value & LOW_32) ^ 0x80000000) - 0x80000000


@compiled
def swapped_32(value: int) -> int:
    """Return 32 bits with their four bytes in the other order."""
    high = ((value & 0xFF) << 24) | ((value & 0xFF00) << 8)
    return high | ((value >> 8) & 0xFF00) | ((value >> 24) & 0xFF)


@compiled
def _turn(word: int, bit_count: int) -> int:
    """Return 32 bits rotated right; the bits above the lowest 32 are undefined."""
    return (word >> bit_count) | (word << (32 - bit_count))


@compiled
def _expand(data_address: int, schedule_address: int) -> None:
    """Write the 64 words of one block's message schedule."""
    for index in range(16):
        address = data_address + index * 4
        value = load_byte(address) << 24 | load_byte(address + 1) << 16
        value |= load_byte(address + 2) << 8 | load_byte(address + 3)
        store_word(schedule_address + index * 8, value)
    for index in range(16, 64):
        address = schedule_address + index * 8
        early, late = load_word(address - 15 * 8), load_word(address - 2 * 8)
        sigma_0 = _turn(early, 7) ^ _turn(early, 18) ^ (early >> 3)
        sigma_1 = _turn(late, 17) ^ _turn(late, 19) ^ (late >> 10)
        total = load_word(address - 16 * 8) + load_word(address - 7 * 8)
        store_word(address, (total + sigma_0 + sigma_1) & LOW_32)


@compiled
def _hash_block(state_address: int, data_address: int, scratch_address: int) -> None:
    """Update the state with one block."""
    _expand(data_address, scratch_address)
    state = record_at(state_address, STATE_DTYPE).words
    a, b = int(state[0]) & LOW_32, int(state[1]) & LOW_32
    c, d = int(state[2]) & LOW_32, int(state[3]) & LOW_32
    e, f = int(state[4]) & LOW_32, int(state[5]) & LOW_32
    g, h = int(state[6]) & LOW_32, int(state[7]) & LOW_32
    for index in range(64):
        sigma_1 = (_turn(e, 6) ^ _turn(e, 11) ^ _turn(e, 25)) & LOW_32
        choice = (e & f) ^ (~e & g)
        constant = int(ROUND_CONSTANTS[index]) + load_word(scratch_address + index * 8)
        first = h + sigma_1 + choice + constant
        sigma_0 = (_turn(a, 2) ^ _turn(a, 13) ^ _turn(a, 22)) & LOW_32
        majority = (a & b) ^ (a & c) ^ (b & c)
        h, g, f, e = g, f, e, (d + first) & LOW_32
        d, c, b, a = c, b, a, (first + sigma_0 + majority) & LOW_32
    state[0], state[1] = signed_32(int(state[0]) + a), signed_32(int(state[1]) + b)
    state[2], state[3] = signed_32(int(state[2]) + c), signed_32(int(state[3]) + d)
    state[4], state[5] = signed_32(int(state[4]) + e), signed_32(int(state[5]) + f)
    state[6], state[7] = signed_32(int(state[6]) + g), signed_32(int(state[7]) + h)


@compiled
def hash_blocks_portable(
    state_address: int, data_address: int, block_count: int, scratch_address: int
) -> None:
    """Update the state with ``block_count`` blocks, on any processor."""
    for index in range(block_count):
        _hash_block(state_address, data_address + index * BLOCK_BYTES, scratch_address)


def hash_blocks(
    state_address: int, data_address: int, block_count: int, scratch_address: int
) -> None:
    """Update the state with ``block_count`` blocks, the fastest way that the processor has."""
    hash_blocks_portable(state_address, data_address, block_count, scratch_address)


class _Emitter:
    """Writes the instructions for one block; gives LLVM's operations short names."""

    def __init__(self, builder: Any) -> None:
        self.builder = builder
        self.module = builder.module

    def function(self, name: str, arguments: int) -> Any:
        """Return an instruction over vectors by its name in LLVM."""
        kind = ir.FunctionType(VECTOR, [VECTOR] * arguments)
        return cgutils.get_or_insert_function(self.module, kind, name)

    def pointer(self, address: Any, offset_bytes: int) -> Any:
        """Return a pointer to the vector at an address."""
        moved = self.builder.add(address, ir.Constant(I64, offset_bytes))
        return self.builder.inttoptr(moved, VECTOR.as_pointer())

    def load(self, address: Any, offset_bytes: int) -> Any:
        """Read a vector that need not be aligned."""
        value = self.builder.load(self.pointer(address, offset_bytes))
        value.align = 1
        return value

    def store(self, value: Any, address: Any, offset_bytes: int) -> None:
        """Write a vector that need not be aligned."""
        stored = self.builder.store(value, self.pointer(address, offset_bytes))
        stored.align = 1

    def shuffle(self, first: Any, second: Any, lanes: list[int]) -> Any:
        """Return the named lanes of two vectors, the second's counted from four."""
        return self.builder.shuffle_vector(first, second, ir.Constant(VECTOR, lanes))

    def rounds(self, state: tuple[Any, Any], data: Any) -> tuple[Any, Any]:
        """Return the state ((f,e,b,a) and (h,g,d,c)) after the 64 rounds of the block."""
        two_rounds = self.function("llvm.x86.sha256rnds2", 3)
        message_1 = self.function("llvm.x86.sha256msg1", 2)
        message_2 = self.function("llvm.x86.sha256msg2", 2)
        swap = self.function("llvm.bswap.v4i32", 1)
        call, add = self.builder.call, self.builder.add
        upper, lower = state
        words = [call(swap, [self.load(data, 16 * index)]) for index in range(4)]
        for index in range(16):
            if index >= 4:
                mixed = call(message_1, [words[index - 4], words[index - 3]])
                between = self.shuffle(words[index - 2], words[index - 1], [1, 2, 3, 4])
                words.append(call(message_2, [add(mixed, between), words[index - 1]]))
            constants = [signed_32(int(k)) for k in ROUND_CONSTANTS[4 * index : 4 * index + 4]]
            summed = add(words[index], ir.Constant(VECTOR, constants))
            lower = call(two_rounds, [lower, upper, summed])
            summed = self.shuffle(summed, summed, [2, 3, 2, 3])
            upper = call(two_rounds, [upper, lower, summed])
        return add(upper, state[0]), add(lower, state[1])


@intrinsic
def _hash_blocks_instructions(
    typing_context: Any, state_address: Any, data_address: Any, block_count: Any
) -> Any:
    """Update the state with the blocks, by the SHA instructions."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        state, data, count = args
        emit = _Emitter(builder)
        # The instructions want the eight words as (f,e,b,a) and (h,g,d,c).
        abcd, efgh = emit.load(state, 0), emit.load(state, 16)
        upper = cgutils.alloca_once_value(builder, emit.shuffle(abcd, efgh, [5, 4, 1, 0]))
        lower = cgutils.alloca_once_value(builder, emit.shuffle(abcd, efgh, [7, 6, 3, 2]))
        with cgutils.for_range(builder, count) as loop:
            address = builder.add(data, builder.mul(loop.index, ir.Constant(I64, BLOCK_BYTES)))
            values = emit.rounds((builder.load(upper), builder.load(lower)), address)
            builder.store(values[0], upper)
            builder.store(values[1], lower)
        feba, hgdc = builder.load(upper), builder.load(lower)
        emit.store(emit.shuffle(feba, hgdc, [3, 2, 7, 6]), state, 0)
        emit.store(emit.shuffle(feba, hgdc, [1, 0, 5, 4]), state, 16)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


@overload(hash_blocks)
def _(state_address: Any, data_address: Any, block_count: Any, scratch_address: Any) -> Any:
    def instructions(
        state_address: Any, data_address: Any, block_count: Any, scratch_address: Any
    ) -> Any:
        _hash_blocks_instructions(state_address, data_address, block_count)  # type: ignore[call-arg]

    def portable(
        state_address: Any, data_address: Any, block_count: Any, scratch_address: Any
    ) -> Any:
        hash_blocks_portable(state_address, data_address, block_count, scratch_address)

    return instructions if HAS_SHA_INSTRUCTIONS else portable


@compiled
def store_digest(state_address: int, out_address: int) -> None:
    """Write the state as the 32 bytes of a digest, big-endian."""
    state = record_at(state_address, STATE_DTYPE).words
    for index in range(4):
        low = swapped_32(int(state[2 * index]))
        high = swapped_32(int(state[2 * index + 1]))
        store_word(out_address + index * 8, wrapping_product(high, 1 << 32) | low)
