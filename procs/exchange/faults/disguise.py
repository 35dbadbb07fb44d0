"""The same message in another dress: what JSON and RFC 6455 allow and the venue does not do today.

*Source:* RFC 8259 (white space, order of names, escapes), RFC 6455 section 5.4 (fragmentation).
"""

import json
import random
from typing import Any

import msgspec

from procs.exchange.faults.faults import Disguise

MEMBER = "unknown\u00e9"
INNER = {"s": "", "u": -1, "e": "\u201c}]\\", "b": [["0", {}]]}


def shuffled(value: Any, draw: random.Random) -> Any:
    """Return the value with the members of its objects in another order, and one more each."""
    if isinstance(value, list):
        return [shuffled(item, draw) for item in value]
    if not isinstance(value, dict):
        return value
    members = [(name, shuffled(item, draw)) for name, item in value.items()]
    members.append((MEMBER, INNER))
    draw.shuffle(members)
    return dict(members)


def disguised(message: bytes, fault: Disguise, draw: random.Random) -> bytes:
    """Return a JSON text that means the same to who ignores what he does not know."""
    value = shuffled(msgspec.json.decode(message), draw)
    if fault.padding_bytes and isinstance(value, dict):
        value["padding"] = "x" * fault.padding_bytes
    text = json.dumps(value, indent=draw.choice((None, 1)), ensure_ascii=draw.random() < 0.5)
    return text.encode()


def fragments(message: bytes, fault: Disguise, draw: random.Random) -> list[bytes]:
    """Return the message in as many parts as the fault says, cut anywhere."""
    cuts = sorted(draw.randrange(len(message) + 1) for _ in range(fault.fragments - 1))
    return [message[a:b] for a, b in zip([0, *cuts], [*cuts, len(message)], strict=True)]
