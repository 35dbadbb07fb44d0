"""Topics of one category, and who listens to them.

A message is encoded once, and only when somebody listens; what one step of the market publishes
leaves in one write per client.
"""

from collections.abc import Callable
from functools import partial
from typing import Protocol

from procs.exchange.doors.web_frames import FrameMeter, frame_header
from procs.exchange.faults.arming import Faults
from procs.exchange.faults.faults import Disguise, Silence


class Listener(Protocol):
    """Somebody to whom frames are sent."""

    pending: list[bytes]
    can_write: bool

    def queue_disguised(self, message: bytes) -> None:
        """Queue a message in the form that a fault gives it."""

    def flush(self) -> None:
        """Write what is queued."""


class PublicTopic:
    """One topic; ``first`` gives the messages that a new listener gets before all others."""

    def __init__(self, name: str, topics: "PublicTopics", first: Callable[[], list[bytes]]) -> None:
        self.name = name
        self.first = first
        self.listeners: set[Listener] = set()
        self._topics = topics

    def is_wanted(self) -> bool:
        """Return whether anybody listens."""
        return bool(self.listeners)

    def is_silent(self) -> bool:
        """Return whether a fault keeps the topic from saying anything."""
        faults = self._topics.faults
        return faults.standing(Silence, lambda fault: fault.streams in self.name) is not None

    def publish(self, message: bytes, *, is_delta: bool = False) -> None:
        """Send a message to all who listen, at the end of this step."""
        if self.is_silent() or not self.listeners:
            return
        if is_delta:
            self._topics.faults.carry("diffs", partial(self._send, message), stream=self.name)
        else:
            self._send(message)

    def _send(self, message: bytes) -> None:
        for listener in self.listeners:
            self.send_to(listener, message)
        self._topics.message_count += 1

    def send_to(self, listener: Listener, message: bytes) -> None:
        """Queue a message for one listener."""
        if self._topics.faults.standing(Disguise) is not None:
            listener.queue_disguised(message)
        else:
            listener.pending += (frame_header(len(message)), message)
        self._topics.frames_sent_count += 1


class PublicTopics:
    """All topics of one category."""

    def __init__(self, category: str, faults: Faults) -> None:
        self.category = category
        self.faults = faults
        self.topics: dict[str, PublicTopic] = {}
        self.symbols: set[str] = set()
        self.connections: set[Listener] = set()
        self.frames_sent_count = 0
        self.message_count = 0
        self.meter = FrameMeter()
        self.on_subscribed: Callable[[], None] | None = None

    def add(self, name: str, first: Callable[[], list[bytes]]) -> PublicTopic:
        """Open a topic."""
        topic = self.topics[name] = PublicTopic(name, self, first)
        return topic

    def can_write(self) -> bool:
        """Return whether no client's socket is full."""
        return all(connection.can_write for connection in self.connections)

    def flush(self, now_ns: int) -> None:
        """Write what was published since the last call, and count it as of ``now_ns``."""
        for connection in tuple(self.connections):
            connection.flush()
        self.meter.add(self.message_count - self.meter.count, now_ns)
