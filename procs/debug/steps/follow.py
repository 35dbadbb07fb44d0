"""The steps of a running stage as they happen, by taps on its rings."""

from procs.debug.steps.apart import Start
from procs.debug.steps.moments import Gatherer, Moment, rings_of
from procs.observe.samples.view import RunView
from procs.observe.taps.tap import Tap


class Follower:
    """Observes the rings of a running stage from one of its steps on."""

    def __init__(self, view: RunView, role: str, start: Start) -> None:
        rings = rings_of(view.wiring, role)
        self.gatherer = Gatherer(rings, start)
        self.taps = {name: Tap(view.rings[name], from_oldest=False) for name in rings.all}
        for name, tap in self.taps.items():
            tap.next_seq = start.places[name].seq

    def next(self) -> Moment | None:
        """Return the next step; None when there is none yet, or no more (``gatherer.broken``)."""
        moment = self.gatherer.next()
        if moment is None and not self.gatherer.broken:
            self._look()
            moment = self.gatherer.next()
        return moment

    def _look(self) -> None:
        """Copy new records; STEP records first, so that their inputs already exist."""
        steps = self.gatherer.rings.steps
        self.gatherer.add(steps, self.taps[steps].copy())
        for name, tap in self.taps.items():
            while name != steps and (copies := tap.copy()):
                self.gatherer.add(name, copies)
