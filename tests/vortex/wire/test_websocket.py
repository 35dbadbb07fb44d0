"""WebSocket frames: the Autobahn cases, and another library over the same bytes."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from autobahn import bytes_of
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import SESSIONS, loaded
from scale import scaled
from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import BytesMessage, TextMessage

from ipc.memory import address_of
from tools.fuzz.framing import MESSAGE_BYTES_MAX, Client, at_random, disagreement, server_frame
from vortex.wire import utf8
from vortex.wire.websocket import (
    MASKS,
    CloseCode,
    Incoming,
    Opcode,
    fill_masks,
    header_bytes_of,
    masks_wanted,
    may_be_sent,
    take_mask,
    write_close,
    write_frame,
)


def sends_of(case: Any, cut: Any) -> list[Any]:
    """Return the case's actions with its bytes as the reads that bring them.

    Where ``cut`` is None one read brings all that the server sends until it looks at something.
    """
    actions: list[Any] = []
    for kind, *rest in case["actions"]:
        if kind == "send":
            data = bytes_of(rest[0])
            if cut is None and actions and actions[-1][0] == "read":
                actions[-1] = ("read", actions[-1][1] + data)
            else:
                actions += [("read", piece) for piece in (cut(data) if cut else [data])]
        elif kind == "wait" and rest[1] is not None:
            actions.append(("wait", rest[1]))
    return actions


def play(case: Any, cut: Any) -> tuple[list[Any], int | None, Client]:
    """Play the server of one case; return what the client would have answered."""
    client = Client(4 * MESSAGE_BYTES_MAX)
    for kind, what in sends_of(case, cut):
        if kind == "read":
            client.push(what)
        elif not client.ended:
            client.said.append(("timeout", what))
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


INFORMATIONAL = {"7.1.6"}  # the suite itself does not judge it
SHORT_BYTES_MAX = 300  # cut in two at every byte
BYTEWISE_BYTES_MAX = 3000


@pytest.fixture(scope="module")
def autobahn(recordings: Path) -> Any:
    """Return a suite: cases of bytes, and of large and many messages."""
    vectors = loaded(recordings / SESSIONS)
    assert len(vectors["cases"]) > 150
    assert len(vectors["echo_cases"]) > 30
    return vectors


def size_of(case: Any) -> int:
    return sum(len(bytes_of(rest[0])) for kind, *rest in case["actions"] if kind == "send")


def is_as_expected(case: Any, cut: Any) -> bool:
    answers, close_code, client = play(case, cut)
    failed = bool(client.said) and client.said[-1][0] == Incoming.FAILED
    if failed and close_code not in (case["close"].get("closeCode") or []):
        return False
    return any(agrees(answers, wanted) for wanted in case["expected"].values())


@pytest.mark.parametrize(
    ("cut", "bytes_max"),
    [
        (whole, 1 << 20),
        (None, 1 << 20),
        (at_random(1), 1 << 20),
        (each_byte, BYTEWISE_BYTES_MAX),
    ],
    ids=["whole", "coalesced", "random", "bytes"],
)
def test_every_autobahn_case_ends_as_the_suite_expects(
    autobahn: Any, cut: Any, bytes_max: int
) -> None:
    cases = {n: case for n, case in autobahn["cases"].items() if size_of(case) <= bytes_max}
    assert len(cases) > 150
    failed = {name for name, case in cases.items() if not is_as_expected(case, cut)}
    # Played whatever comes of it: nothing may be read beyond the close.
    assert failed <= INFORMATIONAL, sorted(failed)


def test_every_short_autobahn_case_may_be_cut_in_two_anywhere(autobahn: Any) -> None:
    count, cut_count, failed = 0, 0, set()
    for name, case in autobahn["cases"].items():
        if size_of(case) > SHORT_BYTES_MAX:
            continue
        count += 1
        longest = max(len(bytes_of(rest[0])) for kind, *rest in case["actions"] if kind == "send")
        for place in range(1, longest, scaled(1, 5)):
            cut_count += 1
            if not is_as_expected(case, lambda data, at=place: [data[:at], data[at:]]):
                failed.add((name, place))
    assert count > 150
    assert cut_count > count
    assert not failed, sorted(failed)


def echoed(case: Any) -> tuple[bytes, bytes]:
    """Return the payload of an echo case and the bytes in which the server sends it once."""
    size, unit = case["payload_bytes"], bytes.fromhex(case["payload_unit"])
    payload = (unit * (size // max(1, len(unit)) + 1))[:size]
    part_bytes = case["fragment_bytes"] or max(1, size)
    parts = [payload[start : start + part_bytes] for start in range(0, max(1, size), part_bytes)]
    frames = (
        server_frame(case["opcode"] if index == 0 else 0, part, index == len(parts) - 1)
        for index, part in enumerate(parts)
    )
    return payload, b"".join(frames)


@pytest.mark.parametrize("group", range(1, 9))
def test_large_and_many_autobahn_messages_come_back_as_they_were(autobahn: Any, group: int) -> None:
    """Read each message, write it as the echo, and let wsproto's server read that."""
    cases = {n: c for n, c in autobahn["echo_cases"].items() if n.startswith(f"9.{group}.")}
    assert len(cases) > 2
    client = Client(1 << 24)
    out = np.zeros((1 << 24) + 64, dtype=np.uint8)
    for name, case in cases.items():
        payload, stream = echoed(case)
        write_bytes = case["write_bytes"] or len(stream)
        wanted = Incoming.TEXT if case["opcode"] == Opcode.TEXT else Incoming.BINARY
        server = Connection(ConnectionType.SERVER)
        for _ in range(case["count"]):
            client.said.clear()
            for start in range(0, len(stream), write_bytes):
                client.push(stream[start : start + write_bytes])
            assert client.said == [(wanted, payload)], name
            source = np.frombuffer(client.said[0][1] + bytes(8), dtype=np.uint8)
            address = address_of(source)
            size = write_frame(address_of(out), case["opcode"], address, len(payload), 0x5A12C3F0)
            server.receive_data(bytes(out[:size]))
            events = list(server.events())
            kind = TextMessage if case["opcode"] == Opcode.TEXT else BytesMessage
            assert all(isinstance(event, kind) for event in events), name
            back = ("" if kind is TextMessage else b"").join(event.data for event in events)
            assert (back.encode() if kind is TextMessage else back) == payload, name


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
        (b"\x89\x80\0\0\0\0", CloseCode.PROTOCOL_ERROR),  # a masked ping
        (b"\x88\x82\0\0\0\0\x03\xe8", CloseCode.PROTOCOL_ERROR),  # a masked close
        (b"\x01\x01a\x80\x81\0\0\0\0b", CloseCode.PROTOCOL_ERROR),  # a masked fragment
        (b"\x82\x7e\x00\x00", CloseCode.PROTOCOL_ERROR),  # nothing, in the 16-bit form
        (b"\x82\x7f" + bytes(8), CloseCode.PROTOCOL_ERROR),  # and in the 64-bit form
        (b"\x82\x7f" + (125).to_bytes(8, "big"), CloseCode.PROTOCOL_ERROR),
        (b"\x82\x7f\x80" + bytes(7), CloseCode.PROTOCOL_ERROR),  # the top bit of 64, alone
        (b"\xc2\x00", CloseCode.PROTOCOL_ERROR),  # RSV1 on a binary frame
        (b"\xc8\x00", CloseCode.PROTOCOL_ERROR),  # and on a close
        (b"\xca\x00", CloseCode.PROTOCOL_ERROR),  # and on a pong
        (b"\x01\x00\xc0\x00", CloseCode.PROTOCOL_ERROR),  # and on a fragment that goes on
        (b"\x89\x7e\x00\x7e", CloseCode.PROTOCOL_ERROR),  # a ping of more than 125 bytes
        (b"\x01\x01a\x88\x01\x03", CloseCode.PROTOCOL_ERROR),  # a bad close between fragments
    ],
)
def test_what_the_rfc_forbids_ends_the_connection(data: bytes, code: CloseCode) -> None:
    for cut in (whole, each_byte):
        client = Client()
        for piece in cut(data + b"\x81\x01a"):
            client.push(piece)
        assert client.said == [(Incoming.FAILED, code)]


@pytest.mark.parametrize("after", [b"", b"\x80\x01b", b"\x89\x00", b"\x81\x01c"])
def test_a_close_inside_a_message_ends_it_unread(after: bytes) -> None:
    stream = server_frame(1, b"begun", final=False) + server_frame(8, b"\x03\xe9bye") + after
    for cut in (whole, each_byte):
        client = Client()
        for piece in cut(stream):
            client.push(piece)
        assert client.said == [(Incoming.CLOSE, b"\x03\xe9bye", 1001)]
        assert client.ended


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


fragments = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([1, 2]), st.lists(st.binary(max_size=200), min_size=1)),
        st.tuples(st.sampled_from([9, 10]), st.lists(st.binary(max_size=125), max_size=1)),
    ),
    max_size=6,
)


@settings(max_examples=150)
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
    assert not disagreement(client.said, stream)


@settings(max_examples=60)
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


@settings(max_examples=300)
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
