"""Whether bytes are UTF-8; nearly free for ASCII.

*Source:* The Unicode Standard, table 3-7 (well-formed byte sequences); RFC 3629.
"""

from ipc.compiled import compiled
from ipc.memory import load_byte, load_word
from vortex.wire.words import TOP_BITS, low_bytes

#: Bytes behind the end that are loaded and ignored.
READ_BEHIND_BYTES = 8


@compiled
def is_ascii(address: int, byte_count: int) -> bool:
    """Return whether no byte has its top bit set; reads up to 8 bytes behind the end."""
    seen = 0
    whole_bytes = byte_count & -8
    for offset in range(0, whole_bytes, 8):
        seen |= load_word(address + offset)
    seen |= low_bytes(load_word(address + whole_bytes), byte_count - whole_bytes)
    return seen & TOP_BITS == 0


@compiled
def is_utf8(address: int, byte_count: int) -> bool:
    """Return whether the bytes are well-formed UTF-8; reads up to 8 bytes behind the end."""
    if is_ascii(address, byte_count):
        return True
    position, end = address, address + byte_count
    while position < end:
        lead = load_byte(position)
        width = _width(lead)
        if width == 0 or position + width > end:
            return False
        if width > 1 and not _continues(position, lead, width):
            return False
        position += width
    return True


@compiled
def _width(lead: int) -> int:
    """Return the length of the character that begins with ``lead``; 0 when none does."""
    if lead < 0x80:
        return 1
    if lead < 0xC2 or lead > 0xF4:
        return 0
    return 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4


@compiled
def _continues(address: int, lead: int, width_bytes: int) -> bool:
    """Return whether the bytes behind ``lead`` complete one character."""
    lowest, highest = 0x80, 0xBF
    if lead == 0xE0:
        lowest = 0xA0  # a lower byte would fit two bytes
    elif lead == 0xED:
        highest = 0x9F  # a higher byte would be a surrogate
    elif lead == 0xF0:
        lowest = 0x90  # a lower byte would fit three bytes
    elif lead == 0xF4:
        highest = 0x8F  # a higher byte would be beyond the last code point
    second = load_byte(address + 1)
    if second < lowest or second > highest:
        return False
    for index in range(2, width_bytes):
        if load_byte(address + index) & 0xC0 != 0x80:
            return False
    return True
