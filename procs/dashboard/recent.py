"""The samples of the last so many seconds of a run.

Only the newest two are kept as they are.  A sample is some thousand objects, and more the longer a
run lasts; the others are kept as bytes, of which only the oldest is ever read again.
"""

from collections import deque

import msgspec

from procs.observe.sample import Sample

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Sample).decode


class Recent:
    """Samples in order, the oldest no younger than the span where there is one."""

    def __init__(self, span_ns: int) -> None:
        self.span_ns = span_ns
        self._newest: list[Sample] = []  # two at most, the newest last
        self._packed: deque[tuple[int, bytes]] = deque()  # times and samples before the newest

    def push(self, sample: Sample) -> None:
        """Take the sample of now."""
        if self._newest and lives_of(sample) != lives_of(self.newest):
            self._newest.clear()  # a stage began anew, and so did what it counts
            self._packed.clear()
        elif self._newest:
            self._packed.append((self.newest.now_ns, _encode(self.newest)))
        self._newest = [*self._newest[-1:], sample]
        while len(self._packed) > 1 and sample.now_ns - self._packed[1][0] >= self.span_ns:
            self._packed.popleft()

    @property
    def oldest(self) -> Sample:
        """The sample to compare the newest with."""
        return _decode(self._packed[0][1]) if self._packed else self.newest

    @property
    def before(self) -> Sample:
        """The sample before the newest; the newest itself when it is the only one."""
        return self._newest[0]

    @property
    def newest(self) -> Sample:
        """The sample that was taken last."""
        return self._newest[-1]


def lives_of(sample: Sample) -> list[int]:
    """Return how often each stage was started."""
    return [stage.epoch for stage in sample.stages.values()]
