"""The orders over budget of a run: from its memory, or from its archive."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from procs.observe import archive, table_text
from procs.observe.taps.sent import PARTS, cause_text, parts_ns, total_ns
from procs.observe.watch import open_or_folder
from procs.plan import run_records, wiring
from procs.plan.instance import NothingKept, OtherVersion, launch_path
from procs.plan.launch import read_launch
from procs.plan.run_records import OUTLIER
from procs.stages.base.outliers import Cause
from vortex.codes import Kind, Side

#: Shares of an order's time that are worth showing.
PART_NS_MIN = 10_000


@dataclass(frozen=True)
class Slow:
    """One order over budget, and the names of its numbers."""

    row: Any  # an OUTLIER record
    symbol: str
    tick_e8: int
    wall_offset_ns: int

    @property
    def cause(self) -> Cause:
        """The cause of the delay."""
        return Cause(int(self.row["cause"]))

    def facts(self) -> dict[str, Any]:
        """Return the order for programs."""
        row = self.row
        parts = {name.replace(" ", "_") + "_ns": part_ns
                 for name, part_ns in zip(PARTS, parts_ns(row), strict=True)}  # fmt: skip
        return {
            "wall_ns": int(row["sent_ns"]) + self.wall_offset_ns,
            "order_id": int(row["order_id"]),
            "kind": Kind(int(row["kind"])).name.lower(),
            "side": Side(int(row["side"])).name.lower(),
            "symbol": self.symbol,
            "price_ticks": int(row["price_ticks"]),
            "total_ns": total_ns(row),
            "budget_ns": int(row["budget_ns"]),
            **parts,
            "lost_ns": dict(zip(run_records.HOPS, row["lost_ns"].tolist(), strict=True)),
            "busy_ns": dict(zip(run_records.HOPS, row["busy_ns"].tolist(), strict=True)),
            "merged_count": int(row["merged_count"]),
            "stall_count": int(row["stall_count"]),
            "switch_count": int(row["switch_count"]),
            "fault_count": int(row["fault_count"]),
            "cause": self.cause.name.lower(),
            "note": cause_text(row, self.cause),
        }

    def lines(self) -> list[str]:
        """Return the order for people, 60 columns wide."""
        row = self.row
        wall_ns = int(row["sent_ns"]) + self.wall_offset_ns
        clock = time.strftime("%H:%M:%S", time.localtime(wall_ns // 10**9))
        what = " ".join([
            Kind(int(row["kind"])).name.lower(), Side(int(row["side"])).name.lower(), self.symbol,
            table_text.units(int(row["price_ticks"]), self.tick_e8),
        ])  # fmt: skip
        parts = [f"{name} {part_ns / 1000:.0f}" for name, part_ns
                 in zip(PARTS, parts_ns(row), strict=True) if part_ns >= PART_NS_MIN]  # fmt: skip
        words = [cause_text(row, self.cause), *parts]
        first = f"{clock}.{wall_ns // 10**6 % 1000:03d} {total_ns(row) / 1000:>9.1f} us  {what}"
        return [first, *(f"    {line.text}" for line in table_text.wrapped(words, 56))]


def of_instance(name: str) -> list[Slow]:
    """Return the orders over budget of the running or the last run, the slowest first.

    Raises
    ------
    NothingKept
        When the instance never ran here, is just starting, or its run left no archive.
    OtherVersion
        When its files are from a program that declares its records differently.
    """
    view = open_or_folder(name)
    if isinstance(view, Path):
        return of_archive(view)
    try:
        raws = [
            raw
            for account in view.wiring.accounts
            for _, raw in view.last_records(account.named("worst"), wiring.WORST_ROWS)
        ]
        instruments, clock = (np.array(view.records(each)) for each in ("instruments", "clock"))
        return slowest(raws, view.config.symbols, instruments, clock)
    finally:
        view.close()


def of_archive(run_folder: Path) -> list[Slow]:
    """Return the slow orders of an ended run; raises the same as ``of_instance``."""
    try:
        config = read_launch(launch_path(run_folder, wiring.BOOK)).config
        raws = [
            raw
            for account in wiring.account_wirings(config)
            for _, raw in archive.read_ring(run_folder, account.named("worst"))
        ]
        instruments = archive.read_table(run_folder, "instruments")
        clock = archive.read_table(run_folder, "clock")
    except FileNotFoundError as error:
        raise NothingKept(f"the last run left no archive in {run_folder}") from error
    except (KeyError, msgspec.DecodeError) as error:
        raise OtherVersion(f"{run_folder} was written by another version: {error}") from error
    return slowest(raws, config.symbols, instruments, clock)


def slowest(raws: list[bytes], symbols: list[str], instruments: Any, clock: Any) -> list[Slow]:
    """Return the records of the ring ``worst`` with the run's names, the slowest first."""
    size = OUTLIER.dtype.itemsize
    if any(len(raw) != size for raw in raws):
        raise OtherVersion(f"orders of {len(raws[0])} bytes, this program's have {size}")
    rows = np.frombuffer(b"".join(raws), OUTLIER.dtype)
    found = [
        Slow(
            row, symbols[row["instrument_id"]], int(instruments[row["instrument_id"]]["tick_e8"]),
            int(clock[0]["wall_offset_ns"]),
        )
        for row in rows
    ]  # fmt: skip
    return sorted(found, key=lambda each: -total_ns(each.row))
