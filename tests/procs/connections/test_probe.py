"""vortexctl probe, on loopback only: what is measured, what is refused, which is nearest."""

import json
import math
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from engines import Engine, free_port, until
from hypothesis import given
from hypothesis import strategies as st

from procs import cli
from procs.connections import probe
from procs.exchange.core.certificate import make_context


def vortexctl(*arguments: str) -> Result:
    """Run one command in this process."""
    return CliRunner().invoke(cli.main, list(arguments))


class Server:
    """Accepts connections; makes TLS handshakes when it has a context, each after a delay."""

    def __init__(self, context: ssl.SSLContext | None, delay_s: float) -> None:
        self.context, self.delay_s = context, delay_s
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.accepted_count = 0
        self.received = b""
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.socket.getsockname()[1])

    def serve(self) -> None:
        """Take one connection after the other, until the socket is shut."""
        while True:
            try:
                plain, _ = self.socket.accept()
            except OSError:
                return
            self.accepted_count += 1
            with plain, suppress(OSError):
                time.sleep(self.delay_s)
                if self.context is None:
                    self.received += plain.recv(4096)
                    continue
                with self.context.wrap_socket(plain, server_side=True) as secured:
                    self.received += secured.recv(4096)

    def close(self) -> None:
        """End it."""
        with suppress(OSError):  # it is closed already
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Return the function that starts a server."""
    servers = []

    def start(context: ssl.SSLContext | None = None, delay_s: float = 0.0) -> Server:
        servers.append(Server(context, delay_s))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def test_every_try_is_a_connection_and_nothing_is_sent(serve: Callable[..., Server]) -> None:
    """The report has the percentiles that twenty tries support, and no others."""
    server = serve()
    done = vortexctl("probe", f"127.0.0.1:{server.port}", "-t", "20", "--pause", "0", "-o", "json")
    assert done.exit_code == 0, done.output
    printed = json.loads(done.output)
    assert printed["schema"] == 1
    (row,) = printed["addresses"]
    connect = row["connect_ns"]
    assert connect["count"] == 20
    assert 0 < connect["min"] <= connect["p50"] <= connect["max"]
    assert connect["p90"] is None, "twenty values do not carry it"
    assert row["tls_ns"] is None
    assert row["errors"] == 0
    assert printed["nearest"] == {"target": row["target"], "address": "127.0.0.1"}
    until(lambda: server.accepted_count == 20, "every connection was taken")
    assert server.received == b""


def test_a_tls_handshake_is_measured_apart(serve: Callable[..., Server], tmp_path: Path) -> None:
    """With the authorities that the configuration names; what takes long is seen to."""
    ca_path = tmp_path / "authority.pem"
    context = make_context(ca_path)
    server = serve(context, delay_s=0.05)
    address = probe.resolve(probe.target_of(f"wss://127.0.0.1:{server.port}/stream"))
    probe.probe(address, 3, 10.0, 0.0, str(ca_path))
    assert address[0].errors == []
    assert len(address[0].tls_ns) == 3
    for connect_ns, tls_ns in zip(address[0].connect_ns, address[0].tls_ns, strict=True):
        assert connect_ns + tls_ns >= 50_000_000, "the server waits that long"


def test_a_certificate_that_no_authority_signed_is_reported(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    """The way there is measured all the same."""
    server = serve(make_context(tmp_path / "authority.pem"))
    done = vortexctl("probe", f"https://127.0.0.1:{server.port}", "-t", "2", "--pause", "0")
    assert done.exit_code == 0
    assert "2 failed: the certificate of 127.0.0.1 does not verify" in done.output


def test_what_is_not_there_fails_and_is_never_the_nearest(serve: Callable[..., Server]) -> None:
    """One that refuses, one whose name is not known; with one that answers the exit is 0."""
    server, closed = serve(), free_port()
    refusing, answering = f"127.0.0.1:{closed}", f"127.0.0.1:{server.port}"
    done = vortexctl("probe", refusing, answering, "-t", "2", "--pause", "0", "-o", "json")
    assert done.exit_code == 0
    printed = json.loads(done.output)
    assert printed["nearest"]["target"] == answering
    assert [row["target"] for row in printed["addresses"]] == [answering, refusing]
    assert printed["addresses"][1]["errors"] == 2
    assert "refused" in printed["addresses"][1]["last_error"]
    alone = vortexctl("probe", refusing, "host.invalid", "-t", "1", "-o", "json")
    assert alone.exit_code == 1
    printed = json.loads(alone.output)
    assert printed["nearest"] is None
    assert list(printed["unknown"]) == ["host.invalid:443"]


def test_a_configuration_names_the_addresses(serve: Callable[..., Server], tmp_path: Path) -> None:
    """Streams, REST and order entry, each once."""
    port = serve().port
    keys = {"VORTEX_API_KEY": "k", "VORTEX_API_SECRET": "s"}
    url = f"127.0.0.1:{port}"
    engine = Engine(tmp_path, f"http://{url}", f"ws://{url}", f"ws://localhost:{port}/ws-api", keys)
    done = vortexctl(
        "probe", "-c", str(engine.config_path), "-t", "1", "--pause", "0", "-o", "json"
    )
    assert done.exit_code == 0, done.output
    targets = {row["target"] for row in json.loads(done.output)["addresses"]}
    assert targets == {url, f"localhost:{port}"}


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("example.org", ("example.org", 443, True)),
        ("example.org:9443", ("example.org", 9443, False)),
        ("wss://example.org:9443/ws", ("example.org", 9443, True)),
        ("http://example.org", ("example.org", 80, False)),
        ("[::1]:443", ("::1", 443, True)),
    ],
)
def test_what_names_a_target(text: str, target: tuple[str, int, bool]) -> None:
    """The scheme says whether TLS is spoken; without one, port 443 does."""
    found = probe.target_of(text)
    assert (found.host, found.port, found.uses_tls) == target


@pytest.mark.parametrize(
    "arguments", [[], ["ftp://x"], ["x:0"], ["x:99999"], ["http://"], ["[::1"], ["x:port"]]
)
def test_what_names_none_is_wrong_usage(arguments: list[str]) -> None:
    """One line, status 2."""
    done = vortexctl("probe", *arguments)
    assert done.exit_code == 2
    assert len(done.output.splitlines()) == 1


@given(st.text())
def test_any_text_is_a_target_or_refused(text: str) -> None:
    """Never anything else."""
    with suppress(probe.WrongTarget):
        target = probe.target_of(text)
        assert target.host
        assert 0 < target.port < 65536


@given(st.lists(st.integers(0, 10**12), max_size=300))
def test_percentiles_are_those_of_the_sorted_sample(values: list[int]) -> None:
    """The least value that at least this part of the sample does not exceed, when carried."""
    printed = probe.percentiles(values)
    assert printed["count"] == len(values)
    for name, percent in (("p50", 50), ("p90", 90)):
        if len(values) * (100 - percent) < 1000:
            assert printed[name] is None
            continue
        value = printed[name]
        assert value in values
        assert sum(each <= value for each in values) * 100 >= percent * len(values)
        assert sum(each < value for each in values) * 100 < percent * len(values)


def test_the_table_is_narrow() -> None:
    """60 columns, with the longest address that there is."""
    target = probe.Target("example.org", 443, True)
    address = probe.Address(target, socket.AF_INET6, ("2001:db8:1111:2222:3333:4444:5555:6666",))
    address.connect_ns, address.tls_ns = [10**9] * 200, [3 * 10**9] * 200
    rows = probe.lines(probe.report([address], {}))
    assert max(map(len, rows)) <= 60
    assert math.isinf(probe.distance_ns(probe.Address(target, socket.AF_INET, ("x",))))
