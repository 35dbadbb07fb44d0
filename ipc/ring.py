"""A single-producer single-consumer ring of fixed records, in compiled code.

The commit point is the *message*: the writer claims room for the largest message, appends records
in place and commits them with one release.  A refused message was never visible.  Unread records
are never overwritten.  Sequences are 64 bits and only grow (for 292 years at a record a nanosecond:
nothing here may wrap, because signed overflow is undefined to LLVM).  The place of a slot is its
sequence modulo the capacity.  The slots are mapped twice in a row, so a message never wraps.

::

    page 1, written by the writer      page 2, written by the reader     slots
    0    published_seq                 0   consumed_seq                  capacity x slot_bytes,
    8    epoch                         8   generation                    then the same again
    16   epoch_start_seq
    128  claimed_seq
    192  8 x (hole_start_seq, hole_end_seq)

*A role is fenced.*  Commit and consume are compare-exchanges on the owner's own word.  A successor
changes that word, so a predecessor that was only stopped, and resumes in the middle of a message,
publishes or consumes nothing.  A reader that resumes idle sees by the generation that it was
replaced.  The ring cannot prevent a predecessor's last stores into slots that it had claimed.  The
role's lock does that: a stopped process keeps it.

*An epoch* begins when a writer takes over, or when it drops the backlog of a reader that stalls.
The reader sees it before its next batch, skips to ``epoch_start_seq`` and knows of the loss.

*An observer* may read any ring without registering.  The writer raises ``claimed_seq`` before it
touches a slot, and never lowers it; an observer that copied sequence s holds a whole record if,
after the copy, ``claimed_seq <= s + capacity``, and if s is in none of the holes: sequences that a
dead writer may have claimed and that its successor skipped were never published.
"""

from ipc.atomics import (
    compare_exchange,
    fence_acquire,
    fence_release,
    load_acquire,
    load_relaxed,
    store_relaxed,
    store_release,
)
from ipc.compiled import compiled
from ipc.layout import Field, Layout, reserved
from ipc.memory import record_at, store_word
from ipc.types import Record

PUBLISHED_BYTES = 0
EPOCH_BYTES = 8
EPOCH_START_BYTES = 16
CLAIMED_BYTES = 128
HOLES_BYTES = 192
HOLE_BYTES = 16
HOLE_END_BYTES = 8
HOLE_COUNT = 8
HOLES_END_BYTES = HOLES_BYTES + HOLE_COUNT * HOLE_BYTES
WRITER_SEQ_OFFSETS = (
    PUBLISHED_BYTES,
    EPOCH_START_BYTES,
    CLAIMED_BYTES,
    *range(HOLES_BYTES, HOLES_END_BYTES, 8),
)
CONSUMED_BYTES = 0
GENERATION_BYTES = 8

NEW_EPOCH = -1

RING = Layout(
    "ring",
    "One process's handle on one end of a ring; in its own memory, never shared.",
    Field("writer_address", "i8", "page that the writer writes"),
    Field("reader_address", "i8", "page that the reader writes"),
    Field("slots_address", "i8", "first slot of the double mapping"),
    Field("slot_bytes", "i8", "size of a slot"),
    Field("capacity_count", "i8", "slots, a power of two"),
    Field("message_count_max", "i8", "records of the largest message"),
    Field("stamp_offset_bytes", "i8", "offset in each record at which commit writes the time"),
    Field("next_seq", "i8", "writer: next to publish; reader: next to consume"),
    Field("limit_seq", "i8", "cached: writer, end of the free room; reader, what is published"),
    Field("pending_count", "i8", "writer: records appended and not yet committed"),
    Field("epoch", "i8", "writer: its own; reader: the last one entered"),
    Field("full_count", "i8", "writer: claims refused because the ring was full"),
    Field("backlog_max_count", "i8", "reader: largest number of records seen waiting"),
    Field("has_reader", "i8", "0: observers only, the writer never waits for room"),
    Field("generation", "i8", "reader: number of readers so far, including this one"),
    reserved(8),
)
RING_DTYPE = RING.dtype
RING_BYTES = RING.dtype.itemsize


@compiled
def is_replaced(ring: Record) -> bool:
    """Return whether another writer took over."""
    return bool(load_relaxed(ring.writer_address + PUBLISHED_BYTES) != ring.next_seq)


@compiled
def claim(ring_address: int) -> int:
    """Return the address of the next free slot, with room for the largest message.

    Return 0 when the ring is full, and always after another writer took over.
    """
    ring = record_at(ring_address, RING_DTYPE)
    if is_replaced(ring):
        return 0
    first_seq = ring.next_seq + ring.pending_count
    end_seq = first_seq + ring.message_count_max
    if ring.has_reader != 0 and end_seq - ring.limit_seq > 0:
        # pairs with: slots given back
        consumed_seq = load_acquire(ring.reader_address + CONSUMED_BYTES)
        ring.limit_seq = consumed_seq + ring.capacity_count
        if end_seq - ring.limit_seq > 0:
            ring.full_count += 1
            return 0
    # Never lowered: claimed slots may be written before they are committed.
    if end_seq - load_relaxed(ring.writer_address + CLAIMED_BYTES) > 0:
        store_relaxed(ring.writer_address + CLAIMED_BYTES, end_seq)
    # pairs with: slot about to be overwritten
    fence_release()
    return int(ring.slots_address + (first_seq & (ring.capacity_count - 1)) * ring.slot_bytes)


@compiled
def append(ring_address: int, record_count: int) -> None:
    """Count ``record_count`` records, written where ``claim`` said, into the pending message."""
    ring = record_at(ring_address, RING_DTYPE)
    assert 0 <= record_count <= ring.message_count_max, "message larger than claimed"
    ring.pending_count += record_count


@compiled
def commit(ring_address: int, publish_ns: int) -> bool:
    """Stamp the pending records and make them visible; return False after a takeover."""
    ring = record_at(ring_address, RING_DTYPE)
    count = ring.pending_count
    if count == 0:
        return True
    mask = ring.capacity_count - 1
    for index in range(count):
        slot_address = ring.slots_address + ((ring.next_seq + index) & mask) * ring.slot_bytes
        store_word(slot_address + ring.stamp_offset_bytes, publish_ns)
    ring.pending_count = 0
    # pairs with: records published
    published = compare_exchange(
        ring.writer_address + PUBLISHED_BYTES, ring.next_seq, ring.next_seq + count
    )
    if published:
        ring.next_seq += count
    return published


@compiled
def unread_count(ring_address: int) -> int:
    """Writer: return how many published records the reader has not consumed."""
    ring = record_at(ring_address, RING_DTYPE)
    # pairs with: slots given back
    return int(ring.next_seq - load_acquire(ring.reader_address + CONSUMED_BYTES))


@compiled
def raise_epoch(ring_address: int) -> None:
    """Writer: drop all unread records; the reader skips them and knows of the loss."""
    ring = record_at(ring_address, RING_DTYPE)
    if is_replaced(ring):
        return
    ring.epoch += 1
    store_relaxed(ring.writer_address + EPOCH_START_BYTES, ring.next_seq)
    # pairs with: epoch entered
    store_release(ring.writer_address + EPOCH_BYTES, ring.epoch)


@compiled
def take_over_writer(ring_address: int) -> bool:
    """Become the writer: open a new epoch beyond every slot that a predecessor may have claimed.

    Return False when the predecessor is alive, or another process took over at the same time.
    """
    ring = record_at(ring_address, RING_DTYPE)
    # pairs with: records published
    published_seq = load_acquire(ring.writer_address + PUBLISHED_BYTES)
    claimed_seq = load_relaxed(ring.writer_address + CLAIMED_BYTES)
    ring.epoch = load_relaxed(ring.writer_address + EPOCH_BYTES) + 1
    start_seq = published_seq
    if ring.epoch > 1:  # the first writer has no predecessor to fence
        start_seq = max(published_seq, claimed_seq) + 1
        _publish_hole(ring_address, published_seq, start_seq, claimed_seq)
    ring.pending_count = 0
    store_relaxed(ring.writer_address + EPOCH_START_BYTES, start_seq)
    # pairs with: epoch entered
    store_release(ring.writer_address + EPOCH_BYTES, ring.epoch)
    # pairs with: records published
    taken = compare_exchange(ring.writer_address + PUBLISHED_BYTES, published_seq, start_seq)
    ring.next_seq = start_seq
    ring.limit_seq = start_seq
    return taken


@compiled
def _publish_hole(ring_address: int, start_seq: int, end_seq: int, claimed_seq: int) -> None:
    """Publish to observers that no record exists from ``start_seq`` up to ``end_seq``.

    It replaces a hole that is out of reach because its slots were claimed again.  Without such a
    hole the newest one grows, which also hides the records between.
    """
    ring = record_at(ring_address, RING_DTYPE)
    newest_address, newest_end_seq = 0, 0
    for offset_bytes in range(HOLES_BYTES, HOLES_END_BYTES, HOLE_BYTES):
        hole_address = ring.writer_address + offset_bytes
        hole_end_seq = load_relaxed(hole_address + HOLE_END_BYTES)
        is_empty = load_relaxed(hole_address) - hole_end_seq >= 0
        if is_empty or claimed_seq - hole_end_seq >= ring.capacity_count:
            # The start first: the new start with the old end is an empty hole, not a larger one.
            store_relaxed(hole_address, start_seq)
            # pairs with: hole moved
            store_release(hole_address + HOLE_END_BYTES, end_seq)
            return
        if newest_address == 0 or hole_end_seq - newest_end_seq >= 0:
            newest_address, newest_end_seq = hole_address, hole_end_seq
    # pairs with: hole moved
    store_release(newest_address + HOLE_END_BYTES, end_seq)


@compiled
def _is_in_hole(ring: Record, seq: int) -> bool:
    """Observer: return whether ``seq`` is in a hole: a dead writer's successor skipped it."""
    for offset_bytes in range(HOLES_BYTES, HOLES_END_BYTES, HOLE_BYTES):
        hole_address = ring.writer_address + offset_bytes
        # pairs with: hole moved
        hole_end_seq = load_acquire(hole_address + HOLE_END_BYTES)
        if seq - hole_end_seq < 0 and seq - load_relaxed(hole_address) >= 0:
            return True
    return False


@compiled
def ready_count(ring_address: int) -> int:
    """Return how many records wait, or NEW_EPOCH when ``enter_epoch`` must come first.

    Always 0 after another reader took over.
    """
    ring = record_at(ring_address, RING_DTYPE)
    if ring.limit_seq - ring.next_seq <= 0:
        # pairs with: records published
        ring.limit_seq = load_acquire(ring.writer_address + PUBLISHED_BYTES)
    # After the load of published_seq: a successor that raised it later saw at least this much, and
    # has moved consumed_seq.
    if load_relaxed(ring.reader_address + GENERATION_BYTES) != ring.generation:
        return 0
    if load_relaxed(ring.writer_address + EPOCH_BYTES) != ring.epoch:
        return NEW_EPOCH
    count = ring.limit_seq - ring.next_seq
    if count <= 0:
        return 0
    ring.backlog_max_count = max(ring.backlog_max_count, count)
    return int(count)


@compiled
def enter_epoch(ring_address: int) -> int:
    """Reader: skip to the start of the newest epoch; return how many records were discarded."""
    ring = record_at(ring_address, RING_DTYPE)
    start_seq = _read_epoch(ring_address)
    discarded_count = start_seq - ring.next_seq
    if discarded_count > 0 and consume(ring_address, discarded_count):
        return int(discarded_count)
    return 0


@compiled
def _read_epoch(ring_address: int) -> int:
    """Reader: note the newest epoch; return its start."""
    ring = record_at(ring_address, RING_DTYPE)
    while True:
        # pairs with: epoch entered
        epoch = load_acquire(ring.writer_address + EPOCH_BYTES)
        start_seq = load_relaxed(ring.writer_address + EPOCH_START_BYTES)
        fence_acquire()
        if load_relaxed(ring.writer_address + EPOCH_BYTES) == epoch:
            ring.epoch = epoch
            return start_seq


@compiled
def slot(ring_address: int, index: int) -> int:
    """Return the address of the ``index``-th waiting record; its successors follow in memory."""
    ring = record_at(ring_address, RING_DTYPE)
    place = (ring.next_seq + index) & (ring.capacity_count - 1)
    return int(ring.slots_address + place * ring.slot_bytes)


@compiled
def consume(ring_address: int, record_count: int) -> bool:
    """Give ``record_count`` records back to the writer; return False after a takeover."""
    ring = record_at(ring_address, RING_DTYPE)
    # pairs with: slots given back
    taken = compare_exchange(
        ring.reader_address + CONSUMED_BYTES, ring.next_seq, ring.next_seq + record_count
    )
    if taken:
        ring.next_seq += record_count
    return taken


@compiled
def take_over_reader(ring_address: int) -> int:
    """Become the reader; discard what a predecessor left unread and return how many records.

    The change of ``consumed_seq``, or of the generation when nothing is left, also fences a
    predecessor that was only stopped.
    """
    ring = record_at(ring_address, RING_DTYPE)
    generation = load_relaxed(ring.reader_address + GENERATION_BYTES)
    # A full barrier between this and the load of published_seq; see ready_count.
    while not compare_exchange(ring.reader_address + GENERATION_BYTES, generation, generation + 1):
        generation = load_relaxed(ring.reader_address + GENERATION_BYTES)
    ring.generation = generation + 1
    while True:
        # A writer that takes over now has raised the epoch, but may not have published yet.
        epoch_start_seq = _read_epoch(ring_address)
        consumed_seq = load_relaxed(ring.reader_address + CONSUMED_BYTES)
        # pairs with: records published
        start_seq = load_acquire(ring.writer_address + PUBLISHED_BYTES)
        if epoch_start_seq - start_seq > 0:
            start_seq = epoch_start_seq
        if consumed_seq - start_seq > 0:
            start_seq = consumed_seq
        # pairs with: slots given back
        if compare_exchange(ring.reader_address + CONSUMED_BYTES, consumed_seq, start_seq):
            ring.next_seq = start_seq
            ring.limit_seq = start_seq
            return int(start_seq - consumed_seq)


@compiled
def published_seq(ring_address: int) -> int:
    """Observer: return the next sequence that the writer will publish."""
    # pairs with: records published
    return load_acquire(record_at(ring_address, RING_DTYPE).writer_address + PUBLISHED_BYTES)


@compiled
def observe(ring_address: int, seq: int, copy_address: int) -> int:
    """Copy record ``seq`` for an observer: 1 copied, 0 not yet published, -1 gone.

    After -1 continue with a later sequence: the next, or one nearer to ``published_seq``.
    """
    ring = record_at(ring_address, RING_DTYPE)
    if published_seq(ring_address) - seq <= 0:
        return 0
    if _is_in_hole(ring, seq):
        return -1
    slot_address = ring.slots_address + (seq & (ring.capacity_count - 1)) * ring.slot_bytes
    for offset_bytes in range(0, ring.slot_bytes, 8):
        # Word by word: to LLVM, a plain load that races with a store has no value.
        store_relaxed(copy_address + offset_bytes, load_relaxed(slot_address + offset_bytes))
    # pairs with: slot about to be overwritten
    fence_acquire()
    claimed_seq = load_relaxed(ring.writer_address + CLAIMED_BYTES)
    if claimed_seq - seq > ring.capacity_count:
        return -1
    return 1
