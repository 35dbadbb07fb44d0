"""Stages stepped by one driver: pooled memory, peers in memory, a clock that the driver moves."""

import hashlib
import random
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pytest
from builders import Message, diff, record_of, snapshot, ticker
from engines import strategy_of

from ipc import ring
from ipc.clock import move_to
from ipc.mailbox import Letter
from ipc.memory import address_of, copy_bytes
from ipc.pipes import Pipe
from ipc.shared import SharedRing
from procs.plan import wiring
from procs.plan.config import Config
from procs.plan.launch import Launch
from procs.stages import book_stage, strategy_stage
from procs.stages.base.memory_port import PooledMemory
from procs.stages.base.stage import Built, Stage
from procs.stages.ingest import ingest_stage
from procs.stages.ingest.feed import IngestSubject
from vortex.codes import Kind
from vortex.records import MARKET_SLOT_BYTES, ORDER_EVENT, REQUEST

STEP_NS = 1_000_000


class Lab:
    """A book and a strategy in this process; the test is venue, gateway and clock."""

    def __init__(self, *, with_ingest: bool = False) -> None:
        settings = {
            "sources": [{"rest_url": "http://x", "stream_url": "ws://x", "symbols": ["BTCUSDT"]}],
            "accounts": [{"rest_url": "http://x", "order_url": "ws://x"}],
            "strategies": [strategy_of("BTCUSDT", 2)],
        }
        config = msgspec.convert(settings, Config)
        wires = wiring.wire(config)
        launch = Launch(config, 1, "", dict.fromkeys(wires.roles, 0), 0, [0])
        self.memory = PooledMemory(wires)
        self.clock = self.memory.table("clock").records
        self.now_ns = 0
        self.move()
        row = self.memory.table("instruments").records[0]
        row["tick_e8"], row["lot_e8"], row["price_ticks_min"] = 1_000_000, 1_000, 1
        row["price_ticks_max"], row["qty_lots_min"], row["qty_lots_max"] = 1 << 40, 1, 1 << 40
        row["symbol"], row["symbol_bytes"] = b"BTCUSDT", 7
        self.pipe, self.ingest_address = Pipe(), 0
        if with_ingest:
            self.open_ingest(launch)
        else:
            self.market = self.memory.writer("market.ingest")
        self.events = self.memory.writer("events")
        self.requests = self.memory.reader("requests")
        self.book = self.build(wiring.BOOK, launch)
        self.strategy = self.build(wiring.STRATEGY, launch)

    def build(self, role: str, launch: Launch) -> Built:
        """Build one stage over the pool."""
        module = {wiring.BOOK: book_stage, wiring.STRATEGY: strategy_stage}[role]
        return module.build(Stage(role, launch, self.memory))

    def open_ingest(self, launch: Launch) -> None:
        """Build ingest on a peer in memory instead of a socket, and connect it."""
        built = ingest_stage.build(Stage("ingest", launch, self.memory))
        self.feed: Any = built.attend.__self__  # type: ignore[attr-defined]
        self.ingest_address = built.context_address
        self.feed.buffers.record["pipe_address"] = self.pipe.address
        self.feed.to_hot.send(Letter(IngestSubject.CONNECTED, 0, 0))

    def snapshot(self, body: bytes) -> None:
        """Deliver a snapshot as if it had been fetched."""
        self.body = np.frombuffer(bytes(64) + body + bytes(64), np.uint8)
        self.feed.lent[0] = self.body
        address = address_of(self.body) + 64
        self.feed.to_hot.send(Letter(IngestSubject.SNAPSHOT, 0, address, len(body)))

    def read(self, data: bytes) -> bytes:
        """Let bytes come from the venue, and the stages act on them; return the requests."""
        self.move()
        self.pipe.put(data, self.now_ns - 500)
        for _ in range(3):
            ingest_stage.turn(self.ingest_address)
        return self.act()

    def move(self) -> None:
        """Let a step of time pass."""
        self.now_ns += STEP_NS
        move_to(self.clock, self.now_ns)

    def resume(self) -> None:
        """Say as the gateway that orders are taken."""
        event = record_of(ORDER_EVENT, kind=Kind.RESUMED, epoch=1)
        self.send(self.events, address_of(event), ORDER_EVENT.dtype.itemsize, 1)

    def send(self, end: SharedRing, address: int, slot_bytes: int, count: int) -> None:
        """Publish one message."""
        copy_bytes(ring.claim(end.address), address, count * slot_bytes)
        ring.append(end.address, count)
        ring.commit(end.address, self.now_ns)

    def step(self, message: Message) -> bytes:
        """Let the venue say something, and the stages act on it; return the requests."""
        self.move()
        self.send(self.market, message.address, MARKET_SLOT_BYTES, message.record_count)
        return self.act()

    def act(self) -> bytes:
        """Let book and strategy act on what came; return the requests."""
        book_stage.turn(self.book.context_address)
        strategy_stage.turn(self.strategy.context_address)
        found = np.zeros(64, REQUEST.dtype)
        count = 0
        while (waiting := ring.ready_count(self.requests.address)) != 0:
            if waiting == ring.NEW_EPOCH:
                ring.enter_epoch(self.requests.address)
                continue
            address = address_of(found) + count * REQUEST.dtype.itemsize
            copy_bytes(address, ring.slot(self.requests.address, 0), REQUEST.dtype.itemsize)
            ring.consume(self.requests.address, 1)
            count += 1
        return found[:count].tobytes()


@pytest.fixture
def labs() -> Iterator[list[Lab]]:
    """Return two labs that nothing joins, and two with an ingest."""
    made = [Lab(), Lab(), Lab(with_ingest=True), Lab(with_ingest=True)]
    yield made
    for lab in made:
        lab.memory.release()


def day(seed: int) -> Iterator[Message]:
    """Yield a snapshot and what follows it: diffs and tickers of a touch that wanders."""
    draw = random.Random(seed)
    mid, update_id = 10_000, 100
    yield snapshot(update_id, [(mid - 1, 5), (mid - 2, 5)], [(mid + 1, 5), (mid + 2, 5)])
    for _ in range(400):
        update_id += 1
        old, mid = mid, mid + draw.choice([-1, 0, 0, 1])
        bids = [*([(old - 1, 0)] if mid != old else []), (mid - 1, draw.randint(1, 9))]
        asks = [*([(old + 1, 0)] if mid != old else []), (mid + 1, draw.randint(1, 9))]
        yield diff(update_id, update_id, bids, asks)
        if draw.random() < 0.3:
            yield ticker(update_id, (mid - 1, bids[-1][1]), (mid + 1, asks[-1][1]))


def test_a_driver_repeats_a_day_byte_for_byte(labs: list[Lab]) -> None:
    """Two runs of one day: the same requests, stamped by the clock that the driver moves."""
    hashes = []
    for lab in labs[:2]:
        lab.resume()
        digest, count = hashlib.sha256(), 0
        for message in day(7):
            requests = np.frombuffer(lab.step(message), REQUEST.dtype)
            assert (requests["publish_ns"] == lab.now_ns).all(), "the driver's clock stamps all"
            count += len(requests)
            digest.update(requests.tobytes())
        assert count > 1, "the strategy quotes"
        hashes.append(digest.hexdigest())
    assert hashes[0] == hashes[1]


def price(ticks: int) -> str:
    return f"{ticks // 100}.{ticks % 100:02d}"


def rows(levels: list[tuple[int, int]]) -> list[list[str]]:
    return [[price(ticks), f"0.{lots:05d}"] for ticks, lots in levels]


def frame(value: object) -> bytes:
    """Return an unmasked text frame with one JSON value."""
    text = msgspec.json.encode(value)
    head = bytes([0x81, len(text)]) if len(text) < 126 else b"\x81\x7e" + len(text).to_bytes(2)
    return head + text


def byte_day(seed: int) -> Iterator[bytes]:
    """Yield reads of one stream: whole frames, halves of frames, several at once."""
    draw = random.Random(seed)
    mid, pending = 10_000, b""
    for update_id in range(101, 400):
        old, mid = mid, mid + draw.choice([-1, 0, 0, 1])
        bids = [*([(old - 1, 0)] if mid != old else []), (mid - 1, draw.randint(1, 9))]
        asks = [*([(old + 1, 0)] if mid != old else []), (mid + 1, draw.randint(1, 9))]
        data = {
            "e": "depthUpdate", "E": 1_700_000_000_000 + update_id, "s": "BTCUSDT",
            "U": update_id, "u": update_id, "b": rows(bids), "a": rows(asks),
        }  # fmt: skip
        pending += frame({"stream": "btcusdt@depth@100ms", "data": data})
        if draw.random() < 0.6:
            cut = len(pending) if draw.random() < 0.7 else draw.randint(1, len(pending))
            yield pending[:cut]
            pending = pending[cut:]
    yield pending


def test_a_driver_repeats_the_bytes_of_a_venue(labs: list[Lab]) -> None:
    """Ingest, book and strategy on a peer in memory: the same reads give the same requests."""
    hashes = []
    for lab in labs[2:]:
        lab.resume()
        digest, count = hashlib.sha256(), 0
        bids, asks = rows([(9_999, 5), (9_998, 5)]), rows([(10_001, 5), (10_002, 5)])
        lab.snapshot(msgspec.json.encode({"lastUpdateId": 100, "bids": bids, "asks": asks}))
        for data in byte_day(11):
            requests = np.frombuffer(lab.read(data), REQUEST.dtype)
            caused = requests[requests["cause_id"] > 0]
            assert (caused["recv_ns"] <= lab.now_ns).all()
            count += len(requests)
            digest.update(requests.tobytes())
        assert count > 1, "the strategy quotes"
        hashes.append(digest.hexdigest())
    assert hashes[0] == hashes[1]
