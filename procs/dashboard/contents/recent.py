"""What was seen of a run in the last so many seconds."""

from collections import deque
from typing import Generic, TypeVar

from procs.observe.samples.sample import Sample

Seen = TypeVar("Seen")


class Recent(Generic[Seen]):
    """Looks in order, the oldest no younger than the span where there is one."""

    def __init__(self, span_ns: int) -> None:
        self.span_ns = span_ns
        self._lives: list[int] = []
        self._looks: deque[tuple[int, Seen]] = deque()  # when, and what

    def push(self, sample: Sample, seen: Seen) -> None:
        """Take what was seen now, at the time of a sample."""
        lives = [stage.epoch for stage in sample.stages.values()]
        if lives != self._lives:
            self._looks.clear()  # a stage began anew, and so did what it counts
            self._lives = lives
        self._looks.append((sample.now_ns, seen))
        while len(self._looks) > 2 and sample.now_ns - self._looks[1][0] >= self.span_ns:
            self._looks.popleft()

    @property
    def oldest(self) -> Seen:
        """What to compare the newest with."""
        return self._looks[0][1]

    @property
    def before(self) -> Seen:
        """What was seen before the newest; the newest itself when it is the only one."""
        return self._looks[max(len(self._looks) - 2, 0)][1]

    @property
    def newest(self) -> Seen:
        """What was seen last."""
        return self._looks[-1][1]
