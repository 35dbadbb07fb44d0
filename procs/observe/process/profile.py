"""A profile of a hot thread: samples by perf, named by the process's own list of code."""

import shutil
import subprocess
from bisect import bisect_right
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from procs.observe.process import flame
from procs.observe.process.flame import Folded
from procs.observe.process.symbols import CodeSymbol, NoSymbols, compiled_functions, write_perf_map

#: A prime, so that the samples do not coincide with anything periodic.
SAMPLES_PER_S = 997
UNKNOWN = "[unknown]"


class NoProfile(Exception):
    """No profile could be made; the message says why."""


class Profile(NamedTuple):
    """The samples, and the files that hold them."""

    folded: Folded
    folder: Path

    def top(self, count: int) -> list[tuple[str, float]]:
        """Return the functions that ran most, and their share of the samples."""
        leaves: Counter[str] = Counter()
        for frames, samples in self.folded.items():
            leaves[frames[-1]] += samples
        total = sum(leaves.values())
        return [(name, samples / total) for name, samples in leaves.most_common(count)]


def cost(seconds: float) -> str:
    """Return the cost of a profile for the stage, for people."""
    return (
        f"perf interrupts the hot thread {SAMPLES_PER_S} times a second for {seconds:g} s, some "
        "10 us each: about 1 % of its CPU, and ticks that meet an interrupt are late by as much; "
        "nothing is stopped"
    )


def record(pid: int, thread_id: int, seconds: float, folder: Path, title: str) -> Profile:
    """Sample one thread; write the samples into ``folder``.

    Raises
    ------
    NoProfile
        When perf is not installed, is not permitted, or took no sample.
    """
    perf = shutil.which("perf")
    if perf is None:
        raise NoProfile("perf is not installed (Debian: apt install linux-perf)")
    try:
        symbols = compiled_functions(pid)
        folder.mkdir(parents=True, exist_ok=True)
        # Not in /tmp, where perf looks for it: there it would outlive the process, and give wrong
        # names for the next process with its pid.
        write_perf_map(symbols, folder / f"perf-{pid}.map")
    except NoSymbols as error:
        raise NoProfile(f"no names of compiled functions: {error}") from error
    except OSError as error:
        raise NoProfile(f"{folder}: {error.strerror}") from error
    data = folder / "perf.data"
    command = [perf, "record", "-q", "-F", str(SAMPLES_PER_S), "-g", "-t", str(thread_id),
               "-o", str(data), "--", "sleep", str(seconds)]  # fmt: skip
    # If the stage ends first, perf continues until its sleep ends.
    done = subprocess.run(command, capture_output=True, check=False, encoding="utf-8")
    if done.returncode != 0 or not data.exists():
        raise NoProfile(f"perf: {last_line(done.stderr)}")
    script = subprocess.run(
        [perf, "script", "-i", str(data), "-F", "ip,sym"],
        capture_output=True, check=False, encoding="utf-8", errors="replace",
    )  # fmt: skip
    folded = fold(script.stdout, symbols)
    if not folded:
        raise NoProfile("perf took no sample: the thread did not run")
    (folder / "folded.txt").write_text(flame.folded_text(folded), encoding="utf-8")
    (folder / "flame.svg").write_text(flame.svg(folded, title), encoding="utf-8")
    return Profile(folded, folder)


def last_line(text: str) -> str:
    """Return the last line that is not empty."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "said nothing"


def fold(script: str, symbols: list[CodeSymbol]) -> Folded:
    """Return how often each stack was seen, outermost function first.

    ``script`` is the output of ``perf script -F ip,sym``: a block of lines a sample, the innermost
    function first.  Compiled code keeps no frame pointers, so perf's walk may go wrong after the
    first frame: frames without a name are left out.
    """
    starts = [symbol.address for symbol in symbols]
    counts: Counter[tuple[str, ...]] = Counter()
    for block in script.split("\n\n"):
        frames = []
        for line in block.splitlines():
            address, _, name = line.strip().partition(" ")
            try:
                place = int(address, 16)
            except ValueError:
                continue
            frames.append(name_at(place, name.strip(), symbols, starts))
        while len(frames) > 1 and frames[-1] == UNKNOWN:
            frames.pop()
        if frames:
            counts[tuple(reversed(frames))] += 1
    return dict(counts)


def name_at(address: int, name: str, symbols: list[CodeSymbol], starts: list[int]) -> str:
    """Return the compiled function at an address, or perf's name for it."""
    index = bisect_right(starts, address) - 1
    if index >= 0 and address < symbols[index].address + symbols[index].size:
        return symbols[index].name
    return name.partition("+0x")[0] or UNKNOWN
