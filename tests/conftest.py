"""What tests of all floors share."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# Tests are not a package; what they share is imported by its plain name.
sys.path.insert(0, str(ROOT / "tests"))


# How long an example takes says nothing on a machine that others share.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the conformance tests look at a strategy outside the project."""
    parser.addoption(
        "--strategy-file", action="append", default=[], type=lambda path: str(Path(path).resolve()),
        help="hold this strategy file to the contract (tests/conformance); may be repeated",
    )  # fmt: skip


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of recorded frames and vectors; skip where there is none."""
    folder = Path(os.environ.get("VORTEX_SHARED") or ROOT.parent / "shared")
    if not folder.is_dir():
        pytest.skip("no recorded frames: set VORTEX_SHARED to their folder")
    return folder
