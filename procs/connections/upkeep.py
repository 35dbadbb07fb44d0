"""Keeps a connection alive: pings on silence, and a successor before it expires.

Ingest and gateway use it alike.  A successor is opened and subscribed before the old connection is
closed, so that no message is missed in between.
"""

import random
import time
from enum import Enum
from typing import Any

from ipc.clock import now_ns
from procs.plan.config import Connections

BACKOFF_S_MIN = 0.2
BACKOFF_S_MAX = 5.0
NS_PER_S = 1_000_000_000


class Backoff:
    """The wait before the next try: doubling, with jitter."""

    def __init__(self) -> None:
        self._delay_s = BACKOFF_S_MIN
        self._next = 0.0

    def is_over(self) -> bool:
        """Return whether the next try may be made."""
        return time.monotonic() >= self._next

    def failed(self) -> None:
        """Wait longer than the last time."""
        self._next = time.monotonic() + self._delay_s * random.uniform(0.8, 1.2)
        self._delay_s = min(2 * self._delay_s, BACKOFF_S_MAX)

    def hold(self, seconds: float) -> None:
        """Wait at least this long: the venue demands it."""
        self._next = max(self._next, time.monotonic() + seconds)

    def reset(self) -> None:
        """Return to the shortest wait."""
        self._delay_s = BACKOFF_S_MIN


class Need(Enum):
    """The next action that a connection needs."""

    NOTHING = 0
    PING = 1  # silent for a while: check that the peer lives
    DROP = 2  # silent in spite of the ping
    SUCCESSOR = 3  # its time is almost up


class Upkeep:
    """Watches one open connection through its CONNECTION record, which the hot thread writes."""

    def __init__(
        self, settings: Connections, record: Any, clock_address: int, ping_every_s: float = 0.0
    ) -> None:
        """``ping_every_s`` is how often the venue wants to be pinged; 0 for on silence alone."""
        self.settings = settings
        self.ping_every_s = ping_every_s
        self.record = record
        self.clock_address = clock_address
        self.begin()

    def begin(self) -> None:
        """Begin with a fresh connection."""
        self.since_ns = now_ns(self.clock_address)
        self.pinged_ns = self.since_ns
        self.is_ending = False
        self.is_given_up = False

    @property
    def age_s(self) -> float:
        """How long the connection has been in use."""
        return (now_ns(self.clock_address) - self.since_ns) / NS_PER_S

    def end_soon(self) -> None:
        """Note that the venue announced the end of the connection."""
        self.is_ending = True

    def need(self) -> Need:
        """Return the next action that the connection needs; each need is returned once."""
        now = now_ns(self.clock_address)
        heard_ns = max(int(self.record["heard_ns"]), self.since_ns)
        silent_s = (now - heard_ns) / NS_PER_S
        if self.is_given_up:
            return Need.NOTHING
        if silent_s > self.settings.dead_after_s:
            self.is_given_up = True
            return Need.DROP
        if silent_s > self.settings.ping_after_s and self.pinged_ns <= heard_ns:
            self.pinged_ns = now
            return Need.PING
        if 0 < self.ping_every_s <= (now - self.pinged_ns) / NS_PER_S:
            self.pinged_ns = now
            return Need.PING
        if self.is_ending or self.age_s > self.settings.renew_after_s:
            return Need.SUCCESSOR
        return Need.NOTHING
