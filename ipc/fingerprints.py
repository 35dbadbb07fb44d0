"""The fingerprint of a file and all its imports, for machine code.

A compiled function freezes the constants and functions that it uses, from any file.  So its
fingerprint covers its own file, every file of the project that this one imports, directly or not,
the versions of the compilers, the processor and numba's own options (a build without bounds checks
must not be served to a run that demands them).
"""

import ast
import functools
import hashlib
import os
import re
import sys
from pathlib import Path

import llvmlite
import llvmlite.binding
import numba
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
IMPORTS = re.compile(
    rb"^[ \t]*(?:from|import)[ \t]+([A-Za-z_][.\w]*)(?:[ \t]+import[ \t]+(\([^)]*\)|[^\n]*))?",
    re.M,
)

#: numba's options that do not change the machine code.
PLACES = ("NUMBA_CACHE_DIR", "NUMBA_DEBUG_CACHE")


#: When each file that was read was last changed, and its size.
_stamps: dict[Path, tuple[int, int]] = {}


def stamp_of(path: Path) -> tuple[int, int]:
    """Return when a file was last changed, and its size."""
    found = path.stat()
    return found.st_mtime_ns, found.st_size


@functools.cache
def text_of(path: Path) -> bytes:
    """Return the bytes of a file as this process first read them, also after a later change."""
    _stamps[path] = stamp_of(path)
    return path.read_bytes()


@functools.cache
def tools() -> bytes:
    """Return the inputs of all machine code of this process beside the sources."""
    versions = (sys.version, numba.__version__, llvmlite.__version__, np.__version__)
    options = {
        key: value
        for key, value in os.environ.items()
        if key.startswith("NUMBA_") and key not in PLACES
    }
    cpu_name = llvmlite.binding.get_host_cpu_name()
    return repr((versions, cpu_name, sorted(options.items()), str(ROOT))).encode()


@functools.cache
def file_of(module_name: str) -> Path | None:
    """Return the file of a module of the project; None for installed modules and other names."""
    path = ROOT.joinpath(*module_name.split("."))
    if (path / "__init__.py").is_file():
        return path / "__init__.py"
    path = path.with_suffix(".py")
    return path if path.is_file() else None


@functools.cache
def has_code(path: Path) -> bool:
    """Return whether a package's own file holds more than the map of its modules."""
    if path.name != "__init__.py":
        return True
    nodes = ast.parse(text_of(path)).body
    return any(not isinstance(getattr(node, "value", None), ast.Constant) for node in nodes)


def imports_in(text: bytes) -> list[Path]:
    """Return the files of the project that a text imports, at any place."""
    found: dict[Path, None] = {}
    for package, names in IMPORTS.findall(text):
        module_name = package.decode()
        if not (ROOT / module_name.partition(".")[0]).is_dir():
            continue
        parts = [
            part.split()[0].decode() for part in names.strip(b"()").split(b",") if part.split()
        ]
        for name in (module_name, *(f"{module_name}.{part}" for part in parts)):
            path = file_of(name) if name.replace(".", "").replace("_", "").isalnum() else None
            if path is not None and has_code(path):
                found[path] = None
    return list(found)


@functools.cache
def imports_of(path: Path) -> list[Path]:
    """Return the files of the project that a file imports."""
    return imports_in(text_of(path))


def reached_from(start: list[Path]) -> list[Path]:
    """Return some files and all that they import, directly or not, in the order of their names."""
    waiting, found = list(start), set[Path]()
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += imports_of(path)
    return sorted(found)


def sources_of(*module_names: str) -> list[Path]:
    """Return the files that the machine code of some modules depends on."""
    paths = [file_of(name) for name in module_names]
    return reached_from([path for path in paths if path is not None])


def of_files(paths: list[Path], text: bytes = b"") -> str:
    """Return a short name for exactly these files, one more text and these compilers."""
    digest = hashlib.blake2b(tools(), digest_size=8)
    for path in paths:
        digest.update(str(path).encode())
        digest.update(hashlib.blake2b(text_of(path)).digest())
    digest.update(text)
    return digest.hexdigest()


@functools.cache
def reached_of(path: Path) -> list[Path]:
    """Return a file and all that it imports, directly or not."""
    return reached_from([path])


@functools.cache
def of_file(path: Path) -> str:
    """Return the fingerprint of a file and of all that it imports."""
    return of_files(reached_of(path))


def of_text(text: bytes) -> str:
    """Return the fingerprint of the text of a file, at any path, and of all it imports."""
    return of_files(reached_from(imports_in(text)), text)


def of_modules(*module_names: str) -> str:
    """Return the fingerprint of some modules of the project together."""
    return of_files(sources_of(*module_names))


def is_as_read(path: Path) -> bool:
    """Return whether a file and all that it imports are on disk as this process read them."""
    try:
        return all(stamp_of(each) == _stamps[each] for each in reached_of(path))
    except OSError:
        return False
