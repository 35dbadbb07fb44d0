"""A proxy before the local exchange, which spoils frames of the market as a test asks it to."""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any


class Rule:
    """What the proxy does once to the next frame that fits."""

    def __init__(self, needles: tuple[bytes, ...], change: Callable[[bytes], bytes | None]) -> None:
        self.needles = needles
        self.change = change
        self.applied = threading.Event()

    def apply(self, payload: bytes) -> bytes | None:
        """Return the payload for the engine; None to drop it."""
        if self.applied.is_set() or not all(needle in payload for needle in self.needles):
            return payload
        self.applied.set()
        return self.change(payload)


class Proxy:
    """Passes WebSocket frames of the market on, and spoils those that a test asks it to spoil."""

    def __init__(self, port: int) -> None:
        self.upstream_port = port
        self.rules: list[Rule] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.sockets: list[socket.socket] = []
        self.threads: list[threading.Thread] = []
        self.run(self.accept)

    def run(self, function: Callable[..., None], *arguments: Any) -> None:
        """Run a function in a thread that ``close`` ends."""
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self.threads.append(thread)
        thread.start()

    def once(self, *needles: bytes, change: Callable[[bytes], bytes | None]) -> Rule:
        """Change the next frame that holds all ``needles``."""
        rule = Rule(needles, change)
        self.rules.append(rule)
        return rule

    def accept(self) -> None:
        """Connect each client with the exchange."""
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.upstream_port))
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sockets += [client, server]
            self.run(self.pass_bytes, client, server)
            self.run(self.pass_frames, server, client)

    def pass_bytes(self, source: socket.socket, target: socket.socket) -> None:
        """Pass on what the engine sends."""
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
        self.end(source, target)

    def pass_frames(self, source: socket.socket, target: socket.socket) -> None:
        """Pass on what the exchange sends, frame by frame, by the rules."""
        with contextlib.suppress(OSError), source.makefile("rb") as stream:
            while (line := stream.readline()) not in (b"\r\n", b""):
                target.sendall(line)
            target.sendall(b"\r\n")
            while head := stream.read(2):
                byte_count = head[1] & 0x7F
                if byte_count == 126:
                    byte_count = int.from_bytes(stream.read(2))
                elif byte_count == 127:
                    byte_count = int.from_bytes(stream.read(8))
                payload: bytes | None = stream.read(byte_count)
                for rule in self.rules:
                    payload = rule.apply(payload) if payload is not None else None
                if payload is not None:
                    target.sendall(frame(head[0], payload))
        self.end(source, target)

    def end(self, *ends: socket.socket) -> None:
        """Tell both ends that it is over."""
        for each in ends:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        """Break every connection."""
        self.end(*self.sockets)

    def close(self) -> None:
        """End all threads and close all sockets."""
        self.end(self.listener, *self.sockets)
        self.listener.close()
        for thread in self.threads:
            thread.join(timeout=30)
        for each in self.sockets:
            each.close()


def frame(first_byte: int, payload: bytes) -> bytes:
    """Return an unmasked frame (RFC 6455 section 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes([first_byte, size]) + payload
    if size < 1 << 16:
        return bytes([first_byte, 126]) + size.to_bytes(2) + payload
    return bytes([first_byte, 127]) + size.to_bytes(8) + payload
