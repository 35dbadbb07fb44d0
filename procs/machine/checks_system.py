"""The doctor's checks of clocks, memory, kernel settings, network and disk.

Each is a pure function of a Machine.  *Source:* the kernel's
Documentation/admin-guide/sysctl and mm, and the profiles of tuned (latency-performance,
network-latency, realtime).
"""

import re

from procs.machine import throttle
from procs.machine.facts import Machine, list_of
from procs.machine.findings import Seen, not_here

CLOCK_ERROR_US_MAX = 1_000
FSYNC_US_MAX = 5_000
STEAL_PPM_MAX = 1_000
SWAPPINESS_MAX = 10
STAT_INTERVAL_S_MIN = 10
COALESCE_US_MAX = 3
BUSY_POLL_US_MIN = 50
NOFILE_MIN = 65_536
RTPRIO_MIN = 50
#: Twice the memory that an engine of a few dozen instruments maps.
SHM_BYTES_MIN = 512 << 20
FREE_KBYTES_MIN = 64 << 10
MEMLOCK_BYTES_MIN = 256 << 20
UNLIMITED = -1
VULNERABILITIES = "sys/devices/system/cpu/vulnerabilities"
MEMORY = "sys/kernel/mm"


def known(machine: Machine, names: tuple[str, ...]) -> dict[str, int]:
    """Return those of the named kernel settings that exist."""
    values = {name: machine.sysctl(name) for name in names}
    return {name.rpartition(".")[2]: value for name, value in values.items() if value is not None}


def settings(machine: Machine, *wanted: tuple[str, int]) -> Seen:
    """Return whether kernel settings have the wanted values."""
    values = known(machine, tuple(name for name, _ in wanted))
    if not values:
        return not_here()
    short = {name.rpartition(".")[2]: value for name, value in wanted}
    words = ", ".join(f"{name} {value}" for name, value in values.items())
    return Seen(words, all(short[name] == value for name, value in values.items()))


def chosen(text: str | None) -> str | None:
    """Return the choice in brackets of a file such as ``always [madvise] never``."""
    found = re.search(r"\[([^\]]*)\]", text or "")
    return found[1] if found else None


def clock_source(machine: Machine) -> Seen:
    """The cycle counter."""
    text = machine.text("sys/devices/system/clocksource/clocksource0/current_clocksource")
    return not_here() if text is None else Seen(text, text == "tsc")


def invariant_counter(machine: Machine) -> Seen:
    """A counter that runs at one rate."""
    text = machine.text("proc/cpuinfo")
    if text is None:
        return not_here()
    missing = [flag for flag in ("constant_tsc", "nonstop_tsc") if flag not in text.split()]
    return Seen(f"without {', '.join(missing)}" if missing else "it does", not missing)


def counters_agree(machine: Machine) -> Seen:
    """Counters of all cores alike."""
    least_ns = machine.fact("one_way_ns")
    if least_ns is None:
        return not_here("not measured: one CPU, or too busy")
    return Seen(f"{least_ns} ns to another core at least", least_ns >= 0)


def huge_page_work(machine: Machine) -> Seen:
    """No joining of pages in the background."""
    files = {name: machine.text(f"{MEMORY}/transparent_hugepage/{name}") for name in (
        "enabled", "defrag", "shmem_enabled")}  # fmt: skip
    values = {name: value for name, text in files.items() if (value := chosen(text)) is not None}
    if not values:
        return not_here()
    words = ", ".join(f"{name} {value}" for name, value in values.items())
    return Seen(words, not {"always", "force", "within_size"} & set(values.values()))


def huge_pages(machine: Machine) -> Seen:
    """Any number: rings are mapped twice in a row, in pages of 4 kB."""
    count = machine.number(f"{MEMORY}/hugepages/hugepages-2048kB/nr_hugepages")
    return not_here() if count is None else Seen(f"{count} of 2 MB set aside", True)


def page_moving(machine: Machine) -> Seen:
    """No merging, no migration."""
    values = {
        "ksm": machine.number(f"{MEMORY}/ksm/run"),
        "numa_balancing": machine.sysctl("kernel.numa_balancing"),
    }
    there = {name: value for name, value in values.items() if value is not None}
    if not there:
        return not_here()
    words = ", ".join(f"{name} {value}" for name, value in there.items())
    return Seen(words, not any(there.values()))


def locked_memory(machine: Machine) -> Seen:
    """A limit that lets pages be locked."""
    limit = machine.fact("memlock_bytes")
    if limit is None:
        return not_here()
    words = "no limit" if limit == UNLIMITED else f"{limit >> 20} MB"
    return Seen(words, limit == UNLIMITED or limit >= MEMLOCK_BYTES_MIN)


def swap(machine: Machine) -> Seen:
    """No swap, or very little use of it."""
    text = machine.text("proc/swaps")
    if text is None:
        return not_here()
    areas = max(len(text.splitlines()) - 1, 0)
    swappiness = machine.sysctl("vm.swappiness")
    words = f"{areas} areas" if areas else "none"
    return Seen(
        f"{words}, swappiness {swappiness}", not areas or (swappiness or 0) <= SWAPPINESS_MAX
    )


def reclaim(machine: Machine) -> Seen:
    """Free memory in reserve."""
    values = known(machine, (
        "vm.zone_reclaim_mode", "vm.min_free_kbytes", "vm.compaction_proactiveness"))  # fmt: skip
    if not values:
        return not_here()
    is_well = (
        values.get("zone_reclaim_mode", 0) == 0
        and values.get("min_free_kbytes", FREE_KBYTES_MIN) >= FREE_KBYTES_MIN
        and values.get("compaction_proactiveness", 0) == 0
    )
    return Seen(", ".join(f"{name} {value}" for name, value in values.items()), is_well)


def statistics(machine: Machine) -> Seen:
    """Memory statistics gathered rarely."""
    value = machine.sysctl("vm.stat_interval")
    return not_here() if value is None else Seen(f"every {value} s", value >= STAT_INTERVAL_S_MIN)


def real_time_bound(machine: Machine) -> Seen:
    """Real-time threads never stopped."""
    value = machine.sysctl(throttle.SETTING)
    if value is None:
        return not_here()
    if value == throttle.NO_BOUND or throttle.bounds(machine):
        return Seen(str(value), value == throttle.NO_BOUND)
    return Seen(f"{value}, not enforced by this kernel", True)


def fair_server(machine: Machine) -> Seen:
    """No time of the engine's CPUs reserved for starved threads."""
    servers = "sys/kernel/debug/sched/fair_server"
    found = {cpu: machine.text(f"{servers}/cpu{cpu}/runtime") for cpu in sorted(machine.hot_cpus)}
    if not all(found.values()):
        return not_here()
    parts = ", ".join(f"{int(text or 0) // 10**6} ms on CPU {cpu}" for cpu, text in found.items())
    return Seen(parts, all(text == "0" for text in found.values()))


def thread_limits(machine: Machine) -> Seen:
    """Limits that permit the engine's scheduler and its connections."""
    rtprio, nofile, core = (machine.fact(name) for name in ("rtprio", "nofile", "core_bytes"))
    if rtprio is None or nofile is None or core is None:
        return not_here()
    is_root = machine.fact("is_root") == 1  # root needs no limit for SCHED_FIFO
    core_words = "no limit" if core == UNLIMITED else f"{core} bytes"
    is_well = (rtprio >= RTPRIO_MIN or rtprio == UNLIMITED or is_root) and (
        nofile >= NOFILE_MIN or nofile == UNLIMITED
    )
    return Seen(f"rtprio {rtprio}, nofile {nofile}, core {core_words}", is_well)


def watchdogs(machine: Machine) -> Seen:
    """No watchdog's timer on a hot CPU."""
    return settings(machine, ("kernel.nmi_watchdog", 0), ("kernel.watchdog", 0))


def timers(machine: Machine) -> Seen:
    """Timers stay on their CPU, and the ticks of CPUs do not coincide."""
    value = machine.sysctl("kernel.timer_migration")
    if value is None:
        return not_here()
    skew = machine.command_line("skew_tick")
    return Seen(f"timer_migration {value}, skew_tick {skew or 'not set'}", value == 0)


def busy_poll(machine: Machine) -> Seen:
    """Sockets that poll the card."""
    values = known(machine, ("net.core.busy_poll", "net.core.busy_read"))
    if not values:
        return not_here()
    words = ", ".join(f"{name} {value}" for name, value in values.items())
    return Seen(words, all(value >= BUSY_POLL_US_MIN for value in values.values()))


def coalescing(machine: Machine) -> Seen:
    """Cards that interrupt at once."""
    words = machine.words("coalesce")
    if words is None:
        return not_here("no card reports it")
    is_short = (machine.fact("coalesce_us") or 0) <= COALESCE_US_MAX
    return Seen(words, is_short and not machine.fact("coalesce_adaptive"))


def tcp(machine: Machine) -> Seen:
    """A connection that was idle sends at once."""
    value = machine.sysctl("net.ipv4.tcp_slow_start_after_idle")
    if value is None:
        return not_here()
    control = machine.text("proc/sys/net/ipv4/tcp_congestion_control")
    return Seen(f"slow start after idle {value}, {control}", value == 0)


def mitigations(machine: Machine) -> Seen:
    """Reported only; on a machine with one tenant the owner decides."""
    texts = [
        path.read_text(errors="replace", encoding="utf-8")
        for path in machine.glob(f"{VULNERABILITIES}/*")
    ]
    if not texts:
        return not_here()
    count = sum(text.startswith("Mitigation") for text in texts)
    return Seen(f"{count} in force, of {len(texts)} known faults", True)


def steal(machine: Machine) -> Seen:
    """No CPU time stolen by the host."""
    text = machine.text("proc/stat")
    if text is None:
        return not_here()
    lines = {words[0]: [int(word) for word in words[1:] if word.isdigit()]
             for words in map(str.split, text.splitlines()) if words}  # fmt: skip
    counts = lines.get("cpu", [])[:8]  # user already includes the time of our guests
    stolen = counts[7] if len(counts) > 7 else 0
    ppm = stolen * 1_000_000 // max(sum(counts), 1)
    is_guest = "hypervisor" in (machine.text("proc/cpuinfo") or "").split()
    kind = "a guest" if is_guest else "no guest"
    return Seen(f"{kind}; {ppm} ppm stolen since the boot", ppm <= STEAL_PPM_MAX)


def bare_metal(machine: Machine) -> Seen:
    """No hypervisor."""
    text = machine.text("proc/cpuinfo")
    if text is None:
        return not_here()
    is_guest = "hypervisor" in text.split()
    return Seen("under a hypervisor" if is_guest else "bare metal", not is_guest)


def pressure(machine: Machine) -> Seen:
    """No task waits for a CPU."""
    text = machine.text("proc/pressure/cpu") or ""
    found = re.search(r"some .*avg60=([0-9.]+)", text)
    if not found:
        return not_here("the kernel is built without PSI")
    share = float(found[1])
    return Seen(f"{share:g} % of the last minute some task waited", share < 10)


def clock_error(machine: Machine) -> Seen:
    """Wall time that is disciplined."""
    error_us = machine.fact("clock_error_us")
    if error_us is None:
        return not_here()
    if machine.fact("clock_is_unsynchronised"):
        return Seen("the kernel's clock is not disciplined", False)
    return Seen(f"off by {error_us} us at most", error_us <= CLOCK_ERROR_US_MAX)


def shared_memory(machine: Machine) -> Seen:
    """Room for the rings, and no segments of dead runs."""
    free = machine.fact("shm_free_bytes")
    if free is None:
        return not_here()
    stale = machine.fact("shm_stale_count") or 0
    words = f"{free >> 20} MB free, {stale} segments of dead runs"
    return Seen(words, free >= SHM_BYTES_MIN and stale == 0)


def environment(machine: Machine) -> Seen:
    """No variable that changes the machine code."""
    variables = machine.words("variables")
    if variables is None:
        return not_here()
    is_writable = machine.fact("cache_is_writable") == 1
    words = variables or "clean"
    if not is_writable:
        words += "; the cache of machine code cannot be written"
    return Seen(words, not variables and is_writable)


def tracing(machine: Machine) -> Seen:
    """Only ancestors may stop a stage."""
    value = machine.sysctl("kernel.yama.ptrace_scope")
    return not_here() if value is None else Seen(f"ptrace_scope {value}", value >= 1)


def disk(machine: Machine) -> Seen:
    """A disk that does not delay the log writers."""
    took_us = machine.fact("fsync_us")
    if took_us is None:
        return not_here("nothing can be written there")
    return Seen(f"the slowest of 50 writes took {took_us / 1000:.1f} ms", took_us <= FSYNC_US_MAX)


#: Venues that cancel our orders by themselves when we go silent.
DEAD_MAN_VENUES: frozenset[str] = frozenset()


def dead_man(machine: Machine) -> Seen:
    """A timer at the venue that cancels our orders when we go silent."""
    if not machine.venues:
        return not_here("no configuration was given (-c)")
    without = sorted(set(machine.venues) - DEAD_MAN_VENUES)
    if not without:
        return Seen("armed by the gateway", True)
    return Seen(f"{', '.join(without)}: none; orders stay when this machine dies", False)


def housekeeping(machine: Machine) -> Seen:
    """A CPU for everything else."""
    house = machine.house_cpus - machine.hot_cpus
    return Seen(f"CPU {list_of(house)}", bool(house))
