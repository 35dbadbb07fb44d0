"""Strategies by name or by file: those of the package, and the user's own.

A user's strategy is one file.  It may import installed packages, but the compiled functions that it
calls must be in that file or in Vortex: a change in a third place would go unnoticed.
"""

import os
import sys
from pathlib import Path
from types import ModuleType

from ipc import fingerprints
from ipc.compiled import cached_in, folder_for
from vortex import strategies
from vortex.deciding import contract
from vortex.deciding.contract import Strategy


def load(source: str) -> Strategy:
    """Return the strategy of a name, or of a file when ``source`` is an absolute path.

    Raises
    ------
    LookupError
        When there is none, or it misses a part of the contract, or the file cannot be imported.
    OSError
        When the file is unreadable.
    """
    path = Path(source)
    if not path.is_absolute():
        return strategies.load(source)
    return contract.of_module(import_file(path), path.stem)


def import_file(path: Path) -> ModuleType:
    """Return the module of a file; the same one while its contents are the same."""
    text = path.read_bytes()
    name = f"strategy_{fingerprints.of_text(text)}_{path.stem}"
    module = sys.modules.get(name)
    if module is not None and module.__file__ == str(path):
        return module
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # numba looks for it there when it reads its cache
    try:
        # Not by an import: Python's own cache does not notice two edits within one second.
        with cached_in(folder_for(text)):
            exec(compile(text, str(path), "exec"), module.__dict__)
    except Exception as error:
        del sys.modules[name]
        problem = f"{type(error).__name__}: {error}"
        raise LookupError(f"strategy file {path} cannot be imported: {problem}") from error
    return module


def keep(source: str) -> str:
    """Return the path of a copy of the file; return a name unchanged.

    All processes of a run read the copy.  So an edit of the strategy while it trades disturbs
    neither the run nor its observers.
    """
    path = Path(source)
    if not path.is_absolute():
        return source
    text = path.read_bytes()
    folder = folder_for(text)
    if folder is None:
        return source
    copy = folder / path.name
    if not copy.exists() or copy.read_bytes() != text:
        copy.parent.mkdir(parents=True, exist_ok=True)
        part = copy.with_suffix(f".{os.getpid()}")
        part.write_bytes(text)
        part.replace(copy)
    return str(copy)


def key(source: str) -> str:
    """Return a short name that is unique to this strategy and its contents."""
    path = Path(source)
    if not path.is_absolute():
        return source
    return f"{path.stem}-{fingerprints.of_text(path.read_bytes())}"
