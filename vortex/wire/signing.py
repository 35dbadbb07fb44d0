"""HMAC-SHA256 of a request's text, in compiled code; constant parts are hashed beforehand.

Only ``fill_session`` sees the key; it keeps the two states of SHA-256 that follow from the key.
The text of every request begins with the same bytes, whose whole blocks are hashed beforehand too.

*Source:* RFC 2104 (HMAC), FIPS 180-4 (padding).
"""

import hashlib
from typing import Any

import numpy as np

from ipc.compiled import compiled
from ipc.memory import address_of, copy_bytes, record_at, store_byte, store_word, zero_bytes
from vortex.records import SESSION
from vortex.wire.sha256 import (
    BLOCK_BYTES,
    INITIAL_STATE,
    SCRATCH_BYTES,
    STATE,
    STATE_DTYPE,
    hash_blocks,
    signed_32,
    store_digest,
    swapped_32,
)
from vortex.wire.text import write_hexadecimal
from vortex.wire.words import wrapping_product

SESSION_DTYPE = SESSION.dtype
INNER_OFFSET_BYTES = SESSION.offset_bytes("inner_state")
OUTER_OFFSET_BYTES = SESSION.offset_bytes("outer_state")
PREFIX_OFFSET_BYTES = SESSION.offset_bytes("prefix_state")
STATE_BYTES = STATE.dtype.itemsize
DIGEST_BYTES = 32
SIGNATURE_BYTES = 2 * DIGEST_BYTES

#: Writable bytes that a text to sign needs behind it: padding, state, last block and scratch.
SIGNING_BYTES = 2 * BLOCK_BYTES + STATE_BYTES + BLOCK_BYTES + SCRATCH_BYTES


def fill_session(
    session: Any,
    api_key: str,
    secret: bytes,
    run_id: int,
    epoch: int,
    recv_window_ms: int = 5000,
    prefix: bytes = b"",
) -> None:
    """Fill one SESSION row: our identity, and the hash states that follow from the secret.

    Every text that is signed with it begins with ``prefix``.

    Raises
    ------
    ValueError
        When a value does not fit its field.
    """
    if not api_key.isascii() or not api_key or len(api_key) > 128:
        raise ValueError("the API key must be 1 to 128 ASCII characters: check the configuration")
    if not 0 <= run_id < 2**32 or not 0 <= epoch < 2**16:
        raise ValueError(f"run {run_id} or epoch {epoch} does not fit 32 or 16 bits")
    if not 0 < recv_window_ms <= 60_000:
        raise ValueError(f"recv_window_ms is {recv_window_ms}: the venue takes 1 to 60000")
    session["api_key"], session["api_key_bytes"] = api_key.encode(), len(api_key)
    session["run_id"], session["epoch"] = run_id, epoch
    session["recv_window_ms"] = recv_window_ms
    key = hashlib.sha256(secret).digest() if len(secret) > BLOCK_BYTES else secret
    key = key.ljust(BLOCK_BYTES, b"\0")
    start = [signed_32(word) for word in INITIAL_STATE]
    inner = _state_after(start, bytes(byte ^ 0x36 for byte in key))
    session["inner_state"] = inner
    session["outer_state"] = _state_after(start, bytes(byte ^ 0x5C for byte in key))
    prefix_bytes = len(prefix) // BLOCK_BYTES * BLOCK_BYTES
    session["prefix_bytes"] = prefix_bytes
    session["prefix_state"] = _state_after(inner, prefix[:prefix_bytes])


def _state_after(start: list[int], blocks: bytes) -> list[int]:
    """Return the eight words of the state after whole ``blocks``, from ``start``."""
    state = np.array([tuple(start)], dtype=np.int32).view(STATE_DTYPE)
    data = np.frombuffer(blocks.ljust(BLOCK_BYTES, b"\0"), dtype=np.uint8).copy()
    scratch = np.zeros(SCRATCH_BYTES, dtype=np.uint8)
    advance(address_of(state), address_of(data), len(blocks) // BLOCK_BYTES, address_of(scratch))
    return [int(word) for word in state["words"].reshape(8)]


@compiled
def advance(state_address: int, data_address: int, block_count: int, scratch_address: int) -> None:
    """Update a SHA-256 state with whole blocks; the entry for cold code."""
    hash_blocks(state_address, data_address, block_count, scratch_address)


@compiled
def _pad(end_address: int, hashed_bytes: int, total_bytes: int) -> int:
    """Pad the text that ends at ``end_address``; return the end of the last block.

    Of the ``total_bytes`` hashed, ``hashed_bytes`` come before the text's first block.
    """
    rest_bytes = (total_bytes - hashed_bytes) % BLOCK_BYTES
    padding_bytes = (BLOCK_BYTES - 8 - 1 - rest_bytes) % BLOCK_BYTES + 1
    store_byte(end_address, 0x80)
    zero_bytes(end_address + 1, padding_bytes - 1)
    bits = total_bytes * 8
    length = wrapping_product(swapped_32(bits), 1 << 32) | swapped_32(bits >> 32)
    store_word(end_address + padding_bytes, length)
    return end_address + padding_bytes + 8


@compiled
def sign_hex(session_address: int, text_address: int, byte_count: int, out_address: int) -> int:
    """Write the HMAC-SHA256 of the text as 64 lower-case hexadecimal digits; return 64.

    The text begins with the session's prefix.  The ``SIGNING_BYTES`` behind it are overwritten.
    """
    session = record_at(session_address, SESSION_DTYPE)
    hashed_bytes = session.prefix_bytes
    end = _pad(text_address + byte_count, BLOCK_BYTES + hashed_bytes, BLOCK_BYTES + byte_count)
    state_address, block_address = end, end + STATE_BYTES
    scratch_address = block_address + BLOCK_BYTES
    first_block = text_address + hashed_bytes

    start_offset = PREFIX_OFFSET_BYTES if hashed_bytes else INNER_OFFSET_BYTES
    copy_bytes(state_address, session_address + start_offset, STATE_BYTES)
    block_count = (end - first_block) // BLOCK_BYTES
    hash_blocks(state_address, first_block, block_count, scratch_address)
    store_digest(state_address, block_address)
    _pad(block_address + DIGEST_BYTES, BLOCK_BYTES, BLOCK_BYTES + DIGEST_BYTES)

    copy_bytes(state_address, session_address + OUTER_OFFSET_BYTES, STATE_BYTES)
    hash_blocks(state_address, block_address, 1, scratch_address)
    state = record_at(state_address, STATE_DTYPE).words
    for index in range(8):
        write_hexadecimal(out_address + index * 8, int(state[index]), 8)
    return SIGNATURE_BYTES
