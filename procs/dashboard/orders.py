"""Single orders, read from the rings: the slowest of the last minute, and the newest events."""

from collections import deque
from typing import Any

import numpy as np

from procs.dashboard.units import Units
from procs.observe.sent import SentOrders, cause_over, cause_text, parts_ns, total_ns
from procs.observe.tap import Tap
from procs.view import View
from vortex.codes import Kind, Reject, Side
from vortex.records import ORDER_EVENT

WORST_COUNT = 20
KEPT_NS = 60 * 10**9
EVENT_COUNT = 60


def whole_orders(view: View) -> "np.ndarray[Any, Any]":
    """Return the rows of the order table that nobody was writing."""
    rows = view.records("orders")
    copy = np.array(rows)
    is_whole = (copy["version"] == rows["version"]) & (copy["version"] % 2 == 0)
    return copy[is_whole]


class OrderWatch:
    """Follows what one run sends, and its order events."""

    def __init__(self, view: View, units: Units) -> None:
        self.view, self.units = view, units
        self.sent = SentOrders(view)
        self.events = Tap(view.rings["events"], from_oldest=False)
        self.budget_ns = view.config.latency.budget_us * 1_000
        self.slow: list[dict[str, Any]] = []
        self.newest_events: deque[dict[str, Any]] = deque(maxlen=EVENT_COUNT)
        self.newest_fills: deque[dict[str, Any]] = deque(maxlen=EVENT_COUNT)

    def look(self) -> None:
        """Take what passed since the last look."""
        self.slow += [self.told(row) for row in self.sent.take() if row["kind"] != Kind.CANCEL]
        self.keep_slowest(self.view.now_ns())
        for each in self.events.copy():
            self.see_event(np.frombuffer(each.raw, ORDER_EVENT.dtype, 1)[0])

    def keep_slowest(self, now_ns: int) -> None:
        """Forget what is too old to be shown, or too fast to be ever among the worst."""
        recent = [each for each in self.slow if now_ns - each["at_ns"] < KEPT_NS]
        self.slow = sorted(recent, key=lambda each: -each["total_us"])
        if len(self.slow) > 50 * WORST_COUNT:
            self.slow = self.thinned(now_ns)

    def thinned(self, now_ns: int) -> list[dict[str, Any]]:
        """Return what may still be among the worst when what is slower has passed out of sight."""
        kept: list[dict[str, Any]] = []
        seen: dict[int, int] = {}
        for each in self.slow:
            second = (now_ns - each["at_ns"]) // 10**9
            seen[second] = seen.get(second, 0) + 1
            if seen[second] <= WORST_COUNT:
                kept.append(each)
        return kept

    def told(self, row: Any) -> dict[str, Any]:
        """Return one order's way (an OUTLIER) for people; times in microseconds."""
        instrument_id = int(row["instrument_id"])
        took_ns = total_ns(row)
        cause = "within its budget"
        if took_ns > self.budget_ns:
            cause = cause_text(row, cause_over(row, self.budget_ns))
        return {
            "at_ns": int(row["sent_ns"]),
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
        now_ns = self.view.now_ns()
        return [each for each in self.slow if now_ns - each["at_ns"] < KEPT_NS][:WORST_COUNT]

    def see_event(self, event: Any) -> None:
        """Keep one order event for people."""
        kind = Kind(int(event["kind"]))
        instrument_id = int(event["instrument_id"])
        if not 0 <= instrument_id < len(self.units.symbols):
            return
        units = self.units
        told = {
            "wall_ms": units.wall_ms(int(event["publish_ns"])),
            "what": kind.name.lower(),
            "symbol": units.symbols[instrument_id],
            "side": side_name(int(event["side"])),
            "price": units.price(instrument_id, int(event["price_ticks"])),
            "remaining": units.quantity(instrument_id, int(event["remaining_lots"])),
            "reason": Reject(int(event["reason"])).name.lower() if event["reason"] else "",
        }
        self.newest_events.appendleft(told)
        if kind == Kind.FILLED:
            self.newest_fills.appendleft({
                **told,
                "price": units.price(instrument_id, int(event["fill_ticks"])),
                "qty": units.quantity(instrument_id, int(event["fill_lots"])),
                "is_maker": bool(event["is_maker"]),
                "position": units.quantity(instrument_id, int(event["position_lots"])),
            })  # fmt: skip


def side_name(side: int) -> str:
    """Return a side for people, empty for none."""
    return Side(side).name.lower() if side in (Side.BUY, Side.SELL) else ""
