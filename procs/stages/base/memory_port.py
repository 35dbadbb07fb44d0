"""Where the rings and tables of a stage come from: a run's segments, or memory of one process.

A stage asks its port and knows no more.  ``AttachedMemory`` is a run: named segments that the
supervisor made.  ``PooledMemory`` holds a whole run in one process, so that several stages, stepped
by one driver, pass records on as they do between processes.
"""

from typing import Protocol

from ipc import ring
from ipc.segment import Segment
from ipc.shared import RingSpec, SharedRing, SharedTable
from procs.plan.wiring import SUPERVISOR_ROLE, Wiring


class MemoryPort(Protocol):
    """What a stage asks for; ``close`` releases what was handed out."""

    def table(self, name: str, *, writable: bool) -> SharedTable:
        """Return a table; only its owner asks for a writable one."""

    def writer(self, name: str) -> SharedRing:
        """Return a ring's writing end, in a new epoch."""

    def reader(self, name: str) -> SharedRing:
        """Return a ring's reading end."""

    def observer(self, name: str) -> SharedRing:
        """Return a view of a ring that neither end notices."""

    def hold_role(self, role: str) -> None:
        """Hold the lock that says that a stage lives; the kernel frees it with the process."""

    def has_supervisor(self) -> bool:
        """Return whether a supervisor lives."""

    def close(self) -> None:
        """Release everything."""


class AttachedMemory:
    """The segments of a run, found by name; one port for each stage."""

    def __init__(self, wires: Wiring, run_id: int) -> None:
        self._wiring = wires
        self._run_id = run_id
        self._tables: dict[str, SharedTable] = {}
        self._open: list[SharedRing | SharedTable] = []

    def table(self, name: str, *, writable: bool) -> SharedTable:
        """Map a table."""
        layout = self._wiring.tables[name].layout
        table = SharedTable.attach(
            self._wiring.segment(name), layout, run_id=self._run_id, writable=writable
        )
        self._open.append(table)
        self._tables[name] = table
        return table

    def writer(self, name: str) -> SharedRing:
        """Become the writer of a ring."""
        segment, spec = self._ring(name)
        return self._keep(SharedRing.attach_writer(segment, spec, run_id=self._run_id))

    def reader(self, name: str) -> SharedRing:
        """Become the reader of a ring."""
        segment, spec = self._ring(name)
        return self._keep(SharedRing.attach_reader(segment, spec, run_id=self._run_id))

    def observer(self, name: str) -> SharedRing:
        """Look on at a ring of others."""
        return self._keep(SharedRing.attach_observer(*self._ring(name)))

    def hold_role(self, role: str) -> None:
        """Lock the stage's own status."""
        self._tables[f"status.{role}"].segment.lock(0)

    def has_supervisor(self) -> bool:
        """Return whether a supervisor holds its lock on the table of commands."""
        return self._tables["commands"].segment.is_locked(SUPERVISOR_ROLE)

    def close(self) -> None:
        """Unmap everything."""
        for thing in reversed(self._open):
            thing.close()
        self._open.clear()

    def _ring(self, name: str) -> tuple[str, RingSpec]:
        return self._wiring.segment(name), self._wiring.links[name].spec

    def _keep(self, shared: SharedRing) -> SharedRing:
        self._open.append(shared)
        return shared


class PooledMemory:
    """All rings and tables of a run in memory of one process, shared by the stages in it.

    ``close`` is called by each stage and does nothing; ``release`` frees the memory.
    """

    def __init__(self, wires: Wiring) -> None:
        self._wiring = wires
        self._ring_segments: dict[str, Segment] = {}
        self._ends: list[SharedRing] = []  # compiled code holds the addresses of their handles
        self._tables: dict[str, SharedTable] = {}

    def table(self, name: str, *, writable: bool = True) -> SharedTable:
        """Return the one table of that name."""
        if name not in self._tables:
            table = self._wiring.tables[name]
            self._tables[name] = SharedTable.private(name, table.layout, table.count)
        return self._tables[name]

    def writer(self, name: str) -> SharedRing:
        """Return another writing end; the one before publishes nothing any more."""
        shared = self._end(name)
        is_taken = ring.take_over_writer(shared.address)
        assert is_taken, f"{name} is written from one thread alone"
        return shared

    def reader(self, name: str) -> SharedRing:
        """Return another reading end."""
        shared = self._end(name)
        ring.take_over_reader(shared.address)
        return shared

    def observer(self, name: str) -> SharedRing:
        """Return a view of the ring."""
        return self._end(name)

    def hold_role(self, role: str) -> None:
        """Do nothing: no other process asks whether the stage lives."""

    def has_supervisor(self) -> bool:
        """Return True: the driver is the supervisor."""
        return True

    def close(self) -> None:
        """Do nothing: the other stages go on."""

    def release(self) -> None:
        """Free all memory; no stage may be stepped any more."""
        for table in self._tables.values():
            table.close()
        for segment in self._ring_segments.values():
            segment.close()

    def _end(self, name: str) -> SharedRing:
        spec = self._wiring.links[name].spec
        if name not in self._ring_segments:
            self._ring_segments[name] = SharedRing.private(name, spec).segment
        self._ends.append(SharedRing(spec, self._ring_segments[name], writes=True, reads=True))
        return self._ends[-1]
