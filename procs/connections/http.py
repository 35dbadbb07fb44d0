"""Cold requests over HTTP: reference data, snapshots, the start of the gateway."""

import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any

TIMEOUT_S = 10.0
BODY_BYTES_MAX = 64 << 20
PIECE_BYTES = 64 << 10


class HttpError(Exception):
    """The request got no usable answer; ``status`` is 0 when no answer arrived.

    ``retry_after_s`` is the wait that the peer demands; 0 when it gave none.
    """

    def __init__(
        self, message: str, status: int = 0, body: bytes = b"", retry_after_s: int = 0
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = body
        self.retry_after_s = retry_after_s


def request(
    method: str,
    base_url: str,
    path: str,
    headers: Mapping[str, str],
    ca_file: str | None = None,
    body: bytes = b"",
    deadline_s: float = TIMEOUT_S,
) -> bytes:
    """Send one request and return the body of a 2xx answer, ``BODY_BYTES_MAX`` long at most.

    ``ca_file`` holds the authorities to trust instead of the system's.  ``body`` is sent with POST
    and PUT.  After ``deadline_s`` in all, whatever the peer sends, there is no answer.

    Raises
    ------
    HttpError
        On any other answer, on none, and on one that is too long or comes too late.
    """
    url = base_url.rstrip("/") + path
    call = urllib.request.Request(url, body or None, dict(headers), method=method)
    shown = f"{method} {url.partition('?')[0]}"  # the query may hold a signature
    end = time.monotonic() + deadline_s
    try:
        trust = ssl.create_default_context(cafile=ca_file) if url.startswith("https:") else None
        with urllib.request.urlopen(call, timeout=deadline_s, context=trust) as answer:
            return read_body(answer, end, shown)
    except urllib.error.HTTPError as error:
        with error:
            words = read_body(error, end, shown)
        text = words[:200].decode(errors="replace")
        wait_s = int(wait) if (wait := error.headers.get("Retry-After", "")).isdecimal() else 0
        reason = f"{shown}: status {error.code}: {text}"
        raise HttpError(reason, error.code, words, wait_s) from error
    except (OSError, HTTPException) as error:
        cause = getattr(error, "reason", None) or error
        raise HttpError(f"{shown}: {cause}") from error


def read_body(answer: Any, end: float, shown: str) -> bytes:
    """Return all of a body, piece by piece until ``end`` (monotonic seconds).

    Raises
    ------
    HttpError
        When it is too long, or not there in time.
    """
    body = bytearray()
    while piece := answer.read1(PIECE_BYTES):
        body += piece
        if len(body) > BODY_BYTES_MAX:
            raise HttpError(f"{shown}: the answer is longer than {BODY_BYTES_MAX} bytes")
        if time.monotonic() > end:
            raise HttpError(f"{shown}: the answer takes too long")
    return bytes(body)


def get(base_url: str, path: str, ca_file: str | None = None) -> bytes:
    """Return the body of one GET."""
    return request("GET", base_url, path, {}, ca_file)
