"""Watches an instance: attach, sample, notice its end, and find its next run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from procs.observe.samples import rates, sample
from procs.observe.samples.rates import Rates
from procs.observe.samples.sample import Sample
from procs.observe.samples.view import RunView, attach
from procs.plan import instance, wiring
from procs.plan.instance import NothingKept, NotReady, NotRunning, OtherVersion, launch_path
from procs.plan.launch import read_launch


def open_run(name: str) -> RunView:
    """Attach to the running instance, or to the remains of one whose processes died.

    Raises
    ------
    NotRunning
        When there is neither.
    NotReady
        When it is up, but is still starting or already ending.
    OtherVersion
        When its records differ from those of this program.
    """
    mark = instance.read_mark(name)
    if mark is None:
        raise NotRunning(f"instance {name!r} is not running")
    try:
        return attach(name, mark)
    except NotReady as error:
        if instance.is_up(name):
            raise
        raise NotRunning(
            f"instance {name!r} is not running; its last run left its files in {mark.run_folder}"
        ) from error


def open_or_folder(name: str) -> RunView | Path:
    """Attach as ``open_run`` does; for a run whose memory is gone, return its folder.

    Raises
    ------
    NothingKept
        When the instance never ran here, or is just starting.
    OtherVersion
        When its records are not those of this program.
    """
    mark = instance.read_mark(name)
    if mark is None:
        raise NothingKept(f"instance {name!r} never ran here")
    try:
        return open_run(name)
    except NotReady as error:
        raise NothingKept(str(error)) from error
    except NotRunning:
        return Path(mark.run_folder)


def is_over(view: RunView) -> bool:
    """Return whether neither the supervisor nor any stage of a run lives."""
    return not sample.is_supervised(view) and not any(
        view.is_alive(role) for role in view.wiring.roles
    )


class Watch:
    """The samples of an instance, one after the other, from one run to the next; ``close`` ends it.

    ``note`` describes a problem; it is empty while the run is up.
    """

    def __init__(self, name: str) -> None:
        """Attach; raises the same as ``open_run``."""
        self.name = name
        self.note = ""
        self.view = open_run(name)
        self.newest = sample.take(self.view)

    def look(self) -> tuple[Sample, Rates]:
        """Return a new sample, and the rates since the last one."""
        self._follow()
        before = self.newest
        self.newest = sample.take(self.view)
        if before.run_id != self.newest.run_id:
            before = self.newest
        return self.newest, rates.between(before, self.newest)

    def _follow(self) -> None:
        """Note the end of the run; switch to the next run when there is one."""
        self.note = ""
        if not is_over(self.view):
            return
        self.note = f"the run {self.newest.run_id} has ended; these are its last values"
        mark = instance.read_mark(self.name)
        if mark is None or Path(mark.run_folder) == self.view.run_folder:
            return
        with suppress(NotRunning, NotReady, OtherVersion):
            view = open_run(self.name)
            self.view.close()
            self.view = view
            self.note = ""

    def close(self) -> None:
        """Unmap everything."""
        self.view.close()


@contextmanager
def keeping_house(view: RunView) -> Iterator[None]:
    """Keep this process on the housekeeping CPUs while it observes."""
    before = os.sched_getaffinity(0)
    with suppress(OSError):
        launch = read_launch(launch_path(view.run_folder, wiring.BOOK))
        os.sched_setaffinity(0, launch.housekeeping_cpus or before)
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setaffinity(0, before)
