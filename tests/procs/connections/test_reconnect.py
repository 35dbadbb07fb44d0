"""The whole engine while connections end, streams stop and processes die; see tests/README.md.

It has one source for each symbol and trades at the touch, so that fills happen all the time.
"""

import json
import os
import signal
import time
from collections.abc import Iterator
from decimal import Decimal

import pytest
from engines import Engine, Exchange, is_alive, until
from proxy import Proxy
from running import Running, started

from procs.plan.instance import launch_path
from procs.plan.launch import read_launch
from procs.stages.book_stage import BookCounter as Book
from procs.stages.gateway.context import GatewayCounter as Gateway
from vortex.codes import BookState

pytestmark = pytest.mark.timeout(1000)  # it may be the first to need the compiler

ETH = 1


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One engine for all tests here: two ingest processes and the gateway, each behind a proxy."""
    folder = tmp_path_factory.mktemp("reconnect")
    exchange = Exchange(folder, "--faults")
    proxies = tuple(Proxy(exchange.ws_port) for _ in range(3))
    urls = [f"ws://127.0.0.1:{proxy.port}" for proxy in proxies]
    sources = [
        {"name": name, "rest_url": exchange.rest_url, "stream_url": url, "symbols": [symbol]}
        for name, url, symbol in zip(("btc", "eth"), urls, ("BTCUSDT", "ETHUSDT"), strict=False)
    ]
    engine = Engine(folder, exchange.rest_url, urls[0], urls[2], exchange.keys, sources=sources)
    with started(exchange, engine, *proxies) as run:
        yield run


@pytest.fixture(autouse=True)
def whole(running: Running) -> Iterator[None]:
    """Orders go out before each test, and no fault is in force after it."""
    until(running.is_trading(), "orders went out")
    yield
    running.exchange.control("DELETE", "faults")


def same_books(running: Running) -> bool:
    """Return whether fills and positions are the exchange's, each fill counted once."""
    fills = running.gated(Gateway.FILLS)
    exchange_fills = int(running.exchange.status()["fill_count"])
    return fills == exchange_fills == running.gated(Gateway.FILLS) and same_positions(running)


def same_positions(running: Running) -> bool:
    """Return whether the positions are the exchange's."""
    held, ours = running.exchange.status()["positions"], running.report()["position"]
    return all(Decimal(ours[symbol]) == Decimal(held[symbol]) for symbol in held)


def fill_count(running: Running) -> int:
    """Return how many fills there were, by the exchange's books."""
    return int(running.exchange.status()["fill_count"])


def more_fills(running: Running) -> None:
    """Wait until there are more fills, so that what is missed would be."""
    before = fill_count(running)
    until(lambda: fill_count(running) > before, "there were fills")


def test_each_source_is_a_process_of_its_own(running: Running) -> None:
    """One loses its connection: its book is invalid until a snapshot came, the other's never."""
    assert {"ingest-btc", "ingest-eth"} < set(running.view.wiring.roles)
    pids = {running.view.pid(role) for role in running.view.wiring.roles}
    assert len(pids) == 5
    down = running.booked(Book.FEEDS_DOWN)
    running.proxies[0].cut()

    def is_back() -> bool:
        assert running.touch(ETH)["state"] == BookState.LIVE
        return running.booked(Book.FEEDS_DOWN) == down + 1 and running.view.books_in_sync()

    until(is_back, "the book was in sync again")
    assert "disconnected" in running.engine.log("ingest-btc")
    assert "disconnected" not in running.engine.log("ingest-eth")
    until(running.is_trading(), "orders went out again")


def test_m22_reports_that_come_twice_count_once(running: Running) -> None:
    """Fills and positions stay those of the exchange."""
    number = running.exchange.arm("duplicate", lane="reports", count=200)
    more_fills(running)
    until(lambda: running.exchange.is_over(number), "the fault had struck")
    until(lambda: same_books(running), "the books agreed")


def test_missed_fills_are_counted_once_after_a_reconnect(running: Running) -> None:
    """What filled while the connection was dead is fetched; nothing is counted twice."""
    connected = running.gated(Gateway.CONNECTIONS)
    fills = -1
    while fill_count(running) == fills or fills < 0:
        fills = fill_count(running)
        number = running.exchange.arm("freeze", kind="orders", seconds=2)
        until(lambda number=number: running.exchange.is_over(number), "the connection broke")
        until(running.is_trading(), "orders went out again")
    assert running.gated(Gateway.CONNECTIONS) > connected
    assert "order connection lost" in running.engine.log("gateway")
    until(lambda: same_books(running), "the books agreed")


def test_a_user_data_stream_that_ends_is_a_lost_connection(running: Running) -> None:
    """Without reports nothing is traded: all is pulled, and a new connection is reconciled."""
    halts, connected = running.gated(Gateway.HALTS), running.gated(Gateway.CONNECTIONS)
    running.exchange.arm("revoke", account=1, seconds=1.5)
    until(lambda: running.gated(Gateway.HALTS) > halts, "the gateway halted")
    until(lambda: "the venue refused (-2015)" in running.engine.log("gateway"), "the log says why")
    until(lambda: running.gated(Gateway.CONNECTIONS) > connected, "it connected again")
    until(running.is_trading(), "orders went out again")
    until(lambda: same_books(running), "the books agreed")


def denied(text: bytes) -> bytes:
    """Return the reply to a replacement as if its new order had been refused."""
    reply = json.loads(text)
    result = reply.pop("result")
    error = {"code": -2010, "msg": "Order would immediately match and take."}
    result |= {"newOrderResult": "FAILURE", "newOrderResponse": error}
    failure = {"code": -2021, "msg": "Order cancel-replace partially failed.", "data": result}
    return json.dumps({**reply, "status": 409, "error": failure}).encode()


def test_an_open_order_that_the_venue_denied_is_pulled(running: Running) -> None:
    """The report of an order that the reply denied: connect again and cancel everything."""
    strays, connected = running.gated(Gateway.STRAYS), running.gated(Gateway.CONNECTIONS)
    needles = (b'"newOrderResult":"SUCCESS"', b'"cancelResult":"SUCCESS"')
    rule = running.proxies[2].once(*needles, change=denied)

    def is_found() -> bool:
        nonlocal rule
        if rule.applied.is_set():  # a reply behind its reports denies nothing that is not known
            rule = running.proxies[2].once(*needles, change=denied)
        return running.gated(Gateway.STRAYS) > strays

    until(is_found, "a stray was found")
    rule.applied.set()
    until(lambda: running.gated(Gateway.CONNECTIONS) > connected, "it connected again")
    until(running.is_trading(), "orders went out again")
    until(running.agrees, "both named the same orders")
    until(lambda: same_books(running), "the books agreed")


def test_m24_what_a_killed_gateway_left_is_cancelled_before_the_next_one_trades(
    running: Running,
) -> None:
    """Gateway and supervisor die at once, so nobody can pull; the next start does, first of all."""
    former = life(running)
    cancelled = running.engine.log("gateway").count("cancelled")
    until(running.open_orders, "an order is open")
    killed = [running.engine.mark.pid, running.view.pid("gateway")]
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    until(lambda: not any(is_alive(pid) for pid in killed), "they were dead")
    dead_ns = time.monotonic_ns()
    done = running.engine.start()
    assert done.returncode == 0, done.stderr
    begun = Running(running.exchange, running.engine, running.engine.view())
    until(begun.is_trading(), "orders went out")
    until(begun.agrees, "both named the same orders")
    until(lambda: same_positions(begun), "the positions agreed")
    orders = running.exchange.audit()["orders"]
    of_former, of_next = (
        [order for order in orders if order["client_order_id"].startswith(prefix)]
        for prefix in (former, life(begun))
    )
    assert of_former
    assert of_next
    # Others may have filled all of them first.
    pulled = [o for o in of_former if o["ended_ns"] > dead_ns and o["status"] == "CANCELED"]
    assert not pulled or running.engine.log("gateway").count("cancelled") > cancelled
    assert all(order["ended_ns"] > 0 for order in of_former)
    last_ns = max(order["ended_ns"] for order in of_former)
    assert last_ns < min(order["arrived_ns"] for order in of_next)


def life(running: Running) -> str:
    """Return what the client ids of the gateway's present life begin with."""
    run_id = read_launch(launch_path(running.engine.run_folder, "gateway")).run_id
    return f"v{run_id:08x}-{int(running.view.status('gateway')['epoch']):04x}-"
