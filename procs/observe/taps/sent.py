"""The orders that a run sends, with every stamp and the time that the machine took."""

from itertools import pairwise
from typing import Any

import numpy as np

from ipc.memory import address_of
from ipc.types import RecordArray
from procs.observe.samples.view import RunView
from procs.observe.taps.tap import Tap
from procs.plan.run_records import HOPS, OUTLIER
from procs.plan.wiring import SENT_ROWS, STALL_ROWS, AccountWiring, stall_ring
from procs.stages.base.outliers import Cause, StallWatch, cause_of, explain
from vortex.records import SENT

#: The stamps of an order in the order of a tick; a part is the time between two of them.
STAMPS = (
    "kernel_ns", "recv_ns", "ingest_publish_ns", "book_pick_ns", "book_publish_ns",
    "strategy_pick_ns", "strategy_publish_ns", "gateway_pick_ns", "sent_ns",
)  # fmt: skip
PARTS = tuple(f"{hop} {part}" for hop in HOPS for part in ("wait", "service"))


class SentByAccount:
    """Follows what the gateway of one account sends."""

    def __init__(self, view: RunView, account: AccountWiring, row_count: int) -> None:
        roles = view.wiring.roles
        self.tap = Tap(view.rings[account.named("sent")], from_oldest=False)
        self._rings = [view.rings[stall_ring(role)].handle for role in roles]
        self._cpus = [int(view.status(role)["cpu_index"]) for role in roles]
        hop_roles = view.wiring.hop_roles(account.role)
        self._watch = StallWatch(self._rings, self._cpus, hop_roles, STALL_ROWS)
        # Filled, not np.zeros: the kernel would allocate those pages one by one at each write.
        self._room: RecordArray = np.full(row_count, 0, SENT.dtype)
        self._rows: RecordArray = np.full(row_count, 0, OUTLIER.dtype)
        self._waiting = self._room[:0]

    def take(self) -> RecordArray:
        """Return the OUTLIER of each order that a frame caused, up to the previous call."""
        rows = self._rows[: len(self._waiting)]
        for index in range(len(rows)):
            sent_address = address_of(self._room) + index * SENT.dtype.itemsize
            row_address = address_of(self._rows) + index * OUTLIER.dtype.itemsize
            explain(self._watch.address, sent_address, row_address, 0)
        self._waiting = self.tap.fill(self._room)
        return rows[rows["kernel_ns"] != 0]  # a copy


class SentOrders:
    """Follows what a running instance sends; frequent calls of ``take`` miss nothing."""

    def __init__(self, view: RunView, row_count: int = SENT_ROWS) -> None:
        """``row_count`` bounds one call's records of an account, and so the memory."""
        self._accounts = [SentByAccount(view, each, row_count) for each in view.wiring.accounts]

    @property
    def lost_count(self) -> int:
        """How many records were overwritten before they were read."""
        return sum(each.tap.lost_count for each in self._accounts)

    def take(self) -> RecordArray:
        """Return the OUTLIER of each order that a frame caused, up to the previous call.

        One call late, because a stage publishes a slow iteration only when it ends.  The orders of
        one account are in the order in which they were sent, one account after the other.
        """
        return np.concatenate([each.take() for each in self._accounts])


def total_ns(row: Any) -> int:
    """Return how long an order took, tick to order."""
    return int(row["sent_ns"]) - int(row["kernel_ns"])


def parts_ns(row: Any) -> list[int]:
    """Return the duration of each of ``PARTS``; they sum to ``total_ns``."""
    return [int(row[end]) - int(row[begin]) for begin, end in pairwise(STAMPS)]


def cause_over(row: Any, budget_ns: int) -> Cause:
    """Return the cause of an OUTLIER's delay, against another budget than its own."""
    copy = np.zeros(1, OUTLIER.dtype)
    copy[0] = row
    copy["budget_ns"] = budget_ns
    return Cause(cause_of(address_of(copy)))


def cause_text(row: Any, cause: Cause) -> str:
    """Return the cause of an OUTLIER's delay, for people."""
    parts = parts_ns(row)
    longest = int(np.argmax(parts))
    hop = HOPS[longest // 2]
    if cause == Cause.PLATFORM:
        lost = row["lost_ns"]
        return f"its CPU was away {lost.sum() / 1000:.0f} us, most in {HOPS[lost.argmax()]}"
    if cause == Cause.FAULT:
        return f"{row['fault_count']} page faults"
    if cause == Cause.RESYNC:
        return "its book resynchronised"
    if cause == Cause.BURST:
        return f"{row['merged_count']} frames arrived at once"
    took_us = parts[longest] / 1000
    if cause == Cause.QUEUE:
        return f"waited {took_us:.0f} us for {hop} to iterate"
    return f"{hop} worked {took_us:.0f} us on it"
