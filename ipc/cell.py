"""The latest value of a record: one writer, many readers, and the writer never waits.

The record's first field is ``version``, odd while the owner writes.  A reader reads the version
before and after its copy: the copy is whole if the version was even and did not change.
"""

from ipc.atomics import (
    fence_acquire,
    fence_release,
    load_acquire,
    load_relaxed,
    store_relaxed,
    store_release,
)
from ipc.compiled import compiled

READ_TRY_COUNT = 1_000


@compiled
def begin_write(cell_address: int) -> None:
    """Owner: mark the record as being written; ``end_write`` must follow.

    A predecessor that died in the middle of a write left the version odd; it must stay odd.
    """
    store_relaxed(cell_address, (load_relaxed(cell_address) + 1) | 1)
    # pairs with: cell about to change
    fence_release()


@compiled
def end_write(cell_address: int) -> None:
    """Owner: mark the record as whole again."""
    # pairs with: cell whole
    store_release(cell_address, load_relaxed(cell_address) + 1)


@compiled
def try_read(cell_address: int, copy_address: int, cell_bytes: int) -> bool:
    """Copy the record once; return whether the copy is whole."""
    # pairs with: cell whole
    version = load_acquire(cell_address)
    if version & 1:
        return False
    for offset_bytes in range(8, cell_bytes, 8):
        word = load_relaxed(cell_address + offset_bytes)
        store_relaxed(copy_address + offset_bytes, word)
    # pairs with: cell about to change
    fence_acquire()
    store_relaxed(copy_address, version)
    return load_relaxed(cell_address) == version


@compiled
def read_cell(cell_address: int, copy_address: int, cell_bytes: int) -> bool:
    """Copy the record; return False when the owner died or stopped in the middle of a write."""
    for _ in range(READ_TRY_COUNT):
        if try_read(cell_address, copy_address, cell_bytes):
            return True
    return False
