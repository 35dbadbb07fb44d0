"""The names of compiled functions in a running process, read from outside.

LLVM lists each piece of machine code that it loads, for debuggers: a linked list of ELF images in
the process's own memory.  This module walks that list through /proc/PID/mem, so the process does
not stop and does nothing for it.  It needs the same rights as a debugger.

*Source:* GDB manual, "JIT Compilation Interface"; System V gABI, chapters "Section Header" and
"Symbol Table"; tools/perf/Documentation/jit-interface.txt in the Linux sources.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

LIBRARY = "libllvmlite"
DESCRIPTOR = b"__jit_debug_descriptor"
#: No process loads more pieces of code: beyond this the list changed while it was read.
IMAGE_COUNT_MAX = 100_000
IMAGE_BYTES_MAX = 1 << 28

_DESCRIPTOR = struct.Struct("<IIQQ")  # version, action flag, relevant entry, first entry
_ENTRY = struct.Struct("<QQQQ")  # next entry, previous entry, image, size of the image
_SECTION = np.dtype([
    ("name", "<u4"), ("kind", "<u4"), ("flags", "<u8"), ("address", "<u8"), ("offset", "<u8"),
    ("size", "<u8"), ("link", "<u4"), ("info", "<u4"), ("align", "<u8"), ("entry_size", "<u8"),
])  # fmt: skip
_SYMBOL = np.dtype([
    ("name", "<u4"), ("info", "u1"), ("other", "u1"), ("section", "<u2"), ("value", "<u8"),
    ("size", "<u8"),
])  # fmt: skip
_SYMBOL_TABLE, _FUNCTION = 2, 2


class NoSymbols(Exception):
    """The names are unreadable; the message says why."""


class CodeSymbol(NamedTuple):
    """One compiled function in the memory of a process."""

    address: int
    size: int
    name: str


def compiled_functions(pid: int) -> list[CodeSymbol]:
    """Return the compiled functions of a process, by address.

    Raises
    ------
    NoSymbols
        When the process has none, has ended, or may not be read.
    """
    try:
        path, base = _library(pid)
        offset = _descriptor_offset(path)
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            found = [
                symbol
                for image in _images(memory.fileno(), base + offset)
                for symbol in functions_of_image(image)
            ]
    except PermissionError as error:
        raise NoSymbols(f"no permission to read process {pid}: {error.strerror}") from error
    except (OSError, ValueError, struct.error) as error:
        raise NoSymbols(f"the compiled functions of process {pid} cannot be read") from error
    return sorted(set(found))


def _library(pid: int) -> tuple[str, int]:
    """Return the file of LLVM that a process has mapped, and its start address."""
    for line in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and LIBRARY in fields[5] and int(fields[2], 16) == 0:
            return fields[5], int(fields[0].split("-")[0], 16)
    raise NoSymbols(f"process {pid} has no compiled code")


def _descriptor_offset(path: str) -> int:
    """Return the offset of the head of the list in the library."""
    image = Path(path).read_bytes()
    for symbols, names in _symbol_tables(image):
        start = names.find(b"\0" + DESCRIPTOR + b"\0")
        if start >= 0:
            (index,) = np.nonzero(symbols["name"] == start + 1)
            if index.size:
                return int(symbols["value"][index[0]])
    raise NoSymbols(f"{path} has no list of loaded code")


def _images(memory_fd: int, descriptor_address: int) -> Iterator[bytes]:
    """Yield each image of the list."""

    def read(address: int, size: int) -> bytes:
        return os.pread(memory_fd, size, address)

    _, _, _, entry_address = _DESCRIPTOR.unpack(read(descriptor_address, _DESCRIPTOR.size))
    for _ in range(IMAGE_COUNT_MAX):
        if entry_address == 0:
            return
        entry_address, _, address, size = _ENTRY.unpack(read(entry_address, _ENTRY.size))
        if 0 < size < IMAGE_BYTES_MAX:
            image = read(address, size)
            if image.startswith(b"\x7fELF"):
                yield image


def functions_of_image(image: bytes) -> Iterator[CodeSymbol]:
    """Yield the functions of one ELF image whose sections lie at their addresses."""
    sections = _sections(image)
    for symbols, names in _symbol_tables(image):
        for symbol in symbols[symbols["info"] & 0xF == _FUNCTION]:
            section = int(symbol["section"])
            if 0 < section < len(sections) and symbol["size"]:
                start = int(symbol["name"])
                name = names[start : names.index(b"\0", start)].decode(errors="replace")
                address = int(sections[section]["address"]) + int(symbol["value"])
                yield CodeSymbol(address, int(symbol["size"]), plain_name(name))


def _sections(image: bytes) -> "np.ndarray[tuple[int], np.dtype[np.void]]":
    (offset,) = struct.unpack_from("<Q", image, 40)
    (count,) = struct.unpack_from("<H", image, 60)
    return np.frombuffer(image, _SECTION, count, offset)


def _symbol_tables(
    image: bytes,
) -> Iterator[tuple["np.ndarray[tuple[int], np.dtype[np.void]]", bytes]]:
    """Yield each table of symbols with the text of their names."""
    sections = _sections(image)
    for section in sections[sections["kind"] == _SYMBOL_TABLE]:
        if int(section["link"]) >= len(sections):
            continue
        strings = sections[int(section["link"])]
        start, size = int(strings["offset"]), int(strings["size"])
        count = int(section["size"]) // _SYMBOL.itemsize
        symbols = np.frombuffer(image, _SYMBOL, count, int(section["offset"]))
        yield symbols, image[start : start + size]


def plain_name(mangled: str) -> str:
    """Return ``module.function`` of a name mangled by numba (Itanium C++ ABI, nested names)."""
    head, mark, rest = mangled.partition("_ZN")
    if not mark:
        return mangled
    parts = []
    while rest[:1].isdigit():
        digits = len(rest) - len(rest.lstrip("0123456789"))
        size = int(rest[:digits])
        parts.append(rest[digits : digits + size])
        rest = rest[digits + size :]
    return head + ".".join(parts) if parts else mangled


def write_perf_map(symbols: list[CodeSymbol], path: Path) -> None:
    """Write the file in which perf looks for the names of code without a file."""
    # The folder may be writable for all users: do not follow a link that another user put there.
    path.unlink(missing_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(fd, "w", encoding="utf-8") as file:
        file.writelines(f"{s.address:x} {s.size:x} {s.name}\n" for s in symbols)
