"""A strategy of one's own: written by `vortexctl new strategy`, tested, and run by its file."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from engines import ROOT, START_S, Engine, Watch, strategy_of, until

from ipc.compiled import PLAIN_PYTHON
from procs import cli
from procs.commands.new import text_of
from procs.plan import strategy_files
from procs.supervision.compiling import warm

pytestmark = pytest.mark.timeout(1000)  # it may be the first to need the compiler


def new_strategy(*arguments: str) -> Any:
    """Run `vortexctl new strategy`."""
    return CliRunner().invoke(cli.main, ["new", "strategy", *arguments])


def test_a_new_strategy_passes_the_conformance_tests_as_it_is(tmp_path: Path) -> None:
    """Far from the project, as somebody who only uses it has it."""
    done = new_strategy("mine", "--folder", str(tmp_path))
    assert done.exit_code == 0
    path = tmp_path / "mine.py"
    assert f'file = "{path}"' in done.output
    assert "template" not in path.read_text()
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
         "tests/conformance/test_strategies.py", "--strategy-file", str(path)],
        cwd=ROOT, capture_output=True, text=True, timeout=START_S, check=False,
    )  # fmt: skip
    assert tested.returncode == 0, tested.stdout
    assert "5 passed" in tested.stdout


def test_a_file_that_is_there_is_not_touched(tmp_path: Path) -> None:
    """Whatever it contains."""
    (tmp_path / "mine.py").write_text("precious")
    done = new_strategy("mine", "--folder", str(tmp_path))
    assert done.exit_code == 1
    assert "exists already" in done.output
    assert (tmp_path / "mine.py").read_text() == "precious"


@pytest.mark.parametrize("name", ["Mine", "my-own", "2nd", "class", "../mine", ""])
def test_a_name_that_python_cannot_import_is_refused(tmp_path: Path, name: str) -> None:
    """It would have to be renamed later."""
    assert new_strategy(name, "--folder", str(tmp_path)).exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_an_edit_is_noticed_and_what_runs_keeps_its_copy(tmp_path: Path) -> None:
    """By the file's contents, not by its time; the copy is another path, the same strategy."""
    path = tmp_path / "mine.py"
    path.write_text(text_of("mine"))
    first = strategy_files.load(str(path))
    assert strategy_files.load(str(path)).decide is first.decide
    copy, key = strategy_files.keep(str(path)), strategy_files.key(str(path))
    path.write_text(text_of("mine").replace("step_ticks", "pace_ticks"))
    second = strategy_files.load(str(path))
    assert "pace_ticks" in second.params_type.__struct_fields__
    assert strategy_files.key(str(path)) != key
    assert strategy_files.key(copy) == key
    assert strategy_files.load(copy).params_type.__struct_fields__ == (
        first.params_type.__struct_fields__
    )
    assert strategy_files.keep("constant_spread") == "constant_spread"


def choices_of(source: dict[str, str], **params: Any) -> list[dict[str, Any]]:
    """Return one strategy for both symbols of the shared market."""
    choices = [strategy_of("BTCUSDT", 100), strategy_of("ETHUSDT", 1000)]
    for choice in choices:
        del choice["name"]
        kept = {key: choice["params"][key] for key in ("qty_lots", "inventory_lots_max")}
        choice |= {**source, "params": {**kept, **params}}
    return choices


def started(engine: Engine) -> Watch:
    """Start; return a view of the running instance."""
    done = engine.start()
    assert done.returncode == 0, done.stdout + done.stderr
    return engine.view()


def trade_and_stop(engine: Engine, view: Watch) -> None:
    """Wait until one of the strategy's quotes was filled; stop."""
    until(lambda: view.records("positions")["fill_count"].sum() > 0, "it was filled")
    assert engine.stop().exit_code == 0
    until(engine.has_left_nothing, "everything was gone")


def test_it_trades_by_its_file_and_may_be_edited_meanwhile(
    new_engine: Callable[..., Engine], tmp_path: Path
) -> None:
    """An edit changes nothing for what runs, nor for who looks at it."""
    path = tmp_path / "mine.py"
    path.write_text(text_of("mine"))
    engine = new_engine(strategies=choices_of({"file": "mine.py"}, step_ticks=1))
    view = started(engine)
    assert warm.is_warm(view.config)
    path.write_text("this is no Python")
    assert engine.run("status", "-n", engine.name).exit_code == 0
    trade_and_stop(engine, view)


@pytest.mark.skipif(PLAIN_PYTHON, reason="nothing is compiled")
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("state.no_such_field += 1", "KeyError: 'no_such_field'"),
        ("state.decision_count += 'one'", "mine.py"),
    ],
)
def test_what_does_not_compile_is_said(tmp_path: Path, wrong: str, said: str) -> None:
    """With the file and the line, where the compiler gives them."""
    path = tmp_path / "mine.py"
    path.write_text(text_of("mine").replace("state.decision_count += 1", wrong))
    with pytest.raises(warm.CompileError, match="decide mine does not compile") as caught:
        warm.compile_job(("decide", str(path)))
    assert said in str(caught.value)


def test_one_that_does_not_compile_does_not_start(
    new_engine: Callable[..., Engine], tmp_path: Path
) -> None:
    """The command prints the reason."""
    text = text_of("mine").replace("state.decision_count += 1", "state.no_such_field += 1")
    (tmp_path / "mine.py").write_text(text)
    engine = new_engine(strategies=choices_of({"file": "mine.py"}, step_ticks=1))
    done = engine.start()
    assert done.returncode == 1
    assert "decide mine does not compile: KeyError: 'no_such_field'" in done.stdout
    until(engine.has_left_nothing, "everything was gone")


def test_avellaneda_stoikov_trades(new_engine: Callable[..., Engine]) -> None:
    """By its name, with the volatility estimated: quotes after the first second, and fills."""
    engine = new_engine(strategies=choices_of(
        {"name": "avellaneda_stoikov"},
        gamma_per_tick=0.01, kappa_per_tick=0.5, sigma_ticks_per_sqrt_s=0.0, sigma_memory_ms=1000,
        horizon_ms=1000, half_spread_ticks_min=1,
    ))  # fmt: skip
    trade_and_stop(engine, started(engine))
