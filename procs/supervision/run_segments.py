"""The segments of one run: created, or adopted from a dead supervisor."""

from collections.abc import Iterable
from typing import Self

from ipc import control
from ipc.control import StageOrder, State
from ipc.segment import Segment
from ipc.shared import SharedRing, SharedTable
from procs.plan.wiring import SUPERVISOR, SUPERVISOR_ROLE, Wiring


class RunMemory:
    """Every segment of a run, locked by its supervisor.

    ``remove`` removes them; the kernel frees the locks when the supervisor dies.
    """

    def __init__(self, wiring: Wiring) -> None:
        self.wiring = wiring
        self.tables: dict[str, SharedTable] = {}
        self.segments: list[Segment] = []

    @classmethod
    def create(cls, wiring: Wiring, run_id: int) -> Self:
        """Create every table and ring of a run."""
        memory = cls(wiring)
        for name, table in wiring.tables.items():
            made = SharedTable.create(
                wiring.segment(name), table.layout, table.count, run_id=run_id
            )
            memory.tables[name] = made
            memory.segments.append(made.segment)
        for name, link in wiring.links.items():
            ring = SharedRing.create(wiring.segment(name), link.spec, run_id=run_id)
            memory.segments.append(ring.segment)
        memory.lock()
        return memory

    @classmethod
    def adopt(cls, wiring: Wiring, run_id: int) -> Self:
        """Attach to the segments of a run whose supervisor died.

        Raises
        ------
        SharedMemoryError
            When a segment is missing, or a supervisor lives.
        """
        memory = cls(wiring)
        for name, table in wiring.tables.items():
            writable = table.owner == SUPERVISOR or name.startswith("status.")
            attached = SharedTable.attach(
                wiring.segment(name), table.layout, run_id=run_id, writable=writable
            )
            memory.tables[name] = attached
            memory.segments.append(attached.segment)
        for name, link in wiring.links.items():
            ring = SharedRing.attach_observer(wiring.segment(name), link.spec)
            memory.segments.append(ring.segment)
        memory.lock()
        return memory

    def bury(self, role: str) -> None:
        """Set the state of a dead stage: its own last status may say that it is ready."""
        control.set_state(self.tables[f"status.{role}"].address, State.ABSENT)

    def order(self, roles: Iterable[str], order: StageOrder) -> None:
        """Give some stages one order."""
        for role in roles:
            control.give_order(self.command_address(role), order)

    def give_pull(self, gateway_roles: Iterable[str], pull: int) -> None:
        """Order some gateways to pull (1), or end the pull (0)."""
        for role in gateway_roles:
            control.give_pull(self.command_address(role), pull)

    def command_address(self, role: str) -> int:
        """Return the COMMAND of a stage."""
        return self.tables["commands"].record_address(self.wiring.roles.index(role))

    def lock(self) -> None:
        """Take the supervisor's role; ``remove`` or the end of this process frees it."""
        for segment in self.segments:
            segment.lock(SUPERVISOR_ROLE)

    def remove(self) -> None:
        """Remove every segment."""
        for segment in self.segments:
            segment.unlink()
            segment.close()
        self.tables.clear()
        self.segments.clear()
