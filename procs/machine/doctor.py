"""``vortexctl doctor``: the table of checks, and the commands that repair.

A check is a row: a function, what is wanted and why, the command that repairs it, and the severity
of a fault for each profile.  Commands are printed, never run.
"""

import textwrap
from collections.abc import Iterable
from typing import Any

import msgspec

from procs.machine import checks_cpus as cpus
from procs.machine import checks_system as system
from procs.machine.facts import Machine, list_of, mask_of
from procs.machine.findings import Check, Finding, MachineProfile, Verdict, judge

SCHEMA = 1

_NA, _WARN, _FAIL = Verdict.NOT_APPLICABLE, Verdict.WARN, Verdict.FAIL
#: The severity of a fault at a desk, on a guest, in production.
_PROD_ONLY, _TUNING = (_NA, _NA, _WARN), (_NA, _WARN, _FAIL)
_ADVICE, _NEEDED, _ALWAYS = (_NA, _WARN, _WARN), (_WARN, _WARN, _FAIL), (_FAIL, _FAIL, _FAIL)

_GRUB = "add the output of vortexctl doctor --grub to the kernel's command line"
_SYSFS_CPU = "/sys/devices/system/cpu"

# fmt: off
CHECKS = (
    # The engine's CPUs: what else runs there.
    Check("placement", cpus.placement, "a CPU for each, none of them 0",
          "processes that share a CPU wait for each other at every hop",
          "[placement] engine_cpus = [...], or together = [[...]]; see ARCHITECTURE.md", _ADVICE),
    Check("housekeeping", system.housekeeping, "at least one that the engine does not use",
          "the cold processes need a CPU", "[placement] housekeeping_cpus = [...]", _ADVICE),
    Check("isolated CPUs", cpus.isolated, "{hot}",
          "the scheduler moves other tasks to any CPU that is not isolated", _GRUB, _TUNING, True),
    Check("tickless", cpus.tickless, "{hot}",
          "the timer tick interrupts a busy core 100 to 1000 times a second", _GRUB, _TUNING, True),
    Check("RCU callbacks", cpus.rcu_offloaded, "{hot}",
          "the kernel frees memory in soft interrupts on each core", _GRUB, _TUNING, True),
    Check("device interrupts", cpus.interrupts, "none on CPU {hot}",
          "each costs the engine 2 to 20 us",
          "systemctl disable --now irqbalance; echo {house_mask} >/proc/irq/default_smp_affinity; "
          "for f in /proc/irq/*/smp_affinity; do echo {house_mask} >$f; done", _TUNING),
    Check("workqueues", cpus.workqueues, "not on CPU {hot}",
          "deferred work of drivers and file systems",
          "echo {house_mask} >/sys/devices/virtual/workqueue/cpumask", _TUNING),
    Check("other threads", cpus.other_threads, "none on CPU {hot}",
          "another task there costs milliseconds",
          "taskset -acp {house} PID, or isolate the CPUs", _NEEDED),
    Check("siblings", cpus.siblings, "off, or idle",
          "two threads of one core share its caches and its units",
          "echo off >" + _SYSFS_CPU + "/smt/control", _TUNING),
    Check("NUMA", cpus.numa, "one node, the card's",
          "memory of another node costs half as much again",
          "[placement] engine_cpus of the node of the card", _TUNING),
    # The engine's CPUs: how fast they are.
    Check("governor", cpus.governor, "performance",
          "an idle core starts slowly", "cpupower frequency-set -g performance", _TUNING),
    Check("energy preference", cpus.energy_preference, "performance", "as the governor",
          "echo performance >" + _SYSFS_CPU + "/cpu*/cpufreq/energy_performance_preference",
          _TUNING),
    Check("turbo", cpus.turbo, "either: on is faster, off is steadier",
          "changing speed stops a core for some 10 us", "", _PROD_ONLY),
    Check("sleep states", cpus.sleep_states, "none that takes over 2 us to leave",
          "a core that sleeps deeply wakes late",
          "cpupower idle-set -D 3, or hold /dev/cpu_dma_latency at 0", _TUNING),
    Check("heat", cpus.throttling, "never throttled", "a hot core is slowed down",
          "cool it", _NEEDED),
    Check("mitigations", system.mitigations, "known",
          "they cost system calls some 100 ns; leave them on unless the machine is yours alone", "",
          _PROD_ONLY),
    # Clocks.
    Check("clock source", system.clock_source, "tsc", "another costs a system call a reading",
          "kernel command line: tsc=reliable", _NEEDED, True),
    Check("cycle counter", system.invariant_counter, "constant_tsc and nonstop_tsc",
          "without them every stamp needs a system call", "another machine or guest type",
          _NEEDED),
    Check("counters agree", system.counters_agree, "never earlier than it was sent",
          "stamps of different cores are subtracted", "another machine; update the firmware",
          _ALWAYS),
    Check("wall clock", system.clock_error, "within 1 ms",
          "venues refuse requests that are too old or from the future",
          "apt install chrony; systemctl enable --now chrony", _NEEDED),
    # Memory.
    Check("transparent huge pages", system.huge_page_work, "madvise or never",
          "joining pages stops the processes that use them",
          "for f in enabled defrag; do echo madvise >/sys/kernel/mm/transparent_hugepage/$f; done",
          _TUNING),
    Check("huge pages", system.huge_pages, "any", "rings are mapped twice in a row, in 4 kB pages",
          "", _PROD_ONLY),
    Check("merging of pages", system.page_moving, "ksm 0, numa_balancing 0",
          "a page that is moved faults",
          "echo 0 >/sys/kernel/mm/ksm/run; sysctl -w kernel.numa_balancing=0", _TUNING),
    Check("locked memory", system.locked_memory, "no limit, or 256 MB",
          "a page that is not locked may be taken away",
          "LimitMEMLOCK=infinity in the unit, or memlock in limits.conf", _TUNING),
    Check("swap", system.swap, "none, or swappiness 10 at most",
          "a page on disk costs milliseconds",
          "swapoff -a, or sysctl -w vm.swappiness=10", _NEEDED),
    Check("reclaim", system.reclaim,
          "zone_reclaim 0, min_free_kbytes 65536, compaction_proactiveness 0",
          "without free memory an allocation has to free some first",
          "sysctl -w vm.zone_reclaim_mode=0 vm.min_free_kbytes=65536 "
          "vm.compaction_proactiveness=0", _PROD_ONLY),
    Check("memory statistics", system.statistics, "every 10 s or more",
          "each update runs a worker on each core", "sysctl -w vm.stat_interval=120", _TUNING),
    Check("shared memory", system.shared_memory, "512 MB free, nothing stale",
          "rings and tables live there", "vortexctl shm clean", _ALWAYS),
    # The kernel's own work.
    Check("real-time throttling", system.real_time_bound,
          "-1, or Linux 6.12 without RT_GROUP_SCHED",
          "a thread under SCHED_FIFO that spins is stopped 50 ms of each second",
          "sysctl -w kernel.sched_rt_runtime_us=-1", _NEEDED),
    Check("fair server", system.fair_server, "0 on the engine's CPUs, or nothing else runs there",
          "it gives 50 ms of each second to tasks that a spinning SCHED_FIFO thread starves",
          "echo 0 > /sys/kernel/debug/sched/fair_server/cpuN/runtime", _NEEDED),
    Check("limits", system.thread_limits, "rtprio 50, nofile 65536",
          "SCHED_FIFO and many connections need them",
          "LimitRTPRIO=99 and LimitNOFILE=65536 in the unit, or limits.conf", _ADVICE),
    Check("watchdogs", system.watchdogs, "nmi_watchdog 0, watchdog 0",
          "a timer and a thread on each core",
          "sysctl -w kernel.nmi_watchdog=0 kernel.watchdog=0", _TUNING),
    Check("timers", system.timers, "timer_migration 0, skew_tick 1",
          "timers of other cores fire on ours", "sysctl -w kernel.timer_migration=0", _PROD_ONLY),
    Check("tracing", system.tracing, "ptrace_scope 1 or more",
          "a stopped stage leaves its quotes unattended", "sysctl -w kernel.yama.ptrace_scope=1",
          _PROD_ONLY),
    # Network and disk.
    Check("busy polling", system.busy_poll, "50 us",
          "a frame waits for an interrupt otherwise",
          "sysctl -w net.core.busy_poll=50 net.core.busy_read=50", _PROD_ONLY),
    Check("coalescing", system.coalescing, "3 us at most, not adaptive",
          "the card gathers frames before it interrupts",
          "ethtool -C DEVICE adaptive-rx off rx-usecs 0", _TUNING),
    Check("TCP", system.tcp, "slow start after idle 0",
          "an order after a pause would wait for its acknowledgements",
          "sysctl -w net.ipv4.tcp_slow_start_after_idle=0", _ADVICE),
    Check("disk", system.disk, "50 writes within 5 ms each",
          "logs and records are written there", "runs_folder on another disk", _ADVICE),
    # The platform.
    Check("bare metal", system.bare_metal, "no hypervisor",
          "a hypervisor takes the core unseen: see vortexctl jitter", "a machine of your own",
          _PROD_ONLY),
    Check("steal", system.steal, "1000 ppm at most",
          "the host ran another guest on our CPU", "dedicated CPUs, or another host", _NEEDED),
    Check("pressure", system.pressure, "under 10 %", "tasks wait for CPUs",
          "vortexctl jitter shows on which", _NEEDED),
    Check("environment", system.environment, "no NUMBA_* and no Python development mode",
          "they change the machine code", "unset them; repair the rights of the cache's folder",
          _NEEDED),
    Check("dead man's timer", system.dead_man, "armed",
          "when this machine dies, only the venue can cancel",
          "watch the account from a second machine", _PROD_ONLY),
)
# fmt: on


def examine(
    machine: Machine, profile: MachineProfile, checks: Iterable[Check] = CHECKS
) -> list[Finding]:
    """Return the findings of all checks."""
    words = {
        "hot": list_of(machine.hot_cpus),
        "house": list_of(machine.house_cpus),
        "house_mask": mask_of(machine.house_cpus),
    }
    return [judge(check, machine, profile, words) for check in checks]


def own_profile(machine: Machine) -> MachineProfile:
    """Return the default profile of a machine: a guest, or a desk."""
    is_guest = "hypervisor" in (machine.text("proc/cpuinfo") or "").split()
    return MachineProfile.VM if is_guest else MachineProfile.DEV


def isolation(machine: Machine) -> list[str]:
    """Return the kernel options that reserve the hot CPUs for the engine."""
    hot, house = list_of(machine.hot_cpus - machine.house_cpus), list_of(machine.house_cpus)
    if hot == "none":
        return []  # every CPU is a housekeeping CPU: there is none to isolate
    return [
        f"isolcpus=managed_irq,domain,{hot}",
        "nohz=on",
        f"nohz_full={hot}",
        f"rcu_nocbs={hot}",
        "rcu_nocb_poll",
        f"irqaffinity={house}",
    ]


def kernel_options(machine: Machine) -> list[str]:
    """Return all recommended options of the kernel's command line."""
    return [
        *isolation(machine), "tsc=reliable", "skew_tick=1", "nosoftlockup", "nmi_watchdog=0",
        "transparent_hugepage=madvise",
    ]  # fmt: skip


def grub_lines(machine: Machine) -> list[str]:
    """Return the lines for /etc/default/grub."""
    return [
        "# /etc/default/grub; then update-grub (or grub2-mkconfig) and a reboot",
        f'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX {" ".join(kernel_options(machine))}"',
    ]


#: Settings of the profile beyond tuned's own network-latency; a check wants each of them.
TUNED_SETTINGS = {
    "kernel.numa_balancing": 0,
    "kernel.nmi_watchdog": 0,
    "kernel.watchdog": 0,
    "kernel.timer_migration": 0,
    "kernel.sched_rt_runtime_us": -1,
    "net.core.busy_poll": 50,
    "net.core.busy_read": 50,
    "net.ipv4.tcp_slow_start_after_idle": 0,
    "vm.compaction_proactiveness": 0,
    "vm.min_free_kbytes": 65_536,
    "vm.stat_interval": 120,
    "vm.swappiness": 10,
    "vm.zone_reclaim_mode": 0,
}


def tuned_lines(machine: Machine) -> list[str]:
    """Return a profile for tuned."""
    return [
        "# /etc/tuned/vortex/tuned.conf; then tuned-adm profile vortex, and a reboot",
        "[main]",
        "summary=CPUs, clocks and network as Vortex wants them",
        "include=network-latency",
        "",
        "[sysctl]",
        *(f"{name}={value}" for name, value in TUNED_SETTINGS.items()),
        "",
        "[sysfs]",
        f"/sys/devices/virtual/workqueue/cpumask={mask_of(machine.house_cpus)}",
        "/sys/kernel/mm/ksm/run=0",
        "/sys/kernel/mm/transparent_hugepage/enabled=madvise",
        "/sys/kernel/mm/transparent_hugepage/defrag=madvise",
        "",
        "[bootloader]",
        f"cmdline_vortex=+{' '.join(kernel_options(machine))}",
    ]


def report(findings: list[Finding], profile: MachineProfile) -> dict[str, Any]:
    """Return the findings for programs."""
    counts = {verdict.value: 0 for verdict in Verdict}
    for finding in findings:
        counts[finding.verdict.value] += 1
    return {
        "schema": SCHEMA,
        "profile": profile.value,
        "counts": counts,
        "findings": [msgspec.to_builtins(finding) for finding in findings],
    }


def has_failed(findings: list[Finding]) -> bool:
    """Return whether any finding fails the profile."""
    return any(finding.verdict == Verdict.FAIL for finding in findings)


def lines(
    findings: list[Finding], profile: MachineProfile, width: int, with_all: bool = False
) -> list[str]:
    """Return the findings for people; each fault comes with its reason and its repair."""
    rows = []
    name_width = max((len(finding.name) for finding in findings), default=0) + 2
    for finding in findings:
        head = f"{finding.verdict.value:<5} {finding.name:<{name_width}}"
        rows += wrapped(head, finding.found, width)
        if with_all or finding.verdict in (Verdict.WARN, Verdict.FAIL):
            rows += wrapped("        wanted  ", finding.wanted, width)
            rows += wrapped("        why     ", finding.why, width)
            reboot = " (reboot)" if finding.needs_reboot and finding.fix else ""
            rows += wrapped("        mend    ", finding.fix + reboot, width)
    counts = report(findings, profile)["counts"]
    parts = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    return [*rows, "", f"profile {profile.value}: {parts}"]


def wrapped(head: str, text: str, width: int) -> list[str]:
    """Return ``head`` with a text beside it, at most ``width`` wide; no lines for no text."""
    if not text:
        return []
    room = max(width - len(head), 16)
    parts = textwrap.wrap(text, room, break_on_hyphens=False, break_long_words=False)
    return [head + parts[0], *(" " * len(head) + part for part in parts[1:])]
