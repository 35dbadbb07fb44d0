"""The one way this project compiles a function.

Every hot function carries ``@compiled`` and nothing else, so the options are decided here once.
The machine code is kept on disk, in a folder named after the fingerprint of the function's file and
of all that this imports: an edit compiles again what imports the edited file, and nothing else.  A
file outside the project has a folder of its own, named after its contents.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from numba.core import config as numba_config

from ipc import code_cache, fingerprints
from ipc.code_cache import CACHE_DIRECTORY
from ipc.dispatcher import CodeDispatcher

__all__ = ["CACHE_DIRECTORY", "compiled"]

P = ParamSpec("P")
R = TypeVar("R")

#: True when numba runs functions as plain Python (``NUMBA_DISABLE_JIT=1``).
PLAIN_PYTHON = bool(numba_config.DISABLE_JIT)  # type: ignore[attr-defined]

OPTIONS = {"nopython": True, "nogil": True, "error_model": "numpy"}

#: Where the functions of a file outside the project are kept while it is imported.
_outside: list[Path | None] = []


def folder_for(source: bytes) -> Path | None:
    """Return the folder for the machine code of a file outside the project."""
    return code_cache.folder_named(fingerprints.of_text(source))


@contextmanager
def cached_in(folder: Path | None) -> Iterator[None]:
    """Keep the machine code of what is declared within in another folder."""
    _outside.append(folder)
    try:
        yield
    finally:
        _outside.pop()


def dispatcher(function: Callable[..., Any]) -> CodeDispatcher:
    """Return ``function`` as numba calls it, not compiled yet."""
    made = CodeDispatcher(function, targetoptions=dict(OPTIONS))
    if _outside:
        made.keep_in(_outside[-1], None)
    else:
        path = Path(function.__code__.co_filename).absolute()
        folder = code_cache.folder_of_file(path)
        made.keep_in(folder, None if folder is None else path)
    return made


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` on its first call, cached between processes."""
    if PLAIN_PYTHON:
        return function
    result: Callable[P, R] = dispatcher(function)
    return result


def compile_entry(function: Callable[..., Any], signature: Any) -> Any:
    """Compile ``function`` now for one explicit ``signature``; the entry of a compiled loop."""
    if PLAIN_PYTHON:
        return function
    made = dispatcher(function)
    made.compile(signature)
    made.disable_compile()
    return made


def compile_plug(function: Any, signature: Any) -> Any:
    """Compile ``function`` for the signature under which a loop calls it; return it.

    ``ipc.plugs`` needs its address before the hot thread starts.
    """
    if not PLAIN_PYTHON:
        function.compile(signature.args)
    return function


def cache_missed(entry: Any) -> bool:
    """Return whether ``entry`` had to be compiled in this process instead of read from disk."""
    if PLAIN_PYTHON:
        return False
    return sum(entry.stats.cache_misses.values()) > 0
