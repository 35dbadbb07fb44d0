"""The warnings and errors of a stage's logs, each shown once."""

import re
from pathlib import Path
from typing import NamedTuple

from procs.logs import log_lines, process_log

#: Bytes read from the end of a log: a stage that fails in a loop must not slow its observer.
TAIL_BYTES = 256 << 10
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


class StageFault(NamedTuple):
    """One kind of message: its lines differ only in numbers."""

    times: int
    last: str  # when
    level: str
    message: str  # the newest one


def last_faults(run_folder: Path, role: str, count_max: int) -> list[StageFault]:
    """Return the distinct warnings and errors of a stage's logs, the newest last."""
    found: dict[str, StageFault] = {}
    for path in sorted((run_folder / "logs").glob("*.log")):
        # Stages of one process share its log, and all of them that of their hot loops.
        if path.stem != process_log.HOT and role not in path.stem.split("+"):
            continue
        for text in _tail(path):
            line = log_lines.parsed(path.stem, text)
            if line.level in ("warning", "error") and role in line.log.split("+"):
                key = _NUMBER.sub("#", line.message)
                times = found[key].times + 1 if key in found else 1
                found[key] = StageFault(times, line.time, line.level, line.message)
    return sorted(found.values(), key=lambda fault: fault.last)[-count_max:]


def _tail(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(file.tell() - TAIL_BYTES, 0))
            return file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
