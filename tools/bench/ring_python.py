"""What Python processes would otherwise send 64-byte records by, for the benchmark ``ring``.

iceoryx2's publish and subscribe, and the standard library's queue.  Each record is made, sent and
checked by the interpreter, as it is for their users.
"""

import ctypes
import importlib.util
import multiprocessing
import os
import secrets
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tools.bench.ring_loops import CAPACITY_COUNT
from tools.bench.two_processes import in_two_processes, percentiles, shared_samples

WORDS = struct.Struct("<8q")
VALUE_COUNT, ROUND_COUNT = 20_000, 5_000

Send = Callable[[bytes], None]
Receive = Callable[[], bytes]


def record(value: int) -> bytes:
    """Return the 64 bytes of one record."""
    return WORDS.pack(*range(value, value + 8))


def send_all(send: Send) -> None:
    """Send the records one after the other."""
    for value in range(VALUE_COUNT):
        send(record(value))


def receive_all(receive: Receive, took_ns: Any) -> bool:
    """Receive and check them; ``took_ns`` is filled with the time from the first to the last."""
    is_right = receive() == record(0)
    begin_ns = time.perf_counter_ns()
    for value in range(1, VALUE_COUNT):
        is_right = receive() == record(value) and is_right
    took_ns[0] = time.perf_counter_ns() - begin_ns
    return is_right


def ping(send: Send, receive: Receive, took_ns: Any) -> bool:
    """Send a record and wait for its like, so often as there is room in ``took_ns``."""
    is_right = True
    for value in range(len(took_ns)):
        begin_ns = time.perf_counter_ns()
        send(record(value))
        data = receive()
        took_ns[value] = time.perf_counter_ns() - begin_ns
        is_right = data == record(value) and is_right
    return is_right


def pong(send: Send, receive: Receive) -> None:
    """Send back what comes."""
    for _ in range(ROUND_COUNT):
        send(receive())


class Python:
    """A way to send records; an end is opened in the process that uses it."""

    def renew(self) -> None:
        """Begin with lanes that nobody has used."""
        raise NotImplementedError

    def close(self) -> None:
        """Leave nothing behind."""

    def sender(self, lane: str) -> AbstractContextManager[Send]:
        """Return what gives a function that sends on a lane."""
        raise NotImplementedError

    def receiver(self, lane: str) -> AbstractContextManager[Receive]:
        """Return what gives a function that waits for a record of a lane."""
        raise NotImplementedError

    def throughput(self, _: int) -> float:
        """Return million records per second."""
        self.renew()
        took_ns = shared_samples(1)

        def first() -> None:
            with self.sender("there") as send:
                send_all(send)

        def second() -> bool:
            with self.receiver("there") as receive:
                return receive_all(receive, took_ns)

        in_two_processes(first, second)
        return float((VALUE_COUNT - 1) / took_ns[0] * 1e3)

    def round_trip(self, _: int) -> list[float]:
        """Return percentiles in nanoseconds."""
        self.renew()
        took_ns = np.zeros(ROUND_COUNT, np.int64)

        def first() -> bool:
            with self.receiver("back") as receive, self.sender("there") as send:
                return ping(send, receive, took_ns)

        def second() -> None:
            with self.sender("back") as send, self.receiver("there") as receive:
                pong(send, receive)

        in_two_processes(first, second)
        return percentiles(took_ns)


class Queue(Python):
    """``multiprocessing.Queue``."""

    def renew(self) -> None:
        """Begin with new queues: a process that ends closes its own."""
        context = multiprocessing.get_context("fork")
        self.lanes = {lane: context.Queue(CAPACITY_COUNT) for lane in ("there", "back")}

    @contextmanager
    def sender(self, lane: str) -> Iterator[Send]:
        """Give what sends; in the end wait until all of it is in the pipe."""
        queue = self.lanes[lane]
        yield queue.put
        queue.close()
        queue.join_thread()

    @contextmanager
    def receiver(self, lane: str) -> Iterator[Receive]:
        """Give what receives."""
        yield self.lanes[lane].get


class Record(ctypes.Structure):
    """64 bytes, for iceoryx2."""

    _fields_ = (("data", ctypes.c_uint8 * WORDS.size),)


class Iceoryx(Python):
    """iceoryx2, publish and subscribe; the receiver polls, as it does on our ring."""

    def __init__(self, folder: str) -> None:
        import iceoryx2

        iceoryx2.set_log_level(iceoryx2.LogLevel.Error)
        self.iceoryx = iceoryx2
        # It leaves files of its own behind; our prefix separates them from those of others.
        self.prefix = f"vortex-bench-{os.getpid()}-"
        self.config = iceoryx2.config.default()
        self.config.global_cfg.root_path = iceoryx2.Path.new(folder)
        self.config.global_cfg.prefix = iceoryx2.FileName.new(self.prefix)

    def renew(self) -> None:
        """Begin with services of a new name."""
        self.run_name = secrets.token_hex(8)

    def service(self, lane: str) -> Any:
        """Open a lane; the first of two processes makes it."""
        builder = self.iceoryx.NodeBuilder.new().config(self.config)
        node = builder.create(self.iceoryx.ServiceType.Ipc)
        name = self.iceoryx.ServiceName.new(f"{self.run_name}/{lane}")
        builder = node.service_builder(name).publish_subscribe(Record)
        builder = builder.subscriber_max_buffer_size(CAPACITY_COUNT).enable_safe_overflow(False)
        return builder.open_or_create()

    @contextmanager
    def sender(self, lane: str) -> Iterator[Send]:
        """Give what sends, once there is a receiver; stay until that has gone."""
        service = self.service(lane)
        port = service.publisher_builder().create()
        while service.dynamic_config.number_of_subscribers == 0:
            time.sleep(0.001)
        yield lambda data: port.send_copy(Record.from_buffer_copy(data))
        while service.dynamic_config.number_of_subscribers > 0:
            time.sleep(0.001)
        port.delete()

    @contextmanager
    def receiver(self, lane: str) -> Iterator[Receive]:
        """Give what receives."""
        port = self.service(lane).subscriber_builder().buffer_size(CAPACITY_COUNT).create()

        def receive() -> bytes:
            while (sample := port.receive()) is None:
                pass
            return bytes(sample.payload().contents)

        yield receive
        port.delete()

    def close(self) -> None:
        """Remove what it left in shared memory."""
        for path in Path("/dev/shm").glob(f"{self.prefix}*"):
            path.unlink()


def kinds(folder: str) -> dict[str, Python]:
    """Return those that are installed; ``folder`` is for their files."""
    found: dict[str, Python] = {"mp.Queue": Queue()}
    if importlib.util.find_spec("iceoryx2"):
        found["iceoryx2"] = Iceoryx(folder)
    return found
