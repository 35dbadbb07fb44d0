"""WebSocket frames as pure bytes, in the client's role.  *Source:* RFC 6455.

``next_message`` parses in place in the buffer that the driver fills.  An unfragmented message is
never copied; fragments are moved together over the headers between them.  The driver calls it until
it answers NEED_MORE, then ``compact``, and reads on.

Every buffer has 64 bytes of readable and writable room on both sides.
"""

from enum import IntEnum

from ipc.compiled import compiled
from ipc.layout import Field, Layout
from ipc.memory import copy_bytes, load_byte, load_word, record_at, store_byte, store_word

FRAMER = Layout(
    "framer",
    "How far one connection's buffer is parsed, and what was found last.",
    Field("parsed_bytes", "i8", "offset of the next frame"),
    Field("payload_address", "i8", "payload of what was found last"),
    Field("payload_bytes", "i8", "its length"),
    Field("close_code", "i8", "why the connection must be closed, or the peer's code"),
    Field("message_opcode", "i8", "opcode of the message being assembled; 0 for none"),
    Field("message_start_bytes", "i8", "offset where it is assembled"),
    Field("message_bytes", "i8", "how much of it is there"),
    Field("message_bytes_max", "i8", "larger messages are refused"),
)
FRAMER_DTYPE = FRAMER.dtype

MESSAGE_BYTES_MAX = 2 << 20
CONTROL_BYTES_MAX = 125
HEADER_BYTES_MAX = 14
HIGH_BITS = -0x7F7F7F7F7F7F7F80  # 0x80 in each byte


class Opcode(IntEnum):
    """RFC 6455 section 11.8."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class Found(IntEnum):
    """What ``next_message`` found; the payload stands in the framer."""

    VIOLATION = -1  # the peer broke the protocol; ``close_code`` says how
    NEED_MORE = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class CloseCode(IntEnum):
    """RFC 6455 section 7.4.1."""

    NORMAL = 1000
    PROTOCOL_ERROR = 1002
    NO_CODE = 1005
    NOT_UTF8 = 1007
    TOO_LARGE = 1009


@compiled
def begin_framer(framer_address: int, message_bytes_max: int) -> None:
    """Begin with an empty buffer."""
    framer = record_at(framer_address, FRAMER_DTYPE)
    framer.parsed_bytes = 0
    framer.message_opcode = 0
    framer.message_start_bytes = 0
    framer.message_bytes = 0
    framer.message_bytes_max = message_bytes_max


@compiled
def is_utf8(address: int, byte_count: int) -> bool:
    """Return whether the bytes are valid UTF-8.  *Source:* RFC 3629 section 4."""
    end = address + byte_count
    while address < end:
        while address + 8 <= end and load_word(address) & HIGH_BITS == 0:
            address += 8
        if address >= end:
            break
        lead = load_byte(address)
        address += 1
        if lead < 0x80:
            continue
        if lead < 0xC2 or lead > 0xF4:
            return False
        more_count = 1 + (lead >= 0xE0) + (lead >= 0xF0)
        if address + more_count > end:
            return False
        second = load_byte(address)
        lowest = 0x80
        highest = 0xBF
        if lead == 0xE0:
            lowest = 0xA0
        elif lead == 0xED:
            highest = 0x9F
        elif lead == 0xF0:
            lowest = 0x90
        elif lead == 0xF4:
            highest = 0x8F
        if second < lowest or second > highest:
            return False
        for index in range(1, more_count):
            if load_byte(address + index) & 0xC0 != 0x80:
                return False
        address += more_count
    return True


@compiled
def header_fault(first: int, second: int, assembling: int) -> bool:
    """Return whether the first two bytes of a frame break the protocol (sections 5.2 to 5.5)."""
    opcode = first & 0x0F
    is_final = first & 0x80 != 0
    if first & 0x70 != 0 or second & 0x80 != 0:
        return True  # no extension was negotiated; a server masks nothing
    if opcode >= Opcode.CLOSE:
        return opcode > Opcode.PONG or not is_final or second > CONTROL_BYTES_MAX
    if opcode > Opcode.BINARY:
        return True
    is_continuation = opcode == Opcode.CONTINUATION
    return is_continuation != (assembling != 0)


@compiled
def extended_length(address: int, second: int) -> int:
    """Return the payload's length, -1 when it is not in its shortest form or too large to be."""
    if second < 126:
        return second
    length = 0
    size = 2 if second == 126 else 8
    for index in range(size):
        length = (length << 8) | load_byte(address + 2 + index)
    if size == 2:
        return length if length >= 126 else -1
    return length if length > 0xFFFF else -1  # the top bit makes it negative


@compiled
def fail(framer_address: int, close_code: int) -> int:
    """Note why the connection must be closed."""
    record_at(framer_address, FRAMER_DTYPE).close_code = close_code
    return Found.VIOLATION


@compiled
def next_message(framer_address: int, buffer_address: int, byte_count: int) -> int:
    """Find the next message or control frame in ``byte_count`` bytes; return a Found."""
    framer = record_at(framer_address, FRAMER_DTYPE)
    while True:
        available_bytes = byte_count - framer.parsed_bytes
        if available_bytes < 2:
            return Found.NEED_MORE
        frame_address = buffer_address + framer.parsed_bytes
        first = load_byte(frame_address)
        second = load_byte(frame_address + 1)
        if header_fault(first, second, framer.message_opcode):
            return fail(framer_address, CloseCode.PROTOCOL_ERROR)
        header_bytes = 2
        if second == 126:
            header_bytes = 4
        elif second == 127:
            header_bytes = 10
        if available_bytes < header_bytes:
            return Found.NEED_MORE
        payload_bytes = extended_length(frame_address, second)
        if payload_bytes < 0:
            return fail(framer_address, CloseCode.PROTOCOL_ERROR)
        if framer.message_bytes + payload_bytes > framer.message_bytes_max:
            return fail(framer_address, CloseCode.TOO_LARGE)
        if available_bytes < header_bytes + payload_bytes:
            return Found.NEED_MORE
        framer.parsed_bytes += header_bytes + payload_bytes
        framer.payload_address = frame_address + header_bytes
        framer.payload_bytes = payload_bytes
        opcode = first & 0x0F
        if opcode >= Opcode.CLOSE:
            return take_control(framer_address, opcode)
        found = take_data(framer_address, buffer_address, opcode, first & 0x80 != 0)
        if found != Found.NEED_MORE:
            return found


@compiled
def take_control(framer_address: int, opcode: int) -> int:
    """Judge a control frame; a close frame's code goes into ``close_code`` (section 7.4)."""
    if opcode != Opcode.CLOSE:
        return opcode
    framer = record_at(framer_address, FRAMER_DTYPE)
    framer.close_code = CloseCode.NO_CODE
    if framer.payload_bytes == 0:
        return Found.CLOSE
    if framer.payload_bytes == 1:
        return fail(framer_address, CloseCode.PROTOCOL_ERROR)
    code = load_byte(framer.payload_address) << 8 | load_byte(framer.payload_address + 1)
    is_registered = 1000 <= code <= 1014 and not 1004 <= code <= 1006
    if not is_registered and not 3000 <= code <= 4999:
        return fail(framer_address, CloseCode.PROTOCOL_ERROR)
    if not is_utf8(framer.payload_address + 2, framer.payload_bytes - 2):
        return fail(framer_address, CloseCode.NOT_UTF8)
    framer.close_code = code
    return Found.CLOSE


@compiled
def take_data(framer_address: int, buffer_address: int, opcode: int, is_final: bool) -> int:
    """Take one data frame: a whole message, or a fragment moved behind those before it."""
    framer = record_at(framer_address, FRAMER_DTYPE)
    if opcode != Opcode.CONTINUATION:
        if not is_final:
            framer.message_opcode = opcode
            framer.message_start_bytes = framer.payload_address - buffer_address
            framer.message_bytes = framer.payload_bytes
            return Found.NEED_MORE
    else:
        target_address = buffer_address + framer.message_start_bytes + framer.message_bytes
        copy_bytes(target_address, framer.payload_address, framer.payload_bytes)
        framer.message_bytes += framer.payload_bytes
        if not is_final:
            return Found.NEED_MORE
        opcode = framer.message_opcode
        framer.payload_address = buffer_address + framer.message_start_bytes
        framer.payload_bytes = framer.message_bytes
        framer.message_opcode = 0
        framer.message_bytes = 0
    if opcode == Opcode.TEXT and not is_utf8(framer.payload_address, framer.payload_bytes):
        return fail(framer_address, CloseCode.NOT_UTF8)
    return opcode


@compiled
def compact(framer_address: int, buffer_address: int, byte_count: int) -> int:
    """Move what is still needed to the front; return how many bytes that is."""
    framer = record_at(framer_address, FRAMER_DTYPE)
    start_bytes = framer.parsed_bytes
    if framer.message_opcode != 0:
        # The fragments so far, and right behind them what is not parsed yet.
        start_bytes = framer.message_start_bytes
        unparsed_bytes = byte_count - framer.parsed_bytes
        end_bytes = start_bytes + framer.message_bytes
        copy_bytes(
            buffer_address + end_bytes, buffer_address + framer.parsed_bytes, unparsed_bytes
        )
        framer.parsed_bytes = end_bytes
        byte_count = end_bytes + unparsed_bytes
    kept_bytes = byte_count - start_bytes
    if start_bytes > 0:
        copy_bytes(buffer_address, buffer_address + start_bytes, kept_bytes)
        framer.parsed_bytes -= start_bytes
        framer.message_start_bytes = 0
    return kept_bytes


@compiled
def write_frame(
    out_address: int, opcode: int, payload_address: int, payload_bytes: int, mask_key: int
) -> int:
    """Write one whole masked frame (section 5.3); return its bytes, at most 14 more than the payload.

    ``mask_key`` is 32 strong random bits that no other frame used.
    """
    store_byte(out_address, 0x80 | opcode)
    header_bytes = 2
    if payload_bytes < 126:
        store_byte(out_address + 1, 0x80 | payload_bytes)
    elif payload_bytes <= 0xFFFF:
        store_byte(out_address + 1, 0x80 | 126)
        store_byte(out_address + 2, payload_bytes >> 8)
        store_byte(out_address + 3, payload_bytes)
        header_bytes = 4
    else:
        store_byte(out_address + 1, 0x80 | 127)
        for index in range(8):
            store_byte(out_address + 2 + index, payload_bytes >> (56 - 8 * index))
        header_bytes = 10
    key = mask_key & 0xFFFFFFFF
    for index in range(4):
        store_byte(out_address + header_bytes + index, key >> (8 * index))
    target_address = out_address + header_bytes + 4
    doubled_key = key | (key << 32)
    for offset in range(0, payload_bytes, 8):
        store_word(target_address + offset, load_word(payload_address + offset) ^ doubled_key)
    return header_bytes + 4 + payload_bytes
