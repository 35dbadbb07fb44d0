"""What LLVM made of the shared words: the orders are there, and loops go to memory each time.

Plain accesses would pass every test that runs on one quiet machine and fail some day; so this looks
at the code itself.
"""

import importlib
import pkgutil
import platform
import re
from typing import Any, get_type_hints

import numba
import pytest
from numba import types
from scale import compiled_only

import ipc
from ipc import cell, control, counters, ring
from ipc.atomics import load_acquire, load_relaxed, store_relaxed
from ipc.types import Record

pytestmark = [
    pytest.mark.skipif(platform.machine() != "x86_64", reason="written for x86-64 code"),
    compiled_only("it is about the compiler"),
]
INT = types.int64


def build(function: Any, *argument_types: Any) -> tuple[str, str]:
    """Compile the function afresh; return LLVM's code and the machine's of its body."""
    python_function = getattr(function, "py_func", function)
    fresh = numba.njit(nogil=True, error_model="numpy")(python_function)
    fresh.compile(argument_types)
    signature = fresh.signatures[0]
    llvm = body(fresh.inspect_llvm(signature), python_function.__name__)
    return llvm, fresh.inspect_asm(signature)


def body(llvm: str, name: str) -> str:
    """Return the definition of the function itself, without its Python wrappers."""
    definitions = re.findall(r"^define [^{]*\{.*?^\}", llvm, re.M | re.S)
    found = [text for text in definitions if name in text.split("{")[0]]
    found = [
        text
        for text in found
        if "cpython" not in text.split("{")[0] and "cfunc" not in text.split("{")[0]
    ]
    assert len(found) == 1, [text.split("{")[0] for text in found]
    return found[0]


def inner_loop(llvm: str, needle: str) -> str:
    """Return the block of the loop that holds ``needle``: it must branch back to itself."""
    blocks = re.split(r"^(?=[\w.]+:)", llvm, flags=re.M)
    for block in blocks:
        label = block.split(":")[0]
        if needle in block and re.search(rf"br .*%{re.escape(label)}\b", block):
            return block
    raise AssertionError(f"no loop around {needle!r} in\n{llvm}")


def test_commit_publishes_by_a_compare_exchange_behind_the_stamps() -> None:
    llvm, assembly = build(ring.commit, INT, INT)
    assert len(re.findall(r"cmpxchg .* acq_rel monotonic", llvm)) == 1
    assert "lock" in assembly
    assert "cmpxchg" in assembly
    assert llvm.rindex("store i64 %arg.publish_ns") < llvm.index("cmpxchg")


def test_consume_gives_back_by_a_compare_exchange() -> None:
    llvm, _ = build(ring.consume, INT, INT)
    assert len(re.findall(r"cmpxchg .* acq_rel monotonic", llvm)) == 1


def test_claim_marks_the_slots_before_a_release_fence_and_reads_the_reader_by_acquire() -> None:
    llvm, assembly = build(ring.claim, INT)
    assert re.search(r"load atomic i64, .* acquire", llvm)
    mark = re.search(r"store atomic i64 .* monotonic", llvm)
    assert mark is not None
    assert mark.start() < llvm.index("fence release")
    assert "mfence" not in assembly, "a release fence costs nothing on x86"


def test_ready_count_reads_published_seq_by_acquire_before_generation_and_epoch() -> None:
    llvm, _ = build(ring.ready_count, INT)
    orders = re.findall(r"load atomic i64, .* (acquire|monotonic)", llvm)
    assert orders == ["acquire", "monotonic", "monotonic"]


def test_an_observer_copies_word_by_word_and_then_looks_at_the_mark() -> None:
    llvm, _ = build(ring.observe, INT, INT, INT)
    assert "memmove" not in llvm
    assert "memcpy" not in llvm
    fence = llvm.index("fence acquire")
    assert "load atomic" in llvm[fence:]
    assert re.search(r"store atomic i64 .* monotonic", llvm[:fence])


def test_an_epoch_is_released_behind_its_start() -> None:
    llvm, _ = build(ring.raise_epoch, INT)
    start = llvm.index(" monotonic", llvm.index("store atomic"))
    assert re.search(r"store atomic i64 .* release", llvm[start:])


def wait_for_records(ring_address: int) -> int:
    while ring.ready_count(ring_address) == 0:
        pass
    return 1


def wait_for_stop(command_address: int) -> int:
    while not control.must_stop(command_address):
        pass
    return 1


def wait_relaxed(address: int) -> int:
    while load_relaxed(address) == 0:
        pass
    return 1


def count_up(address: int, times: int) -> None:
    for _ in range(times):
        counters.add(address, 3, 1)


def test_a_poll_of_the_ring_goes_to_memory_in_every_round() -> None:
    llvm, _ = build(wait_for_records, INT)
    acquires = re.findall(r"load atomic i64, .* acquire", llvm)
    assert acquires
    blocks = {block.split(":")[0]: block for block in re.split(r"^(?=[\w.]+:)", llvm, flags=re.M)}
    looped = [label for label, text in blocks.items() if "acquire" in text]
    assert any(reaches(blocks, label, label) for label in looped), "the load left the loop"


def reaches(blocks: dict[str, str], start: str, goal: str) -> bool:
    """Return whether control can come from ``start`` to ``goal`` again."""
    seen: set[str] = set()
    todo = [start]
    while todo:
        for label in re.findall(r"label %([\w.]+)", blocks.get(todo.pop(), "")):
            if label == goal:
                return True
            if label not in seen:
                seen.add(label)
                todo.append(label)
    return False


@pytest.mark.parametrize("function", [wait_for_stop, wait_relaxed])
def test_a_wait_for_a_word_loads_it_in_every_round(function: Any) -> None:
    llvm, _ = build(function, INT)
    assert "load atomic" in inner_loop(llvm, "load atomic")


def test_a_counter_is_stored_in_every_round() -> None:
    llvm, _ = build(count_up, INT, INT)
    loop = inner_loop(llvm, "store atomic")
    assert re.search(r"load atomic i64, .* monotonic", loop)


def write_and_mark(cell_address: int, value: int) -> None:
    cell.begin_write(cell_address)
    store_relaxed(cell_address + 8, value)
    cell.end_write(cell_address)


def test_the_mark_of_a_cell_survives_although_it_is_overwritten() -> None:
    llvm, assembly = build(write_and_mark, INT, INT)
    orders = re.findall(r"store atomic i64 .* (monotonic|release)|(fence release)", llvm)
    assert [a or b for a, b in orders] == ["monotonic", "fence release", "monotonic", "release"]
    assert "mfence" not in assembly


def test_a_cell_is_read_between_two_looks_at_its_version() -> None:
    llvm, _ = build(cell.try_read, INT, INT, INT)
    assert re.search(r"load atomic i64, .* acquire.*fence acquire.*load atomic", llvm, re.S)


def test_acquire_and_relaxed_loads_are_one_plain_move() -> None:
    def both(address: int) -> int:
        return load_acquire(address) + load_relaxed(address + 8)

    _, assembly = build(both, INT)
    assert "lock" not in assembly


def compiled_functions() -> list[Any]:
    """Return every compiled function of ``ipc``: they take integers, and records by their names."""
    found = {}
    for module in pkgutil.iter_modules(ipc.__path__):
        for value in vars(importlib.import_module(f"ipc.{module.name}")).values():
            if hasattr(value, "py_func") and value.py_func.__module__.startswith("ipc."):
                found[value.py_func.__module__ + "." + value.py_func.__name__] = value
    return [pytest.param(found[name], id=name) for name in sorted(found)]


@pytest.mark.parametrize("function", compiled_functions())
def test_no_compiled_function_allocates(function: Any) -> None:
    python_function = function.py_func
    module = importlib.import_module(python_function.__module__)
    arguments = {
        name: numba.from_dtype(getattr(module, f"{name.upper()}_DTYPE")) if kind is Record else INT
        for name, kind in get_type_hints(python_function).items()
        if name != "return"
    }
    llvm, _ = build(function, *arguments.values())
    assert not re.search(r"call .*@NRT_(Allocate|MemInfo)", llvm)
