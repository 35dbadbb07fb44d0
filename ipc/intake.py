"""The intake of a loop: all that it took from outside, in order, to be taken again.

Readings of the clock, bytes of peers, letters, masking keys, and what other processes share: a
compiled loop passes each of them through here.  While it is recorded they are written down as they
are; while it is repeated they are replaced by what was written, and what the loop makes of them
(bytes to send, records on rings) is compared with what it made then.  What a turn took is kept only
when the turn did something.  A loop without an intake has the address 0, and does not call.

An entry is a word (its kind, and 256 times its bytes), the bytes, and zeros up to a whole word.  A
zero word ends the intake.
"""

import mmap
import os
from enum import IntEnum
from pathlib import Path
from typing import Self

import numpy as np

from ipc.compiled import compiled
from ipc.layout import Field, Layout
from ipc.memory import address_of, copy_bytes, load_byte, load_word, record_at, store_word
from ipc.types import ByteArray, RecordArray

#: The most rings of which an intake keeps what was published.
OUTPUT_COUNT_MAX = 8
HEAD_BYTES = 8
KIND_COUNT = 256

INTAKE = Layout(
    "intake",
    "The intake of one loop; addresses in this process.",
    Field("is_repeating", "i8", "0: it is written; 1: it is given again"),
    Field("next_address", "i8", "where the next entry is, or goes"),
    Field("end_address", "i8", "the end of the room, or of what is there"),
    Field("turn_address", "i8", "where the entries of this turn begin"),
    Field("is_kept", "i8", "1 when this turn did something"),
    Field("is_full", "i8", "1 when an entry found no room: nothing is written any more"),
    Field("difference_count", "i8", "repeating: entries that were not as the loop wants them"),
    Field("different_address", "i8", "repeating: the first of them"),
    Field("output_seq", "i8", "of each output, the next record to note", (OUTPUT_COUNT_MAX,)),
    multiple_bytes=8,
)
INTAKE_DTYPE = INTAKE.dtype


class Entry(IntEnum):
    """What an entry holds."""

    END = 0  # none follows
    CLOCK = 1  # a reading: nanoseconds, and the offset to wall time
    READ = 2  # a read of a connection: its index, byte count or error, kernel stamp, the bytes
    SENDING = 3  # bytes that a connection is to send
    LEFT = 4  # how many of them were not sent, or an error
    MASK = 5  # a masking key
    LETTER = 6  # a letter of the main thread, and the bytes that it lends
    STATE = 7  # words of the loop that a turn which did nothing may have changed
    SHARED = 8  # what was read of a table of another process
    OUTPUT = 9  # records published to one output: its index, their first sequence, the records
    STEP = 10  # the STEP record of the turn
    TURN = 11  # the turn ends


@compiled
def differ(intake_address: int) -> None:
    """Note that the next entry is not what the loop takes or makes now."""
    intake = record_at(intake_address, INTAKE_DTYPE)
    if intake.difference_count == 0:
        intake.different_address = intake.next_address
    intake.difference_count += 1


@compiled
def begin_entry(intake_address: int, kind: int, byte_count: int) -> int:
    """Return the address of the bytes of the next entry; 0 when there is no such entry or room."""
    intake = record_at(intake_address, INTAKE_DTYPE)
    entry_address = intake.next_address
    head = byte_count * KIND_COUNT + kind
    end_address = entry_address + HEAD_BYTES + ((byte_count + 7) & -8)
    if intake.is_repeating != 0:
        if end_address > intake.end_address or load_word(entry_address) != head:
            differ(intake_address)
            return 0
    else:
        # A zero word must find room behind it.
        if intake.is_full != 0 or end_address + HEAD_BYTES > intake.end_address:
            intake.is_full = 1
            return 0
        store_word(entry_address, head)
        if byte_count > 0:
            store_word(end_address - 8, 0)
    intake.next_address = end_address
    return int(entry_address + HEAD_BYTES)


@compiled
def take_bytes(intake_address: int, kind: int, address: int, byte_count: int) -> None:
    """Write bytes down; repeating, replace them by those that were written down."""
    entry_address = begin_entry(intake_address, kind, byte_count)
    if entry_address == 0:
        return
    if record_at(intake_address, INTAKE_DTYPE).is_repeating != 0:
        copy_bytes(address, entry_address, byte_count)
    else:
        copy_bytes(entry_address, address, byte_count)


@compiled
def take_word(intake_address: int, kind: int, value: int) -> int:
    """Write a value down; repeating, return the one that was written down."""
    entry_address = begin_entry(intake_address, kind, 8)
    if entry_address == 0:
        return value
    if record_at(intake_address, INTAKE_DTYPE).is_repeating == 0:
        store_word(entry_address, value)
    return load_word(entry_address)


@compiled
def is_equal(first_address: int, second_address: int, byte_count: int) -> bool:
    """Return whether two runs of bytes are equal."""
    offset_bytes = 0
    while offset_bytes + 8 <= byte_count:
        if load_word(first_address + offset_bytes) != load_word(second_address + offset_bytes):
            return False
        offset_bytes += 8
    while offset_bytes < byte_count:
        if load_byte(first_address + offset_bytes) != load_byte(second_address + offset_bytes):
            return False
        offset_bytes += 1
    return True


@compiled
def make_bytes(intake_address: int, kind: int, address: int, byte_count: int) -> None:
    """Write down bytes that the loop made; repeating, compare them with those made then."""
    start_address = record_at(intake_address, INTAKE_DTYPE).next_address
    entry_address = begin_entry(intake_address, kind, byte_count)
    if entry_address == 0:
        return
    intake = record_at(intake_address, INTAKE_DTYPE)
    if intake.is_repeating == 0:
        copy_bytes(entry_address, address, byte_count)
    elif not is_equal(entry_address, address, byte_count):
        intake.next_address = start_address  # the entry that differs
        differ(intake_address)


@compiled
def take_read(
    intake_address: int, index: int, count: int, kernel_wall_ns: int, address: int
) -> None:
    """Write down what a read brought; repeating, the driver has put the same bytes there."""
    entry_address = begin_entry(intake_address, Entry.READ, 24 + max(count, 0))
    if entry_address == 0 or record_at(intake_address, INTAKE_DTYPE).is_repeating != 0:
        return
    store_word(entry_address, index)
    store_word(entry_address + 8, count)
    store_word(entry_address + 16, kernel_wall_ns)
    if count > 0:
        copy_bytes(entry_address + 24, address, count)


@compiled
def take_letter(
    intake_address: int, letter_address: int, letter_bytes: int, lent_address: int, lent_bytes: int
) -> None:
    """Write down a letter and what it lends; repeating, the driver has posted the same."""
    entry_address = begin_entry(intake_address, Entry.LETTER, letter_bytes + lent_bytes)
    if entry_address == 0 or record_at(intake_address, INTAKE_DTYPE).is_repeating != 0:
        return
    copy_bytes(entry_address, letter_address, letter_bytes)
    if lent_bytes > 0:
        copy_bytes(entry_address + letter_bytes, lent_address, lent_bytes)


@compiled
def make_records(
    intake_address: int, index: int, first_seq: int, address: int, byte_count: int
) -> None:
    """Write down records that were published; repeating, compare them with those of then."""
    start_address = record_at(intake_address, INTAKE_DTYPE).next_address
    entry_address = begin_entry(intake_address, Entry.OUTPUT, 16 + byte_count)
    if entry_address == 0:
        return
    intake = record_at(intake_address, INTAKE_DTYPE)
    if intake.is_repeating == 0:
        store_word(entry_address, index)
        store_word(entry_address + 8, first_seq)
        copy_bytes(entry_address + 16, address, byte_count)
    elif (
        load_word(entry_address) != index
        or load_word(entry_address + 8) != first_seq
        or not is_equal(entry_address + 16, address, byte_count)
    ):
        intake.next_address = start_address
        differ(intake_address)


@compiled
def end_turn(intake_address: int) -> None:
    """End a turn: keep its entries when it did something, and forget them otherwise."""
    intake = record_at(intake_address, INTAKE_DTYPE)
    if intake.is_kept != 0:
        begin_entry(intake_address, Entry.TURN, 0)
    elif intake.is_repeating == 0:
        intake.next_address = intake.turn_address
    if intake.is_repeating == 0:
        store_word(intake.next_address, 0)
    intake.turn_address = intake.next_address
    intake.is_kept = 0


class Intake:
    """The memory of one intake; ``address`` is for compiled code while this object lives."""

    def __init__(self, data: ByteArray, *, is_repeating: bool) -> None:
        self.data = data
        self.record: RecordArray = np.zeros(1, INTAKE_DTYPE)
        record = self.record[0]
        record["is_repeating"] = is_repeating
        record["next_address"] = record["turn_address"] = address_of(data)
        record["end_address"] = address_of(data) + len(data)
        self._file: mmap.mmap | None = None
        self._path: Path | None = None

    @classmethod
    def to_file(cls, path: Path, byte_count: int) -> Self:
        """Return an intake that is written into a new file of bounded size; ``close`` ends it.

        The file outlives the process: what a killed loop took is in it.
        """
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(fd, byte_count)
            file = mmap.mmap(fd, byte_count)
        finally:
            os.close(fd)
        made = cls(np.frombuffer(file, np.uint8), is_repeating=False)
        made._file, made._path = file, path
        return made

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """Return the intake in a file, to be taken again."""
        return cls(np.frombuffer(path.read_bytes() + bytes(HEAD_BYTES), np.uint8).copy(),
                   is_repeating=True)  # fmt: skip

    @property
    def address(self) -> int:
        """Where compiled code finds the INTAKE."""
        return address_of(self.record)

    @property
    def used_bytes(self) -> int:
        """How far it is written or taken."""
        return int(self.record[0]["next_address"]) - address_of(self.data)

    @property
    def is_full(self) -> bool:
        """Whether something found no room: what came after it is missing."""
        return bool(self.record[0]["is_full"])

    def close(self) -> None:
        """Cut the file to what is used; the loop has ended."""
        if self._path is not None:
            os.truncate(self._path, self.used_bytes + HEAD_BYTES)
            self._path = None
