"""A peer in memory: all bytes pass in order, whatever the sizes of reads and writes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ipc import pipes
from ipc.memory import address_of
from ipc.pipes import Pipe
from ipc.sockets import CLOSED, WOULD_BLOCK, new_receiver

ROOM_BYTES = 512


def receive(pipe: Pipe, receiver: "np.ndarray", room_bytes: int) -> bytes | int:
    target = np.zeros(ROOM_BYTES, np.uint8)
    count = pipes.receive(pipe.address, address_of(receiver), address_of(target), room_bytes)
    return target[:count].tobytes() if count > 0 else count


@given(st.lists(st.one_of(st.binary(min_size=1, max_size=300), st.integers(1, ROOM_BYTES))))
def test_bytes_come_in_order(actions):
    """Puts and reads in any order; what was put is what was read and what is left."""
    pipe, receiver = Pipe(), new_receiver()
    put, got = b"", b""
    for action in actions:
        if isinstance(action, bytes):
            pipe.put(action, kernel_wall_ns=len(put))
            put += action
            continue
        found = receive(pipe, receiver, action)
        if put == got:
            assert found == WOULD_BLOCK
        else:
            assert found == put[len(got) : len(got) + action]
            got += found
    while (found := receive(pipe, receiver, ROOM_BYTES)) != WOULD_BLOCK:
        got += found
    assert got == put
    pipe.close()
    assert receive(pipe, receiver, ROOM_BYTES) == CLOSED


@given(st.lists(st.binary(min_size=1, max_size=100)), st.integers(1, 300))
def test_what_is_sent_waits_for_the_driver(messages, room_bytes):
    """Compiled code learns how much there was room for; nothing is lost, nothing comes twice."""
    pipe = Pipe(room_bytes)
    sent, taken = b"", b""
    for message in messages:
        source = np.frombuffer(message, np.uint8).copy()
        count = pipes.send(pipe.address, address_of(source), len(source))
        if count == WOULD_BLOCK:
            assert len(sent) - len(taken) == room_bytes
            taken += pipe.take()
        else:
            sent += message[:count]
    assert taken + pipe.take() == sent


def test_the_stamp_is_that_of_the_last_bytes():
    pipe, receiver = Pipe(), new_receiver()
    pipe.put(b"ab", kernel_wall_ns=77)
    assert receive(pipe, receiver, 1) == b"a"
    assert receiver["kernel_wall_ns"][0] == 77
