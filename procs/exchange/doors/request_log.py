"""A log of the requests that reached the exchange: one JSON line each, as they came."""

from pathlib import Path
from typing import Any

import msgspec

FLUSH_LINES = 256
FLUSH_NS = 500_000_000


class RequestLog:
    """Writes `{"recv_ns", "via", "request", "status", "code"}` lines; nothing without a path."""

    def __init__(self, path: Path | None) -> None:
        self._file = None if path is None else path.open("wb")
        self._lines: list[bytes] = []
        self._flushed_ns = 0

    def write(
        self, recv_ns: int, via: str, request: bytes, *, status: int = 200, code: int = 0
    ) -> None:
        """Keep one request and how it ended; code 0 is success."""
        if self._file is None:
            return
        row: dict[str, Any] = {
            "recv_ns": recv_ns,
            "via": via,
            "request": request.decode(errors="replace"),
            "status": status,
            "code": code,
        }
        self._lines.append(msgspec.json.encode(row))
        if len(self._lines) >= FLUSH_LINES or recv_ns - self._flushed_ns > FLUSH_NS:
            self._flushed_ns = recv_ns
            self.flush()

    def flush(self) -> None:
        """Write what is kept."""
        if self._file is not None and self._lines:
            self._file.write(b"\n".join(self._lines) + b"\n")
            self._file.flush()
            self._lines.clear()

    def close(self) -> None:
        """Write what is kept and close the file."""
        self.flush()
        if self._file is not None:
            self._file.close()
