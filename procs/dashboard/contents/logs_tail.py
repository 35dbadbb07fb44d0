"""The newest lines of all logs and events of a run, in the order of arrival."""

from collections import deque
from pathlib import Path

import msgspec

from procs.logs.log_lines import LogFolder, LogFollower, LogLine, in_order, local_time
from procs.logs.run_events import RunEvent, events_path

LINE_COUNT = 400
FIRST_BYTES = 1 << 16


class LogTail:
    """Reads the new lines since the last look; the first look reads the end of each file."""

    def __init__(self, run_folder: Path) -> None:
        self.folder = LogFolder(run_folder, FIRST_BYTES)
        self.events = LogFollower(events_path(run_folder), FIRST_BYTES)
        self.lines: deque[dict[str, str]] = deque(maxlen=LINE_COUNT)
        self.count = 0  # lines ever seen

    def look(self) -> None:
        """Take the new lines of all files."""
        events = [event_of(each.line) for each in self.events.look()]
        for line in in_order([events, self.folder.look()]):
            self.lines.append(
                {"time": line.time, "level": line.level, "source": line.log, "text": line.text}
            )
            self.count += 1

    def since(self, seen: int) -> list[dict[str, str]]:
        """Return the lines after the first ``seen`` that are still kept."""
        return list(self.lines)[max(seen - (self.count - len(self.lines)), 0) :]


def event_of(line: str) -> LogLine:
    """Return one event as a line of the log."""
    try:
        event = msgspec.json.decode(line, type=RunEvent)
    except msgspec.DecodeError:
        return LogLine("", "info", "events", line, line)
    words = [event.what, event.stage, f"pid {event.pid}" if event.pid else ""]
    if event.status is not None:
        words.append(f"status {event.status}")
    if event.delay_s is not None:
        words.append(f"again in {event.delay_s:g} s")
    text = " ".join(word for word in [*words, event.note] if word)
    return LogLine(local_time(event.time), "event", "events", text, line)
