"""Cold requests over HTTP: reference data, snapshots, the start of the gateway."""

import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping

TIMEOUT_S = 10.0


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
    method: str, base_url: str, path: str, headers: Mapping[str, str], ca_file: str | None = None
) -> bytes:
    """Send one request and return the body of a 2xx answer.

    ``ca_file`` holds the authorities to trust instead of the system's.

    Raises
    ------
    HttpError
        On any other answer, or on none.
    """
    url = base_url.rstrip("/") + path
    call = urllib.request.Request(url, method=method, headers=dict(headers))
    shown = f"{method} {url.partition('?')[0]}"  # the query may hold a signature
    try:
        trust = ssl.create_default_context(cafile=ca_file) if url.startswith("https:") else None
        with urllib.request.urlopen(call, timeout=TIMEOUT_S, context=trust) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        body = error.read()
        text = body[:200].decode(errors="replace")
        wait_s = int(wait) if (wait := error.headers.get("Retry-After", "")).isdecimal() else 0
        words = f"{shown}: status {error.code}: {text}"
        raise HttpError(words, error.code, body, wait_s) from error
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise HttpError(f"{shown}: {reason}") from error


def get(base_url: str, path: str, ca_file: str | None = None) -> bytes:
    """Return the body of one GET."""
    return request("GET", base_url, path, {}, ca_file)
