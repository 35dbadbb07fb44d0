"""What tests of all floors share."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Tests are not a package; what they share is imported by its plain name.
sys.path.insert(0, str(ROOT / "tests"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests that start engines or exchanges on one worker: two at once are no system."""
    for item in items:
        if {"procs", "tools"} & set(item.path.relative_to(ROOT / "tests").parts):
            item.add_marker(pytest.mark.xdist_group("system"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of recorded frames and vectors; skip where there is none."""
    folder = Path(os.environ.get("VORTEX_SHARED") or ROOT.parent / "shared")
    if not folder.is_dir():
        pytest.skip("no recorded frames: set VORTEX_SHARED to their folder")
    return folder
