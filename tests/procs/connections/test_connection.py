"""What a connection sends: a server on loopback that knows only wsproto reads every byte of it."""

import base64
import hashlib
import random
import select
import socket
import struct
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from autobahn import bytes_of
from recordings import SESSIONS, loaded
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    Pong,
    Request,
    TextMessage,
)

from ipc.memory import record_at, words_at
from ipc.sockets import CLOSED, WOULD_BLOCK
from procs.connections import connection
from procs.connections.connection import CONNECTION, KEY_COUNT, Buffers
from procs.connections.handshake import HandshakeError, VenueSocket
from tools.fuzz.framing import server_frame
from vortex.wire.websocket import FRAMER, Incoming, Opcode

CONNECTION_DTYPE = CONNECTION.dtype

PATIENCE_S = 20.0  # of a peer that never comes; nothing is timed
ACCEPT_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
CLOSE_1000 = server_frame(8, b"\x03\xe8")


def frames_of(raw: bytes) -> list[tuple[int, bytes, bytes]]:
    """Return first byte, key and unmasked payload of each frame of a client; all are masked."""
    found, position = [], 0
    while position < len(raw):
        first, second = raw[position : position + 2]
        assert second & 0x80, "a frame without a mask"
        position += 2
        size = second & 0x7F
        if size >= 126:
            form = ">H" if size == 126 else ">Q"
            (size,) = struct.unpack_from(form, raw, position)
            position += struct.calcsize(form)
        key = raw[position : position + 4]
        masked = raw[position + 4 : position + 4 + size]
        assert len(masked) == size, "a frame that was not sent to its end"
        keys = np.frombuffer((key * (size // 4 + 1))[:size], np.uint8)
        found.append((first, key, bytes(np.frombuffer(masked, np.uint8) ^ keys)))
        position += 4 + size
    return found


class Peer:
    """Accepts one client, sends it ``script`` and then a FIN; reads until the client's.

    ``raw`` is all that came back behind the handshake, ``said`` what wsproto makes of it.
    """

    def __init__(self, script: bytes, response: bytes | None = None) -> None:
        self.script, self.response = script, response
        self.raw = b""
        self.said: list[list[Any]] = []
        self.error: Exception | None = None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(PATIENCE_S)
        self.url = f"ws://127.0.0.1:{self.listener.getsockname()[1]}/"
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()
        if self.error is not None:
            raise self.error

    def run(self) -> None:
        try:
            client, _ = self.listener.accept()
            with client:
                client.settimeout(PATIENCE_S)
                self.serve(client)
        except Exception as error:
            # A client that refuses the response hangs up; else it is for the test's own thread.
            if self.response is None or not isinstance(error, OSError):
                self.error = error

    def serve(self, client: socket.socket) -> None:
        web = WSConnection(ConnectionType.SERVER)
        request = b""
        while b"\r\n\r\n" not in request:
            request += client.recv(65536)
        web.receive_data(request)
        assert isinstance(next(web.events()), Request)
        accept = web.send(AcceptConnection())
        client.sendall(accept if self.response is None else self.response_to(request))
        waiting = memoryview(self.script)
        client.setblocking(False)
        while True:
            readable, writable, _ = select.select(
                [client], [client] if waiting else [], [], PATIENCE_S
            )
            assert readable or writable, "the client neither reads nor closes"
            if writable:
                waiting = waiting[client.send(waiting[: 1 << 16]) :]
                if not waiting:
                    client.shutdown(socket.SHUT_WR)
            if readable:
                data = client.recv(1 << 20)
                if not data:
                    break
                self.raw += data
                if self.response is None:
                    web.receive_data(data)
        self.note(web)

    def note(self, web: WSConnection) -> None:
        """Write down wsproto's events, messages put together."""
        parts: list[Any] = []
        for event in web.events():
            if isinstance(event, TextMessage | BytesMessage):
                parts.append(event.data)
                if event.message_finished:
                    is_binary = isinstance(event, BytesMessage)
                    whole = (b"" if is_binary else "").join(parts)
                    data = bytes(whole) if is_binary else whole.encode()
                    self.said.append(["message", data, is_binary])
                    parts = []
            elif isinstance(event, Pong):
                self.said.append(["pong", bytes(event.payload)])
            elif isinstance(event, CloseConnection):
                self.said.append(["close", event.code])
            else:
                assert isinstance(event, Ping), event

    def response_to(self, request: bytes) -> bytes:
        """Return the response of the test, with the key that this request asks for."""
        assert self.response is not None
        lines = dict(line.split(b": ", 1) for line in request.split(b"\r\n")[1:] if b": " in line)
        key = next(value for name, value in lines.items() if name.lower() == b"sec-websocket-key")
        digest = base64.b64encode(hashlib.sha1(key + ACCEPT_GUID).digest())
        return self.response.replace(b"ACCEPT", digest)


class Echo:
    """A client of compiled functions alone: sends every message back, answers what must be."""

    def __init__(self, url: str) -> None:
        self.link = VenueSocket(url)
        self.buffers = Buffers()
        self.address = self.buffers.address
        self.found: list[Incoming] = []
        self.end = WOULD_BLOCK
        connection.begin(self.address, *self.link.hand_over(), 0)

    @property
    def framer(self) -> Any:
        return words_at(int(self.buffers.record[0]["framer_address"]), 16).view(FRAMER.dtype)[0]

    @property
    def is_over(self) -> bool:
        return bool(self.found) and self.found[-1] in (Incoming.CLOSE, Incoming.FAILED)

    def wait(self, to_send: bool) -> None:
        """Wait until there is something to read, or room to send what is queued."""
        fds = [self.link.fd]
        ready = select.select(fds, fds if to_send else [], [], PATIENCE_S)
        assert ready[0] or ready[1], "the peer neither sends nor reads"

    def flush(self) -> None:
        """Send all that is queued."""
        while (left := connection.flush(self.address)) > 0:
            select.select([], [self.link.fd], [], PATIENCE_S)
        assert left == 0

    def read(self) -> None:
        """Answer the messages that are whole."""
        while True:
            incoming = Incoming(connection.next_message(self.address))
            if incoming in (Incoming.NEED_MORE, Incoming.ENDED):
                break
            assert not self.is_over, "something was read behind the end"
            self.found.append(incoming)
            if incoming in (Incoming.TEXT, Incoming.BINARY):
                framer = self.framer
                opcode = Opcode.TEXT if incoming == Incoming.TEXT else Opcode.BINARY
                payload = int(framer["payload_address"]), int(framer["payload_bytes"])
                if not connection.can_queue(self.address, payload[1]):
                    self.flush()
                assert connection.queue(self.address, opcode, *payload)

    def run(self) -> None:
        """Read until the server's FIN, also behind a close; then let go."""
        while self.end == WOULD_BLOCK:
            self.wait(to_send=False)
            count = connection.fill(record_at(self.address, CONNECTION_DTYPE), 0)
            if count == WOULD_BLOCK:
                continue
            if count <= 0:
                self.end = count
            self.read()
            connection.keep_rest(record_at(self.address, CONNECTION_DTYPE))
            self.flush()
            self.buffers.renew_keys()
            if self.framer["is_ended"]:
                self.buffers.record[0]["filled_bytes"] = 0  # read and thrown away
                self.framer["parsed_bytes"] = 0
        connection.end(self.address)
        self.link.close()


def exchange(script: bytes) -> tuple[Peer, Echo]:
    """Play one script; return both ends of the connection that is over."""
    with Peer(script) as peer:
        client = Echo(peer.url)
        client.run()
    return peer, client


def closes_of(peer: Peer) -> list[bytes]:
    """Return the payloads of the close frames; nothing follows the first."""
    frames = frames_of(peer.raw)
    closes = [payload for first, _, payload in frames if first == 0x88]
    assert not closes or frames[-1][0] == 0x88, "something was sent behind the close"
    assert len(closes) <= 1, "closed more than once"
    return closes


def test_pings_are_answered_with_their_payload_also_between_fragments() -> None:
    payloads = [b"", b"a", bytes(range(125)), b"\xff" * 125, "é".encode()]
    script = server_frame(1, b"frag", final=False)
    for payload in payloads:
        script += server_frame(9, payload) + server_frame(10, b"unasked")
    script += server_frame(0, b"", final=False) + server_frame(0, b"mented")
    peer, _ = exchange(script + server_frame(9, b"last"))
    pongs = [["pong", payload] for payload in payloads]
    assert peer.said == [*pongs, ["message", b"fragmented", False], ["pong", b"last"]]
    assert {first for first, _, _ in frames_of(peer.raw)} == {0x8A, 0x81}, "each in one frame"


@pytest.mark.parametrize(
    "payload",
    [b"", b"\x03\xe8", b"\x03\xf3bye", b"\x0b\xb8" + "grüße".encode(), b"\x13\x87" + b"x" * 123],
)
def test_a_close_is_echoed_once_and_nothing_is_sent_behind_it(payload: bytes) -> None:
    after = server_frame(9, b"still there?") + server_frame(1, b"more") + server_frame(8, payload)
    for before in (b"", server_frame(1, b"one"), server_frame(1, b"begun", final=False)):
        peer, client = exchange(before + server_frame(8, payload) + after)
        assert closes_of(peer) == [payload]
        assert client.found[-1] == Incoming.CLOSE
        assert len(frames_of(peer.raw)) == 1 + (before == server_frame(1, b"one"))


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (b"\x81\x80\0\0\0\0", 1002),  # a server that masks
        (b"\xc1\x00", 1002),
        (b"\x83\x00", 1002),
        (b"\x88\x01\x03", 1002),
        (b"\x88\x02\x03\xed", 1002),
        (b"\x81\x7e\x00\x05hello", 1002),
        (b"\x81\x02\xc3\x28", 1007),
        (b"\x01\x01\xc3\x80\x01\x28", 1007),
        (b"\x88\x03\x03\xe8\xff", 1007),
        (b"\x82\x7f" + (connection.MESSAGE_BYTES_MAX + 1).to_bytes(8, "big"), 1009),
        (b"\x02\x01a\x80\x7f" + connection.MESSAGE_BYTES_MAX.to_bytes(8, "big"), 1009),
    ],
)
def test_what_breaks_the_protocol_is_answered_with_its_code(script: bytes, code: int) -> None:
    peer, client = exchange(server_frame(2, b"good") + script + server_frame(9, b"after"))
    assert closes_of(peer) == [code.to_bytes(2, "big")]
    assert peer.said[0] == ["message", b"good", True]
    assert len(frames_of(peer.raw)) == 2
    assert client.found[-1] == Incoming.FAILED


@pytest.mark.parametrize("before", [b"", b"\x81", b"\x81\x7e\x01", b"\x81\x05hel", b"\x01\x01a"])
def test_a_fin_without_a_close_is_an_end_and_no_message(before: bytes) -> None:
    peer, client = exchange(server_frame(1, b"whole") + before)
    assert client.end == CLOSED
    assert client.found == [Incoming.TEXT]
    assert peer.said == [["message", b"whole", False]]
    assert not closes_of(peer)


def test_every_frame_has_a_key_of_its_own() -> None:
    peer, _ = exchange(server_frame(1, b"again") * 3000 + server_frame(9, b"p") * 1000 + CLOSE_1000)
    keys = [key for _, key, _ in frames_of(peer.raw)]
    assert len(keys) == 4001
    # Of 4001 random numbers of 32 bits two are equal once in five hundred runs.
    assert len(set(keys)) >= 4001 - 3
    assert closes_of(peer) == [b"\x03\xe8"]


def chi_square(values: Any) -> float:
    """Return how far byte ``values`` are from being evenly spread: 255, give or take 23."""
    counts = np.bincount(values, minlength=256)
    expected = len(values) / 256
    return float(((counts - expected) ** 2 / expected).sum())


def test_keys_are_spread_as_random_numbers_are() -> None:
    buffers = Buffers()
    record, batches = buffers.record[0], []
    outbox = int(record["outbox_address"])
    for _ in range(4):
        for _ in range(KEY_COUNT):
            assert connection.queue(buffers.address, Opcode.PONG, outbox, 0)
        assert not connection.queue(buffers.address, Opcode.PONG, outbox, 0), "no key is left"
        sent = words_at(outbox, KEY_COUNT * 6 // 8 + 1).view(np.uint8)[: KEY_COUNT * 6]
        batches.append(sent.reshape(KEY_COUNT, 6)[:, 2:].copy())
        record["queued_bytes"] = 0
        buffers.renew_keys()
    keys = np.concatenate(batches)
    numbers = keys.reshape(-1).view("<u4")
    # The number of equal pairs is Poisson's, of mean 8.
    assert len(numbers) - len(np.unique(numbers)) < 40
    for each in (keys, keys[1:] ^ keys[:-1], keys[KEY_COUNT:] ^ keys[:-KEY_COUNT]):
        for place in range(4):
            assert chi_square(each[:, place]) < 255 + 8 * 23


@pytest.fixture(scope="module")
def autobahn(recordings: Path) -> Any:
    return loaded(recordings / SESSIONS)


def agrees(said: list[list[Any]], expected: list[Any]) -> bool:
    """Return whether the server received what it should, but for waits, which nobody waits."""
    said = [item for item in said if item[0] != "close"]
    expected = [item for item in expected if item[0] != "timeout"]
    if len(said) != len(expected):
        return False
    for (kind, payload, *rest), (wanted, data, *more) in zip(said, expected, strict=True):
        right = len(payload) == data if isinstance(data, int) else payload == data.encode("latin1")
        if kind != wanted or rest != more or not right:
            return False
    return True


def test_every_autobahn_server_receives_what_it_should(autobahn: Any) -> None:
    faults, count = [], Counter[str]()
    for name, case in autobahn["cases"].items():
        is_closed = case["actions"][-1][0] == "close_after"
        sent = b"".join(bytes_of(rest[0]) for kind, *rest in case["actions"] if kind == "send")
        peer, client = exchange(sent + (CLOSE_1000 if is_closed else b""))
        closes = closes_of(peer)
        codes = [int.from_bytes(payload, "big") for payload in closes if len(payload) == 2]
        failed = Incoming.FAILED in client.found
        count["failed" if failed else "closed" if closes else "left"] += 1
        right = any(agrees(peer.said, expected) for expected in case["expected"].values())
        right = right and set(codes) <= set(case["close"].get("closeCode") or [])
        right = right and (not is_closed or len(closes) == 1)
        if not right and name != "7.1.6":  # which the suite itself does not judge
            faults.append((name, peer.said, closes, case["expected"], case["close"]))
    assert not faults, faults[:3]
    assert sum(count.values()) > 150
    print(dict(count))


def test_autobahn_messages_are_echoed_as_far_as_they_fit(autobahn: Any) -> None:
    """Echo what fits the outbox; what is beyond our limit ends the connection with 1009."""
    echoed = refused = 0
    for name, case in autobahn["echo_cases"].items():
        size, unit = case["payload_bytes"], bytes.fromhex(case["payload_unit"])
        payload = (unit * (size // max(1, len(unit)) + 1))[:size]
        if case["fragment_bytes"] or connection.SEND_BUFFER_BYTES <= size <= 1 << 21:
            continue
        peer, _ = exchange(server_frame(case["opcode"], payload) * case["count"])
        if size > connection.MESSAGE_BYTES_MAX:
            assert closes_of(peer) == [(1009).to_bytes(2, "big")], name
            refused += 1
            continue
        assert peer.said == [["message", payload, case["opcode"] == 2]] * case["count"], name
        keys = {key for _, key, _ in frames_of(peer.raw)}
        assert len(keys) >= case["count"] - 2, name
        echoed += 1
    assert echoed > 5
    assert refused >= 2


def test_a_random_conversation_is_answered_as_wsproto_reads_it() -> None:
    seed = 5
    print(f"seed {seed}")
    source = random.Random(seed)
    script, expected = b"", []
    for _ in range(300):
        payload = source.randbytes(source.choice([0, 1, 7, 8, 125, 126, 127, 1000, 65535, 65536]))
        if source.random() < 0.3:
            script += server_frame(9, payload[:125])
            expected.append(["pong", payload[:125]])
            continue
        cuts = sorted(source.choices(range(len(payload) + 1), k=source.choice([0, 0, 1, 3])))
        parts = [payload[a:b] for a, b in zip([0, *cuts], [*cuts, len(payload)], strict=True)]
        for index, part in enumerate(parts):
            script += server_frame(0 if index else 2, part, index == len(parts) - 1)
            if index < len(parts) - 1 and source.random() < 0.5:
                script += server_frame(9, b"between")
                expected.append(["pong", b"between"])
        expected.append(["message", payload, True])
    peer, _ = exchange(script + CLOSE_1000)
    assert peer.said == [*expected, ["close", 1000]]


SWITCHING = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: ACCEPT\r\n"
)


@pytest.mark.parametrize(
    ("response", "is_taken"),
    [
        (SWITCHING, True),
        (SWITCHING + b"Sec-WebSocket-Extensions: permessage-deflate\r\n", False),
        (SWITCHING + b"sec-websocket-extensions: x\r\n", False),
        (SWITCHING + b"Sec-WebSocket-Protocol: chat\r\n", False),
        (SWITCHING.replace(b"ACCEPT", b"AAAAAAAAAAAAAAAAAAAAAAAAAAA="), False),
        (SWITCHING.replace(b"Upgrade: websocket\r\n", b""), False),
        (SWITCHING.replace(b"101 Switching Protocols", b"200 OK"), False),
    ],
)
def test_a_server_that_insists_on_what_nobody_offered_is_refused(
    response: bytes, is_taken: bool
) -> None:
    with Peer(b"\x89\x00", response + b"\r\n") as peer:
        if is_taken:
            Echo(peer.url).run()
        else:
            with pytest.raises(HandshakeError):
                VenueSocket(peer.url)
    assert (peer.raw != b"") == is_taken
