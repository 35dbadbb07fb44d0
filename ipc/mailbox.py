"""Messages between the two threads of a stage: two small rings in private memory.

The main thread does the slow work (handshakes, requests over HTTP) and posts the results to the hot
thread, which polls.  The hot thread posts its needs.  Bulk bytes are not copied: a letter carries
their address, and their owner keeps them alive until the answer arrives.
"""

from typing import NamedTuple

import numpy as np

from ipc import ring
from ipc.compiled import compiled
from ipc.layout import Field, Layout
from ipc.memory import address_of, record_at
from ipc.types import ByteArray, RecordArray

LETTER = Layout(
    "letter",
    "One message between the threads of a stage.",
    Field("subject", "i8", "subject of the message; each stage has its own codes"),
    Field("posted_ns", "i8", "when it was posted; 0 where no code reads it"),
    Field("first", "i8", "first argument"),
    Field("second", "i8", "second argument"),
    Field("third", "i8", "third argument"),
    Field("fourth", "i8", "fourth argument"),
    Field("fifth", "i8", "fifth argument"),
    Field("sixth", "i8", "sixth argument"),
)
LETTER_DTYPE = LETTER.dtype
CAPACITY_COUNT = 256
SLOTS_OFFSET_BYTES = 512
READER_OFFSET_BYTES = 256


class Letter(NamedTuple):
    """A message, as the main thread sees it."""

    subject: int
    first: int = 0
    second: int = 0
    third: int = 0
    fourth: int = 0
    fifth: int = 0
    sixth: int = 0


class Mailbox:
    """One direction: one thread posts, the other takes."""

    def __init__(self) -> None:
        slot_bytes = LETTER_DTYPE.itemsize
        self._memory: ByteArray = np.zeros(
            SLOTS_OFFSET_BYTES + CAPACITY_COUNT * slot_bytes + 64, np.uint8
        )
        start_address = -(-address_of(self._memory) // 64) * 64
        self._writer = self._handle(start_address)
        self._reader = self._handle(start_address)

    def _handle(self, start_address: int) -> RecordArray:
        handle = np.zeros(1, ring.RING_DTYPE)
        handle["writer_address"] = start_address
        handle["reader_address"] = start_address + READER_OFFSET_BYTES
        handle["slots_address"] = start_address + SLOTS_OFFSET_BYTES
        handle["slot_bytes"] = LETTER_DTYPE.itemsize
        handle["capacity_count"] = CAPACITY_COUNT
        handle["message_count_max"] = 1
        handle["stamp_offset_bytes"] = LETTER.offset_bytes("posted_ns")
        handle["has_reader"] = True
        return handle

    @property
    def writer_address(self) -> int:
        """The posting thread's handle, for ``post``."""
        return address_of(self._writer)

    @property
    def reader_address(self) -> int:
        """The taking thread's handle, for ``ipc.ring.ready_count`` and the rest."""
        return address_of(self._reader)

    def send(self, letter: Letter) -> bool:
        """Post from the main thread; return False when the box is full."""
        return post(self.writer_address, *letter)

    def take(self) -> Letter | None:
        """Take the oldest letter in the main thread, or None."""
        if ring.ready_count(self.reader_address) <= 0:
            return None
        record = record_at(ring.slot(self.reader_address, 0), LETTER_DTYPE)
        letter = Letter(
            int(record.subject), int(record.first), int(record.second), int(record.third),
            int(record.fourth), int(record.fifth), int(record.sixth),
        )  # fmt: skip
        ring.consume(self.reader_address, 1)
        return letter


@compiled
def post(
    box_address: int,
    subject: int,
    first: int,
    second: int,
    third: int,
    fourth: int,
    fifth: int,
    sixth: int,
) -> bool:
    """Post one letter; return False when the box is full."""
    slot_address = ring.claim(box_address)
    if slot_address == 0:
        return False
    letter = record_at(slot_address, LETTER_DTYPE)
    letter.subject = subject
    letter.first = first
    letter.second = second
    letter.third = third
    letter.fourth = fourth
    letter.fifth = fifth
    letter.sixth = sixth
    ring.append(box_address, 1)
    return ring.commit(box_address, 0)
