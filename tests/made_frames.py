"""WebSocket sessions of our own making, with what RFC 6455 wants to come of each.

They have the form of Autobahn's recorded cases: what the server sends, in pieces; which messages
and pongs follow; the status codes that the client may close with.
"""

import json
from typing import Any

from scale import scaled

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
#: Beyond what fits a connection's buffers, and beyond what it takes at all.
LARGE = scaled(1 << 20, 70_000), scaled(1 << 24, 90_000)
ECHO_CASES = {
    # opcode, unit, sizes with fragment and write sizes, how often
    1: [(size, None, None, 1) for size in (65_536, 65_537, *LARGE)],
    3: [(LARGE[0], part, None, 1) for part in (64, 4096, LARGE[0] // 2, LARGE[0])],
    5: [(LARGE[0], None, part, 1) for part in (64, 1000, 4096)],
    7: [(size, None, None, scaled(300, 10)) for size in (0, 16, 125, 126, 4096)],
}
VALID_UTF8 = ["", "plain", "κόσμε", "\x00\x7f", "\u0080\u07ff\u0800\uffff", "\U00010000\U0010ffff"]
INVALID_UTF8 = [
    "80", "bf", "c0af", "c1bf", "e080af", "f08080af", "f8808080af", "eda080", "edbfbf",
    "f4908080", "fe", "ff", "c328", "e28228", "f0288c28", "ce", "e282", "f09f98", "cebae1bd",
]  # fmt: skip


def frame(opcode: int, payload: bytes = b"", *, is_last: bool = True, reserved: int = 0) -> bytes:
    """Return a server's frame."""
    first = bytes([is_last << 7 | reserved << 4 | opcode])
    size = len(payload)
    if size < 126:
        return first + bytes([size]) + payload
    long = size > 0xFFFF
    return first + bytes([127 if long else 126]) + size.to_bytes(8 if long else 2) + payload


def case(
    sent: list[bytes], answers: list[Any] | None = None, codes: tuple[int, ...] = (1000,)
) -> dict[str, Any]:
    """Return a session: pieces that are sent, answers, codes of the close; a clean end is ours."""
    is_clean = codes == (1000,) and frame(CLOSE)[:1] not in [piece[:1] for piece in sent]
    last = ["close_after" if is_clean else "kill_after", 1]
    return {
        "actions": [*(["send", piece.hex(), None] for piece in sent), last],
        "expected": {"OK": answers or []},
        "close": {"closeCode": list(codes)},
    }


def message(payload: bytes, *, is_binary: bool = False) -> list[Any]:
    """Return the answer that shows a message."""
    return ["message", payload.decode("latin1"), is_binary]


def pong(payload: bytes) -> list[Any]:
    """Return the answer to a ping."""
    return ["pong", payload.decode("latin1")]


def lengths() -> list[Any]:
    """Messages of every form of length."""
    found = []
    for size in (0, 1, 125, 126, 127, 128, 1000, 65_535, 65_536):
        for opcode in (TEXT, BINARY):
            payload = b"*" * size
            found.append(case([frame(opcode, payload)], [message(payload, is_binary=opcode == 2)]))
    return found


def controls() -> list[Any]:
    """Pings are answered in order, pongs are not; neither is longer than 125 or in parts."""
    found = [case([frame(PING, data)], [pong(data)]) for data in (b"", b"hello", b"\x00\xff\xfe")]
    found.append(case([frame(PING, b"x" * 125)], [pong(b"x" * 125)]))
    found.append(case([frame(PING, b"x" * 126)], codes=(1002,)))
    found.append(case([frame(PONG)]))
    found.append(case([frame(PONG, b"unasked"), frame(PING, b"asked")], [pong(b"asked")]))
    names = [b"%d" % number for number in range(10)]
    found.append(case([frame(PING, each) for each in names], [pong(each) for each in names]))
    found.append(case([frame(PING, b"part", is_last=False), frame(0, b"rest")], codes=(1002,)))
    found.append(case([frame(PONG, b"part", is_last=False), frame(0, b"rest")], codes=(1002,)))
    return found


def reserved() -> list[Any]:
    """Bits and opcodes that nobody has agreed on end the connection."""
    before, after = frame(TEXT, b"before"), frame(TEXT, b"after")
    wrong = [frame(TEXT, b"x", reserved=bits) for bits in range(1, 8)]
    wrong += [frame(PING, b"x", reserved=bits) for bits in (1, 2, 4)]
    wrong += [
        frame(code, data) for code in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15) for data in (b"", b"x")
    ]
    return [case([before, each, after], [message(b"before")], (1002,)) for each in wrong]


def fragments() -> list[Any]:
    """Parts make one message, with pings between them; parts without a start do not."""
    start, middle, end = (
        frame(TEXT, b"one,", is_last=False),
        frame(0, b"two,", is_last=False),
        frame(0, b"3"),
    )
    whole, ping = message(b"one,two,3"), frame(PING, b"?")
    good = [
        ([start, middle, end], [whole]),
        ([start, ping, middle, ping, end], [pong(b"?"), pong(b"?"), whole]),
        ([start + ping + middle + end], [pong(b"?"), whole]),
        ([frame(BINARY, b"", is_last=False), frame(0, b"", is_last=False), frame(0, b"")],
         [message(b"", is_binary=True)]),
        ([start, middle, end] * 3, [whole] * 3),
    ]  # fmt: skip
    bad = [
        ([end], []),
        ([middle, end], []),
        ([frame(0, b"")], []),
        ([start, frame(TEXT, b"new")], []),
        ([start, frame(BINARY, b"new", is_last=False)], []),
        ([start, end, end], [message(b"one,3")]),
        ([ping, middle], [pong(b"?")]),
    ]
    return [case(*each) for each in good] + [case(*each, (1002,)) for each in bad]


def utf8() -> list[Any]:
    """Text is UTF-8, also where a frame ends within a character; binary is anything."""
    found = []
    for text in VALID_UTF8:
        data = text.encode()
        found.append(case([frame(TEXT, data)], [message(data)]))
        parts = [
            frame(TEXT if at == 0 else 0, data[at : at + 1], is_last=False)
            for at in range(len(data))
        ]
        found.append(
            case([*(parts or [frame(TEXT, b"", is_last=False)]), frame(0)], [message(data)])
        )
    for digits in INVALID_UTF8:
        data = b"\xce\xba" + bytes.fromhex(digits)
        found.append(case([frame(TEXT, data)], codes=(1007,)))
        found.append(
            case([frame(TEXT, data[:3], is_last=False), frame(0, data[3:])], codes=(1007,))
        )
        found.append(case([frame(BINARY, data)], [message(data, is_binary=True)]))
    return found


def closes() -> list[Any]:
    """After a close nothing is answered; its code and reason have rules."""

    def ended(payload: bytes, codes: tuple[int, ...], *after: bytes) -> dict[str, Any]:
        return case([frame(CLOSE, payload), *after], [], codes)

    def with_code(code: int, reason: bytes = b"") -> bytes:
        return code.to_bytes(2) + reason

    good = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
    bad = (0, 1, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535)
    found = [ended(with_code(code), (1000, code)) for code in good]
    found += [ended(with_code(code), (1002,)) for code in bad]
    found.append(ended(b"", (1000,)))
    found.append(ended(b"x", (1002,)))
    found.append(ended(with_code(1000, b"r" * 123), (1000,)))
    found.append(ended(with_code(1000, b"r" * 124), (1002,)))
    found.append(ended(with_code(1000, "κόσμε".encode()), (1000,)))
    found += [ended(with_code(1000, bytes.fromhex(each)), (1002, 1007)) for each in INVALID_UTF8]
    later = (frame(TEXT, b"late"), frame(PING, b"late"), frame(CLOSE, with_code(1001)))
    found += [ended(with_code(1000), (1000,), each) for each in later]
    start, end = frame(TEXT, b"never ", is_last=False), frame(0, b"whole")
    found.append(case([start, frame(CLOSE, with_code(1000)), end]))
    found.append(case([frame(TEXT, b"last"), frame(CLOSE)], [message(b"last")]))
    return found


def echo_cases() -> dict[str, Any]:
    """Messages that are echoed: large ones, in parts, written in pieces, many."""
    found = {}
    for group, rows in ECHO_CASES.items():
        for opcode, unit in ((TEXT, b"vortex "), (BINARY, b"\x00\xff\x80")):
            for number, (size, part, piece, count) in enumerate(rows, start=1):
                found[f"9.{group + opcode - 1}.{number}"] = {
                    "opcode": opcode, "payload_unit": unit.hex(), "payload_bytes": size,
                    "fragment_bytes": part, "write_bytes": piece, "count": count,
                }  # fmt: skip
    return found


def sessions() -> str:
    """Return all cases as the recorded suite is kept."""
    groups = (lengths, controls, reserved, fragments, utf8, closes)
    cases = {
        f"{number}.{index}": each
        for number, group in enumerate(groups, start=1)
        for index, each in enumerate(group(), start=1)
    }
    return json.dumps({"cases": cases, "echo_cases": echo_cases()})
