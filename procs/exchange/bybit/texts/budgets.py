"""Budgets of a rolling window, and the headers that report them.

*Source:* the venue's documents, "Rate Limit Rules".
"""

import time
from collections import deque

from procs.exchange.bybit.texts.bybit_refusals import TOO_MANY_VISITS, BybitRefusal
from procs.exchange.core.exchange_clock import Clock
from procs.exchange.core.exchange_config import BybitConfig

SECOND_NS = 1_000_000_000


class RequestBudget:
    """So many requests in any window of this length."""

    def __init__(self, limit: int, window_ns: int = SECOND_NS) -> None:
        self.limit = limit
        self._window_ns = window_ns
        self._times_ns: deque[int] = deque()

    def _forget(self) -> int:
        now_ns = time.monotonic_ns()
        while self._times_ns and self._times_ns[0] <= now_ns - self._window_ns:
            self._times_ns.popleft()
        return now_ns

    def take(self) -> bool:
        """Count one request; return whether there was room."""
        now_ns = self._forget()
        if len(self._times_ns) >= self.limit:
            return False
        self._times_ns.append(now_ns)
        return True

    def left_count(self) -> int:
        """Return how many requests there is room for."""
        self._forget()
        return self.limit - len(self._times_ns)

    def reset_in_ms(self) -> int:
        """Return when the oldest request leaves the window; 0 when there is none."""
        now_ns = self._forget()
        if not self._times_ns:
            return 0
        return max(0, self._times_ns[0] + self._window_ns - now_ns) // 1_000_000


class Budgets:
    """The budgets of one account: for each category and kind of request its own."""

    def __init__(self, config: BybitConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._budgets: dict[tuple[str, str], RequestBudget] = {}

    def budget(self, category: str, kind: str) -> RequestBudget:
        """Return the budget of a kind of request: create, amend, cancel, cancel-all or query."""
        key = (category, kind)
        if key not in self._budgets:
            config = self._config
            limit = config.linear_orders_per_s if category == "linear" else config.spot_orders_per_s
            if kind == "query":
                limit = config.queries_per_s
            elif kind.startswith("amend") and category == "spot":
                limit = config.spot_amends_per_s
            self._budgets[key] = RequestBudget(limit)
        return self._budgets[key]

    def take(self, category: str, kind: str) -> None:
        """Count a request, or refuse it."""
        if not self.budget(category, kind).take():
            raise BybitRefusal(10006, TOO_MANY_VISITS)

    def headers(self, category: str, kind: str) -> dict[str, str]:
        """Return what an answer says of the budget that it was counted in."""
        budget = self.budget(category, kind)
        left_count = budget.left_count()
        wait_ms = 0 if left_count else budget.reset_in_ms()
        return {
            "X-Bapi-Limit": str(budget.limit),
            "X-Bapi-Limit-Status": str(left_count),
            "X-Bapi-Limit-Reset-Timestamp": str(self._clock.now_ms() + wait_ms),
        }
