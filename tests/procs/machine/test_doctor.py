"""vortexctl doctor: every check on machines made up by the test, and what mends them."""

import configparser
import gzip
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from engines import Engine
from hypothesis import given, settings
from hypothesis import strategies as st

from procs import cli
from procs.machine import checks_system, doctor, throttle
from procs.machine.facts import Machine, cpus_of, cpus_of_mask, list_of, mask_of
from procs.machine.findings import Finding, MachineProfile, Verdict

HOT, HOUSE = frozenset({2, 3, 4, 5}), frozenset({0, 1})
CPU = "sys/devices/system/cpu"
OTHER_THREAD = "proc/900/task/901/stat"


def stat_line(name: str, flags: int, processor: int) -> str:
    """Return what /proc/PID/stat says of a thread, as proc(5) counts its fields."""
    fields = ["0"] * 52
    fields[0], fields[1], fields[2] = "901", f"({name})", "R"
    fields[9 - 1], fields[39 - 1] = str(flags), str(processor)
    return " ".join(fields)


def files_of_a_good_machine() -> dict[str, str]:
    """Return the files of a machine with six CPUs on which all is as production wants it."""
    files = {
        "proc/cmdline": "ro isolcpus=managed_irq,domain,2-5 nohz_full=2-5 rcu_nocbs=2-5",
        "proc/cpuinfo": "flags\t\t: fpu tsc constant_tsc nonstop_tsc avx2",
        "proc/stat": "cpu  1000 0 1000 100000 0 0 0 0 0 0\ncpu0 1 0 1 1 0 0 0 0 0 0",
        "proc/swaps": "Filename\tType\tSize\tUsed\tPriority",
        "proc/pressure/cpu": "some avg10=0.00 avg60=0.50 avg300=0.10 total=1",
        "proc/irq/default_smp_affinity": "03",
        "proc/irq/24/effective_affinity_list": "0",
        "proc/irq/25/effective_affinity_list": "1",
        OTHER_THREAD: stat_line("cron job (x)", 0, 1),
        "proc/900/task/902/stat": stat_line("kworker/2:1", 0x0420_8060, 2),
        "proc/900/task/903/stat": stat_line("vortex book", 0, 3),
        f"{CPU}/isolated": "2-5",
        f"{CPU}/nohz_full": "2-5",
        f"{CPU}/smt/active": "0",
        f"{CPU}/intel_pstate/no_turbo": "0",
        "sys/devices/virtual/workqueue/cpumask": "03",
        "sys/bus/workqueue/devices/writeback/cpumask": "3",
        "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc",
        "sys/devices/system/node/node0/cpulist": "0-5",
        "sys/class/net/eth0/device/numa_node": "0",
        f"{CPU}/vulnerabilities/meltdown": "Not affected",
        "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never",
        "sys/kernel/mm/transparent_hugepage/defrag": "always defer [madvise] never",
        "sys/kernel/mm/transparent_hugepage/shmem_enabled": "always within_size [never] deny",
        "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": "0",
        "sys/kernel/mm/ksm/run": "0",
        "proc/sys/kernel/osrelease": "6.6.1-rt",
        "proc/sys/net/ipv4/tcp_congestion_control": "cubic",
        "proc/sys/kernel/yama/ptrace_scope": "1",
    }
    for name, value in doctor.TUNED_SETTINGS.items():
        files["proc/sys/" + name.replace(".", "/")] = str(value)
    for cpu in range(6):
        files[f"{CPU}/cpu{cpu}/topology/thread_siblings_list"] = str(cpu)
        files[f"{CPU}/cpu{cpu}/cpufreq/scaling_governor"] = "performance"
        files[f"{CPU}/cpu{cpu}/cpufreq/energy_performance_preference"] = "performance"
        files[f"{CPU}/cpu{cpu}/thermal_throttle/core_throttle_count"] = "0"
        files[f"sys/kernel/debug/sched/fair_server/cpu{cpu}/runtime"] = "0"
        for index, (name, wake_us, disabled) in enumerate((("C1", 2, 0), ("C6", 133, 1))):
            state = f"{CPU}/cpu{cpu}/cpuidle/state{index}"
            files[f"{state}/name"] = name
            files[f"{state}/latency"] = str(wake_us)
            files[f"{state}/disable"] = str(disabled)
    return files


GOOD_FACTS: dict[str, int | str] = {
    "memlock_bytes": -1, "rtprio": 99, "nofile": 1 << 20, "core_bytes": -1, "is_root": 0,
    "clock_error_us": 200, "clock_is_unsynchronised": 0, "shm_free_bytes": 8 << 30,
    "shm_stale_count": 0, "coalesce": "eth0 0 us", "coalesce_us": 0, "coalesce_adaptive": 0,
    "variables": "", "cache_is_writable": 1, "fsync_us": 900, "one_way_ns": 40,
}  # fmt: skip


def machine_of(
    root: Path,
    files: Mapping[str, str | None],
    facts: Mapping[str, int | str | None] = GOOD_FACTS,
    hot: frozenset[int] = HOT,
    house: frozenset[int] = HOUSE,
) -> Machine:
    """Write the files and return the machine that they describe."""
    for name, text in files.items():
        if text is not None:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text + "\n")
    known = {name: value for name, value in facts.items() if value is not None}
    return Machine(root, hot, house, facts=known)


def verdicts_of(findings: list[Finding]) -> dict[str, Verdict]:
    """Return the verdict of each check."""
    return {finding.name: finding.verdict for finding in findings}


def vortexctl(*arguments: str) -> Result:
    """Run one command in this process."""
    return CliRunner().invoke(cli.main, list(arguments))


def test_a_machine_as_production_wants_it_is_well_in_every_point(tmp_path: Path) -> None:
    """But for the venue, of which nothing was said."""
    machine = machine_of(tmp_path, files_of_a_good_machine())
    for profile in MachineProfile:
        findings = doctor.examine(machine, profile)
        wrong = {each.name: each for each in findings if each.verdict != Verdict.OK}
        assert list(wrong) == ["dead man's timer"]
        assert not doctor.has_failed(findings)


def test_where_nothing_is_nothing_is_wrong(tmp_path: Path) -> None:
    """A machine that has none of it: only what the placement itself says is judged."""
    machine = Machine(tmp_path, HOT, HOUSE)
    verdicts = verdicts_of(doctor.examine(machine, MachineProfile.PROD))
    judged = {name for name, verdict in verdicts.items() if verdict != Verdict.NOT_APPLICABLE}
    assert judged == {"placement", "housekeeping"}


# What is spoilt, and the one check that must see it; None takes a file away.
SPOILT: list[tuple[str, dict[str, str | None], dict[str, int | str]]] = [
    ("isolated CPUs", {f"{CPU}/isolated": "2-4"}, {}),
    ("tickless", {f"{CPU}/nohz_full": "(null)"}, {}),
    ("RCU callbacks", {"proc/cmdline": "ro quiet isolcpus=2-5"}, {}),
    ("device interrupts", {"proc/irq/25/effective_affinity_list": "5"}, {}),
    ("device interrupts", {"proc/irq/default_smp_affinity": "3f"}, {}),
    ("workqueues", {"sys/devices/virtual/workqueue/cpumask": "ff"}, {}),
    ("other threads", {OTHER_THREAD: stat_line("cron) job", 0, 4)}, {}),
    ("NUMA", {"sys/class/net/eth0/device/numa_node": "1"}, {}),
    ("NUMA", {"sys/devices/system/node/node0/cpulist": "0-3",
              "sys/devices/system/node/node1/cpulist": "4-5"}, {}),
    ("siblings", {f"{CPU}/smt/active": "1",
                  f"{CPU}/cpu2/topology/thread_siblings_list": "1-2"}, {}),
    ("governor", {f"{CPU}/cpu3/cpufreq/scaling_governor": "schedutil"}, {}),
    ("energy preference",
     {f"{CPU}/cpu5/cpufreq/energy_performance_preference": "balance_power"}, {}),
    ("sleep states", {f"{CPU}/cpu4/cpuidle/state1/disable": "0"}, {}),
    ("heat", {f"{CPU}/cpu1/thermal_throttle/core_throttle_count": "7"}, {}),
    ("clock source",
     {"sys/devices/system/clocksource/clocksource0/current_clocksource": "hpet"}, {}),
    ("cycle counter", {"proc/cpuinfo": "flags : tsc constant_tsc"}, {}),
    ("counters agree", {}, {"one_way_ns": -90}),
    ("wall clock", {}, {"clock_is_unsynchronised": 1}),
    ("wall clock", {}, {"clock_error_us": 16_000}),
    ("transparent huge pages",
     {"sys/kernel/mm/transparent_hugepage/enabled": "[always] madvise never"}, {}),
    ("merging of pages", {"sys/kernel/mm/ksm/run": "1"}, {}),
    ("merging of pages", {"proc/sys/kernel/numa_balancing": "1"}, {}),
    ("locked memory", {}, {"memlock_bytes": 8 << 20}),
    ("swap", {"proc/swaps": "Filename Type\n/dev/sda2 partition",
              "proc/sys/vm/swappiness": "60"}, {}),
    ("reclaim", {"proc/sys/vm/zone_reclaim_mode": "1"}, {}),
    ("memory statistics", {"proc/sys/vm/stat_interval": "1"}, {}),
    ("shared memory", {}, {"shm_stale_count": 3}),
    ("shared memory", {}, {"shm_free_bytes": 64 << 20}),
    ("real-time throttling", {"proc/sys/kernel/sched_rt_runtime_us": "950000"}, {}),
    ("fair server", {"sys/kernel/debug/sched/fair_server/cpu3/runtime": "50000000"}, {}),
    ("limits", {}, {"rtprio": 0}),
    ("limits", {}, {"nofile": 1024}),
    ("watchdogs", {"proc/sys/kernel/nmi_watchdog": "1"}, {}),
    ("timers", {"proc/sys/kernel/timer_migration": "1"}, {}),
    ("tracing", {"proc/sys/kernel/yama/ptrace_scope": "0"}, {}),
    ("busy polling", {"proc/sys/net/core/busy_poll": "0"}, {}),
    ("coalescing", {}, {"coalesce": "eth0 50 us", "coalesce_us": 50}),
    ("coalescing", {}, {"coalesce_adaptive": 1}),
    ("TCP", {"proc/sys/net/ipv4/tcp_slow_start_after_idle": "1"}, {}),
    ("disk", {}, {"fsync_us": 30_000}),
    ("steal", {"proc/stat": "cpu  1000 0 1000 100000 0 0 0 900 0 0"}, {}),
    ("bare metal", {"proc/cpuinfo": "flags : constant_tsc nonstop_tsc hypervisor"}, {}),
    ("pressure", {"proc/pressure/cpu": "some avg10=80.00 avg60=55.00 avg300=1 total=1"}, {}),
    ("environment", {}, {"variables": "NUMBA_DEBUGINFO"}),
    ("environment", {}, {"cache_is_writable": 0}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "files", "facts"), SPOILT, ids=[f"{i}-{each[0]}" for i, each in enumerate(SPOILT)]
)
def test_what_is_spoilt_is_found_by_its_check_alone(
    name: str, files: dict[str, str | None], facts: dict[str, int | str], tmp_path: Path
) -> None:
    """With the verdict that the table gives it for each profile, and a reason and a cure."""
    machine = machine_of(tmp_path, files_of_a_good_machine() | files, GOOD_FACTS | facts)
    check = next(each for each in doctor.CHECKS if each.name == name)
    for profile, verdict in zip(MachineProfile, check.graveness, strict=True):
        findings = doctor.examine(machine, profile)
        wrong = {
            finding.name: finding
            for finding in findings
            if finding.verdict in (Verdict.WARN, Verdict.FAIL)
        }
        expected = {name} if verdict in (Verdict.WARN, Verdict.FAIL) else set()
        assert set(wrong) == expected
        assert doctor.has_failed(findings) == (verdict == Verdict.FAIL)
        for finding in wrong.values():
            assert finding.why
            assert finding.fix


def test_every_check_is_spoilt_by_some_test() -> None:
    """But for what only reports, and what depends on the placement."""
    reporting = {"turbo", "mitigations", "huge pages"}
    elsewhere = {"placement", "housekeeping", "dead man's timer"}
    names = {check.name for check in doctor.CHECKS}
    assert {name for name, _, _ in SPOILT} == names - reporting - elsewhere


def test_the_placement_is_judged(tmp_path: Path) -> None:
    """Enough CPUs, none of them 0, none shared with the housekeeping."""

    def look(hot: set[int], house: set[int]) -> dict[str, Verdict]:
        machine = Machine(tmp_path, frozenset(hot), frozenset(house))
        return verdicts_of(doctor.examine(machine, MachineProfile.PROD))

    assert look({2, 3, 4, 5}, {0, 1})["placement"] == Verdict.OK
    assert look({1}, {0})["placement"] == Verdict.WARN
    assert look({0, 1, 2, 3}, {4})["placement"] == Verdict.WARN
    assert look({1, 2, 3, 4}, {4, 5})["placement"] == Verdict.WARN
    assert look({0}, {0})["housekeeping"] == Verdict.WARN


RUNTIME = {"proc/sys/kernel/sched_rt_runtime_us": "950000"}
GROUPED = "CONFIG_A=y\nCONFIG_RT_GROUP_SCHED=y\n"


@pytest.mark.parametrize(("release", "files", "is_well"), [
    ("6.11.9", {}, False),
    ("6.12.0", {}, True),
    ("7.0", {}, True),
    ("6.11.9", {"proc/sys/kernel/sched_rt_runtime_us": "-1"}, True),
    ("6.18.4", {"boot/config-6.18.4": GROUPED}, False),
    ("6.18.4", {"boot/config-6.18.3": GROUPED}, True),
    ("6.18.4", {"lib/modules/6.18.4/config": GROUPED}, False),
    ("6.18.4", {"boot/config-6.18.4": GROUPED, "proc/cmdline": "a rt_group_sched=0"}, False),
    ("6.18.4",
     {"boot/config-6.18.4": GROUPED, "proc/sys/kernel/sched_rt_period_us": "950000"}, True),
    ("6.18.4", {"sys/fs/cgroup/cpu/cpu.rt_runtime_us": "950000"}, False),
])  # fmt: skip
def test_which_kernels_stop_real_time_threads(
    tmp_path: Path, release: str, files: dict[str, str], is_well: bool
) -> None:
    """Since Linux 6.12 only those that keep them in groups."""
    kernel = {"proc/sys/kernel/osrelease": release}
    machine = machine_of(tmp_path, RUNTIME | kernel | files)
    assert checks_system.real_time_bound(machine).is_well is is_well


def test_the_packed_configuration_of_the_kernel_is_read_first(tmp_path: Path) -> None:
    """And one that is damaged is as none."""
    kernel = {"proc/sys/kernel/osrelease": "6.18.4", "boot/config-6.18.4": GROUPED}
    machine = machine_of(tmp_path, RUNTIME | kernel)
    packed = tmp_path / "proc" / "config.gz"
    packed.write_bytes(gzip.compress(b"CONFIG_A=y\n"))
    assert not throttle.bounds(machine)
    whole = gzip.compress(GROUPED.encode())
    for damaged in (whole[:-9], whole[:12] + b"\xff" * 8 + whole[20:], b"", b"no gzip"):
        packed.write_bytes(damaged)
        assert throttle.bounds(machine), "the file in /boot says so"


def test_a_venue_without_a_dead_mans_timer_is_reported(tmp_path: Path) -> None:
    """A warning in production, with the venue's name."""
    machine = Machine(tmp_path, HOT, HOUSE, venues=("binance_spot",))
    finding = doctor.examine(machine, MachineProfile.PROD)[-1]
    assert finding.verdict == Verdict.WARN
    assert "binance_spot" in finding.found


def test_what_tuned_would_set_satisfies_the_checks(tmp_path: Path) -> None:
    """Its sections read by a parser of its own, its settings written into a bare machine."""
    files = files_of_a_good_machine()
    bare = {
        name: "0" if name.startswith("proc/sys/net/core") else "77"
        for name in files if name.startswith("proc/sys/") and files[name].lstrip("-").isdigit()
    }  # fmt: skip
    machine = machine_of(tmp_path, files | bare)
    before = verdicts_of(doctor.examine(machine, MachineProfile.PROD))
    wrong = {name for name, verdict in before.items() if verdict in (Verdict.WARN, Verdict.FAIL)}
    assert wrong >= {"TCP", "busy polling", "merging of pages", "reclaim", "timers"}
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string("\n".join(doctor.tuned_lines(machine)))
    assert parser["main"]["include"] == "network-latency"
    written = {
        f"proc/sys/{name.replace('.', '/')}": value for name, value in parser["sysctl"].items()
    }
    written |= {
        name.lstrip("/"): f"[{value}]" if "hugepage" in name else value
        for name, value in parser["sysfs"].items()
    }
    machine = machine_of(tmp_path, written)
    after = verdicts_of(doctor.examine(machine, MachineProfile.PROD))
    assert {name for name, v in after.items() if v in (Verdict.WARN, Verdict.FAIL)} == set()


def test_the_kernel_command_line_isolates_the_hot_cpus(tmp_path: Path) -> None:
    """Read back by the very checks that ask for it."""
    bare = files_of_a_good_machine() | {"proc/cmdline": "ro quiet"}
    (option_line,) = doctor.grub_lines(machine_of(tmp_path, bare))[1:]
    name, _, value = option_line.partition("=")
    assert name == "GRUB_CMDLINE_LINUX"
    options = value.strip('"').split()
    assert "isolcpus=managed_irq,domain,2-5" in options
    assert "irqaffinity=0-1" in options
    machine = machine_of(tmp_path, {"proc/cmdline": " ".join(options)})
    assert verdicts_of(doctor.examine(machine, MachineProfile.PROD))["RCU callbacks"] == Verdict.OK


def test_where_all_cpus_keep_house_none_is_isolated(tmp_path: Path) -> None:
    """A machine of one CPU."""
    machine = Machine(tmp_path, frozenset({0}), frozenset({0}))
    assert "isolcpus" not in "\n".join(doctor.grub_lines(machine) + doctor.tuned_lines(machine))


@given(st.frozensets(st.integers(0, 200)))
def test_lists_and_masks_are_read_back(cpus: frozenset[int]) -> None:
    """As the kernel writes them; the mask is a number in groups of 32 bits."""
    assert cpus_of(list_of(cpus)) == cpus
    assert cpus_of_mask(mask_of(cpus)) == cpus
    assert int(mask_of(cpus).replace(",", ""), 16) == sum(2**cpu for cpu in cpus)
    assert all(len(group) == 8 for group in mask_of(cpus).split(",")[1:])


def test_lists_of_the_kernel_are_read() -> None:
    """With strides, with the words of isolcpus, and with nothing in them."""
    assert cpus_of("0,2-5,8-14:3") == {0, 2, 3, 4, 5, 8, 11, 14}
    assert cpus_of("managed_irq,domain,1-2") == {1, 2}
    assert cpus_of("") == cpus_of("(null)") == cpus_of("\n") == frozenset()


READ_FILES = sorted(files_of_a_good_machine())


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(READ_FILES), st.binary(max_size=60), max_size=30))
def test_whatever_the_files_contain_every_check_answers(contents: dict[str, bytes]) -> None:
    """Never an exception, always one finding a check."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, content in contents.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)
        findings = doctor.examine(Machine(root, HOT, HOUSE), MachineProfile.PROD)
    assert [finding.name for finding in findings] == [check.name for check in doctor.CHECKS]
    assert all(finding.found for finding in findings)


@pytest.mark.parametrize("width", [60, 80])
def test_the_table_fits_the_terminal(width: int, tmp_path: Path) -> None:
    """Nothing is wider, but for a path that cannot be broken; every check is in it."""
    machine = Machine(tmp_path, HOT, HOUSE, venues=("binance_spot",), facts=GOOD_FACTS)
    rows = doctor.lines(
        doctor.examine(machine, MachineProfile.PROD), MachineProfile.PROD, width, with_all=True
    )
    too_wide = [row for row in rows if len(row) > width]
    assert all(len(row.split()[-1]) > width - 30 for row in too_wide), too_wide
    for check in doctor.CHECKS:
        assert any(row[6:].startswith(check.name) for row in rows)


def test_this_machine_is_examined_and_the_exit_says_how_it_went(tmp_path: Path) -> None:
    """Every check once, its profile named; 1 when something fails, and only then."""
    keys = {"VORTEX_API_KEY": "k", "VORTEX_API_SECRET": "s"}
    engine = Engine(tmp_path, "http://x", "ws://x", "ws://x", keys)
    done = vortexctl("doctor", "-c", str(engine.config_path), "-p", "prod", "-o", "json")
    printed = json.loads(done.output)
    assert printed["schema"] == 1
    assert printed["profile"] == "prod"
    assert [row["name"] for row in printed["findings"]] == [check.name for check in doctor.CHECKS]
    assert sum(printed["counts"].values()) == len(doctor.CHECKS)
    assert done.exit_code == (1 if printed["counts"]["fail"] else 0)
    assert printed["findings"][-1]["found"].startswith("binance_spot")
    row = printed["findings"][0]
    assert set(row) == {"name", "found", "wanted", "why", "fix", "verdict", "needs_reboot"}


def test_what_mends_it_is_printed_and_nothing_else() -> None:
    """For the boot loader, and for tuned."""
    done = vortexctl("doctor", "--grub")
    assert done.exit_code == 0
    assert done.output.splitlines()[-1].startswith('GRUB_CMDLINE_LINUX="')
    printed = json.loads(vortexctl("doctor", "--tuned", "-o", "json").output)
    assert set(printed) == {"schema", "tuned"}
