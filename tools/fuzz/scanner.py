"""The JSON scanner against json and decimal: the same texts are JSON, the same numbers exact."""

import json
import re
from decimal import Decimal
from typing import Any

import numpy as np

from ipc.memory import address_of
from vortex.codes import Refusal
from vortex.wire.scan import DEPTH_MAX, check_text, read_e8, read_integer

BUFFER = np.zeros(1 << 20, dtype=np.uint8)
ADDRESS = address_of(BUFFER)
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def put(text: bytes) -> tuple[int, int]:
    """Write ``text`` where compiled code can read it; return where it begins and ends."""
    padded = text + b'"9]}9999' * 8  # what would continue the text, if it were read
    BUFFER[: len(padded)] = np.frombuffer(padded, dtype=np.uint8)
    return ADDRESS, ADDRESS + len(text)


def no_constant(name: str) -> None:
    """Refuse NaN and Infinity, which are no JSON."""
    raise ValueError(name)


def is_json(text: bytes) -> bool:
    """Return whether Python accepts ``text`` as JSON, ignoring the meaning of bytes above 127."""
    try:
        json.loads(text.decode("latin1"), parse_constant=no_constant)
    except (ValueError, RecursionError):
        return False
    return True


def slow_e8(text: str) -> tuple[int, int]:
    """Return what ``read_e8`` returns for a string, by decimal."""
    if not NUMBER.fullmatch(text):
        return 0, Refusal.NOT_JSON
    plain, _, power = text.lower().partition("e")
    sign, digits, exponent = Decimal(plain).as_tuple()
    assert isinstance(exponent, int)
    exponent += int(power or 0)
    mantissa = "".join(map(str, digits)).strip("0")
    if not mantissa:
        return 0, 0
    if len(mantissa) > 18:
        return 0, Refusal.OUT_OF_RANGE
    whole = "".join(map(str, digits)).lstrip("0")
    exponent += len(whole) - len(whole.rstrip("0")) + 8
    if exponent < 0:
        return 0, Refusal.OFF_TICK
    if exponent > 30 or int(mantissa) * 10**exponent >= 2**63:
        return 0, Refusal.OUT_OF_RANGE
    return (-1 if sign else 1) * int(mantissa) * 10**exponent, 0


def slow_integer(text: str) -> tuple[int, int]:
    """Return what ``read_integer`` returns for a JSON number."""
    if not re.fullmatch(r"-?[0-9]+", text):
        return 0, Refusal.NOT_JSON
    if len(text.lstrip("-")) > 18:
        return 0, Refusal.OUT_OF_RANGE
    return int(text), 0


def is_nested_deeply(text: bytes) -> bool:
    """Return whether ``text`` may nest more deeply than we follow."""
    return text.count(b"[") + text.count(b"{") >= DEPTH_MAX


def read(data: bytes) -> Any:
    """Return whether ``data`` is JSON, and its number as a string and as raw text."""
    return (
        check_text(*put(data)) > 0,
        read_e8(*put(b'"' + data + b'"')),
        read_e8(*put(data)),
        read_integer(*put(data)),
    )


def difference(data: bytes) -> str:
    """Return how our results differ from those of json and decimal; "" if equal."""
    got, text = read(data), data.decode("latin1")
    if got[0] != is_json(data) and not is_nested_deeply(data):
        return f"check_text says {got[0]}"
    if '"' not in text and got[1] != slow_e8(text):
        return f"read_e8 says {got[1]} for the string, not {slow_e8(text)}"
    if NUMBER.fullmatch(text) and got[2] != slow_e8(text):
        return f"read_e8 says {got[2]}, not {slow_e8(text)}"
    if NUMBER.fullmatch(text) and got[3] != slow_integer(text):
        return f"read_integer says {got[3]}, not {slow_integer(text)}"
    return ""


def seeds() -> list[bytes]:
    """Return texts with every kind of value."""
    return [
        b'{"a":[1,-2.5e+3,{"b":null}],"c\\u00e9\\n":true,"d":false,"":"\\\\\\""}',
        b" [ ] ",
        b'"\xc3\xa9"',
        b"0.00000001",
        b"92233720368.54775807",
        b"-1E-2",
        b"123456789012345678",
    ]
