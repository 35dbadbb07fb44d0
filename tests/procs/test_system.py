"""The whole engine on the local exchange: real processes, sockets and shared memory."""

import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from engines import MAKER_FEE, Engine, Exchange, Watch, free_port, strategy_of, until
from proxy import Proxy
from running import Running, holds, started

from ipc.segment import list_segments
from procs.plan.credentials import SECRET_VARIABLE
from procs.stages import book_stage
from procs.stages.ingest import ingest_stage
from procs.stages.strategy_inputs import StrategyCounter
from vortex.codes import BookState, Kind
from vortex.orders.positions import held_e8
from vortex.records import REQUEST, TOP

pytestmark = pytest.mark.timeout(1000)  # it may be the first to need the compiler

BTC = 0
#: Quotes so far from the touch that nobody trades with them: they rest until they are pulled.
WIDE = [strategy_of("BTCUSDT", 100, 3000), strategy_of("ETHUSDT", 1000, 1000)]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One engine for many tests, behind a proxy that can spoil its market data."""
    folder = tmp_path_factory.mktemp("running")
    exchange = Exchange(folder)
    proxy = Proxy(exchange.ws_port)
    engine = Engine.on(
        folder, exchange, f"ws://127.0.0.1:{proxy.port}", rings={"market_bits": 13, "tops_bits": 14}
    )
    with started(exchange, engine, proxy) as run:
        yield run


def records(view: Watch, ring_name: str, layout: Any) -> "np.ndarray[Any, Any]":
    """Return what a ring still holds, oldest first, with the sequence in `seq`."""
    found = view.last_records(ring_name, 1 << 24)
    raw = b"".join(record[: layout.dtype.itemsize] for _, record in found)
    return np.frombuffer(raw, layout.dtype)


def test_it_trades_soon_on_every_symbol(running: Running) -> None:
    """The first fill comes within a thousand orders, and each symbol is traded."""
    until(lambda: running.report()["fills"], "a fill was counted")
    assert running.report()["orders"] < 1000
    fills = running.view.records("positions")["fill_count"]
    until(lambda: bool(np.all(fills > 0)), "every symbol was traded")


def test_the_exchange_accepts_every_signature(running: Running) -> None:
    """No request was refused for its signature, its clock or its key."""
    until(running.is_trading(), "orders went out")
    status = running.exchange.status()
    assert status["orders_received"] > 0
    assert status["signature_failures"] == 0
    refused = running.report()["rejects"]
    assert not {"venue_signature", "venue_clock", "venue_filter", "out_of_bounds"} & set(refused)


def test_status_is_zero_and_a_table_when_ready(running: Running) -> None:
    """`status` names every stage with its process, and every book."""
    until(running.view.ready, "everything was ready")
    done = running.engine.run("status", "-n", running.engine.name)
    assert done.exit_code == 0
    for role in running.view.wiring.roles:
        assert re.search(rf"^{role} +ready +{running.view.pid(role)} ", done.output, re.MULTILINE)
    assert "book BTCUSDT: in sync" in done.output
    assert "book ETHUSDT: in sync" in done.output
    assert re.search(
        r"^log writer: pid \d+, \d+ events written, 0 lost$", done.output, re.MULTILINE
    )


def test_status_in_json_has_a_fixed_schema(running: Running) -> None:
    """Scripts can rely on the keys of `status -o json`."""
    until(running.view.ready, "everything was ready")
    done = running.engine.run("status", "-n", running.engine.name, "-o", "json")
    assert done.exit_code == 0
    facts = json.loads(done.output)
    assert facts["schema"] == 1
    assert facts["running"] is facts["ready"] is True
    assert set(facts) == {
        "schema", "running", "ready", "instance", "run_id", "run_folder", "supervisor_pid",
        "stages", "books", "rings", "log_writer", "balances", "open_orders", "report",
    }  # fmt: skip
    assert list(facts["stages"]) == ["ingest", "book", "strategy", "gateway"]
    for stage in facts["stages"].values():
        assert set(stage) == {
            "state", "heartbeat_ms", "pid", "cpu", "wait", "supervised", "restarts",
        }  # fmt: skip
        assert (stage["state"], stage["supervised"]) == ("ready", "up")
    assert set(facts["balances"]["main"]) == {"BTC", "ETH", "USDT"}
    assert set(facts["books"]) == {"BTCUSDT", "ETHUSDT"}
    assert set(facts["rings"]) == {"market.ingest", "tops", "requests", "events"}
    assert facts["supervisor_pid"] == running.engine.mark.pid
    assert facts["log_writer"]["pid"] == running.view.records("log_marks")[0]["pid"]
    assert facts["log_writer"]["written"] > 0
    assert facts["log_writer"]["lost"] == 0
    assert facts["report"]["schema"] == 1


def test_a_second_start_is_refused_with_one_line(running: Running) -> None:
    """The line says what to do, and the running instance does not notice."""
    done = running.engine.process("start", "-c", str(running.engine.config_path))
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert f"vortexctl status -n {running.engine.name}" in done.stderr
    until(running.is_trading(), "orders went out")


def test_logs_can_be_read(running: Running) -> None:
    """`logs` prints the last lines of all stages, or of one."""
    name = running.engine.name
    everything = running.engine.run("logs", "-n", name)
    assert everything.exit_code == 0
    assert "order connection to" in everything.output
    assert "snapshot of BTCUSDT" in everything.output
    one = running.engine.run("logs", "-n", name, "gateway", "-l", "1")
    assert len(one.output.splitlines()) == 1
    wrong = running.engine.run("logs", "-n", name, "nobody")
    assert wrong.exit_code == 2
    assert "gateway" in wrong.output


def test_nothing_secret_is_written(running: Running) -> None:
    """Neither logs nor launch files nor the command lines hold the key or its secret."""
    written = b"".join(
        path.read_bytes() for path in running.engine.run_folder.rglob("*") if path.is_file()
    )
    for pid in running.engine.pids:
        written += Path(f"/proc/{pid}/cmdline").read_bytes()
    for value in running.exchange.keys.values():
        assert value.encode() not in written


def test_only_the_gateway_has_the_key(running: Running) -> None:
    """No other stage holds its secret anywhere in its memory."""
    secret = running.exchange.keys[SECRET_VARIABLE].encode()
    for role in running.view.wiring.roles:
        assert holds(running.view.pid(role), secret) == (role == "gateway"), role


def test_every_stage_runs_where_it_was_placed(running: Running) -> None:
    """The kernel agrees with the plan: hot threads on their CPU, the others on theirs."""
    for role, place in running.view.placement().items():
        status = running.view.status(role)
        assert os.sched_getaffinity(int(status["thread_id"])) == {place["cpu"]}
        assert os.sched_getaffinity(place["pid"]) != set()


def test_what_a_stage_uses_stays_in_memory(running: Running) -> None:
    """Each process has locked what it uses; where the user may not, the log says so."""
    for role in running.view.wiring.roles:
        status = Path(f"/proc/{running.view.pid(role)}/status").read_text()
        locked = re.search(r"^VmLck:\s+(\d+) kB$", status, re.MULTILINE)
        log = (running.engine.run_folder / "logs" / f"{role}.log").read_text()
        assert locked is not None
        assert (int(locked[1]) > 0) != ("memory is not locked" in log)


def test_a_malformed_frame_is_counted_and_the_book_recovers(running: Running) -> None:
    """A spoilt ticker only counts; a spoilt diff is found by the gap that it leaves."""
    until(running.view.books_in_sync, "the books were in sync")
    invalid, gaps = running.report()["invalid_messages"], running.report()["gaps"]
    ticker = running.proxy.once(b"btcusdt@bookTicker", change=lambda text: text[:-9])
    until(lambda: running.report()["invalid_messages"] == invalid + 1, "the ticker was refused")
    assert ticker.applied.is_set()
    assert running.report()["refusals"]["not_json"] >= 1
    until(lambda: "message refused: not json" in running.engine.log("hot"), "it was logged")
    running.proxy.once(
        b"btcusdt@depth", change=lambda text: text.replace(b'"b":[["', b'"b":[["x', 1)
    )
    until(lambda: running.report()["invalid_messages"] == invalid + 2, "the diff was refused")
    until(lambda: running.report()["gaps"] > gaps, "the gap was seen")
    until(lambda: "sequence gap" in running.engine.log("hot"), "the gap was logged")
    until(running.is_trading(), "the book was in sync and orders went out")


def test_a_gap_pulls_the_quotes_until_a_snapshot_came(running: Running) -> None:
    """From the lost diff to the snapshot the book is invalid and only cancels are requested."""
    until(running.view.books_in_sync, "the books were in sync")
    gaps = running.report()["gaps"]
    snapshots = running.count("ingest", ingest_stage.IngestCounter.SNAPSHOTS)
    pulled = running.count("strategy", StrategyCounter.PULLED)
    running.proxy.once(b"btcusdt@depth", change=lambda text: None)
    until(lambda: running.report()["gaps"] == gaps + 1, "the gap was seen")
    until(running.is_trading(), "orders went out again")
    assert running.count("ingest", ingest_stage.IngestCounter.SNAPSHOTS) == snapshots + 1
    assert running.count("strategy", StrategyCounter.PULLED) > pulled
    found = running.view.last_records("tops", 1 << 20)
    seqs = [seq for seq, _ in found]
    tops = np.frombuffer(b"".join(raw for _, raw in found), TOP.dtype)
    bad = np.flatnonzero(
        (tops["kind"] == Kind.TOP) & (tops["instrument_id"] == BTC) & (tops["is_valid"] == 0)
    )
    first_bad, last_bad = seqs[bad[-1]], seqs[bad[-1]]
    for index in bad[::-1]:  # the newest unbroken stretch, of BTC's own records
        between = tops[index : bad[-1]]
        between = between[(between["kind"] == Kind.TOP) & (between["instrument_id"] == BTC)]
        if np.any(between["is_valid"] == 1):
            break
        first_bad = seqs[index]
    requests = records(running.view, "requests", REQUEST)
    mine = requests[requests["instrument_id"] == BTC]
    read = mine["tops_consumed_seq"]
    meanwhile = mine[(read > first_bad) & (read <= last_bad)]
    assert set(meanwhile["kind"].tolist()) <= {int(Kind.CANCEL)}
    after = tops[bad[-1] + 1 :]
    after = after[(after["kind"] == Kind.TOP) & (after["instrument_id"] == BTC)]
    assert after["resync_count"][0] == 1, "the top that ends it says so"
    assert not after["resync_count"][1:].any()
    assert running.touch(BTC)["state"] == BookState.LIVE


def test_a_cut_connection_is_opened_again(running: Running) -> None:
    """The books are invalid until the new connection has brought snapshots."""
    down = running.count("book", book_stage.BookCounter.FEEDS_DOWN)
    running.proxy.cut()
    until(
        lambda: running.count("book", book_stage.BookCounter.FEEDS_DOWN) == down + 1,
        "the book knows",
    )
    until(running.is_trading(), "orders went out again")
    assert running.count("ingest", ingest_stage.IngestCounter.CONNECTIONS) >= 2


def test_a_full_ring_is_counted_and_given_up_in_time(running: Running) -> None:
    """While the book is stopped its ring fills and its quotes are pulled; then all comes back."""
    until(running.view.books_in_sync, "the books were in sync")
    epochs = running.count("ingest", ingest_stage.IngestCounter.EPOCHS)
    entered = running.count("book", book_stage.BookCounter.EPOCHS)
    # The supervisor as well: it would continue the book.
    pids = [running.engine.mark.pid, running.view.pid("book")]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        until(
            lambda: running.count("ingest", ingest_stage.IngestCounter.EPOCHS) > epochs,
            "it was given up",
        )
        until(lambda: running.open_orders() == 0, "the gateway missed the heartbeat and pulled")
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    until(lambda: running.count("book", book_stage.BookCounter.EPOCHS) > entered, "the book knew")
    until(running.is_trading(), "orders went out again")
    facts = running.report()
    assert facts["dropped"] > 0
    assert running.count("ingest", ingest_stage.IngestCounter.STALLS) > 0
    assert running.count("ingest", ingest_stage.IngestCounter.STALL_NS) >= 100_000_000


def test_the_report_is_consistent(running: Running) -> None:
    """Sums that must agree do."""
    until(running.is_trading(), "orders went out")
    view = running.view
    facts = running.report()
    assert facts["messages"] <= running.count("ingest", ingest_stage.IngestCounter.FRAMES)
    assert facts["book_updates"] <= running.count("book", book_stage.BookCounter.FRAMES)
    counts = {hop["wait"]["count"] for hop in facts["hops_ns"].values()}
    counts |= {hop["service"]["count"] for hop in facts["hops_ns"].values()}
    assert max(counts) - min(counts) <= 2  # read while it runs
    histograms = [view.histogram("gateway", name)[0] for name in (
        "tick_to_order_ns", *(f"{hop}_{part}_ns" for hop in ("ingest", "book", "strategy",
        "gateway") for part in ("wait", "service")))]  # fmt: skip
    for facts_of in ("tick_to_order_ns", "recv_to_order_ns", "order_round_trip_ns"):
        summary = facts[facts_of]
        known = [summary[name] for name in ("p50", "p90", "p99", "p99_9", "max")]
        known = [value for value in known if value is not None]
        assert known == sorted(known)
    assert histograms[0]["max_ns"] >= max(int(h["max_ns"]) for h in histograms[1:])
    assert set(facts["position"]) == {"BTCUSDT", "ETHUSDT"}
    assert set(facts["placement"]) == set(view.wiring.roles)


def test_stop_leaves_nothing_and_the_books_agree(running: Running) -> None:
    """After stop: no order, segment or process; fills, positions and balances as the exchange's."""
    until(running.is_trading(), "orders went out")
    stopped = running.engine.stop()
    assert stopped.exit_code == 0, stopped.output
    assert "report.json" in stopped.output
    until(running.engine.has_left_nothing, "all processes had ended")
    status = running.exchange.status()
    assert status["open_order_count"] == 0
    facts = json.loads((running.engine.run_folder / "report.json").read_text())
    venue = running.exchange.stop()
    assert venue["open_orders"] == []
    assert venue["signature_failures"] == 0
    assert facts["fills"] == venue["fill_count"]
    for symbol, held in facts["position"].items():
        assert Decimal(held) == Decimal(venue["positions"][symbol])
    check_balances(running.engine.run_folder, venue)
    worst = running.engine.run("worst", "-n", running.engine.name, "-l", "1")
    assert worst.exit_code == 0, worst.output
    assert "are kept" in worst.output, "the archive has them"
    again = running.engine.stop()
    assert again.exit_code == 0
    assert "not running" in again.output
    gone = running.engine.run("status", "-n", running.engine.name, "-o", "json")
    assert gone.exit_code == 3
    assert json.loads(gone.output) == {"schema": 1, "running": False}


def check_balances(run_folder: Path, venue: dict[str, Any]) -> None:
    """What the engine counted, fees included, is what changed in the account."""
    begun = {"BTC": Decimal(100), "ETH": Decimal(2000), "USDT": Decimal(10_000_000)}
    with np.load(run_folder / "tables.npz") as tables:
        positions, instruments = tables["positions"], tables["instruments"]
    for position, instrument in zip(positions, instruments, strict=True):
        tick, lot = (Decimal(int(instrument[f"{u}_e8"])) / 10**8 for u in ("tick", "lot"))
        base, quote = (instrument[f"{side}_asset"].decode() for side in ("base", "quote"))
        begun[base] += int(position["base_lots"]) * lot
        begun[base] -= Decimal(int(position["fee_base_e8"])) / 10**8
        begun[quote] += int(position["cash"]) * tick * lot
        begun[quote] -= Decimal(int(position["fee_quote_e8"])) / 10**8
        fills = venue["fills"][instrument["symbol"].decode()]
        assert int(position["fill_count"]) == len(fills)
        bought = sum(Decimal(f["qty"]) * (1 if f["isBuyer"] else -1) for f in fills)
        assert bought == int(position["base_lots"]) * lot
    held = {row["asset"]: Decimal(row["free"]) + Decimal(row["locked"])
            for row in venue["balances"]}  # fmt: skip
    assert {asset: held[asset] for asset in begun} == begun
    for position, instrument in zip(positions, instruments, strict=True):
        assert position["has_opening"] == 1
        counted_e8 = held_e8(position, int(instrument["lot_e8"]))
        assert Decimal(counted_e8) / 10**8 == held[instrument["base_asset"].decode()]
    assert Decimal(MAKER_FEE) > 0


def test_a_missing_secret_is_one_line_and_starts_nothing(
    new_engine: Callable[..., Engine],
) -> None:
    """The message names the variables; no run folder appears."""
    engine = new_engine()
    done = engine.process("start", "-c", str(engine.config_path), VORTEX_API_SECRET="")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "VORTEX_API_SECRET" in done.stderr
    assert not (engine.folder / "runs").exists()


def test_a_venue_that_is_not_there_ends_the_start(tmp_path: Path, market: Exchange) -> None:
    """The message names the key of the configuration; nothing is left."""
    url = f"http://127.0.0.1:{free_port()}"
    engine = Engine(tmp_path, url, market.ws_url, market.ws_url, market.keys)
    try:
        done = engine.start()
        assert done.returncode == 1
        assert "`$.sources[0].rest_url`" in done.stderr
        assert "Connection refused" in done.stderr
        assert list_segments(engine.name) == []
    finally:
        engine.close()


def test_optimized_python_is_refused(new_engine: Callable[..., Engine]) -> None:
    """`python -O` strips the assertions, so nothing starts under it."""
    engine = new_engine()
    done = engine.process("start", "-c", str(engine.config_path), PYTHONOPTIMIZE="1")
    assert done.returncode == 2
    assert "without -O" in done.stderr


def test_a_dead_supervisor_leaves_no_orders_and_stop_cleans_up(
    new_engine: Callable[..., Engine], market: Exchange
) -> None:
    """The gateway notices and pulls; another configuration is refused; `stop` ends the stages."""
    engine = new_engine(strategies=WIDE)
    assert engine.start().returncode == 0
    until(lambda: market.status()["open_order_count"], "an order is open")
    os.kill(engine.mark.pid, signal.SIGKILL)
    until(lambda: "the supervisor died" in engine.log("gateway"), "the gateway noticed")
    until(lambda: market.status()["open_order_count"] == 0, "the gateway had pulled")
    # The stages may notice before the last thread of the supervisor, and with it its lock, is gone.
    until(lambda: engine.run("status", "-n", engine.name).exit_code == 3, "its lock was free")
    other = engine.folder / "other.toml"
    other.write_bytes(msgspec.toml.encode({**engine.config, "quoting": {"reprice_ticks": 7}}))
    refused = engine.process("start", "-c", str(other))
    assert refused.returncode == 1
    assert "vortexctl stop" in refused.stderr
    stopped = engine.stop()
    assert stopped.exit_code == 0, stopped.output
    until(engine.has_left_nothing, "all processes had ended")
    assert market.status()["open_order_count"] == 0


def test_what_a_killed_run_left_is_removed_at_the_next_start(
    new_engine: Callable[..., Engine], market: Exchange
) -> None:
    """Segments are removed, open orders are cancelled, and it trades again."""
    engine = new_engine(strategies=WIDE)
    assert engine.start().returncode == 0
    until(lambda: market.status()["open_order_count"], "an order is open")
    for pid in (engine.mark.pid, *engine.pids):
        os.kill(pid, signal.SIGKILL)
    stale = list_segments(engine.name)
    assert stale
    assert market.status()["open_order_count"]
    engine.supervise()
    log = engine.log("supervisor")
    assert all(f"removed stale segment {name}" in log for name in stale)
    assert "cancelled" in engine.log("gateway")
    until(lambda: market.status()["open_order_count"], "an order is open")
    check_stop(engine, market)


def test_orders_of_a_killed_gateway_are_cancelled(
    new_engine: Callable[..., Engine], market: Exchange
) -> None:
    """The next gateway cancels them before it trades."""
    engine = new_engine(strategies=WIDE)
    engine.supervise()
    until(lambda: market.status()["open_order_count"], "an order is open")
    os.kill(engine.view().pid("gateway"), signal.SIGKILL)
    until(lambda: "gateway ended with status -9" in engine.log("supervisor"), "it was noticed")
    until(lambda: "cancelled" in engine.log("gateway"), "the open orders were cancelled")
    until(engine.view().ready, "the run is ready again")
    until(lambda: market.status()["open_order_count"], "an order is open")
    check_stop(engine, market)


def check_stop(engine: Engine, market: Exchange) -> None:
    """On an order to end, the run pulls everything, leaves its report and nothing else."""
    assert engine.supervisor is not None
    engine.supervisor.send_signal(signal.SIGTERM)
    assert engine.supervisor.wait(timeout=90) == 0
    assert market.status()["open_order_count"] == 0
    assert "no order of ours is open at the venue" in engine.log("supervisor")
    until(engine.has_left_nothing, "all processes had ended")
    assert (engine.run_folder / "report.json").exists()
    assert engine.run("status", "-n", engine.name).exit_code == 3
