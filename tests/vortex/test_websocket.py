"""WebSocket frames: the Autobahn cases, and another library over the same bytes."""

import json
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto import ConnectionType
from wsproto.connection import Connection, ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Message, Ping, Pong, TextMessage
from wsproto.utilities import RemoteProtocolError

from ipc.memory import address_of
from vortex import utf8
from vortex.websocket import (
    BUFFER_MARGIN_BYTES,
    FRAMER,
    MASKS,
    CloseCode,
    Incoming,
    Opcode,
    compact,
    fill_masks,
    header_bytes_of,
    masks_wanted,
    may_be_sent,
    next_message,
    reset_framer,
    take_mask,
    write_close,
    write_frame,
)

MESSAGE_BYTES_MAX = 1 << 17


class Client:
    """Reads a server's bytes through a buffer just large enough; remembers what they said."""

    def __init__(self, message_bytes_max: int = MESSAGE_BYTES_MAX) -> None:
        self.framer = np.zeros(1, dtype=FRAMER.dtype)
        reset_framer(self.framer[0], message_bytes_max)
        self.capacity = message_bytes_max + BUFFER_MARGIN_BYTES
        self.buffer = np.zeros(self.capacity + 64, dtype=np.uint8)
        self.filled = 0
        self.said: list[tuple[Any, ...]] = []

    def push(self, data: bytes) -> None:
        while data:
            part, data = data[: self.capacity - self.filled], data[self.capacity - self.filled :]
            assert part, "the buffer is full and nothing can be read from it"
            self.buffer[self.filled : self.filled + len(part)] = np.frombuffer(part, np.uint8)
            self.filled += len(part)
            self.read()

    def read(self) -> None:
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
        return bool(self.framer["is_ended"][0])


def bytes_of(action: Any) -> bytes:
    if isinstance(action, str):
        return bytes.fromhex(action)
    unit, size = bytes.fromhex(action["payload_unit"]), action["payload_bytes"]
    repeated = unit * (size // len(unit) + 1) if unit else b""
    return bytes.fromhex(action["header"]) + repeated[:size]


def play(case: Any, cut: Any) -> tuple[list[Any], int | None, Client]:
    """Play the server of one case; return what the client would have answered."""
    client = Client()
    for kind, *rest in case["actions"]:
        if kind == "send":
            for piece in cut(bytes_of(rest[0])):
                client.push(piece)
        elif kind == "wait" and rest[1] is not None and not client.ended:
            client.said.append(("timeout", rest[1]))
    answers: list[Any] = []
    close_code = None
    for what, *rest in client.said:
        if what in (Incoming.TEXT, Incoming.BINARY):
            answers.append(["message", rest[0].decode("latin1"), what == Incoming.BINARY])
        elif what == Incoming.PING:
            answers.append(["pong", rest[0].decode("latin1")])
        elif what == "timeout":
            answers.append(["timeout", rest[0]])
        elif what == Incoming.FAILED:
            close_code = rest[0]
        elif what == Incoming.CLOSE:
            close_code = rest[1]
    return answers, close_code, client


def agrees(answers: list[Any], expected: list[Any]) -> bool:
    if len(answers) != len(expected):
        return False
    for answer, wanted in zip(answers, expected, strict=True):
        short = list(answer)
        if wanted[0] == "message" and isinstance(wanted[1], int):
            short[1] = len(short[1])
        if short != list(wanted):
            return False
    return True


def whole(data: bytes) -> list[bytes]:
    return [data]


def each_byte(data: bytes) -> list[bytes]:
    return [data[index : index + 1] for index in range(len(data))]


def at_random(seed: int) -> Any:
    source = random.Random(seed)

    def cut(data: bytes) -> list[bytes]:
        pieces = []
        while data:
            size = source.choice([1, 2, 3, 7, 100, 5000])
            pieces.append(data[:size])
            data = data[size:]
        return pieces

    return cut


INFORMATIONAL = {"7.1.6"}  # the suite itself does not judge it


@pytest.mark.parametrize("cut", [whole, at_random(1), each_byte], ids=["whole", "random", "bytes"])
def test_every_autobahn_case_ends_as_the_suite_expects(shared: Any, cut: Any) -> None:
    vectors = json.loads((shared / "vectors" / "autobahn.json").read_text())
    failures = []
    for name, case in vectors["cases"].items():
        size = sum(len(bytes_of(rest[0])) for kind, *rest in case["actions"] if kind == "send")
        if name in INFORMATIONAL or (cut is each_byte and size > 3000):
            continue
        answers, close_code, client = play(case, cut)
        allowed = case["close"].get("closeCode") or []
        if not any(agrees(answers, wanted) for wanted in case["expected"].values()) or (
            client.said and client.said[-1][0] == Incoming.FAILED and close_code not in allowed
        ):
            failures.append((name, answers, close_code, case["expected"], case["close"]))
    assert not failures, failures[:3]


def test_large_and_fragmented_autobahn_messages_arrive_whole(shared: Any) -> None:
    vectors = json.loads((shared / "vectors" / "autobahn.json").read_text())
    for name, case in vectors["echo_cases"].items():
        size = case["payload_bytes"]
        if size > 1 << 20:
            continue
        unit = bytes.fromhex(case["payload_unit"])
        payload = (unit * (size // max(1, len(unit)) + 1))[:size]
        part_bytes = case["fragment_bytes"] or max(1, size)
        parts = [
            payload[start : start + part_bytes] for start in range(0, max(1, size), part_bytes)
        ]
        opcode = case["opcode"]
        stream = b"".join(
            server_frame(opcode if index == 0 else 0, part, index == len(parts) - 1)
            for index, part in enumerate(parts)
        )
        client = Client(1 << 20)
        client.push(stream)
        kind = Incoming.TEXT if opcode == Opcode.TEXT else Incoming.BINARY
        assert client.said == [(kind, payload)], name


def server_frame(opcode: int, payload: bytes, final: bool = True) -> bytes:
    size = len(payload)
    head = bytes([opcode | (0x80 if final else 0)])
    if size < 126:
        return head + bytes([size]) + payload
    if size < 65536:
        return head + b"\x7e" + size.to_bytes(2, "big") + payload
    return head + b"\x7f" + size.to_bytes(8, "big") + payload


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x80\0\0\0\0", CloseCode.PROTOCOL_ERROR),  # masked by a server
        (b"\x81\x7e\x00\x7d", CloseCode.PROTOCOL_ERROR),  # 125 in the 16-bit form
        (b"\x82\x7f" + (65535).to_bytes(8, "big"), CloseCode.PROTOCOL_ERROR),
        (b"\x82\x7f\xff" + bytes(7), CloseCode.PROTOCOL_ERROR),  # the top bit of 64
        (b"\x82\x7f\x00" + b"\xff" * 7, CloseCode.TOO_BIG),
        (b"\xc1\x00", CloseCode.PROTOCOL_ERROR),  # RSV1 without an extension
        (b"\xc9\x00", CloseCode.PROTOCOL_ERROR),  # the same on a control frame
        (b"\x09\x00", CloseCode.PROTOCOL_ERROR),  # a ping in fragments
        (b"\x88\x01\x03", CloseCode.PROTOCOL_ERROR),  # a close of one byte
        (b"\x88\x02\x03\xed", CloseCode.PROTOCOL_ERROR),  # 1005 is never sent
        (b"\x88\x03\x03\xe8\xff", CloseCode.NOT_UTF8),
        (b"\x81\x01\xff", CloseCode.NOT_UTF8),
        (b"\x80\x00", CloseCode.PROTOCOL_ERROR),  # continues nothing
        (b"\x01\x00\x81\x00", CloseCode.PROTOCOL_ERROR),  # a message inside a message
    ],
)
def test_what_the_rfc_forbids_ends_the_connection(data: bytes, code: CloseCode) -> None:
    for cut in (whole, each_byte):
        client = Client()
        for piece in cut(data + b"\x81\x01a"):
            client.push(piece)
        assert client.said == [(Incoming.FAILED, code)]


def test_a_message_may_be_as_large_as_its_limit_but_no_larger() -> None:
    for parts in ([100], [60, 40], [1] * 100):
        for extra, said in ((0, Incoming.TEXT), (1, Incoming.FAILED)):
            client = Client(100)
            sizes = [parts[0] + extra, *parts[1:]]
            for index, size in enumerate(sizes):
                opcode = Opcode.TEXT if index == 0 else Opcode.CONTINUATION
                client.push(server_frame(opcode, b"a" * size, index == len(sizes) - 1))
                client.push(server_frame(Opcode.PING, b"p" * 125))
            kinds = [what[0] for what in client.said if what[0] != Incoming.PING]
            assert kinds == [said]


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


fragments = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([1, 2]), st.lists(st.binary(max_size=200), min_size=1)),
        st.tuples(st.sampled_from([9, 10]), st.lists(st.binary(max_size=125), max_size=1)),
    ),
    max_size=6,
)


@settings(max_examples=150, deadline=None)
@given(messages=fragments, data=st.data())
def test_broken_streams_are_read_as_wsproto_reads_them(messages: Any, data: st.DataObject) -> None:
    stream = b"".join(
        server_frame(opcode if index == 0 else 0, part, index == len(parts) - 1)
        for opcode, parts in messages
        for index, part in enumerate(parts)
    )
    for _ in range(data.draw(st.integers(0, 2))):
        if stream:
            offset = data.draw(st.integers(0, len(stream) - 1))
            byte = bytes([data.draw(st.integers(0, 255))])
            stream = stream[:offset] + byte + stream[offset + 1 :]
    client = Client()
    for piece in at_random(data.draw(st.integers(0, 9)))(stream):
        client.push(piece)
    ours = [what for what in client.said if what[0] != Incoming.FAILED]
    ours = [(what[0], what[2]) if what[0] == Incoming.CLOSE else what for what in ours]
    theirs, broken = wsproto_reads(stream)
    failed = bool(client.said) and client.said[-1][0] == Incoming.FAILED
    if not failed:
        assert ours == theirs or broken
    # wsproto looks at text before it is whole, and lets some lengths pass: up to there they agree.
    shorter, longer = sorted((ours, theirs), key=len)
    assert longer[: len(shorter)] == shorter


@settings(max_examples=60, deadline=None)
@given(
    size=st.one_of(st.integers(0, 300), st.sampled_from([65535, 65536])),
    mask=st.integers(0, 2**32 - 1),
    in_place=st.booleans(),
)
def test_a_server_reads_what_we_write(size: int, mask: int, in_place: bool) -> None:
    payload = random.Random(size).randbytes(size)
    out = np.full(len(payload) + 64, 0xEE, dtype=np.uint8)
    source = np.zeros(len(payload) + 64, dtype=np.uint8)
    start = header_bytes_of(len(payload)) if in_place else 0
    target = out if in_place else source
    target[start : start + len(payload)] = np.frombuffer(payload, dtype=np.uint8)
    address = address_of(target) + start
    size = write_frame(address_of(out), Opcode.BINARY, address, len(payload), mask)
    assert (out[size + 7 :] == 0xEE).all()
    assert out[1] & 0x80
    server = Connection(ConnectionType.SERVER)
    server.receive_data(bytes(out[:size]))
    received = b"".join(bytes(event.data) for event in server.events())
    assert received == payload


def test_a_close_frame_carries_its_code() -> None:
    out = np.zeros(64, dtype=np.uint8)
    size = write_close(address_of(out), CloseCode.PROTOCOL_ERROR, 0x12345678)
    server = Connection(ConnectionType.SERVER)
    server.receive_data(bytes(out[:size]))
    assert next(iter(server.events())).code == 1002


def test_each_key_is_taken_once_and_an_empty_pool_says_so() -> None:
    keys = np.zeros(8, dtype=np.int64)
    masks = np.zeros(1, dtype=MASKS.dtype)
    masks["keys_address"], masks["key_count"] = address_of(keys), len(keys)
    pool = address_of(masks)
    source = random.Random(3)
    assert take_mask(pool) == -1
    for _ in range(5):
        wanted = masks_wanted(pool)
        data = source.randbytes(4 * wanted)
        fill_masks(pool, data)
        taken = [take_mask(pool) for _ in range(wanted)]
        assert taken == list(np.frombuffer(data, dtype="<u4"))
        assert take_mask(pool) == -1


def test_close_codes_are_those_of_the_rfc() -> None:
    allowed = [code for code in range(0, 6000) if may_be_sent(code)]
    assert allowed == [*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)]


@settings(max_examples=300, deadline=None)
@given(
    text=st.one_of(
        st.binary(max_size=40),
        st.text(max_size=12).map(lambda text: text.encode("utf-8", "surrogatepass")),
    )
)
def test_utf8_is_what_python_decodes(text: bytes) -> None:
    data = np.frombuffer(text + b"\x80" * 64, dtype=np.uint8).copy()
    try:
        text.decode("utf-8")
        expected = True
    except UnicodeDecodeError:
        expected = False
    assert utf8.is_utf8(address_of(data), len(text)) == expected
