"""What tests of all floors share."""

import sys
from pathlib import Path

import pytest
from hypothesis import settings

from ipc.compiled import PLAIN_PYTHON

# Tests are not a package; what they share is imported by its plain name.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from recordings import make, recorded_folder
from scale import use_fewer_examples

# How long an example takes says nothing on a machine that others share.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")

if PLAIN_PYTHON:
    use_fewer_examples()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip as plain Python what shows something in machine code only."""
    for item in items if PLAIN_PYTHON else []:
        mark = item.get_closest_marker("compiled_only")
        if mark is not None:
            item.add_marker(pytest.mark.skip(reason=f"in machine code only: {mark.args[0]}"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the conformance tests look at a strategy outside the project."""
    parser.addoption(
        "--strategy-file", action="append", default=[], type=lambda path: str(Path(path).resolve()),
        help="hold this strategy file to the contract (tests/conformance); may be repeated",
    )  # fmt: skip


def kinds_of_recordings() -> list[str]:
    """Return which recordings are read: as plain Python only the small ones."""
    return ["made"] if PLAIN_PYTHON or recorded_folder() is None else ["made", "recorded"]


@pytest.fixture(scope="session", params=kinds_of_recordings())
def recordings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of recordings: of our own making, and the real ones where they are."""
    real = recorded_folder()
    if request.param == "made" or real is None:
        return make(tmp_path_factory.mktemp("recordings"))
    return real
