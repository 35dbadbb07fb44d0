"""The benchmark ``frame``: one ``bookTicker`` frame, from received bytes to a record that was read.

Ours finds the frame, checks it (RFC 6455, UTF-8), decodes it into a slot of a ring and reads it
there.  Beside it on the same bytes: websockets' parser without I/O, and picows over a loopback
connection (the processor time of its thread, reads and all), both with msgspec's typed decode.
Nobody's bytes are on the way while ours and websockets' are timed.
"""

import asyncio
import os
import socket
import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from picows import WSFrame, WSListener, WSTransport, ws_connect
from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from ipc.memory import address_of
from tools.bench import frames as market
from tools.bench.bars import verdict
from tools.bench.frame_loops import take_all
from tools.bench.machine import machine_line, pin
from tools.bench.parse import MESSAGE_COUNT_MAX, Ours, cases_of
from tools.bench.parse_loops import Sum
from tools.bench.parse_others import TickerFrame, decode_and_sum
from tools.bench.wire_market import server_frame
from tools.bench.wire_venue import Side
from vortex.wire.websocket import FRAMER

BAR_NS = 150
FRAME_COUNT = 20_000
PAD_BYTES = 64
WAIT_S = 30.0


class Bytes:
    """Frames as they come from the socket, and what is in them."""

    def __init__(self, payloads: list[bytes]) -> None:
        self.count = len(payloads)
        self.wire = b"".join(server_frame(payload) for payload in payloads)
        self.sums = decode_and_sum(payloads)


def run_ours(bytes_: Bytes, ours: Ours, buffer: "np.ndarray[Any, Any]") -> float:
    """Take all frames once; return nanoseconds a frame."""
    framer, sums = np.zeros(1, FRAMER.dtype), np.zeros(len(Sum), np.int64)
    arguments = (
        address_of(framer), address_of(buffer), len(bytes_.wire), address_of(ours.catalog),
        ours.writer.address, ours.reader.address, MESSAGE_COUNT_MAX, address_of(sums),
    )  # fmt: skip
    start = time.perf_counter_ns()
    taken_count = take_all(*arguments)
    took_ns = time.perf_counter_ns() - start
    assert taken_count == bytes_.count, f"{taken_count} of {bytes_.count} frames were taken"
    assert sums.tolist() == bytes_.sums, "the records differ from the slow decoder's"
    return took_ns / bytes_.count


def run_websockets(bytes_: Bytes) -> float:
    """Let websockets find the frames and msgspec read them; return nanoseconds a frame."""
    protocol = ClientProtocol(parse_uri("ws://venue/"), state=OPEN)
    decoder = msgspec.json.Decoder(TickerFrame)
    start = time.perf_counter_ns()
    protocol.receive_data(bytes_.wire)
    taken_count = 0
    for event in protocol.events_received():
        assert isinstance(event, Frame)
        decoder.decode(event.data)
        taken_count += 1
    took_ns = time.perf_counter_ns() - start
    assert taken_count == bytes_.count
    return took_ns / bytes_.count


class Decoding(WSListener):
    """Reads every frame with msgspec."""

    def __init__(self) -> None:
        self.decoder = msgspec.json.Decoder(TickerFrame)
        self.count = 0
        self.begun_ns = 0
        self.ended_ns = 0

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take one frame."""
        if self.count == 0:
            self.begun_ns = time.thread_time_ns()
        self.decoder.decode(frame.get_payload_as_memoryview())
        self.count += 1
        self.ended_ns = time.thread_time_ns()


def run_picows(bytes_: Bytes) -> float:
    """Send all frames over loopback; return nanoseconds of processor time a frame."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(WAIT_S)

        def send() -> None:
            side = Side(server.accept()[0])
            with side.socket:
                side.accept()
                side.socket.sendall(bytes_.wire)

        sender = threading.Thread(target=send)
        sender.start()
        port = server.getsockname()[1]

        async def receive() -> Decoding:
            transport, listener = await ws_connect(Decoding, f"ws://127.0.0.1:{port}/stream")
            assert isinstance(listener, Decoding)
            await transport.wait_disconnected()
            return listener

        listener = asyncio.run(receive())
        sender.join()
    assert listener.count == bytes_.count, f"{listener.count} of {bytes_.count} frames came"
    return (listener.ended_ns - listener.begun_ns) / bytes_.count


def run(seconds: float, frame_count: int = FRAME_COUNT) -> dict[str, Any]:
    """Run the benchmark for about ``seconds``; return machine, frames and figures."""
    payloads, source = market.load()
    bytes_ = Bytes(cases_of(payloads)["bookTicker"][:frame_count])
    buffer = np.frombuffer(bytes_.wire + bytes(PAD_BYTES), np.uint8).copy()
    ours = Ours()
    kinds: dict[str, Callable[[], float]] = {
        "ours": lambda: run_ours(bytes_, ours, buffer),
        "websockets and msgspec": lambda: run_websockets(bytes_),
        "picows and msgspec": lambda: run_picows(bytes_),
    }
    took: dict[str, list[float]] = {kind: [] for kind in kinds}
    affinity = os.sched_getaffinity(0)
    pin(len(affinity) - 1)
    try:
        run_ours(bytes_, ours, buffer)  # compiles
        end = time.monotonic() + seconds
        while not took["ours"] or time.monotonic() < end:
            for kind, function in kinds.items():
                took[kind].append(function())
    finally:
        os.sched_setaffinity(0, affinity)
        ours.close()
    return {
        "machine": machine_line(),
        "frames": source,
        "frame_count": bytes_.count,
        "frame_bytes": len(bytes_.wire) / bytes_.count,
        "figures": {
            kind: {
                "median_ns": statistics.median(passes),
                "least_ns": min(passes),
                "most_ns": max(passes),
                "pass_count": len(passes),
            }
            for kind, passes in took.items()
        },
    }


def lines(result: dict[str, Any]) -> list[str]:
    """Return the result for people."""
    ours = result["figures"]["ours"]
    rows = [
        f"frame: one bookTicker frame of {result['frame_bytes']:.0f} bytes, from bytes to record; "
        f"{ours['pass_count']} passes of {result['frame_count']}",
        f"  {'ns a frame':<26}{'median':>9}{'least':>9}{'most':>9}{'ours is':>10}",
    ]
    for kind, figure in result["figures"].items():
        ratio = f"{figure['median_ns'] / ours['median_ns']:.1f} x" if figure is not ours else ""
        rows.append(
            f"  {kind:<26}{figure['median_ns']:>9.0f}{figure['least_ns']:>9.0f}"
            f"{figure['most_ns']:>9.0f}{ratio:>10}"
        )
    return [*rows, f"  bar: {BAR_NS} ns, {verdict(ours['median_ns'] <= BAR_NS)}"]
