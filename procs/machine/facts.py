"""The facts of a machine, for the checks of ``vortexctl doctor``.

Files are read under a root, which is ``/`` except in tests.  Facts that no file holds (limits of
this process, the clock's discipline, the time of a write) are gathered once.
"""

import ctypes
import fcntl
import os
import resource
import socket
import struct
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Facts = Mapping[str, int | str]

FSYNC_COUNT = 50
FSYNC_BYTES = 4096


@dataclass(frozen=True)
class Machine:
    """A machine, and the CPUs of it that the engine uses."""

    root: Path = Path("/")
    hot_cpus: frozenset[int] = frozenset()
    house_cpus: frozenset[int] = frozenset()
    process_count: int = 4  # of the engine, one hot thread each
    venues: tuple[str, ...] = ()
    facts: Facts = field(default_factory=dict)

    def text(self, path: str) -> str | None:
        """Return the stripped text of a file; None when it does not exist."""
        try:
            return (self.root / path).read_text(errors="replace", encoding="utf-8").strip()
        except OSError:
            return None

    def number(self, path: str) -> int | None:
        """Return the number in a file; None when there is none."""
        text = self.text(path)
        try:
            return None if text is None else int(text.split()[0])
        except (ValueError, IndexError):
            return None

    def glob(self, pattern: str) -> list[Path]:
        """Return the matching paths under the root, in order."""
        try:
            return sorted(self.root.glob(pattern))
        except OSError:
            return []

    def sysctl(self, name: str) -> int | None:
        """Return the number of a kernel setting."""
        return self.number("proc/sys/" + name.replace(".", "/"))

    def fact(self, name: str) -> int | None:
        """Return a gathered number; None when it is not known."""
        value = self.facts.get(name)
        return value if isinstance(value, int) else None

    def words(self, name: str) -> str | None:
        """Return a gathered text; None when there is none."""
        value = self.facts.get(name)
        return value if isinstance(value, str) else None

    def command_line(self, option: str) -> str | None:
        """Return the value of an option of the kernel's command line; empty for a bare one."""
        for word in (self.text("proc/cmdline") or "").split():
            name, _, value = word.partition("=")
            if name == option:
                return value
        return None


def cpus_of(text: str) -> frozenset[int]:
    """Return the CPUs of a list as the kernel writes it: ``0,2-5,8-14:2``; words are ignored.

    ``isolcpus=`` has such words before its list.
    """
    found: set[int] = set()
    for part in text.replace("\n", ",").split(","):
        span, _, step = part.strip().partition(":")
        first, dash, last = span.partition("-")
        numbers = [word for word in (first, last if dash else first, step or "1")]
        if not all(number.isascii() and number.isdigit() for number in numbers):
            continue
        begin, end, stride = (min(int(number), 1 << 16) for number in numbers)
        found.update(range(begin, end + 1, max(stride, 1)))
    return frozenset(found)


def cpus_of_mask(text: str) -> frozenset[int]:
    """Return the CPUs of a mask as the kernel writes it: ``ff,ffffffff``."""
    digits = text.replace(",", "").strip()
    try:
        mask = int(digits, 16)
    except ValueError:
        return frozenset()
    return frozenset(index for index in range(mask.bit_length()) if mask >> index & 1)


def mask_of(cpus: Iterable[int]) -> str:
    """Return a mask as the kernel reads it, in groups of eight digits."""
    digits = f"{sum(1 << cpu for cpu in set(cpus)):x}"
    width = -(-len(digits) // 8) * 8
    padded = digits.rjust(width, "0")
    groups = [padded[index : index + 8] for index in range(0, width, 8)]
    return ",".join(groups).lstrip("0,") or "0"


def list_of(cpus: Iterable[int]) -> str:
    """Return CPUs as the kernel lists them: ``0,2-5``; ``none`` for none."""
    parts: list[str] = []
    ordered = sorted(set(cpus))
    for index, cpu in enumerate(ordered):
        if index and ordered[index - 1] == cpu - 1:
            parts[-1] = f"{parts[-1].partition('-')[0]}-{cpu}"
        else:
            parts.append(str(cpu))
    return ",".join(parts) or "none"


def gather(runs_folder: Path, hot_cpus: Iterable[int]) -> dict[str, int | str]:
    """Return the facts that no file holds; takes about a second."""
    facts: dict[str, int | str] = dict(limits())
    facts |= clock_discipline()
    facts |= shared_memory()
    facts |= coalescing()
    facts |= environment()
    took_us = slowest_fsync_us(runs_folder)
    if took_us is not None:
        facts["fsync_us"] = took_us
    facts |= counters_apart(sorted(hot_cpus))
    return facts


def limits() -> dict[str, int]:
    """Return the soft limits of this process, -1 for none, and whether it is root's."""
    kinds = {
        "memlock_bytes": resource.RLIMIT_MEMLOCK,
        "rtprio": resource.RLIMIT_RTPRIO,
        "nofile": resource.RLIMIT_NOFILE,
        "core_bytes": resource.RLIMIT_CORE,
    }
    found = {name: resource.getrlimit(kind)[0] for name, kind in kinds.items()}
    return found | {"is_root": int(os.geteuid() == 0)}


def clock_discipline() -> dict[str, int]:
    """Return the kernel's figures of the wall clock's error.

    *Source:* adjtimex(2): struct timex begins with modes, offset, freq, maxerror, esterror, status.
    """
    library = ctypes.CDLL(None, use_errno=True)
    room = ctypes.create_string_buffer(512)
    if library.adjtimex(room) < 0:
        return {}
    _, _, _, _, most_us, _, status = struct.unpack_from("iiqqqqi", room)
    return {"clock_error_us": most_us, "clock_is_unsynchronised": status >> 6 & 1}


def shared_memory() -> dict[str, int]:
    """Return the free shared memory, and the number of segments of dead runs."""
    from ipc.segment import FOLDER, PREFIX, is_live

    try:
        room = os.statvfs(FOLDER)
    except OSError:
        return {}
    names = [f"/{path.name}" for path in FOLDER.glob(f"{PREFIX}.*.*")]
    stale_count = sum(not is_live(name) for name in names)
    return {"shm_free_bytes": room.f_bavail * room.f_frsize, "shm_stale_count": stale_count}


ETHTOOL_GET_COALESCE = 0x0000000E
SIOCETHTOOL = 0x8946
COALESCE_WORDS = 23
_RX_USECS, _ADAPTIVE_RX = 1, 10


def coalescing() -> dict[str, int | str]:
    """Return how long the network cards gather frames before they interrupt.

    *Source:* linux/ethtool.h: struct ethtool_coalesce is 23 words.
    """
    rows, most_us, adaptive_count = [], 0, 0
    for path in sorted(Path("/sys/class/net").glob("*/device")):
        name = path.parent.name
        words = ctypes.create_string_buffer(
            struct.pack(f"{COALESCE_WORDS}I", ETHTOOL_GET_COALESCE, *[0] * (COALESCE_WORDS - 1))
        )
        request = struct.pack("16sP16x", name.encode()[:15], ctypes.addressof(words))
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
                fcntl.ioctl(any_socket, SIOCETHTOOL, request)
        except OSError:
            continue
        answer = struct.unpack(f"{COALESCE_WORDS}I", words.raw[: 4 * COALESCE_WORDS])
        most_us = max(most_us, answer[_RX_USECS])
        adaptive_count += bool(answer[_ADAPTIVE_RX])
        adaptive = ", adaptive" if answer[_ADAPTIVE_RX] else ""
        rows.append(f"{name} {answer[_RX_USECS]} us{adaptive}")
    if not rows:
        return {}
    words_of = "; ".join(rows)
    return {"coalesce": words_of, "coalesce_us": most_us, "coalesce_adaptive": adaptive_count}


def environment() -> dict[str, int | str]:
    """Return the variables that change the machine code, and the state of the cache folder."""
    from ipc.code_cache import wanted_directory

    names = sorted(name for name in os.environ if name.startswith("NUMBA_"))
    names += [name for name in ("PYTHONDEVMODE", "PYTHONOPTIMIZE") if os.environ.get(name)]
    folder = wanted_directory()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return {"variables": ", ".join(names), "cache_is_writable": int(os.access(folder, os.W_OK))}


def slowest_fsync_us(folder: Path) -> int | None:
    """Return the longest of some synchronous writes; None when none is possible."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    path = folder / f".fsync-{os.getpid()}"
    took_ns = 0
    try:
        with path.open("wb", buffering=0) as file:
            for _ in range(FSYNC_COUNT):
                file.write(b"\0" * FSYNC_BYTES)
                before_ns = time.perf_counter_ns()
                os.fsync(file.fileno())
                took_ns = max(took_ns, time.perf_counter_ns() - before_ns)
    except OSError:
        return None
    finally:
        path.unlink(missing_ok=True)
    return took_ns // 1000


def counters_apart(cpus: list[int]) -> dict[str, int]:
    """Return the shortest time of a stamp between CPUs, over all pairs with the first CPU."""
    from procs.machine.jitter import least_one_way_ns

    available = sorted(os.sched_getaffinity(0))
    others = [cpu for cpu in cpus if cpu in available and cpu != available[0]]
    ways = [least_one_way_ns(available[0], cpu) for cpu in others]
    known = [way for way in ways if way is not None]
    return {"one_way_ns": min(map(min, known))} if known else {}
