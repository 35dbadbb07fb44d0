"""What vortexctl says when no instance runs: each command alone, and what it refuses."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from engines import ROOT, Engine, Exchange, new_instance, until

from ipc.layout import Field, Layout
from ipc.segment import list_segments
from ipc.shared import SharedTable
from procs import cli

WORD = Layout("word", "One word.", Field("value", "i8", "anything"), multiple_bytes=8)


def vortexctl(*arguments: str) -> Result:
    """Run one command in this process."""
    return CliRunner().invoke(cli.main, list(arguments))


def test_every_command_is_listed_and_explains_itself() -> None:
    """`--help` names each; each has a help of its own."""
    listed = vortexctl("--help").output
    for name in cli.COMMANDS:
        assert name in listed
        assert vortexctl(name, "--help").exit_code == 0
    assert vortexctl("nonsense").exit_code == 2


def test_the_effective_configuration_can_be_read_back(nowhere: Engine, tmp_path: Path) -> None:
    """Every default is printed; what is printed is a configuration, and the same one."""
    shown = vortexctl("config", "check", str(nowhere.config_path))
    assert shown.exit_code == 0, shown.output
    assert "lease_ms = 5000" in shown.output
    assert "price_band_bps" in shown.output
    again = tmp_path / "again.toml"
    again.write_text(shown.output)
    assert vortexctl("config", "check", str(again)).output == shown.output
    facts = json.loads(vortexctl("config", "check", str(again), "-o", "json").output)
    assert facts["schema"] == 1
    assert set(facts["cpus"]) == {"ingest", "book", "strategy", "gateway"}


def test_a_wrong_configuration_is_one_line_with_the_keys_path(nowhere: Engine) -> None:
    """And nothing else."""
    tables = msgspec.toml.decode(nowhere.config_path.read_bytes())
    tables["books"] = {"levels": 3}
    nowhere.config_path.write_bytes(msgspec.toml.encode(tables))
    done = vortexctl("config", "check", str(nowhere.config_path))
    assert done.exit_code == 1
    assert "$.books.levels" in done.output
    assert len(done.output.splitlines()) == 1


def test_a_dry_run_says_what_would_run_where_and_starts_nothing(nowhere: Engine) -> None:
    """The venue need not be there."""
    done = nowhere.run("start", "-c", str(nowhere.config_path), "--dry-run")
    assert done.exit_code == 0, done.output
    assert [line.split()[0] for line in done.output.splitlines()] == [
        "ingest", "book", "strategy", "gateway", "others", "scheduler",
    ]  # fmt: skip
    assert list_segments(nowhere.name) == []
    assert not (nowhere.folder / "runs").exists()


def test_stale_memory_is_listed_and_cleaned() -> None:
    """What a dead run left; what a live one holds is not touched."""
    name = new_instance()
    stale = SharedTable.create(f"/vortex.{name}.stale", WORD, 1, run_id=1)
    stale.close()
    live = SharedTable.create(f"/vortex.{name}x.live", WORD, 1, run_id=1)
    live.segment.lock(0)
    try:
        rows = json.loads(vortexctl("shm", "ls", "-o", "json").output)["segments"]
        states = {row["segment"]: row["live"] for row in rows}
        assert states[f"/vortex.{name}.stale"] is False
        assert states[f"/vortex.{name}x.live"] is True
        assert f"removed /vortex.{name}.stale" in vortexctl("shm", "clean", "-n", name).output
        assert "nothing to remove" in vortexctl("shm", "clean", "-n", name).output
        refused = vortexctl("shm", "clean", "-n", f"{name}x")
        assert refused.exit_code == 1
        assert "vortexctl stop" in refused.output
    finally:
        live.segment.unlink()
        live.close()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_get_their_completion(shell: str) -> None:
    """The script calls us back by the variable that click reads."""
    assert "_VORTEXCTL_COMPLETE" in vortexctl("completion", shell).output


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["events"],
        ["logs"],
        ["deaths"],
        ["run", "book"],
        ["restart", "book"],
        ["stop", "book"],
    ],
)
def test_what_needs_a_running_instance_exits_with_3(arguments: list[str]) -> None:
    """As the LSB has it, with one line."""
    done = vortexctl(*arguments, "-n", new_instance())
    assert done.exit_code == 3
    assert len(done.output.splitlines()) == 1


def test_a_service_manager_hears_when_all_is_ready_and_when_it_ends(tmp_path: Path) -> None:
    """In the foreground, by sd_notify(3): READY after the books are in sync, then STOPPING."""
    exchange = Exchange(tmp_path)
    engine = Engine.on(tmp_path, exchange)
    heard: list[bytes] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)

        def has_heard(word: bytes) -> bool:
            with contextlib.suppress(BlockingIOError):
                heard.append(manager.recv(4096))
            return word in heard

        process = subprocess.Popen(
            [sys.executable, "-m", "procs.cli", "start", "-f", "-c", str(engine.config_path)],
            cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, **engine.environment, "NOTIFY_SOCKET": str(tmp_path / "notify")},
        )  # fmt: skip
        try:
            until(lambda: has_heard(b"READY=1"), "it was ready", seconds=900)
            assert engine.view().books_in_sync()
            until(lambda: has_heard(b"WATCHDOG=1"), "it shows that it lives")
            process.send_signal(signal.SIGTERM)
            until(lambda: has_heard(b"STOPPING=1"), "it says that it ends")
            assert process.wait(timeout=90) == 0
        finally:
            process.kill()
            process.wait()
            engine.close()
            exchange.close()
    assert list_segments(engine.name) == []


def test_programs_get_json_from_whatever_they_ask(tmp_path: Path) -> None:
    """One instance from start to stop, every answer an object with a schema number."""
    exchange = Exchange(tmp_path)
    engine = Engine.on(tmp_path, exchange)
    name = engine.name
    try:
        done = engine.process("start", "-c", str(engine.config_path), "-o", "json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["run_folder"] == str(engine.run_folder)
        for arguments in (
            ["status"], ["wait", "--for", "ready"], ["restart", "book"], ["stop", "strategy"],
            ["start", "strategy"], ["logs", "gateway", "-l", "1"], ["stop"],
        ):  # fmt: skip
            done = engine.run(*arguments, "-n", name, "-o", "json")
            assert done.exit_code == 0, (arguments, done.output)
            assert json.loads(done.output)["schema"] == 1, arguments
    finally:
        engine.close()
        exchange.close()
