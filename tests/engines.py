"""A local exchange and an engine on it, as processes: started, watched, ended.

Everything that is started here is ended here, by its own handle, whatever a test does.
"""

import contextlib
import hmac
import itertools
import json
import os
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import posix_ipc
import pytest
from click.testing import CliRunner, Result

from ipc.segment import list_segments
from procs import cli
from procs.observe.samples.view import RunView
from procs.plan import instance
from procs.plan.credentials import KEY_VARIABLE, SECRET_VARIABLE

ROOT = Path(__file__).resolve().parents[1]
DEADLINE_S = 90.0
#: Long enough for everything to be compiled, should this be the first start of all.
START_S = 900.0

MAKER_FEE = "0.0001"
EXCHANGE_CONFIG = f"""
orders_per_10s = 100000
weight_per_minute = 1000000
maker_fee = "{MAKER_FEE}"
"""

_NUMBERS = itertools.count()


def until(condition: Callable[[], Any], what: str, seconds: float = DEADLINE_S) -> Any:
    """Return the first true value of ``condition``; fail when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.01)
    return value


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def new_instance() -> str:
    """Return the name of an instance that no other test and no other run uses."""
    return f"t{os.getpid()}-{next(_NUMBERS)}"


def is_alive(pid: int) -> bool:
    """Return whether a process runs; one that only waits to be reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


class Exchange:
    """One exchange process and the key of its account."""

    def __init__(
        self, folder: Path, *options: str, config: str = EXCHANGE_CONFIG, use_tls: bool = False,
        key_pair: tuple[str, str] | None = None,
    ) -> None:  # fmt: skip
        """``key_pair`` are the private and the public half of an Ed25519 key, in PEM."""
        self.ca_path = folder / "authority.pem" if use_tls else None
        if self.ca_path is not None:
            options = (*options, "--tls", str(self.ca_path))
        self.report_path = folder / "exchange-report.json"
        config_path = folder / "exchange.toml"
        config_path.write_text(config)
        self.keys = {
            KEY_VARIABLE: secrets.token_hex(32),
            SECRET_VARIABLE: key_pair[0] if key_pair else secrets.token_hex(32),
        }
        known = {**self.keys, SECRET_VARIABLE: key_pair[1]} if key_pair else self.keys
        command = [
            *(sys.executable, "-m", "procs.exchange", "--config", str(config_path)),
            *("--report", str(self.report_path), *options),
        ]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **known}, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the exchange ended with {self.process.wait()}"
        self.ports = ports = json.loads(line)
        self.rest_port, self.ws_port = ports["rest_port"], ports["ws_port"]
        self.sbe_port = ports["sbe_port"]

    @property
    def secure(self) -> str:
        """The letter that the schemes of TLS end with, when it is spoken."""
        return "s" if self.ca_path else ""

    @property
    def rest_url(self) -> str:
        """Where REST is served."""
        return f"http{self.secure}://127.0.0.1:{self.rest_port}"

    @property
    def ws_url(self) -> str:
        """Where streams and the WebSocket API are served."""
        return f"ws{self.secure}://127.0.0.1:{self.ws_port}"

    @property
    def sbe_url(self) -> str:
        """Where the binary streams are served."""
        return f"ws://127.0.0.1:{self.sbe_port}"

    def status(self) -> dict[str, Any]:
        """Return what the exchange says of itself and of the account."""
        trust = ssl.create_default_context(cafile=self.ca_path) if self.ca_path else None
        url = f"{self.rest_url}/vortex/status"
        with urllib.request.urlopen(url, timeout=30, context=trust) as answer:
            facts: dict[str, Any] = json.loads(answer.read())
        return facts

    def control(self, verb: str, path: str, body: Any = None) -> Any:
        """Call a route of the exchange's own; return what it answers."""
        request = urllib.request.Request(
            f"{self.rest_url}/vortex/{path}", method=verb,
            data=json.dumps(body).encode() if body else None,
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def arm(self, fault: str, **settings: Any) -> int:
        """Arm a fault; return its number."""
        return int(self.control("POST", "faults", {"fault": fault, **settings})["id"])

    def is_over(self, number: int) -> bool:
        """Return whether a fault strikes no more."""
        rows = self.control("GET", "faults")
        return any(row["id"] == number and row["is_over"] for row in rows)

    def open_client_ids(self) -> set[str]:
        """Return the client ids of the open orders of the account."""
        query = f"timestamp={time.time_ns() // 1_000_000}&recvWindow=60000"
        secret = self.keys[SECRET_VARIABLE].encode()
        signature = hmac.new(secret, query.encode(), "sha256").hexdigest()
        request = urllib.request.Request(
            f"{self.rest_url}/api/v3/openOrders?{query}&signature={signature}",
            headers={"X-MBX-APIKEY": self.keys[KEY_VARIABLE]},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return {row["clientOrderId"] for row in json.loads(answer.read())}

    def audit(self) -> dict[str, Any]:
        """Return the exchange's books."""
        books: dict[str, Any] = self.control("GET", "audit")
        return books

    def stop(self) -> dict[str, Any]:
        """End the exchange; return its report."""
        self.close()
        report: dict[str, Any] = json.loads(self.report_path.read_text())
        return report

    def close(self) -> None:
        """End the exchange, if it still runs."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def strategy_of(symbol: str, qty_lots: int, half_spread_ticks: int = 2) -> dict[str, Any]:
    """Return a quoting strategy for one symbol, with room to trade."""
    return {
        "symbol": symbol,
        "name": "constant_spread",
        "params": {
            "half_spread_ticks": half_spread_ticks, "qty_lots": qty_lots, "skew_ticks": 20,
            "inventory_lots_max": 10 * qty_lots,
        },
        "limits": {
            "order_qty": "0.1", "order_notional": "1000", "position_qty": "0.2",
            "price_band_bps": 100, "decision_age_ms": 5000,
        },
    }  # fmt: skip


class Engine:
    """One instance of the engine: its configuration, its commands, its remains."""

    def __init__(
        self, folder: Path, rest_url: str, stream_url: str, order_url: str, keys: dict[str, str],
        **tables: Any,
    ) -> None:  # fmt: skip
        self.name = new_instance()
        self.folder = folder
        self.config_path = folder / f"{self.name}.toml"
        self.environment = {**keys, "XDG_RUNTIME_DIR": str(folder)}
        self.config: dict[str, Any] = {
            "instance": self.name,
            "runs_folder": str(folder / "runs"),
            "sources": [{
                "rest_url": rest_url, "stream_url": stream_url, "symbols": ["BTCUSDT", "ETHUSDT"],
            }],
            "accounts": [{
                "rest_url": rest_url, "order_url": f"{order_url}/ws-api/v3",
                "orders_per_10s": 100_000, "answer_timeout_ms": 5000,
            }],
            "strategies": [strategy_of("BTCUSDT", 100), strategy_of("ETHUSDT", 1000)],
            "placement": {"wait": "park"},
            "liveness": {"lease_ms": 5000, "start_timeout_s": 90, "stop_timeout_s": 30},
            **tables,
        }  # fmt: skip
        self.write_config()
        self.pids: list[int] = []
        self.supervisor: subprocess.Popen[str] | None = None
        self._views: list[RunView] = []

    def write_config(self) -> None:
        """Write the configuration that ``start`` reads."""
        self.config_path.write_bytes(msgspec.toml.encode(self.config))

    @classmethod
    def on(
        cls, folder: Path, exchange: Exchange, stream_url: str | None = None, **tables: Any
    ) -> "Engine":
        """Return an engine for a running exchange."""
        return cls(
            folder, exchange.rest_url, stream_url or exchange.ws_url, exchange.ws_url,
            exchange.keys, **tables,
        )  # fmt: skip

    def process(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run one vortexctl command as a process."""
        return subprocess.run(
            [sys.executable, "-m", "procs.cli", *arguments],
            cwd=ROOT, env={**os.environ, **self.environment, **environment},
            capture_output=True, text=True, timeout=START_S, check=False,
        )  # fmt: skip

    def run(self, *arguments: str) -> Result:
        """Run one vortexctl command in this process, which spares its start."""
        return CliRunner(env=self.environment).invoke(cli.main, list(arguments))

    def start(self) -> "subprocess.CompletedProcess[str]":
        """Start with vortexctl; remember the processes, so that ``close`` can end them."""
        done = self.process("start", "-c", str(self.config_path))
        if done.returncode == 0:
            self.remember()
        return done

    @contextlib.contextmanager
    def as_own_environment(self) -> Iterator[None]:
        """Let this process find the instance as its commands do."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            yield

    def supervise(self) -> None:
        """Start with the supervisor as a child of this process, whose exit status can be seen."""
        self.supervisor = subprocess.Popen(
            [sys.executable, "-m", "procs.supervision.supervise", str(self.config_path)],
            cwd=ROOT, env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.supervisor.stdout is not None
        lines = list(iter_until(self.supervisor.stdout, ("READY", "FAILED")))
        assert lines, "the supervisor said nothing"
        assert lines[-1].startswith("READY"), lines
        self.remember()

    def remember(self) -> None:
        """Note the processes of the running instance."""
        self.pids = [self.mark.pid, *self.view().pids()]

    @property
    def mark(self) -> instance.Mark:
        """What the lock file says."""
        text = (self.folder / "vortex" / f"{self.name}.lock").read_bytes()
        return msgspec.json.decode(text, type=instance.Mark)

    @property
    def run_folder(self) -> Path:
        """The folder of the newest run."""
        return Path(self.mark.run_folder)

    def log(self, role: str) -> str:
        """Return one log of the newest run."""
        return (self.run_folder / "logs" / f"{role}.log").read_text()

    def view(self) -> "Watch":
        """Return a view of the running instance; ``close`` closes it."""
        view = Watch.of_run(self.run_folder)
        self._views.append(view)
        return view

    def stop(self) -> Result:
        """Stop with vortexctl."""
        return self.run("stop", "-n", self.name)

    def has_left_nothing(self) -> bool:
        """Return whether neither a segment nor a process is left."""
        return not list_segments(self.name) and not any(is_alive(pid) for pid in self.pids)

    def close(self) -> None:
        """End whatever of the instance is left."""
        for view in self._views:
            view.close()
        self._views.clear()
        self.run("stop", "-n", self.name)
        if self.supervisor is not None:
            self.supervisor.kill()
            self.supervisor.wait()
            assert self.supervisor.stdout is not None
            self.supervisor.stdout.close()
        for pid in self.pids:
            if is_alive(pid) and str(self.folder) in command_line(pid):
                os.kill(pid, signal.SIGKILL)
        for name in list_segments(self.name):
            posix_ipc.unlink_shared_memory(name)


class Watch(RunView):
    """A view with what tests ask often."""

    @classmethod
    def of_run(cls, run_folder: Path) -> "Watch":
        """Attach to the run whose launch files are in ``run_folder``."""
        view = super().of_run(run_folder)
        assert isinstance(view, Watch)
        return view

    def pids(self) -> list[int]:
        """Return the processes of all stages."""
        return [int(self.status(role)["pid"]) for role in self.wiring.roles]

    def pid(self, role: str) -> int:
        """Return the process of one stage."""
        return int(self.status(role)["pid"])


def command_line(pid: int) -> str:
    """Return what a process was started with; its number may be another's by now."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def iter_until(stream: Any, words: tuple[str, ...]) -> Iterator[str]:
    """Yield lines up to and with the first that begins with one of ``words``."""
    for line in stream:
        yield line
        if line.startswith(words):
            return
