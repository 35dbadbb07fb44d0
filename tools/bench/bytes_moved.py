"""recv and send of the benchmarks' compiled peers: as they are, or over TLS."""

from ipc import sockets, tls
from ipc.compiled import compiled
from ipc.sockets import FAILED


@compiled
def receive(
    tls_address: int, receiver_address: int, fd: int, target_address: int, room_bytes: int
) -> int:
    """Read what is there: byte count, CLOSED, WOULD_BLOCK or FAILED; ``tls_address`` 0: plain."""
    if tls_address == 0:
        return sockets.receive(receiver_address, fd, target_address, room_bytes)
    return tls.receive(tls_address, receiver_address, fd, target_address, room_bytes)


@compiled
def send_all(
    tls_address: int, receiver_address: int, fd: int, address: int, byte_count: int
) -> int:
    """Send: bytes taken, WOULD_BLOCK or FAILED; over TLS all are taken, sent or FAILED."""
    if tls_address == 0:
        return sockets.send_all(receiver_address, fd, address, byte_count)
    if tls.seal(tls_address, address, byte_count) == FAILED:
        return FAILED
    left = tls.push(tls_address, receiver_address, fd)
    while left > 0:
        left = tls.push(tls_address, receiver_address, fd)
    return byte_count if left == 0 else FAILED
