"""The files that a run leaves: its report, the last records of its rings, its tables."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ipc.shared import SharedTable
from procs.observe.samples import report
from procs.observe.samples.view import RunView

LAST_RECORD_COUNT = 4_096
ARCHIVED_TABLES = (
    "clock",
    "instruments",
    "limits",
    "quoting",
    "touches",
    "standing",
    "wanted",
)
#: And these of each account.
OF_ACCOUNTS = ("orders", "positions")
#: The tables that the supervisor fills before any stage starts, and where they are kept.
FILLED_TABLES = ("instruments", "limits", "quoting")
BEGUN_FILE = "begun.npz"


def write(view: RunView, run_folder: Path) -> None:
    """Write ``report.json``, ``tables.npz`` and ``rings.npz`` into the run's folder."""
    text = msgspec.json.format(msgspec.json.encode(report.make(view)), indent=2)
    (run_folder / "report.json").write_bytes(text)
    names = [account.named(name) for account in view.wiring.accounts for name in OF_ACCOUNTS]
    tables = {name: np.array(view.records(name)) for name in (*ARCHIVED_TABLES, *names)}
    for role in view.wiring.roles:
        tables[f"counters.{role}"] = view.counters(role)
    save(run_folder / "tables.npz", tables)
    save(run_folder / "rings.npz", {name: ring_copy(view, name) for name in view.rings})


def write_begun(tables: Mapping[str, SharedTable], run_folder: Path) -> None:
    """Write ``begun.npz``: the tables that are filled before any stage starts."""
    save(run_folder / BEGUN_FILE, {name: np.array(tables[name].records) for name in FILLED_TABLES})


def read_begun(run_folder: Path, name: str) -> "np.ndarray[Any, Any]":
    """Return a table as it was before any stage of the run started.

    Raises
    ------
    FileNotFoundError
        When the run did not write it.
    """
    with np.load(run_folder / BEGUN_FILE) as arrays:
        return np.array(arrays[name])


def save(path: Path, arrays: dict[str, "np.ndarray[Any, Any]"]) -> None:
    """Write arrays to a file atomically."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    temporary = path.with_suffix(".part")
    temporary.write_bytes(buffer.getvalue())
    temporary.replace(path)


def ring_copy(view: RunView, name: str) -> "np.ndarray[Any, Any]":
    """Return a ring's last records: sequence and raw bytes."""
    slot_bytes = view.rings[name].spec.slot_bytes
    kind = np.dtype([("seq", "i8"), ("record", f"V{slot_bytes}")])
    found = view.last_records(name, LAST_RECORD_COUNT)
    return np.array([(seq, np.void(raw)) for seq, raw in found], kind)


def read_ring(run_folder: Path, name: str) -> list[tuple[int, bytes]]:
    """Return the records of a ring that an ended run left, as ``ring_copy`` wrote them.

    Raises
    ------
    FileNotFoundError
        When the run left no archive: it still runs, or its supervisor did not stop it.
    """
    with np.load(run_folder / "rings.npz") as arrays:
        return [(int(row["seq"]), row["record"].tobytes()) for row in arrays[name]]


def read_table(run_folder: Path, name: str) -> "np.ndarray[Any, Any]":
    """Return the table that an ended run left; raises the same as ``read_ring``."""
    with np.load(run_folder / "tables.npz") as arrays:
        return np.array(arrays[name])
