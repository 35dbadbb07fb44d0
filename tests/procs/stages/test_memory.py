"""Nothing is allocated per message: not by the compiled loops, not by anything around them.

Numba's allocator is looked for in the machine code; the kernel's count of page faults and the
resident set are watched while over a million messages pass through all four processes.
"""

import itertools
import re
import socket
import threading
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha1
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numba
import numpy as np
import pytest
from engines import Engine, Exchange, Watch, strategy_of, until
from proxy import frame

from ipc import control
from ipc.compiled import CACHE_DIRECTORY
from ipc.control import State
from ipc.counters import COUNTERS, read_counter
from ipc.memory import address_of
from ipc.plugs import Plug
from procs.stages import book_stage, joint, strategy_stage
from procs.stages.base import running
from procs.stages.base.stage import Built
from procs.stages.gateway import gateway_stage
from procs.stages.ingest import ingest_stage
from procs.stages.strategy_inputs import StrategyCounter
from vortex import strategies

pytestmark = pytest.mark.timeout(1000)  # it may be the first to need the compiler

ALLOCATOR = re.compile(rb"NRT_\w*[Aa]lloc\w*|NRT_MemInfo_new\w*")
ACCEPT_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
WARM_COUNT, MESSAGE_COUNT, BLOB_COUNT = 100_000, 1_000_000, 5_000
STRATEGIES = ("constant_spread", "avellaneda_stoikov")
FIRST_ID = 10**12
ID_DIGITS = len(str(FIRST_ID))
TICKER = (
    '{"stream":"btcusdt@bookTicker","data":{"u":%d,"s":"BTCUSDT",'
    '"b":"%d.00000000","B":"1.00000000","a":"%d.00000000","A":"1.00000000"}}'
)
DIFF = (
    '{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1,"s":"BTCUSDT",'
    '"U":1,"u":%d,"b":[],"a":[]}}'
)


class Flood:
    """A market that sends as fast as it is read: bookTicker frames with rising update ids."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.begin, self.go_on = threading.Event(), threading.Event()
        self.sent_count = 0
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self) -> None:
        """Shake hands, bring the book into sync, and flood it in two parts."""
        try:
            client, _ = self.listener.accept()
        except OSError:
            return
        with client:
            request = b""
            while not request.endswith(b"\r\n\r\n"):
                request += client.recv(4096)
            key = re.search(rb"(?i)sec-websocket-key: (\S+)", request)
            assert key is not None
            accept = b64encode(sha1(key[1] + ACCEPT_GUID).digest())
            client.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
            )
            self.begin.wait()
            client.sendall(frame(0x81, (DIFF % (FIRST_ID - 1)).encode()))
            self.send(client, WARM_COUNT)
            self.go_on.wait()
            self.send(client, MESSAGE_COUNT)
            client.recv(1)  # stays open until the engine ends

    def send(self, client: socket.socket, count: int) -> None:
        """Send ``count`` messages, each with an update id of its own and other prices."""
        texts = [
            frame(0x81, (TICKER % (FIRST_ID, 60_000 + n % 7, 60_010 + n % 5)).encode())
            for n in range(BLOB_COUNT)
        ]
        assert len(set(map(len, texts))) == 1
        blob = np.frombuffer(b"".join(texts), np.uint8).reshape(BLOB_COUNT, -1).copy()
        first = texts[0].index(str(FIRST_ID).encode())
        for _ in range(count // BLOB_COUNT):
            ids = FIRST_ID + self.sent_count + np.arange(BLOB_COUNT)
            for digit in range(ID_DIGITS):
                place = first + ID_DIGITS - 1 - digit
                blob[:, place] = ord("0") + ids // 10**digit % 10
            client.sendall(blob.tobytes())
            self.sent_count += BLOB_COUNT

    def close(self) -> None:
        """End the thread."""
        self.begin.set()
        self.go_on.set()
        self.listener.close()
        self.thread.join(timeout=30)


class Memory(NamedTuple):
    """What one stage's hot thread and its process hold and did."""

    fault_count: int
    resident_bytes: int


def memory_of(view: Watch, role: str) -> Memory:
    """Return the page faults of the hot thread and the resident set of the process."""
    status = view.status(role)
    task = Path(f"/proc/{status['pid']}/task/{status['thread_id']}/stat")
    fields = task.read_text().rpartition(")")[2].split()
    resident_pages = int(Path(f"/proc/{status['pid']}/statm").read_text().split()[1])
    return Memory(int(fields[7]) + int(fields[9]), resident_pages * 4096)


@pytest.fixture
def flood() -> Iterator[Flood]:
    """Return a market that has not begun."""
    made = Flood()
    yield made
    made.close()


def test_a_million_messages_fault_no_page_and_grow_nothing(tmp_path: Path, flood: Flood) -> None:
    """From the socket to the limits of the gateway; warmed up by a tenth of that."""
    exchange = Exchange(tmp_path)
    ws_url = f"ws://127.0.0.1:{flood.port}"
    source = {"rest_url": exchange.rest_url, "stream_url": ws_url, "symbols": ["BTCUSDT"]}
    engine = Engine.on(tmp_path, exchange, sources=[source],
                       strategies=[strategy_of("BTCUSDT", 100)])  # fmt: skip
    try:
        flood.begin.set()
        done = engine.start()
        assert done.returncode == 0, done.stderr
        view = engine.view()
        taken = ingest_stage.IngestCounter.MESSAGES
        until(lambda: view.counter("ingest", taken) > WARM_COUNT, "it was warm")
        worked = (StrategyCounter.DECISIONS, StrategyCounter.REQUESTS)
        warm = [view.counter("strategy", counter) for counter in worked]
        before = {role: memory_of(view, role) for role in view.wiring.roles}
        flood.go_on.set()
        until(lambda: view.counter("ingest", taken) > WARM_COUNT + MESSAGE_COUNT, "all had passed")
        after = {role: memory_of(view, role) for role in view.wiring.roles}
        decisions, requests = (view.counter("strategy", counter) for counter in worked)
        assert decisions > warm[0] + 500
        assert requests > warm[1] + 20
        assert view.counter("ingest", ingest_stage.IngestCounter.DROPPED) == 0
        faults = {role: after[role].fault_count - before[role].fault_count for role in before}
        grown = {role: after[role].resident_bytes - before[role].resident_bytes for role in before}
        assert max(faults.values()) < MESSAGE_COUNT // 100_000, faults
        assert max(grown.values()) < MESSAGE_COUNT // 2, grown
    finally:
        engine.close()
        exchange.close()


def test_a_round_of_the_main_threads_makes_no_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an argument that is no plain number numba makes a type at each call, by Python code."""
    status, counters = np.zeros(1, control.STATUS.dtype), np.zeros(1, COUNTERS.dtype)
    stage: Any = SimpleNamespace(status=address_of(status), settle=lambda: None)
    readiness = itertools.cycle([True, True, False, False])
    built = Built(stage, (), attend=lambda: next(readiness))
    control.set_state(address_of(status), int(State.RUNNING))
    for _ in range(4):  # the first call of each function is another matter
        running.attend(built)
    made: list[Any] = []
    dispatcher: Any = type(read_counter)
    look_at = dispatcher.typeof_pyval
    monkeypatch.setattr(
        dispatcher, "typeof_pyval", lambda self, value: made.append(value) or look_at(self, value)
    )
    seen = []
    for _ in range(4):
        running.attend(built)
        seen.append(State(control.get_state(address_of(status))))
    assert seen == [State.READY, State.READY, State.RUNNING, State.RUNNING]
    assert made == []
    read_counter(address_of(counters), ingest_stage.IngestCounter.MESSAGES)
    assert ingest_stage.IngestCounter.MESSAGES in made, "the search finds nothing"


def test_no_loop_holds_a_call_of_the_allocator() -> None:
    """Nor do the venue's and the strategy's functions that are plugged into them."""

    @numba.njit
    def allocates(count: int) -> int:
        return len(np.zeros(count))

    allocates(1)
    (compiled,) = allocates.overloads.values()
    assert ALLOCATOR.search(compiled._asdict()["library"]._get_compiled_object()), (
        "the search finds nothing"
    )
    stages = [ingest_stage, book_stage, strategy_stage, gateway_stage, joint]
    chosen = [strategies.load(name) for name in STRATEGIES]
    plugged = [
        *ingest_stage.plugs("binance_spot").values(), *gateway_stage.plugs("binance_spot").values(),
        *((each.decide, each.decide_signature) for each in chosen),
    ]  # fmt: skip
    functions = {stage.compile_loop() for stage in stages}
    functions |= {Plug(function, signature).function for function, signature in plugged}
    for function in functions:
        module = function.py_func.__module__.rpartition(".")[2]
        files = list(CACHE_DIRECTORY.rglob(f"{module}.{function.__name__}-*.code.nbc"))
        assert files, f"the machine code of {module}.{function.__name__} is not in the cache"
        for file in files:
            assert not ALLOCATOR.search(file.read_bytes()), file
