"""Repeats the steps of a stage by its own functions in private memory."""

from collections.abc import Mapping

import numpy as np

from ipc import ring
from ipc.memory import record_at, words_at
from ipc.shared import RingSpec
from ipc.types import RecordArray
from procs.debug.steps.apart import ApartMemory, Start
from procs.debug.steps.moments import Moment, rings_of
from procs.observe.taps import decode
from procs.observe.taps.tap import Copy
from procs.plan import wiring
from procs.plan.launch import Launch
from procs.plan.wiring import Wiring
from procs.stages.base.gathering import GATHERING_DTYPE
from procs.stages.base.stage import Stage
from procs.stages.joint import stage_module


class Repeater:
    """One stage in private memory, and its steps; ``close`` releases its memory.

    A step does the work of ``turn`` without the clock: the times come from the STEP record.
    """

    def __init__(self, role: str, launch: Launch, start: Start) -> None:
        self.module = stage_module(role)
        wires = wiring.wire(launch.config)
        self.rings = rings_of(wires, role)
        self.memory = ApartMemory(wires, role, start)
        self.stage = Stage(role, launch, self.memory)
        self.stage.status_record["epoch"] = start.life
        built = self.module.build(self.stage)
        self.context_address = built.context_address
        if f"merge.{role}" in start.tables:
            self.memory.fill_own()
            built.resume()
            self._restore_touched(start.tables[f"merge.{role}"])

    def _restore_touched(self, merges: RecordArray) -> None:
        """List the instruments that were touched and not yet published."""
        touched = np.flatnonzero(merges["is_touched"])
        context = record_at(self.context_address, GATHERING_DTYPE)
        words_at(int(context.touched_address), len(merges))[: len(touched)] = touched
        context.touched_count = len(touched)

    def step(self, moment: Moment) -> dict[str, list[Copy]]:
        """Take one step; return its output to each ring."""
        now_ns = moment.now_ns
        context = record_at(self.context_address, self.module.CONTEXT_DTYPE)
        for name, copies in moment.inputs.items():
            for copy in copies:
                self.memory.rings[name].put(copy)
            self.memory.rings[name].show(moment.places[name])
        while self.module.drain(context, now_ns) > 0:
            pass
        self.module.finish(context, now_ns)
        outputs = {name: self.memory.rings[name] for name in self.rings.outputs}
        for output in outputs.values():
            ring.commit(output.shared.address, moment.publish_ns)
        return {name: output.take() for name, output in outputs.items()}

    def tables(self) -> dict[str, RecordArray]:
        """Return the stage's own tables, live, without the books' pages and the counts."""
        hidden = ("books", "counters.", "status.", "latency.", "merge.", "event_counts.")
        return {
            name: table.records
            for name, table in self.memory.made.items()
            if self.stage.wiring.tables[name].owner == self.stage.role
            and not name.startswith(hidden)
        }

    def close(self) -> None:
        """Release everything."""
        self.stage.close()


def all_differences(
    wires: Wiring, ours: Mapping[str, list[Copy]], theirs: Mapping[str, list[Copy]]
) -> list[str]:
    """Return where the outputs of a step differ, ring by ring, as ``differences`` does."""
    return [
        f"{name} {line}" if len(theirs) > 1 else line
        for name, copies in theirs.items()
        for line in differences(wires.links[name].spec, ours[name], copies)
    ]


def record_count(outputs: Mapping[str, list[Copy]]) -> int:
    """Return how many records were published to all rings."""
    return sum(len(copies) for copies in outputs.values())


def differences(spec: RingSpec, ours: list[Copy], theirs: list[Copy]) -> list[str]:
    """Return where two outputs differ, a line each; reserved fields are not compared."""
    found = []
    for mine, other in zip(ours, theirs, strict=False):
        layout, other_layout = (decode.layout_of(spec, copy.raw) for copy in (mine, other))
        if layout is None or other_layout is None or layout is not other_layout:
            found.append(f"{other.seq}: another kind of record")
            continue
        fields = decode.named(decode.fields_of(layout, mine.raw))
        published = decode.named(decode.fields_of(layout, other.raw))
        words = [f"{name}={fields[name]}, published {published[name]}"
                 for name in fields if fields[name] != published[name]]  # fmt: skip
        if words:
            found.append(
                f"{other.seq} {decode.code_name('kind', other.raw[0])}: {'; '.join(words)}"
            )
    if len(ours) != len(theirs):
        found.append(f"{len(ours)} records, published {len(theirs)}")
    return found
