"""Names for shared memory that no other test and no other run uses, removed afterwards."""

import itertools
import os
from collections.abc import Iterator

import posix_ipc
import pytest

from ipc.segment import list_segments

_NUMBERS = itertools.count()


@pytest.fixture
def instance() -> Iterator[str]:
    """An instance name of this test's own; whatever segments it leaves are removed."""
    name = f"test-{os.getpid()}-{next(_NUMBERS)}"
    yield name
    for segment_name in list_segments(name):
        posix_ipc.unlink_shared_memory(segment_name)
