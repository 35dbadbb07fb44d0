"""Named POSIX shared memory: create, check, map, lock, remove.

A segment is one page of header and then its regions.  The supervisor creates every segment before
any stage starts.  Stages map as writable only what they may write, so a stray write kills the
process that made it.  A kernel lock on the segment (``F_OFD_SETLK``) shows that its holder lives:
the kernel frees it when the holder dies, even before it is reaped; a pid file cannot show that.
"""

import contextlib
import ctypes
import fcntl
import mmap
import os
import struct
import time
from pathlib import Path
from typing import Self

import numpy as np
import posix_ipc

from ipc.bounds import KNOWN
from ipc.errors import RoleTaken, SegmentInUse, SegmentMismatch, SegmentMissing, SegmentNotYet
from ipc.layout import Field, Layout
from ipc.memory import records_at

PAGE_BYTES = mmap.PAGESIZE
MAGIC = int.from_bytes(b"VORTEX\x00\x01", "little")
LAYOUT_VERSION = 1
MODE = 0o600
FOLDER = Path("/dev/shm")
PREFIX = "vortex"

SEGMENT_HEADER = Layout(
    "segment_header",
    "First page of every segment; written by the creator, the magic last.",
    Field("magic", "i8", "present when the rest is whole"),
    Field("layout_version", "i8", "version of this header and of the regions"),
    Field("fingerprint", "i8", "fingerprint of the record declarations inside"),
    Field("run_id", "i8", "the run that created it"),
    Field("total_bytes", "i8", "size of the segment"),
    Field("slot_bytes", "i8", "size of one record or slot"),
    Field("slot_count", "i8", "how many"),
    Field("created_ns", "i8", "wall-clock time of the creation"),
    Field("creator_pid", "i8", "for people; locks show whether a process lives"),
    Field("record_names", "S56", "the declarations, for people"),
)

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_long,
]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_MAP_SHARED, _MAP_PRIVATE, _MAP_FIXED, _MAP_ANONYMOUS, _MAP_POPULATE = 1, 2, 0x10, 0x20, 0x8000
_PROT_NONE = 0
_MAP_FAILED = ctypes.c_void_p(-1).value
_FLOCK = struct.Struct("hhqqi4x")


def segment_name(instance: str, name: str) -> str:
    """Return the name of one segment of one instance."""
    return f"/{PREFIX}.{instance}.{name}"


def list_segments(instance: str) -> list[str]:
    """Return the names of all segments of ``instance`` that exist."""
    return sorted(f"/{path.name}" for path in FOLDER.glob(f"{PREFIX}.{instance}.*"))


def round_to_pages(byte_count: int) -> int:
    """Return ``byte_count`` rounded up to whole pages."""
    return -(-byte_count // PAGE_BYTES) * PAGE_BYTES


class Segment:
    """One open segment; ``close`` releases the maps and the locks, ``unlink`` the name."""

    def __init__(self, name: str, fd: int) -> None:
        self.name = name
        self.fd = fd
        self._maps: list[tuple[int, int]] = []
        header_address = self.map(0, PAGE_BYTES, writable=False)
        self.header = records_at(header_address, SEGMENT_HEADER.dtype, 1)[0]

    @classmethod
    def create(
        cls,
        name: str,
        *,
        data_bytes: int,
        fingerprint: int,
        run_id: int,
        slot_bytes: int,
        slot_count: int,
        record_names: str,
    ) -> Self:
        """Create, size, fault in and describe a segment of ``data_bytes`` behind its header.

        Raises
        ------
        SegmentInUse
            When the name exists; ``remove_stale`` first.
        """
        total_bytes = PAGE_BYTES + round_to_pages(data_bytes)
        try:
            memory = posix_ipc.SharedMemory(name, posix_ipc.O_CREX, mode=MODE)
        except posix_ipc.ExistentialError as error:
            raise SegmentInUse(
                f"{name} exists already: another run of this instance is up, or left it behind; "
                "`vortexctl stop` ends that run, or removes the segment"
            ) from error
        try:
            os.fchmod(memory.fd, MODE)
            # Allocated now: with overcommit, a full /dev/shm would raise SIGBUS at the first touch.
            os.posix_fallocate(memory.fd, 0, total_bytes)
            header = np.zeros(1, SEGMENT_HEADER.dtype)
            header[0] = (
                *(0, LAYOUT_VERSION, fingerprint, run_id, total_bytes, slot_bytes, slot_count),
                *(time.time_ns(), os.getpid(), record_names.encode()),
            )
            os.pwrite(memory.fd, header.tobytes(), 0)
            os.pwrite(memory.fd, MAGIC.to_bytes(8, "little"), 0)
            return cls(name, memory.fd)
        except OSError:
            os.close(memory.fd)
            posix_ipc.unlink_shared_memory(name)
            raise

    @classmethod
    def private(cls, name: str, data_bytes: int) -> Self:
        """Return a private segment: no other process finds it, and it ends with this process."""
        fd = os.memfd_create(name)
        os.ftruncate(fd, PAGE_BYTES + round_to_pages(data_bytes))
        return cls(name, fd)

    @classmethod
    def attach(cls, name: str, *, fingerprint: int, run_id: int | None = None) -> Self:
        """Open an existing segment and check it against this program's declarations.

        Raises
        ------
        SegmentMissing
            When no segment has that name.
        SegmentNotYet
            When it is incomplete, or belongs to another run.
        SegmentMismatch
            When its magic, version or record declarations differ.
        """
        segment = cls.open(name)
        header = segment.header
        wrong, error = "", SegmentMismatch
        if int(header["magic"]) != MAGIC:
            wrong = "is not whole (its creator died), or not a segment of ours"
            error = SegmentNotYet if int(header["magic"]) == 0 else SegmentMismatch
        elif int(header["layout_version"]) != LAYOUT_VERSION:
            wrong = f"has layout version {header['layout_version']}, this is {LAYOUT_VERSION}"
        elif run_id is not None and int(header["run_id"]) != run_id:
            wrong = f"belongs to run {int(header['run_id']):08x}, not to {run_id:08x}"
            error = SegmentNotYet
        elif int(header["total_bytes"]) != os.fstat(segment.fd).st_size:
            wrong = f"should have {header['total_bytes']} bytes and has another size"
        elif int(header["fingerprint"]) != fingerprint:
            wrong = f"holds other declarations of {header['record_names'].decode()}"
        if wrong:
            segment.close()
            raise error(f"{name} {wrong}; stop that run with the version that started it")
        return segment

    @classmethod
    def open(cls, name: str) -> Self:
        """Open an existing segment without any check."""
        try:
            memory = posix_ipc.SharedMemory(name)
        except posix_ipc.ExistentialError as error:
            raise SegmentMissing(
                f"no segment {name}: is the run up? (`vortexctl status`)"
            ) from error
        if os.fstat(memory.fd).st_size < PAGE_BYTES:
            os.close(memory.fd)
            raise SegmentNotYet(f"{name} is shorter than a header; `vortexctl stop` removes it")
        return cls(name, memory.fd)

    def map(
        self, offset_bytes: int, byte_count: int, *, writable: bool, twice: bool = False
    ) -> int:
        """Map a region, faulted in, and return its address; ``close`` unmaps it.

        ``twice`` maps the region a second time right behind itself, so that a range that wraps
        around its end is contiguous in memory.
        """
        assert offset_bytes % PAGE_BYTES == 0, "a region begins on a page"
        span_bytes = round_to_pages(byte_count)
        total_bytes = 2 * span_bytes if twice else span_bytes
        flags = _MAP_PRIVATE | _MAP_ANONYMOUS
        base = self._mmap(None, total_bytes, _PROT_NONE, flags, -1, 0)
        protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        flags = _MAP_SHARED | _MAP_FIXED | _MAP_POPULATE
        for place in range(0, total_bytes, span_bytes):
            self._mmap(base + place, span_bytes, protection, flags, self.fd, offset_bytes)
        self._maps.append((base, total_bytes))
        KNOWN.add(base, total_bytes)
        return base

    def _mmap(
        self,
        address: int | None,
        byte_count: int,
        protection: int,
        flags: int,
        fd: int,
        offset: int,
    ) -> int:
        result = _libc.mmap(address, byte_count, protection, flags, fd, offset)
        if result is None or result == _MAP_FAILED:
            raise OSError(ctypes.get_errno(), f"cannot map {self.name}")
        return int(result)

    def lock(self, role_index: int) -> None:
        """Take the lock of one role; the kernel frees it when this process dies.

        Raises
        ------
        RoleTaken
            When a live process, even a stopped one, holds it.
        """
        request = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, role_index, 1, 0)
        try:
            fcntl.fcntl(self.fd, fcntl.F_OFD_SETLK, request)
        except (BlockingIOError, PermissionError) as error:
            raise RoleTaken(
                f"role {role_index} of {self.name} is held by a live process; "
                "stop or kill that one first"
            ) from error

    def is_locked(self, role_index: int | None = None) -> bool:
        """Return whether another open file holds the lock of one role, or of any."""
        start, length = (0, 0) if role_index is None else (role_index, 1)
        request = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
        answer = fcntl.fcntl(self.fd, fcntl.F_OFD_GETLK, request)
        return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)

    def close(self) -> None:
        """Unmap all and free the locks.  Addresses into the segment are invalid after this."""
        del self.header
        for address, byte_count in self._maps:
            KNOWN.remove(address)
            _libc.munmap(address, byte_count)
        self._maps.clear()
        os.close(self.fd)

    def unlink(self) -> None:
        """Remove the name; processes that have it mapped keep the memory."""
        _unlink(self.name)


def remove_stale(instance: str) -> list[str]:
    """Remove what dead runs of ``instance`` left behind; return the names.

    Raises
    ------
    SegmentInUse
        When a live process holds any of them; then nothing is removed.
    """
    names = list_segments(instance)
    for name in names:
        if is_live(name):
            raise SegmentInUse(
                f"instance {instance!r} is up ({name} is locked); "
                "`vortexctl status` shows it, `vortexctl stop` ends it"
            )
    for name in names:
        _unlink(name)
    return names


def _unlink(name: str) -> None:
    # Another process may have removed it since it was listed.
    with contextlib.suppress(posix_ipc.ExistentialError):
        posix_ipc.unlink_shared_memory(name)


def is_live(name: str) -> bool:
    """Return whether a live process holds a lock on the segment."""
    try:
        fd = os.open(FOLDER / name.lstrip("/"), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        request = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        return bool(_FLOCK.unpack(fcntl.fcntl(fd, fcntl.F_OFD_GETLK, request))[0] != fcntl.F_UNLCK)
    finally:
        os.close(fd)
