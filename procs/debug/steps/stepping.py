"""``vortexctl step``: shows the input, output and changes of each recorded step."""

import cmd
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from ipc.types import RecordArray
from procs.debug.steps.moments import Moment
from procs.debug.steps.repeat import Repeater, all_differences, record_count
from procs.debug.steps.sources import Part, StepSource
from procs.observe.taps import decode
from procs.observe.taps.tap import Copy

CHANGES_SHOWN = 8
#: Fields that change with every step and mean nothing here.
UNTOLD = (*decode.HIDDEN, "version", "cause_id", "consumed_seq", "update_id", "update_count")


class Stepper:
    """Steps through a source and prints each step; ``close`` releases its memory."""

    def __init__(self, source: StepSource, say: Callable[[str], None]) -> None:
        self.source = source
        self.say = say
        self.symbols = source.launch.config.symbols
        self.step_count = self.equal_count = self.differing_count = 0
        self.repeater: Repeater | None = None
        self.moment: Moment | None = None
        self.outputs: dict[str, list[Copy]] = {}
        self._compares = False
        self._last_ns = 0
        self._moments = self._all_moments()

    def _all_moments(self) -> Iterator[Moment]:
        """Yield the moments of all parts, each repeated from its start."""
        for part in self.source.parts:
            self._begin(part)
            yield from part.moments

    def _begin(self, part: Part) -> None:
        """Begin with another part."""
        self.close()
        if part.note:
            self.say(part.note)
        self.repeater = Repeater(self.source.role, self.source.launch, part.start)
        self._compares = part.compares
        self._last_ns = part.start.now_ns

    def next(self) -> Moment | None:
        """Return the next step, or None when there is no more."""
        return next(self._moments, None)

    def step(self, moment: Moment) -> None:
        """Take one step and print it."""
        assert self.repeater is not None, "next comes first"
        before = {name: records.copy() for name, records in self.repeater.tables().items()}
        self.say(f"step {moment.step_seq}  +{(moment.now_ns - self._last_ns) / 1e9:.6f} s")
        self._last_ns = moment.now_ns
        for name, copies in moment.inputs.items():
            self._tell("in ", name, copies, moment.shift)
        self.moment, self.outputs = moment, self.repeater.step(moment)
        self.step_count += 1
        for name, copies in self.outputs.items():
            self._tell("out", name, copies)
        self._compare(moment)
        for line in self._changes(before)[:CHANGES_SHOWN]:
            self.say(f"  now {line}")

    def _tell(self, word: str, ring_name: str, copies: list[Copy], shift: int = 0) -> None:
        """Print some records of a ring."""
        assert self.repeater is not None, "next comes first"
        spec = self.repeater.stage.wiring.links[ring_name].spec
        for copy in copies:
            layout = decode.layout_of(spec, copy.raw)
            if layout is not None and layout.name != "levels":
                fields = decode.with_symbol(decode.fields_of(layout, copy.raw), self.symbols)
                self.say(
                    f"  {word} {ring_name} {decode.one_line(copy.seq + shift, layout, fields)}"
                )

    def _compare(self, moment: Moment) -> None:
        """Print where the stage's recorded output differs."""
        if not self._compares:
            return
        assert self.repeater is not None, "next comes first"
        found = all_differences(self.repeater.stage.wiring, self.outputs, moment.outputs)
        self.differing_count += len(found)
        self.equal_count += max(record_count(moment.outputs) - len(found), 0)
        for line in found:
            self.say(f"  DIFFERS {line}")

    def _changes(self, before: dict[str, RecordArray]) -> list[str]:
        """Return the changes of a step in the stage's own tables, without times."""
        assert self.repeater is not None, "next comes first"
        lines = []
        for name, records in self.repeater.tables().items():
            layout = self.repeater.stage.wiring.tables[name].layout
            names = [field.name for field in layout.fields if field.name not in UNTOLD]
            shown = [each for each in names if not each.endswith("_ns")]
            shown_count = min(len(self.symbols), len(before[name]), len(records))
            for index, symbol in enumerate(self.symbols[:shown_count]):
                words = []
                for field in shown:
                    old, new = before[name][index][field], records[index][field]
                    if np.any(old != new):
                        words.append(f"{field} {plain(old)} -> {plain(new)}")
                if words:
                    lines.append(f"{name} {symbol}: {', '.join(words)}")
        return lines

    def names(self) -> dict[str, Any]:
        """Return the names for an expression: the stage's tables, and the step's records."""
        assert self.repeater is not None, "next comes first"
        rows = {name: table.view(np.recarray) for name, table in self.repeater.tables().items()}
        return {
            "symbols": self.symbols,
            "np": np,
            "step": self.moment,
            "out": [each for copies in self.outputs.values() for each in copies],
            **rows,
        }

    def summary(self) -> str:
        """Return the counts of the steps."""
        compared_count = self.equal_count + self.differing_count
        text = f"records: {self.equal_count} as published, {self.differing_count} differ"
        if not compared_count:
            text = "their output was not compared"
        return f"{self.step_count} steps of {self.source.role}; {text}"

    def close(self) -> None:
        """Release the memory of the stage."""
        if self.repeater is not None:
            self.repeater.close()
            self.repeater = None


def plain(value: Any) -> str:
    """Return a field's value as text."""
    return decode.shown("", value.tolist())


def take(stepper: Stepper, count_max: int | None) -> None:
    """Take steps until there are no more, or ``count_max`` were taken."""
    while count_max is None or stepper.step_count < count_max:
        moment = stepper.next()
        if moment is None:
            return
        stepper.step(moment)


class Shell(cmd.Cmd):
    """The prompt of ``vortexctl step``."""

    prompt = "(step) "
    intro = "Enter takes the next step, n N the next N, c all; p EXPR prints; q leaves; ? for more."

    def __init__(self, stepper: Stepper) -> None:
        super().__init__()
        self.stepper = stepper

    def emptyline(self) -> bool:
        """Take the next step."""
        return self.do_n("")

    def do_n(self, line: str) -> bool:
        """N [N]: take the next step, or the next N."""
        return self._take(int(line) if line.strip().isdecimal() else 1)

    def do_c(self, line: str) -> bool:
        """c: take all remaining steps; Ctrl-C returns to the prompt."""
        return self._take(None)

    def _take(self, count: int | None) -> bool:
        """Take some steps; return whether there are no more."""
        end = None if count is None else self.stepper.step_count + count
        with suppress(KeyboardInterrupt):
            take(self.stepper, end)
            return end is None or self.stepper.step_count < end
        return False

    def do_p(self, line: str) -> None:
        """P EXPR: print a Python expression of the stage's tables, `step` and `out`."""
        if self.stepper.moment is None:
            self.stepper.say("take a step first")
            return
        try:
            names = self.stepper.names()
            self.stepper.say(repr(eval(line, names)))  # as a debugger does, at its user's prompt
        except Exception as error:
            self.stepper.say(f"{type(error).__name__}: {error}")

    def do_q(self, line: str) -> bool:
        """q: leave."""
        return True

    do_EOF = do_q
