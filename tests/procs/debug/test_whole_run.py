"""A whole run, repeated in one process from what its stages took, does the same byte for byte.

Real processes trade over real sockets.  Three others say what they did: the rings of the run, the
request log of the exchange, and the keyed hash that the venue's documentation describes.
"""

import hashlib
import hmac
import json
import os
import shutil
import signal
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from engines import ROOT, Engine, Exchange, Watch, until
from hypothesis import given
from hypothesis import strategies as st

from ipc.intake import Entry
from ipc.memory import address_of
from ipc.ring import observe
from procs.debug.steps.moments import NotRepeatable
from procs.debug.steps.step_recording import BadRecording
from procs.debug.whole_run import Differs, WholeRun, turns_of
from procs.observe.samples import report
from procs.plan.credentials import SECRET_VARIABLE
from procs.plan.instance import intake_path
from procs.stages.book_stage import BookCounter
from procs.stages.gateway.context import GatewayCounter
from procs.stages.ingest.ingest_stage import IngestCounter
from vortex.wire.websocket import Opcode

pytestmark = pytest.mark.timeout(1000)  # it may be the first to need the compiler

RINGS = {
    "market_bits": 18, "tops_bits": 16, "requests_bits": 14, "events_bits": 15, "steps_bits": 17,
}  # fmt: skip
COMPARED = ("market.ingest", "tops", "requests", "events", "sent")
ORDER_COUNT, FILL_COUNT = 200, 5


class Ran(NamedTuple):
    """A run that was stopped: its engine, what its rings held, and what its exchange got."""

    engine: Engine
    rings: dict[str, list[bytes]]
    requests: list[str]


def whole_ring(view: Watch, name: str) -> list[bytes]:
    """Return all records that a ring ever held; none may be missing."""
    found = view.last_records(name, 1 << 24)
    assert [seq for seq, _ in found] == list(range(len(found))), f"{name} does not begin with 0"
    return [record for _, record in found]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """Run an engine on an exchange of its own until it has traded, and stop it."""
    folder = tmp_path_factory.mktemp("whole")
    log_path = folder / "requests.jsonl"
    exchange = Exchange(folder, "--request-log", str(log_path))
    engine = Engine.on(folder, exchange, rings=RINGS, record={"intake_mb": 64})
    try:
        done = engine.start()
        assert done.returncode == 0, done.stderr
        view = engine.view()

        def is_enough() -> bool:
            facts = report.make(view)
            return bool(facts["orders"] >= ORDER_COUNT and facts["fills"] >= FILL_COUNT)

        until(is_enough, "there were orders and fills enough")
        assert engine.stop().exit_code == 0
        rings = {name: whole_ring(view, name) for name in COMPARED}
        exchange.stop()
        rows = [json.loads(line) for line in log_path.read_text().splitlines()]
        yield Ran(engine, rings, [row["request"] for row in rows if row["via"] == "ws-api"])
    finally:
        engine.close()
        exchange.close()


@pytest.fixture
def copied(ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the run's folder, which a test may change; the keys are at hand."""
    for name, value in ran.engine.environment.items():
        monkeypatch.setenv(name, value)
    return Path(shutil.copytree(ran.engine.run_folder, tmp_path / "run"))


def frames_of(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield opcode and payload of each masked frame that a client sent."""
    place = 0
    while place < len(data):
        size, head = data[place + 1] & 127, place + 2
        assert data[place + 1] & 128, "a client masks its frames"
        assert size < 127, "no frame of ours is so long"
        if size == 126:
            size, head = int.from_bytes(data[head : head + 2]), head + 2
        key, masked = data[head : head + 4], data[head + 4 : head + 4 + size]
        yield data[place] & 15, bytes(b ^ key[i % 4] for i, b in enumerate(masked))
        place = head + 4 + size


def is_signed(request: dict[str, Any], secret: str) -> bool:
    """Return whether a request is signed as the venue's documentation says."""
    params = {name: value for name, value in request["params"].items() if name != "signature"}
    text = "&".join(f"{name}={params[name]}" for name in sorted(params))
    wanted = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return bool(request["params"]["signature"] == wanted)


def ring_of(run: WholeRun, name: str) -> list[bytes]:
    """Return all records that the repetition published to a ring."""
    shared = run.memory.observer(name)
    slot = np.zeros(shared.spec.slot_bytes, np.uint8)
    found = []
    for seq in range(shared.published_seq):
        assert observe(shared.address, seq, address_of(slot)) == 1
        found.append(slot.tobytes())
    return found


def test_a_whole_run_is_repeated_byte_for_byte(ran: Ran, copied: Path) -> None:
    """Every record, every request and every byte to the venue; counts are printed."""
    run = WholeRun(copied)
    sent = b""
    try:
        for stage, turn in run.repeat():
            if stage.role == "gateway":
                sent += b"".join(turn.of_kind(Entry.SENDING))
        assert run.notes() == []
        for name in COMPARED:
            assert ring_of(run, name) == ran.rings[name], name
    finally:
        run.close()
    texts = [text.decode() for opcode, text in frames_of(sent) if opcode == Opcode.TEXT]
    assert len(texts) >= ORDER_COUNT
    assert texts == ran.requests[-len(texts) :], "what the exchange got, in its order"
    secret = ran.engine.environment[SECRET_VARIABLE]
    assert all(is_signed(json.loads(text), secret) for text in texts)
    print("\n".join(run.counts.lines()), f"order frames: {len(texts)}", sep="\n")


@pytest.fixture
def troubled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder of a killed run that had lost messages, connections and replies."""
    exchange = Exchange(tmp_path, "--faults")
    accounts = [{
        "rest_url": exchange.rest_url, "order_url": f"{exchange.ws_url}/ws-api/v3",
        "orders_per_10s": 100_000, "answer_timeout_ms": 500,
    }]  # fmt: skip
    engine = Engine.on(tmp_path, exchange, accounts=accounts, record={"intake_mb": 256})
    try:
        done = engine.start()
        assert done.returncode == 0, done.stderr
        view = engine.view()

        def trades() -> None:
            enough = report.make(view)["orders"] + 20
            until(lambda: report.make(view)["orders"] >= enough, "it trades")

        def changed(role: str, counter: int) -> Callable[[], bool]:
            before = view.counter(role, counter)
            return lambda: view.counter(role, counter) > before

        trades()
        lost = [("lose", {"lane": lane, "count": 20}) for lane in ("replies", "reports")]
        troubles: list[tuple[str, int, list[tuple[str, dict[str, Any]]]]] = [
            ("book", BookCounter.GAPS, [("lose", {"lane": "diffs", "count": 1})]),
            ("ingest", IngestCounter.CONNECTIONS, [("cut", {"kind": "streams"})]),
            ("gateway", GatewayCounter.STATUS_ASKED, lost),
            # A fill whose report was lost is fetched by the next connection.
            ("gateway", GatewayCounter.CONNECTIONS, [("cut", {"kind": "orders"})]),
        ]
        for role, counter, faults in troubles:
            has_struck = changed(role, counter)
            for fault, settings in faults:
                exchange.arm(fault, **settings)
            until(has_struck, f"{faults} had struck")
            exchange.control("DELETE", "faults")
        trades()
        assert engine.run("restart", "strategy", "-n", engine.name).exit_code == 0
        trades()
        engine.remember()
        for name, value in engine.environment.items():
            monkeypatch.setenv(name, value)
        for pid in engine.pids:
            os.kill(pid, signal.SIGKILL)
        yield engine.run_folder
    finally:
        engine.close()
        exchange.close()


def test_a_run_in_trouble_is_repeated_as_well(troubled: Path) -> None:
    """Snapshots, reconciliation, status queries and new connections are on record too.

    What follows the second life of a stage is not repeated.
    """
    run = WholeRun(troubled)
    try:
        for _ in run.repeat():
            pass
        counters = run.memory.table("counters.gateway").records[0]["value_count"]
        assert counters[GatewayCounter.CONNECTIONS] > 1
        assert counters[GatewayCounter.STATUS_ASKED] > 0
        assert run.counts.letters > 10
        assert run.notes()[0].startswith("strategy started again")
    finally:
        run.close()
    print("\n".join(run.counts.lines()))


@pytest.fixture
def of_two_venues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder of a run on Binance and Bybit: two sources, two accounts."""
    venues = (ROOT / "configs" / "exchange_bybit.toml").read_text()
    exchange = Exchange(tmp_path, config=venues)
    bybit = exchange.ports["bybit_linear"]
    text = (ROOT / "configs" / "demo_led_by.toml").read_text()
    for port, real in (
        ("18080", exchange.rest_port), ("18081", exchange.ws_port),
        ("18082", bybit["rest_port"]), ("18083", bybit["ws_port"]),
    ):  # fmt: skip
        text = text.replace(port, str(real))
    tables = {name: table for name, table in tomllib.loads(text).items() if isinstance(table, list)}
    keys = {
        f"{name}{suffix}": value
        for name, value in exchange.keys.items()
        for suffix in ("", "_SPOT", "_BYBIT")
    }
    engine = Engine(
        tmp_path, exchange.rest_url, exchange.ws_url, exchange.ws_url, keys,
        record={"intake_mb": 256}, **tables,
    )  # fmt: skip
    try:
        done = engine.start()
        assert done.returncode == 0, done.stderr
        view = engine.view()
        for role in ("gateway-spot", "gateway-bybit"):
            until(lambda r=role: view.counter(r, GatewayCounter.PLACED) >= 20, f"{role} places")
        assert engine.stop().exit_code == 0
        for name, value in keys.items():
            monkeypatch.setenv(name, value)
        yield engine.run_folder
    finally:
        engine.close()
        exchange.close()


def test_a_run_of_two_venues_is_repeated(of_two_venues: Path) -> None:
    """Each account signs as its venue wants, on as many connections as that has."""
    run = WholeRun(of_two_venues)
    try:
        for _ in run.repeat():
            pass
        assert run.notes() == []
        assert all(run.counts.records[f"sent.{name}"] >= 20 for name in ("spot", "bybit"))
    finally:
        run.close()
    print("\n".join(run.counts.lines()))


def test_the_command_says_what_was_equal(ran: Ran, copied: Path) -> None:
    """A user gets the counts, and a status that says that all was equal."""
    done = ran.engine.run("rerun", str(copied))
    assert done.exit_code == 0, done.output
    assert f"requests {len(ran.rings['requests'])}" in done.output


def entry_of(path: Path, kind: Entry, size_min: int) -> int:
    """Return where the bytes of the last entry of a kind begin in an intake."""
    data = np.fromfile(path, np.uint8)
    place, found = 0, 0
    while word := int(data[place : place + 8].view(np.int64)[0]):
        if word % 256 == kind and word // 256 >= size_min:
            found = place + 8
        place += 8 + (word // 256 + 7 & -8)
    assert found
    return found


@pytest.mark.parametrize(
    ("role", "kind", "offset_bytes", "says"),
    [
        ("strategy", Entry.OUTPUT, 16 + 40, "strategy turn"),  # a request that was another
        ("gateway", Entry.SENDING, 40, "gateway turn"),  # a byte on the wire
        ("gateway", Entry.MASK, 0, "gateway turn"),  # its masking key
        ("ingest", Entry.READ, 24 + 100, "ingest turn"),  # a byte of the venue
    ],
)
def test_a_changed_byte_is_found(
    copied: Path, role: str, kind: Entry, offset_bytes: int, says: str
) -> None:
    """What a stage took, made or sent otherwise makes the repetition differ, and it says where."""
    path = intake_path(copied, role, 1)
    data = bytearray(path.read_bytes())
    data[entry_of(path, kind, offset_bytes + 1) + offset_bytes] ^= 1
    path.write_bytes(data)
    run = WholeRun(copied)
    try:
        with pytest.raises(Differs, match=says):
            for _ in run.repeat():
                pass
    finally:
        run.close()


def test_an_intake_that_ends_early_is_repeated_until_then(copied: Path) -> None:
    """A file that was full, or a stage that was killed: the others go as far as they can."""
    path = intake_path(copied, "ingest", 1)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    run = WholeRun(copied)
    try:
        for _ in run.repeat():
            pass
        assert run.counts.turns["ingest"] > 0
        assert run.counts.records["requests"] > 0
    finally:
        run.close()


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


@pytest.mark.parametrize(
    ("spoil", "error", "says"),
    [
        (remove("book.1.intake"), NotRepeatable, "book kept no intake"),
        (remove("begun.npz"), BadRecording, "holds no whole run"),
        (remove("book.launch.json"), BadRecording, "not the folder of a run"),
        (lambda f: (f / "book.1.intake").write_bytes(b""), BadRecording, "is empty"),
    ],
)
def test_a_folder_that_does_not_suffice_is_refused(
    copied: Path, spoil: Callable[[Path], None], error: type[Exception], says: str
) -> None:
    """In one line, before anything is repeated."""
    spoil(copied)
    with pytest.raises(error, match=says):
        WholeRun(copied)


def test_single_stages_that_take_bytes_say_why_they_are_not_stepped(ran: Ran) -> None:
    """The way out is in the same line."""
    for role in ("ingest", "gateway"):
        done = ran.engine.process("step", str(ran.engine.run_folder), "--stage", role)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert "vortexctl rerun" in done.stderr


@given(st.binary(max_size=400))
def test_any_bytes_are_turns_or_damage(data: bytes) -> None:
    """A damaged intake is refused, never misread or read without end."""
    try:
        for turn in turns_of(np.frombuffer(data, np.uint8)):
            assert 0 < turn.end_bytes <= len(data)
    except BadRecording:
        pass
