"""Two checkouts in turns: ``python -m tools.bench.against COMMIT``, for ``make bench BASE=COMMIT``.

The other commit is cloned into a temporary folder, with an environment of its own where it pins
other packages.  Segments of both take turns, so that a noisy moment hits both.  Where a process's
memory lies can change its figures by a third, so both sides are started again for each round.  A
round's figure is the median of the ratios new/old of neighbouring segments; printed is the median
of the rounds, with the interval in which it lies with 95 %.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

import click
import numpy as np

from procs.machine import throttle
from tools.bench.bars import verdict
from tools.bench.machine import machine_line

ROOT = Path(__file__).resolve().parents[2]
SEGMENTS = Path(__file__).with_name("segments.py")
#: Compared unless some are chosen; and what is compared only when it is chosen, for it takes long.
NAMES = ("wire_to_wire", "parse", "flood", "order", "ring")
CHOSEN_NAMES = ("compile",)
#: The largest ratio of the new P50 to the old one.
BAR = 1.02
BARS = {"compile": 0.6}
ROUND_COUNT, SHORT_ROUND_COUNT = 8, 3
ROUND_COUNTS = {"compile": 1}
#: Of a round.
PAIR_COUNT_MIN = 3
SECONDS = 60.0
RESAMPLE_COUNT = 4_000


class Ratio(NamedTuple):
    """The median of the rounds' ratios new/old, and the ends of its 95 % interval."""

    median: float
    low: float
    high: float
    pair_count: int


def ratio_of(rounds: list[list[float]]) -> Ratio:
    """Return the median of the rounds' medians, with its interval by the bootstrap."""
    values = np.array([np.median(ratios) for ratios in rounds])
    random = np.random.default_rng(1)
    drawn = random.choice(values, (RESAMPLE_COUNT, len(values)))
    low, high = np.quantile(np.median(drawn, axis=1), (0.025, 0.975))
    return Ratio(float(np.median(values)), float(low), float(high), sum(map(len, rounds)))


class Side:
    """One checkout's benchmark: a process that measures a segment on command."""

    def __init__(self, checkout: Path, python: Path, name: str, cache: Path | None) -> None:
        environment = {**os.environ, "PYTHONPATH": str(checkout)}
        environment.setdefault("VORTEX_SHARED", str(ROOT.parent / "shared"))  # the same frames
        if cache is not None:
            environment["VORTEX_CACHE_DIR"] = str(cache)
        self.process = subprocess.Popen(
            [str(python), "-P", str(SEGMENTS), name], cwd=checkout, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8",
        )  # fmt: skip
        self.what = f"{name} of {checkout}"

    def wait(self) -> str:
        """Return its next line.

        Raises
        ------
        click.ClickException
            When it has ended.
        """
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise click.ClickException(f"{self.what} ended with status {self.process.wait()}")
        return line

    def segment(self) -> dict[str, float]:
        """Measure once; return nanoseconds by case."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        measured: dict[str, float] = json.loads(self.wait())
        return measured

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def in_turns(old: Side, new: Side, seconds: float) -> dict[str, list[float]]:
    """Let both take turns; return the ratios new/old of each case."""
    ratios: dict[str, list[float]] = {}
    end = time.monotonic() + seconds
    pair_index = 0
    while pair_index < PAIR_COUNT_MIN or time.monotonic() < end:
        order = (old, new) if pair_index % 2 == 0 else (new, old)
        measured = {side: side.segment() for side in order}
        for case, took_ns in measured[new].items():
            ratios.setdefault(case, []).append(took_ns / measured[old][case])
        pair_index += 1
    return ratios


def run(*arguments: object, folder: Path = ROOT) -> str:
    """Run a command; return what it printed."""
    words = [str(each) for each in arguments]
    done = subprocess.run(words, cwd=folder, check=True, stdout=subprocess.PIPE, encoding="utf-8")
    return done.stdout.strip()


def python_of(checkout: Path) -> Path:
    """Return the interpreter for a checkout: ours where this has all that it pins."""
    pinned, ours = (
        set((each / "constraints.txt").read_text("utf-8").split()) for each in (checkout, ROOT)
    )
    if pinned <= ours:
        return Path(sys.executable)
    click.echo("it pins other packages: making its environment ...")
    run("make", "install", folder=checkout)
    return checkout / ".venv" / "bin" / "python"


@contextlib.contextmanager
def checkout_of(commit: str) -> Iterator[Path]:
    """Clone a commit into a temporary folder that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="vortex-base-") as folder:
        path = Path(folder) / "checkout"
        run("git", "clone", "--quiet", "--no-checkout", ROOT, path)
        run("git", "-c", "advice.detachedHead=false", "checkout", "--quiet", commit, folder=path)
        yield path


def compare(
    base: Path, python: Path, name: str, seconds: float, round_count: int
) -> dict[str, Ratio]:
    """Measure one benchmark of both checkouts; return the ratio of each case."""
    rounds: dict[str, list[list[float]]] = {}
    round_count = ROUND_COUNTS.get(name, round_count)
    for _ in range(round_count):
        with (
            Side(base, python, name, base.parent / "cache") as old,
            Side(ROOT, Path(sys.executable), name, None) as new,
        ):
            for side in (old, new):  # the first compiles, which is no time to measure the other
                assert side.wait() == "ready\n"
            for case, ratios in in_turns(old, new, seconds / round_count).items():
                rounds.setdefault(case, []).append(ratios)
    # Of one round, its pairs are all that there is to draw from.
    drawn = {case: found if len(found) > 1 else [[each] for each in found[0]]
             for case, found in rounds.items()}  # fmt: skip
    return {case: ratio_of(found) for case, found in drawn.items()}


def line_of(name: str, case: str, ratio: Ratio) -> str:
    """Return one ratio for people."""
    bar = BARS.get(name, BAR)
    words = verdict(ratio.median <= bar)
    if ratio.low <= bar < ratio.high:
        words += ", within the noise"
    interval = f"{ratio.low:.3f}..{ratio.high:.3f}"
    return f"  {name:<14}{case:<18}{ratio.median:>8.3f}{interval:>16}{ratio.pair_count:>8}  {words}"


@click.command(help=__doc__)
@click.argument("commit")
@click.option(
    "--only", multiple=True, type=click.Choice(NAMES + CHOSEN_NAMES), help="Compare these alone."
)
@click.option("--seconds", default=SECONDS, show_default=True, help="How long for each.")
@click.option("--bound", type=float, help="Fail when a whole interval is above this ratio.")
@click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=Path),
              help="Write the ratios here.")  # fmt: skip
def main(
    commit: str, only: tuple[str, ...], seconds: float, bound: float | None, json_path: Path | None
) -> None:
    """Compare this checkout with another commit."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # removes the folder all the same
    try:
        full = run("git", "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}")
    except subprocess.CalledProcessError:
        raise click.ClickException(f"{commit} is not in this clone: git fetch it") from None
    bars = f"the bar is {BAR} (compile: {BARS['compile']})"
    click.echo(f"{machine_line()}\nnew/old at P50, old is {full[:10]}; {bars}\n")
    click.echo(f"  {'':<14}{'':<18}{'median':>8}{'95 % interval':>16}{'pairs':>8}")
    # A bound is far away, so fewer rounds show whether it is kept.
    round_count = ROUND_COUNT if bound is None else SHORT_ROUND_COUNT
    results: dict[str, Any] = {"machine": machine_line(), "base": full}
    worse = []
    with checkout_of(full) as base, throttle.lifted(lambda line: click.echo(line, err=True)):
        python = python_of(base)
        for name in only or NAMES:
            found = compare(base, python, name, seconds, round_count)
            results[name] = {case: ratio._asdict() for case, ratio in found.items()}
            for case, ratio in found.items():
                click.echo(line_of(name, case, ratio))
                if bound is not None and ratio.low > bound:
                    worse.append(f"{name} {case}")
    if json_path is not None:
        json_path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if worse:
        raise click.ClickException(f"over {bound} of the old: {', '.join(worse)}")


if __name__ == "__main__":
    main()
