"""What tests of all floors share."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Tests are not a package; what they share is imported by its plain name.
sys.path.insert(0, str(ROOT / "tests"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of recorded frames and vectors; skip where there is none."""
    folder = Path(os.environ.get("VORTEX_SHARED") or ROOT.parent / "shared")
    if not folder.is_dir():
        pytest.skip("no recorded frames: set VORTEX_SHARED to their folder")
    return folder
