"""The doctor's checks of the engine's CPUs: what else runs there, how fast they wake.

Each is a pure function of a Machine.  *Source:* the kernel's
Documentation/admin-guide/kernel-parameters.txt, and the profiles of tuned (cpu-partitioning,
latency-performance, network-latency, realtime).
"""

from pathlib import Path

from procs.machine.facts import Machine, cpus_of, cpus_of_mask, list_of
from procs.machine.findings import Seen, not_here

#: Sleep states that take longer to leave than this are too deep for a hot CPU.
WAKE_US_MAX = 2
CPU = "sys/devices/system/cpu"
KERNEL_THREAD_FLAG = 0x0020_0000  # PF_KTHREAD, of the flags in /proc/PID/stat
#: Fields of /proc/PID/stat, counted from after the name: flags, and the CPU it last ran on.
_FLAGS, _PROCESSOR = 6, 36


def isolated(machine: Machine) -> Seen:
    """Isolated from the scheduler's balancing."""
    text = machine.text(f"{CPU}/isolated")
    if text is None:
        return not_here()
    cpus = cpus_of(text)
    return Seen(list_of(cpus), machine.hot_cpus <= cpus)


def tickless(machine: Machine) -> Seen:
    """Without the timer tick while one task runs."""
    text = machine.text(f"{CPU}/nohz_full")
    if text is None:
        return not_here("the kernel is built without NO_HZ_FULL")
    cpus = cpus_of(text)
    return Seen(list_of(cpus), machine.hot_cpus <= cpus)


def rcu_offloaded(machine: Machine) -> Seen:
    """RCU callbacks done elsewhere."""
    if machine.text("proc/cmdline") is None:
        return not_here()
    value = machine.command_line("rcu_nocbs")
    if value is None:
        value = machine.command_line("nohz_full")  # which implies it
    cpus = cpus_of(value or "")
    return Seen(list_of(cpus), value == "all" or machine.hot_cpus <= cpus)


def interrupts(machine: Machine) -> Seen:
    """Device interrupts delivered elsewhere."""
    found = {
        path.parent.name: cpus_of(path.read_text(errors="replace", encoding="utf-8"))
        for path in machine.glob("proc/irq/*/effective_affinity_list")
    }
    default = machine.text("proc/irq/default_smp_affinity")
    if default is None and not found:
        return not_here()
    hot = [name for name, cpus in found.items() if cpus & machine.hot_cpus]
    is_default_hot = bool(cpus_of_mask(default or "") & machine.hot_cpus)
    words = f"{len(hot)} of {len(found)} can arrive there"
    if hot:
        words += f" (irq {', '.join(sorted(hot, key=int_or_zero)[:6])})"
    if is_default_hot:
        words += "; new ones too"
    return Seen(words, not hot and not is_default_hot)


def int_or_zero(text: str) -> int:
    """Return a number, for sorting names that are numbers as a rule."""
    return int(text) if text.isascii() and text.isdigit() else 0


def workqueues(machine: Machine) -> Seen:
    """The kernel's deferred work done elsewhere."""
    masks = {
        name: machine.text(path)
        for name, path in (
            ("all", "sys/devices/virtual/workqueue/cpumask"),
            ("writeback", "sys/bus/workqueue/devices/writeback/cpumask"),
        )
    }
    known = {name: cpus_of_mask(text) for name, text in masks.items() if text is not None}
    if not known:
        return not_here()
    words = ", ".join(f"{name} on {list_of(cpus)}" for name, cpus in known.items())
    return Seen(words, not any(cpus & machine.hot_cpus for cpus in known.values()))


def other_threads(machine: Machine) -> Seen:
    """No threads of other programs."""
    paths = machine.glob("proc/[0-9]*/task/[0-9]*/stat")
    if not paths:
        return not_here()
    names = [name for name in map(foreign_thread, paths, [machine] * len(paths)) if name]
    if not names:
        return Seen("none ran there last", True)
    few = ", ".join(sorted(set(names))[:4])
    return Seen(f"{len(names)} ran there last: {few}", False)


def foreign_thread(path: Path, machine: Machine) -> str | None:
    """Return the name of a thread that last ran on a hot CPU; None for the kernel's and ours."""
    try:
        text = path.read_text(errors="replace", encoding="utf-8")
    except OSError:
        return None  # the thread has ended
    name = text.partition("(")[2].rpartition(")")[0]
    words = text.rpartition(")")[2].split()
    if len(words) <= _PROCESSOR or name.startswith("vortex"):
        return None
    flags, processor = int_or_zero(words[_FLAGS]), int_or_zero(words[_PROCESSOR])
    if flags & KERNEL_THREAD_FLAG or processor not in machine.hot_cpus:
        return None
    return name


def siblings(machine: Machine) -> Seen:
    """No second thread of the core in use."""
    if machine.text(f"{CPU}/smt/active") == "0":
        return Seen("off", True)
    shared = {
        cpu: cpus_of(machine.text(f"{CPU}/cpu{cpu}/topology/thread_siblings_list") or "") - {cpu}
        for cpu in sorted(machine.hot_cpus)
    }
    isolated_cpus = cpus_of(machine.text(f"{CPU}/isolated") or "")
    busy = {cpu: cpus for cpu, cpus in shared.items() if cpus - isolated_cpus}
    busy |= {cpu: cpus for cpu, cpus in shared.items() if cpus & machine.hot_cpus}
    if not machine.glob(f"{CPU}/cpu*/topology/thread_siblings_list"):
        return not_here()
    if not busy:
        return Seen("off, or the siblings are idle", True)
    words = ", ".join(f"{cpu} with {list_of(cpus)}" for cpu, cpus in sorted(busy.items()))
    return Seen(f"on: {words}", False)


def setting_of_hot_cpus(machine: Machine, name: str, wanted: str) -> Seen:
    """Return whether one file of cpufreq holds ``wanted`` for each hot CPU."""
    values = {
        cpu: machine.text(f"{CPU}/cpu{cpu}/cpufreq/{name}") for cpu in sorted(machine.hot_cpus)
    }
    known = {value for value in values.values() if value is not None}
    if not known:
        return not_here("the machine or its host sets the speed")
    return Seen(", ".join(sorted(known)), known == {wanted})


def governor(machine: Machine) -> Seen:
    """The highest speed, always."""
    return setting_of_hot_cpus(machine, "scaling_governor", "performance")


def energy_preference(machine: Machine) -> Seen:
    """No saving of energy."""
    return setting_of_hot_cpus(machine, "energy_performance_preference", "performance")


def turbo(machine: Machine) -> Seen:
    """A choice, either way."""
    off, boost = machine.text(f"{CPU}/intel_pstate/no_turbo"), machine.text(f"{CPU}/cpufreq/boost")
    if off is not None:
        return Seen("off" if off == "1" else "on", True)
    if boost is not None:
        return Seen("on" if boost == "1" else "off", True)
    return not_here()


def sleep_states(machine: Machine) -> Seen:
    """No sleep that is slow to leave."""
    deep, states = set(), 0
    for cpu in sorted(machine.hot_cpus):
        for folder in machine.glob(f"{CPU}/cpu{cpu}/cpuidle/state*"):
            states += 1
            path = folder.relative_to(machine.root).as_posix()
            wake_us = machine.number(f"{path}/latency") or 0
            if wake_us > WAKE_US_MAX and machine.number(f"{path}/disable") != 1:
                deep.add(f"{machine.text(f'{path}/name')} ({wake_us} us)")
    if not states:
        return not_here("no sleep states are offered")
    return Seen(f"open: {', '.join(sorted(deep))}" if deep else "none deeper", not deep)


def placement(machine: Machine) -> Seen:
    """A CPU for each process of the engine."""
    hot = machine.hot_cpus
    words = f"{machine.process_count} processes on CPU {list_of(hot)}"
    if 0 in hot:
        return Seen(f"{words}, of which 0 takes the kernel's own work", False)
    if hot & machine.house_cpus:
        return Seen(f"{words}, shared with the housekeeping", False)
    return Seen(words, len(hot) >= machine.process_count)


def numa(machine: Machine) -> Seen:
    """One node."""
    nodes = {
        path.parent.name: cpus_of(path.read_text(errors="replace", encoding="utf-8"))
        for path in machine.glob("sys/devices/system/node/node*/cpulist")
    }
    used = sorted(name for name, cpus in nodes.items() if cpus & machine.hot_cpus)
    if not nodes:
        return not_here()
    cards = {
        text
        for path in machine.glob("sys/class/net/*/device/numa_node")
        if (text := path.read_text(errors="replace", encoding="utf-8").strip()) not in ("-1", "")
    }
    strangers = sorted(f"a card on node{card}" for card in cards if f"node{card}" not in used)
    return Seen(", ".join([*used, *strangers]) or "none", len(used) <= 1 and not strangers)


def throttling(machine: Machine) -> Seen:
    """Never slowed down by heat."""
    paths = machine.glob(f"{CPU}/cpu[0-9]*/thermal_throttle/*_throttle_count")
    if not paths:
        return not_here()
    counts = [
        int_or_zero(path.read_text(errors="replace", encoding="utf-8").strip()) for path in paths
    ]
    return Seen(f"{sum(counts)} times since the boot", sum(counts) == 0)
