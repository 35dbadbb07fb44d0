"""The whole engine on the binary market streams of the local exchange; its orders are as ever."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from engines import DEADLINE_S, ROOT, Engine, Exchange, until
from proxy import Proxy
from running import Running, holds, started

from procs.plan.credentials import KEY_VARIABLE, SECRET_VARIABLE
from procs.stages import book_stage as book
from procs.stages.ingest import ingest_stage
from vortex.codes import Kind
from vortex.records import MARKET_SLOT_BYTES, TRADE
from vortex.units import to_e8

pytestmark = pytest.mark.timeout(1000)  # it may be the first to need the compiler

SYMBOLS = ("BTCUSDT", "ETHUSDT")
#: What begins the binary messages: template and schema, behind the length of the block.
DIFF, TICKER = b"\x13\x27\x01\x00", b"\x11\x27\x01\x00"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One engine for all tests here, behind a proxy that can spoil its market data."""
    folder = tmp_path_factory.mktemp("sbe")
    exchange = Exchange(folder, "--faults")
    proxy = Proxy(exchange.sbe_port)
    source = {
        "venue": "binance_spot_sbe", "rest_url": exchange.rest_url,
        "stream_url": f"ws://127.0.0.1:{proxy.port}", "symbols": list(SYMBOLS),
    }  # fmt: skip
    engine = Engine.on(folder, exchange, sources=[source])
    with started(exchange, engine, proxy) as run:
        yield run


def touches_of(exchange: Exchange) -> list[tuple[int, ...]]:
    """Return each symbol's update, best bid and best ask in 1e-8, by the exchange's word."""
    found: list[tuple[int, ...]] = []
    for symbol in SYMBOLS:
        url = f"{exchange.rest_url}/api/v3/depth?symbol={symbol}&limit=1"
        with urllib.request.urlopen(url, timeout=30) as answer:
            book = json.loads(answer.read())
        (bid,), (ask,) = book["bids"], book["asks"]
        prices = (to_e8(text) for text in (*bid, *ask))
        found.append((int(book["lastUpdateId"]), *prices))
    return found


def touches_in(running: Running) -> list[tuple[int, ...]]:
    """Return the same by the engine's word; zeros where a book is not in sync."""
    found = []
    for touch, row in zip(
        running.view.records("touches"), running.view.records("instruments"), strict=True
    ):
        units = (row["tick_e8"], row["lot_e8"]) * 2
        shown = (touch[name] for name in ("bid_ticks", "bid_lots", "ask_ticks", "ask_lots"))
        values = (int(value) * int(unit) for value, unit in zip(shown, units, strict=True))
        found.append((int(touch["update_id"]), *values))
    return found


def trades_seen(running: Running) -> "np.ndarray[Any, Any]":
    """Return the trades that the market ring still holds."""
    found = running.view.last_records("market.ingest", 1 << 24)
    raw = b"".join(record[:MARKET_SLOT_BYTES] for _, record in found)
    rows = np.frombuffer(raw, TRADE.dtype)
    return rows[rows["kind"] == Kind.TRADE]


def test_it_trades_on_every_symbol(running: Running) -> None:
    """Books come into sync, orders go out, fills come; no message is refused."""
    until(running.is_trading(), "orders went out")
    fills = running.view.records("positions")["fill_count"]
    until(lambda: bool(np.all(fills > 0)), "every symbol was traded")
    report = running.report()
    assert report["refusals"] == {}
    assert report["invalid_messages"] == report["gaps"] == 0


def test_each_trade_of_a_message_has_its_stamps(running: Running) -> None:
    """Trades of one taker come in one message: same frame, same arrival, ids that go on."""

    def several() -> bool:
        causes = trades_seen(running)["cause_id"]
        return len(causes) > len(np.unique(causes))

    until(several, "a message had several trades")
    trades = trades_seen(running)
    assert np.all(trades["kernel_ns"] > 0)
    assert np.all(trades["recv_ns"] >= trades["kernel_ns"])
    assert np.all(trades["publish_ns"] >= trades["recv_ns"])
    together = np.diff(trades["cause_id"]) == 0
    assert np.all(np.diff(trades["trade_id"])[together] == 1)
    for name in ("kernel_ns", "recv_ns", "venue_ns"):
        assert np.all(np.diff(trades[name])[together] == 0)


def test_a_lost_diff_is_a_gap_and_the_book_comes_back(running: Running) -> None:
    """One diff of 20 ms is missing: a snapshot is fetched, and orders go out again."""
    gaps = running.report()["gaps"]
    lost = running.proxy.once(DIFF, b"BTCUSDT", change=lambda data: None)
    until(lambda: running.report()["gaps"] > gaps, "the gap was seen")
    assert lost.applied.is_set()
    until(running.is_trading(), "orders went out")


def test_what_is_not_of_the_schema_is_counted(running: Running) -> None:
    """A cut message and one of another schema are invalid; a template that nobody knows is not."""
    invalid = running.report()["invalid_messages"]
    for change in (
        lambda data: data[:-3],
        lambda data: data[:4] + b"\x09\x00" + data[6:],
        lambda data: data[:2] + b"\xff\xff" + data[4:],
    ):
        rule = running.proxy.once(TICKER, change=change)
        assert rule.applied.wait(DEADLINE_S)
    until(lambda: running.report()["refusals"].get("not_known") == 1, "the template was counted")
    until(lambda: running.report()["refusals"].get("not_sbe") == 2, "the others were refused")
    assert running.report()["invalid_messages"] == invalid + 2
    until(running.is_trading(), "orders went out")


def test_ingest_shows_a_key_and_never_holds_the_secret(running: Running) -> None:
    """The stage that connects has the key; the secret is the gateway's alone."""
    keys = running.exchange.keys
    key, secret = keys[KEY_VARIABLE].encode(), keys[SECRET_VARIABLE].encode()
    for role in running.view.wiring.roles:
        pid = running.view.pid(role)
        assert holds(pid, secret) == (role == "gateway"), role
        assert holds(pid, key) == (role in ("gateway", "ingest")), role
    written = b"".join(
        path.read_bytes() for path in running.engine.run_folder.rglob("*") if path.is_file()
    )
    assert key not in written
    assert secret not in written


def test_a_stage_in_the_foreground_has_its_key(running: Running) -> None:
    """`vortexctl run ingest` connects with the key; Ctrl-C gives the stage back."""
    engine, view = running.engine, running.view
    former = view.pid("ingest")
    with subprocess.Popen(
        [sys.executable, "-m", "procs.cli", "run", "ingest", "-n", engine.name],
        cwd=ROOT, env={**os.environ, **engine.environment},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            until(lambda: view.pid("ingest") == process.pid, "the stage ran in the foreground")
            until(running.is_trading(), "orders went out")
        finally:
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    until(lambda: view.pid("ingest") not in (former, process.pid), "the supervisor had it again")
    engine.remember()
    until(running.is_trading(), "orders went out")


def test_an_announced_end_is_heard_in_text(running: Running) -> None:
    """serverShutdown is JSON here too: a successor is opened before the connection ends."""
    connections = running.ingested(ingest_stage.IngestCounter.CONNECTIONS)
    lost = running.ingested(ingest_stage.IngestCounter.DISCONNECTIONS)
    running.exchange.arm("shutdown", kind="streams", seconds=5)
    until(
        lambda: running.ingested(ingest_stage.IngestCounter.CONNECTIONS) > connections,
        "a successor was opened",
    )
    until(running.is_trading(), "orders went out")
    assert running.ingested(ingest_stage.IngestCounter.DISCONNECTIONS) == lost


def test_the_last_touch_is_the_exchanges(running: Running) -> None:
    """Nothing trades any more: the engine's last best prices are those of the exchange's books."""
    exchange = running.exchange
    until(lambda: running.report()["fills"] > 10, "there were fills")
    for symbol in SYMBOLS:
        exchange.arm("halt", symbol=symbol, seconds=300)

    def agrees() -> bool:
        return running.view.books_in_sync() and touches_in(running) == touches_of(exchange)

    until(agrees, "the touch is the exchange's")
    before = touches_of(exchange)
    assert before == touches_in(running) == touches_of(exchange)
    exchange.control("DELETE", "faults")
    until(lambda: touches_of(exchange) != before, "the market went on")
    until(running.is_trading(), "orders went out")
    assert running.booked(book.BookCounter.MISMATCHES) == 0
