"""The dashboard's server without an engine: who may ask what, and what is shipped."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from dashboards import Dashboard
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from procs.dashboard.dashboard_server import BODY_BYTES_MAX, STATIC

pytestmark = pytest.mark.timeout(1000)  # it may be the first to need the compiler

POLICY_PARTS = (
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'",
    "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'",
)  # fmt: skip
NOT_OUR_HOSTS = (
    "evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "0.0.0.0",
    "127.0.0.1@evil.example", "", "[::1", "127.0.0.2",
)  # fmt: skip


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """A dashboard of an instance that does not run."""
    dashboard = Dashboard("nobody", tmp_path_factory.mktemp("alone"))
    yield dashboard
    dashboard.close()


def test_only_loopback_is_listened_on(alone: Dashboard) -> None:
    sockets = psutil.Process(alone.process.pid).net_connections()
    assert {each.laddr.ip for each in sockets if each.status == "LISTEN"} == {"127.0.0.1"}


@pytest.mark.parametrize("path", ["/", "/static/js/main.js", "/nothing", "/metrics", "/act"])
def test_every_answer_carries_the_policy(alone: Dashboard, path: str) -> None:
    for headers in ({}, {"Host": "evil.example"}):
        _, headers_back, _ = alone.request("GET", path, **headers)
        policy = headers_back["content-security-policy"].split("; ")
        assert set(POLICY_PARTS) <= set(policy)
        assert not any("unsafe" in part or "*" in part or "http" in part for part in policy)
        assert headers_back["x-content-type-options"] == "nosniff"
        assert headers_back["x-frame-options"] == "DENY"


@pytest.mark.parametrize("host", NOT_OUR_HOSTS)
def test_a_name_that_is_not_loopbacks_is_refused(alone: Dashboard, host: str) -> None:
    assert alone.request("GET", "/", Host=host)[0] in (400, 403)
    assert alone.request("POST", "/act", b"{}", Host=host)[0] in (400, 403)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]", "LOCALHOST"])
def test_loopbacks_names_are_served_at_any_port(alone: Dashboard, name: str) -> None:
    # A tunnel has another port at its near end.
    assert alone.request("GET", "/", Host=f"{name}:8080")[0] == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1:1"]
)
def test_another_origin_is_refused(alone: Dashboard, origin: str) -> None:
    assert alone.request("GET", "/", Origin=origin)[0] == 403
    token = f"Bearer {alone.token}"
    assert alone.request("POST", "/act", b"{}", Origin=origin, Authorization=token)[0] == 403
    with pytest.raises(InvalidStatus), connect(f"ws://{alone.host}/frames", origin=origin):
        pass


def test_our_own_origin_is_served(alone: Dashboard) -> None:
    own = f"http://{alone.host}"
    assert alone.request("GET", "/", Origin=own)[0] == 200
    with connect(f"ws://{alone.host}/frames", origin=own) as socket:
        socket.ping()


def test_what_acts_wants_the_token(alone: Dashboard) -> None:
    stop = {"type": "stop"}
    for wrong in ("", "x", alone.token[:-1], alone.token + "x", "\N{LATIN SMALL LETTER E}"):
        assert alone.act(stop, token=wrong)[0] == 403
    assert alone.request("POST", "/act", b'{"type":"stop"}')[0] == 403
    assert alone.request("POST", f"/act?token={alone.token}", b'{"type":"stop"}')[0] == 403
    status, error = alone.act(stop)
    assert (status, "does not answer" in error) == (503, True), "nobody is there to be stopped"


def test_what_is_no_command_is_refused(alone: Dashboard) -> None:
    for wrong in ({}, [], {"type": "fly"}, {"type": "restart_stage"}, {"type": "stages"}):
        status, error = alone.act(wrong)
        assert status == 400, error
    assert alone.act({"type": "stop", "more": "x" * BODY_BYTES_MAX})[0] == 413
    assert alone.request("GET", "/act")[0] == 405


def test_files_outside_are_not_served(alone: Dashboard) -> None:
    for path in ("/static/../server.py", "/static/%2e%2e/server.py", "/static//etc/passwd"):
        assert alone.request("GET", path)[0] == 404


def test_metrics_are_not_there_or_not_yet(alone: Dashboard) -> None:
    status, _, body = alone.request("GET", "/metrics")
    assert status in (404, 503)
    assert len(body.splitlines()) == 1


def test_a_run_that_is_not_there_is_said_so(alone: Dashboard) -> None:
    looker = alone.look()
    header, arrays = looker.next()
    assert header["head"]["state"] == "absent"
    assert "not running" in header["head"]["note"]
    assert (header["facts"], arrays) == (None, {})
    looker.close()


@pytest.mark.parametrize("words", ["{", "[]", '{"seen":"x"}', '{"fly":1}', "x" * 5000, b"\0\1"])
def test_nonsense_ends_its_own_connection_and_no_other(alone: Dashboard, words: Any) -> None:
    good = alone.look()
    with connect(f"ws://{alone.host}/frames") as bad:
        bad.send(words)
        with pytest.raises(ConnectionClosed):
            bad.recv(timeout=60)
    before, _ = good.next()
    good.until("the next sample", lambda header, _: header["sample"] > before["sample"])
    good.close()


def test_a_port_that_is_taken_is_a_clear_line(alone: Dashboard, tmp_path: Path) -> None:
    with pytest.raises(AssertionError) as caught:
        Dashboard("nobody", tmp_path, "--port", str(alone.port))
    (line,) = re.findall(r"^vortexctl: .*$", str(caught.value), re.M)
    assert f"port {alone.port} is not available" in line
    assert "Traceback" not in str(caught.value)


def test_it_ends_quietly_while_browsers_look(tmp_path: Path) -> None:
    dashboard = Dashboard("nobody", tmp_path)
    lookers = [dashboard.look(), dashboard.look("log")]
    for looker in lookers:
        looker.next()
    lookers.pop().socket.socket.close()  # one is cut off without a word
    assert dashboard.rest() == ""


# What is shipped.


def test_the_vendored_files_are_as_they_came() -> None:
    folder = STATIC / "vendor"
    sums = re.findall(r"^([0-9a-f]{64})  (\S+)$", (folder / "README.txt").read_text(), re.M)
    names = {path.name for path in folder.iterdir()} - {"README.txt"}
    assert {name for _, name in sums} == names
    for digest, name in sums:
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name


def test_nothing_is_loaded_from_elsewhere_and_nothing_is_inline() -> None:
    ours = [path for path in STATIC.rglob("*") if path.is_file() and "vendor" not in path.parts]
    assert len(ours) > 10
    for path in ours:
        text = path.read_text().replace('xmlns="http://www.w3.org/2000/svg"', "")
        found = re.findall(r"https?://[^\s\"'`]*|@import|\beval\(|innerHTML", text)
        assert not found, f"{path.name}: {found}"
    page = (STATIC / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page)
