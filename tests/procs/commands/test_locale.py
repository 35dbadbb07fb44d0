"""Every command works in any locale: files and pipes are UTF-8, a terminal shows what it can."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from engines import ROOT, Engine, Exchange, strategy_of

from procs.commands.new import text_of

#: The locale "C" without Python's help for it: text is ASCII unless its encoding is named.
NO_HELP = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
#: Terminals, which fail at a character that they lack unless we say otherwise.
TERMINALS = ("ascii", "gbk", "euc_jp")
#: What no such terminal has in whole.
WORDS = "报价 – µs ✓"

pytestmark = pytest.mark.timeout(1000)  # it may be the first to need the compiler


def environment(terminal: str) -> dict[str, str]:
    """Return the environment of a command on such a terminal."""
    return {**NO_HELP, "PYTHONIOENCODING": f"{terminal}:strict"}


def on_terminal(engine: Engine, name: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run one vortexctl command; read what it prints as its terminal does."""
    encoding = "utf-8" if name == "ascii" else name  # click believes in no ASCII
    return subprocess.run(
        [sys.executable, "-m", "procs.cli", *words], cwd=ROOT,
        env={**os.environ, **engine.environment, **environment(name)},
        capture_output=True, encoding=encoding, timeout=100, check=False,
    )  # fmt: skip


@pytest.fixture(params=TERMINALS)
def terminal(request: pytest.FixtureRequest) -> str:
    """The encoding of one kind of terminal."""
    return str(request.param)


def test_a_configuration_may_have_any_character(
    nowhere: Engine, tmp_path: Path, terminal: str
) -> None:
    """In its comments, in its keys, in its name and in that of its folder."""
    folder = tmp_path / "报价"
    folder.mkdir()
    text = nowhere.config_path.read_text("utf-8")
    path = folder / "µ.toml"
    path.write_text(f"# {WORDS}\n{text}", "utf-8")
    done = on_terminal(nowhere, terminal, "config", "check", str(path))
    assert done.returncode == 0, done.stderr
    assert "lease_ms = 5000" in done.stdout
    wrong = text.replace("lease_ms", "租约")
    path.write_text(wrong, "utf-8")
    done = on_terminal(nowhere, terminal, "config", "check", str(path))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr


def test_commands_show_what_a_terminal_can_show(nowhere: Engine, terminal: str) -> None:
    for words in (("doctor",), ("top", "--help"), ("status",)):
        done = on_terminal(nowhere, terminal, *words)
        assert "Traceback" not in done.stderr, words
        assert done.stdout + done.stderr


def test_an_engine_runs_in_any_locale(tmp_path: Path) -> None:
    """Its strategy has comments of any character; what observers print is printed."""
    path = tmp_path / "mine.py"
    path.write_text(f"# {WORDS}\n{text_of('mine')}", "utf-8")
    exchange = Exchange(tmp_path)
    strategy = strategy_of("BTCUSDT", 100) | {"file": str(path)}
    del strategy["name"], strategy["params"]["half_spread_ticks"], strategy["params"]["skew_ticks"]
    strategy["params"]["step_ticks"] = 1
    engine = Engine.on(tmp_path, exchange, strategies=[strategy])
    engine.environment |= environment("ascii")
    engine.config["sources"][0]["symbols"] = ["BTCUSDT"]
    engine.write_config()
    text = engine.config_path.read_text("utf-8")
    engine.config_path.write_text(f"# {WORDS}\n{text}", "utf-8")
    try:
        done = engine.start()
        assert done.returncode == 0, done.stdout + done.stderr
        for words in (("status",), ("top", "--plain"), ("logs",), ("events",), ("worst",)):
            for name in TERMINALS:
                shown = on_terminal(engine, name, *words, "-n", engine.name)
                assert shown.returncode == 0, (words, name, shown.stderr)
                assert shown.stdout, (words, name)
        assert engine.process("stop", "-n", engine.name).returncode == 0
    finally:
        engine.close()
        exchange.close()
