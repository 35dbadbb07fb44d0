"""The compiled loops of the benchmark ``ring``: our index ring, and stamped slots for comparison.

The record is eight words; the reader checks all of them.  In the index ring the first word is the
stamp that ``commit`` writes into each record of a message: the message's first value here.
"""

import numpy as np

from ipc import ring
from ipc.atomics import load_acquire, pause, store_release
from ipc.clock import monotonic_ns
from ipc.compiled import compiled
from ipc.layout import Field, Layout
from ipc.memory import load_word, store_word
from ipc.shared import RingSpec
from ipc.types import Int64Array

RECORD = Layout(
    "bench_record",
    "Eight words.",
    Field("stamp", "i8", "first value of the message"),
    Field("word", "i8", "value plus place", (7,)),
)
RECORD_BYTES = 64
CAPACITY_COUNT = 4_096
BATCH_COUNT = 16
SPEC = RingSpec((RECORD,), RECORD_BYTES, CAPACITY_COUNT, BATCH_COUNT, "stamp")


@compiled
def fill(address: int, number: int) -> None:
    """Write seven words behind the stamp."""
    for index in range(1, 8):
        store_word(address + 8 * index, number + index)


@compiled
def is_right(address: int, number: int, stamp_ns: int) -> bool:
    """Return whether all eight words are as they should be."""
    wrong = load_word(address) ^ stamp_ns
    for index in range(1, 8):
        wrong |= load_word(address + 8 * index) ^ (number + index)
    return wrong == 0


@compiled
def put(ring_address: int, number: int, count: int) -> None:
    """Write one message of ``count`` records, waiting for room."""
    address = ring.claim(ring_address)
    while address == 0:
        pause()
        address = ring.claim(ring_address)
    for index in range(count):
        fill(address + index * RECORD_BYTES, number + index)
    ring.append(ring_address, count)
    ring.commit(ring_address, number)


@compiled
def send_values(ring_address: int, value_count: int) -> None:
    """Write ``value_count`` records, a multiple of the batch."""
    for value in range(0, value_count, BATCH_COUNT):
        put(ring_address, value, BATCH_COUNT)


@compiled
def receive_values(ring_address: int, value_count: int) -> bool:
    """Read and check ``value_count`` records in order; False at the first wrong one."""
    value = 0
    while value < value_count:
        count = min(ring.ready_count(ring_address), BATCH_COUNT)
        if count == 0:
            pause()
            continue
        for index in range(count):
            expected = value + index
            stamp = expected - expected % BATCH_COUNT
            if not is_right(ring.slot(ring_address, index), expected, stamp):
                return False
        ring.consume(ring_address, count)
        value += count
    return True


@compiled
def take(ring_address: int, value: int) -> bool:
    """Wait for one record, check it and give it back."""
    while ring.ready_count(ring_address) == 0:
        pause()
    right = is_right(ring.slot(ring_address, 0), value, value)
    ring.consume(ring_address, 1)
    return right


@compiled
def ping(there_address: int, back_address: int, took_ns: Int64Array) -> bool:
    """Send a record and wait for the answer, once per element of ``took_ns``."""
    for value in range(len(took_ns)):
        sent_ns = monotonic_ns()
        put(there_address, value, 1)
        if not take(back_address, value):
            return False
        took_ns[value] = monotonic_ns() - sent_ns
    return True


@compiled
def pong(there_address: int, back_address: int, value_count: int) -> bool:
    """Answer ``value_count`` records."""
    for value in range(value_count):
        if not take(there_address, value):
            return False
        put(back_address, value, 1)
    return True


@compiled
def send_paced(ring_address: int, value_count: int, gap_ns: int) -> None:
    """Send one record every ``gap_ns``, with the time as its value."""
    next_ns = monotonic_ns() + gap_ns
    for _ in range(value_count):
        now = monotonic_ns()
        while now < next_ns:
            pause()
            now = monotonic_ns()
        next_ns += gap_ns
        put(ring_address, now, 1)


@compiled
def receive_paced(ring_address: int, took_ns: Int64Array) -> bool:
    """Note for each record how long it was under way."""
    for index in range(len(took_ns)):
        while ring.ready_count(ring_address) == 0:
            pause()
        address = ring.slot(ring_address, 0)
        took_ns[index] = monotonic_ns() - load_word(address)
        if not is_right(address, load_word(address), load_word(address)):
            return False
        ring.consume(ring_address, 1)
    return True


@compiled
def stamped_send(slots_address: int, consumed_address: int, first_seq: int, count: int) -> None:
    """Write ``count`` records whose first word, the commit stamp, is stored last."""
    limit_seq = first_seq
    for seq in range(first_seq, first_seq + count):
        while seq >= limit_seq:
            limit_seq = load_acquire(consumed_address) + CAPACITY_COUNT
        address = slots_address + (seq & (CAPACITY_COUNT - 1)) * RECORD_BYTES
        fill(address, seq)
        store_release(address, seq + 1)


@compiled
def stamped_receive(slots_address: int, consumed_address: int, first_seq: int, count: int) -> bool:
    """Poll the slot itself; give slots back in batches, or when nothing waits."""
    given_seq = first_seq
    for seq in range(first_seq, first_seq + count):
        address = slots_address + (seq & (CAPACITY_COUNT - 1)) * RECORD_BYTES
        while load_acquire(address) != seq + 1:
            if given_seq != seq:
                store_release(consumed_address, seq)
                given_seq = seq
            pause()
        if not is_right(address, seq, seq + 1):
            return False
        if seq + 1 - given_seq >= BATCH_COUNT:
            store_release(consumed_address, seq + 1)
            given_seq = seq + 1
    store_release(consumed_address, first_seq + count)
    return True


@compiled
def stamped_ping(there_address: int, back_address: int, took_ns: Int64Array) -> bool:
    """As ``ping``; each block is slots and then the reader's word."""
    words_bytes = CAPACITY_COUNT * RECORD_BYTES
    for seq in range(len(took_ns)):
        sent_ns = monotonic_ns()
        stamped_send(there_address, there_address + words_bytes, seq, 1)
        if not stamped_receive(back_address, back_address + words_bytes, seq, 1):
            return False
        took_ns[seq] = monotonic_ns() - sent_ns
    return True


@compiled
def stamped_pong(there_address: int, back_address: int, value_count: int) -> bool:
    """As ``pong``."""
    words_bytes = CAPACITY_COUNT * RECORD_BYTES
    for seq in range(value_count):
        if not stamped_receive(there_address, there_address + words_bytes, seq, 1):
            return False
        stamped_send(back_address, back_address + words_bytes, seq, 1)
    return True


def new_samples(count: int) -> Int64Array:
    """Return room for ``count`` measurements."""
    return np.zeros(count, np.int64)
