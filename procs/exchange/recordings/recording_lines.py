"""The lines of a recording on disk: plain text, or compressed by gzip or zstd."""

import gzip
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

from procs.exchange.core.exchange_config import ExchangeConfigError

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
#: How files of recordings end.
ENDINGS = (".jsonl", ".ndjson", ".jsonl.gz", ".jsonl.zst", ".ndjson.gz", ".ndjson.zst")


def recording_in(path: Path) -> Path:
    """Return the recording that a path names: the file, or the only recording of a folder.

    Raises
    ------
    ExchangeConfigError
        When there is none, or more than one.
    """
    if not path.is_dir():
        return path
    found = sorted(each for each in path.iterdir() if each.name.endswith(ENDINGS))
    if len(found) == 1:
        return found[0]
    names = ", ".join(each.name for each in found) or "none"
    raise ExchangeConfigError(f"{path}: name one recording of the folder; it has: {names}")


def lines_of(path: Path) -> Iterator[bytes]:
    """Yield the lines of a recording in order, without their ends; empty ones are left out.

    Raises
    ------
    ExchangeConfigError
        When the file cannot be read, or is compressed and broken.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(4)
        if magic == ZSTD:
            yield from _zstd_lines(path)
            return
        with gzip.open(path, "rb") if magic.startswith(GZIP) else path.open("rb") as file:
            yield from (line.rstrip(b"\r\n") for line in file if line.strip())
    except (OSError, EOFError, zlib.error) as error:
        raise ExchangeConfigError(f"{path}: cannot be read: {error}") from error


def _zstd_lines(path: Path) -> Iterator[bytes]:
    if shutil.which("zstd") is None:
        raise ExchangeConfigError(
            f"{path}: compressed by zstd, and there is no program zstd: install it, or give the "
            "file decompressed"
        )
    process = subprocess.Popen(
        ["zstd", "-dcq", "--", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    is_read = False
    try:
        yield from (line.rstrip(b"\r\n") for line in process.stdout if line.strip())
        is_read = True
    finally:
        if not is_read:
            process.kill()
        words = process.stderr.read().decode(errors="replace").strip()
        status = process.wait()
        process.stdout.close()
        process.stderr.close()
    if status != 0:
        raise ExchangeConfigError(f"{path}: cannot be read: {words}")
