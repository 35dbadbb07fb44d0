"""A venue's fixture: frames in and records out, requests and their bytes, replies and ANSWERs.

``tests/conformance/venues/NAME`` holds files of JSON, made by us in the venue's forms:

``instruments``  bodies of reference data, and the fields of the rows that they say
``market``       scenes: frames (text, or hexadecimal digits) and snapshots of REST, one after the
                 other, each with its records or its refusal
``requests``     REQUESTs, and the bytes that the venue gets
``answers``      scenes: messages of the order connections, each with its answers

A venue without order entry has no requests and no answers.  A field that a record or an answer
does not name is 0 (or -1, where that says nothing).
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from ipc.memory import address_of
from ipc.types import RecordArray
from vortex.codes import Answer, Execution, Kind, OrderState, Refusal, Reject
from vortex.decoding.instruments import build_catalog
from vortex.records import ANSWER, DEPTH, INSTRUMENT, LEVELS, REQUEST, SESSION, TICKER, TRADE
from vortex.venues.contract import REQUEST_BUFFER_BYTES, MarketData, OrderEntry, Snapshots
from vortex.wire.signing import fill_session

FOLDER = Path(__file__).parent / "venues"
MARKET_SCENES = {"book", "gap", "trades", "refused"}
SNAPSHOT_SCENES = {Snapshots.PUSHED: {"reset"}, Snapshots.REST: {"snapshot"}}
ANSWER_SCENES = {"accepted", "fill", "double fill", "reject", "throttle"}
REQUEST_NAMES = {"place", "cancel"}
RUN_ID, EPOCH = 0xABC, 2
SLOTS = 64
PAD = b"9" * 64
CODES = {"kind": Answer, "execution": Execution, "state": OrderState, "reject": Reject}
SILENT = {"instrument_id": -1, "trade_id": -1, "order_count_10s": -1, "limit_left_count": -1}


def read_fixture(venue: str, name: str) -> Any:
    """Return one file of a venue's fixture."""
    return json.loads((FOLDER / venue / f"{name}.json").read_text())


def in_memory(text: bytes) -> "np.ndarray[Any, Any]":
    """Return ``text`` between bytes that are read and mean nothing; it begins at 64."""
    return np.frombuffer(PAD + text + PAD, np.uint8).copy()


def instruments_of(venue: str, market: MarketData) -> RecordArray:
    """Return the INSTRUMENT rows that the venue reads in its fixture; they are as it says."""
    fixture = read_fixture(venue, "instruments")
    bodies = [body.encode() for body in fixture["bodies"]]
    rows = market.read_instruments(bodies, fixture["symbols"], 0)
    for row, expected in zip(rows, fixture["rows"], strict=True):
        for name, value in expected.items():
            said = row[name].decode() if isinstance(value, str) else int(row[name])
            assert said == value, f"{name} of {row['symbol'].decode()}"
    return rows


def record_lines(slots: Any, count: int) -> list[dict[str, Any]]:
    """Return what the slots say: a line for each head, its levels with it."""
    lines: list[dict[str, Any]] = []
    for index in range(count):
        slot = slots[index * 128 : (index + 1) * 128]
        kind = Kind(int(slot[0]))
        if kind in (Kind.BIDS, Kind.ASKS):
            row = slot.view(LEVELS.dtype)[0]
            used = int(row["level_count"])
            side = lines[-1]["bids" if kind == Kind.BIDS else "asks"]
            side += zip(*(row[n][:used].tolist() for n in ("price_ticks", "qty_lots")), strict=True)
            continue
        layout = {Kind.TRADE: TRADE, Kind.TICKER: TICKER}.get(kind, DEPTH)
        line = fields_of(slot.view(layout.dtype)[0], {"record_count"})
        lines.append({**line, "kind": kind.name})
        if layout is DEPTH:
            lines[-1] |= {"bids": [], "asks": []}
    return lines


def fields_of(row: Any, passed_over: set[str]) -> dict[str, Any]:
    """Return the fields of a record that are not 0; an id of 128 bits as one number."""
    names = [name for name in row.dtype.names if name not in {"reserved", *passed_over}]
    said = {name: int(row[name]) for name in names if row[name] != 0}
    if "trade_id" in names:
        high, low = int(row["trade_id_high"]), int(row["trade_id"])
        said.pop("trade_id_high", None)
        said["trade_id"] = f"{high % 2**64 << 64 | low % 2**64:032x}"
    return said


def full(line: dict[str, Any]) -> dict[str, Any]:
    """Return an expected record in the form of ``record_lines``."""
    said = {name: value for name, value in line.items() if value != 0}
    for side in {"bids", "asks"} & set(said):
        said[side] = [tuple(level) for level in said[side]]
    return said


def decode_step(step: Any, market: MarketData, catalog: Any, rows: Any, slots: Any) -> int:
    """Decode one step of a scene; return what the decoder returned."""
    slots[:] = 0xAA
    text = bytes.fromhex(step.get("frame_hex", "")) or step.get("frame", "").encode()
    if "snapshot" in step:
        text = step["snapshot"].encode()
    memory = in_memory(text)
    place = address_of(memory) + 64, len(text)
    if "snapshot" in step:
        return int(market.decode_snapshot(*place, address_of(rows), address_of(slots), SLOTS))
    return int(market.decode_market(*place, address_of(catalog), address_of(slots), SLOTS))


def check_market(venue: str, market: MarketData) -> None:
    """Check every step of every scene."""
    rows = instruments_of(venue, market)
    catalog, tables = build_catalog(rows)
    slots = np.zeros(SLOTS * 128, np.uint8)
    scenes = read_fixture(venue, "market")
    assert set(scenes) >= MARKET_SCENES | SNAPSHOT_SCENES[market.snapshots]
    for scene, steps in scenes.items():
        for step in steps:
            count = decode_step(step, market, catalog, rows, slots)
            if "refusal" in step:
                assert count == Refusal[step["refusal"]], (scene, step)
                continue
            assert count > 0, (scene, step, count)
            expected = [full(line) for line in step["records"]]
            assert record_lines(slots, count) == expected, (scene, step)
    assert len(tables) > 0  # the catalog points into it


def new_session() -> RecordArray:
    """Return the SESSION of the fixture."""
    session = np.zeros(1, SESSION.dtype)
    fill_session(session[0], "a key", b"a secret", RUN_ID, EPOCH, 5000)
    session["is_logged_on"] = 1
    return session


def check_requests(venue: str, market: MarketData, orders: OrderEntry) -> None:
    """Check the bytes of every request."""
    rows = instruments_of(venue, market)
    session, request = new_session(), np.zeros(1, REQUEST.dtype)
    cases = read_fixture(venue, "requests")
    assert {case["name"] for case in cases} >= REQUEST_NAMES
    assert rows.dtype == INSTRUMENT.dtype
    for case in cases:
        request[0] = np.zeros(1, REQUEST.dtype)[0]
        for name, value in case["request"].items():
            request[name] = Kind[value] if name == "kind" else value
        out = np.zeros(REQUEST_BUFFER_BYTES, np.uint8)
        size = orders.encode_request(
            address_of(request), address_of(rows), address_of(session), case["wall_ms"],
            case["request_id"], case["new_order_id"], case["old_order_id"], case["old_epoch"],
            address_of(out),
        )  # fmt: skip
        assert bytes(out[:size]).decode() == case["payload"], case["name"]


def answer_line(row: Any) -> dict[str, Any]:
    """Return what an ANSWER says, codes by their names."""
    silent = {name for name, value in SILENT.items() if row[name] == value}
    said = {name: value for name, value in fields_of(row, set()).items() if name not in silent}
    return {name: CODES[name](v).name if name in CODES else v for name, v in said.items()}


def check_answers(venue: str, market: MarketData, orders: OrderEntry) -> None:
    """Check the answers of every message of every scene."""
    rows, session = instruments_of(venue, market), new_session()
    catalog, tables = build_catalog(rows)
    places = {connection.name: place for place, connection in enumerate(orders.connections)}
    scenes = read_fixture(venue, "answers")
    assert set(scenes) >= ANSWER_SCENES
    for scene, steps in scenes.items():
        for step in steps:
            out = np.zeros(8, ANSWER.dtype)
            out.view(np.uint8)[:] = 0xAA
            memory = in_memory(step["frame"].encode())
            count = orders.decode_answer(
                places[step["connection"]], address_of(memory) + 64, len(step["frame"]),
                address_of(catalog), address_of(session), address_of(out), len(out),
            )  # fmt: skip
            assert count > 0, (scene, step["frame"], count)
            expected = [full(answer) for answer in step["answers"]]
            assert [answer_line(row) for row in out[:count]] == expected, (scene, step["frame"])
    assert len(tables) > 0
