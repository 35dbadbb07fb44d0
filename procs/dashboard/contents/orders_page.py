"""Single orders, from the rings: the slowest of the last minute, the newest events."""

from collections import deque
from typing import Any

import numpy as np

from ipc.types import RecordArray
from procs.dashboard.contents.display_units import DisplayUnits
from procs.observe.samples.view import RunView
from procs.observe.taps.sent import SentOrders, cause_over, cause_text, parts_ns, total_ns
from procs.observe.taps.tap import Tap
from procs.plan.run_records import OUTLIER
from vortex.codes import Kind, Reject, Side
from vortex.records import ORDER_EVENT

NS_PER_S = 10**9
WORST_COUNT = 20
KEPT_S = 60
EVENT_COUNT = 60
#: Records taken at one look, every tenth of a second; further ones wait in their ring.
ORDERS_A_LOOK, EVENTS_A_LOOK = 512, 1_024


def whole_orders(view: RunView) -> "np.ndarray[Any, Any]":
    """Return the rows of the order table that were not being written."""
    found = []
    for account in view.wiring.accounts:
        rows = view.records(account.named("orders"))
        copy = np.array(rows)
        is_whole = (copy["version"] == rows["version"]) & (copy["version"] % 2 == 0)
        found.append(copy[is_whole])
    return np.concatenate(found)


class Slowest:
    """The slowest orders of each of the last ``KEPT_S`` seconds, in memory that never grows."""

    def __init__(self) -> None:
        # One second more than is shown: the first and the last second are incomplete.
        self.rows: RecordArray = np.zeros((KEPT_S + 1, WORST_COUNT), OUTLIER.dtype)

    def take(self, rows: RecordArray) -> None:
        """Add orders (OUTLIER) that were just sent."""
        seconds = rows["sent_ns"] // NS_PER_S
        for second in np.unique(seconds):
            kept = self.rows[second % len(self.rows)]
            of_then = kept[kept["sent_ns"] // NS_PER_S == second]
            most = slowest_of(np.concatenate([of_then, rows[seconds == second]]))
            kept[:] = 0
            kept[: len(most)] = most

    def worst(self, now_ns: int) -> RecordArray:
        """Return the slowest of the last ``KEPT_S`` seconds, the slowest first."""
        rows = self.rows.reshape(-1)
        is_shown = (rows["sent_ns"] > 0) & (now_ns - rows["sent_ns"] < KEPT_S * NS_PER_S)
        return slowest_of(rows[is_shown])


def slowest_of(rows: RecordArray) -> RecordArray:
    """Return the ``WORST_COUNT`` slowest of some orders, the slowest first."""
    took_ns = rows["sent_ns"] - rows["kernel_ns"]
    return rows[np.argsort(-took_ns, kind="stable")[:WORST_COUNT]]


class OrderWatch:
    """Follows the orders that one run sends, and its order events."""

    def __init__(self, view: RunView, units: DisplayUnits) -> None:
        self.view, self.units = view, units
        self.sent = SentOrders(view, ORDERS_A_LOOK)
        self.events = [
            Tap(view.rings[account.named("events")], from_oldest=False)
            for account in view.wiring.accounts
        ]
        # All of its pages now, as in SentOrders.
        self._event_rows: RecordArray = np.full(EVENTS_A_LOOK, 0, ORDER_EVENT.dtype)
        self.budget_ns = view.config.latency.budget_us * 1_000
        self.slowest = Slowest()
        self.newest_events: deque[dict[str, Any]] = deque(maxlen=EVENT_COUNT)
        self.newest_fills: deque[dict[str, Any]] = deque(maxlen=EVENT_COUNT)

    def look(self) -> None:
        """Take the records since the last look."""
        rows = self.sent.take()
        self.slowest.take(rows[rows["kind"] != Kind.CANCEL])
        for events in self.events:
            self.keep_events(events.fill(self._event_rows))

    def facts_of(self, row: Any) -> dict[str, Any]:
        """Return one order (an OUTLIER) for people; times in microseconds."""
        instrument_id = int(row["instrument_id"])
        took_ns = total_ns(row)
        cause = "within its budget"
        if took_ns > self.budget_ns:
            cause = cause_text(row, cause_over(row, self.budget_ns))
        return {
            "wall_ms": self.units.wall_ms(int(row["sent_ns"])),
            "order_id": int(row["order_id"]),
            "symbol": self.units.symbols[instrument_id],
            "side": Side(int(row["side"])).name.lower(),
            "kind": Kind(int(row["kind"])).name.lower(),
            "price": self.units.price(instrument_id, int(row["price_ticks"])),
            "total_us": took_ns / 1e3,
            "parts_us": [part_ns / 1e3 for part_ns in parts_ns(row)],
            "lost_us": int(row["lost_ns"].sum()) / 1e3,
            "cause": cause,
        }

    def worst(self) -> list[dict[str, Any]]:
        """Return the slowest orders of the last minute, the slowest first."""
        return [self.facts_of(row) for row in self.slowest.worst(self.view.now_ns())]

    def keep_events(self, events: RecordArray) -> None:
        """Keep the newest of some order events for people, and the newest fills."""
        is_fill = events["kind"] == Kind.FILLED
        is_kept = np.arange(len(events)) >= len(events) - EVENT_COUNT
        is_kept[np.flatnonzero(is_fill)[-EVENT_COUNT:]] = True
        for event in events[is_kept]:
            self.keep_event(event)

    def keep_event(self, event: Any) -> None:
        """Keep one order event for people."""
        kind = Kind(int(event["kind"]))
        instrument_id = int(event["instrument_id"])
        if not 0 <= instrument_id < len(self.units.symbols):
            return
        units = self.units
        entry = {
            "wall_ms": units.wall_ms(int(event["publish_ns"])),
            "what": kind.name.lower(),
            "symbol": units.symbols[instrument_id],
            "side": side_name(int(event["side"])),
            "price": units.price(instrument_id, int(event["price_ticks"])),
            "remaining": units.quantity(instrument_id, int(event["remaining_lots"])),
            "reason": Reject(int(event["reason"])).name.lower() if event["reason"] else "",
        }
        self.newest_events.appendleft(entry)
        if kind == Kind.FILLED:
            self.newest_fills.appendleft({
                **entry,
                "price": units.price(instrument_id, int(event["fill_ticks"])),
                "qty": units.quantity(instrument_id, int(event["fill_lots"])),
                "is_maker": bool(event["is_maker"]),
                "position": units.quantity(instrument_id, int(event["position_lots"])),
            })  # fmt: skip


def side_name(side: int) -> str:
    """Return a side for people, empty for none."""
    return Side(side).name.lower() if side in (Side.BUY, Side.SELL) else ""
