"""The changes of state in a run, one JSON line each, for ``vortexctl events``."""

import contextlib
import time
from pathlib import Path

import msgspec

from procs.logs import process_log
from procs.logs.log_file import LogFile
from procs.plan import wiring

#: Exit status of a process that the supervisor did not start.
UNKNOWN_STATUS = 255


class RunEvent(msgspec.Struct, omit_defaults=True):
    """One change of state."""

    time: str
    what: str
    stage: str = ""
    pid: int = 0
    status: int | None = None
    delay_s: float | None = None
    note: str = ""


def events_path(run_folder: Path) -> Path:
    """Return the path of the events of a run."""
    return run_folder / "events.jsonl"


#: A run has few events; one file holds all of them.
FILE_BYTES_MAX = 1 << 40


class EventLog:
    """Appends events to their file; ``close`` closes it.

    When the disk refuses them the run continues, and the log has them instead.
    """

    def __init__(self, run_folder: Path) -> None:
        self._file = LogFile(events_path(run_folder), FILE_BYTES_MAX, 1)
        with contextlib.suppress(OSError):  # ``append`` tries again, and logs why it fails
            self._file.open()

    def append(
        self,
        what: str,
        stage: str = "",
        *,
        pid: int = 0,
        status: int | None = None,
        delay_s: float | None = None,
        note: str = "",
    ) -> None:
        """Append one event immediately."""
        now_s = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now_s)) + f".{now_s % 1:.3f}"[2:]
        event = RunEvent(stamp + "Z", what, stage, pid, status, delay_s, note)
        line = msgspec.json.encode(event)
        try:
            self._file.append(line + b"\n")
        except OSError as error:
            log = process_log.logger(wiring.SUPERVISOR)
            log.error("%s: %s: %s", self._file.path, error.strerror, line.decode())

    def close(self) -> None:
        """Close the file."""
        self._file.close()
