"""The whole engine while the venue misbehaves on demand, on one run; see tests/README.md.

The quotes are far from the touch, so nobody trades with them.  What comes twice, late or never
concerns orders alone, and the exchange must have at most one open order on each side.
"""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from engines import Engine, Exchange, strategy_of, until
from running import Running, started

from procs.stages.book_stage import BookCounter as Book
from procs.stages.gateway.context import GatewayCounter as Gateway
from procs.stages.ingest.ingest_stage import IngestCounter as Ingest

pytestmark = pytest.mark.timeout(1000)  # it may be the first to need the compiler

BTC, ETH = 0, 1
ANSWER_TIMEOUT_MS = 500
#: So many times: enough to strike orders of both symbols in several states.
FEW = 4


@pytest.fixture(scope="module")
def request_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the exchange writes each request as it came."""
    return tmp_path_factory.mktemp("log") / "requests.jsonl"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, request_log: Path) -> Iterator[Running]:
    """One engine for all tests here, with little patience."""
    folder = tmp_path_factory.mktemp("recovery")
    exchange = Exchange(folder, "--faults", "--request-log", str(request_log))
    engine = Engine.on(
        folder, exchange,
        strategies=[strategy_of("BTCUSDT", 100, 3000), strategy_of("ETHUSDT", 1000, 1000)],
        connections={"ping_after_s": 1, "dead_after_s": 2, "first_message_s": 2},
    )  # fmt: skip
    orders = engine.config["accounts"][0]
    orders |= {"answer_timeout_ms": ANSWER_TIMEOUT_MS, "recv_window_ms": 2000}
    engine.write_config()
    with started(exchange, engine) as run:
        yield run


@pytest.fixture
def running(whole: Running) -> Iterator[Running]:
    """The engine, in sync and trading, and no fault in force before and after."""
    until(whole.view.books_in_sync, "the books were in sync")
    until(whole.is_trading(), "orders went out")
    yield whole
    whole.exchange.control("DELETE", "faults")


def over(running: Running, *numbers: int) -> None:
    """Wait until faults have struck as often as they were armed for."""
    for number in numbers:
        until(lambda number=number: running.exchange.is_over(number), "the fault had struck")


def rows(log: Path) -> list[dict[str, Any]]:
    """Return the requests logged so far, oldest first."""
    whole_lines = log.read_text().rpartition("\n")[0].splitlines() if log.exists() else []
    return [json.loads(line) for line in whole_lines]


def refused_row(log: Path, since_ns: int, via: str, word: str = "") -> dict[str, Any]:
    """Return the first request since a moment that was refused for its number."""

    def find() -> dict[str, Any] | None:
        found = logged_after(log, since_ns, via, word)
        return next((row for row in found if row["code"] == -1003), None)

    row: dict[str, Any] = until(find, "a request was refused and logged")
    return row


def logged_after(log: Path, since_ns: int, via: str, *words: str) -> list[dict[str, Any]]:
    """Return the requests with one of ``words`` in them that came after a moment."""
    return [
        row
        for row in rows(log)
        if row["via"] == via and row["recv_ns"] > since_ns
        if any(word in row["request"] for word in words)
    ]


# --- market data ---------------------------------------------------------------------------------


def test_m3_repeated_diffs_change_nothing(running: Running) -> None:
    """No gap, no snapshot, and orders go on."""
    gaps, snapshots = running.booked(Book.GAPS), running.ingested(Ingest.SNAPSHOTS)
    over(running, running.exchange.arm("duplicate", lane="diffs", count=10))
    until(running.is_trading(), "orders went out")
    assert running.booked(Book.GAPS) == gaps
    assert running.ingested(Ingest.SNAPSHOTS) == snapshots


def test_m4_swapped_diffs_are_a_gap(running: Running) -> None:
    """They are not put in order silently: the book asks for a snapshot, of a feed that stays up."""
    gaps, snapshots = running.booked(Book.GAPS), running.ingested(Ingest.SNAPSHOTS)
    down = running.booked(Book.FEEDS_DOWN)
    over(running, running.exchange.arm("swap", lane="diffs", count=1))
    until(lambda: running.booked(Book.GAPS) > gaps, "the gap was seen")
    until(running.is_trading(), "orders went out again")
    assert running.ingested(Ingest.SNAPSHOTS) > snapshots
    assert running.booked(Book.FEEDS_DOWN) == down


def test_m5_stale_snapshots_are_fetched_again_at_a_bearable_pace(
    running: Running, request_log: Path
) -> None:
    """After a gap three snapshots are too old: four are fetched, each after a longer wait."""
    snapshots, since_ns = running.ingested(Ingest.SNAPSHOTS), time.time_ns()
    stale = running.exchange.arm("stale_snapshots", count=3)
    over(running, running.exchange.arm("lose", lane="diffs", count=1), stale)
    until(running.is_trading(), "orders went out again")
    assert running.ingested(Ingest.SNAPSHOTS) == snapshots + 4
    fetches = until(lambda: depth_requests(request_log, since_ns, 4), "they were logged")
    waits_s = [(b["recv_ns"] - a["recv_ns"]) / 1e9 for a, b in pairwise(fetches)]
    assert all(wait_s > 0.1 * 2**n for n, wait_s in enumerate(waits_s)), waits_s


def depth_requests(log: Path, since_ns: int, count: int) -> list[dict[str, Any]]:
    """Return the requests for snapshots since a moment, if there are ``count``."""
    found = logged_after(log, since_ns, "rest", "/api/v3/depth")
    return found if len(found) >= count else []


@pytest.mark.parametrize(("streams", "silent"), [("btcusdt", [BTC]), ("usdt", [BTC, ETH])])
def test_m13_a_quiet_market_is_no_lost_connection(
    running: Running, streams: str, silent: list[int]
) -> None:
    """One symbol silent, or all: books stay in sync while the venue answers pings.

    What was missed meanwhile shows when the symbols are heard of again, each when its time comes.
    """
    down = running.ingested(Ingest.DISCONNECTIONS)
    wanted = {index: running.touch(index)["snapshot_wanted_count"] for index in silent}
    number = running.exchange.arm("silence", streams=streams, seconds=3)
    in_sync = running.view.books_in_sync()
    sample_count = 0
    while not running.exchange.is_over(number):
        assert in_sync
        in_sync = running.view.books_in_sync()
        sample_count += 1
    assert sample_count > 10
    for index, count in wanted.items():
        until(
            lambda index=index, count=count: running.touch(index)["snapshot_wanted_count"] > count,
            "the gap was seen",
        )
    until(running.is_trading(), "orders went out again")
    assert running.ingested(Ingest.DISCONNECTIONS) == down


def test_m13_silence_without_pongs_is_a_lost_connection(running: Running) -> None:
    """The books are invalid, a new connection is opened, orders go out again."""
    down = running.booked(Book.FEEDS_DOWN)
    running.exchange.arm("freeze", kind="streams", seconds=60)
    until(lambda: running.booked(Book.FEEDS_DOWN) == down + 1, "the connection was given up")
    assert "is silent, and does not answer pings" in running.engine.log("ingest")
    until(running.is_trading(), "orders went out again")


def test_a_stream_that_never_begins_is_asked_for_again(running: Running) -> None:
    """One symbol of a new connection says nothing from the start: another one is opened."""
    number = running.exchange.arm("silence", streams="btcusdt", seconds=4)
    running.exchange.arm("cut", kind="streams")
    words = "sends nothing of some symbol"
    before = running.engine.log("ingest").count(words)
    until(lambda: running.engine.log("ingest").count(words) > before, "the silence was noticed")
    over(running, number)
    until(running.is_trading(), "orders went out again")


def test_m15_m16_other_forms_of_the_same_messages(running: Running) -> None:
    """Fragments, unknown keys, another order, white space: no gap, no refusal, no halt."""
    before = trouble(running), running.report()["invalid_messages"]
    number = running.exchange.arm("disguise", seconds=2, padding_bytes=20_000, fragments=3)
    until(running.is_trading(), "orders went out")
    over(running, number)
    until(running.agrees, "both named the same orders")
    assert (trouble(running), running.report()["invalid_messages"]) == before


def test_an_announced_end_is_not_felt(running: Running) -> None:
    """`serverShutdown`: successors take over in time, without a gap, a pull or a lost order."""
    connected = running.ingested(Ingest.CONNECTIONS), running.gated(Gateway.CONNECTIONS)
    felt = trouble(running)
    running.exchange.arm("shutdown", seconds=3)
    until(lambda: running.ingested(Ingest.CONNECTIONS) == connected[0] + 1, "the feed changed")
    until(lambda: running.gated(Gateway.CONNECTIONS) == connected[1] + 1, "the gateway changed")
    until(running.is_trading(), "orders went out")
    assert trouble(running) == felt


def trouble(running: Running) -> list[int]:
    """Return the counters of what a run without trouble does not have."""
    return [
        running.booked(Book.GAPS),
        running.booked(Book.FEEDS_DOWN),
        running.ingested(Ingest.DISCONNECTIONS),
        running.gated(Gateway.HALTS),
        running.gated(Gateway.DISCONNECTIONS),
        running.gated(Gateway.STRAYS),
    ]


# --- orders --------------------------------------------------------------------------------------


@pytest.mark.parametrize("skew_ms", [-1270, 5000])
def test_m19_a_wrong_clock_is_found_and_allowed_for(running: Running, skew_ms: int) -> None:
    """The venue refuses our time (-1021), we ask for its own, and orders go on without a halt."""
    halts, refused = running.gated(Gateway.HALTS), clock_refusals(running)
    words = "the venue's clock is"
    noted = running.engine.log("gateway").count(words)
    running.exchange.arm("skew_clock", skew_ms=skew_ms, seconds=60)
    until(lambda: clock_refusals(running) > refused, "a request was refused for its time")
    until(lambda: running.engine.log("gateway").count(words) > noted, "the clock was asked for")
    until(accepted_more(running), "the venue took orders")
    running.exchange.control("DELETE", "faults")  # and with this it steps back
    until(accepted_more(running), "the venue took orders")
    until(running.agrees, "both named the same orders")
    assert running.gated(Gateway.HALTS) == halts
    assert running.exchange.status()["signature_failures"] == 0


def clock_refusals(running: Running) -> int:
    """Return how many requests the venue refused for their time."""
    return int(running.report()["rejects"].get("venue_clock", 0))


def accepted_more(running: Running) -> Callable[[], bool]:
    """Return the condition that the venue has placed more orders than now."""
    before = running.exchange.status()["orders_received"]
    return lambda: bool(running.exchange.status()["orders_received"] > before + 10)


LATE_MS = 2 * ANSWER_TIMEOUT_MS
DISORDER: dict[str, list[dict[str, Any]]] = {
    "lost replies": [{"fault": "lose", "lane": "replies"}],
    "late replies": [{"fault": "delay", "lane": "replies", "delay_ms": LATE_MS}],
    "doubled replies": [{"fault": "duplicate", "lane": "replies"}],
    "swapped replies": [{"fault": "swap", "lane": "replies"}],
    "lost reports": [{"fault": "lose", "lane": "reports"}],
    "late reports": [{"fault": "delay", "lane": "reports", "delay_ms": LATE_MS}],
    "doubled reports": [{"fault": "duplicate", "lane": "reports"}],
    "swapped reports": [{"fault": "swap", "lane": "reports"}],
    "all late": [
        {"fault": "delay", "lane": "replies", "delay_ms": LATE_MS},
        {"fault": "delay", "lane": "reports", "delay_ms": LATE_MS},
    ],
    "not known (-1007)": [{"fault": "time_out"}],
    "not known (-1007), and no reports": [
        {"fault": "time_out"},
        {"fault": "lose", "lane": "reports"},
    ],
}


@pytest.mark.parametrize("faults", DISORDER.values(), ids=DISORDER)
def test_m20_whatever_is_lost_or_late_the_state_is_recovered(
    running: Running, faults: list[dict[str, Any]]
) -> None:
    """Engine and exchange name the same orders again, by client id, without a new connection."""
    connected = running.gated(Gateway.CONNECTIONS)
    over(running, *(running.exchange.arm(count=FEW, **fault) for fault in faults))
    until(running.is_trading(), "orders went out")
    until(running.agrees, "both named the same orders")
    assert running.gated(Gateway.CONNECTIONS) == connected


def test_m20_no_answer_at_all_is_asked_about(running: Running) -> None:
    """Neither reply nor report: after its time the order is unknown, and the venue is asked."""
    overdue, asked = running.gated(Gateway.TIMEOUTS), running.gated(Gateway.STATUS_ASKED)
    lost = [running.exchange.arm("lose", lane=lane, count=20) for lane in ("replies", "reports")]
    over(running, *lost)
    until(lambda: running.gated(Gateway.TIMEOUTS) > overdue, "an answer was missed")
    until(lambda: running.gated(Gateway.STATUS_ASKED) > asked, "the venue was asked")
    until(running.is_trading(), "orders went out")
    until(running.agrees, "both named the same orders")


def throttled_count(running: Running) -> int:
    """Return how many requests were refused for their number, by the venue or for its sake."""
    return int(running.report()["rejects"].get("venue_throttled", 0))


@pytest.mark.parametrize("status", [429, 418])
def test_m23_nothing_new_is_sent_before_the_venue_wants_it(
    running: Running, request_log: Path, status: int
) -> None:
    """Refused for our number, we place nothing until the time it names; cancels still go out."""
    since_ns, throttled = time.time_ns(), throttled_count(running)
    running.exchange.arm("refuse", status=status, retry_after_s=3, via="ws-api", count=1)
    until(lambda: throttled_count(running) > throttled, "a request was refused for its number")
    running.exchange.arm("stale_snapshots", count=3)
    running.exchange.arm("lose", lane="diffs", count=1)  # the quotes must be pulled for a while
    until(accepted_more(running), "orders went out again")
    refused = refused_row(request_log, since_ns, "ws-api")
    placed = until(
        lambda: logged_after(request_log, refused["recv_ns"] + 3_000_000_000, "ws-api", "order."),
        "they were logged",
    )
    until_ns = refused["recv_ns"] + 3_000_000_000
    new = logged_after(request_log, refused["recv_ns"], "ws-api", "order.place", "cancelReplace")
    early = [row for row in new if row["recv_ns"] < until_ns - 1_000_000]  # it tells milliseconds
    under_way = [row for row in early if row["recv_ns"] < refused["recv_ns"] + 1_000_000_000]
    assert early == under_way
    assert len(under_way) <= 4  # one for each quote
    cancels = logged_after(request_log, refused["recv_ns"], "ws-api", '"order.cancel"')
    assert any(row["recv_ns"] < until_ns for row in cancels)
    assert placed


def test_m23_a_new_connection_waits_until_the_venue_wants_it(
    running: Running, request_log: Path
) -> None:
    """Refused while reconciling, we ask nothing more until the time it names."""
    since_ns = time.time_ns()
    running.exchange.arm("refuse", retry_after_s=2, via="ws-api", seconds=1)
    running.exchange.arm("cut", kind="orders")
    refused = refused_row(request_log, since_ns, "ws-api", '"method":"time"')
    until(running.is_trading(), "orders went out again")
    after = until(
        lambda: logged_after(request_log, refused["recv_ns"], "ws-api", "method"),
        "they were logged",
    )
    assert after[0]["recv_ns"] - refused["recv_ns"] > 1_900_000_000


def test_m23_snapshots_wait_until_the_venue_wants_it(running: Running, request_log: Path) -> None:
    """Refused a snapshot, we ask for none until the time it names."""
    since_ns = time.time_ns()
    running.exchange.arm("refuse", retry_after_s=2, via="rest", count=1)
    running.exchange.arm("lose", lane="diffs", count=1)
    refused = refused_row(request_log, since_ns, "rest")
    until(running.is_trading(), "orders went out again")
    after = until(
        lambda: logged_after(request_log, refused["recv_ns"], "rest", "/api/v3/depth"),
        "they were logged",
    )
    assert after[0]["recv_ns"] - refused["recv_ns"] > 1_900_000_000


def test_no_side_ever_held_two_orders(running: Running) -> None:
    """In all that was tried here, each order had ended before the next of its side arrived."""
    sides = defaultdict(list)
    for order in running.exchange.audit()["orders"]:
        sides[order["symbol"], order["side"]].append(order)
    assert len(sides) == 4
    for orders in sides.values():
        assert len(orders) > 100
        for former, later in pairwise(sorted(orders, key=lambda order: order["arrived_ns"])):
            assert 0 < former["ended_ns"] <= later["arrived_ns"], (former, later)
