"""What the dashboard is made of: frames, columns, logs, and what /proc says."""

import json
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipc.histogram import BIN_COUNT, bin_top_ns
from procs.dashboard.contents import machine_page
from procs.dashboard.contents.columns import (
    COLUMN_COUNT,
    HEAT_FIRST_OCTAVE,
    HEAT_ROW_COUNT,
    HEAT_ROWS_PER_OCTAVE,
    Columns,
    heat,
)
from procs.dashboard.contents.display_units import decimals_of, fixed
from procs.dashboard.contents.doctor_page import findings_of
from procs.dashboard.contents.logs_tail import LINE_COUNT, LogTail
from procs.dashboard.contents.orders_page import KEPT_S, NS_PER_S, WORST_COUNT, Slowest
from procs.dashboard.contents.recent import Recent
from procs.dashboard.frames import ALIGN_BYTES, decode, encode
from procs.plan.run_records import OUTLIER

NAMES = st.text("abc._0", min_size=1, max_size=8)


# Frames.


@settings(max_examples=200)
@given(
    note=st.text(),
    shapes=st.dictionaries(
        NAMES, st.tuples(st.sampled_from(["f8", "f4", "u4"]), st.integers(0, 9), st.integers(1, 7)),
        max_size=4,
    ),
)  # fmt: skip
def test_a_frame_comes_back_as_it_was(note: str, shapes: dict[str, tuple[str, int, int]]) -> None:
    arrays = {
        name: np.arange(rows * width).astype(kind).reshape(rows, width)
        for name, (kind, rows, width) in shapes.items()
    }
    header = {"note": note, "number": 2**53 - 1, "none": None}
    frame = encode(header, arrays)
    got, got_arrays = decode(frame)
    assert {key: got[key] for key in header} == header
    assert list(got_arrays) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(got_arrays[name], array)
    # A browser lays typed arrays over the frame, which must be aligned for that.
    (size,) = struct.unpack_from("<I", frame)
    assert (4 + size) % ALIGN_BYTES == 0
    assert json.loads(frame[4 : 4 + size]) == got
    assert all(array["offset"] % ALIGN_BYTES == 0 for array in got["arrays"])


@settings(max_examples=300)
@given(data=st.binary(max_size=60), cut=st.integers(0, 200))
def test_bytes_that_are_no_frame_are_refused(data: bytes, cut: int) -> None:
    whole = encode({"a": 1}, {"x": np.ones((3, 2))})
    for bad in (data, whole[: min(cut, len(whole) - 1)]):
        with pytest.raises(ValueError, match=r".+"):
            decode(bad)


# Columns.


@settings(max_examples=60)
@given(count=st.integers(0, 2 * COLUMN_COUNT + 5), first=st.integers(0, 3 * COLUMN_COUNT))
def test_columns_are_the_newest_in_order(count: int, first: int) -> None:
    columns = Columns({"time": 1, "pair": 2})
    for number in range(count):
        columns.append({"time": number, "pair": [number, -number]})
    start, found = columns.since(["time", "pair", "unknown"], first)
    kept = list(range(count))[-COLUMN_COUNT:]
    expected = [number for number in kept if number >= min(first, count)]
    assert start == (expected[0] if expected else min(first, count))
    assert found["time"][:, 0].tolist() == expected
    assert found["pair"].tolist() == [[number, -number] for number in expected]
    assert set(found) == {"time", "pair"}


def test_a_series_without_a_value_is_unknown() -> None:
    columns = Columns({"time": 1, "wide": 3})
    columns.append({"time": 1.0})
    assert np.isnan(columns.since(["wide"], 0)[1]["wide"]).all()


def made_at(now_ns: int, life: int = 1) -> Any:
    """Return what matters here of a sample."""
    return SimpleNamespace(now_ns=now_ns, stages={"book": SimpleNamespace(epoch=life)})


def test_the_recent_samples_span_their_time_and_restart_with_a_stage() -> None:
    recent: Recent[int] = Recent(1_000)
    for now_ns in range(0, 3_000, 300):
        recent.push(made_at(now_ns), now_ns)
        assert recent.newest == now_ns
        assert recent.before == max(now_ns - 300, 0)
        assert recent.oldest == max(now_ns - 1_200, 0)
    recent.push(made_at(3_000, life=2), 3_000)
    assert recent.oldest == recent.before == recent.newest == 3_000
    recent.push(made_at(9_000, life=2), 9_000)
    assert recent.oldest == 3_000, "two are there whatever lies between them"


@given(index=st.integers(0, BIN_COUNT - 1), count=st.integers(1, 9))
def test_heat_puts_each_count_into_the_row_of_its_time(index: int, count: int) -> None:
    bins = np.zeros(BIN_COUNT, np.int64)
    bins[index] = count
    rows = heat(bins)
    (row,) = np.flatnonzero(rows)
    assert rows[row] == rows.sum() == count
    low_ns, high_ns = (
        2 ** (HEAT_FIRST_OCTAVE + (row + more) / HEAT_ROWS_PER_OCTAVE) for more in (0, 1)
    )
    value_ns = bin_top_ns(index)
    assert row == 0 or value_ns >= low_ns * 0.999
    assert row == HEAT_ROW_COUNT - 1 or value_ns < high_ns * 1.001


# Orders.


@given(st.data())
def test_the_slowest_orders_are_those_of_the_last_minute(data: st.DataObject) -> None:
    """The oracle sorts all that were ever sent."""
    slowest = Slowest()
    whole = np.zeros(0, OUTLIER.dtype)
    for second in data.draw(st.lists(st.integers(3, 200), max_size=12).map(sorted)):
        rows = np.zeros(data.draw(st.integers(1, 2 * WORST_COUNT)), OUTLIER.dtype)
        random = np.random.default_rng(data.draw(st.integers(0, 99)))
        rows["sent_ns"] = second * NS_PER_S - random.integers(1, 2 * NS_PER_S, len(rows))
        rows["kernel_ns"] = rows["sent_ns"] - random.permutation(1_000)[: len(rows)]
        slowest.take(rows)
        whole = np.concatenate([whole, rows])
        now_ns = second * NS_PER_S - 1
        recent = whole[whole["sent_ns"] > now_ns - KEPT_S * NS_PER_S]
        took_ns = np.sort(recent["sent_ns"] - recent["kernel_ns"])[::-1][:WORST_COUNT]
        found = slowest.worst(now_ns)
        assert (found["sent_ns"] - found["kernel_ns"]).tolist() == took_ns.tolist()


# Units.


@given(lots=st.integers(-(10**12), 10**12), exponent=st.integers(0, 8))
def test_text_holds_every_digit_of_a_step(lots: int, exponent: int) -> None:
    step_e8 = 10**exponent
    shown = fixed(lots * step_e8, decimals_of(step_e8))
    assert shown.lstrip("-").replace(".", "").lstrip("0") == (str(abs(lots)).lstrip("0"))
    assert shown.startswith("-") == (lots < 0)


# Logs.


def test_logs_and_events_come_once_and_in_order(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    log, events = tmp_path / "logs" / "book.log", tmp_path / "events.jsonl"
    tail = LogTail(tmp_path)
    tail.look()
    assert tail.since(0) == []
    log.write_text(
        "2026-01-02 10:00:02.000 WARNING book: a gap\n"
        "Traceback of two lines\n  and its second\n2026-01-02 10:00:04.000 INFO    book: half a l"
    )
    events.write_text('{"time":"nonsense","what":"ready"}\nno json\n')
    tail.look()
    lines = tail.since(0)
    assert [line["text"] for line in lines if line["source"] == "book"] == [
        "book: a gap", "Traceback of two lines", "  and its second",
    ]  # fmt: skip
    assert [line["level"] for line in lines if line["source"] == "book"] == [
        "warning", "more", "more",
    ]  # fmt: skip
    seen = tail.count
    with log.open("a") as file:
        file.write("ine\n")
    tail.look()
    (line,) = tail.since(seen)
    assert (line["text"], line["level"]) == ("book: half a line", "info")
    assert tail.since(tail.count) == []


def test_a_long_log_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    path = tmp_path / "logs" / "book.log"
    path.write_text("".join(f"line {number}\n" for number in range(50_000)))
    tail = LogTail(tmp_path)
    tail.look()
    assert len(tail.since(0)) == LINE_COUNT
    assert tail.since(0)[-1]["text"] == "line 49999"


@settings(max_examples=100)
@given(data=st.binary(max_size=400))
def test_any_bytes_can_stand_in_a_log(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "logs").mkdir()
    (folder / "logs" / "x.log").write_bytes(data)
    (folder / "events.jsonl").write_bytes(data)
    tail = LogTail(folder)
    tail.look()
    json.dumps(tail.since(0))


# What /proc says: a tree made up here.


def write_proc(root: Path, scale: int) -> None:
    ticks = machine_page.CLOCK_TICKS_PER_S * scale
    (root / "stat").write_text(
        f"cpu  1 1\ncpu0 {ticks // 2} 0 0 {ticks // 2} 0 0 0 0 0 0\n"
        f"cpu1 0 0 0 {ticks} 0 0 0 0 0 0\nintr 5\n"
    )
    (root / "interrupts").write_text(
        "           CPU0       CPU1\n"
        f"  0:   {100 * scale}   {3 * scale}   IO-APIC  timer\n"
        f"LOC:   {1000 * scale}   0   Local timer interrupts\n"
        "ERR:   0\n"
    )
    (root / "loadavg").write_text("0.50 0.40 0.30 1/100 9\n")
    (root / "pressure").mkdir(exist_ok=True)
    (root / "pressure" / "cpu").write_text("some avg10=1.50 avg60=0.0 avg300=0.0 total=1\n")


def test_the_machine_is_shown_by_differences(tmp_path: Path) -> None:
    write_proc(tmp_path, 1)
    watched = machine_page.MachinePage(tmp_path)
    watched.look(1.0)
    write_proc(tmp_path, 3)
    watched.look(2.0)
    assert watched.facts["cpus"][0]["user"] == pytest.approx(50, abs=1)
    assert watched.facts["cpus"][1]["idle"] == pytest.approx(100, abs=1)
    (timer, io) = watched.facts["interrupts"]
    assert (timer["source"], timer["rates"]) == ("LOC", [1000, 0])
    assert (io["source"], io["rates"], io["name"]) == ("0", [100, 3], "IO-APIC timer")
    assert watched.facts["pressure"] == {"cpu": 1.5}


def test_a_machine_without_facts_is_no_error(tmp_path: Path) -> None:
    watched = machine_page.MachinePage(tmp_path / "nothing")
    watched.look(1.0)
    assert (watched.facts["cpus"], watched.facts["interrupts"]) == ({}, [])


# The doctor.


def test_findings_are_read_and_nonsense_is_said_so() -> None:
    finding = {"name": "smt", "verdict": "warn", "found": 1, "wanted": "off", "fix": "nosmt"}
    findings = findings_of(json.dumps({"schema": 1, "findings": [finding]}).encode())
    assert findings["findings"] == [{**finding, "found": "1"}]
    for bad in (b"", b"[]", b"{", b'{"findings":[1]}', b'{"findings":{"a":1}}'):
        assert findings_of(bad)["findings"] == []
        assert findings_of(bad)["note"]
