"""What hot loops tell comes into the file, in order, once, and what does not is counted."""

import errno
import itertools
import resource
import signal
import string
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from still import SYMBOLS, Still

from ipc import log
from ipc.log import BURST_COUNT, WINDOW_NS, log_event
from ipc.memory import address_of
from ipc.shared import SharedTable
from procs.logs import hot_events, process_log
from procs.logs.hot_events import CATALOGUE
from procs.logs.log_file import LogFile, all_of
from procs.logs.run_events import EventLog, RunEvent, events_path
from procs.observe.events import log_text
from procs.observe.events.log_text import LoggedEvent, Names, text_of
from procs.observe.events.log_writer import LogEntry, LogWriter, merged
from procs.plan.config import Logs
from procs.plan.run_records import LOG_MARK
from procs.plan.wiring import LOG_ROWS, log_ring
from vortex.codes import Kind, Reject, Side

NAMES = Names(SYMBOLS, ["main"], [1_000_000, 1_000_000], [1_000, 1_000])


class Bench:
    """The memory of a run: this test tells, and runs the log writer."""

    def __init__(self, still: Still, folder: Path) -> None:
        self.still = still
        self.folder = folder
        (folder / "logs").mkdir()
        wired = still.memory.wiring
        self.marks = SharedTable.attach(wired.segment("log_marks"), LOG_MARK, writable=True)
        self.writers = {role: still.writer(log_ring(role)) for role in wired.roles}
        self.tables = {
            role: SharedTable.attach(
                wired.segment(f"event_counts.{role}"), log.EVENT_COUNTS, writable=True
            )
            for role in wired.roles
        }
        self.loggers: dict[str, Any] = {}
        for role in wired.roles:
            self.loggers[role] = np.zeros(1, log.LOGGER_DTYPE)
            self.loggers[role]["ring_address"] = self.writers[role].address
            self.loggers[role]["counts_address"] = self.tables[role].address
        self.now_ns = 10 * WINDOW_NS
        self.settings = Logs()

    def log(self, role: str, event: int, *words: int, later_ns: int = WINDOW_NS) -> None:
        """Tell one event, so much later than the one before that it is no storm."""
        self.now_ns += later_ns
        log_event(address_of(self.loggers[role]), event, self.now_ns, *words)

    def log_many(self, role: str, first: int, count: int) -> None:
        """Log ``count`` gaps, numbered from ``first``."""
        for number in range(first, first + count):
            self.log(role, hot_events.GAP, 0, number, 0)

    @contextmanager
    def writer(self) -> Iterator[LogWriter]:
        """Run a log writer; no signal makes it write to the end."""
        made = LogWriter(self.still.view, self.marks, self.settings)
        try:
            yield made
        finally:
            made.close()

    def write(self) -> None:
        """Let a log writer write all there is."""
        with self.writer() as writer:
            writer.look(to_the_end=True)

    def lines(self) -> list[str]:
        """Return all lines written, those of rotated files too."""
        paths = all_of(process_log.hot_path(self.folder))
        return "".join(path.read_text() for path in paths if path.exists()).splitlines()

    def gaps(self) -> list[int]:
        """Return the numbers of the gaps that were written."""
        return [int(line.split("update ")[1].split()[0]) for line in self.lines() if "gap" in line]

    def close(self) -> None:
        """Unmap everything."""
        for thing in (self.marks, *self.writers.values(), *self.tables.values()):
            thing.close()


@pytest.fixture
def bench(still: Still, tmp_path: Path) -> Iterator[Bench]:
    """Return the memory of a run without processes."""
    made = Bench(still, tmp_path)
    yield made
    made.close()


# Texts.


@pytest.mark.parametrize("number", list(CATALOGUE.events))
def test_every_event_reads_as_text_whatever_its_words(number: int) -> None:
    """Words of another run, or of no sense, are shown as they are."""
    event = CATALOGUE.events[number]
    for words in ((1, 2, 3, 4, 5, 6), (-1,) * 6, (2**62,) * 6, (0,) * 6):
        shown = text_of(LoggedEvent(0, number, words), NAMES)
        assert "{" not in shown
        assert "?" not in shown
        fixed = [part for part, *_ in string.Formatter().parse(event.text)]
        assert all(part in shown for part in fixed)


def test_words_are_shown_as_people_know_them() -> None:
    """Prices and sizes in the instrument's own units, codes by name, times with units."""
    words = (1, Kind.PLACE, Side.SELL, 250, 12345, Reject.PRICE_BAND)
    assert text_of(LoggedEvent(0, hot_events.REFUSED, words), NAMES) == (
        "ETHUSDT: place sell 0.00250 at 123.45 refused: price band"
    )
    assert text_of(LoggedEvent(0, hot_events.HALTED, (2 | 16, *[0] * 5)), NAMES) == (
        "halt: no connection, the supervisor died; cancels everything, places nothing new"
    )
    assert "after 1.5 ms" in text_of(
        LoggedEvent(0, hot_events.RESUMED, (1_500_000, *[0] * 5)), NAMES
    )
    assert text_of(LoggedEvent(0, 5, (1, 2, 0, 0, 0, 0)), NAMES).startswith(
        "event 5 of another version"
    )


def test_every_kind_of_word_has_its_reading() -> None:
    """And none reads what is never logged."""
    assert set(log_text.WORDS) == {"", *hot_events.KINDS}


# Order.

STREAMS = st.lists(st.lists(st.integers(0, 50), max_size=8), max_size=4)


@given(STREAMS)
def test_streams_are_merged_by_time_and_each_keeps_its_order(stamps: list[list[int]]) -> None:
    """Whatever the stamps: none is lost, none twice."""
    streams = [
        [
            LogEntry(at_ns, 20, str(index), "", seq)
            for seq, at_ns in enumerate(itertools.accumulate(s))
        ]
        for index, s in enumerate(stamps)
    ]
    found = list(merged(streams))
    assert [entry.at_ns for entry in found] == sorted(entry.at_ns for entry in found)
    for index, stream in enumerate(streams):
        assert [entry for entry in found if entry.role == str(index)] == stream


def test_stages_are_written_in_the_order_of_time(bench: Bench) -> None:
    """One stream, each line in the form of the other logs."""
    for number, role in enumerate(["gateway", "book", "book", "ingest", "gateway"]):
        bench.log(role, hot_events.GAP, 0, number, 0)
    bench.write()
    lines = bench.lines()
    assert bench.gaps() == list(range(5))
    assert [line.split()[3] for line in lines] == [
        "gateway:", "book:", "book:", "ingest:", "gateway:",
    ]  # fmt: skip
    assert "WARNING gateway: BTCUSDT: sequence gap, update 0 came after 0" in lines[0]


def test_late_events_wait_for_the_earlier_ones(bench: Bench) -> None:
    """A record that another stage stamped earlier, and is visible only now, has its place."""
    bench.now_ns = bench.still.view.now_ns() + 3600 * WINDOW_NS  # younger than is due
    with bench.writer() as writer:
        bench.log("book", hot_events.GAP, 0, 2, 0)
        writer.look()
        assert bench.lines() == []
        bench.log("gateway", hot_events.GAP, 0, 1, 0, later_ns=-5)
        writer.look(to_the_end=True)
    assert bench.gaps() == [1, 2]


# Losses.


def test_what_was_overwritten_is_counted_to_the_record(bench: Bench) -> None:
    """Each event is written or counted as lost; the loss is logged where it happened."""
    logged_count = 2 * LOG_ROWS + 100
    with bench.writer() as writer:
        bench.log_many("book", 0, 5)
        writer.look(to_the_end=True)
        bench.log_many("book", 5, logged_count - 5)
        writer.look(to_the_end=True)
        writer.look(to_the_end=True)
    written = bench.gaps()
    lost_count = logged_count - len(written)
    assert written[:5] == list(range(5))
    assert written[5:] == list(range(5 + lost_count, logged_count))
    assert lost_count >= LOG_ROWS
    assert f"{lost_count} events were overwritten unread" in bench.lines()[5]
    mark = bench.marks.records[bench.still.memory.wiring.roles.index("book")]
    assert (int(mark["written_count"]), int(mark["lost_count"])) == (len(written), lost_count)


def test_of_a_storm_the_rest_is_counted(bench: Bench) -> None:
    """The other events of the stage are not buried by it."""
    with bench.writer() as writer:
        for _ in range(BURST_COUNT + 300):
            bench.log("gateway", hot_events.EVENTS_FULL, later_ns=1)
        bench.log("gateway", hot_events.STREAM_ENDED)
        writer.look(to_the_end=True)
    lines = bench.lines()
    assert sum("the events ring is full" in line for line in lines) == BURST_COUNT + 1
    assert any("300 more not logged: the events ring is full" in line for line in lines)
    assert any("the venue ended the stream" in line for line in lines)


def test_a_successor_goes_on_where_the_one_before_was_killed(bench: Bench) -> None:
    """No line is missing, repeated or torn."""
    with bench.writer() as writer:
        bench.log_many("book", 0, 10)
        writer.look(to_the_end=True)
    with process_log.hot_path(bench.folder).open("a") as file:
        file.write("2026-01-01 00:00:00.000000 WARNING book: killed in the mid")
    bench.log_many("book", 10, 10)
    bench.write()
    assert bench.gaps() == list(range(20))
    assert "killed" not in "\n".join(bench.lines())


# Disks.


def test_while_the_disk_is_full_events_wait_and_are_written_when_they_can(bench: Bench) -> None:
    """`/dev/full` is a full disk; the problem is said once, without a traceback."""
    path = process_log.hot_path(bench.folder)
    path.symlink_to("/dev/full")
    with bench.writer() as writer:
        bench.log_many("book", 0, 20)
        for _ in range(3):
            writer.look(to_the_end=True)
        assert writer.problem == "No space left on device"
        path.unlink()
        bench.log_many("book", 20, 20)
        writer.look(to_the_end=True)
        assert writer.problem == ""
    assert bench.gaps() == list(range(40))


def test_a_full_disk_does_not_keep_the_supervisor_from_its_work(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be written down of a run is said in the log; later events are whole again."""
    path = events_path(tmp_path)
    path.symlink_to("/dev/full")
    events = EventLog(tmp_path)
    events.append("died", "book", pid=7)
    assert "No space left on device" in caplog.text
    assert '"died"' in caplog.text
    path.unlink()
    events.append("started", "book", pid=8)
    events.close()
    (line,) = path.read_bytes().splitlines()
    assert msgspec.json.decode(line, type=RunEvent).what == "started"


@contextmanager
def files_end_at(size_bytes: int) -> Iterator[None]:
    """Let the kernel refuse what goes beyond, after it took a part: an almost full disk."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, former[1]))
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGXFSZ, handler)
        resource.setrlimit(resource.RLIMIT_FSIZE, former)


def test_a_line_is_whole_or_not_there(tmp_path: Path) -> None:
    """What the disk took of it before it was full is taken back."""
    file = LogFile(tmp_path / "x.log", 1 << 20, 2)
    file.append(b"first\n")
    with files_end_at(10), pytest.raises(OSError) as caught:  # noqa: PT011 - by its number
        file.append(b"a second line\n")
    assert caught.value.errno == errno.EFBIG
    assert (tmp_path / "x.log").read_bytes() == b"first\n"
    file.append(b"third\n")
    file.close()
    assert (tmp_path / "x.log").read_bytes() == b"first\nthird\n"


def test_files_are_rotated_by_size_and_the_oldest_goes(tmp_path: Path) -> None:
    """No file is larger than it may be; together they hold the newest lines without a gap."""
    file = LogFile(tmp_path / "x.log", 100, 3)
    for number in range(100):
        file.append(f"line {number:03d}\n".encode())
    file.close()
    paths = all_of(tmp_path / "x.log")
    assert [path.name for path in paths] == ["x.log.2", "x.log.1", "x.log"]
    assert all(path.stat().st_size <= 100 for path in paths)
    numbers = [int(line[5:]) for path in paths for line in path.read_text().splitlines()]
    assert numbers == list(range(numbers[0], 100))
    assert len(numbers) > 20
