"""A loop that measures itself: when it lost its CPU, and which iterations were slow.

One iteration of the loop is a *turn*.  Of the loops that share a CPU one runs at a time, and each
writes when its last turn ended.  So the first loop to run after a gap knows how long *none* of them
had the CPU: the gap is the platform's (another task, an interrupt, the hypervisor), and it does not
matter which loop it hit.  For the time within a turn the kernel counts how long the thread was on a
CPU.  Reading that count takes as long as a tick, so the loop reads it only after a slow turn, and
once a millisecond when idle, which keeps the compared span short.  Each stall becomes one STALL
record for observers.
"""

from enum import IntEnum

from ipc import ring
from ipc.atomics import load_relaxed, store_relaxed
from ipc.compiled import compiled
from ipc.control import AWAY_BYTES, LOST_BYTES, STALLS_BYTES, heartbeat_ns
from ipc.layout import Field, Layout
from ipc.memory import load_word, record_at
from ipc.types import Record
from ipc.usage import fault_count_of, read_usage, switch_count_of, thread_cpu_ns
from ipc.waiting import Wait

#: A turn or a gap of at least this length is published as a STALL.
STALL_NS = 20_000
#: Loops that share a CPU do not make each other wait this long.
AWAY_NS = 1_000_000
LOOK_NS = 1_000_000
LOOK_NS_MAX = 8_000_000
#: A cost is the mean over about this many looks.
LOOK_COUNT = 8


class Stall(IntEnum):
    """The kind of a stall."""

    GAP = 0  # no loop of this CPU ran
    IDLE = 1  # a turn that found nothing to do
    WORK = 2  # a turn that did something
    AWAY = 3  # only this loop did not run: its thread was stopped, or not scheduled


STALL = Layout(
    "stall",
    "A gap in which a loop had no CPU, or a slow turn of the loop.",
    Field("publish_ns", "i8", "when it was published"),
    Field("begin_ns", "i8", "when it began"),
    Field("end_ns", "i8", "when it ended"),
    Field("kind", "i8", "meter.Stall"),
    Field("lost_ns", "i8", "time within it in which the CPU did something else"),
    Field("done_count", "i8", "items of work that the turn did"),
    Field("switch_count", "i8", "switches that the loop did not ask for, since the last look"),
    Field("fault_count", "i8", "page faults since the last look, a millisecond before or less"),
)

METER = Layout(
    "meter",
    "The meter of one loop; in its own memory.",
    Field("stalls_address", "i8", "handle of the ring of stalls"),
    Field("status_address", "i8", "STATUS of this stage"),
    Field(
        "peers_address",
        "i8",
        "addresses of the STATUS of all stages of this CPU, including this one",
    ),
    Field("peer_count", "i8", "how many"),
    Field("usage_address", "i8", "room for a struct rusage"),
    Field("begin_ns", "i8", "when the current turn began; 0 before the first"),
    Field("end_ns", "i8", "when the previous turn ended"),
    Field("lost_ns", "i8", "time that all loops of this CPU had lost by then"),
    Field("looked_ns", "i8", "when the kernel's counts were last read"),
    Field("turn_count", "i8", "turns since"),
    Field("took_ns", "i8", "what they took"),
    Field("cpu_ns", "i8", "time on a CPU, as of then"),
    Field("switch_count", "i8", "switches to other tasks, as of then"),
    Field("fault_count", "i8", "page faults, as of then"),
    Field("turn_cost_ns", "i8", "CPU time of a turn beyond its measured duration"),
    Field("is_yielding", "i8", "1 when the loop gives the CPU away after each turn"),
)

METER_DTYPE = METER.dtype
STALL_DTYPE = STALL.dtype


@compiled
def last_end_ns(meter: Record) -> int:
    """Return when a loop of this CPU last ended a turn."""
    newest_ns = 0
    for index in range(meter.peer_count):
        newest_ns = max(newest_ns, heartbeat_ns(load_word(meter.peers_address + 8 * index)))
    return newest_ns


@compiled
def all_lost_ns(meter: Record) -> int:
    """Return the lost time that all loops of this CPU have published."""
    lost_ns = 0
    for index in range(meter.peer_count):
        lost_ns += load_relaxed(load_word(meter.peers_address + 8 * index) + LOST_BYTES)
    return lost_ns


@compiled
def look(meter: Record, now_ns: int) -> int:
    """Read the kernel's counts; return how long the turns since the last look had no CPU."""
    cpu_ns = thread_cpu_ns()
    read_usage(meter.usage_address)
    used_ns = cpu_ns - meter.cpu_ns
    cost_ns = meter.turn_count * meter.turn_cost_ns
    missing_ns = meter.took_ns + cost_ns - used_ns
    if meter.turn_count > 0 and missing_ns < STALL_NS:
        found_ns = max(used_ns - meter.took_ns, 0) // meter.turn_count
        meter.turn_cost_ns += (found_ns - meter.turn_cost_ns) // LOOK_COUNT
    meter.cpu_ns = cpu_ns
    meter.switch_count = switch_count_of(meter.usage_address)
    meter.fault_count = fault_count_of(meter.usage_address)
    meter.looked_ns = now_ns
    meter.turn_count = 0
    meter.took_ns = 0
    return max(missing_ns, 0)


@compiled
def publish_stall(
    meter: Record, kind: int, begin_ns: int, end_ns: int, lost_ns: int, done_count: int
) -> None:
    """Publish one stall; ``lost_ns`` below 0 means: take the lost time from the kernel's counts."""
    turns, switches, faults = meter.turn_count, meter.switch_count, meter.fault_count
    missing_ns = look(meter, end_ns)
    if lost_ns < 0:
        lost_ns = min(missing_ns, end_ns - begin_ns)
    stalls_address = meter.status_address + STALLS_BYTES
    store_relaxed(stalls_address, load_relaxed(stalls_address) + 1)
    lost_address = meter.status_address + LOST_BYTES
    store_relaxed(lost_address, load_relaxed(lost_address) + lost_ns)
    slot_address = ring.claim(meter.stalls_address)
    if slot_address == 0:
        return
    stall = record_at(slot_address, STALL_DTYPE)
    stall.begin_ns = begin_ns
    stall.end_ns = end_ns
    stall.kind = kind
    stall.lost_ns = lost_ns
    stall.done_count = done_count
    given_count = turns if meter.is_yielding != 0 else 0
    stall.switch_count = max(meter.switch_count - switches - given_count, 0)
    stall.fault_count = meter.fault_count - faults
    ring.append(meter.stalls_address, 1)
    ring.commit(meter.stalls_address, end_ns)


@compiled
def publish_absence(meter: Record, now_ns: int) -> None:
    """Publish the gap since the last turn: no loop ran, or only this one did not."""
    end_ns = last_end_ns(meter)
    if now_ns - end_ns >= STALL_NS:
        publish_stall(meter, Stall.GAP, end_ns, now_ns, now_ns - end_ns, 0)
    if now_ns - meter.end_ns < AWAY_NS:
        return
    # Time that any loop already published as lost, the gap above included, does not count twice.
    away_ns = now_ns - meter.end_ns - (all_lost_ns(meter) - meter.lost_ns)
    if away_ns >= AWAY_NS:
        away_address = meter.status_address + AWAY_BYTES
        store_relaxed(away_address, load_relaxed(away_address) + 1)
        publish_stall(meter, Stall.AWAY, meter.end_ns, now_ns, away_ns, 0)


@compiled
def begin_turn(meter: Record, now_ns: int, wait: int) -> None:
    """Begin a turn of a loop whose wait is ``wait`` (a Wait); a sleeping loop is not measured."""
    if wait != Wait.SPIN and wait != Wait.YIELD:
        meter.begin_ns = 0
        return
    meter.is_yielding = wait == Wait.YIELD
    if meter.begin_ns == 0:
        look(meter, now_ns)
    else:
        publish_absence(meter, now_ns)
    meter.begin_ns = now_ns


@compiled
def end_turn(meter: Record, now_ns: int, done_count: int) -> None:
    """End a turn; publish a STALL when it was slow."""
    if meter.begin_ns == 0:
        return
    took_ns = now_ns - meter.begin_ns
    meter.turn_count += 1
    meter.took_ns += took_ns
    if took_ns >= STALL_NS:
        if done_count == 0:
            publish_stall(meter, Stall.IDLE, meter.begin_ns, now_ns, took_ns, 0)
        else:
            publish_stall(meter, Stall.WORK, meter.begin_ns, now_ns, -1, done_count)
    elif now_ns - meter.looked_ns >= (LOOK_NS if done_count == 0 else LOOK_NS_MAX):
        look(meter, now_ns)
    meter.end_ns = now_ns
    meter.lost_ns = all_lost_ns(meter)
