"""TLS handshakes over memory BIOs, which compiled code then takes over.

The handshake verifies the peer's certificate and that it is for the requested host; there is no way
to switch that off.  A file can name the certificate authority of a venue that has its own.
"""

import ipaddress
import socket
from functools import lru_cache
from typing import Any

from cryptography.hazmat.bindings._rust import _openssl
from OpenSSL import SSL

_LIB: Any = _openssl.lib
_FFI: Any = _openssl.ffi

READ_BYTES = 64 << 10


class CertificateError(OSError):
    """The peer's certificate cannot be trusted; the message says why."""


@lru_cache
def client_context(ca_file: str | None) -> SSL.Context:
    """Return the rules of our connections: TLS 1.2 or later, the chain verified.

    ``ca_file`` holds the authorities to trust instead of the system's.

    Raises
    ------
    CertificateError
        When the file is unreadable.
    """
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_verify(SSL.VERIFY_PEER)
    if ca_file is None:
        context.set_default_verify_paths()
        return context
    try:
        context.load_verify_locations(ca_file)
    except SSL.Error as error:
        raise CertificateError(f"cannot read certificates from {ca_file}") from error
    return context


class TlsSocket:
    """A TLS socket for websocket-client; ``close`` releases the descriptor."""

    def __init__(self, plain: socket.socket, connection: SSL.Connection) -> None:
        """Make the handshake of ``connection``, which works over memory BIOs.

        Raises
        ------
        SSL.Error
            When the handshake fails.
        OSError
            When the peer does not answer, or closes the connection.
        """
        self.plain = plain
        self.connection = connection
        self._drive(connection.do_handshake)

    def _drive(self, step: Any, *arguments: Any) -> Any:
        """Call ``step`` until it needs no more bytes of the peer; return its result."""
        while True:
            try:
                result = step(*arguments)
                self._push()
                return result
            except SSL.WantReadError:
                self._push()
                received = self.plain.recv(READ_BYTES)
                if not received:
                    raise ConnectionResetError("the peer hung up") from None
                self.connection.bio_write(received)

    def _push(self) -> None:
        """Send the bytes that OpenSSL has sealed."""
        while True:
            try:
                self.plain.sendall(self.connection.bio_read(READ_BYTES))
            except SSL.WantReadError:
                return

    def recv(self, byte_count: int) -> bytes:
        """Return up to ``byte_count`` opened bytes; none at the end."""
        try:
            return bytes(self._drive(self.connection.recv, byte_count))
        except SSL.ZeroReturnError:
            return b""
        except SSL.Error as error:
            raise OSError(f"TLS failed: {error}") from error

    def send(self, data: bytes) -> int:
        """Seal and send all of ``data``; return its bytes."""
        try:
            self._drive(self.connection.sendall, data)
        except SSL.Error as error:
            raise OSError(f"TLS failed: {error}") from error
        return len(data)

    def gettimeout(self) -> float | None:
        """Return the timeout of a call, in seconds."""
        return self.plain.gettimeout()

    def settimeout(self, timeout_s: float | None) -> None:
        """Set the timeout of a call, in seconds."""
        self.plain.settimeout(timeout_s)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self.plain.fileno()

    def shutdown(self, how: int) -> None:
        """Shut the socket down, without a TLS alert."""
        self.plain.shutdown(how)

    def close(self) -> None:
        """Close the socket."""
        self.plain.close()


def client_connection(host: str, context: SSL.Context) -> SSL.Connection:
    """Return a connection that checks the certificate against ``host``.

    pyOpenSSL does not do this by default: a valid chain for another name would pass.
    """
    connection = SSL.Connection(context, None)
    connection.set_connect_state()
    private: Any = connection
    rules = _LIB.SSL_get0_param(private._ssl)
    try:
        packed = ipaddress.ip_address(host).packed
        done = _LIB.X509_VERIFY_PARAM_set1_ip(rules, packed, len(packed))
    except ValueError:
        name = host.encode("idna")
        connection.set_tlsext_host_name(name)
        done = _LIB.X509_VERIFY_PARAM_set1_host(rules, name, len(name))
    assert done == 1, "OpenSSL takes every address and every name"
    return connection


def reason_of(connection: SSL.Connection, host: str, error: SSL.Error) -> OSError:
    """Return why a handshake failed, in words."""
    private: Any = connection
    result = _LIB.SSL_get_verify_result(private._ssl)
    if result != 0:
        text = _FFI.string(_LIB.X509_verify_cert_error_string(result)).decode()
        return CertificateError(f"the certificate of {host} does not verify: {text}")
    return OSError(f"no TLS with {host}: {error}")


def connect(host: str, port: int, ca_file: str | None, timeout_s: float) -> TlsSocket:
    """Open a verified TLS connection.

    Raises
    ------
    CertificateError
        When the certificate does not verify, or is for another host.
    OSError
        When the peer does not answer, or not in TLS.
    """
    context = client_context(ca_file)
    plain = socket.create_connection((host, port), timeout=timeout_s)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        return make_handshake(plain, host, context)
    except OSError:
        plain.close()
        raise


def make_handshake(plain: socket.socket, host: str, context: SSL.Context) -> TlsSocket:
    """Make a client's handshake over a connection to ``host``; see ``connect`` for the errors."""
    connection = client_connection(host, context)
    try:
        return TlsSocket(plain, connection)
    except SSL.Error as error:
        raise reason_of(connection, host, error) from error
