"""Requests over HTTP: what is sent, and answers that are late, too long or refusals."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from procs.connections import http
from procs.connections.http import HttpError


class Venue(BaseHTTPRequestHandler):
    """Answers by path, and keeps what it was asked."""

    asked: list[dict[str, Any]]

    def answer(self) -> None:
        """Answer one request."""
        length = int(self.headers.get("Content-Length") or 0)
        self.asked.append({
            "method": self.command, "path": self.path, "body": self.rfile.read(length),
            "key": self.headers.get("X-KEY"),
        })  # fmt: skip
        status = 429 if "refuse" in self.path else 200
        self.send_response(status)
        if status != 200:
            self.send_header("Retry-After", "7")
        self.end_headers()
        if "drip" in self.path:
            try:
                for _ in range(100):
                    self.wfile.write(b"x")
                    self.wfile.flush()
                    time.sleep(0.05)
            except OSError:
                return  # the client had enough
        else:
            self.wfile.write(b'{"said": 1}')

    do_GET = do_POST = do_DELETE = answer

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def venue() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the address of a server, and what it was asked."""
    Venue.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Venue)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", Venue.asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_each_method_carries_its_headers_and_its_body(venue: Any) -> None:
    url, asked = venue
    assert http.request("POST", url, "/a?b=1", {"X-KEY": "k"}, body=b"[1]") == b'{"said": 1}'
    assert http.request("DELETE", url, "/c", {"X-KEY": "k"}) == b'{"said": 1}'
    assert http.get(url, "/d") == b'{"said": 1}'
    assert [(one["method"], one["path"], one["body"], one["key"]) for one in asked] == [
        ("POST", "/a?b=1", b"[1]", "k"),
        ("DELETE", "/c", b"", "k"),
        ("GET", "/d", b"", None),
    ]


def test_a_refusal_keeps_what_the_venue_said(venue: Any) -> None:
    with pytest.raises(HttpError, match="status 429") as caught:
        http.request("POST", venue[0], "/refuse", {}, body=b"x")
    assert (caught.value.body, caught.value.retry_after_s) == (b'{"said": 1}', 7)


def test_an_answer_that_drips_has_a_deadline(venue: Any) -> None:
    with pytest.raises(HttpError, match="takes too long"):
        http.request("GET", venue[0], "/drip", {}, deadline_s=0.3)


def test_an_answer_has_a_length_at_most(venue: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "BODY_BYTES_MAX", 5)
    with pytest.raises(HttpError, match="longer than 5 bytes"):
        http.get(venue[0], "/a")


def test_nobody_there_is_an_error_that_names_the_address() -> None:
    with pytest.raises(HttpError, match=r"GET http://127.0.0.1:1/a"):
        http.get("http://127.0.0.1:1", "/a")
