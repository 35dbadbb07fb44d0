"""WebSocket frames of a client as pure bytes: no socket, no needless copy.

Receiving: the driver fills one buffer and takes one message after another:

    filled += recv(buffer + filled, ...)
    while (incoming := next_message(framer, buffer, filled)) != Incoming.NEED_MORE:
        ...  # framer.payload_address, framer.payload_bytes
    filled = compact(framer, buffer, filled)

A payload lies in the buffer and stays valid until ``compact``.  A fragmented message is joined in
place.  The client offers no extension, so it accepts none.

*Source:* RFC 6455.
"""

from enum import IntEnum

import numpy as np

from ipc.atomics import load_acquire, store_release
from ipc.compiled import compiled
from ipc.layout import Field, Layout, reserved
from ipc.memory import (
    address_of,
    copy_bytes,
    load_byte,
    load_word,
    record_at,
    store_byte,
    store_word,
    zero_bytes,
)
from ipc.types import Record
from vortex.wire.utf8 import is_utf8
from vortex.wire.words import wrapping_product

#: Room that a buffer needs beyond the largest message: headers, a control frame, and the 64
#: readable bytes that decoders need behind a payload.
BUFFER_MARGIN_BYTES = 256

CONTROL_BYTES_MAX = 125
MASK_BYTES = 4


class Incoming(IntEnum):
    """The result of ``next_message``."""

    NEED_MORE = 0
    TEXT = 1  # a whole message
    BINARY = 2  # a whole message
    PING = 3  # answer it with the same payload
    PONG = 4
    CLOSE = 5  # answer it once with the same payload; then send nothing
    FAILED = 6  # the server broke the protocol: send ``close_code`` and hang up
    ENDED = 7  # a further call after CLOSE or FAILED


class Opcode(IntEnum):
    """The content of a frame."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class CloseCode(IntEnum):
    """Why a connection is closed: the codes that this file sends."""

    NORMAL = 1000
    PROTOCOL_ERROR = 1002
    NO_CODE = 1005  # never sent: the close frame was empty
    NOT_UTF8 = 1007
    TOO_BIG = 1009


NO_CODE = int(CloseCode.NO_CODE)

FRAMER = Layout(
    "framer",
    "The state of reading one connection's frames.  Offsets are from the buffer's start.",
    Field("message_bytes_max", "i8", "the largest message that is accepted"),
    Field("parsed_bytes", "i8", "offset of the first byte that is not read yet"),
    Field("fragments_offset", "i8", "offset of the fragments of an unfinished message"),
    Field("fragments_bytes", "i8", "bytes of it so far"),
    Field("fragments_opcode", "i8", "its Opcode; 0 when no message is unfinished"),
    Field("payload_address", "i8", "address of the last payload found"),
    Field("payload_bytes", "i8", "its length"),
    Field("close_code", "i8", "CLOSE: the code received; FAILED: the code to send; else 0"),
    Field("is_ended", "i8", "1 after CLOSE or FAILED"),
    reserved(56),
)
FRAMER_DTYPE = FRAMER.dtype
FRAMER_BYTES = FRAMER.dtype.itemsize

MASKS = Layout(
    "masks",
    "Random masking keys, each used once.  One thread may fill while another takes.",
    Field("keys_address", "i8", "int64 keys, each a random number of 32 bits"),
    Field("key_count", "i8", "room for keys, a power of two"),
    Field("filled_count", "i8", "keys ever written"),
    Field("taken_count", "i8", "keys ever taken"),
    reserved(32),
)
MASKS_DTYPE = MASKS.dtype
FILLED_OFFSET_BYTES = MASKS.offset_bytes("filled_count")
TAKEN_OFFSET_BYTES = MASKS.offset_bytes("taken_count")


@compiled
def begin_framing(framer_address: int, message_bytes_max: int) -> None:
    """Make a FRAMER ready for a new connection, whose handshake is done."""
    zero_bytes(framer_address, FRAMER_BYTES)
    record_at(framer_address, FRAMER_DTYPE).message_bytes_max = message_bytes_max


def masks_wanted(masks_address: int) -> int:
    """Return how many keys fit; the caller draws four random bytes for each."""
    masks = record_at(masks_address, MASKS_DTYPE)
    # pairs with: the place of a key is free again
    taken_count = load_acquire(masks_address + TAKEN_OFFSET_BYTES)
    return int(masks.key_count - (masks.filled_count - taken_count))


def fill_masks(masks_address: int, random: bytes) -> None:
    """Add one key for each four bytes of ``random``, which must be fresh and hard to guess."""
    masks = record_at(masks_address, MASKS_DTYPE)
    keys = np.frombuffer(random, "<u4").astype(np.int64)
    count = len(keys)
    assert count <= masks_wanted(masks_address), "more keys than there is room for"
    first_index = int(masks.filled_count) & int(masks.key_count - 1)
    split = min(count, int(masks.key_count) - first_index)  # the rest goes to the beginning
    keys_address = int(masks.keys_address)
    copy_bytes(keys_address + 8 * first_index, address_of(keys[:split]), 8 * split)
    copy_bytes(keys_address, address_of(keys[split:]), 8 * (count - split))
    # pairs with: the keys are filled
    store_release(masks_address + FILLED_OFFSET_BYTES, int(masks.filled_count) + count)


@compiled
def next_message(framer_address: int, buffer_address: int, byte_count: int) -> int:
    """Return the next Incoming in the buffer, of which ``byte_count`` bytes are filled.

    TEXT, BINARY, PING, PONG and CLOSE leave the payload in ``payload_address`` and
    ``payload_bytes``.  Text and close reasons have been checked to be UTF-8.

    *Source:* RFC 6455 sections 5.2 to 5.6, 7.4, 8.1.
    """
    framer = record_at(framer_address, FRAMER_DTYPE)
    if framer.is_ended:
        return Incoming.ENDED
    while True:
        start = buffer_address + framer.parsed_bytes
        available_bytes = byte_count - framer.parsed_bytes
        header_bytes, payload_bytes, error = read_header(framer, start, available_bytes)
        if error:
            return _fail(framer, error)
        if header_bytes == 0 or available_bytes < header_bytes + payload_bytes:
            return Incoming.NEED_MORE
        framer.parsed_bytes += header_bytes + payload_bytes
        payload_address = start + header_bytes
        first = load_byte(start)
        if first & 0x8 == 0 and (first & 0x80 == 0 or framer.fragments_opcode):
            _append(framer, buffer_address, payload_address, payload_bytes, first & 15)
            if first & 0x80 == 0:
                continue
            return _finish_fragments(framer, buffer_address)
        framer.payload_address = payload_address
        framer.payload_bytes = payload_bytes
        return _whole(framer, first & 15)


@compiled
def read_header(framer: Record, address: int, available_bytes: int) -> tuple[int, int, int]:
    """Return header bytes, payload bytes and error of the frame at ``address``.

    Header bytes are 0 while the header is incomplete.  The error is a CloseCode, 0 for none.
    """
    if available_bytes < 2:
        return 0, 0, 0
    first, second = load_byte(address), load_byte(address + 1)
    opcode = first & 15
    is_control = opcode & 8 != 0
    unfinished = framer.fragments_opcode != 0
    # Reserved bits and reserved opcodes are errors.  The server must not mask.  A continuation
    # needs a message to continue.  Only control frames, short and whole, may come between.
    wrong = first & 0x70 != 0 or second & 0x80 != 0 or opcode & 7 > 2
    if is_control:
        wrong = wrong or first & 0x80 == 0 or second > CONTROL_BYTES_MAX
    else:
        wrong = wrong or unfinished != (opcode == Opcode.CONTINUATION)
    if wrong:
        return 0, 0, CloseCode.PROTOCOL_ERROR
    if second < 126:
        return _limited(framer, 2, second, is_control)
    length_bytes = 2 if second == 126 else 8
    if available_bytes < 2 + length_bytes:
        return 0, 0, 0
    payload_bytes = 0
    if load_byte(address + 2) & 0x80 and length_bytes == 8:
        return 0, 0, CloseCode.PROTOCOL_ERROR
    for index in range(length_bytes):
        payload_bytes = payload_bytes << 8 | load_byte(address + 2 + index)
    if payload_bytes < (126 if length_bytes == 2 else 65536):
        return 0, 0, CloseCode.PROTOCOL_ERROR
    return _limited(framer, 2 + length_bytes, payload_bytes, is_control)


@compiled
def _limited(
    framer: Record, header_bytes: int, payload_bytes: int, is_control: bool
) -> tuple[int, int, int]:
    """Return the result of ``read_header``; TOO_BIG when the message exceeds its limit."""
    room_bytes = framer.message_bytes_max - framer.fragments_bytes
    if payload_bytes > room_bytes and not is_control:
        return 0, 0, CloseCode.TOO_BIG
    return header_bytes, payload_bytes, 0


@compiled
def _fail(framer: Record, close_code: int) -> int:
    framer.close_code = close_code
    framer.is_ended = 1
    return Incoming.FAILED


@compiled
def _append(
    framer: Record, buffer_address: int, payload_address: int, payload_bytes: int, opcode: int
) -> None:
    """Move one fragment behind the previous ones; the first stays where it is."""
    if framer.fragments_opcode == 0:
        framer.fragments_opcode = opcode
        framer.fragments_offset = payload_address - buffer_address
        framer.fragments_bytes = payload_bytes
        return
    target = buffer_address + framer.fragments_offset + framer.fragments_bytes
    copy_bytes(target, payload_address, payload_bytes)
    framer.fragments_bytes += payload_bytes


@compiled
def _finish_fragments(framer: Record, buffer_address: int) -> int:
    """Return the kind of the message that is now whole."""
    opcode = framer.fragments_opcode
    framer.payload_address = buffer_address + framer.fragments_offset
    framer.payload_bytes = framer.fragments_bytes
    framer.fragments_opcode = 0
    framer.fragments_bytes = 0
    return _whole(framer, opcode)


@compiled
def _whole(framer: Record, opcode: int) -> int:
    """Return the kind of the last payload found, after a check of the rules for that kind."""
    if opcode == Opcode.TEXT:
        if not is_utf8(framer.payload_address, framer.payload_bytes):
            return _fail(framer, CloseCode.NOT_UTF8)
        return Incoming.TEXT
    if opcode == Opcode.BINARY:
        return Incoming.BINARY
    if opcode == Opcode.PING:
        return Incoming.PING
    if opcode == Opcode.PONG:
        return Incoming.PONG
    return _close(framer)


@compiled
def _close(framer: Record) -> int:
    """Check a close frame's code and reason."""
    address, byte_count = framer.payload_address, framer.payload_bytes
    close_code = NO_CODE
    if byte_count == 1:
        return _fail(framer, CloseCode.PROTOCOL_ERROR)
    if byte_count >= 2:
        close_code = load_byte(address) << 8 | load_byte(address + 1)
        if not may_be_sent(close_code):
            return _fail(framer, CloseCode.PROTOCOL_ERROR)
        if not is_utf8(address + 2, byte_count - 2):
            return _fail(framer, CloseCode.NOT_UTF8)
    framer.close_code = close_code
    framer.is_ended = 1
    return Incoming.CLOSE


@compiled
def may_be_sent(close_code: int) -> bool:
    """Return whether a close frame may carry ``close_code``.

    *Source:* RFC 6455 section 7.4; IANA WebSocket Close Code Number Registry (1012 to 1014).
    """
    if 3000 <= close_code <= 4999:
        return True
    return 1000 <= close_code <= 1014 and not 1004 <= close_code <= 1006


@compiled
def compact(framer_address: int, buffer_address: int, byte_count: int) -> int:
    """Move the unread bytes to the buffer's start; return how many bytes are then filled.

    Earlier payloads become invalid.  The cost is negligible when all was read.
    """
    framer = record_at(framer_address, FRAMER_DTYPE)
    kept_bytes = int(framer.fragments_bytes)
    if framer.fragments_opcode:
        copy_bytes(buffer_address, buffer_address + framer.fragments_offset, kept_bytes)
        framer.fragments_offset = 0
    tail_bytes = byte_count - int(framer.parsed_bytes)
    tail_address = buffer_address + framer.parsed_bytes
    copy_bytes(buffer_address + kept_bytes, tail_address, tail_bytes)
    framer.parsed_bytes = kept_bytes
    return kept_bytes + tail_bytes


@compiled
def has_mask(masks_address: int) -> bool:
    """Return whether ``take_mask`` would find a key."""
    masks = record_at(masks_address, MASKS_DTYPE)
    # pairs with: the keys are filled
    return bool(masks.taken_count != load_acquire(masks_address + FILLED_OFFSET_BYTES))


@compiled
def take_mask(masks_address: int) -> int:
    """Return a fresh key, or -1 when the pool is empty because the filling thread is late."""
    masks = record_at(masks_address, MASKS_DTYPE)
    # pairs with: the keys are filled
    if masks.taken_count == load_acquire(masks_address + FILLED_OFFSET_BYTES):
        return -1
    index = masks.taken_count & (masks.key_count - 1)
    key = load_word(masks.keys_address + index * 8)
    # pairs with: the place of a key is free again
    store_release(masks_address + TAKEN_OFFSET_BYTES, masks.taken_count + 1)
    return key


@compiled
def header_bytes_of(payload_bytes: int) -> int:
    """Return how many bytes precede the payload of a client's frame."""
    length_bytes = 0 if payload_bytes < 126 else 2 if payload_bytes < 65536 else 8
    return 2 + length_bytes + MASK_BYTES


@compiled
def write_frame(
    out_address: int, opcode: int, payload_address: int, payload_bytes: int, mask: int
) -> int:
    """Write one whole client frame, masked with the 32 bits of ``mask``; return its bytes.

    The payload is copied and masked in one pass.  It may already be at its destination,
    ``out_address + header_bytes_of(payload_bytes)``.  Seven bytes behind the frame are overwritten.

    *Source:* RFC 6455 sections 5.2, 5.3.
    """
    header_bytes = header_bytes_of(payload_bytes)
    store_byte(out_address, 0x80 | opcode)
    length_bytes = header_bytes - 2 - MASK_BYTES
    if length_bytes == 0:
        store_byte(out_address + 1, 0x80 | payload_bytes)
    else:
        store_byte(out_address + 1, 0x80 | (126 if length_bytes == 2 else 127))
    for index in range(length_bytes):
        shift = 8 * (length_bytes - 1 - index)
        store_byte(out_address + 2 + index, payload_bytes >> shift)
    for index in range(MASK_BYTES):
        store_byte(out_address + 2 + length_bytes + index, mask >> (8 * index))
    masks = wrapping_product(mask & 0xFFFFFFFF, 0x100000001)
    target = out_address + header_bytes
    for offset in range(0, payload_bytes, 8):
        store_word(target + offset, load_word(payload_address + offset) ^ masks)
    return header_bytes + payload_bytes


@compiled
def write_close(out_address: int, close_code: int, mask: int) -> int:
    """Write a masked close frame with ``close_code``; return its bytes."""
    payload = out_address + header_bytes_of(2)
    store_byte(payload, close_code >> 8)
    store_byte(payload + 1, close_code)
    return write_frame(out_address, Opcode.CLOSE, payload, 2, mask)
