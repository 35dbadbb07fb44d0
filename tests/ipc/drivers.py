"""Compiled writers and readers of self-checking records, and the processes that run them.

A record says which record it is and how its message goes on, and repeats that in five words, so a
reader notices a lost, repeated, reordered or torn record and a message that became visible in part.

Run as ``python -m tests.ipc.drivers ROLE RING [ARGUMENT ...]`` it is an end of a ring.  Roles write
to their parent on stdout and wait for it on stdin, so the parent knows their last step when it
stops or kills them.
"""

import os
import sys

import numpy as np

from ipc import ring
from ipc.atomics import load_acquire
from ipc.compiled import compiled
from ipc.layout import Field, Layout
from ipc.memory import address_of, record_at
from ipc.ring import RING
from ipc.shared import RingSpec, SharedRing
from ipc.waiting import Wait, idle

RING_DTYPE = RING.dtype

RECORD = Layout(
    "test_record",
    "A record that can be checked by itself.",
    Field("published_ns", "i8", "written by commit: the value once more"),
    Field("value", "i8", "which record this is"),
    Field("rest_count", "i8", "how many records of its message follow"),
    Field("word", "i8", "made from the value", (5,)),
)
RECORD_DTYPE = RECORD.dtype
RECORD_BYTES = RECORD.dtype.itemsize
WORD_COUNT = 5
WORD_FACTOR = 1_000_003

SPEC = RingSpec((RECORD,), RECORD_BYTES, 64, 7, "published_ns")

NOT_WHOLE = -1
OUT_OF_ORDER = -2
MESSAGE_IN_PART = -3
REPLACED = -4


@compiled
def write_record(address: int, value: int, rest_count: int) -> None:
    """Fill the record at ``address``."""
    record = record_at(address, RECORD_DTYPE)
    record.value = value
    record.rest_count = rest_count
    for index in range(WORD_COUNT):
        record.word[index] = value * WORD_FACTOR + index


@compiled
def is_whole(address: int) -> bool:
    """Return whether all words of the record belong to its value."""
    record = record_at(address, RECORD_DTYPE)
    for index in range(WORD_COUNT):
        if record.word[index] != record.value * WORD_FACTOR + index:
            return False
    return bool(0 <= record.rest_count < 64)


@compiled
def write_message(ring_address: int, value: int, record_count: int) -> bool:
    """Claim room and write one message; False when there is no room.  Commit it afterwards."""
    slot_address = ring.claim(ring_address)
    if slot_address == 0:
        return False
    for index in range(record_count):
        write_record(slot_address + index * RECORD_BYTES, value + index, record_count - 1 - index)
    ring.append(ring_address, record_count)
    return True


@compiled
def message_size(value: int, size_max: int) -> int:
    """Return a size between 1 and ``size_max`` that looks random."""
    return 1 + ((value * 1_103_515_245 + 12_345) >> 16 & 0x7FFF) % size_max


@compiled
def write_values(ring_address: int, first_value: int, end_value: int, size_max: int) -> int:
    """Write messages of random sizes up to ``end_value``; return the first value not written."""
    value = first_value
    while value < end_value:
        count = min(message_size(value, size_max), end_value - value)
        while not write_message(ring_address, value, count):
            if ring.is_replaced(record_at(ring_address, RING_DTYPE)):
                return value
            idle(Wait.YIELD, 0)
        if not ring.commit(ring_address, value):
            return value
        value += count
    return value


@compiled
def read_values(ring_address: int, first_value: int, end_value: int) -> int:
    """Read and check up to ``end_value``; return the first value not read, or what was wrong."""
    value = first_value
    while value < end_value:
        count = ring.ready_count(ring_address)
        if count == ring.NEW_EPOCH:
            return value
        if count == 0:
            idle(Wait.YIELD, 0)
            continue
        for index in range(count):
            address = ring.slot(ring_address, index)
            record = record_at(address, RECORD_DTYPE)
            if not is_whole(address):
                return NOT_WHOLE
            if record.value != value + index:
                return OUT_OF_ORDER
            if record.rest_count > count - 1 - index:
                return MESSAGE_IN_PART
        if not ring.consume(ring_address, count):
            return REPLACED
        value += count
    return value


@compiled
def churn_values(writer_address: int, reader_address: int, end_value: int, size_max: int) -> int:
    """Write and at once give back, so that nothing but the machine slows the writer down."""
    value = 0
    while value < end_value:
        count = message_size(value, size_max)
        if not write_message(writer_address, value, count):
            return value
        ring.commit(writer_address, value)
        ring.consume(reader_address, ring.ready_count(reader_address))
        value += count
    return value


@compiled
def observe_values(ring_address: int, copy_address: int, end_seq: int) -> tuple[int, int, int]:
    """Follow a ring up to ``end_seq``; return how many records were whole, torn and overtaken."""
    whole_count, torn_count, lost_count, seq = 0, 0, 0, 0
    handle = record_at(ring_address, ring.RING_DTYPE)
    while seq < end_seq:
        found = ring.observe(ring_address, seq, copy_address)
        if found == 1:
            if is_whole(copy_address) and record_at(copy_address, RECORD_DTYPE).value == seq:
                whole_count += 1
            else:
                torn_count += 1
            seq += 1
        elif found < 0:
            lost_count += 1
            published_seq = load_acquire(handle.writer_address + ring.PUBLISHED_BYTES)
            seq = max(seq + 1, published_seq - handle.capacity_count // 2)
    return whole_count, torn_count, lost_count


def pin(cpu_index: int) -> None:
    """Stay on one of the CPUs that this process may use."""
    cpus = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpus[cpu_index % len(cpus)]})


def say(*words: object) -> None:
    """Say something to the parent."""
    print(*words, flush=True)


def wait() -> str:
    """Wait for the parent's word."""
    return sys.stdin.readline().strip()


def run_writer(name: str, first: str, end: str, size_max: str) -> None:
    """Write all values; say the first one not written."""
    shared = SharedRing.attach_writer(name, SPEC)
    start_seq = int(shared.handle[0]["next_seq"])
    say("ready", start_seq)
    wait()
    pin(0)
    say(write_values(shared.address, int(first), int(end), int(size_max)))


def run_reader(name: str, first: str, end: str) -> None:
    """Read all values; say the first one not read, or what was wrong."""
    shared = SharedRing.attach_reader(name, SPEC)
    say("ready")
    wait()
    pin(1)
    if ring.ready_count(shared.address) == ring.NEW_EPOCH:
        ring.enter_epoch(shared.address)  # the writer came later
    say(read_values(shared.address, int(first), int(end)))


def run_churn(name: str, end: str) -> None:
    """Be both ends at full speed; say the first value not written."""
    writer = SharedRing.attach_writer(name, SPEC)
    reader = SharedRing.attach_reader(name, SPEC)
    churn_values(writer.address, reader.address, 0, SPEC.message_count_max)
    say("ready")
    wait()
    pin(0)
    say(churn_values(writer.address, reader.address, int(end), SPEC.message_count_max))


def run_observer(name: str, end_seq: str) -> None:
    """Follow the ring; say what was seen."""
    shared = SharedRing.attach_observer(name, SPEC)
    copy = np.zeros(1, RECORD_DTYPE)
    observe_values(shared.address, address_of(copy), 0)
    say("ready")
    wait()
    pin(1)
    say(*observe_values(shared.address, address_of(copy), int(end_seq)))


def run_stopped_writer(name: str, point: str) -> None:
    """Publish two records, then wait at ``point`` of a message of four; say how it ended."""
    shared = SharedRing.attach_writer(name, SPEC)
    assert write_values(shared.address, 0, 2, 1) == 2
    address = shared.address
    slot_address = 0
    if point != "idle":
        slot_address = ring.claim(address)
    if point in ("half", "appended"):
        for index in range(2):
            write_record(slot_address + index * RECORD_BYTES, 2 + index, 3 - index)
    if point == "appended":
        for index in range(2, 4):
            write_record(slot_address + index * RECORD_BYTES, 2 + index, 3 - index)
        ring.append(address, 4)
    say("at", point)
    wait()
    if point != "appended":
        slot_address = slot_address or ring.claim(address)
        ring.append(address, 4)
    say(slot_address != 0, ring.commit(address, 0), ring.claim(address))


def run_stopped_reader(name: str, point: str) -> None:
    """Wait before the first poll (``idle``) or between reading and giving back (``reading``)."""
    shared = SharedRing.attach_reader(name, SPEC)
    count = ring.ready_count(shared.address)
    while point == "reading" and count == 0:
        count = ring.ready_count(shared.address)
        if count == 0:
            say("waiting")
            wait()
    say("at", point)
    wait()
    given_back = ring.consume(shared.address, count) if point == "reading" else False
    say(given_back, ring.ready_count(shared.address))


ROLES = {
    "writer": run_writer,
    "reader": run_reader,
    "churn": run_churn,
    "observer": run_observer,
    "stopped_writer": run_stopped_writer,
    "stopped_reader": run_stopped_reader,
}

if __name__ == "__main__":
    ROLES[sys.argv[1]](*sys.argv[2:])
