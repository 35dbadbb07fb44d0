"""Everything over TLS: whom we trust, and that compiled code reads and writes what was sent."""

import contextlib
import random
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from engines import Engine, Exchange, until

from ipc import tls as machine
from ipc.memory import address_of
from ipc.sockets import CLOSED, FAILED, WOULD_BLOCK, new_receiver, prepare
from ipc.tls import Channel
from procs.connections import tls_handshake
from procs.connections.handshake import HandshakeError, VenueSocket
from procs.exchange.core.certificate import make_context
from procs.observe.samples import report

TIMEOUT_S = 30.0
SEED = 20


class Peer:
    """A TLS server of Python's own; ``serve`` gets each connection in a thread."""

    def __init__(self, context: ssl.SSLContext, serve: Callable[[ssl.SSLSocket], None]) -> None:
        self.context = context
        self.serve = serve
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.sockets: list[socket.socket] = []
        self.threads = [threading.Thread(target=self.accept)]
        self.threads[0].start()

    def accept(self) -> None:
        """Take connections until the listener is closed."""
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            self.sockets.append(plain)
            self.threads.append(threading.Thread(target=self.speak, args=(plain,)))
            self.threads[-1].start()

    def speak(self, plain: socket.socket) -> None:
        """Make the handshake, which a client may refuse, and serve."""
        plain.settimeout(TIMEOUT_S)
        with (
            contextlib.suppress(OSError),
            self.context.wrap_socket(plain, server_side=True) as secure,
        ):
            self.serve(secure)

    def close(self) -> None:
        """End everything."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for each in self.sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self.threads:
            thread.join(TIMEOUT_S)


def echo(secure: ssl.SSLSocket) -> None:
    """Send back what comes, until the end, and say that it is the end."""
    while data := secure.recv(1 << 16):
        secure.sendall(data)
    secure.unwrap()


@pytest.fixture
def new_peer(tmp_path: Path) -> Iterator[Callable[..., Peer]]:
    """Return the function that starts a peer, whose authority is ``ca.pem``."""
    peers = []

    def make(serve: Callable[[ssl.SSLSocket], None] = echo, *hosts: str) -> Peer:
        context = make_context(tmp_path / "ca.pem", hosts or ("127.0.0.1", "localhost"))
        peers.append(Peer(context, serve))
        return peers[-1]

    yield make
    for peer in peers:
        peer.close()


class Client:
    """The compiled side of one connection."""

    def __init__(self, secure: tls_handshake.TlsSocket) -> None:
        self.plain = secure.plain
        self.channel = Channel(secure.connection)
        self.receiver = new_receiver()
        self.target = np.zeros(1 << 20, np.uint8)
        prepare(self.plain)

    def send(self, data: bytes) -> None:
        """Seal ``data`` and begin to send it."""
        source = np.frombuffer(data, np.uint8).copy()
        assert machine.seal(self.channel.address, address_of(source), len(data)) == len(data)
        self.push()

    def push(self) -> int:
        """Send what is sealed."""
        receiver_address = address_of(self.receiver)
        left = machine.push(self.channel.address, receiver_address, self.plain.fileno())
        assert left != FAILED
        return left

    def receive(self, room_bytes: int) -> int:
        """Read once."""
        return machine.receive(
            self.channel.address, address_of(self.receiver), self.plain.fileno(),
            address_of(self.target), room_bytes,
        )  # fmt: skip

    def receive_all(self, byte_count: int, draw: random.Random) -> bytes:
        """Read, with room of any size, until so many bytes have come."""
        parts: list[bytes] = []
        while sum(map(len, parts)) < byte_count:
            self.push()
            room_bytes = draw.choice([1, 7, 1000, 20_000, len(self.target)])
            count = self.receive(room_bytes)
            assert count > 0 or count == WOULD_BLOCK
            assert count <= room_bytes
            if count > 0:
                parts.append(self.target[:count].tobytes())
        return b"".join(parts)


def test_what_is_sent_comes_back_whatever_its_size(
    new_peer: Callable[..., Peer], tmp_path: Path
) -> None:
    """Bytes of every size, read with room of every size; the kernel's stamp is with them."""
    print("seed", SEED)
    draw = random.Random(SEED)
    peer = new_peer()
    client = Client(
        tls_handshake.connect("127.0.0.1", peer.port, str(tmp_path / "ca.pem"), TIMEOUT_S)
    )
    for byte_count in [1, 100, 16_383, 16_384, 16_385, 70_000, 900_000, *([200] * 50)]:
        sent = draw.randbytes(byte_count)
        client.send(sent)
        assert client.receive_all(byte_count, draw) == sent
    assert client.receiver[0]["kernel_wall_ns"] > 0
    client.plain.close()


def test_what_came_with_the_handshake_is_not_lost(
    new_peer: Callable[..., Peer], tmp_path: Path
) -> None:
    """The peer speaks first; part of it is read before compiled code takes over."""
    draw = random.Random(SEED)
    greeting = draw.randbytes(40_000)
    peer = new_peer(lambda secure: [secure.sendall(greeting), secure.recv(1)])
    secure = tls_handshake.connect("127.0.0.1", peer.port, str(tmp_path / "ca.pem"), TIMEOUT_S)
    first = secure.recv(10)
    client = Client(secure)
    assert first + client.receive_all(len(greeting) - len(first), draw) == greeting
    client.plain.close()


def test_the_peer_s_goodbye_is_the_end_after_what_came_before(
    new_peer: Callable[..., Peer], tmp_path: Path
) -> None:
    """close_notify differs from a failure, and comes after the bytes before it."""

    def serve(secure: ssl.SSLSocket) -> None:
        secure.sendall(b"last")
        secure.unwrap()

    peer = new_peer(serve)
    client = Client(
        tls_handshake.connect("127.0.0.1", peer.port, str(tmp_path / "ca.pem"), TIMEOUT_S)
    )
    assert client.receive_all(4, random.Random(SEED)) == b"last"
    until(lambda: client.receive(100) == CLOSED, "the end was read")
    assert client.receive(100) == CLOSED
    client.plain.close()


def test_a_record_that_was_tampered_with_fails_the_connection(
    new_peer: Callable[..., Peer], tmp_path: Path
) -> None:
    """What does not authenticate never becomes bytes."""
    peer = new_peer(lambda secure: secure.recv(1))
    secure = tls_handshake.connect("127.0.0.1", peer.port, str(tmp_path / "ca.pem"), TIMEOUT_S)
    client = Client(secure)
    until(lambda: client.receive(100) == WOULD_BLOCK, "what follows the handshake was read")
    secure.connection.bio_write(b"\x17\x03\x03\x00\x20" + bytes(32))
    client.channel.record["has_rest"] = 1
    assert client.receive(100) == FAILED
    client.plain.close()


@pytest.mark.parametrize(
    ("hosts", "asked", "reason"),
    [
        (("venue.example",), "127.0.0.1", "IP address mismatch"),
        (("127.0.0.1",), "localhost", "hostname mismatch"),
        (("127.0.0.2",), "127.0.0.1", "IP address mismatch"),
    ],
)
def test_a_valid_chain_for_another_host_is_refused(
    new_peer: Callable[..., Peer], tmp_path: Path, hosts: tuple[str, ...], asked: str, reason: str
) -> None:
    """The chain verifies, the name does not: nothing is sent, and the message says why."""
    heard: list[bytes] = []
    peer = new_peer(lambda secure: heard.append(secure.recv(1)), *hosts)
    with pytest.raises(tls_handshake.CertificateError, match=reason):
        tls_handshake.connect(asked, peer.port, str(tmp_path / "ca.pem"), TIMEOUT_S)
    assert not heard


def test_an_authority_that_nobody_named_is_refused(
    new_peer: Callable[..., Peer], tmp_path: Path
) -> None:
    """By the system's authorities, and by those of another file."""
    peer = new_peer()
    make_context(tmp_path / "other.pem")
    for ca_file in (None, str(tmp_path / "other.pem")):
        with pytest.raises(tls_handshake.CertificateError, match="does not verify"):
            tls_handshake.connect("127.0.0.1", peer.port, ca_file, TIMEOUT_S)


def test_a_peer_that_speaks_no_tls_is_refused(tmp_path: Path) -> None:
    """And the message names the address."""
    make_context(tmp_path / "ca.pem")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def answer() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(1000)
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(HandshakeError, match=f"127.0.0.1:{port}"):
            VenueSocket(f"wss://127.0.0.1:{port}/ws", str(tmp_path / "ca.pem"))
        thread.join(TIMEOUT_S)


@pytest.fixture(scope="module")
def secure_market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """An exchange that speaks TLS, with a certificate of its own."""
    exchange = Exchange(tmp_path_factory.mktemp("secure"), use_tls=True)
    yield exchange
    exchange.close()


@pytest.mark.timeout(1000)  # it may be the first to need the compiler
def test_the_whole_system_trades_over_tls(secure_market: Exchange, tmp_path: Path) -> None:
    """Orders and fills, no message refused, and at the end the books of both agree."""
    engine = Engine.on(tmp_path, secure_market, tls={"ca_file": str(secure_market.ca_path)})
    try:
        done = engine.start()
        assert done.returncode == 0, done.stderr
        view = engine.view()
        until(lambda: report.make(view)["fills"] >= 5, "orders were filled")
        facts = report.make(view)
        assert facts["orders"] > 0
        assert (facts["invalid_messages"], facts["gaps"], facts["dropped"]) == (0, 0, 0)
        assert engine.stop().exit_code == 0
        until(engine.has_left_nothing, "nothing was left")
    finally:
        engine.close()


@pytest.mark.timeout(1000)
def test_a_certificate_that_does_not_verify_stops_the_start(
    secure_market: Exchange, new_peer: Callable[..., Peer], tmp_path: Path
) -> None:
    """With the reason, and nothing is left; also where only the streams' certificate is wrong."""
    peer = new_peer(echo, "venue.example")
    ca_path = tmp_path / "ca.pem"
    engine = Engine.on(tmp_path, secure_market, tls={"ca_file": str(ca_path)})
    try:
        done = engine.start()
        assert done.returncode != 0
        assert "verify" in done.stderr, done.stderr
        assert secure_market.ca_path is not None
        ca_path.write_bytes(ca_path.read_bytes() + secure_market.ca_path.read_bytes())
        engine.config["sources"][0]["stream_url"] = f"wss://127.0.0.1:{peer.port}"
        engine.write_config()
        done = engine.start()
        assert done.returncode != 0
        assert "`$.sources[0].stream_url`" in done.stderr, done.stderr
        assert "IP address mismatch" in done.stderr, done.stderr
        assert engine.has_left_nothing()
    finally:
        engine.close()
