"""One file of lines, rotated by size: every line is whole, even on a full disk."""

import contextlib
import os
from pathlib import Path


class LogFile:
    """Appends to a file; ``close`` closes it.

    Of ``file_count`` files the newest has the plain name; the previous one ends in ``.1``.
    """

    def __init__(self, path: Path, file_bytes_max: int, file_count: int) -> None:
        self.path = path
        self.file_bytes_max = file_bytes_max
        self.file_count = file_count
        self.size_bytes = 0
        self._fd = -1

    def open(self, size_bytes: int | None = None) -> None:
        """Open the file; with a size, truncate it to that size.

        Raises
        ------
        OSError
            When it cannot be opened; the next ``append`` tries again.
        """
        self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self.size_bytes = os.fstat(self._fd).st_size
        if size_bytes is not None and size_bytes < self.size_bytes:
            os.ftruncate(self._fd, size_bytes)
            self.size_bytes = size_bytes

    def append(self, data: bytes) -> None:
        """Append whole lines, all of them or none.

        Raises
        ------
        OSError
            When the disk refuses them.
        """
        if self._fd < 0:
            self.open()
        if self.size_bytes and self.size_bytes + len(data) > self.file_bytes_max:
            self.rotate()
        try:
            written_bytes = 0
            while written_bytes < len(data):  # a nearly full disk takes only a part
                written_bytes += os.write(self._fd, data[written_bytes:])
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self.size_bytes)
            self.close()  # the next try opens the file again
            raise
        self.size_bytes += len(data)

    def rotate(self) -> None:
        """Begin a new file; delete the oldest."""
        self.close()
        for number in range(self.file_count - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                older(self.path, number - 1).replace(older(self.path, number))
        self.open()

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def older(path: Path, number: int) -> Path:
    """Return the path of the file from ``number`` rotations ago."""
    return path.with_name(f"{path.name}.{number}") if number else path


def all_of(path: Path) -> list[Path]:
    """Return a file and its rotated files, the oldest first."""
    found = {path}
    found.update(path.parent.glob(f"{path.name}.[0-9]*"))
    return sorted(found, key=lambda each: -int(each.suffix[1:]) if each != path else 0)
