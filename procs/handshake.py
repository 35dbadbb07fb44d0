"""Opening handshakes: websocket-client connects, compiled code then owns the descriptor."""

import socket

import websocket

from ipc import sockets

TIMEOUT_S = 5.0


class HandshakeError(Exception):
    """The connection was not opened; the message names the address and the reason."""


class Link:
    """One open WebSocket; ``close`` releases the descriptor, after compiled code let go of it."""

    def __init__(self, url: str) -> None:
        """Connect to ``url`` and upgrade.

        Raises
        ------
        HandshakeError
            When the peer is not there, refuses, or insists on an extension that nobody offered.
        """
        try:
            self.client = websocket.create_connection(url, timeout=TIMEOUT_S)
        except (OSError, websocket.WebSocketException) as error:
            shown = url.partition("?")[0]
            raise HandshakeError(f"cannot connect to {shown}: {error}") from error
        assert self.client.sock is not None
        assert self.client.handshake_response is not None
        self.socket: socket.socket = self.client.sock
        headers = self.client.handshake_response.headers
        if "sec-websocket-extensions" in headers:  # RFC 6455 section 4.1
            self.socket.close()
            raise HandshakeError(f"{url} insists on an extension that was not offered")

    def ask(self, message: bytes) -> bytes:
        """Send one text message and return the next one; only before compiled code took over.

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

    def hand_over(self) -> int:
        """Make the descriptor fit for compiled code and return it."""
        sockets.prepare(self.socket)
        return self.socket.fileno()

    def close(self) -> None:
        """Close the socket without another frame."""
        self.socket.close()
