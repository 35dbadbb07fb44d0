"""Read-only maps of every table and ring of a run, at no cost to the stages."""

from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np

from ipc import control
from ipc.cell import read_cell
from ipc.clock import now_ns
from ipc.control import State
from ipc.errors import SegmentMissing, SegmentNotYet, SharedMemoryError
from ipc.histogram import HISTOGRAM
from ipc.memory import address_of
from ipc.ring import observe
from ipc.shared import SharedRing, SharedTable
from ipc.types import RecordArray
from ipc.waiting import Wait
from procs.plan import instance, wiring
from procs.plan.config import Config
from procs.plan.instance import Mark, NotReady, NotRunning, OtherVersion, launch_path
from procs.plan.launch import read_launch
from vortex.codes import BookState


class RunView:
    """Read-only maps of one run; ``close`` releases them."""

    def __init__(self, config: Config, run_folder: Path, run_id: int | None = None) -> None:
        """``run_id`` names the run; None takes any run of the instance."""
        self.config = config
        self.run_folder = run_folder
        self.wiring = wiring.wire(config)
        self.tables: dict[str, SharedTable] = {}
        self.rings: dict[str, SharedRing] = {}
        try:
            for name, table in self.wiring.tables.items():
                self.tables[name] = SharedTable.attach(
                    self.wiring.segment(name), table.layout, run_id=run_id
                )
            for name, link in self.wiring.links.items():
                segment_name = self.wiring.segment(name)
                self.rings[name] = SharedRing.attach_observer(
                    segment_name, link.spec, run_id=run_id
                )
        except BaseException:
            self.close()  # a caller that retries often must not run out of descriptors
            raise

    @classmethod
    def of_run(cls, run_folder: Path) -> Self:
        """Attach to the run whose launch files are in ``run_folder``."""
        launch = read_launch(launch_path(run_folder, wiring.BOOK))
        return cls(launch.config, run_folder, launch.run_id)

    def records(self, name: str) -> RecordArray:
        """Return a table's records, live."""
        return self.tables[name].records

    def status(self, role: str) -> Any:
        """Return one stage's STATUS record, live."""
        return self.records(f"status.{role}")[0]

    def state(self, role: str) -> State:
        """Return the phase of a stage's life; ABSENT when it died without reporting it."""
        state = State(control.get_state(self.tables[f"status.{role}"].address))
        is_over = state in (State.ABSENT, State.STOPPED, State.FAILED)
        return state if is_over or self.is_alive(role) else State.ABSENT

    def is_alive(self, role: str) -> bool:
        """Return whether a live process runs a stage."""
        return self.tables[f"status.{role}"].segment.is_locked(0)

    def counter(self, role: str, index: int) -> int:
        """Return one counter of a stage."""
        return int(self.records(f"counters.{role}")[0]["value_count"][index])

    def counters(self, role: str) -> "np.ndarray[Any, Any]":
        """Return a copy of a stage's counters."""
        return np.array(self.records(f"counters.{role}")[0]["value_count"])

    def histogram(self, role: str, name: str) -> RecordArray:
        """Return a copy of one latency histogram, as an array of one record."""
        is_gateway = wiring.kind_of(role) == wiring.GATEWAY
        names = wiring.GATEWAY_LATENCIES if is_gateway else wiring.STRATEGY_LATENCIES
        index = names.index(name)
        copy = np.zeros(1, HISTOGRAM.dtype)
        copy[0] = self.records(f"latency.{role}")[index]
        return copy

    # All accounts together.

    def gateway_counter(self, index: int) -> int:
        """Return one counter of the gateways, summed over all accounts."""
        return sum(self.counter(role, index) for role in self.wiring.gateway_roles)

    def gateway_histogram(self, name: str) -> RecordArray:
        """Return one latency of the gateways, merged over all accounts, as ``histogram`` does."""
        first, *others = (self.histogram(role, name) for role in self.wiring.gateway_roles)
        for other in others:
            for field in ("value_count", "sum_ns", "negative_count", "bin_count"):
                first[field] += other[field]
            first["max_ns"] = np.maximum(first["max_ns"], other["max_ns"])
        return first

    def position(self, instrument_id: int) -> Any:
        """Return a whole copy of the POSITION of one instrument, on the account that trades it."""
        account = self.wiring.account_for(instrument_id)
        return self.cell(account.named("positions"), instrument_id)

    def open_order_count(self) -> int:
        """Return the number of orders that are open or may be open, on all accounts."""
        names = [account.named("positions") for account in self.wiring.accounts]
        return sum(int(self.records(name)["open_order_count"].sum()) for name in names)

    def is_flat(self) -> bool:
        """Return whether every gateway reports that no order of its account is open."""
        return all(self.status(role)["is_flat"] == 1 for role in self.wiring.gateway_roles)

    def now_ns(self) -> int:
        """Return the run's clock."""
        return now_ns(self.tables["clock"].address)

    def cell(self, name: str, index: int) -> Any:
        """Return a whole copy of one record that its owner writes as a cell."""
        table = self.tables[name]
        copy = np.zeros(1, table.layout.dtype)
        read_cell(table.record_address(index), address_of(copy), table.layout.dtype.itemsize)
        return copy[0]

    def heartbeat_age_ns(self, role: str) -> int:
        """Return the time since the last iteration of a stage's loop."""
        beat_ns = control.heartbeat_ns(self.tables[f"status.{role}"].address)
        return self.now_ns() - beat_ns

    def books_in_sync(self) -> bool:
        """Return whether every book is in sync."""
        touches = self.records("touches")
        return bool(np.all(touches["is_valid"] == 1) and np.all(touches["state"] == BookState.LIVE))

    def ready(self) -> bool:
        """Return whether every stage is ready and every book in sync."""
        states = [self.state(role) for role in self.wiring.roles]
        return all(state == State.READY for state in states) and self.books_in_sync()

    def backlog(self, name: str) -> int:
        """Return how many records wait on a ring."""
        shared = self.rings[name]
        return max(shared.published_seq - shared.consumed_seq, 0)

    def fill_fraction(self) -> float:
        """Return how full the fullest ring with a reader is, 0 to 1."""
        return max(
            self.backlog(name) / self.rings[name].spec.capacity_count
            for name, link in self.wiring.links.items()
            if link.reader is not None
        )

    def placement(self) -> dict[str, dict[str, Any]]:
        """Return the process and the CPU of each stage."""
        result = {}
        for role in self.wiring.roles:
            status = self.status(role)
            wait = Wait(int(status["wait_mode"])).name.lower()
            result[role] = {
                "pid": int(status["pid"]),
                "cpu": int(status["cpu_index"]),
                "wait": wait,
            }
        return result

    def last_records(self, name: str, count_max: int) -> list[tuple[int, bytes]]:
        """Return up to ``count_max`` of a ring's newest records as (sequence, bytes)."""
        shared = self.rings[name]
        end_seq = shared.published_seq
        count = min(count_max, shared.spec.capacity_count, end_seq)
        copy = np.zeros(shared.spec.slot_bytes, np.uint8)
        found = []
        for seq in range(end_seq - count, end_seq):
            if observe(shared.address, seq, address_of(copy)) == 1:
                found.append((seq, copy.tobytes()))
        return found

    def close(self) -> None:
        """Unmap everything."""
        for table in self.tables.values():
            table.close()
        for shared in self.rings.values():
            shared.close()


def open_view(name: str) -> tuple[RunView, Mark]:
    """Attach to a running instance.

    Raises
    ------
    NotRunning
        When it is not up.
    NotReady
        When it is up, but is still starting or already ending.
    OtherVersion
        When its records differ from those of this program.
    """
    mark = instance.read_mark(name)
    if mark is None or not instance.is_up(name):
        raise NotRunning(f"instance {name!r} is not running")
    return attach(name, mark), mark


def attach(name: str, mark: Mark) -> RunView:
    """Attach to the memory of an instance's run, whether its processes are alive or not.

    Raises
    ------
    NotReady
        When it is incomplete: the run is starting or ending.
    OtherVersion
        When its records differ from those of this program.
    """
    try:
        return RunView.of_run(Path(mark.run_folder))
    except (SegmentMissing, SegmentNotYet, OSError) as error:
        raise NotReady(f"instance {name!r} is just starting or ending; try again") from error
    except msgspec.DecodeError as error:
        raise OtherVersion(
            f"instance {name!r} was started by another version: {error}; use that version"
        ) from error
    except SharedMemoryError as error:
        raise OtherVersion(f"instance {name!r}: {error}") from error
