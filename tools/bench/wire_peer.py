"""The memory behind ``wire_to_wire``'s compiled peer, and the check of what it received."""

import socket
from dataclasses import dataclass
from typing import Any

import numpy as np

from ipc.memory import address_of
from ipc.sockets import new_receiver
from ipc.types import Int64Array
from tools.bench import wire_loops as loops
from tools.bench import wire_texts as texts
from tools.bench.frames import SYMBOL
from tools.bench.signed import read_request
from tools.bench.wire_market import BASE_TICKS, PERIOD_COUNT, SPREAD_TICKS, Batch
from tools.bench.wire_venue import Venue

LOG_BYTES = 48 << 20
REQUEST_COUNT_MAX = 100_000
FILL_EVERY_COUNT = 97
HALF_SPREAD_TICKS = 2
QTY_LOTS = 100
TEMPLATES = (
    texts.PLACED,
    texts.REPLACED,
    texts.NEW_REPORT,
    texts.CANCELED_REPORT,
    texts.FILL_REPORT,
)


@dataclass
class Segment:
    """What one batch of frames led to."""

    latency_ns: Int64Array  # of each frame, from its intended send to the first order it caused
    request_count: int
    order_count: int  # orders that were the first to answer some frame
    late_ns_max: int


def joined(parts: list[Segment]) -> Segment:
    """Return several batches as one."""
    return Segment(
        np.concatenate([part.latency_ns for part in parts]),
        sum(part.request_count for part in parts),
        sum(part.order_count for part in parts),
        max(part.late_ns_max for part in parts),
    )


class Wrong(AssertionError):
    """The engine answered wrongly, or not at all."""


class Peer:
    """The peer's buffers; ``drive`` sends one batch, ``judge`` checks what came of it."""

    def __init__(self) -> None:
        self.record = np.zeros(1, loops.PEER_DTYPE)
        self.receiver = new_receiver()
        self.log = np.zeros(LOG_BYTES + 64, np.uint8)
        self.requests = np.zeros((REQUEST_COUNT_MAX, 3), np.int64)
        self.fields = np.zeros((texts.FIELD_COUNT, 2), np.int64)
        self.texts = np.zeros(texts.FIELD_COUNT * loops.TEXT_BYTES_MAX + 64, np.uint8)
        self.standing = np.zeros(2 * loops.STANDING_BYTES, np.uint8)
        self.out = np.zeros(1 << 16, np.uint8)
        self.template_bytes = [np.frombuffer(text, np.uint8).copy() for text in TEMPLATES]
        self.templates = np.array([(address_of(t), len(t)) for t in self.template_bytes], np.int64)
        record = self.record[0]
        for name in ("receiver", "log", "requests", "fields", "texts", "standing", "out"):
            record[f"{name}_address"] = address_of(getattr(self, name))
        record["templates_address"] = address_of(self.templates)
        record["log_bytes"] = LOG_BYTES
        record["request_count_max"] = REQUEST_COUNT_MAX
        record["fill_every_count"] = FILL_EVERY_COUNT
        self.seen_ids: set[str] = set()

    @property
    def fill_count(self) -> int:
        """How many orders were filled."""
        return int(self.record[0]["fill_count"])

    def take_over(self, venue: Venue) -> None:
        """Take over the two sockets of a venue, whose handshakes are done."""
        assert venue.feed is not None
        assert venue.orders is not None
        self.record[0]["feed_fd"] = venue.feed.socket.fileno()
        self.record[0]["order_fd"] = venue.orders.socket.fileno()
        self.record[0]["feed_tls_address"] = venue.feed.tls_address
        self.record[0]["order_tls_address"] = venue.orders.tls_address

    def drive(self, batch: Batch) -> None:
        """Send one batch and answer what comes of it."""
        record = self.record[0]
        for name in ("filled_bytes", "parsed_bytes", "request_count"):
            record[name] = 0
        if not loops.drive(address_of(self.record), address_of(batch.table), len(batch.table)):
            raise Wrong("a connection failed, or bytes came that are no request")
        if record["strange_count"] or record["parsed_bytes"] != record["filled_bytes"]:
            raise Wrong(f"a request of a kind that nobody expected: {self.last_request()!r}")

    def last_request(self) -> bytes:
        """Return the newest request's text."""
        count = int(self.record[0]["request_count"])
        return self.payload(count - 1) if count else b""

    def payload(self, index: int) -> bytes:
        """Return one request's text."""
        _, offset, byte_count = self.requests[index]
        return self.log[offset : offset + byte_count].tobytes()

    def judge(self, batch: Batch, venue: Venue) -> Segment:
        """Check what came of the batch that was driven last; return each frame's latency.

        Raises
        ------
        Wrong
            When an order is missing or wrong.
        """
        record = self.record[0]
        due_ns = int(record["start_ns"]) + batch.tick_due_ns
        latency_ns = np.zeros(len(due_ns), np.int64)
        next_index, order_count = 0, 0
        for index in range(int(record["request_count"])):
            params = self.check(self.payload(index), venue)
            arrived_ns = int(self.requests[index, 0])
            frame_index = self.cause_of(params, batch, due_ns, arrived_ns)
            if frame_index >= next_index:
                answered = slice(next_index, frame_index + 1)
                latency_ns[answered] = arrived_ns - due_ns[answered]
                next_index, order_count = frame_index + 1, order_count + 1
        if next_index < len(due_ns):
            raise Wrong(f"{len(due_ns) - next_index} frames got no order")
        count = int(record["request_count"])
        return Segment(latency_ns, count, order_count, int(record["late_ns_max"]))

    def check(self, payload: bytes, venue: Venue) -> dict[str, Any]:
        """Check one request and update the open orders; return its parameters."""
        request = read_request(payload, venue.secret)
        params: dict[str, Any] = request["params"]
        side, client_id = params["side"], params["newClientOrderId"]
        if request["id"] in self.seen_ids or client_id in self.seen_ids:
            raise Wrong(f"an id was used twice: {request}")
        self.seen_ids |= {request["id"], client_id}
        old_id = params.get("cancelOrigClientOrderId")
        if old_id is not None and old_id != venue.standing.get(side, ("",))[0]:
            raise Wrong(f"it replaces an order that is not open: {request}")
        if params["symbol"] != SYMBOL or float(params["quantity"]) * 1e5 != QTY_LOTS:
            raise Wrong(f"a wrong order: {request}")
        venue.standing[side] = (client_id, params["price"], params["quantity"])
        return params

    def cause_of(
        self, params: dict[str, Any], batch: Batch, due_ns: Int64Array, arrived_ns: int
    ) -> int:
        """Return the frame of the batch that explains an order's price.

        Negative for one before the batch; a price that no frame explains raises ``Wrong``.
        """
        ticks = round(float(params["price"]) * 100)
        if params["side"] == "BUY":
            bid_ticks = ticks - SPREAD_TICKS // 2 + HALF_SPREAD_TICKS
        else:
            bid_ticks = ticks - SPREAD_TICKS // 2 - HALF_SPREAD_TICKS
        step = bid_ticks - BASE_TICKS
        if not 0 <= step < PERIOD_COUNT:
            raise Wrong(f"a price that no frame explains: {params}")
        sent_count = int(np.searchsorted(due_ns, arrived_ns, side="right"))
        newest = batch.first_index + sent_count - 1
        behind = (newest - step) % PERIOD_COUNT
        if newest - behind < batch.first_index and sent_count >= PERIOD_COUNT:
            raise Wrong(f"a price that no frame explains: {params}")
        return newest - behind - batch.first_index


class EchoClient:
    """The near side of the TCP echo."""

    def __init__(self, connected: socket.socket, reply_bytes: int, tls_address: int) -> None:
        self.socket = connected
        self.reply_bytes = reply_bytes
        self.receiver = new_receiver()
        self.log = np.zeros(1 << 16, np.uint8)
        self.record = np.zeros(1, loops.PEER_DTYPE)
        self.record["feed_fd"] = connected.fileno()
        self.record["feed_tls_address"] = tls_address
        self.record["receiver_address"] = address_of(self.receiver)
        self.record["log_address"] = address_of(self.log)
        self.record["log_bytes"] = len(self.log)

    def run(self, batch: Batch) -> Int64Array:
        """Drive the tickers of a batch; return each one's latency."""
        frame_bytes = int(batch.table[0, 1])
        tickers = batch.table[batch.table[:, 1] == frame_bytes]
        arrived_ns = np.zeros(len(tickers), np.int64)
        tickers = np.ascontiguousarray(tickers)
        done = loops.drive_echo(
            address_of(self.record), address_of(tickers), len(tickers), self.reply_bytes,
            address_of(arrived_ns),
        )  # fmt: skip
        assert done, "the echo's connection failed"
        return arrived_ns - int(self.record[0]["start_ns"]) - tickers[:, 2]
