"""Kinds of keys: a connection that is logged on trades unsigned; no core dump holds a secret."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from engines import Engine, Exchange, until

from procs.observe.samples import report
from procs.plan.credentials import SECRET_VARIABLE

pytestmark = pytest.mark.timeout(1000)  # it may be the first to need the compiler


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    """An exchange that knows the public half of an account's Ed25519 key."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    log = str(tmp_path / "requests.jsonl")
    pair = (private.decode(), public.decode())
    running = Exchange(tmp_path, "--request-log", log, key_pair=pair)
    yield running
    running.close()


def core_limit(pid: int) -> str:
    """Return how large a core dump of a process may be."""
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(line.split()[4] for line in lines if line.startswith("Max core file size"))


def test_a_connection_that_is_logged_on_trades_unsigned(exchange: Exchange, tmp_path: Path) -> None:
    """Orders and fills; of the requests only the cold ones show key and signature."""
    engine = Engine.on(tmp_path, exchange)
    try:
        done = engine.start()
        assert done.returncode == 0, done.stderr
        view = engine.view()
        until(lambda: report.make(view)["fills"] >= 3, "orders were filled")
        assert core_limit(view.pid("gateway")) == core_limit(engine.mark.pid) == "0"
        assert engine.stop().exit_code == 0
        assert report.make(view)["invalid_messages"] == 0
    finally:
        engine.close()
    exchange.close()
    logged = (tmp_path / "requests.jsonl").read_text()
    hot = ("order.place", "cancelReplace")
    placed = [line for line in logged.splitlines() if any(word in line for word in hot)]
    assert placed
    assert not any("signature" in line or "apiKey" in line for line in placed)


def test_a_key_that_orders_cannot_be_signed_with_stops_the_start(
    exchange: Exchange, tmp_path: Path
) -> None:
    """In one line, which names the variable and what it should be."""
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    engine = Engine.on(tmp_path, exchange)
    engine.environment[SECRET_VARIABLE] = pem
    try:
        done = engine.start()
        assert done.returncode != 0
        assert "orders need HMAC or Ed25519" in done.stderr
        assert pem.splitlines()[1] not in done.stderr + done.stdout
    finally:
        engine.close()
