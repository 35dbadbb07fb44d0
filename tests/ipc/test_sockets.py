"""recv and send of compiled code over real loopback connections."""

import socket
import time
from collections.abc import Iterator

import numpy as np
import pytest
from scale import compiled_only

from ipc import sockets
from ipc.memory import address_of
from ipc.sockets import CLOSED, FAILED, WOULD_BLOCK, new_receiver, prepare, receive, send_all

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
    with ours, theirs:
        prepare(ours)
        yield ours, theirs


def receive_some(ours: socket.socket, receiver: np.ndarray, room: int = 4096) -> bytes:
    """Poll until there is something; return it."""
    target = np.zeros(room, np.uint8)
    while True:
        count = receive(address_of(receiver), ours.fileno(), address_of(target), room)
        if count != WOULD_BLOCK:
            assert count > 0
            return target[:count].tobytes()


def test_an_empty_connection_would_block(pair: Pair) -> None:
    target = np.zeros(16, np.uint8)
    receiver = new_receiver()
    assert receive(address_of(receiver), pair[0].fileno(), address_of(target), 16) == WOULD_BLOCK
    assert receiver[0]["error_number"] == sockets.EAGAIN


def test_bytes_arrive_as_they_were_sent_and_fill_no_more_than_the_room(pair: Pair) -> None:
    ours, theirs = pair
    receiver = new_receiver()
    theirs.sendall(b"abcdefgh")
    assert receive_some(ours, receiver, 5) == b"abcde"
    assert receive_some(ours, receiver, 5) == b"fgh"


@compiled_only("plain Python asks for no stamps")
def test_the_kernel_stamps_a_read_between_send_and_receipt_in_wall_time(pair: Pair) -> None:
    """The kernel starts stamping a while after it was asked to; then every read has a stamp."""
    ours, theirs = pair
    receiver = new_receiver()
    while True:
        theirs.sendall(b"x")
        receive_some(ours, receiver)
        if receiver[0]["kernel_wall_ns"]:
            break
    for _ in range(100):
        before = time.time_ns()
        theirs.sendall(b"frame")
        assert receive_some(ours, receiver) == b"frame"
        assert before <= receiver[0]["kernel_wall_ns"] <= time.time_ns()


def test_the_end_of_the_stream_comes_after_its_bytes(pair: Pair) -> None:
    ours, theirs = pair
    receiver = new_receiver()
    theirs.sendall(b"last")
    theirs.close()
    assert receive_some(ours, receiver) == b"last"
    target = np.zeros(16, np.uint8)
    while True:
        count = receive(address_of(receiver), ours.fileno(), address_of(target), 16)
        if count != WOULD_BLOCK:
            break
    assert count == CLOSED


def test_a_bad_descriptor_is_a_failure_with_its_number() -> None:
    receiver = new_receiver()
    target = np.zeros(16, np.uint8)
    with socket.socket() as gone:
        fd = gone.fileno()
    assert receive(address_of(receiver), fd, address_of(target), 16) == FAILED
    assert receiver[0]["error_number"] == 9
    assert send_all(address_of(receiver), fd, address_of(target), 16) == FAILED


def test_a_reset_connection_is_a_failure_and_no_signal(pair: Pair) -> None:
    ours, theirs = pair
    receiver = new_receiver()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    theirs.close()
    target = np.zeros(16, np.uint8)
    while True:
        count = receive(address_of(receiver), ours.fileno(), address_of(target), 16)
        if count != WOULD_BLOCK:
            break
    assert count == FAILED
    assert send_all(address_of(receiver), ours.fileno(), address_of(target), 16) == FAILED


def test_a_full_connection_takes_a_part_and_then_would_block(pair: Pair) -> None:
    ours, theirs = pair
    receiver = new_receiver()
    data = np.arange(1 << 23, dtype=np.int64).view(np.uint8)
    sent = send_all(address_of(receiver), ours.fileno(), address_of(data), len(data))
    assert 0 < sent < len(data)
    while (
        count := send_all(
            address_of(receiver), ours.fileno(), address_of(data) + sent, len(data) - sent
        )
    ) > 0:
        sent += count
    assert count == WOULD_BLOCK
    got = bytearray()
    while len(got) < sent:
        got += theirs.recv(1 << 20)
    assert bytes(got) == data[:sent].tobytes()
