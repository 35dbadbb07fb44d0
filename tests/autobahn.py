"""Autobahn's recorded cases: what a peer sent, as bytes."""

from typing import Any


def bytes_of(action: Any) -> bytes:
    """Return the bytes of one action: written out, or a header and a payload that repeats."""
    if isinstance(action, str):
        return bytes.fromhex(action)
    unit, size = bytes.fromhex(action["payload_unit"]), action["payload_bytes"]
    repeated = unit * (size // len(unit) + 1) if unit else b""
    return bytes.fromhex(action["header"]) + repeated[:size]
