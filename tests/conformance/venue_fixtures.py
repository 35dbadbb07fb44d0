"""A venue's fixture: frames in and records out, requests and their bytes, replies and ANSWERs.

``tests/conformance/venues/NAME`` holds four files of JSON, made by us in the venue's forms:

``instruments``  bodies of reference data, and the fields of the rows that they say
``market``       scenes: frames one after the other, each with its records or its refusal; a step
                 has a ``frame`` (text), a ``frame_hex`` (binary) or the ``snapshot`` that REST
                 brings of a ``symbol``; ``book`` is what the book shows after it
``requests``     REQUESTs, and the bytes that the venue gets
``answers``      scenes: messages of the order connections, each with its answers
``account``      questions outside the hot path: what is asked, the reply, and what it says

A field that a record or an answer does not name is 0 (or -1, where that says nothing).  The scenes
``reset`` and ``gap`` are run through a book: in the first it must become valid under a lower number
than before, in the second it must lose its validity for a gap.  A venue without order entry needs
none of ``requests``, ``answers`` and ``account``.
"""

import itertools
import json
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest

from ipc.memory import address_of, record_at
from ipc.types import RecordArray
from vortex.books import sync
from vortex.books.book import BOOK, book_bytes, init_book
from vortex.codes import Answer, BookState, Execution, Kind, OrderState, Refusal, Reject
from vortex.decoding.instruments import build_catalog
from vortex.records import (
    ANSWER,
    DEPTH,
    INSTRUMENT,
    LEVELS,
    REQUEST,
    SESSION,
    TICKER,
    TOUCH,
    TRADE,
)
from vortex.venues.contract import (
    REQUEST_BUFFER_BYTES,
    Account,
    Asker,
    MarketData,
    OrderEntry,
    Refused,
    Snapshots,
)
from vortex.wire.signers import HmacSigner
from vortex.wire.signing import fill_session

TOUCH_DTYPE = TOUCH.dtype

FOLDER = Path(__file__).parent / "venues"
MARKET_SCENES = {"book", "reset", "gap", "trades", "refused"}
ANSWER_SCENES = {"accepted", "fill", "double fill", "reject", "throttle"}
REQUEST_NAMES = {"place", "cancel"}
QUESTIONS = {"time", "state", "open_orders", "order", "fills", "cancel_all"}
READERS = {"time": "read_time_ms"}
WALL_MS = 1_711_001_595_207
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


class Took(NamedTuple):
    """One step of a scene: what it is, what was decoded of it, and the book after it."""

    step: dict[str, Any]
    count: int
    lines: list[dict[str, Any]]
    is_live: bool
    update_id: int
    gap_count: int
    touch: tuple[int, int, int, int]


def payload_of(step: dict[str, Any]) -> bytes:
    """Return the bytes of a step."""
    if "frame_hex" in step:
        return bytes.fromhex(step["frame_hex"])
    return str(step.get("frame", step.get("snapshot"))).encode()


class Bench:
    """A venue's decoders at work: slots to decode into, and a book of each instrument."""

    def __init__(self, venue: str, market: MarketData) -> None:
        self.market = market
        self.rows = instruments_of(venue, market)
        self.symbols = [row["symbol"].decode() for row in self.rows]
        self.catalog, self.tables = build_catalog(self.rows)
        self.slots = np.zeros(SLOTS * 128, np.uint8)
        self.books = [np.zeros(book_bytes(64, 64) // 8 + 8, np.int64) for _ in self.rows]
        for book in self.books:
            init_book(address_of(book), 64, 64, market.chain)

    def decode(self, step: dict[str, Any]) -> int:
        """Write the records of a step into the slots; return how many, or a Refusal."""
        self.slots[:] = 0xAA
        payload = payload_of(step)
        memory = in_memory(payload)
        places = address_of(memory) + 64, len(payload)
        if "snapshot" not in step:
            return int(self.market.decode_market(
                *places, address_of(self.catalog), address_of(self.slots), SLOTS
            ))  # fmt: skip
        row = self.symbols.index(step["symbol"])
        return int(self.market.decode_snapshot(
            *places, address_of(self.rows) + row * INSTRUMENT.dtype.itemsize,
            address_of(self.slots), SLOTS,
        ))  # fmt: skip

    def play(self, scene: list[dict[str, Any]]) -> Iterator[Took]:
        """Take the steps of a scene; yield what came of each."""
        for step in scene:
            count = self.decode(step)
            lines = record_lines(self.slots, count)
            place = 0
            for line in lines:
                address = address_of(self.slots) + 128 * place
                sync.on_message(address_of(self.books[line.get("instrument_id", 0)]), address)
                head = self.slots[128 * place :][:128].view(DEPTH.dtype)[0]
                place += 1 + (int(head["record_count"]) if "bids" in line else 0)
            row = lines[0].get("instrument_id", 0) if lines else 0
            yield self.took(step, count, lines, address_of(self.books[row]))

    def took(
        self, step: dict[str, Any], count: int, lines: list[dict[str, Any]], book_address: int
    ) -> Took:
        """Return what a step did, with what a book shows now."""
        touch = np.zeros(1, TOUCH.dtype)
        sync.touch_into(book_address, record_at(address_of(touch), TOUCH_DTYPE))
        book = record_at(book_address, BOOK.dtype)
        shown = [int(touch[0][f"{s}_{u}"]) for s in ("bid", "ask") for u in ("ticks", "lots")]
        return Took(
            step, count, lines, int(book.state) == BookState.LIVE, int(book.update_id),
            int(book.gap_count), (shown[0], shown[1], shown[2], shown[3]),
        )  # fmt: skip


def check_parts(module: ModuleType) -> None:
    """Check that a venue says where it is documented, and that what it must have is there."""
    assert "*Source:*" in (module.__doc__ or ""), "name the venue's documentation"
    assert any(hasattr(module, part) for part in ("MARKET", "ORDERS", "ACCOUNT"))
    market: MarketData | None = getattr(module, "MARKET", None)
    if market is None:
        return
    needed = ["decode_market", "stream_path", "instruments_path", "next_instruments_path"]
    needed += ["read_instruments", "opening", "resubscribe"]
    if market.snapshots == Snapshots.REST:
        needed += ["decode_snapshot", "snapshot_path"]
    assert [name for name in needed if not callable(getattr(market, name))] == []
    symbols = ["BTCUSDT", "ETHUSDT"]
    assert market.stream_path(symbols).startswith("/")
    assert market.instruments_path(symbols).startswith("/")
    said = market.stream_path(symbols).encode() + b"".join(market.opening(symbols))
    assert all(any(s.encode() in said for s in (name, name.lower())) for name in symbols)
    if market.snapshots == Snapshots.REST:
        assert market.snapshot_path is not None
        assert "ETHUSDT" in market.snapshot_path("ETHUSDT", 100)
    else:
        assert any(b"ETHUSDT" in frame for frame in market.resubscribe("ETHUSDT"))


def check_market(venue: str, market: MarketData) -> None:
    """Check every step of every scene: its records, and the book after it."""
    scenes = read_fixture(venue, "market")
    assert set(scenes) >= MARKET_SCENES
    for scene, steps in scenes.items():
        for took in Bench(venue, market).play(steps):
            where = scene, took.step
            if "refusal" in took.step:
                assert took.count == Refusal[took.step["refusal"]], where
                continue
            assert took.count > 0, (where, took.count)
            assert took.lines == [full(line) for line in took.step["records"]], where
            if "book" in took.step:
                expected = took.step["book"]
                assert (took.is_live, took.update_id) == tuple(expected["is_live_at"]), where
                assert list(took.touch) == expected["touch"], where


def check_numbers(venue: str, market: MarketData) -> None:
    """Check that the numbers begin again in one scene, and have a gap in another."""
    scenes = read_fixture(venue, "market")
    ids = [took.update_id for took in Bench(venue, market).play(scenes["reset"]) if took.is_live]
    assert any(later < before for before, later in itertools.pairwise(ids)), ids
    before: Took | None = None
    is_lost = False
    for took in Bench(venue, market).play(scenes["gap"]):
        if before is not None and before.is_live and took.gap_count > before.gap_count:
            is_lost = not took.is_live
        before = took
    assert is_lost, "no gap made a live book invalid"


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
        size = encode(orders, case, request, rows, session, out)
        assert bytes(out[:size]).decode() == case["payload"], case["name"]


def encode(orders: OrderEntry, case: Any, request: Any, rows: Any, session: Any, out: Any) -> int:
    """Encode one case by the function that is for its kind; return the payload's bytes."""
    places = address_of(rows), address_of(session), case["wall_ms"], case["request_id"]
    kind = Kind(int(request["kind"][0]))
    if kind == Kind.CANCEL_ALL:
        return int(orders.encode_cancel_all(*places, address_of(out)))
    if kind == Kind.STATUS:
        order = case["old_order_id"], case["old_epoch"]
        return int(orders.encode_order_status(*order, *places, address_of(out)))
    orders_named = case["new_order_id"], case["old_order_id"], case["old_epoch"]
    return int(orders.encode_request(address_of(request), *places, *orders_named, address_of(out)))


def said_by(rows: Any) -> Any:
    """Return the rows of the contract as lists, codes as numbers."""
    if isinstance(rows, tuple | list):
        return [said_by(row) for row in rows]
    return int(rows) if isinstance(rows, IntEnum) else rows


def check_account(venue: str, account: Account) -> None:
    """Check what each question asks, and what is read in its reply."""
    cases = read_fixture(venue, "account")
    assert {case["question"] for case in cases} >= QUESTIONS
    assert any("refused" in case for case in cases)
    asker = Asker("a key", HmacSigner(b"a secret"), WALL_MS, 5000)
    for case in cases:
        name, arguments = case["question"], case["arguments"]
        question = getattr(account, name)
        ask = question() if name == "time" else question(asker, *arguments)
        found = {
            "transport": ask.transport.name, "body": ask.body.decode(), "method": ask.method,
            "path": ask.path, "headers": [list(header) for header in ask.headers],
        }  # fmt: skip
        usual = {"body": "", "method": "GET", "path": "", "headers": []}
        assert found == usual | case["ask"], case
        read = getattr(account, READERS.get(name, f"read_{name}"))
        if "refused" in case:
            with pytest.raises(Refused) as caught:
                read(case["reply"].encode())
            refused = {key: getattr(caught.value, key) for key in case["refused"]}
            assert refused == case["refused"], case
        else:
            assert said_by(read(case["reply"].encode())) == case["said"], case


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
