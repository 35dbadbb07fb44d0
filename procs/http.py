"""Requests over HTTP from the cold side: reference data, snapshots, the start of the gateway."""

import urllib.error
import urllib.request
from collections.abc import Mapping

TIMEOUT_S = 10.0


class HttpError(Exception):
    """The request got no usable answer; ``status`` is 0 when none came at all."""

    def __init__(self, message: str, status: int = 0, body: bytes = b"") -> None:
        super().__init__(message)
        self.status = status
        self.body = body


def request(method: str, base_url: str, path: str, headers: Mapping[str, str]) -> bytes:
    """Send one request and return the body of a 2xx answer.

    Raises
    ------
    HttpError
        On any other answer, or none.
    """
    url = base_url.rstrip("/") + path
    call = urllib.request.Request(url, method=method, headers=dict(headers))
    shown = f"{method} {url.partition('?')[0]}"  # the query may hold a signature
    try:
        with urllib.request.urlopen(call, timeout=TIMEOUT_S) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        body = error.read()
        text = body[:200].decode(errors="replace")
        raise HttpError(f"{shown}: status {error.code}: {text}", error.code, body) from error
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise HttpError(f"{shown}: {reason}") from error


def get(base_url: str, path: str) -> bytes:
    """Return the body of one GET."""
    return request("GET", base_url, path, {})
