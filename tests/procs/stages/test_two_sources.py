"""Two venues with one symbol in one run: each source feeds an instrument of its own."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pytest
from engines import strategy_of

from ipc.clock import move_to
from ipc.mailbox import Letter
from ipc.memory import address_of
from ipc.pipes import Pipe
from procs.plan import wiring
from procs.plan.config import Config
from procs.plan.launch import Launch
from procs.stages import book_stage
from procs.stages.base.memory_port import PooledMemory
from procs.stages.base.stage import Stage
from procs.stages.ingest import ingest_stage
from procs.stages.ingest.feed import IngestSubject

SPOT, LINEAR = 0, 1


def frame(value: Any) -> bytes:
    """Return an unmasked text frame with one JSON value."""
    text = json.dumps(value, separators=(",", ":")).encode()
    head = bytes([0x81, len(text)]) if len(text) < 126 else b"\x81\x7e" + len(text).to_bytes(2)
    return head + text


class Run:
    """Two ingests and a book in this process; the peers are in memory."""

    def __init__(self) -> None:
        url = {"rest_url": "http://x", "order_url": "ws://x"}
        feeds = {"rest_url": "http://x", "stream_url": "ws://x", "symbols": ["BTCUSDT"]}
        settings = {
            "sources": [
                {**feeds, "name": "spot", "venue": "binance_spot"},
                {**feeds, "name": "linear", "venue": "bybit_linear"},
            ],
            "accounts": [{**url, "name": "spot"}, {**url, "name": "linear"}],
            "strategies": [
                {**strategy_of("BTCUSDT", 2), "source": name, "account": name}
                for name in ("spot", "linear")
            ],
        }
        self.config = msgspec.convert(settings, Config)
        wires = wiring.wire(self.config)
        launch = Launch(self.config, 1, "", dict.fromkeys(wires.roles, 0), 0, [0])
        self.memory = PooledMemory(wires)
        self.clock = self.memory.table("clock").records
        self.now_ns = 1_000_000
        move_to(self.clock, self.now_ns)
        rows = self.memory.table("instruments").records
        rows["symbol"], rows["symbol_bytes"], rows["lot_e8"] = b"BTCUSDT", 7, 100_000
        rows["instrument_id"], rows["source_id"] = [SPOT, LINEAR], [SPOT, LINEAR]
        rows["tick_e8"] = [1_000_000, 10_000_000]
        self.pipes = [Pipe(), Pipe()]
        self.ingests = [
            ingest_stage.build(Stage(role, launch, self.memory)) for role in wires.ingest_roles
        ]
        self.feeds: list[Any] = [each.attend.__self__ for each in self.ingests]  # type: ignore[attr-defined]
        for feed, pipe in zip(self.feeds, self.pipes, strict=True):
            feed.buffers.record["pipe_address"] = pipe.address
            feed.to_hot.send(Letter(IngestSubject.CONNECTED, 0, 0))
        self.book = book_stage.build(Stage(wiring.BOOK, launch, self.memory))
        self.touches = self.memory.table("touches").records
        self.turn()

    def turn(self) -> None:
        """Let all stages act on what came."""
        self.now_ns += 1_000_000
        move_to(self.clock, self.now_ns)
        for ingest in self.ingests:
            for _ in range(3):
                ingest_stage.turn(ingest.context_address)
        book_stage.turn(self.book.context_address)

    def read(self, source_id: int, *values: Any) -> None:
        """Let a venue send messages, one frame each."""
        self.pipes[source_id].put(b"".join(frame(value) for value in values), self.now_ns)
        self.turn()

    def snapshot(self, source_id: int, value: Any) -> None:
        """Deliver a snapshot as if it had been fetched."""
        body = json.dumps(value).encode()
        self.body = np.frombuffer(bytes(64) + body + bytes(64), np.uint8)
        self.feeds[source_id].lent[source_id] = self.body
        letter = Letter(IngestSubject.SNAPSHOT, source_id, address_of(self.body) + 64, len(body))
        self.feeds[source_id].to_hot.send(letter)
        self.turn()

    def touch(self, source_id: int) -> tuple[int, ...]:
        """Return validity, update and prices of one instrument."""
        names = ("is_valid", "update_id", "bid_ticks", "ask_ticks")
        return tuple(int(self.touches[source_id][name]) for name in names)


@pytest.fixture
def run() -> Iterator[Run]:
    """Yield a run of two sources."""
    made = Run()
    yield made
    made.memory.release()


def linear_book(kind: str, update_id: int, bid: str, ask: str) -> Any:
    data = {"s": "BTCUSDT", "b": [[bid, "1"]], "a": [[ask, "1"]], "u": update_id, "seq": 1}
    return {"topic": "orderbook.200.BTCUSDT", "ts": 2, "type": kind, "data": data, "cts": 1}


def spot_diff(first_id: int, last_id: int, *bids: list[str]) -> Any:
    data = {"e": "depthUpdate", "E": 1, "s": "BTCUSDT", "U": first_id, "u": last_id, "b": [*bids]}
    return {"stream": "btcusdt@depth@100ms", "data": {**data, "a": []}}


def test_one_symbol_of_two_venues_is_two_instruments(run: Run) -> None:
    assert run.config.symbols == ["spot:BTCUSDT", "linear:BTCUSDT"]
    run.read(LINEAR, linear_book("snapshot", 7, "100.1", "100.3"))
    assert run.touch(LINEAR) == (1, 7, 1001, 1003)
    assert run.touch(SPOT) == (0, 0, 0, 0)
    run.read(SPOT, spot_diff(50, 51))
    run.snapshot(SPOT, {"lastUpdateId": 51, "bids": [["99.01", "1"]], "asks": [["99.05", "1"]]})
    assert run.touch(SPOT) == (1, 51, 9901, 9905)
    run.read(SPOT, spot_diff(52, 52, ["99.02", "1"]))
    run.read(LINEAR, linear_book("delta", 8, "100.2", "100.3"))
    assert run.touch(SPOT) == (1, 52, 9902, 9905)
    assert run.touch(LINEAR) == (1, 8, 1002, 1003)


def test_a_connection_that_is_lost_takes_its_own_instruments_alone(run: Run) -> None:
    run.read(LINEAR, linear_book("snapshot", 7, "100.1", "100.3"))
    run.read(SPOT, spot_diff(50, 51))
    run.snapshot(SPOT, {"lastUpdateId": 51, "bids": [["99.01", "1"]], "asks": [["99.05", "1"]]})
    run.feeds[LINEAR].to_hot.send(Letter(IngestSubject.DROP, 0))
    run.turn()
    assert run.touch(LINEAR)[0] == 0
    assert run.touch(SPOT) == (1, 51, 9901, 9905)
