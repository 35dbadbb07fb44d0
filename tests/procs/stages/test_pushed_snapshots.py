"""Ingest and book on a venue that pushes its snapshots: opening, resubscribing, pings of text."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from engines import strategy_of
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from ipc.clock import move_to
from procs.plan import wiring
from procs.plan.config import Config
from procs.plan.launch import Launch
from procs.stages import book_stage
from procs.stages.base.memory_port import PooledMemory
from procs.stages.base.stage import Stage
from procs.stages.ingest import ingest_stage
from vortex.codes import BookState

TOPIC = "orderbook.200.BTCUSDT"
DEADLINE_S = 60.0


def book_frame(kind: str, update_id: int, bid: str, ask: str) -> str:
    """Return a snapshot or a delta of one level a side, in Bybit's form."""
    levels = {
        "s": "BTCUSDT",
        "b": [[bid, "1"]],
        "a": [[ask, "2"]],
        "u": update_id,
        "seq": update_id,
    }
    head = {"topic": TOPIC, "ts": 1_786_310_818_130, "type": kind, "data": levels}
    return json.dumps({**head, "cts": 1_786_310_818_129}, separators=(",", ":"))


class Peer:
    """A venue of one symbol that pushes a snapshot on each subscription."""

    def __init__(self) -> None:
        self.connections: list[ServerConnection] = []
        self.heard: list[tuple[int, Any]] = []
        self.next_ids = [100, 1, 500]
        self.server = serve(self.talk, "127.0.0.1", 0, ping_interval=None)
        self.port = self.server.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def talk(self, connection: ServerConnection) -> None:
        """Listen to one connection; push a snapshot of the next number for each subscription."""
        self.connections.append(connection)
        number = len(self.connections)
        try:
            for message in connection:
                said = json.loads(message)
                self.heard.append((number, said))
                if said["op"] == "subscribe":
                    connection.send('{"success":true,"ret_msg":"","conn_id":"x","op":"subscribe"}')
                    connection.send(book_frame("snapshot", self.next_ids.pop(0), "100.0", "101.0"))
        except ConnectionClosed:
            pass

    def operations(self, number: int) -> list[str]:
        """Return what was heard on a connection, in order."""
        return [said["op"] for where, said in self.heard if where == number]

    def close(self) -> None:
        """End all connections and the server."""
        self.server.shutdown()
        for connection in self.connections:
            connection.close()
        self.thread.join()


class Run:
    """Ingest and book in this process, on real sockets; the test is their driver."""

    def __init__(self, port: int) -> None:
        source = {
            "venue": "bybit_linear", "rest_url": "http://127.0.0.1:9",
            "stream_url": f"ws://127.0.0.1:{port}", "symbols": ["BTCUSDT"],
        }  # fmt: skip
        settings = {
            "sources": [source],
            "accounts": [{"rest_url": "http://x", "order_url": "ws://x"}],
            "strategies": [strategy_of("BTCUSDT", 2)],
        }
        config = msgspec.convert(settings, Config)
        wires = wiring.wire(config)
        launch = Launch(config, 1, "", dict.fromkeys(wires.roles, 0), 0, [0])
        self.memory = PooledMemory(wires)
        self.clock = self.memory.table("clock").records
        move_to(self.clock, time.monotonic_ns())
        row = self.memory.table("instruments").records[0]
        row["symbol"], row["symbol_bytes"] = b"BTCUSDT", 7
        row["tick_e8"], row["lot_e8"] = 10_000_000, 100_000
        # What is built holds the memory that compiled code works with.
        self.ingest = ingest_stage.build(Stage("ingest", launch, self.memory))
        self.book = book_stage.build(Stage(wiring.BOOK, launch, self.memory))
        self.feed: Any = self.ingest.attend.__self__  # type: ignore[attr-defined]
        self.turn()  # compiles, with no connection yet that would wait for it
        self.touch = self.memory.table("touches").records[0]

    def turn(self) -> None:
        """Step both stages."""
        ingest_stage.turn(self.ingest.context_address)
        book_stage.turn(self.book.context_address)

    def until(self, condition: Callable[[], bool]) -> None:
        """Step both stages and the main thread of ingest until a condition holds."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, "it never came to be"
            move_to(self.clock, time.monotonic_ns())
            self.feed.attend()
            self.turn()

    def is_live_at(self, update_id: int) -> bool:
        """Return whether the book is live under a number."""
        return bool(
            self.touch["state"] == BookState.LIVE
            and self.touch["update_id"] == update_id
            and self.touch["is_valid"] == 1
        )


@pytest.fixture
def peer() -> Iterator[Peer]:
    """Yield a venue."""
    made = Peer()
    yield made
    made.close()


@pytest.fixture
def run(peer: Peer) -> Iterator[Run]:
    """Yield ingest and book on that venue, live on the snapshot of their subscription."""
    made = Run(peer.port)
    try:
        made.until(lambda: made.is_live_at(100))
        yield made
    finally:
        made.feed.close()
        made.memory.release()


def test_the_subscription_is_sent_and_its_snapshot_makes_the_book_live(
    peer: Peer, run: Run
) -> None:
    (said,) = [each for _, each in peer.heard]
    assert said["op"] == "subscribe"
    assert TOPIC in said["args"]
    assert (run.touch["bid_ticks"], run.touch["ask_ticks"]) == (1000, 1010)
    peer.connections[0].send(book_frame("delta", 101, "100.5", "101.0"))
    run.until(lambda: run.is_live_at(101))
    assert run.touch["bid_ticks"] == 1005
    assert not run.feed.fetches, "nothing is fetched over REST"


def test_a_gap_is_healed_by_subscribing_again_whatever_the_number_is_then(
    peer: Peer, run: Run
) -> None:
    peer.connections[0].send(book_frame("delta", 105, "100.5", "101.0"))
    run.until(lambda: bool(run.touch["state"] == BookState.BUFFERING))
    assert (run.touch["is_valid"], run.touch["gap_count"]) == (0, 1)
    run.until(lambda: run.is_live_at(1))
    assert peer.operations(1) == ["subscribe", "unsubscribe", "subscribe"]
    assert peer.heard[-1][1]["args"] == [TOPIC]
    assert (run.touch["bid_ticks"], run.touch["snapshot_wanted_count"]) == (1000, 1)
    run.until(lambda: not run.feed.messages)
    assert len(peer.connections) == 1


def test_a_busy_connection_is_pinged_in_the_venues_words(peer: Peer, run: Run) -> None:
    assert run.feed.upkeep.ping_every_s == 20
    run.feed.upkeep.ping_every_s = 0.01
    run.until(lambda: peer.operations(1).count("ping") > 2)
    assert peer.heard[-1][1] == {"req_id": "ping", "op": "ping"}


def test_a_successor_is_subscribed_before_it_takes_over_and_the_book_stays_live(
    peer: Peer, run: Run
) -> None:
    run.feed.upkeep.end_soon()
    run.until(lambda: len(peer.connections) == 2 and run.feed.former is None)
    run.until(lambda: peer.operations(2) == ["subscribe"])
    run.until(lambda: run.is_live_at(1))
    peer.connections[1].send(book_frame("delta", 2, "100.5", "101.0"))
    run.until(lambda: run.is_live_at(2))
    assert run.touch["gap_count"] == 0
    assert run.touch["snapshot_wanted_count"] == 0
