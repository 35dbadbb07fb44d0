"""Follows an instance through its runs, and wakes the browsers at every sample.

One sample serves all browsers.  The last state of an ended run stays visible, marked as ended,
until the next run begins.
"""

import asyncio
import contextlib
import os
import sys
import time
from typing import Any

import msgspec

from ipc.errors import SharedMemoryError
from procs.dashboard import pages
from procs.dashboard.run_watch import RunWatch
from procs.observe.samples.view import open_view
from procs.plan import instance
from procs.plan.instance import NotReady, NotRunning, OtherVersion
from procs.plan.launch import read_launch
from procs.supervision.control.control_socket import ListStages, NoAnswer, ask

SAMPLE_S = 0.1
CHECK_S = 1.0
#: A heartbeat older than this is stale: a loop iterates within a millisecond.
SILENT_MS = 1_000.0

Frame = dict[str, Any]


class SampleFeed:
    """The content for all browsers; ``run`` keeps it fresh, ``close`` releases it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.run_state, self.note = "absent", f"instance {name!r} is not running"
        self.watch: RunWatch | None = None
        self.number = 0  # of the newest sample
        self._fresh = asyncio.Condition()
        self._pages: dict[str, msgspec.Raw] = {}
        self._last_headline: dict[str, Any] = {}
        self._checked_at = 0.0
        self._asking: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Sample until cancelled."""
        due = time.monotonic()
        while True:
            self.sample(late_s=time.monotonic() - due)
            async with self._fresh:
                self.number += 1
                self._fresh.notify_all()
            due = max(due + SAMPLE_S, time.monotonic())
            await asyncio.sleep(due - time.monotonic())

    async def wait_for(self, number: int) -> int:
        """Wait for a sample after ``number``; return the newest one's number."""
        async with self._fresh:
            await self._fresh.wait_for(lambda: self.number > number)
        return self.number

    def sample(self, late_s: float = 0.0) -> None:
        """Read everything once; show a read error on the page, and try again."""
        try:
            if time.monotonic() - self._checked_at >= CHECK_S:
                self._checked_at = time.monotonic()
                self.follow()
            if self.watch is not None and self.run_state not in ("ended", "absent"):
                self.watch.was_late(late_s)
                self.watch.look()
                if self.watch.is_second_over():
                    self.watch.each_second()
        except (OSError, SharedMemoryError, ValueError, KeyError, IndexError) as error:
            note = f"could not read the run: {error}"
            if note != self.note:
                print(f"dashboard: {note}", file=sys.stderr, flush=True)
            self.run_state, self.note = "unreadable", note
        self._pages.clear()

    def follow(self) -> None:
        """Check whether there is a run, and whether it is still the same."""
        mark = instance.read_mark(self.name)
        if mark is not None and instance.is_up(self.name):
            if self.watch is None or self.watch.mark.run_id != mark.run_id:
                self.attach()
            elif self.run_state != "live":
                self.run_state, self.note = "live", ""
            if self.watch is not None:
                self.watch.mark = mark
                self.ask_supervisor()
        elif self.watch is None:
            self.run_state, self.note = "absent", f"instance {self.name!r} is not running"
        elif any(self.watch.view.is_alive(role) for role in self.watch.view.wiring.roles):
            self.run_state = "orphaned"
            self.note = (
                "the supervisor is dead: quotes are pulled until `vortexctl start` adopts the run"
            )
        else:
            self.run_state, self.note = "ended", "the run has ended; this is its last state"

    def attach(self) -> None:
        """Begin with another run."""
        try:
            view, mark = open_view(self.name)
        except (NotRunning, NotReady) as error:
            self.run_state, self.note = "starting", str(error)
            return
        except OtherVersion as error:
            self.forget()
            self.run_state, self.note = "unreadable", str(error)
            return
        self.forget()
        self.watch = RunWatch(view, mark)
        self.run_state, self.note = "live", ""
        launch = read_launch(instance.launch_path(view.run_folder, view.wiring.roles[-1]))
        with contextlib.suppress(OSError):
            # Never on a CPU of the engine; without permission for the others, stay here.
            os.sched_setaffinity(0, launch.housekeeping_cpus)

    def ask_supervisor(self) -> None:
        """Request the supervisor's state of the stages, without waiting for the answer."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._ask())

    async def _ask(self) -> None:
        with contextlib.suppress(NoAnswer):
            answer = await asyncio.to_thread(ask, self.name, ListStages())
            if self.watch is not None:
                self.watch.supervised = answer.stages

    def headline(self) -> dict[str, Any]:
        """Return the content at the top of every page, and whether it is fresh."""
        headline: dict[str, Any] = {"state": self.run_state, "note": self.note}
        if self.watch is None:
            return headline
        if self.run_state in ("live", "orphaned") or not self._last_headline:
            self._last_headline = pages.headline(self.watch)
        is_silent = self._last_headline["beat_ms"] > SILENT_MS
        if self.run_state == "live" and is_silent and self._last_headline["is_ready"]:
            headline = {"state": "silent", "note": "a stage's heartbeat is late: old figures"}
        return {**self._last_headline, **headline}

    def page(self, name: str) -> msgspec.Raw:
        """Return one page's facts, made once a sample for all browsers."""
        if name not in self._pages:
            facts = pages.PAGES[name](self.watch) if self.watch is not None else None
            self._pages[name] = msgspec.Raw(msgspec.json.encode(facts))
        return self._pages[name]

    def close(self) -> None:
        """Release the run."""
        self.forget()

    def forget(self) -> None:
        """Show no run any more."""
        if self.watch is not None:
            self.watch.close()
            self.watch = None
