"""The samples of the last so many seconds of a run."""

from collections import deque

from procs.observe.sample import Sample


class Recent:
    """Samples in order, the oldest no younger than the span where there is one."""

    def __init__(self, span_ns: int) -> None:
        self.span_ns = span_ns
        self.samples: deque[Sample] = deque()

    def push(self, sample: Sample) -> None:
        """Take the sample of now."""
        if self.samples and lives_of(sample) != lives_of(self.newest):
            self.samples.clear()  # a stage began anew, and so did what it counts
        self.samples.append(sample)
        while len(self.samples) > 2 and sample.now_ns - self.samples[1].now_ns >= self.span_ns:
            self.samples.popleft()

    @property
    def oldest(self) -> Sample:
        """The sample to compare the newest with."""
        return self.samples[0]

    @property
    def before(self) -> Sample:
        """The sample before the newest; the newest itself when it is the only one."""
        return self.samples[max(len(self.samples) - 2, 0)]

    @property
    def newest(self) -> Sample:
        """The sample that was taken last."""
        return self.samples[-1]


def lives_of(sample: Sample) -> list[int]:
    """Return how often each stage was started."""
    return [stage.epoch for stage in sample.stages.values()]
