"""WebSocket framing against wsproto: the same messages out of any stream of bytes."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
from wsproto import ConnectionType
from wsproto.connection import Connection, ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Message, Ping, Pong, TextMessage
from wsproto.utilities import RemoteProtocolError

from ipc.memory import address_of
from vortex.wire.websocket import (
    BUFFER_MARGIN_BYTES,
    FRAMER,
    CloseCode,
    Incoming,
    begin_framing,
    compact,
    next_message,
)

MESSAGE_BYTES_MAX = 1 << 17
FUZZED_BYTES_MAX = 1 << 12
#: Close codes on both sides of each border in RFC 6455 section 7.4, which no branch leads to.
CLOSE_CODES = (0, 999, 1003, 1004, 1006, 1007, 1014, 1015, 1016, 2999, 3000, 4999, 5000, 65535)

#: In the IANA registry of close codes, but unknown to wsproto.
BAD_GATEWAY = 1014


class Client:
    """Reads a server's bytes through a buffer just large enough; keeps the messages."""

    def __init__(self, message_bytes_max: int = MESSAGE_BYTES_MAX) -> None:
        self.framer = np.zeros(1, dtype=FRAMER.dtype)
        begin_framing(address_of(self.framer), message_bytes_max)
        self.capacity = message_bytes_max + BUFFER_MARGIN_BYTES
        self.buffer = np.zeros(self.capacity + 64, dtype=np.uint8)
        self.filled = 0
        self.said: list[tuple[Any, ...]] = []

    def push(self, data: bytes) -> None:
        """Take the bytes of one read, in as many parts as the buffer needs."""
        while data:
            part, data = data[: self.capacity - self.filled], data[self.capacity - self.filled :]
            assert part, "the buffer is full and nothing can be read from it"
            self.buffer[self.filled : self.filled + len(part)] = np.frombuffer(part, np.uint8)
            self.filled += len(part)
            self.read()

    def read(self) -> None:
        """Note every message that is whole."""
        places = address_of(self.framer), address_of(self.buffer)
        while True:
            incoming = Incoming(next_message(*places, self.filled))
            if incoming in (Incoming.NEED_MORE, Incoming.ENDED):
                break
            row = self.framer[0]
            if incoming == Incoming.FAILED:
                self.said.append((incoming, int(row["close_code"])))
                break
            start = int(row["payload_address"]) - places[1]
            payload = bytes(self.buffer[start : start + int(row["payload_bytes"])])
            code = (int(row["close_code"]),) if incoming == Incoming.CLOSE else ()
            self.said.append((incoming, payload, *code))
        self.filled = compact(*places, self.filled)

    @property
    def ended(self) -> bool:
        """Whether the server closed the connection or broke the protocol."""
        return bool(self.framer["is_ended"][0])


def server_frame(opcode: int, payload: bytes, final: bool = True) -> bytes:
    """Return a frame as a server sends it."""
    size = len(payload)
    head = bytes([opcode | (0x80 if final else 0)])
    if size < 126:
        return head + bytes([size]) + payload
    if size < 65536:
        return head + b"\x7e" + size.to_bytes(2, "big") + payload
    return head + b"\x7f" + size.to_bytes(8, "big") + payload


def at_random(seed: int) -> Callable[[bytes], list[bytes]]:
    """Return a way to cut a stream into reads."""
    source = random.Random(seed)

    def cut(data: bytes) -> list[bytes]:
        pieces = []
        while data:
            size = source.choice([1, 2, 3, 7, 100, 5000])
            pieces.append(data[:size])
            data = data[size:]
        return pieces

    return cut


def wsproto_reads(stream: bytes) -> tuple[list[tuple[Any, ...]], bool]:
    """Return what wsproto's client reads, and whether the stream broke the protocol."""
    client = Connection(ConnectionType.CLIENT)
    said: list[tuple[Any, ...]] = []
    pending: list[Any] = []
    try:
        client.receive_data(stream)
        for event in client.events():
            if isinstance(event, Message):
                pending.append(event.data)
                if event.message_finished:
                    if isinstance(event, TextMessage):
                        said.append((Incoming.TEXT, "".join(pending).encode()))
                    else:
                        assert isinstance(event, BytesMessage)
                        said.append((Incoming.BINARY, b"".join(bytes(p) for p in pending)))
                    pending = []
            elif isinstance(event, Ping):
                said.append((Incoming.PING, bytes(event.payload)))
            elif isinstance(event, Pong):
                said.append((Incoming.PONG, bytes(event.payload)))
            elif isinstance(event, CloseConnection):
                if client.state is not ConnectionState.REMOTE_CLOSING:
                    return said, True  # what it would send, not what it received
                said.append((Incoming.CLOSE, event.code))
                return said, False
    except RemoteProtocolError:
        return said, True
    return said, False


def ends_in_a_header(stream: bytes) -> bool:
    """Return whether nothing of the last frame's payload came; wsproto judges it only then."""
    position = 0
    while position < len(stream):
        second = stream[position + 1] if position + 1 < len(stream) else 127
        length_bytes = {126: 2, 127: 8}.get(second & 127, 0)
        behind = position + 2 + length_bytes + (4 if second & 128 else 0)
        size = int.from_bytes(stream[position + 2 : position + 2 + length_bytes], "big")
        size = size if length_bytes else second & 127
        if behind > len(stream) or (behind == len(stream) and size > 0):
            return True
        position = behind + size
    return False


def may_be_between(what: tuple[Any, ...]) -> bool:
    """Return whether ``what`` was read of a control frame that wsproto, shown it alone, takes."""
    if what[0] == Incoming.CLOSE:
        if what[2] == BAD_GATEWAY:
            return True
        return not wsproto_reads(server_frame(8, what[1]))[1]
    return what[0] in (Incoming.PING, Incoming.PONG)


def disagreement(said: list[tuple[Any, ...]], stream: bytes) -> str:
    """Return how a Client's messages of ``stream`` differ from wsproto's; "" if equal."""
    ours = [what for what in said if what[0] != Incoming.FAILED]
    ours = [(what[0], what[2]) if what[0] == Incoming.CLOSE else what for what in ours]
    failure = said[-1][1] if said and said[-1][0] == Incoming.FAILED else 0
    theirs, broken = wsproto_reads(stream)
    if not failure and ours != theirs and not broken:
        return f"read {ours}, not {theirs}"
    is_early = failure == CloseCode.TOO_BIG or ends_in_a_header(stream)
    if failure and not is_early and not broken:
        return f"failed with {failure}, where wsproto reads {theirs}"
    # wsproto looks at text before it is whole: what we read behind that is between its fragments.
    if broken and not failure and not all(may_be_between(what) for what in said[len(theirs) :]):
        return f"read {ours}, where wsproto breaks off behind {theirs}"
    # wsproto does not have our limit either: up to there they agree.
    shorter, longer = sorted((ours, theirs), key=len)
    if longer[: len(shorter)] != shorter:
        return f"read {ours}, not {theirs}"
    return ""


def read(data: bytes) -> Any:
    """Return what our client reads of the stream behind the first byte, cut as that byte says."""
    client = Client(FUZZED_BYTES_MAX)
    for piece in at_random(data[0] if data else 0)(data[1:]):
        client.push(piece)
    return client.said


def difference(data: bytes) -> str:
    """Return how our messages differ from wsproto's; "" if equal."""
    return disagreement(read(data), data[1:])


def seeds() -> list[bytes]:
    """Return streams with every kind of frame."""
    frames = [
        server_frame(1, b'{"stream":"btcusdt@trade"}'),
        server_frame(2, bytes(range(256))),
        server_frame(9, b"ping") + server_frame(10, b""),
        server_frame(1, "é€".encode()[:3], False) + server_frame(9, b"") + server_frame(0, b"\xac"),
        server_frame(8, b"\x03\xe8bye"),
        server_frame(8, b""),
        b"\x82\x7f" + (70_000).to_bytes(8, "big"),
    ]
    frames += [server_frame(8, code.to_bytes(2, "big")) for code in CLOSE_CODES]
    return [b"\x00" + frame for frame in frames] + [b"\x01" + b"".join(frames)]
