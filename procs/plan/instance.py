"""The files of an instance: its lock, its run folder, its launch files."""

import fcntl
import os
import secrets
import tempfile
import time
from pathlib import Path
from typing import Self

import msgspec

TAKE_TRY_COUNT = 5
TAKE_PAUSE_S = 0.01


class NotRunning(Exception):
    """No such instance is up."""


class NotReady(Exception):
    """The instance is just starting or ending."""


class OtherVersion(Exception):
    """The run was started by a program that declares its records differently."""


class NothingKept(Exception):
    """There is no run, or it left nothing; the message says which."""


class AlreadyRunning(Exception):
    """The instance is up; the message says which process holds it."""


class Mark(msgspec.Struct, frozen=True):
    """The content of the lock file; valid only while the lock is held."""

    pid: int
    run_id: int
    run_folder: str
    started_ns: int


def runtime_folder() -> Path:
    """Return the folder of lock files, private to the user."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    folder = (
        Path(base) / "vortex" if base else Path(tempfile.gettempdir()) / f"vortex-{os.getuid()}"
    )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def lock_path(instance: str) -> Path:
    """Return the lock file of one instance."""
    return runtime_folder() / f"{instance}.lock"


class InstanceLock:
    """Held by the supervisor as long as it lives; the kernel frees it on death."""

    def __init__(self, instance: str) -> None:
        self.path = lock_path(instance)
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @classmethod
    def take(cls, instance: str) -> Self:
        """Take the lock; ``release`` frees it.

        Raises
        ------
        AlreadyRunning
            When another supervisor holds it.
        """
        lock = cls(instance)
        for _ in range(TAKE_TRY_COUNT):
            try:
                fcntl.flock(lock._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return lock
            except BlockingIOError:
                time.sleep(TAKE_PAUSE_S)  # a process that only checks holds it for a moment
        os.close(lock._fd)
        mark = read_mark(instance)
        pid = f" (pid {mark.pid})" if mark else ""
        raise AlreadyRunning(
            f"instance {instance!r} is up already{pid}: `vortexctl status -n {instance}` shows it, "
            f"`vortexctl stop -n {instance}` ends it"
        )

    def write(self, mark: Mark) -> None:
        """Write the holder into the lock file."""
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, msgspec.json.encode(mark), 0)

    def release(self) -> None:
        """Free the lock; keep the mark, so that commands find the logs of the last run."""
        os.close(self._fd)


def read_mark(instance: str) -> Mark | None:
    """Return the content of the lock file, or None."""
    try:
        return msgspec.json.decode(lock_path(instance).read_bytes(), type=Mark)
    except (OSError, msgspec.DecodeError):
        return None


def is_up(instance: str) -> bool:
    """Return whether a supervisor holds the instance."""
    try:
        fd = os.open(lock_path(instance), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        # Shared: two concurrent checks must not take each other for the supervisor.
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def is_up_by(mark: Mark) -> bool:
    """Return whether the process of ``mark`` still holds its instance."""
    for path in runtime_folder().glob("*.lock"):
        if read_mark(path.stem) == mark:
            return is_up(path.stem)
    return False


def new_run_id() -> int:
    """Return a number that is unique to a run: it is part of every order's id."""
    return secrets.randbits(31) | 1


def new_run_folder(runs_folder: Path, instance: str, run_id: int) -> Path:
    """Create and return the folder of one run."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    folder = runs_folder / f"{instance}-{stamp}-{run_id:08x}"
    (folder / "logs").mkdir(parents=True)
    return folder.resolve()


def launch_path(run_folder: Path, role: str) -> Path:
    """Return the path of a stage's launch file."""
    return run_folder / f"{role}.launch.json"


def intake_path(run_folder: Path, role: str, life: int) -> Path:
    """Return the path of what a stage's loop took in one of its lives; see ``[record]``."""
    return run_folder / f"{role}.{life}.intake"
