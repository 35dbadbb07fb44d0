"""Reads and checks signed requests as a venue would: json and hmac, nothing of the engine's."""

import hmac
import json
from typing import Any

UNSIGNED = ("time",)


def unmasked(frame: bytes) -> bytes:
    """Return the payload of one masked frame, as RFC 6455 section 5.3 says."""
    second = frame[1]
    assert frame[0] == 0x81, "a whole text frame"
    assert second & 0x80, "a client masks"
    length, header_bytes = second & 0x7F, 2
    if length == 126:
        length, header_bytes = int.from_bytes(frame[2:4], "big"), 4
    key = frame[header_bytes : header_bytes + 4]
    payload = frame[header_bytes + 4 : header_bytes + 4 + length]
    assert header_bytes + 4 + length == len(frame), "one frame, nothing behind it"
    mask = (key * (length // 4 + 1))[:length]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")).to_bytes(length, "big")


def signature_of(params: dict[str, Any], secret: bytes) -> str:
    """Return the signature that ``params`` must carry: HMAC-SHA256 of the sorted pairs."""
    pairs = sorted((name, value) for name, value in params.items() if name != "signature")
    text = "&".join(f"{name}={value}" for name, value in pairs)
    return hmac.new(secret, text.encode(), "sha256").hexdigest()


def read_request(payload: bytes, secret: bytes) -> dict[str, Any]:
    """Return a request; an assertion fails when its signature is wrong."""
    request: dict[str, Any] = json.loads(payload)
    params = request["params"]
    if request.get("method") in UNSIGNED:
        assert params == {}, f"nothing to ask with: {request}"
        return request
    assert params["signature"] == signature_of(params, secret), f"a wrong signature: {request}"
    return request
