"""Imports point down, and each floor keeps to what it may know."""

import ast
import re

import pytest
from sources import FLOORS, ROOT, modules_of, parsed

VORTEX_MAY_IMPORT_OF_IPC = {
    "ipc.layout",
    "ipc.compiled",
    "ipc.types",
    "ipc.atomics",
    "ipc.cell",
    "ipc.memory",
}
MAY_IMPORT = {
    "ipc": {"ipc"},
    "vortex": {"vortex", "ipc"},
    "procs": {"procs", "vortex", "ipc"},
    "tools": {"tools", "procs", "vortex", "ipc"},
}
NOT_IN_VORTEX = {
    "asyncio",
    "ctypes",
    "io",
    "mmap",
    "multiprocessing",
    "os",
    "pathlib",
    "posix_ipc",
    "psutil",
    "select",
    "shutil",
    "signal",
    "socket",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "time",
}
#: Markets' words, which memory, order and time have no use for ("order" is memory's too).
NOT_IN_IPC = {"price", "prices", "orders", "book", "books", "venue", "venues", "trade", "trades"}


def imports_of(path):
    """Return (line, dotted name, is relative) of each import anywhere in the file."""
    found = []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, name.name, False) for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            # "from ipc import ring" imports the module ipc.ring.
            names = [f"{module}.{name.name}" for name in node.names] if "." not in module else []
            found += [(node.lineno, name, node.level > 0) for name in names or [module]]
    return found


def identifiers_of(path):
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Name):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute):
            yield node.lineno, node.attr
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.lineno, node.name


@pytest.mark.parametrize("floor", FLOORS)
def test_imports_point_down(floor):
    wrong = []
    for path in modules_of(floor):
        for line, name, is_relative in imports_of(path):
            top = name.split(".")[0]
            if is_relative or (top in FLOORS and top not in MAY_IMPORT[floor]):
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {name}")
    assert not wrong, "import only from floors below, by absolute name"


def test_vortex_takes_only_memory_and_layouts_from_ipc():
    wrong = []
    for path in modules_of("vortex"):
        for line, name, _ in imports_of(path):
            module = ".".join(name.split(".")[:2])
            if name.split(".")[0] == "ipc" and module not in VORTEX_MAY_IMPORT_OF_IPC:
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {name}")
    assert not wrong


def test_vortex_knows_no_sockets_processes_files_or_clocks():
    wrong = []
    for path in modules_of("vortex"):
        for line, name, _ in imports_of(path):
            if name.split(".")[0] in NOT_IN_VORTEX:
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {name}")
    assert not wrong, "pass the time as a field _ns, bytes as an address"


def test_no_file_of_vortex_opens_another():
    wrong = []
    for path in modules_of("vortex"):
        for line, name in identifiers_of(path):
            if name == "open":
                wrong.append(f"{path.relative_to(ROOT)}:{line}")
    assert not wrong


def test_ipc_has_no_word_of_markets():
    wrong = []
    for path in modules_of("ipc"):
        for line, name in identifiers_of(path):
            words = set(re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower().split("_"))
            if words & NOT_IN_IPC:
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {name}")
    assert not wrong
