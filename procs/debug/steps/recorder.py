"""Records the inputs and outputs of a running stage, step by step."""

import time
from collections.abc import Iterable
from typing import IO

import numpy as np

from procs.debug.steps import standing
from procs.debug.steps.apart import Start
from procs.debug.steps.follow import Follower
from procs.debug.steps.moments import Moment, rings_of
from procs.debug.steps.sources import KNOWN_TABLES
from procs.debug.steps.step_recording import head_line
from procs.observe.samples.view import RunView
from procs.observe.taps import decode
from procs.observe.taps.tap import Copy
from procs.observe.watch import is_over
from procs.plan.launch import Launch

LOOK_S = 0.002
LIFE_S = 0.2


def ring_start(view: RunView) -> Start:
    """Return the start for the records of one ring alone: an empty state."""
    tables = {name: np.array(view.records(name)) for name in KNOWN_TABLES}
    return Start(view.now_ns(), 1, {}, tables)


class Recorder:
    """One recording of one stage; ``run`` writes it."""

    def __init__(self, view: RunView, role: str, launch: Launch, count_max: int | None) -> None:
        """Raise NotRepeatable when the steps of the stage cannot be repeated."""
        self.view = view
        self.role = role
        self.launch = launch
        self.count_max = count_max
        self.rings = rings_of(view.wiring, role)
        self.step_count = 0
        self.break_count = 0
        self.is_over = False

    def is_done(self) -> bool:
        """Return whether the requested number of steps is written, or no more can follow."""
        return self.is_over or (self.count_max is not None and self.step_count >= self.count_max)

    def run(self, out: IO[str]) -> None:
        """Write until it is done; raise NeverStill when the stage could not be copied."""
        while not self.is_done():
            if not self.view.is_alive(self.role):
                time.sleep(LIFE_S)
                self.is_over = is_over(self.view)
                continue
            start = standing.take(self.view, self.role)
            out.write(head_line(self.launch, self.role, "", "", start))
            self.write_from(start, out)

    def write_from(self, start: Start, out: IO[str]) -> None:
        """Write the steps after ``start``, as long as none is missing."""
        follower = Follower(self.view, self.role, start)
        next_life_s = 0.0
        while not self.is_done():
            moment = follower.next()
            if moment is not None:
                out.writelines(self.lines_of(moment))
                self.step_count += 1
            elif follower.gatherer.broken:
                self.break_count += 1
                return
            else:
                out.flush()
                if time.monotonic() > next_life_s:
                    next_life_s = time.monotonic() + LIFE_S
                    self.is_over = is_over(self.view)
                time.sleep(LOOK_S)

    def lines_of(self, moment: Moment) -> Iterable[str]:
        """Yield the inputs of a step, its output, and its STEP record, which ends it."""
        for name, copies in moment.inputs.items():
            yield from (self.line_of(name, copy) for copy in copies)
        for name, copies in moment.outputs.items():
            yield from (self.line_of(name, copy) for copy in copies)
        yield self.line_of(self.rings.steps, Copy(moment.step_seq, moment.step))

    def line_of(self, name: str, copy: Copy) -> str:
        """Return one record as a line."""
        layout = decode.layout_of(self.view.rings[name].spec, copy.raw)
        assert layout is not None, f"{name} carries a kind of record that it does not declare"
        fields = decode.with_symbol(decode.fields_of(layout, copy.raw), self.view.config.symbols)
        return decode.json_line(name, copy.seq, layout, fields)

    def summary(self) -> str:
        """Return the counts of the recording."""
        breaks = f", restarted {self.break_count} times" if self.break_count else ""
        return f"{self.step_count} steps of {self.role}{breaks}; `vortexctl step FILE` repeats them"
