"""Who asks, and whether the request is fresh.

*Source:* the venue's documents, "Request security" (REST and WebSocket API): a WebSocket request
signs its parameters sorted by name; a REST request signs query and body as they were sent.
"""

import hashlib
import hmac
import re
import time
from collections.abc import Mapping

from procs.exchange.errors import VenueError, missing

RECV_WINDOW_MS = 5000
RECV_WINDOW_MS_MAX = 60_000
AHEAD_MS = 1000


def sorted_payload(parameters: Mapping[str, str]) -> str:
    """Return what a WebSocket request signs: all parameters but the signature, by name."""
    names = sorted(name for name in parameters if name != "signature")
    return "&".join(f"{name}={parameters[name]}" for name in names)


class Keyring:
    """The one account's key; counts what it refuses."""

    def __init__(self, api_key: str, api_secret: str) -> None:
        self._api_key = api_key
        self._secret = api_secret.encode()
        self.failure_count = 0

    def check_key(self, api_key: str | None) -> None:
        """Refuse a key that is missing, malformed or not ours."""
        if not api_key:
            raise VenueError(-2014, "API-key format invalid.", 401)
        if not hmac.compare_digest(api_key.encode(), self._api_key.encode()):
            text = "Invalid API-key, IP, or permissions for action."
            raise VenueError(-2015, text, 401)

    def check_signature(self, payload: str, signature: str) -> None:
        """Refuse a request whose signature is not that of ``payload``."""
        wanted = hmac.new(self._secret, payload.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted.encode(), signature.lower().encode()):
            self.failure_count += 1
            raise VenueError(-1022, "Signature for this request is not valid.")


def check_freshness(parameters: Mapping[str, str]) -> None:
    """Refuse a request that is too old, or from too far in the future.

    Accepted iff timestamp < now + 1 s and now - timestamp <= recvWindow.
    """
    text = parameters.get("timestamp", "")
    if not re.fullmatch(r"[0-9]{1,17}", text):
        raise missing("timestamp")
    window = parameters.get("recvWindow", str(RECV_WINDOW_MS))
    if not re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,3})?", window):
        raise VenueError(
            -1100,
            "Illegal characters found in parameter 'recvWindow'; legal range is "
            "'^([0-9]{1,5})(\\.[0-9]{1,3})?$'.",
        )
    if float(window) > RECV_WINDOW_MS_MAX:
        raise VenueError(-1131, "recvWindow must be less than 60000.")
    sent_ms = int(text) if len(text) < 16 else int(text) / 1000
    now_ms = time.time_ns() / 1e6
    if sent_ms >= now_ms + AHEAD_MS:
        ahead = "Timestamp for this request was 1000ms ahead of the server's time."
        raise VenueError(-1021, ahead)
    if now_ms - sent_ms > float(window):
        raise VenueError(-1021, "Timestamp for this request is outside of the recvWindow.")
