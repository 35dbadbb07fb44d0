"""The state after a run on the local exchange, and the exchange's books of it."""

import json
import urllib.request
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil

from ipc.segment import list_segments

SHOWN_COUNT = 5
END_S = 10.0


def audit(rest_url: str) -> dict[str, Any]:
    """Return the exchange's books."""
    with urllib.request.urlopen(f"{rest_url}/vortex/audit", timeout=30) as answer:
        books: dict[str, Any] = json.loads(answer.read())
    return books


def orders_of_ours(books: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the orders of the first account, the engine's."""
    return [order for order in books["orders"] if order["account"] == 1]


def repeated_client_ids(orders: Sequence[dict[str, Any]]) -> list[str]:
    """Return every client order id that more than one order had."""
    counts = Counter(each for order in orders for each in order["client_order_ids"])
    return sorted(each for each, count in counts.items() if count > 1)


def standing_client_ids(orders: Sequence[dict[str, Any]]) -> list[str]:
    """Return the client order ids of the orders that are still open."""
    return [order["client_order_id"] for order in orders if order["ended_ns"] == 0]


def final_position(run_folder: Path) -> dict[str, str]:
    """Return the final position by the engine's own account."""
    report = json.loads((run_folder / "report.json").read_text(encoding="utf-8"))
    held: dict[str, str] = report["position"]
    return held


def order_faults(orders: Sequence[dict[str, Any]], standing: Sequence[str]) -> list[str]:
    """Return the faults of all orders of a run; ``standing`` are those open after its stop."""
    faults = []
    repeated = repeated_client_ids(orders)
    if repeated:
        faults.append(f"client order ids used twice: {', '.join(repeated[:SHOWN_COUNT])}")
    if standing:
        faults.append(f"orders are open after the stop: {', '.join(standing[:SHOWN_COUNT])}")
    return faults


def position_faults(held: Mapping[str, str], traded: Mapping[str, Decimal]) -> list[str]:
    """Return where the engine's position differs from the sum of the exchange's fills."""
    return [
        f"position of {symbol}: {text} here, {traded.get(symbol, Decimal(0))} at the exchange"
        for symbol, text in held.items()
        if Decimal(text) != traded.get(symbol, Decimal(0))
    ]


def leftover_faults(instance: str, pids: Iterable[int] = (), wait_s: float = END_S) -> list[str]:
    """Return what an engine left behind: shared memory, or processes of ``pids``.

    Processes get ``wait_s`` to end: the helpers of a supervisor end after it.
    """
    faults = []
    segments = list_segments(instance)
    if segments:
        faults.append(f"segments are left: {', '.join(segments)}")
    processes = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    _, alive = psutil.wait_procs(processes, timeout=wait_s)
    if alive:
        faults.append(f"processes are left: {', '.join(str(each.pid) for each in alive)}")
    return faults
