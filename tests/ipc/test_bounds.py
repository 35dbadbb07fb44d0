"""The bounds check of plain Python: what touches memory that nobody allocated fails."""

import os
import subprocess
import sys

import pytest
from scale import compiled_only

from ipc.bounds import KnownMemory, OutOfBoundsError
from tests.ipc.processes import ROOT

pytestmark = compiled_only("it starts plain Python itself")

PROGRAM = """
import os
import numpy as np
from ipc import atomics, memory
from ipc.bounds import KNOWN
from ipc.compiled import compiled
from ipc.memory import address_of
from ipc.shared import SharedRing
from tests.ipc.drivers import SPEC

PAIR = np.dtype([("first", "i8"), ("second", "i8")])

@compiled
def sum_of(address: int, count: int) -> int:
    total = 0
    for index in range(count):
        total += memory.load_word(address + 8 * index)
    return total

words, other = np.ones(4, np.int64), np.ones(4, np.int64)
address = address_of(words)
assert sum_of(address, 4) == 4
"""


def run(lines: str, *, is_checked: bool = True) -> str:
    """Run lines of plain Python; return the last line of what went wrong."""
    settings = {"NUMBA_DISABLE_JIT": "1", "VORTEX_CHECK_BOUNDS": str(int(is_checked))}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + lines], cwd=ROOT, env={**os.environ, **settings},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stderr.strip().rpartition("\n")[2]


# A loop that goes one too far, a record or a copy that does not fit, what was freed, ...
@pytest.mark.parametrize(
    "lines",
    [
        "sum_of(address, 5)",
        "sum_of(address - 8, 2)",
        "memory.load_word(address + 25)",
        "memory.store_byte(address + 32, 1)",
        "memory.record_at(address + 24, PAIR)",
        "memory.copy_bytes(address, address_of(other) + 1, 32)",
        "memory.copy_bytes(address + 1, address_of(other), 32)",
        "memory.zero_bytes(address, 33)",
        "memory.zero_bytes(address, -1)",
        "atomics.load_acquire(address + 32)",
        "atomics.compare_exchange(address + 32, 0, 0)",
        "memory.load_word(0)",
        "del words; memory.load_word(address)",
    ],
)
def test_an_access_outside_of_what_was_allocated_fails(lines: str) -> None:
    assert run(lines).startswith("ipc.bounds.OutOfBoundsError: ")


def test_the_same_read_passes_unseen_without_the_check() -> None:
    assert run("sum_of(address, 5)", is_checked=False) == ""


def test_what_was_allocated_can_be_used_whole() -> None:
    lines = """
memory.record_at(address + 16, PAIR).second = 7
assert words[3] == 7
part = address_of(words[1:])  # a view is as large as what it is of
assert sum_of(part - 8, 4) == 10
name = f"/vortex-test-bounds-{os.getpid()}"
ring = SharedRing.create(name, SPEC, run_id=1)
ring.segment.unlink()
ring.close()
again = np.frombuffer(words, np.uint8)
assert memory.load_byte(address_of(again)) == 1
del again
assert sum_of(address, 4) == 10
"""
    assert run(lines) == ""


def test_a_segment_ends_where_it_is_unmapped() -> None:
    lines = """
name = f"/vortex-test-bounds-{os.getpid()}"
ring = SharedRing.create(name, SPEC, run_id=1)
ring.segment.unlink()
memory.load_word(ring.address)
there = ring.segment._maps[0][0]
memory.load_word(there)
ring.close()
memory.load_word(there)
"""
    assert run(lines).startswith("ipc.bounds.OutOfBoundsError: ")


def test_the_message_says_how_far_it_was() -> None:
    known = KnownMemory()
    known.add(1000, 16)
    known.add(2000, 8)
    known.check(1008, 8)
    with pytest.raises(OutOfBoundsError, match=r"8 bytes at 0x3f1 .* has 16 bytes and this is 9"):
        known.check(1009, 8)
    known.remove(1000)
    with pytest.raises(OutOfBoundsError, match=r"8 bytes at 0x3e8 were not allocated$"):
        known.check(1000, 8)
