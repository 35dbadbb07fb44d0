"""The latest value of a record: never torn, and well again after its owner's death."""

import sys

import numpy as np
import pytest
from scale import scaled

from ipc.cell import begin_write, end_write, read_cell, try_read
from ipc.compiled import compiled
from ipc.layout import Field, Layout
from ipc.memory import address_of, record_at
from ipc.segment import segment_name
from ipc.shared import SharedTable
from tests.ipc.processes import Child

CELL = Layout(
    "test_cell",
    "A version and seven words that belong together.",
    Field("version", "i8", "odd while written"),
    Field("word", "i8", "the value, times its place", (7,)),
)
CELL_DTYPE = CELL.dtype
CELL_BYTES = CELL.dtype.itemsize


@compiled
def fill(cell_address: int, value: int) -> None:
    record = record_at(cell_address, CELL_DTYPE)
    for index in range(7):
        record.word[index] = value * (index + 1)


@compiled
def write_values(cell_address: int, value_count: int) -> None:
    for value in range(1, value_count + 1):
        begin_write(cell_address)
        fill(cell_address, value)
        end_write(cell_address)


@compiled
def read_until(cell_address: int, copy_address: int, last_value: int) -> tuple[int, int]:
    """Return how many copies were whole and how many of these were torn or older than before."""
    copy = record_at(copy_address, CELL_DTYPE)
    whole_count, wrong_count, newest = 0, 0, 0
    while newest < last_value:
        if not try_read(cell_address, copy_address, CELL_BYTES):
            continue
        whole_count += 1
        for index in range(7):
            if copy.word[index] != copy.word[0] * (index + 1):
                wrong_count += 1
        if copy.word[0] < newest:
            wrong_count += 1
        newest = copy.word[0]
    return whole_count, wrong_count


def run_writer(name: str, value_count: str) -> None:
    """Be the owner in a process of its own."""
    table = SharedTable.attach(name, CELL, writable=True)
    write_values(table.address, 0)
    print("ready", flush=True)
    sys.stdin.readline()
    write_values(table.address, int(value_count))


@pytest.mark.timeout(60)
def test_no_copy_is_torn_or_older_than_the_one_before(instance: str) -> None:
    table = SharedTable.create(segment_name(instance, "cell"), CELL, 1, run_id=1)
    copy = np.zeros(1, CELL_DTYPE)
    assert read_until(table.address, address_of(copy), 0) == (0, 0)
    value_count = scaled(1_000_000, 20_000)
    with Child("-m", "tests.ipc.test_cell", table.segment.name, str(value_count)) as writer:
        assert writer.hear() == ["ready"]
        writer.say()
        whole_count, wrong_count = read_until(table.address, address_of(copy), value_count)
    assert wrong_count == 0
    assert whole_count > 0
    table.close()


def test_a_cell_that_is_being_written_is_not_read() -> None:
    memory, copy = np.zeros(1, CELL_DTYPE), np.zeros(1, CELL_DTYPE)
    address = address_of(memory)
    write_values(address, 1)
    begin_write(address)
    assert not read_cell(address, address_of(copy), CELL_BYTES)
    end_write(address)
    assert read_cell(address, address_of(copy), CELL_BYTES)
    assert copy[0]["version"] == memory[0]["version"]
    assert copy[0]["word"].tolist() == [1, 2, 3, 4, 5, 6, 7]


def test_after_an_owners_death_in_a_write_its_successors_writes_are_read_right() -> None:
    memory, copy = np.zeros(1, CELL_DTYPE), np.zeros(1, CELL_DTYPE)
    address = address_of(memory)
    begin_write(address)  # and dies
    begin_write(address)
    fill(address, 3)
    assert not try_read(address, address_of(copy), CELL_BYTES)
    end_write(address)
    assert try_read(address, address_of(copy), CELL_BYTES)
    assert copy[0]["word"][6] == 21


if __name__ == "__main__":
    run_writer(*sys.argv[1:])
