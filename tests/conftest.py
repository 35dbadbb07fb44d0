"""Things that many tests need."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of recorded frames and test vectors, or skip where it is missing."""
    folder = Path(
        os.environ.get("VORTEX_SHARED") or Path(__file__).resolve().parents[1] / ".." / "shared"
    )
    if not folder.is_dir():
        pytest.skip("the folder of captures and vectors is not beside the project")
    return folder
