"""Opening handshakes: websocket-client connects, then compiled code owns the socket."""

import socket
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import websocket

from ipc import sockets
from ipc.tls import Channel
from procs.connections import tls_handshake

TIMEOUT_S = 5.0
DEFAULT_TLS_PORT = 443


class HandshakeError(Exception):
    """The connection was not opened; the message names the address and the reason."""


class Handle(NamedTuple):
    """A connection for compiled code: its descriptor, and its TLS record or 0."""

    fd: int
    tls_address: int


def open_tls(url: str, ca_file: str | None) -> tls_handshake.TlsSocket:
    """Open a verified TLS connection to ``url``.

    Raises
    ------
    OSError
        When the peer does not answer, or the certificate does not verify.
    """
    parts = urlsplit(url)
    assert parts.hostname is not None, "the configuration was checked"
    return tls_handshake.connect(parts.hostname, parts.port or DEFAULT_TLS_PORT, ca_file, TIMEOUT_S)


def check_certificate(url: str, ca_file: str | None) -> None:
    """Connect once to check that the peer's certificate verifies; a plain URL needs no check.

    Raises
    ------
    HandshakeError
        When it does not verify, or the peer does not answer.
    """
    if not url.startswith("wss://"):
        return
    try:
        open_tls(url, ca_file).close()
    except OSError as error:
        raise HandshakeError(f"cannot connect to {url}: {error}") from error


class VenueSocket:
    """One open WebSocket; ``close`` releases the descriptor, after compiled code released it."""

    def __init__(
        self, url: str, ca_file: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        """Connect to ``url`` and upgrade, with ``headers`` beside the standard ones.

        ``wss://`` is TLS, verified (see ``procs.connections.tls_handshake``).

        Raises
        ------
        HandshakeError
            When the peer is not reachable, fails verification, refuses, or answers with an
            extension or a subprotocol that was not offered.
        """
        self.channel: Channel | None = None
        secure: tls_handshake.TlsSocket | None = None
        try:
            if url.startswith("wss://"):
                secure = open_tls(url, ca_file)
            self.client = websocket.create_connection(
                url, timeout=TIMEOUT_S, socket=secure, header=dict(headers or {})
            )
        except (OSError, websocket.WebSocketException) as error:
            if secure is not None:
                secure.close()
            shown = url.partition("?")[0]
            raise HandshakeError(f"cannot connect to {shown}: {error}") from error
        client: Any = self.client
        self.socket: socket.socket = client.sock if secure is None else secure.plain
        if secure is not None:
            self.channel = Channel(secure.connection)
        answered = client.handshake_response.headers
        for header in ("sec-websocket-extensions", "sec-websocket-protocol"):
            if header in answered:  # RFC 6455 section 4.1
                self.socket.close()
                shown = url.partition("?")[0]
                raise HandshakeError(f"{shown} answered with {header}, which was not offered")

    def ask(self, message: bytes) -> bytes:
        """Send one text message and return the next one; only before ``hand_over``.

        Raises
        ------
        HandshakeError
            When the peer does not answer.
        """
        try:
            self.client.send(message.decode())
            answer = self.client.recv()
        except (OSError, websocket.WebSocketException) as error:
            raise HandshakeError(f"no answer from the order connection: {error}") from error
        return answer if isinstance(answer, bytes) else answer.encode()

    def send(self, frames: Sequence[bytes]) -> None:
        """Send text messages, in order; only before compiled code took over.

        Raises
        ------
        HandshakeError
            When the peer does not take them.
        """
        try:
            for frame in frames:
                self.client.send(frame.decode())
        except (OSError, websocket.WebSocketException) as error:
            raise HandshakeError(f"the peer takes no messages: {error}") from error

    @property
    def fd(self) -> int:
        """The descriptor for compiled code."""
        return self.socket.fileno()

    def hand_over(self) -> Handle:
        """Set the connection up for compiled code, which owns it until ``close``."""
        sockets.prepare(self.socket)
        return Handle(self.fd, self.channel.address if self.channel is not None else 0)

    def close(self) -> None:
        """Close the socket without another frame."""
        self.socket.close()
