"""The one way this project compiles a function.

Every hot function carries ``@compiled`` and nothing else, so the options are decided here once.
numba's cache on disk does not notice a change in *another* file, so its directory is named after
a fingerprint of all that the machine code depends on: the sources in it, versions, the processor
and numba's own options (a build without bounds checks would otherwise be served to a run that asks
for them).  A file outside the project has a folder of its own in there, named after its contents:
who edits it compiles it again, and nothing else.
"""

import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import llvmlite
import llvmlite.binding
import numba
import numpy as np
from numba.core import config as numba_config

P = ParamSpec("P")
R = TypeVar("R")

ROOT = Path(__file__).resolve().parent.parent
FLOORS = ("ipc", "vortex", "procs", "tools")
COMPILES = re.compile(r"^@compiled|compile_entry\(|compile_plug\(|@intrinsic|overload\(", re.M)
IMPORTS = re.compile(
    rf"^\s*(?:from|import) ((?:{'|'.join(FLOORS)})[.\w]*)(?: import (\([^)]*\)|[^\n]*))?", re.M
)

CACHE_VARIABLE = "VORTEX_CACHE_DIR"

#: True when numba runs functions as plain Python (``NUMBA_DISABLE_JIT=1``).
PLAIN_PYTHON = bool(numba_config.DISABLE_JIT)  # type: ignore[attr-defined]


def sources_of_machine_code() -> list[Path]:
    """Return the files that compiled functions stand in, and all that those import of ours.

    A compiled function freezes the constants and functions that it uses, wherever they come from;
    what no such file imports, directly or not, cannot be in the machine code.
    """
    texts = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): (path, path.read_text())
        for floor in FLOORS
        for path in sorted((ROOT / floor).rglob("*.py"))
    }
    waiting = [name for name, (_, text) in texts.items() if COMPILES.search(text)]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in found or name not in texts:
            continue
        found.add(name)
        for package, names in IMPORTS.findall(texts[name][1]):
            parts = (part.split()[0] for part in names.strip("()").split(",") if part.strip())
            waiting += [package, f"{package}.__init__", *(f"{package}.{part}" for part in parts)]
    return [texts[name][0] for name in sorted(found)]


def source_fingerprint() -> str:
    """Return a short name for this exact set of sources, compilers, processor and options."""
    digest = hashlib.blake2b(digest_size=8)
    versions = (sys.version, numba.__version__, llvmlite.__version__, np.__version__)
    cpu_name = llvmlite.binding.get_host_cpu_name()
    digest.update(repr((versions, cpu_name)).encode())
    options = {key: value for key, value in os.environ.items() if key.startswith("NUMBA_")}
    digest.update(repr(sorted(options.items())).encode())
    for path in sources_of_machine_code():
        digest.update(str(path).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def cache_directory() -> Path:
    """Return the folder that holds the machine code of this exact fingerprint."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    base = Path(os.environ.get(CACHE_VARIABLE) or Path(home) / "vortex")
    return base / source_fingerprint()


#: Of the sources as this process read them, whatever happens to them later.
CACHE_DIRECTORY = cache_directory()
numba_config.CACHE_DIR = str(CACHE_DIRECTORY)  # type: ignore[attr-defined]


def cache_directory_with(source: bytes) -> Path:
    """Return the folder for the machine code of one more file, outside the project."""
    return CACHE_DIRECTORY / hashlib.blake2b(source, digest_size=8).hexdigest()


@contextmanager
def cached_in(directory: Path) -> Iterator[None]:
    """Keep the machine code of what is declared within in another folder."""
    numba_config.CACHE_DIR = str(directory)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        numba_config.CACHE_DIR = str(CACHE_DIRECTORY)  # type: ignore[attr-defined]


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` on its first call, cached between processes."""
    result: Callable[P, R] = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    return result


def compile_entry(function: Callable[..., Any], signature: Any) -> Any:
    """Compile ``function`` now for one explicit ``signature``; the entry of a compiled loop.

    An entry may take other compiled functions as arguments typed ``types.FunctionType``: the one
    form of plug that numba also caches.
    """
    return numba.njit(signature, cache=True, nogil=True, error_model="numpy")(function)


def compile_plug(function: Any, signature: Any) -> Any:
    """Compile ``function`` for the signature under which an entry is handed it; return it.

    Left to itself numba would do so in the hot thread, at the entry's first call.
    """
    if not PLAIN_PYTHON:
        function.compile(signature.args)
    return function


def cache_missed(entry: Any) -> bool:
    """Return whether ``entry`` had to be compiled in this process instead of read from disk."""
    if PLAIN_PYTHON:
        return False
    return sum(entry.stats.cache_misses.values()) > 0
