"""What tests of all floors share."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import settings

from ipc.compiled import PLAIN_PYTHON

# Tests are not a package; what they share is imported by its plain name.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from recordings import make, recorded_folder

# How long an example takes says nothing on a machine that others share.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")

#: How many examples are tried where each takes a hundred times as long.
PLAIN_EXAMPLE_COUNT = 8


class FewerExamples(settings):
    """Settings of a test that runs as plain Python."""

    def __init__(
        self, parent: Any = None, *, max_examples: int = PLAIN_EXAMPLE_COUNT, **others: Any
    ) -> None:
        super().__init__(parent, max_examples=min(max_examples, PLAIN_EXAMPLE_COUNT), **others)


if PLAIN_PYTHON:
    hypothesis.settings = FewerExamples
    settings.register_profile("plain", deadline=None, max_examples=PLAIN_EXAMPLE_COUNT)
    settings.load_profile("plain")


#: What a test may take as plain Python: of the processor, and in all where it waits for others.
PLAIN_CPU_S, PLAIN_WALL_S = 8.0, 30.0


PLAIN_TIMERS = {signal.ITIMER_PROF: PLAIN_CPU_S, signal.ITIMER_REAL: PLAIN_WALL_S}


def stop_timers() -> None:
    """Let no timer end the test any more, not even one that has just run out."""
    for number in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    for timer in PLAIN_TIMERS:
        signal.setitimer(timer, 0)


def take_too_long(*_: object) -> None:
    """Give a test up; compiled it runs whole."""
    stop_timers()
    pytest.skip(f"longer than {PLAIN_CPU_S:.0f} s as plain Python")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """Skip the rest of a test that takes too long as plain Python: it would show nothing new."""
    if not PLAIN_PYTHON:
        return (yield)
    for number in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(number, take_too_long)
    for timer, limit_s in PLAIN_TIMERS.items():
        signal.setitimer(timer, limit_s)
    try:
        return (yield)
    finally:
        stop_timers()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the conformance tests look at a strategy outside the project."""
    parser.addoption(
        "--strategy-file", action="append", default=[], type=lambda path: str(Path(path).resolve()),
        help="hold this strategy file to the contract (tests/conformance); may be repeated",
    )  # fmt: skip


@pytest.fixture(scope="session", params=("made", "recorded") if recorded_folder() else ("made",))
def recordings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of recordings: of our own making, and the real ones where they are."""
    real = recorded_folder()
    if request.param == "made" or real is None:
        return make(tmp_path_factory.mktemp("recordings"))
    return real
