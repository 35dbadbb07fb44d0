"""top, attach and tap on a running engine, in real terminals; and that it does not notice them."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engines import ROOT, Engine, Exchange, command_line, until
from running import Running, started
from terminals import Terminal

from procs.observe.taps import decode
from procs.plan import run_records, wiring
from procs.stages.base.outliers import Cause
from procs.stages.gateway.context import GatewayCounter

pytestmark = pytest.mark.timeout(1000)  # it may be the first to need the compiler

STAGES = ("ingest", "book", "strategy", "gateway")
#: Small, so that a tap that does not read is overtaken soon.
REQUESTS_BITS = 6


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One engine for all tests of this file; the last of them kills it."""
    folder = tmp_path_factory.mktemp("running")
    exchange = Exchange(folder)
    engine = Engine.on(folder, exchange, rings={"requests_bits": REQUESTS_BITS})
    with started(exchange, engine) as run:
        until(lambda: run.report()["orders"] > 10, "orders went out")
        yield run


def spawn(engine: Engine, *arguments: str, **options: Any) -> "subprocess.Popen[str]":
    """Start one vortexctl command with pipes."""
    return subprocess.Popen(
        [sys.executable, "-m", "procs.cli", *arguments],
        cwd=ROOT, env={**os.environ, **engine.environment}, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
    )  # fmt: skip


def worst_of(engine: Engine) -> list[dict[str, Any]]:
    """Return what ``vortexctl worst`` knows of every order over budget."""
    done = engine.run("worst", "-n", engine.name, "-o", "json", "-l", str(wiring.WORST_ROWS))
    assert done.exit_code == 0, done.output
    facts = json.loads(done.output)
    assert facts["kept"] == len(facts["orders"])
    found: list[dict[str, Any]] = facts["orders"]
    return found


# Terminals.


@pytest.mark.parametrize("columns", [60, 100])
def test_top_shows_the_pipeline_in_a_terminal(running: Running, columns: int) -> None:
    """Every stage, book and ring that is read; `q` leaves, the terminal as it was."""
    terminal = Terminal(running.engine, "top", "-n", running.engine.name, columns=columns)
    try:
        rings = [name for name, link in running.view.wiring.links.items() if link.reader]
        names = (*STAGES, *rings, "BTCUSDT", "ETHUSDT", "tick-to-order")
        shown = terminal.wait_for("ready", "messages", *names)
        assert "Traceback" not in shown
        assert "…" not in shown, "nothing had to be cut"
        terminal.press(" ")
        terminal.wait_for("space continue")
        assert terminal.leave() == 0
    finally:
        terminal.close()


@pytest.mark.parametrize("columns", [60, 120])
@pytest.mark.parametrize("stage", ["book", "gateway"])
def test_attach_shows_a_stage_in_a_terminal(running: Running, stage: str, columns: int) -> None:
    """Each page holds what it is for."""
    terminal = Terminal(
        running.engine, "attach", stage, "-n", running.engine.name, columns=columns, rows=60
    )
    rings = [n for n, k in running.view.wiring.links.items() if stage in (k.writer, k.reader)]
    try:
        terminal.wait_for("heartbeat", f"pid {running.view.pid(stage)}", "faults", *rings)
        for key, words in {
            "2": ("field", "kind", "publish_ns"),
            "3": ("BTCUSDT: position", "bid size"),
            "4": ("profit", "resting"),
            "5": ("counter", "per second", "never counted"),
            "6": (f"{stage}-wait", "≤"),
            "1": ("microseconds", *rings),
        }.items():
            terminal.press(key)
            assert "Traceback" not in terminal.wait_for(*words)
        assert terminal.leave() == 0
    finally:
        terminal.close()


def test_without_what_draws_screens_a_line_says_what_to_install(running: Running) -> None:
    """And `--plain` needs nothing."""
    folder = running.engine.folder / "hidden" / "textual"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "__init__.py").write_text("raise ImportError('not installed')")
    running.engine.environment["PYTHONPATH"] = str(folder.parent)
    try:
        terminal = Terminal(running.engine, "top", "-n", running.engine.name)
        try:
            terminal.wait_for("pip install 'vortex-mm[top]'")
        finally:
            terminal.close()
        done = running.engine.process("top", "-n", running.engine.name, "-i", "0.1", "--plain")
        assert done.returncode == 0, done.stderr
    finally:
        del running.engine.environment["PYTHONPATH"]


# Pipes.


def test_top_is_text_on_a_pipe_and_json_for_programs(running: Running) -> None:
    """No colour, no cursor; the numbers of the sample are those of the run."""
    done = running.engine.process("top", "-n", running.engine.name, "-i", "0.3")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert all(re.search(rf"^{stage} ", done.stdout, re.M) for stage in STAGES)
    orders_before = running.report()["orders"]
    done = running.engine.process("top", "-n", running.engine.name, "-i", "0.3", "-o", "json")
    facts = json.loads(done.stdout)
    assert facts["schema"] == facts["sample"]["schema"] == facts["rates"]["schema"] == 1
    taken, stages = facts["sample"], facts["sample"]["stages"]
    assert {role: stage["pid"] for role, stage in stages.items()} == {
        role: running.view.pid(role) for role in STAGES
    }
    counters = stages["gateway"]["counters"]
    placed = counters["placed"] + counters["replaced"]
    assert orders_before <= placed <= running.report()["orders"]
    assert taken["is_supervised"]
    assert facts["note"] == ""
    assert all(stage["thread"]["cpu_ns"] > 0 for stage in stages.values() if stage["thread"])
    assert sum(stages["gateway"]["latencies"]["tick_to_order_ns"]["bins"].values()) > 0


def test_attach_prints_every_page_on_a_pipe(running: Running) -> None:
    """The ladder shows the book; the JSON shows the log."""
    name = running.engine.name
    done = running.engine.run("attach", "book", "-n", name)
    assert done.exit_code == 0, done.output
    for title in ("stage", "records", "book", "orders", "counters", "latency"):
        assert f"== {title} ==" in done.output
    done = running.engine.run("attach", "strategy", "-n", name, "-o", "json")
    facts = json.loads(done.output)
    assert (facts["schema"], facts["stage"]) == (1, "strategy")
    assert facts["sample"]["counters"]["decisions"] > 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["attach"], "which stage?"),
        (["attach", "nonsense"], "there are ingest, book, strategy, gateway"),
        (["attach", "book", "--tap", "nonsense"], "there are market.ingest, tops"),
        (["attach", "book", "--tap", "tops", "--where", "foo > 1"], "no field 'foo'"),
        (["attach", "book", "--tap", "tops", "--where", "bid_ticks >"], "is not an expression"),
        (["attach", "book", "--where", "bid_ticks > 1"], "goes with --tap"),
    ],
)
def test_what_makes_no_sense_is_one_line_and_status_2(
    running: Running, arguments: list[str], words: str
) -> None:
    done = running.engine.run(*arguments, "-n", running.engine.name)
    assert done.exit_code == 2, done.output
    assert words in done.output
    assert len(done.output.splitlines()) == 1


# Taps.


def test_a_tap_prints_what_is_on_the_ring(running: Running) -> None:
    """Record by record the bytes that another observer copies, in unbroken order."""
    name = running.engine.name
    done = running.engine.process(
        "attach", "strategy", "--tap", "tops", "-n", "300", "-n", name, "-o", "json"
    )
    held = dict(running.view.last_records("tops", 1 << 20))
    assert done.returncode == 0, done.stderr
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(printed) == 300
    first = printed[0]["seq"]
    assert [record["seq"] for record in printed] == list(range(first, first + 300))
    assert "0 lost" in done.stderr
    spec = running.view.rings["tops"].spec
    compared = 0
    for record in printed:
        raw = held.get(record["seq"])
        if raw is not None:
            layout = decode.layout_of(spec, raw)
            assert layout is not None
            expected = decode.named(decode.fields_of(layout, raw))
            assert {key: record[key] for key in expected} == expected
            compared += 1
    assert compared, "none of them was left to compare with"


def test_a_tap_takes_only_what_is_meant_and_writes_it_to_a_file(running: Running) -> None:
    """By symbol and kind."""
    path = running.engine.folder / "taken.jsonl"
    done = running.engine.process(
        "attach", "gateway", "--tap", "events", "--where",
        "symbol == 'ETHUSDT' and kind in (ACKED, FILLED)", "-n", "20", "--to", str(path),
        "--instance", running.engine.name,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    head, *rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert (head["line"], head["ring"]) == ("head", "events")
    assert len(rows) == 20
    assert {row["symbol"] for row in rows} == {"ETHUSDT"}
    assert {row["kind"] for row in rows} <= {"acked", "filled"}


def test_a_tap_that_was_overtaken_says_by_how_much(running: Running) -> None:
    """It is stopped while the ring goes round; seen and lost are then all that was published."""
    engine, shared = running.engine, running.view.rings["requests"]
    process = spawn(
        engine, "attach", "--tap", "requests", "-n", engine.name, "-o", "json", bufsize=1
    )
    assert process.stdout is not None
    try:
        first = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGSTOP)
        start_seq = shared.published_seq
        until(
            lambda: shared.published_seq > start_seq + 3 * shared.spec.capacity_count,
            "the ring went round",
        )
        process.send_signal(signal.SIGCONT)
        rows = [first]
        while "lost" not in rows[-1]:
            rows.append(json.loads(process.stdout.readline()))
        lost_count = rows.pop()["lost"]
        after = json.loads(process.stdout.readline())
        assert lost_count >= shared.spec.capacity_count
        assert after["seq"] == rows[-1]["seq"] + lost_count + 1
        process.send_signal(signal.SIGINT)
        _, printed = process.communicate(timeout=60)
        assert re.search(r"\d+ lost", printed)
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


def test_a_reader_that_has_enough_ends_the_tap_quietly(running: Running) -> None:
    """As `| head` does."""
    process = spawn(running.engine, "attach", "--tap", "tops", "-n", running.engine.name)
    assert process.stdout is not None
    assert process.stdout.readline()
    process.stdout.close()
    try:
        assert process.wait(timeout=60) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


# Going further.


def test_every_request_that_was_sent_is_listed(running: Running) -> None:
    """As many as the gateway counted; its histogram has those that a frame caused."""
    gated = running.gated

    def counts() -> tuple[int, int]:
        names = (GatewayCounter.PLACED, GatewayCounter.REPLACED, GatewayCounter.CANCELED)
        return running.view.rings["sent"].published_seq, sum(gated(name) for name in names)

    until(lambda: counts()[0] == counts()[1] > 100, "nothing was under way")


def test_the_worst_orders_are_listed_with_what_held_them_up(running: Running) -> None:
    """Each is over its budget; its parts sum to the whole; no hop lost more than it took."""
    orders = until(lambda: worst_of(running.engine), "an order was over its budget")
    assert [each["total_ns"] for each in orders] == sorted(
        (each["total_ns"] for each in orders), reverse=True
    )
    assert orders[0]["total_ns"] <= running.report()["tick_to_order_ns"]["max"]
    parts = [f"{hop}_{part}_ns" for hop in run_records.HOPS for part in ("wait", "service")]
    for each in orders:
        assert each["total_ns"] > each["budget_ns"] == 200_000
        assert sum(each[part] for part in parts) == each["total_ns"]
        for hop, lost_ns in each["lost_ns"].items():
            assert 0 <= lost_ns <= each[f"{hop}_wait_ns"] + each[f"{hop}_service_ns"]
        assert each["cause"] in {cause.name.lower() for cause in Cause}
    done = running.engine.run("worst", "-n", running.engine.name, "-l", "3")
    assert done.exit_code == 0
    assert orders[0]["symbol"] in done.output
    assert max(map(len, done.output.splitlines())) <= 60


def test_a_stack_names_the_compiled_loop_and_stops_nothing(running: Running) -> None:
    """The hot thread by its compiled functions, the main thread by Python's."""
    done = running.engine.process("attach", "gateway", "--stack", "-n", running.engine.name)
    assert done.returncode == 0, done.stderr
    assert "costs the stage nothing" in done.stderr
    assert "procs.stages.gateway.gateway_stage.loop" in done.stdout
    if shutil.which("py-spy") or Path(sys.executable).with_name("py-spy").exists():
        assert "run_stage.py" in done.stdout


def test_a_profile_names_compiled_functions(running: Running) -> None:
    """It says beforehand what it costs, and leaves a flame graph."""
    if shutil.which("perf") is None:
        pytest.skip("no perf on this machine")
    done = running.engine.process("attach", "gateway", "--profile", "2", "-n", running.engine.name)
    if done.returncode == 1 and "ermission" in done.stderr + done.stdout:
        pytest.skip("perf may not be used by this user")
    assert done.returncode == 0, done.stderr
    assert "997 times a second" in done.stderr
    (graph,) = running.engine.run_folder.glob("profiles/gateway-*/flame.svg")
    assert str(graph) in done.stdout
    folded = (graph.parent / "folded.txt").read_text()
    assert re.search(r"\b(procs|vortex|ipc)\.\w+", folded), "no compiled function has a name"


def test_gdb_asks_first_and_finds_the_hot_thread(running: Running) -> None:
    """Left, it lets the stage go on."""
    engine, view = running.engine, running.view
    done = spawn(engine, "attach", "strategy", "--gdb", "-n", engine.name)
    out, printed = done.communicate(timeout=60)
    assert done.returncode == 1
    assert "gdb stops strategy" in printed
    if shutil.which("gdb") is None:
        pytest.skip("no gdb on this machine")
    terminal = Terminal(engine, "attach", "strategy", "--gdb", "-n", engine.name)
    try:
        terminal.wait_for("Stop it?")
        terminal.press("y\n")
        try:
            terminal.wait_for("This is the hot thread")
        except AssertionError:
            if "ptrace" in terminal.text():
                pytest.skip("gdb may not be used by this user")
            raise
        terminal.press("quit\ny\n")
        until(lambda: terminal.text() is not None and not terminal.process.isalive(), "gdb ended")
    finally:
        terminal.close()
    beats = int(view.status("strategy")["loop_count"])
    until(lambda: int(view.status("strategy")["loop_count"]) > beats, "the loop goes on")
    until(view.ready, "everything is ready again")


# What dies.


def test_a_run_that_dies_while_it_is_watched_is_reported_and_can_be_read(running: Running) -> None:
    """Everything is killed at once; the screens say so, the tap ends, and what lies in shared
    memory can still be tapped.  The last test of this file: nothing runs afterwards.
    """
    engine, view = running.engine, running.view
    top = Terminal(engine, "top", "-n", engine.name, "-i", "0.2", columns=60)
    attach = Terminal(engine, "attach", "book", "-n", engine.name, columns=60)
    path = engine.folder / "last.jsonl"
    tap = spawn(engine, "attach", "--tap", "tops", "-n", engine.name, "--to", str(path))
    try:
        top.wait_for("ready")
        attach.wait_for("heartbeat")
        until(lambda: path.exists() and path.stat().st_size, "the tap took a record")
        for pid in [engine.mark.pid, *view.pids()]:
            assert str(engine.folder) in command_line(pid) or pid == engine.mark.pid
            os.kill(pid, signal.SIGKILL)
        for terminal in (top, attach):
            assert "Traceback" not in terminal.wait_for("has ended")
        _, printed = tap.communicate(timeout=60)
        assert tap.returncode == 0
        assert "it has no writer any more" in printed
        assert top.leave() == attach.leave() == 0
        done = engine.run("attach", "--tap", "tops", "-n", "5", "-n", engine.name, "-o", "json")
        assert done.exit_code == 0, done.output
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        last_seq = view.rings["tops"].published_seq - 1
        assert [row["seq"] for row in rows] == list(range(last_seq - 4, last_seq + 1))
        newest = json.loads(path.read_text().splitlines()[-1])
        assert newest["seq"] == last_seq, "the tap saw the last record that there was"
        done = engine.run("top", "-n", engine.name, "-i", "0.05")
        assert done.exit_code == 3
        assert "has ended" in done.output
        assert "DEAD" in done.output
        last_worst = view.last_records("worst", wiring.WORST_ROWS)
        assert len(worst_of(engine)) == len(last_worst) > 0, "they can be read after a crash"
        done = engine.run("attach", "gateway", "--stack", "-n", engine.name)
        assert done.exit_code == 3
        assert "no process" in done.output
    finally:
        tap.kill()
        tap.communicate()
        top.close()
        attach.close()
