"""Named memory: who may see it, what is refused, whose locks count and what is removed."""

import os
import signal
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ipc import segment as segments
from ipc.errors import RoleTaken, SegmentInUse, SegmentMismatch, SegmentMissing, SegmentNotYet
from ipc.memory import words_at
from ipc.segment import PAGE_BYTES, Segment, list_segments, remove_stale, segment_name
from tests.ipc.processes import Child

HOLDER = """
import sys
from ipc.segment import Segment
held = Segment.open(sys.argv[1])
held.lock(int(sys.argv[2]))
print("held", flush=True)
sys.stdin.readline()
"""

STORM = """
import sys
from ipc.errors import SharedMemoryError
from ipc.segment import Segment, remove_stale, segment_name
instance = sys.argv[1]
name = segment_name(instance, "storm")
print("ready", flush=True)
sys.stdin.readline()
made = 0
for run_id in range(200):
    try:
        made_here = Segment.create(name, data_bytes=4096, fingerprint=7, run_id=run_id,
                                   slot_bytes=64, slot_count=64, record_names="x")
    except SharedMemoryError:
        pass
    else:
        made += 1
        made_here.close()
    try:
        seen = Segment.attach(name, fingerprint=7)
    except SharedMemoryError:
        pass
    else:
        assert seen.header["slot_count"] == 64
        seen.close()
    try:
        remove_stale(instance)
    except SharedMemoryError:
        pass
print("made", made, flush=True)
"""

TOUCH = """
import ctypes, sys
from ipc.segment import Segment, PAGE_BYTES
seen = Segment.open(sys.argv[1])
address = seen.map(PAGE_BYTES, PAGE_BYTES, writable=sys.argv[2] == "writable")
print(ctypes.c_int64.from_address(address).value, flush=True)
ctypes.c_int64.from_address(address).value = 42
print("written", flush=True)
"""


def create(instance: str, name: str = "one", **changes: Any) -> Segment:
    """Create a segment that fits these tests."""
    arguments = {
        "data_bytes": 3 * PAGE_BYTES,
        "fingerprint": 7,
        "run_id": 1,
        "slot_bytes": 64,
        "slot_count": 9,
        "record_names": "trade,quote",
    }
    return Segment.create(segment_name(instance, name), **{**arguments, **changes})


def test_only_its_owner_may_open_it(instance: str) -> None:
    old_mask = os.umask(0o277)
    try:
        made = create(instance)
    finally:
        os.umask(old_mask)
    assert stat.S_IMODE(os.fstat(made.fd).st_mode) == 0o600
    made.close()


def test_the_header_says_what_it_is(instance: str) -> None:
    made = create(instance)
    header = Segment.attach(made.name, fingerprint=7, run_id=1).header
    assert header["total_bytes"] == os.fstat(made.fd).st_size == 4 * PAGE_BYTES
    assert (header["slot_bytes"], header["slot_count"]) == (64, 9)
    assert header["creator_pid"] == os.getpid()
    assert header["record_names"] == b"trade,quote"
    assert os.fstat(made.fd).st_blocks * 512 >= 4 * PAGE_BYTES, "allocated, not sparse"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("magic", 0, "not whole"),
        ("layout_version", 99, "layout version 99"),
        ("fingerprint", 8, "other declarations of trade,quote"),
        ("run_id", 2, "belongs to run 00000002"),
        ("total_bytes", 99 * PAGE_BYTES, "another size"),
    ],
)
def test_another_segment_is_refused(instance: str, field: str, value: int, message: str) -> None:
    made = create(instance)
    header = np.frombuffer(os.pread(made.fd, 128, 0), segments.SEGMENT_HEADER.dtype).copy()
    header[field] = value
    os.pwrite(made.fd, header.tobytes(), 0)
    with pytest.raises(SegmentMismatch, match=message):
        Segment.attach(made.name, fingerprint=7, run_id=1)


@pytest.mark.parametrize(("field", "value"), [("magic", 0), ("run_id", 2)])
def test_a_segment_that_the_run_may_still_make_has_an_error_of_its_own(
    instance: str, field: str, value: int
) -> None:
    """Whatever else is wrong with it: another run's may be another version's too."""
    made = create(instance)
    header = np.frombuffer(os.pread(made.fd, 128, 0), segments.SEGMENT_HEADER.dtype).copy()
    header["fingerprint"], header[field] = 8, value
    os.pwrite(made.fd, header.tobytes(), 0)
    with pytest.raises(SegmentNotYet):
        Segment.attach(made.name, fingerprint=7, run_id=1)
    os.ftruncate(made.fd, 0)
    with pytest.raises(SegmentNotYet):
        Segment.attach(made.name, fingerprint=7, run_id=1)


@pytest.mark.parametrize("byte_count", [0, 100, PAGE_BYTES, 3 * PAGE_BYTES])
def test_a_truncated_segment_is_refused(instance: str, byte_count: int) -> None:
    """Touching what is missing would end in SIGBUS."""
    made = create(instance)
    name = made.name
    os.ftruncate(made.fd, byte_count)
    with pytest.raises(SegmentMismatch):
        Segment.attach(name, fingerprint=7, run_id=1)


def test_nothing_of_that_name_is_said(instance: str) -> None:
    with pytest.raises(SegmentMissing, match="is the run up"):
        Segment.attach(segment_name(instance, "none"), fingerprint=7)


def test_a_name_in_use_is_not_taken(instance: str) -> None:
    create(instance).close()
    with pytest.raises(SegmentInUse, match="exists already"):
        create(instance)


def test_a_creation_that_fails_leaves_no_name(
    instance: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with pytest.raises(OSError, match="No space"):
        create(instance)
    assert list_segments(instance) == []


def test_stale_segments_are_removed_and_foreign_ones_are_not(instance: str) -> None:
    for name in ("one", "two"):
        create(instance, name).close()
    foreign = create(instance + "x")
    assert remove_stale(instance) == [segment_name(instance, name) for name in ("one", "two")]
    assert list_segments(instance) == []
    assert list_segments(instance + "x") == [foreign.name]
    foreign.unlink()
    foreign.unlink()  # somebody else was quicker: no harm


def test_a_live_run_is_never_removed_not_even_in_part(instance: str) -> None:
    create(instance, "one").close()
    held = create(instance, "two")
    held.lock(3)
    with pytest.raises(SegmentInUse, match="is up"):
        remove_stale(instance)
    assert len(list_segments(instance)) == 2


def test_a_role_has_one_holder_and_others_stay_free(instance: str) -> None:
    made = create(instance)
    first, second = (Segment.open(made.name) for _ in range(2))
    first.lock(3)
    with pytest.raises(RoleTaken, match="role 3"):
        second.lock(3)
    second.lock(4)
    assert second.is_locked(3)
    assert not second.is_locked(4)  # its own
    assert made.is_locked()
    Segment.open(made.name).close()  # closing another descriptor must not free the lock
    assert made.is_locked(3)
    first.close()
    assert not made.is_locked(3)


def test_a_killed_holder_frees_its_lock_while_its_corpse_is_unreaped(instance: str) -> None:
    made = create(instance)
    with Child("-c", HOLDER, made.name, "3") as holder:
        assert holder.hear() == ["held"]
        assert made.is_locked(3)
        holder.signal(signal.SIGKILL)
        os.waitid(os.P_PID, holder.process.pid, os.WEXITED | os.WNOWAIT)
        assert Path(f"/proc/{holder.process.pid}").exists(), "reaped: the test proved nothing"
        made.lock(3)


def test_a_stopped_holder_still_holds(instance: str) -> None:
    made = create(instance)
    with Child("-c", HOLDER, made.name, "3") as holder:
        assert holder.hear() == ["held"]
        holder.signal(signal.SIGSTOP)
        os.waitid(os.P_PID, holder.process.pid, os.WSTOPPED | os.WNOWAIT)
        with pytest.raises(RoleTaken):
            made.lock(3)
        with pytest.raises(SegmentInUse):
            remove_stale(instance)


@pytest.mark.timeout(60)
def test_a_storm_of_creations_and_removals_shows_only_our_own_errors(instance: str) -> None:
    """Four processes, 200 cycles each: each attach returns a whole segment or a reason."""
    children = [Child("-c", STORM, instance) for _ in range(4)]
    for child in children:
        assert child.hear() == ["ready"]
    for child in children:
        child.say()
    made = [child.hear() for child in children]
    for child in children:
        with child:
            assert child.wait() == 0
    assert all(word == "made" for word, *_ in made)
    assert sum(int(count) for _, count in made) > 0


def test_a_write_through_a_read_only_map_ends_in_the_process_that_made_it(instance: str) -> None:
    made = create(instance)
    words = words_at(made.map(PAGE_BYTES, PAGE_BYTES, writable=True), 1)
    words[0] = 41
    with Child("-c", TOUCH, made.name, "read-only") as child:
        assert child.hear() == ["41"]
        assert child.wait() == -signal.SIGSEGV
    assert words[0] == 41
    with Child("-c", TOUCH, made.name, "writable") as child:
        assert child.wait() == 0
    assert words[0] == 42


def test_a_region_mapped_twice_continues_behind_its_end(instance: str) -> None:
    made = create(instance)
    address = made.map(PAGE_BYTES, 2 * PAGE_BYTES, writable=True, twice=True)
    words = words_at(address, 4 * PAGE_BYTES // 8)
    half = len(words) // 2
    words[half - 1 : half + 1] = [5, 6]
    assert (words[0], words[-1]) == (6, 5)
