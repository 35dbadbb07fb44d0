"""Who asks: signatures of sockets and of HTTP requests, and their freshness.

*Source:* the venue's documents, "Integration Guidance" (REST) and "WebSocket Connect"
(authentication).  Keys are those of HMAC-SHA256.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping

from procs.exchange.bybit.texts.bybit_refusals import BybitRefusal, bad_parameter
from procs.exchange.core.exchange_clock import Clock

RECV_WINDOW_MS = 5000
AHEAD_MS = 1000
INVALID_KEY = BybitRefusal(10003, "API key is invalid.")


def socket_payload(expires_ms: int) -> str:
    """Return what a socket signs to log on."""
    return f"GET/realtime{expires_ms}"


class SecretKeys:
    """The accounts' keys by name; counts what it refuses."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._keys: dict[str, tuple[bytes, int]] = {}
        self.failure_count = 0

    def add(self, api_key: str, secret: str, owner_id: int) -> None:
        """Take an account's key."""
        self._keys[api_key] = (secret.encode(), owner_id)

    def _check(self, api_key: str, payload: str, signature: str) -> int:
        """Return whose signature it is, or refuse it."""
        if api_key not in self._keys:
            raise INVALID_KEY
        secret, owner_id = self._keys[api_key]
        wanted = hmac.new(secret, payload.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted.encode(), signature.encode()):
            self.failure_count += 1
            raise BybitRefusal(10004, f"error sign! origin_string[{payload}]")
        return owner_id

    def log_on(self, arguments: object) -> int:
        """Return the account of the arguments of an `auth`: key, time of expiry, signature."""
        if not isinstance(arguments, list) or len(arguments) != 3:
            raise bad_parameter("Params Error")
        api_key, expires_ms, signature = arguments
        # Clients send the time as a number, some as a text.
        if not re.fullmatch(r"[0-9]{1,17}", str(expires_ms)) or not isinstance(signature, str):
            raise bad_parameter("Params Error")
        if int(expires_ms) <= self._clock.now_ms():
            raise BybitRefusal(10002, "Request expired, please check the expires parameter")
        return self._check(str(api_key), socket_payload(int(expires_ms)), signature)

    def owner_of_request(self, headers: Mapping[str, str], payload: str) -> int:
        """Return the account of an HTTP request; ``payload`` is its query, or its body."""
        api_key = headers.get("X-BAPI-API-KEY", "")
        stamp = headers.get("X-BAPI-TIMESTAMP", "")
        window = headers.get("X-BAPI-RECV-WINDOW", str(RECV_WINDOW_MS))
        if not api_key:
            raise INVALID_KEY
        self.check_freshness(stamp, window)
        signature = headers.get("X-BAPI-SIGN", "")
        return self._check(api_key, f"{stamp}{api_key}{window}{payload}", signature)

    def check_freshness(self, stamp: str, window: str) -> None:
        """Refuse a request that is too old, or from too far in the future."""
        if not re.fullmatch(r"[0-9]{1,17}", stamp) or not re.fullmatch(r"[0-9]{1,6}", window):
            raise bad_parameter("Request parameter error.")
        now_ms = self._clock.now_ms()
        if not now_ms - int(window) <= int(stamp) < now_ms + AHEAD_MS:
            text = (
                "invalid request, please check your server timestamp or recv_window param. "
                f"req_timestamp[{stamp}],server_timestamp[{now_ms}],recv_window[{window}]"
            )
            raise BybitRefusal(10002, text)
