"""Copies the state of a running stage and its rings between two steps.

The stage does not take part and does not wait.  The copy begins while the stage's inputs are empty.
If they are still empty when the copy is complete, the stage took no step during it.
"""

import time
from typing import NamedTuple

import numpy as np

from ipc.memory import address_of, words_at
from ipc.ring import EPOCH_BYTES, observe
from ipc.shared import SharedRing
from ipc.types import RecordArray
from procs.debug.steps.apart import RingPosition, Start
from procs.debug.steps.moments import StepRings, published_after, rings_of
from procs.observe.samples.view import RunView
from procs.plan.run_records import STEP

PATIENCE_S = 10.0
PAUSE_S = 0.0002
#: The tables of other owners that a stage reads; the clock of a private stage does not run.
READ_BESIDES = ("instruments", "limits", "quoting")
#: And these of each account.
READ_OF_ACCOUNTS = ("positions", "orders")


class NeverStill(Exception):
    """The stage took steps without a pause; the message says what to do."""


class Standing(NamedTuple):
    """The positions of a stage and its rings at one moment."""

    life: int
    step_seq: int
    inputs: tuple[RingPosition, ...]
    outputs: tuple[RingPosition, ...]


def place(shared: SharedRing, seq: int) -> RingPosition:
    """Return a position on a ring, in its newest epoch."""
    writer_address = int(shared.handle[0]["writer_address"])
    return RingPosition(seq, int(words_at(writer_address + EPOCH_BYTES, 1)[0]))


def standing(view: RunView, role: str, rings: StepRings) -> Standing | None:
    """Return the positions of a stage, or None when it may be in the middle of a step."""
    steps = view.rings[rings.steps]
    outputs = [view.rings[name] for name in rings.outputs]
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
    ends = tuple(place(output, output.published_seq) for output in outputs)
    published = list(published_after(rings, newest[0]).values())
    if read != places or published != [end.seq for end in ends]:
        return None
    return Standing(int(view.status(role)["epoch"]), step_seq, places, ends)


def take(view: RunView, role: str) -> Start:
    """Return the state of a stage between two steps.

    Raises
    ------
    NeverStill
        When it did not pause long enough for a copy.
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
        f"{role} did not pause long enough for a copy of its state, in {PATIENCE_S:.0f} s; "
        "try again when the market is quieter"
    )


def known_tables(view: RunView, role: str) -> list[str]:
    """Return the tables of a stage's state: its own tables without its status."""
    status_tables = ("status.", "counters.", "latency.", "event_counts.")
    tables = view.wiring.tables.items()
    return [
        name for name, table in tables if table.owner == role and not name.startswith(status_tables)
    ]


def start_of(
    view: RunView, rings: StepRings, at: Standing, copies: dict[str, RecordArray]
) -> Start:
    """Return the start of a repetition, with the tables of others that the stage reads."""
    names = [each.named(name) for each in view.wiring.accounts for name in READ_OF_ACCOUNTS]
    others = {name: np.array(view.records(name)) for name in (*READ_BESIDES, *names)}
    places = dict(zip(rings.inputs, at.inputs, strict=True))
    places |= dict(zip(rings.outputs, at.outputs, strict=True))
    places[rings.steps] = RingPosition(at.step_seq, 1)
    return Start(view.now_ns(), at.life, places, {**others, **copies})
