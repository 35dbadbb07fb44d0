"""Who asks, and whether the request is fresh.

*Source:* the venue's documents, "Request security" (REST and WebSocket API): a WebSocket request
signs its parameters sorted by name; a REST request signs query and body as they were sent.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from procs.exchange.binance.words.errors import ExchangeRefusal, missing
from procs.exchange.core.exchange_clock import Clock
from procs.exchange.core.exchange_config import ExchangeConfigError

RECV_WINDOW_MS = 5000
RECV_WINDOW_MS_MAX = 60_000
AHEAD_MS = 1000
PEM_HEAD = "-----BEGIN PUBLIC KEY-----"


def sorted_payload(parameters: Mapping[str, str]) -> str:
    """Return what a WebSocket request signs: all parameters but the signature, by name."""
    names = sorted(name for name in parameters if name != "signature")
    return "&".join(f"{name}={parameters[name]}" for name in names)


def revoked() -> ExchangeRefusal:
    """Return the refusal of a key that is not, or no longer, accepted."""
    return ExchangeRefusal(-2015, "Invalid API-key, IP, or permissions for action.", 401)


class HmacKey:
    """A key whose secret both sides know; its signatures are hexadecimal, in either case."""

    may_log_on = False

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def signs(self, payload: str, signature: str) -> bool:
        """Return whether this is the signature of ``payload``."""
        wanted = hmac.new(self._secret, payload.encode(), hashlib.sha256).hexdigest()
        return hmac.compare_digest(wanted.encode(), signature.lower().encode())


class Ed25519Key:
    """A key of which the exchange knows the public half; its signatures are base64."""

    may_log_on = True

    def __init__(self, pem: str) -> None:
        try:
            key = load_pem_public_key(pem.encode())
        except ValueError as error:
            raise ExchangeConfigError(
                f"the account's public key cannot be read: {error}"
            ) from error
        if not isinstance(key, Ed25519PublicKey):
            raise ExchangeConfigError("the account's public key is not of the kind Ed25519")
        self._key = key

    def signs(self, payload: str, signature: str) -> bool:
        """Return whether this is the signature of ``payload``."""
        try:
            self._key.verify(base64.b64decode(signature, validate=True), payload.encode())
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True


class Keyring:
    """The accounts' keys by name; counts what it refuses."""

    def __init__(self) -> None:
        self._keys: dict[str, tuple[HmacKey | Ed25519Key, int]] = {}
        self.failure_count = 0

    def add(self, api_key: str, secret: str, owner_id: int) -> None:
        """Take an account's key: an HMAC secret, or the PEM of an Ed25519 public key."""
        if api_key in self._keys:
            raise ExchangeConfigError(f"account {owner_id} has the key of another one")
        # A PEM that came through an environment file may have its line ends written out.
        pem = secret.replace("\\n", "\n")
        key = Ed25519Key(pem) if pem.startswith(PEM_HEAD) else HmacKey(secret)
        self._keys[api_key] = (key, owner_id)

    def owner_id(self, api_key: str | None) -> int:
        """Return whose key it is; 0 when it is nobody's."""
        return self._keys[api_key][1] if api_key in self._keys else 0

    def check_key(self, api_key: str | None) -> None:
        """Refuse a key that is missing, malformed or nobody's."""
        if not api_key:
            raise ExchangeRefusal(-2014, "API-key format invalid.", 401)
        if api_key not in self._keys:
            raise revoked()

    def check_signature(self, api_key: str | None, payload: str, signature: str) -> None:
        """Refuse a request whose signature is not that of ``payload``."""
        self.check_key(api_key)
        if not self._keys[api_key or ""][0].signs(payload, signature):
            self.failure_count += 1
            raise ExchangeRefusal(-1022, "Signature for this request is not valid.")

    def check_may_log_on(self, api_key: str | None) -> None:
        """Refuse a key with which no session can be opened."""
        self.check_key(api_key)
        if not self._keys[api_key or ""][0].may_log_on:
            raise ExchangeRefusal(-4056, "HMAC_SHA256 API key is not supported.")


def check_freshness(parameters: Mapping[str, str], clock: Clock) -> None:
    """Refuse a request that is too old, or from too far in the future.

    Accepted iff timestamp < now + 1 s and now - timestamp <= recvWindow.
    """
    text = parameters.get("timestamp", "")
    if not re.fullmatch(r"[0-9]{1,17}", text):
        raise missing("timestamp")
    window = parameters.get("recvWindow", str(RECV_WINDOW_MS))
    if not re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,3})?", window):
        raise ExchangeRefusal(
            -1100,
            "Illegal characters found in parameter 'recvWindow'; legal range is "
            "'^([0-9]{1,5})(\\.[0-9]{1,3})?$'.",
        )
    if float(window) > RECV_WINDOW_MS_MAX:
        raise ExchangeRefusal(-1131, "recvWindow must be less than 60000.")
    sent_ms = int(text) if len(text) < 16 else int(text) / 1000
    now_ms = clock.now_ms()
    if sent_ms >= now_ms + AHEAD_MS:
        ahead = "Timestamp for this request was 1000ms ahead of the server's time."
        raise ExchangeRefusal(-1021, ahead)
    if now_ms - sent_ms > float(window):
        raise ExchangeRefusal(-1021, "Timestamp for this request is outside of the recvWindow.")
