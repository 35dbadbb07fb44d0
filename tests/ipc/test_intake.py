"""What a loop took is taken again: the same values in the same order, and nothing else."""

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipc.clock import CLOCK, now_ns, wall_offset_ns, with_intake
from ipc.intake import (
    INTAKE_DTYPE,
    Entry,
    Intake,
    end_turn,
    make_bytes,
    take_bytes,
    take_word,
)
from ipc.memory import address_of, record_at
from ipc.types import ByteArray


def new_intake(byte_count: int = 4096) -> Intake:
    return Intake(np.zeros(byte_count, np.uint8), is_repeating=False)


def again(intake: Intake) -> Intake:
    """Return what was written, to be taken again."""
    return Intake(intake.data.copy(), is_repeating=True)


def keep(intake: Intake) -> None:
    record_at(intake.address, INTAKE_DTYPE).is_kept = 1
    end_turn(intake.address)


def bytes_of(data: bytes) -> ByteArray:
    return np.frombuffer(data + bytes(8), np.uint8).copy()


@given(st.lists(st.tuples(st.binary(max_size=40), st.integers(-(2**63), 2**63 - 1), st.booleans())))
def test_what_was_taken_in_turns_that_did_something_is_given_again(
    turns: list[tuple[bytes, int, bool]],
) -> None:
    """A model: of every turn its bytes and its word; turns that did nothing leave no trace."""
    intake = new_intake(1 << 14)
    for data, word, is_kept in turns:
        held = bytes_of(data)
        take_bytes(intake.address, Entry.STATE, address_of(held), len(data))
        assert take_word(intake.address, Entry.MASK, word) == word
        if is_kept:
            keep(intake)
        else:
            end_turn(intake.address)
    assert not intake.is_full
    repeated = again(intake)
    for data, word, _ in (turn for turn in turns if turn[2]):
        held = np.zeros(len(data) + 8, np.uint8)
        take_bytes(repeated.address, Entry.STATE, address_of(held), len(data))
        assert held.tobytes() == data + bytes(8)
        assert take_word(repeated.address, Entry.MASK, 0) == word
        keep(repeated)
    assert repeated.record[0]["difference_count"] == 0
    assert repeated.used_bytes == intake.used_bytes


@pytest.mark.parametrize("other", [b"12345678x", b"1234567", b"12345678X1", b"02345678X"])
def test_bytes_made_otherwise_are_found(other: bytes) -> None:
    """Other bytes, or another number of them; the first place that differs is kept."""
    intake = new_intake()
    held, different = bytes_of(b"12345678X"), bytes_of(other)
    make_bytes(intake.address, Entry.SENDING, address_of(held), 9)
    keep(intake)
    repeated = again(intake)
    make_bytes(repeated.address, Entry.SENDING, address_of(different), len(other))
    record = repeated.record[0]
    assert record["difference_count"] == 1
    assert record["different_address"] == address_of(repeated.data)


def test_a_full_intake_keeps_what_came_before() -> None:
    """What finds no room is left out, and all that follows it; the loop takes on."""
    intake = new_intake(100)
    for word in range(20):
        assert take_word(intake.address, Entry.MASK, word) == word
        keep(intake)
    assert intake.is_full
    repeated = again(intake)
    words = []
    while repeated.record[0]["difference_count"] == 0:
        words.append(take_word(repeated.address, Entry.MASK, -1))
        keep(repeated)
    assert words == [0, 1, 2, 3]


def test_a_clock_with_an_intake_reads_another_and_repeats_its_readings() -> None:
    """Time and the offset to wall time are those of the source, then and again."""
    source = np.zeros(1, CLOCK.dtype)  # of no length of a cycle: it asks the kernel
    intake = new_intake()
    clock = with_intake(address_of(source), intake.address)
    readings = []
    begun_ns = time.monotonic_ns()
    for offset_ns in (500, 700, 1100):
        source["wall_offset_ns"] = offset_ns
        readings.append((now_ns(address_of(clock)), wall_offset_ns(address_of(clock))))
        assert begun_ns <= readings[-1][0] <= time.monotonic_ns()
    assert [offset_ns for _, offset_ns in readings] == [500, 700, 1100]
    keep(intake)
    repeated = again(intake)
    clock = with_intake(0, repeated.address)
    assert readings == [
        (now_ns(address_of(clock)), wall_offset_ns(address_of(clock))) for _ in readings
    ]


def test_a_file_holds_what_was_taken_and_no_more(tmp_path: Path) -> None:
    """It outlives a process that does not close it, and is cut to its use by one that does."""
    path = tmp_path / "x.intake"
    intake = Intake.to_file(path, 1 << 16)
    take_word(intake.address, Entry.MASK, 42)
    keep(intake)
    assert take_word(Intake.of_file(path).address, Entry.MASK, 0) == 42
    intake.close()
    assert path.stat().st_size == intake.used_bytes + 8
    assert path.stat().st_mode & 0o077 == 0, "it holds the account's key"
    assert take_word(Intake.of_file(path).address, Entry.MASK, 0) == 42
