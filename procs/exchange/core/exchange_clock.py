"""The exchange's clock: the wall clock, and what a fault has put it wrong by."""

import time
from collections.abc import Callable


class Clock:
    """Tells the time that the exchange believes in."""

    def __init__(self, skew_ms: Callable[[], int]) -> None:
        self._skew_ms = skew_ms

    def now_ms(self) -> int:
        """Return milliseconds since 1970."""
        return time.time_ns() // 1_000_000 + self._skew_ms()
