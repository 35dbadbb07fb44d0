"""vortexctl jitter: what the kernel counts, what a spinning thread sees, and how it is laid out."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from engines import ROOT, new_instance, until
from hypothesis import given
from hypothesis import strategies as st

from ipc import gaps
from ipc.gaps import SPINNER
from ipc.histogram import bin_top_ns
from ipc.memory import address_of, record_at
from procs import cli
from procs.machine import jitter, kernel_counts
from procs.machine.jitter import CpuAudit, Gap, JitterWindow, Spinner
from procs.machine.kernel_counts import Counts
from procs.observe.latency import jitter_report

SPINNER_DTYPE = SPINNER.dtype

SEED = 31
MS = 1_000_000
#: In ticks of the kernel's account: by then it has long measured how long a reading takes.
SPUN_TICKS = 40
NOTHING = Counts({}, {}, 0, 0)

# As proc(5) shows them: CPU 1 is switched off, so the second column is CPU 2's.
INTERRUPTS = """\
           CPU0       CPU2
  0:         23          0   IO-APIC    2-edge      timer
 36:          7       1900   PCI-MSIX-0000:00:02.0    1-edge      virtio1-req.0
LOC:     123456     654321   Local timer interrupts
RES:         11         12   Rescheduling interrupts
ERR:          0
MIS:          0
"""
SOFTIRQS = """\
                    CPU0       CPU2
          HI:          1          2
       TIMER:      30000      40000
"""
STAT = """\
cpu  30 0 30 300 0 0 0 9 0 0
cpu0 10 0 10 100 0 0 0 2 0 0
cpu2 20 0 20 200 0 0 0 7 0 0
intr 12345 1 2 3
"""


def vortexctl(*arguments: str) -> Result:
    """Run one command in this process."""
    return CliRunner().invoke(cli.main, list(arguments))


def usable_cpu() -> int:
    """Return a CPU that this process may use."""
    return max(os.sched_getaffinity(0))


def proc_of(folder: Path, thread_id: int) -> Path:
    """Write what the kernel would show."""
    (folder / f"self/task/{thread_id}").mkdir(parents=True)
    (folder / f"self/task/{thread_id}/schedstat").write_text("9000 4321 17\n")
    for name, text in (("interrupts", INTERRUPTS), ("softirqs", SOFTIRQS), ("stat", STAT)):
        (folder / name).write_text(text)
    return folder


def test_the_columns_of_one_cpu_are_read(tmp_path: Path) -> None:
    """By their heads, not by counting; what is counted for no CPU is left out."""
    counts = kernel_counts.read_counts(2, 77, proc_of(tmp_path, 77))
    assert counts.interrupts == {
        "0 IO-APIC 2-edge timer": 0,
        "36 PCI-MSIX-0000:00:02.0 1-edge virtio1-req.0": 1900,
        "LOC Local timer interrupts": 654321,
        "RES Rescheduling interrupts": 12,
    }
    assert counts.softirqs == {"HI": 2, "TIMER": 40000}
    assert counts.steal_ns == 7 * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    assert counts.waited_ns == 4321
    assert kernel_counts.read_counts(1, 77, tmp_path).interrupts == {}
    assert kernel_counts.read_counts(0, 78, tmp_path / "none") == NOTHING


def test_what_was_counted_meanwhile_is_the_difference() -> None:
    """Sources that did nothing are left out; one that is new counts from zero."""
    before = Counts({"a": 5, "b": 2}, {"x": 1}, 10, 100)
    after = Counts({"a": 8, "b": 2, "c": 4}, {"x": 1}, 30, 150)
    assert after.since(before) == Counts({"a": 3, "c": 4}, {}, 20, 50)


@given(st.text(), st.integers(0, 3))
def test_any_text_is_read(text: str, cpu_index: int) -> None:
    """No content of the file is an error."""
    header = "      CPU0  CPU1 CPU3\n"
    for each in (text, header + text):
        assert all(v >= 0 for v in kernel_counts.interrupts_of(each, cpu_index).values())
        assert kernel_counts.steal_ns_of(each, cpu_index) >= 0
        assert kernel_counts.waited_ns_of(each) >= 0


def test_this_machines_own_counts_grow() -> None:
    """The real files are understood: some interrupt comes to some CPU sooner or later."""
    before = kernel_counts.read_counts(usable_cpu())
    assert before.interrupts
    until(
        lambda: kernel_counts.read_counts(usable_cpu()).since(before).interrupts,
        "an interrupt came",
    )


def test_gaps_are_counted_and_excursions_written_down() -> None:
    """Against plain sums; those that do not fit are counted all the same."""
    generator = random.Random(SEED)
    print(f"seed {SEED}")
    spinner = Spinner(jitter.new_clock(), excursion_ns=20_000)
    spinner.record[0]["gap_capacity"] = 50
    lengths_ns = [generator.randrange(1, 100_000) for _ in range(500)]
    for index, gap_ns in enumerate(lengths_ns):
        gaps.take_gap(record_at(address_of(spinner.record), SPINNER_DTYPE), index * MS, gap_ns)
    long = [(i * MS, each) for i, each in enumerate(lengths_ns) if each >= 20_000]
    record = spinner.record[0]
    assert record["lost_ns"] == sum(lengths_ns)
    assert record["excursion_count"] == len(long)
    written = [(int(gap["begin_ns"]), int(gap["gap_ns"])) for gap in spinner.gaps[:50]]
    assert written == long[:50]
    assert spinner.gaps[50]["gap_ns"] == 0
    assert spinner.histogram[0]["value_count"] == 500
    assert spinner.histogram[0]["max_ns"] == max(lengths_ns)


def test_a_switch_is_laid_to_the_gap_in_which_it_was() -> None:
    """The thread gives its core away between two gaps: the second one says so."""
    spinner = Spinner(jitter.new_clock(), excursion_ns=1_000)
    address = address_of(spinner.record)
    gaps.note_usage(record_at(address, SPINNER_DTYPE))
    time.sleep(0.001)
    gaps.take_gap(record_at(address, SPINNER_DTYPE), 0, 1_000_000)
    assert spinner.gaps[0]["switch_count"] >= 1


def grid_times(rate_hz: int, count: int, generator: random.Random) -> "np.ndarray":
    """Return times on a tick's grid, with noise of a hundredth of its period."""
    period_ns = 1_000_000_000 // rate_hz
    phase_ns = generator.randrange(period_ns)
    noise_ns = period_ns // 100
    turns = sorted(generator.sample(range(20 * count), count))
    times = [turn * period_ns + phase_ns + generator.randrange(noise_ns + 1) for turn in turns]
    return np.array(times, np.int64)


@pytest.mark.parametrize("rate_hz", jitter.TICK_RATES_HZ)
def test_the_tick_is_found_by_its_grid(rate_hz: int) -> None:
    """The slowest rate that all of them keep, and which gaps keep it."""
    generator = random.Random(SEED + rate_hz)
    print(f"seed {SEED + rate_hz}")
    times = grid_times(rate_hz, 300, generator)
    grid = jitter.grid_of(times)
    assert grid is not None
    assert grid[0] == rate_hz
    assert all(jitter.is_on_grid(int(each), grid) for each in times)
    half_ns = 500_000_000 // rate_hz
    assert not any(jitter.is_on_grid(int(each) + half_ns, grid) for each in times)


def test_times_at_random_keep_no_grid() -> None:
    """Nor do too few."""
    generator = random.Random(SEED)
    print(f"seed {SEED}")
    times = np.array(sorted(generator.sample(range(10**10), 500)), np.int64)
    assert jitter.grid_of(times) is None
    assert jitter.grid_of(grid_times(1000, 19, generator)) is None


def test_a_cause_is_what_is_known_of_the_gap_before_what_its_window_says() -> None:
    """In this order: a switch, a fault, steal, the tick, a device, and then nothing."""
    grid = (1000, 0.0)
    device = Counts({"LOC Local timer interrupts": 90, "36 disk": 2, "37 net": 5}, {}, 0, 0)
    stolen = Counts({"37 net": 5}, {}, 10 * MS, 0)

    def cause(counts: Counts, begin_ns: int, switches: int = 0, faults: int = 0) -> str:
        window = JitterWindow(0, 100 * MS, counts)
        return jitter.cause_of(Gap(begin_ns, 50_000, switches, faults), window, grid)

    assert cause(stolen, 5 * MS, switches=1, faults=1) == jitter.TASK
    assert cause(stolen, 5 * MS, faults=1) == jitter.FAULT
    assert cause(stolen, 5 * MS) == jitter.STEAL
    assert cause(device, 5 * MS) == jitter.TICK
    assert cause(device, 5 * MS + 500_000) == "interrupt 37 net"
    assert cause(NOTHING, 5 * MS + 500_000) == jitter.UNKNOWN
    assert jitter.cause_of(Gap(0, 1, 0, 0), None, None) == jitter.UNKNOWN


def test_a_gap_belongs_to_the_window_in_which_it_ended() -> None:
    """What happened in it was counted by then."""
    windows = [JitterWindow(0, 10, NOTHING), JitterWindow(10, 20, NOTHING)]
    assert jitter.window_of(Gap(3, 4, 0, 0), windows) is windows[0]
    assert jitter.window_of(Gap(8, 6, 0, 0), windows) is windows[1]
    assert jitter.window_of(Gap(18, 6, 0, 0), windows) is None


def test_a_report_adds_up() -> None:
    """Every excursion has one cause; the longest come first; the rates are of the whole time."""
    found = CpuAudit(3, threshold_ns=120, median_round_ns=10, watched_ns=2_000 * MS)
    found.gaps = [Gap(i * 7_777_777, 20_000 + i, i % 2, 0) for i in range(40)]
    found.lost_ns, found.excursion_count = sum(gap.gap_ns for gap in found.gaps), 40
    found.windows = [
        JitterWindow(0, 2_000 * MS, Counts({"LOC Local timer interrupts": 500}, {}, 0, 0))
    ]
    printed = jitter_report.report(found)
    assert sum(row["count"] for row in printed["causes"].values()) == 40
    assert sum(row["lost_ns"] for row in printed["causes"].values()) == found.lost_ns
    assert printed["causes"][jitter.TASK]["count"] == 20
    assert [row["gap_ns"] for row in printed["worst"]] == [20_039 - i for i in range(8)]
    assert printed["interrupts_per_s"] == {"LOC Local timer interrupts": 250.0}
    assert printed["lost_ppm"] == round(found.lost_ns * 1e6 / found.watched_ns)
    assert max(map(len, jitter_report.lines([printed], 20_000))) <= 60


def spun_ticks(pid: int, cpu: int) -> int:
    """Return how long a thread that may use one CPU alone has run at most, in ticks."""
    ticks = 0
    for folder in Path(f"/proc/{pid}/task").glob("*"):
        try:
            status, stat = (folder / "status").read_text(), (folder / "stat").read_text()
        except OSError:
            continue
        if f"Cpus_allowed_list:\t{cpu}\n" in status:
            ticks = max(ticks, int(stat.rpartition(")")[2].split()[11]))
    return ticks


def test_a_process_that_is_stopped_sees_it() -> None:
    """The gap is at least as long as the stop and is laid to a switch; Ctrl-C ends the audit.

    A stop between two windows, while the kernel's counts are read, is not seen; so there are some.
    """
    cpu = usable_cpu()
    command = [
        *(sys.executable, "-m", "procs.cli", "jitter"),
        *("--cpus", str(cpu), "-s", "80", "-o", "json"),
    ]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    stops_ns = []
    try:
        wanted_ticks = SPUN_TICKS
        for _ in range(4):
            until(lambda least=wanted_ticks: spun_ticks(process.pid, cpu) >= least, "it spins")
            process.send_signal(signal.SIGSTOP)
            begin_ns = time.monotonic_ns()
            time.sleep(0.3)
            stops_ns.append(time.monotonic_ns() - begin_ns)
            process.send_signal(signal.SIGCONT)
            wanted_ticks = spun_ticks(process.pid, cpu) + 3
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    least_ns = min(stops_ns)
    printed = json.loads(output)
    assert printed["schema"] == 1
    (report,) = printed["cpus"]
    assert report["cpu"] == cpu
    long = [row for row in report["worst"] if row["gap_ns"] >= least_ns * 0.99]
    assert long, report["worst"]
    assert all(row["cause"] == jitter.TASK and row["switches"] >= 1 for row in long)
    assert report["gap_ns"]["max"] == report["worst"][0]["gap_ns"]
    laid_out = sum(row["count"] for row in report["causes"].values())
    assert laid_out == min(report["excursions"], jitter.GAP_CAPACITY)


def test_the_histogram_and_the_audit_agree() -> None:
    """Over one CPU and a moment: what was lost lies within what was watched."""
    (found,) = jitter.audit([usable_cpu()], 0.3, excursion_ns=20_000)
    bins = found.histogram[0]["bin_count"]
    assert 0 < found.lost_ns <= found.watched_ns
    assert int(found.histogram[0]["sum_ns"]) == found.lost_ns
    assert found.threshold_ns == found.median_round_ns * jitter.MEDIANS_PER_THRESHOLD
    assert bin_top_ns(int(np.flatnonzero(bins)[0])) >= found.threshold_ns
    assert len(found.gaps) == min(found.excursion_count, jitter.GAP_CAPACITY)
    assert all(gap.gap_ns >= 20_000 for gap in found.gaps)
    begins = [gap.begin_ns for gap in found.gaps]
    assert begins == sorted(begins)


def test_counters_of_two_cpus_are_compared() -> None:
    """Both ways come out, and neither is longer than the second it was given."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        pytest.skip("one CPU")
    ways = jitter.least_one_way_ns(cpus[0], cpus[1])
    if ways is None:
        pytest.skip("the two CPUs were too busy to answer each other")
    assert all(way < 1_000_000_000 for way in ways)
    assert sum(ways) > 0, "there and back takes time"


@pytest.mark.parametrize("cpus", ["99999", "x"])
def test_a_cpu_that_is_not_there_is_wrong_usage(cpus: str) -> None:
    """One line, status 2."""
    done = vortexctl("jitter", "--cpus", cpus)
    assert done.exit_code == 2
    assert len(done.output.splitlines()) == 1


def test_without_an_engine_there_is_nothing_to_follow() -> None:
    """Status 3, one line."""
    done = vortexctl("jitter", "--engine", "-n", new_instance())
    assert done.exit_code == 3
    assert len(done.output.splitlines()) == 1
