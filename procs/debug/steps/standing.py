"""What a running stage knows, copied between two of its steps, and where its rings stood then.

The stage is not asked and does not wait.  A copy is taken while nothing waits for it; when nothing
came until the copy was whole, no step was taken meanwhile.
"""

import time
from typing import NamedTuple

import numpy as np

from ipc.memory import address_of, words_at
from ipc.ring import EPOCH_BYTES, observe
from ipc.shared import SharedRing
from ipc.types import RecordArray
from procs.debug.steps.apart import RingPosition, Start
from procs.debug.steps.moments import StepRings, rings_of
from procs.observe.samples.view import RunView
from procs.plan.run_records import STEP

PATIENCE_S = 10.0
PAUSE_S = 0.0002
#: Of other owners, what a stage looks at; the clock stands still in a stage apart.
READ_BESIDES = ("instruments", "limits", "quoting", "positions", "orders")


class NeverStill(Exception):
    """The stage took steps without a pause; the message says what to do."""


class Standing(NamedTuple):
    """Where a stage and its rings stand at one moment."""

    life: int
    step_seq: int
    inputs: tuple[RingPosition, ...]
    output: RingPosition


def place(shared: SharedRing, seq: int) -> RingPosition:
    """Return a place on a ring, in its newest epoch."""
    writer_address = int(shared.handle[0]["writer_address"])
    return RingPosition(seq, int(words_at(writer_address + EPOCH_BYTES, 1)[0]))


def standing(view: RunView, role: str, rings: StepRings) -> Standing | None:
    """Return where a stage stands, or None when it may be in the middle of a step."""
    steps, output = view.rings[rings.steps], view.rings[rings.output]
    inputs = [view.rings[name] for name in rings.inputs]
    step_seq = steps.published_seq
    newest = np.zeros(1, STEP.dtype)
    if step_seq == 0 or observe(steps.address, step_seq - 1, address_of(newest)) != 1:
        return None
    places = tuple(place(shared, shared.published_seq) for shared in inputs)
    read = tuple(
        RingPosition(int(newest[0]["consumed_seq"][index]), int(newest[0]["input_epoch"][index]))
        for index in range(len(inputs))
    )
    end = place(output, output.published_seq)
    if read != places or int(newest[0]["published_seq"]) != end.seq:
        return None
    return Standing(int(view.status(role)["epoch"]), step_seq, places, end)


def take(view: RunView, role: str) -> Start:
    """Return a stage as it was between two steps.

    Raises
    ------
    NeverStill
        When it did not stand still long enough to be copied.
    """
    rings = rings_of(view.wiring, role)
    copies = {name: np.array(view.records(name)) for name in known_tables(view, role)}
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        before = standing(view, role, rings)
        if before is not None and view.is_alive(role):
            for name, copy in copies.items():
                np.copyto(copy, view.records(name))
            is_still = standing(view, role, rings) == before
            if is_still and not copies[f"merge.{role}"]["is_touched"].any():
                return start_of(view, rings, before, copies)
        time.sleep(PAUSE_S)
    raise NeverStill(
        f"{role} did not pause for as long as copying what it knows takes, in {PATIENCE_S:.0f} s; "
        "try again when the market is quieter"
    )


def known_tables(view: RunView, role: str) -> list[str]:
    """Return the tables of what a stage knows: its own, but for what it says of itself."""
    said = ("status.", "counters.", "latency.", "told.")
    tables = view.wiring.tables.items()
    return [name for name, table in tables if table.owner == role and not name.startswith(said)]


def start_of(
    view: RunView, rings: StepRings, at: Standing, copies: dict[str, RecordArray]
) -> Start:
    """Return what a stage is repeated from, with what it reads of others."""
    others = {name: np.array(view.records(name)) for name in READ_BESIDES}
    places = dict(zip(rings.inputs, at.inputs, strict=True))
    places[rings.output] = at.output
    places[rings.steps] = RingPosition(at.step_seq, 1)
    return Start(view.now_ns(), at.life, places, {**others, **copies})
