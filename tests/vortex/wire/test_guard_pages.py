"""No reader touches memory beyond the bytes that it names: the next page is unmapped."""

import signal

import pytest

from ipc.bounds import IS_CHECKED
from tests.ipc.processes import Child
from tests.vortex.wire.guarded import WORK


@pytest.mark.parametrize("what", sorted(WORK.keys() - {"nothing"}))
def test_no_reader_goes_beyond_its_pad(what: str) -> None:
    with Child("-m", "tests.vortex.wire.guarded", what) as child:
        assert child.hear() == ["done"]
        assert child.wait() == 0


def test_a_read_beyond_the_pad_would_be_noticed() -> None:
    with Child("-m", "tests.vortex.wire.guarded", "nothing") as child:
        assert child.hear() == []
        assert child.wait() == (1 if IS_CHECKED else -signal.SIGSEGV)
