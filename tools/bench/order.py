"""The benchmark ``order``: build, sign (HMAC-SHA256) and mask one order.

Batches of orders whose price, quantity, side and ids change; signatures are checked afterwards with
``hmac`` on a sample of each batch.  Beside it: ``json`` and ``hmac`` in Python on the same fields.
"""

import hmac
import json
import os
import secrets
import statistics
import time
from typing import Any

import numpy as np

from ipc.memory import address_of
from tools.bench import frames as market
from tools.bench.bars import verdict
from tools.bench.machine import machine_line, pin
from tools.bench.order_loops import FRAME_BYTES_MAX, PRICE_COUNT, build_orders
from tools.bench.signed import read_request, unmasked
from vortex.records import REQUEST
from vortex.venues._binance.account import new_session
from vortex.venues.contract import REQUEST_BUFFER_BYTES
from vortex.wire.signers import HmacSigner

BAR_NS = 400
BATCH_COUNT = 1_000
SAMPLE_COUNT = 5
FIRST_TICKS = 6_000_000
RECV_WINDOW_MS = 5_000


class Ours:
    """The engine's encoder with a fresh key; keeps the frames of the last batch."""

    def __init__(self, key: str, secret: bytes) -> None:
        self.secret = secret
        self.request = np.zeros(1, REQUEST.dtype)
        self.instruments = market.instruments()
        self.session = new_session(key, HmacSigner(secret), 1, 1, RECV_WINDOW_MS)
        self.text = np.zeros(REQUEST_BUFFER_BYTES + 128, np.uint8)
        self.frames = np.zeros((BATCH_COUNT, FRAME_BYTES_MAX), np.uint8)
        self.lengths = np.zeros(BATCH_COUNT, np.int64)

    def batch(self, first_id: int) -> float:
        """Build one batch; return nanoseconds an order."""
        arguments = (
            address_of(self.request), address_of(self.instruments), address_of(self.session),
            time.time_ns() // 1_000_000, first_id, BATCH_COUNT, FIRST_TICKS,
            address_of(self.text), address_of(self.frames), address_of(self.lengths),
        )  # fmt: skip
        start = time.perf_counter_ns()
        build_orders(*arguments)
        return (time.perf_counter_ns() - start) / BATCH_COUNT

    def check(self, first_id: int) -> int:
        """Check a sample of the last batch; return how many orders that was."""
        for index in range(0, BATCH_COUNT, BATCH_COUNT // SAMPLE_COUNT):
            frame = self.frames[index, : self.lengths[index]].tobytes()
            params = read_request(unmasked(frame), self.secret)["params"]
            ticks = FIRST_TICKS + (first_id + index) % PRICE_COUNT
            assert market.price_text(ticks).startswith(params["price"]), "a wrong price"
            assert int(params["newClientOrderId"][-12:], 16) == first_id + index, "a wrong id"
        return SAMPLE_COUNT


def python_batch(key: str, secret: bytes, first_id: int) -> float:
    """Build and sign one batch with json and hmac; return nanoseconds an order."""
    wall_ms = time.time_ns() // 1_000_000
    start = time.perf_counter_ns()
    for order_id in range(first_id, first_id + BATCH_COUNT):
        params = {
            "apiKey": key,
            "newClientOrderId": f"v00000001-0001-{order_id:012x}",
            "newOrderRespType": "ACK",
            "price": market.price_text(FIRST_TICKS + order_id % PRICE_COUNT),
            "quantity": market.qty_text(100 + order_id % 7),
            "recvWindow": RECV_WINDOW_MS,
            "side": "BUY" if order_id & 1 else "SELL",
            "symbol": market.SYMBOL,
            "timestamp": wall_ms,
            "type": "LIMIT_MAKER",
        }
        text = "&".join(f"{name}={value}" for name, value in params.items())
        params["signature"] = hmac.digest(secret, text.encode(), "sha256").hex()
        json.dumps({"id": f"{order_id:016x}", "method": "order.place", "params": params})
    return (time.perf_counter_ns() - start) / BATCH_COUNT


def spread(values: list[float]) -> dict[str, float]:
    """Return median, best, P90 and worst of the batches."""
    ordered = sorted(values)
    return {
        "median_ns": statistics.median(ordered),
        "least_ns": ordered[0],
        "p90_ns": ordered[int(0.9 * (len(ordered) - 1))],
        "most_ns": ordered[-1],
    }


def run(seconds: float) -> dict[str, Any]:
    """Run the benchmark for about ``seconds``; return machine and figures."""
    key, secret = secrets.token_hex(32), secrets.token_hex(32).encode()
    ours = Ours(key, secret)
    affinity = os.sched_getaffinity(0)
    pin(len(affinity) - 1)
    try:
        ours.batch(1)  # compiles
        took: dict[str, list[float]] = {"ours": [], "hmac and json in Python": []}
        first_id, checked_count = 1, 0
        end = time.monotonic() + seconds
        while not took["ours"] or time.monotonic() < end:
            for _ in range(10):  # ten of ours take as long as one of Python's
                first_id += BATCH_COUNT
                took["ours"].append(ours.batch(first_id))
            checked_count += ours.check(first_id)
            took["hmac and json in Python"].append(python_batch(key, secret, first_id))
    finally:
        os.sched_setaffinity(0, affinity)
    return {
        "machine": machine_line(),
        "batch_count": len(took["ours"]),
        "orders_a_batch": BATCH_COUNT,
        "frame_bytes": int(ours.lengths[0]),
        "checked_count": checked_count,
        "figures": {kind: spread(values) for kind, values in took.items()},
    }


def lines(result: dict[str, Any]) -> list[str]:
    """Return the result for people."""
    rows = [
        f"order: build, sign and mask one order of {result['frame_bytes']} bytes; "
        f"{result['batch_count']} batches of {result['orders_a_batch']}, "
        f"{result['checked_count']} signatures checked with hmac",
        f"  {'ns an order':<26}{'median':>9}{'least':>9}{'P90':>9}{'most':>9}",
    ]
    for kind, figure in result["figures"].items():
        cells = "".join(f"{figure[name]:>9.0f}" for name in
                        ("median_ns", "least_ns", "p90_ns", "most_ns"))  # fmt: skip
        rows.append(f"  {kind:<26}{cells}")
    median_ns = result["figures"]["ours"]["median_ns"]
    return [*rows, f"  bar: {BAR_NS} ns, {verdict(median_ns <= BAR_NS)}"]
