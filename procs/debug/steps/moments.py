"""The inputs and outputs of a stage by step, joined by its STEP records.

It serves both a running stage, by taps, and a recording.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from procs.debug.steps.apart import RingPosition, Start
from procs.observe.taps.tap import Copy
from procs.plan import wiring
from procs.plan.run_records import STEP, STEP_RING_COUNT_MAX
from procs.plan.wiring import Wiring


class NotRepeatable(Exception):
    """The steps of a stage cannot be repeated; the message says why, and what to do instead."""


class Moment(NamedTuple):
    """One step: its STEP record, its time, its inputs with their ends, and its output."""

    step_seq: int
    step: bytes
    now_ns: int
    publish_ns: int
    inputs: Mapping[str, list[Copy]]
    places: Mapping[str, RingPosition]
    outputs: Mapping[str, list[Copy]]
    #: How far the sequences of its inputs are behind those of the ring, after a renumbering.
    shift: int = 0


class StepRings(NamedTuple):
    """The rings of one stage by name."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    steps: str

    @property
    def all(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.inputs, *self.outputs, self.steps)


def is_steppable(role: str) -> bool:
    """Return whether the records of its rings are all that a stage takes."""
    return wiring.kind_of(role) in (wiring.BOOK, wiring.STRATEGY)


def rings_of(wires: Wiring, role: str) -> StepRings:
    """Return the rings of a stage whose steps can be repeated.

    Raises
    ------
    NotRepeatable
        When it takes more than records of rings, or has more inputs than a STEP record holds.
    """
    if role not in wires.roles:
        raise NotRepeatable(f"no stage {role!r}; there are {', '.join(wires.roles)}")
    if not is_steppable(role):
        raise NotRepeatable(
            f"{role} takes bytes, which no ring holds: record a whole run by `[record] intake_mb` "
            "and repeat it by `vortexctl rerun FOLDER`; "
            f"`vortexctl run {role} --pdb` debugs it in its place"
        )
    links = wires.links.values()
    # In the order of the wiring, as the stage counts them in its STEP records.
    inputs = tuple(link.name for link in links if link.reader == role)
    outputs = tuple(link.name for link in links if link.writer == role and link.reader is not None)
    if len(inputs) > STEP_RING_COUNT_MAX:
        raise NotRepeatable(
            f"{role} reads {len(inputs)} rings, its STEP records hold {STEP_RING_COUNT_MAX}; debug "
            "it on an instance with fewer sources"
        )
    return StepRings(inputs, outputs, wiring.step_ring(role))


def places_after(rings: StepRings, step: Any) -> dict[str, RingPosition]:
    """Return the positions of the inputs after a step, from its STEP record."""
    return {
        name: RingPosition(int(step["consumed_seq"][index]), int(step["input_epoch"][index]))
        for index, name in enumerate(rings.inputs)
    }


def published_after(rings: StepRings, step: Any) -> dict[str, int]:
    """Return the ends of the outputs after a step, from its STEP record."""
    return {name: int(step["published_seq"][i]) for i, name in enumerate(rings.outputs)}


class Gatherer:
    """Joins the records of a stage's rings into moments, from its first positions on.

    ``broken`` is the reason why no moment can follow: a record is missing, or the stage restarted.
    """

    def __init__(self, rings: StepRings, start: Start) -> None:
        self.rings = rings
        self.start = start
        self.places = {name: start.places[name] for name in rings.inputs}
        self.output_seqs = {name: start.places[name].seq for name in rings.outputs}
        self.step_seq = start.places[rings.steps].seq
        self.waiting: dict[str, deque[Copy]] = {name: deque() for name in rings.all}
        self.broken = ""

    def add(self, name: str, copies: list[Copy]) -> None:
        """Take records of one ring, in their order."""
        self.waiting[name].extend(copies)

    def next(self) -> Moment | None:
        """Return the next step with all its records; None when it is not complete yet."""
        steps = self.waiting[self.rings.steps]
        if self.broken or not steps:
            return None
        if steps[0].seq != self.step_seq:
            self.broken = f"records of {self.rings.steps} are missing"
            return None
        step = np.frombuffer(steps[0].raw, STEP.dtype, 1)[0]
        places = places_after(self.rings, step)
        output_seqs = published_after(self.rings, step)
        for name, place in self.places.items():
            # At the beginning of a ring there is nothing that its first writer could discard.
            if places[name].epoch != place.epoch and place.seq > 0:
                self.broken = f"{name} restarted"
                return None
        ends = {name: place.seq for name, place in places.items()}
        found: dict[str, list[Copy]] = {}
        for name, end_seq in {**ends, **output_seqs}.items():
            copies = self._up_to(name, end_seq)
            if copies is None:
                self.broken = f"records of {name} are missing"
                return None
            found[name] = copies
        outputs = {name: found.pop(name) for name in self.rings.outputs}
        copy = steps.popleft()
        self.step_seq = copy.seq + 1
        self.places, self.output_seqs = places, output_seqs
        now_ns, publish_ns = int(step["now_ns"]), int(step["publish_ns"])
        return Moment(copy.seq, copy.raw, now_ns, publish_ns, found, places, outputs)

    def _up_to(self, name: str, end_seq: int) -> list[Copy] | None:
        """Take the records of a ring that follow up to ``end_seq``; None when one is missing."""
        start_seq = self.output_seqs[name] if name in self.output_seqs else self.places[name].seq
        waiting, found = self.waiting[name], []
        while waiting and waiting[0].seq < end_seq:
            copy = waiting.popleft()
            if copy.seq >= start_seq:
                found.append(copy)
        return found if len(found) == end_seq - start_seq else None
