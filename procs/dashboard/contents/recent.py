"""The samples of the last seconds."""

from collections import deque
from typing import Generic, TypeVar

from procs.observe.samples.sample import Sample

Seen = TypeVar("Seen")


class Recent(Generic[Seen]):
    """Samples in order; the oldest one is at least as old as the span, when there is one."""

    def __init__(self, span_ns: int) -> None:
        self.span_ns = span_ns
        self._lives: list[int] = []
        self._looks: deque[tuple[int, Seen]] = deque()  # when, and what

    def push(self, sample: Sample, seen: Seen) -> None:
        """Add a value at the time of a sample."""
        lives = [stage.epoch for stage in sample.stages.values()]
        if lives != self._lives:
            self._looks.clear()  # a stage restarted, and so did its counts
            self._lives = lives
        self._looks.append((sample.now_ns, seen))
        while len(self._looks) > 2 and sample.now_ns - self._looks[1][0] >= self.span_ns:
            self._looks.popleft()

    @property
    def oldest(self) -> Seen:
        """The value to compare the newest with."""
        return self._looks[0][1]

    @property
    def before(self) -> Seen:
        """The value before the newest; the newest itself when it is the only one."""
        return self._looks[max(len(self._looks) - 2, 0)][1]

    @property
    def newest(self) -> Seen:
        """The newest value."""
        return self._looks[-1][1]
