"""The folders that keep machine code between processes: one per fingerprint.

The folder is ``VORTEX_CACHE_DIR``, or ``vortex`` below the user's cache.  When that is not
writable, a private folder below the temporary directory replaces it, with a warning; when neither
is, nothing is kept.  numba's own folder (``NUMBA_CACHE_DIR``, or ``__pycache__`` beside the
sources) is never used: numba does not notice a change in another file.
"""

import functools
import hashlib
import os
import pickle
import re
import shutil
import stat
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from numba.core.serialize import dumps

from ipc import fingerprints

CACHE_VARIABLE = "VORTEX_CACHE_DIR"
SAID_VARIABLE = "VORTEX_CACHE_SAID"

UNUSED_DAYS_MAX = 14
KEPT_BYTES_MAX = 2 << 30
#: A process that started within this time may still read or write.
IN_USE_S = 3600

FOLDER_NAME = re.compile(r"[0-9a-f]{16}")


def wanted_directory() -> Path:
    """Return the folder for machine code by the environment."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    return Path(os.environ.get(CACHE_VARIABLE) or Path(home) / "vortex").absolute()


def spare_directory() -> Path:
    """Return the replacement when the wanted folder is not writable."""
    return Path(tempfile.gettempdir()) / f"vortex-cache-{os.getuid()}"


def make_writable(directory: Path) -> None:
    """Make a folder, and write to it as a test.

    Raises
    ------
    OSError
        When it is not writable.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=directory):
        pass


def make_own(directory: Path) -> None:
    """Make a folder that no other user can write, because its code is run.

    Raises
    ------
    OSError
        When it is a link, belongs to another user, is open to others, or is not writable.
    """
    with suppress(FileExistsError):
        directory.mkdir(mode=0o700)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{directory} is not a folder of this user's alone")
    make_writable(directory)


def choose() -> tuple[Path | None, str]:
    """Return the folder for machine code, and the problem when it is not the wanted one."""
    wanted = wanted_directory()
    try:
        make_writable(wanted)
        return wanted, ""
    except OSError as error:
        problem = f"machine code cannot be kept in {wanted} ({error.strerror or error})"
    try:
        spare = spare_directory()
        make_own(spare)
        return spare, f"{problem}; it is kept in {spare}"
    except OSError as error:
        advice = f"set {CACHE_VARIABLE} to a folder that can be written"
        return None, f"{problem}, nor in the temporary directory ({error}): {advice}"


#: The folder of this process's machine code; None when none is writable.
CACHE_DIRECTORY, PROBLEM = choose()


def say_problem() -> None:
    """Warn once, for this process and its children, that the wanted folder is not used."""
    if PROBLEM and os.environ.get(SAID_VARIABLE) != PROBLEM:
        os.environ[SAID_VARIABLE] = PROBLEM
        print(PROBLEM, file=sys.stderr, flush=True)


say_problem()


def folder_named(fingerprint: str) -> Path | None:
    """Return the folder of one fingerprint; it need not exist."""
    return None if CACHE_DIRECTORY is None else CACHE_DIRECTORY / fingerprint


def folder_of_file(path: Path) -> Path | None:
    """Return the folder of the functions in one file; None for functions without a file."""
    if not path.is_file():
        return None
    return folder_named(fingerprints.of_file(path))


def has_code_of(module_name: str) -> bool:
    """Return whether functions of a module of the project were compiled and kept before."""
    path = fingerprints.file_of(module_name)
    folder = None if path is None else folder_of_file(path)
    return folder is not None and folder.is_dir()


def read(path: Path) -> Any:
    """Return the content of a file; None when there is none."""
    try:
        return pickle.loads(path.read_bytes())
    except FileNotFoundError:
        return None


def write(path: Path, kept: Any) -> bool:
    """Write a file atomically; return False, and say why once, where the disk refuses it."""
    part = path.with_name(f"{hashlib.blake2b(path.name.encode()).hexdigest()[:16]}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(dumps(kept))
        part.replace(path)
        return True
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        say_not_kept(error.strerror or str(error))
        return False


@functools.cache
def say_not_kept(why: str) -> None:
    """Warn that some machine code is compiled again by the next process."""
    text = f"not all machine code can be kept in {CACHE_DIRECTORY} ({why}): free some space there"
    print(text, file=sys.stderr, flush=True)


def mark_used(folder: Path) -> None:
    """Record that a folder was used now."""
    with suppress(OSError):
        os.utime(folder)


def size_bytes(folder: Path) -> int:
    """Return the size of a folder."""
    with suppress(OSError):
        return sum(path.stat().st_size for path in folder.iterdir())
    return 0


def prune(now_s: float | None = None) -> list[Path]:
    """Remove folders that were long unused, and the oldest beyond the size limit; return them.

    A folder that was used within the last hour stays: a process may be reading it.
    """
    if CACHE_DIRECTORY is None:
        return []
    now_s = time.time() if now_s is None else now_s
    ages = []
    for folder in CACHE_DIRECTORY.iterdir():
        with suppress(OSError):
            if FOLDER_NAME.fullmatch(folder.name):
                ages.append((now_s - folder.stat().st_mtime, folder))
    removed, kept_bytes = [], 0
    for age_s, folder in sorted(ages):
        kept_bytes += size_bytes(folder)
        is_old = age_s > UNUSED_DAYS_MAX * 86400
        if age_s > IN_USE_S and (is_old or kept_bytes > KEPT_BYTES_MAX):
            dead = folder.with_name(f"removed-{folder.name}-{os.getpid()}")
            with suppress(OSError):
                folder.rename(dead)  # atomic: no process finds half a folder
                removed.append(folder)
                shutil.rmtree(dead, ignore_errors=True)
    return removed
