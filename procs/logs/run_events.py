"""What happened in a run, one JSON line each: what ``vortexctl events`` prints."""

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
    """Return where the events of a run stand."""
    return run_folder / "events.jsonl"


#: The events of a run are few, and all are kept in one file.
FILE_BYTES_MAX = 1 << 40


class EventLog:
    """Appends events to their file; ``close`` closes it.

    While the disk does not take them the run goes on, and the log says what happened.
    """

    def __init__(self, run_folder: Path) -> None:
        self._file = LogFile(events_path(run_folder), FILE_BYTES_MAX, 1)
        with contextlib.suppress(OSError):  # ``tell`` tries again, and says why it cannot
            self._file.open()

    def tell(
        self,
        what: str,
        stage: str = "",
        *,
        pid: int = 0,
        status: int | None = None,
        delay_s: float | None = None,
        note: str = "",
    ) -> None:
        """Append one event, at once."""
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
