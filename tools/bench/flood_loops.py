"""The compiled sender of ``flood``: renumbers a pass of frames and sends it, chunk by chunk."""

from ipc.compiled import compiled
from ipc.layout import Field, Layout
from ipc.memory import load_word, record_at, store_byte
from ipc.sockets import FAILED, WOULD_BLOCK
from tools.bench.bytes_moved import send_all

ID_DIGITS = 11

SENDER = Layout(
    "sender",
    "What the sender works with; addresses in this process.",
    Field("fd", "i8", "where frames go"),
    Field("tls_address", "i8", "TLS; 0 without"),
    Field("receiver_address", "i8", "RECEIVER"),
    Field("sites_address", "i8", "per number: its address and the number of the first pass"),
    Field("chunks_address", "i8", "per chunk: address, bytes, and the sites before its end"),
    Field("first_index", "i8", "the first chunk to send"),
    Field("chunk_count", "i8", "how many there are before the end"),
    Field("waited_count", "i8", "times that the socket took nothing"),
    multiple_bytes=8,
)
SENDER_DTYPE = SENDER.dtype


@compiled
def write_id(address: int, number: int) -> None:
    """Write a number of ID_DIGITS digits."""
    for place in range(ID_DIGITS - 1, -1, -1):
        store_byte(address + place, 48 + number % 10)
        number //= 10


@compiled
def send_chunk(sender_address: int, address: int, byte_count: int) -> bool:
    """Send all of a chunk, waiting as long as the socket is full; False when it failed."""
    sender = record_at(sender_address, SENDER_DTYPE)
    while byte_count > 0:
        sent = send_all(sender.tls_address, sender.receiver_address, sender.fd, address, byte_count)
        if sent == FAILED:
            return False
        if sent == WOULD_BLOCK:
            sender.waited_count += 1
            continue
        address += sent
        byte_count -= sent
    return True


@compiled
def send_pass(sender_address: int, id_offset: int) -> bool:
    """Send each frame of the chosen chunks, update ids ``id_offset`` above the first pass's."""
    sender = record_at(sender_address, SENDER_DTYPE)
    site = 0
    if sender.first_index > 0:
        site = load_word(sender.chunks_address + 24 * (sender.first_index - 1) + 16)
    for index in range(sender.first_index, sender.chunk_count):
        chunk = sender.chunks_address + 24 * index
        while site < load_word(chunk + 16):
            entry = sender.sites_address + 16 * site
            write_id(load_word(entry), load_word(entry + 8) + id_offset)
            site += 1
        if not send_chunk(sender_address, load_word(chunk), load_word(chunk + 8)):
            return False
    return True
