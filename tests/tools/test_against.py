"""Two checkouts in turns: whose turn it is, what the ratios say, and what is left behind."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tools.bench import against
from tools.bench.against import ROOT, Side, in_turns, line_of, ratio_of


class Scripted:
    """A side that takes so many nanoseconds, and notes its turns."""

    def __init__(self, name: str, turns: list[str], took_ns: list[float]) -> None:
        self.name, self.turns, self.took_ns = name, turns, iter(took_ns)

    def segment(self) -> dict[str, float]:
        self.turns.append(self.name)
        return {"case": next(self.took_ns)}


def test_the_ratio_is_of_neighbours_and_who_is_first_alternates():
    turns: list[str] = []
    # Both become slower from pair to pair; the new is 10 % slower than the old all the time.
    old = Scripted("old", turns, [100, 200, 400, 800, 1600])
    new = Scripted("new", turns, [110, 220, 440, 880, 1760])
    ratios = in_turns(old, new, 0.0)
    assert ratios == {"case": pytest.approx([1.1] * against.PAIR_COUNT_MIN)}
    assert turns[:4] == ["old", "new", "new", "old"]


def test_the_interval_holds_the_median_and_one_outlier_moves_neither():
    medians = [0.98, 0.99, 1.0, 1.0, 1.0, 1.01, 1.02, 50.0, 1.0, 0.99, 1.01]
    ratio = ratio_of([[median, 0.1, 90.0] for median in medians])
    assert ratio.median == 1.0
    assert 0.98 <= ratio.low <= 1.0 <= ratio.high <= 1.02
    assert ratio_of([[1.3], [1.3, 1.3], [1.3]]) == (1.3, 1.3, 1.3, 4)


@pytest.mark.parametrize(
    ("ratios", "words"),
    [([0.9] * 9, "reached"), ([1.1] * 9, "missed"), ([0.9, 1.03, 1.2], "missed, within the noise")],
)
def test_a_ratio_is_printed_beside_its_bar(ratios, words):
    assert line_of("order", "order", ratio_of([[each] for each in ratios])).endswith(f"  {words}")


def test_a_side_measures_on_command():
    with Side(ROOT, Path(sys.executable), "order", None) as side:
        assert side.wait() == "ready\n"
        for _ in range(2):
            assert 1 < side.segment()["order"] < 1e9
    assert side.process.returncode == 0


def test_both_sides_read_the_same_recordings(monkeypatch):
    monkeypatch.delenv("VORTEX_SHARED", raising=False)
    with Side(ROOT, Path(sys.executable), "order", None) as side:
        assert side.wait() == "ready\n"
        environment = Path(f"/proc/{side.process.pid}/environ").read_bytes().split(b"\0")
    assert b"VORTEX_SHARED=" + bytes(ROOT.parent / "shared") in environment


def test_a_side_that_ends_ends_the_comparison():
    with (
        Side(ROOT, Path(sys.executable), "no such benchmark", None) as side,
        pytest.raises(click.ClickException, match="ended with status 1"),
    ):
        side.wait()


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository of two commits, of which the first says ``old``."""
    for text in ("old", "new"):
        (tmp_path / "file").write_text(text)
        for words in (["init", "-q"], ["add", "."], ["commit", "-qm", text]):
            who = ["-c", "user.name=n", "-c", "user.email=e@localhost"]
            subprocess.run(["git", *who, *words], cwd=tmp_path, check=True)
    monkeypatch.setattr(against, "ROOT", tmp_path)
    return tmp_path


def test_a_commit_is_checked_out_elsewhere_and_removed(repository):
    commit = subprocess.check_output(["git", "rev-parse", "HEAD~"], cwd=repository, text=True)
    with against.checkout_of(commit.strip()) as path:
        assert (path / "file").read_text() == "old"
        assert (repository / "file").read_text() == "new"
    assert not path.parent.exists()


def test_a_commit_that_is_not_there_is_named():
    outcome = CliRunner().invoke(against.main, ["0123456789"])
    assert outcome.exit_code == 1
    assert "0123456789 is not in this clone" in outcome.output
