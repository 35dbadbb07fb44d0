"""Orders over budget: where their time went, and what the machine did meanwhile.

A SENT record has every stamp of an order's way; the STALL records of the stages say when their CPUs
were away and which turns took long.  Laid over each other they say of each hop how much of it the
platform took, and how much the engine's own long turns.  The gateway does so for every order over
its budget, after it was sent; observers do so for any order that they like.
"""

from enum import IntEnum

import numpy as np

from ipc import ring
from ipc.compiled import compiled
from ipc.layout import Field, Layout
from ipc.memory import address_of, copy_bytes, load_word, record_at, zero_bytes
from ipc.meter import STALL
from ipc.ring import RING_BYTES
from ipc.types import Record, RecordArray
from procs.plan.run_records import HOP_COUNT, OUTLIER
from vortex.records import SENT

#: A decision that stands for more frames came out of a burst.
BURST_COUNT = 16


class Cause(IntEnum):
    """What held an order up."""

    PLATFORM = 1  # its CPU did something else for most of the time that it was over
    FAULT = 2  # page faults
    BURST = 3  # many frames came at once
    QUEUE = 4  # it waited for a stage to iterate
    WORK = 5  # a stage worked long on it
    RESYNC = 6  # its book came into sync: a snapshot was read, with what had waited for it


WATCH = Layout(
    "watch",
    "Where to find what every stage says of its stalls; in the reader's own memory.",
    Field("rings_address", "i8", "handles of the rings of stalls, in the order of the wiring"),
    Field("role_count", "i8", "how many"),
    Field("hop_roles_address", "i8", "the stage of each hop; that of the first is the source's"),
    Field("shared_address", "i8", "a word for each two stages: 1 when they share a CPU"),
    Field("stall_count_max", "i8", "of each stage so many of its newest stalls are looked at"),
    Field("copy_address", "i8", "where a STALL is copied to"),
    multiple_bytes=8,
)

OUTLIER_DTYPE = OUTLIER.dtype
WATCH_DTYPE = WATCH.dtype
STALL_DTYPE = STALL.dtype
SENT_BYTES = SENT.offset_bytes("reserved")
REST_BYTES = OUTLIER_DTYPE.itemsize - SENT_BYTES


@compiled
def lay_over(
    outlier: Record, hop_index: int, begin_ns: int, end_ns: int, stall_address: int
) -> None:
    """Count what one stall took of one hop."""
    stall = record_at(stall_address, STALL_DTYPE)
    took_ns = min(end_ns, stall.end_ns) - max(begin_ns, stall.begin_ns)
    if took_ns <= 0:
        return
    # A ratio: the product of two long times has no room in 64 bits.
    lost_ns = int(took_ns * (stall.lost_ns / (stall.end_ns - stall.begin_ns)))
    outlier.lost_ns[hop_index] += lost_ns
    outlier.busy_ns[hop_index] += took_ns - lost_ns
    if stall.begin_ns >= begin_ns or hop_index == 0:  # it reaches into the next hop all the same
        outlier.stall_count += 1
        outlier.switch_count += stall.switch_count
        outlier.fault_count += stall.fault_count


@compiled
def look_back(
    watch_address: int,
    ring_address: int,
    outlier: Record,
    hop_index: int,
    begin_ns: int,
    end_ns: int,
) -> None:
    """Lay the newest stalls of one stage over one hop."""
    watch = record_at(watch_address, WATCH_DTYPE)
    newest_seq = ring.published_seq(ring_address) - 1
    oldest_seq = max(newest_seq - watch.stall_count_max, -1)
    for seq in range(newest_seq, oldest_seq, -1):
        if ring.observe(ring_address, seq, watch.copy_address) != 1:
            return
        if record_at(watch.copy_address, STALL_DTYPE).end_ns <= begin_ns:
            return
        lay_over(outlier, hop_index, begin_ns, end_ns, watch.copy_address)


@compiled
def explain_hop(
    watch_address: int, outlier: Record, hop_index: int, begin_ns: int, end_ns: int
) -> None:
    """Lay over one hop what the stages of its CPU said of themselves."""
    watch = record_at(watch_address, WATCH_DTYPE)
    source_id = outlier.source_id
    role = source_id if hop_index == 0 else load_word(watch.hop_roles_address + 8 * hop_index)
    for other in range(watch.role_count):
        if load_word(watch.shared_address + 8 * (role * watch.role_count + other)) != 0:
            ring_address = watch.rings_address + other * RING_BYTES
            look_back(watch_address, ring_address, outlier, hop_index, begin_ns, end_ns)
    outlier.lost_ns[hop_index] = min(outlier.lost_ns[hop_index], end_ns - begin_ns)


@compiled
def cause_of(outlier_address: int) -> int:
    """Return what held an order up; its hops have been explained.

    Half is enough for the platform: what piled up while it was away has to be worked off.
    """
    outlier = record_at(outlier_address, OUTLIER_DTYPE)
    lost_ns = 0
    for hop_index in range(HOP_COUNT):
        lost_ns += outlier.lost_ns[hop_index]
    over_ns = outlier.sent_ns - outlier.kernel_ns - outlier.budget_ns
    if 2 * lost_ns > over_ns:
        return Cause.PLATFORM
    if outlier.fault_count > 0:
        return Cause.FAULT
    if outlier.resync_count > 0:
        return Cause.RESYNC
    if outlier.merged_count > BURST_COUNT:
        return Cause.BURST
    wait_ns = max(
        outlier.recv_ns - outlier.kernel_ns,
        outlier.book_pick_ns - outlier.ingest_publish_ns,
        outlier.strategy_pick_ns - outlier.book_publish_ns,
        outlier.gateway_pick_ns - outlier.strategy_publish_ns,
    )
    service_ns = max(
        outlier.ingest_publish_ns - outlier.recv_ns,
        outlier.book_publish_ns - outlier.book_pick_ns,
        outlier.strategy_publish_ns - outlier.strategy_pick_ns,
        outlier.sent_ns - outlier.gateway_pick_ns,
    )
    return Cause.QUEUE if wait_ns > service_ns else Cause.WORK


@compiled
def explain(watch_address: int, sent_address: int, outlier_address: int, budget_ns: int) -> None:
    """Write an OUTLIER about one SENT: what its time was lost to."""
    copy_bytes(outlier_address, sent_address, SENT_BYTES)
    zero_bytes(outlier_address + SENT_BYTES, REST_BYTES)
    outlier = record_at(outlier_address, OUTLIER_DTYPE)
    outlier.budget_ns = budget_ns
    begin_ns = outlier.kernel_ns
    explain_hop(watch_address, outlier, 0, begin_ns, outlier.ingest_publish_ns)
    begin_ns = outlier.ingest_publish_ns
    explain_hop(watch_address, outlier, 1, begin_ns, outlier.book_publish_ns)
    begin_ns = outlier.book_publish_ns
    explain_hop(watch_address, outlier, 2, begin_ns, outlier.strategy_publish_ns)
    begin_ns = outlier.strategy_publish_ns
    explain_hop(watch_address, outlier, 3, begin_ns, outlier.sent_ns)
    outlier.cause = cause_of(outlier_address)


class StallWatch:
    """Cold: the memory behind a WATCH record.

    ``handles`` are one RING record for each stage, ``cpu_indexes`` say which CPU each runs on; both
    in the order of the wiring's roles.  ``hop_roles`` are the stages that an order passed, by their
    place in that order.  ``stall_count_max`` bounds how far back it looks.
    """

    def __init__(
        self,
        handles: list[RecordArray],
        cpu_indexes: list[int],
        hop_roles: list[int],
        stall_count_max: int,
    ) -> None:
        cpus = np.array(cpu_indexes)
        self._rings = np.concatenate(handles)
        self._shared = (cpus[:, None] == cpus[None, :]).astype(np.int64)
        self._hop_roles = np.array(hop_roles, np.int64)
        self._copy = np.zeros(1, STALL.dtype)
        self._record = np.zeros(1, WATCH.dtype)
        self._record["rings_address"] = address_of(self._rings)
        self._record["role_count"] = len(handles)
        self._record["hop_roles_address"] = address_of(self._hop_roles)
        self._record["stall_count_max"] = stall_count_max
        self._record["shared_address"] = address_of(self._shared)
        self._record["copy_address"] = address_of(self._copy)

    @property
    def address(self) -> int:
        """Where compiled code finds the record; valid as long as this object lives."""
        return address_of(self._record)
