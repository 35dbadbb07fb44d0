"""All logs of a run in one stream: in order, once, across rotations."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procs.logs import process_log
from procs.logs.log_file import LogFile
from procs.logs.log_lines import MORE, LogFolder, LogLine, in_order, is_at_least, parsed


def line_at(second: int, text: str, level: str = "WARNING", name: str = "book") -> str:
    """Return a line of a log."""
    return f"2026-01-31 12:00:{second:02d}.000 {level:<7} {name}: {text}"


def test_each_line_has_its_stage() -> None:
    """A hot loop's line belongs to the stage that it names, another line to its process."""
    line = parsed(process_log.HOT, line_at(1, "a gap: here"))
    assert line[:4] == ("2026-01-31 12:00:01.000", "warning", "book", "book: a gap: here")
    assert line.message == "a gap: here"
    assert parsed("book+strategy", line_at(1, "x", "INFO")).log == "book+strategy"
    assert parsed("book", "  File x", line.time) == LogLine(
        line.time, MORE, "book", "  File x", "  File x"
    )


LINES = st.lists(st.tuples(st.integers(0, 59), st.booleans()), max_size=12)


@given(st.lists(LINES, max_size=4))
def test_logs_are_merged_by_time_and_each_keeps_its_order(
    logs_of: list[list[tuple[int, bool]]],
) -> None:
    """Any text, and clocks that step back; a traceback stays with its line."""
    streams = []
    for index, rows in enumerate(logs_of):
        stream: list[LogLine] = []
        for number, (second, has_time) in enumerate(rows):
            raw = line_at(second, str(number)) if has_time else f"trace {number}"
            stream.append(parsed(str(index), raw, stream[-1].time if stream else ""))
        streams.append(stream)
    found = list(in_order(streams))
    for index, stream in enumerate(streams):
        assert [line for line in found if line.log == str(index)] == stream
    if all(stream == sorted(stream, key=lambda line: line.time) for stream in streams):
        assert [line.time for line in found] == sorted(line.time for line in found)


@pytest.mark.parametrize("first_bytes", [None, 1 << 16])
def test_a_log_is_followed_across_its_rotations(tmp_path: Path, first_bytes: int | None) -> None:
    """Each line once, and half a line only when it is whole."""
    (tmp_path / "logs").mkdir()
    file = LogFile(process_log.hot_path(tmp_path), 400, 3)
    folder = LogFolder(tmp_path, first_bytes)
    found: list[LogLine] = []
    for number in range(40):
        file.append(f"{line_at(number % 60, str(number))}\n".encode())
        if number % 3 == 0:
            found += folder.look()
    file.append(b"half a")
    found += folder.look()
    assert [int(line.message) for line in found] == list(range(40))
    file.close()
    with process_log.hot_path(tmp_path).open("a") as rest:
        rest.write(" line\n")
    assert [line.line for line in folder.look()] == ["half a line"]


def test_old_files_are_read_too_when_all_is_asked_for(tmp_path: Path) -> None:
    """In the order in which they were written."""
    (tmp_path / "logs").mkdir()
    file = LogFile(process_log.hot_path(tmp_path), 200, 3)
    for number in range(8):
        file.append(f"{line_at(number, str(number))}\n".encode())
    file.close()
    (tmp_path / "logs" / "book.log").write_text(line_at(6, "main", name="book") + "\n")
    messages = [line.message for line in LogFolder(tmp_path).look()]
    assert messages == sorted(messages[:-3]) + messages[-3:]
    assert messages[-3:] == ["main", "6", "7"]


def test_what_is_less_grave_is_left_out_with_what_belongs_to_it() -> None:
    """A traceback goes with its error."""
    raws = [line_at(1, "a", "INFO"), "more of a", line_at(2, "b", "ERROR"), "more of b"]
    lines = [parsed("book", raw) for raw in raws]
    assert [line.line for line in is_at_least(lines, "warning")] == raws[2:]
    assert list(is_at_least(lines, "info")) == lines
