"""A stage at the prompt, in place and in the shadow, and recorded steps; the engine does not mind.

The oracle of what is repeated is what the stage itself published, read from its ring.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from engines import ROOT, Engine, Exchange, new_instance, until
from hypothesis import given, settings
from hypothesis import strategies as st
from running import Running, started
from terminals import Terminal

from ipc.layout import Field, Layout
from ipc.memory import words_at
from ipc.ring import EPOCH_BYTES, GENERATION_BYTES
from ipc.segment import list_segments
from ipc.shared import SharedTable
from procs import cli
from procs.debug import plain, prompt
from procs.debug.steps.step_recording import BadRecording, copy_of
from procs.observe.taps import decode
from procs.plan import instance, wiring
from procs.plan.config import Config
from procs.plan.instance import InstanceLock, Mark
from procs.plan.launch import Launch, write_launch
from procs.stages import book_stage
from procs.stages.ingest import ingest_stage

pytestmark = pytest.mark.timeout(1000)  # it may be the first to need the compiler

WORD = Layout("word", "One word.", Field("value", "i8", "anything"), multiple_bytes=8)
STAGES = ("ingest", "book", "strategy", "gateway")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One engine for all tests of this file; the last of them ends it."""
    folder = tmp_path_factory.mktemp("debugged")
    exchange = Exchange(folder)
    engine = Engine.on(folder, exchange)
    with started(exchange, engine) as run:
        until(run.is_trading(), "orders went out")
        yield run


def events(engine: Engine) -> list[str]:
    """Return what happened to the stages so far."""
    lines = (engine.run_folder / "events.jsonl").read_text().splitlines()
    return [json.loads(line)["what"] for line in lines]


def loops(running: Running, role: str) -> int:
    """Return how many iterations a stage's loop has made."""
    return int(running.view.status(role)["loop_count"])


def terminal_of(running: Running, *arguments: str) -> Terminal:
    """Return a terminal in which a command on the engine runs."""
    return Terminal(running.engine, *arguments, "-n", running.engine.name, columns=140)


# In place.


def test_the_book_at_the_prompt(running: Running) -> None:
    """It is stopped, the others run; we have no open order until the prompt is left."""
    view, engine = running.view, running.engine
    pids = {role: view.pid(role) for role in STAGES}
    terminal = terminal_of(running, "run", "book", "--pdb")
    try:
        shown = terminal.wait_for(
            "Nothing is traded", "q leaves", "procs/stages/book_stage.py", "(vortex)"
        )
        assert "Traceback" not in shown
        assert running.open_orders() == 0
        terminal.press("p 'sum', 40 + context_address * 0 + 2\n")
        terminal.wait_for("('sum', 42)")
        before = {role: loops(running, role) for role in STAGES}
        others = [role for role in STAGES if role != "book"]
        until(lambda: all(loops(running, r) > before[r] + 100 for r in others), "the others go on")
        assert loops(running, "book") == before["book"]
        refused = engine.run("restart", "book", "-n", engine.name)
        assert (refused.exit_code, len(refused.output.splitlines())) == (1, 1)
        assert "is played by process" in refused.output
        terminal.press("c\n")
        until(lambda: loops(running, "book") > before["book"] + 10, "it goes on")
        until(view.books_in_sync, "it works, as plain Python")
        terminal.press("\x03")
        terminal.wait_for("Interrupted")
        assert running.open_orders() == 0
        assert view.status("gateway")["is_flat"] == 1
        assert terminal.leave_by("q\n") == 0
        until(running.is_trading(), "the run trades again")
        assert {role: view.pid(role) for role in others} == {role: pids[role] for role in others}
        assert "stuck" not in events(engine)
    finally:
        terminal.close()
        engine.remember()


@pytest.mark.parametrize(
    ("stage", "words"),
    [("ingest", ()), ("strategy", ("--break", "decide")), ("gateway", ("-b", "take_letter"))],
)
def test_every_stage_runs_as_plain_python(
    running: Running, stage: str, words: tuple[str, ...]
) -> None:
    """Killed at the prompt, it is the supervisor's again all the same."""
    view, engine = running.view, running.engine
    returned = events(engine).count("taken back")
    terminal = terminal_of(running, "run", stage, "--pdb", *words)
    try:
        where = words[-1] if words else "turn"
        terminal.wait_for(f"{where}()", "(vortex)")
        frames = running.ingested(ingest_stage.IngestCounter.FRAMES)
        terminal.press("cl\ny\n")
        terminal.press("c\n")
        if stage == "ingest":
            until(
                lambda: running.ingested(ingest_stage.IngestCounter.FRAMES) > frames + 20,
                "it reads",
            )
            until(view.books_in_sync, "what it reads is true")
        else:
            count = loops(running, stage)
            until(lambda: loops(running, stage) > count + 20, "its loop runs")
        os.kill(view.pid(stage), signal.SIGKILL)
        until(lambda: events(engine).count("taken back") == returned + 1, "it was taken back")
        until(running.is_trading(), "the run trades again")
        assert "Traceback" not in terminal.text()
    finally:
        terminal.close()
        engine.remember()


# In the shadow.


def facts(running: Running) -> dict[str, Any]:
    """Return what an observer must not change."""
    words = {}
    for name, shared in running.view.rings.items():
        handle = shared.handle[0]
        words[name] = (
            int(words_at(int(handle["writer_address"]) + EPOCH_BYTES, 1)[0]),
            int(words_at(int(handle["reader_address"]) + GENERATION_BYTES, 1)[0]),
        )
    return {
        "pids": [running.engine.mark.pid, *running.view.pids()],
        "epochs": [int(running.view.status(role)["epoch"]) for role in STAGES],
        "rings": words,
        "segments": sorted(list_segments(running.engine.name)),
        "dropped": running.ingested(ingest_stage.IngestCounter.DROPPED),
        "full": running.booked(book_stage.BookCounter.TOPS_FULL),
    }


def test_shadows_agree_and_leave_no_trace(running: Running) -> None:
    """What they publish is what the stages published; one is killed, and nobody notices any."""
    until(running.view.ready, "everything is ready")
    before = facts(running)
    book_shadow, strategy_shadow, victim = shadows = [
        shadow_of(running.engine, stage) for stage in ("book", "strategy", "book")
    ]
    try:
        for process in shadows:
            hear(process, "shadow: from step")
        steps = [running.view.rings[f"steps.{stage}"] for stage in ("book", "strategy")]
        ends = [(ring, ring.published_seq + 200) for ring in steps]
        until(lambda: all(ring.published_seq > end for ring, end in ends), "they took steps")
        os.killpg(victim.pid, signal.SIGKILL)
        for process in (book_shadow, strategy_shadow):
            os.killpg(process.pid, signal.SIGINT)
            said, _ = process.communicate(timeout=60)
            assert process.returncode == 0, said
            assert re.search(r"records: [1-9]\d* equal, 0 differ", said), said
    finally:
        for process in shadows:
            process.kill()
            process.communicate()
    until(running.is_trading(), "orders go on")
    assert facts(running) == before


def shadow_of(engine: Engine, stage: str) -> "subprocess.Popen[str]":
    """Start the shadow of a stage, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "procs.cli", "run", stage, "--shadow", "-n", engine.name],
        cwd=ROOT, env={**os.environ, **engine.environment, "PYTHONUNBUFFERED": "1"}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def hear(process: "subprocess.Popen[str]", word: str) -> None:
    """Read what a process says up to a line that begins with ``word``."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith(word):
            return
    raise AssertionError(f"it said no {word!r}, but {said}")


# Recorded.


def test_recorded_steps_give_what_was_published(running: Running) -> None:
    """Record by record as in the ring; at a prompt, under pdb, and all at once."""
    engine, path = running.engine, running.engine.folder / "book.jsonl"
    done = engine.run("attach", "book", "--to", str(path), "-n", "150", "-n", engine.name)
    held = dict(running.view.last_records("tops", 1 << 20))
    assert done.exit_code == 0, done.output
    assert "150 steps of book" in done.output
    done = engine.process("step", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"150 steps of book; records: [1-9]\d* as published, 0 differ", done.stdout)
    spec, symbols = running.view.rings["tops"].spec, running.view.config.symbols
    lines = re.findall(r"^  out tops ((\d+) .*)$", done.stdout, re.M)
    compared = [(line, held[int(seq)]) for line, seq in lines if int(seq) in held]
    assert compared, "none of them was left to compare with"
    for line, raw in compared:
        layout = decode.layout_of(spec, raw)
        assert layout is not None
        fields = decode.with_symbol(decode.fields_of(layout, raw), symbols)
        assert line.partition(" ")[2] == decode.one_line(0, layout, fields).partition(" ")[2]
    changed = path.read_text().replace('"update_id":', '"update_id":1', 1)
    path.with_suffix(".changed").write_text(changed)
    done = engine.process("step", str(path.with_suffix(".changed")))
    assert done.returncode == 1, "the change is reported"
    assert "DIFFERS" in done.stdout
    terminal = Terminal(engine, "step", str(path), columns=160)
    try:
        terminal.wait_for("(step)")
        terminal.press("\n")
        terminal.wait_for("in  market.ingest")
        terminal.press("p touches[0].is_valid, len(out)\n")
        terminal.wait_for("(1, ")
        assert terminal.leave_by("q\n") == 0
    finally:
        terminal.close()
    terminal = Terminal(engine, "step", str(path), "--pdb", "-b", "sync.on_message", columns=160)
    try:
        terminal.wait_for("on_message()", "(vortex)")
        assert terminal.leave_by("q\n") == 0
    finally:
        terminal.close()


def test_the_records_of_one_ring_can_be_stepped_through(running: Running) -> None:
    """Without what the stage knew, so they are compared with nothing."""
    engine, path = running.engine, running.engine.folder / "tops.jsonl"
    done = engine.run("attach", "--tap", "tops", "--to", str(path), "-n", "30", "-n", engine.name)
    assert done.exit_code == 0, done.output
    first = json.loads(path.read_text().splitlines()[1])
    done = engine.process("step", str(path), "-n", "20")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "20 steps of strategy; their output was not compared" in done.stdout
    assert f"in  tops {first['seq']} " in done.stdout
    refused = plainly(engine, "step", str(path), "--stage", "book")
    assert (refused.exit_code, len(refused.output.splitlines())) == (2, 1)


@settings(max_examples=150)
@given(data=st.data())
def test_a_record_survives_its_line(data: st.DataObject) -> None:
    """Any bytes that have a kind; and what is no such line is refused, never half read."""
    wires = wiring.wire(CONFIG)
    spec = wires.links[data.draw(st.sampled_from(sorted(wires.links)))].spec
    kinds = [kind for kind, layout in decode.LAYOUTS.items() if layout in spec.layouts] or [0]
    noise = data.draw(st.binary(min_size=spec.slot_bytes, max_size=spec.slot_bytes))
    raw = bytes([data.draw(st.sampled_from(kinds))]) + noise[1:] if kinds != [0] else noise
    layout = decode.layout_of(spec, raw)
    assert layout is not None
    fields = decode.fields_of(layout, raw)
    line = json.loads(decode.json_line("any", 7, layout, fields))
    assert decode.fields_of(layout, copy_of(spec, line).raw) == fields
    name = data.draw(st.sampled_from(sorted(line)))
    line[name] = data.draw(st.none() | st.text() | st.lists(st.text()) | st.integers(1 << 64))
    with contextlib.suppress(BadRecording):
        assert len(copy_of(spec, line).raw) == spec.slot_bytes


CONFIG = msgspec.convert(
    {
        "instance": "recorded",
        "sources": [{"rest_url": "http://x", "stream_url": "ws://x", "symbols": ["BTCUSDT"]}],
        "accounts": [{"rest_url": "http://x", "order_url": "ws://x"}],
        "strategies": [{
            "symbol": "BTCUSDT", "name": "constant_spread",
            "params": {"half_spread_ticks": 1, "qty_lots": 1, "inventory_lots_max": 1},
            "limits": {"order_qty": "1", "order_notional": "1", "position_qty": "1"},
        }],
    },
    Config,
)  # fmt: skip


# What makes no sense, is not there, is another's, or ends.


def test_breakpoints_are_checked_before_anything_is_stopped() -> None:
    path = Path(prompt.__file__)
    line = next(
        n for n, text in enumerate(path.read_text().splitlines(), 1) if "def place_of(" in text
    )
    assert prompt.place_of(f"debug/prompt.py:{line}", []) == (str(path), line, "")
    assert prompt.place_of("place_of", [prompt]) == (str(path), line, "place_of")
    for text in ("prompt.nonsense", "nonsense.py:1", "debug/prompt.py:2", "nonsense"):
        with pytest.raises(prompt.BadBreak, match=re.escape(text)):
            prompt.place_of(text, [prompt])


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["run", "book", "--pdb"], 2, "needs a terminal"),
        (["run", "book", "--break", "turn"], 2, "goes with --pdb"),
        (["run", "book", "--shadow", "-n", new_instance()], 3, "is not running"),
        (["step", "nowhere.jsonl"], 2, "does not exist"),
        (["step", "nowhere.jsonl", "--pdb"], 2, "needs a terminal"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    nowhere: Engine, arguments: list[str], status: int, words: str
) -> None:
    done = nowhere.run(*arguments)
    assert (done.exit_code, len(done.output.splitlines())) == (status, 1)
    assert words in done.output


def plainly(engine: Engine, *arguments: str) -> Result:
    """Run a command in this process as if it were the one that is started for plain Python."""
    environment = {**engine.environment, plain.VARIABLE: "1"}
    return CliRunner(env=environment).invoke(cli.main, list(arguments))


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["run", "ingest", "--shadow"], 2, "run ingest --pdb"),
        (["run", "nonsense", "--shadow"], 2, "there are ingest, book"),
        (["attach", "gateway", "--to", "nowhere.jsonl"], 2, "run gateway --pdb"),
    ],
)
def test_what_cannot_be_repeated_says_what_to_do_instead(
    running: Running, arguments: list[str], status: int, words: str
) -> None:
    done = plainly(running.engine, *arguments, "-n", running.engine.name)
    assert (done.exit_code, len(done.output.splitlines())) == (status, 1), done.output
    assert words in done.output


def test_a_file_that_cannot_be_stepped_is_one_line(running: Running) -> None:
    """A foreign one, one of another version, one that is damaged."""
    engine, path = running.engine, running.engine.folder / "file.jsonl"
    tapped = engine.run("attach", "--tap", "tops", "--to", str(path), "-n", "1", "-n", engine.name)
    assert tapped.exit_code == 0, tapped.output
    whole = path.read_text()
    for text, words in {
        '{"schema":1,"seq":5,"record":"top"}\n': "attach STAGE --to",
        "\0\1\2": "another version",
        re.sub(r'"top":\d+', '"top":1', whole, count=1): "another version",
        re.sub(r'"record":"\w+"', '"record":"pot"', whole): "is damaged",
        whole.partition("\n")[0] + "\n{\n": "is damaged",
    }.items():
        path.write_text(text)
        done = plainly(engine, "step", str(path))
        printed = done.output.splitlines()[-1]
        assert (done.exit_code, type(done.exception)) == (1, SystemExit), printed
        assert words in printed
    (folder := engine.folder / "empty").mkdir()
    done = plainly(engine, "step", str(folder))
    assert (done.exit_code, len(done.output.splitlines())) == (1, 1)


def test_a_run_of_another_version_is_one_line(nowhere: Engine) -> None:
    """Its configuration is not ours; or its records are not."""
    config = msgspec.convert(msgspec.toml.decode(nowhere.config_path.read_bytes()), Config)
    folder = nowhere.folder / "run"
    folder.mkdir()
    with nowhere.as_own_environment(), contextlib.ExitStack() as stack:
        lock = InstanceLock.take(nowhere.name)
        stack.callback(lock.release)
        lock.write(Mark(os.getpid(), 1, str(folder), 0))
        arguments = ("run", "book", "--shadow", "-n", nowhere.name)
        launch = instance.launch_path(folder, "book")
        launch.write_text('{"config": {"from": "tomorrow"}}')
        done = plainly(nowhere, *arguments)
        assert (done.exit_code, len(done.output.splitlines())) == (1, 1)
        assert "another version" in done.output
        for role in ("gateway", "book"):
            write_launch(
                instance.launch_path(folder, role), Launch(config, 1, str(folder), {}, 0, [0])
            )
        table = SharedTable.create(wiring.wire(config).segment("clock"), WORD, 1, run_id=1)
        try:
            done = plainly(nowhere, *arguments)
            assert (done.exit_code, len(done.output.splitlines())) == (1, 1)
            assert "other declarations of word" in done.output
        finally:
            table.segment.unlink()
            table.close()


def test_a_run_that_ends_while_it_is_debugged_is_reported(running: Running) -> None:
    """The last test of this file: nothing runs afterwards, and nothing is left."""
    engine = running.engine
    terminal = terminal_of(running, "run", "gateway", "--pdb")
    shadow = terminal_of(running, "run", "book", "--shadow")
    try:
        terminal.wait_for("(vortex)")
        shadow.wait_for("from step")
        assert engine.stop().exit_code == 0
        terminal.wait_for("The run is over")
        assert terminal.leave_by("q\n") == 3
        assert shadow.end() == 3
        assert "has ended" in terminal.text()
        assert "has ended" in shadow.text()
        assert running.open_orders() == 0
        until(engine.has_left_nothing, "nothing was left")
    finally:
        terminal.close()
        shadow.close()
