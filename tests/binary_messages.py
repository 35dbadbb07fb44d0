"""Binance Spot's binary messages as tests write and read them: slowly, plainly, with struct."""

import struct
from typing import NamedTuple

TRADES_ID, TICKER_ID, PARTIAL_ID, DEPTH_ID = 10000, 10001, 10002, 10003
#: The fields of each block, in the schema's order, as struct writes them.
ROOTS = {TRADES_ID: "<qqbb", TICKER_ID: "<qqbbqqqq", PARTIAL_ID: "<qqbb", DEPTH_ID: "<qqqbb"}
#: Dimensions and entries of each group.
GROUPS = {
    TRADES_ID: [("<HI", "<qqqB")],
    TICKER_ID: [],
    PARTIAL_ID: [("<HH", "<qq")] * 2,
    DEPTH_ID: [("<HH", "<qq")] * 2,
}


class Message(NamedTuple):
    """One message as the schema has it: the block's fields, the groups' entries, the symbol."""

    template_id: int
    root: tuple[int, ...]
    groups: tuple[tuple[tuple[int, ...], ...], ...] = ()
    symbol: bytes = b"BTCUSDT"


def encode(
    message: Message, *, version: int = 0, root_more: bytes = b"", entry_more: bytes = b"",
    tail: bytes = b"",
) -> bytes:  # fmt: skip
    """Write a message; ``more`` is what a later version put behind the fields that we know."""
    root = struct.pack(ROOTS[message.template_id], *message.root) + root_more
    text = struct.pack("<HHHH", len(root), message.template_id, 1, version) + root
    for (size, entry), rows in zip(GROUPS[message.template_id], message.groups, strict=True):
        text += struct.pack(size, struct.calcsize(entry) + len(entry_more), len(rows))
        text += b"".join(struct.pack(entry, *row) + entry_more for row in rows)
    return text + bytes([len(message.symbol)]) + message.symbol + tail


class Refused(Exception):
    """It is no message of ours."""


class _Reader:
    """Reads from the front and refuses to read behind the end."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, size: int) -> bytes:
        if len(self.data) < size:
            raise Refused
        taken, self.data = self.data[:size], self.data[size:]
        return taken

    def fields(self, layout: str, size: int) -> tuple[int, ...]:
        """Read a block of ``size`` bytes that begins with these fields."""
        wanted = struct.calcsize(layout)
        if size < wanted:
            raise Refused
        return struct.unpack(layout, self.take(size)[:wanted])

    def group(self, dimensions: str, entry: str) -> list[tuple[int, ...]]:
        size, count = struct.unpack(dimensions, self.take(struct.calcsize(dimensions)))
        if count and (size < struct.calcsize(entry) or size * count > len(self.data)):
            raise Refused
        return [self.fields(entry, size) for _ in range(count)]


def parse(data: bytes) -> Message:
    """Return what a message says, by the rules of SBE; raise Refused when it is none of ours."""
    reader = _Reader(data)
    size, template_id, schema_id, _ = struct.unpack("<HHHH", reader.take(8))
    if schema_id != 1 or template_id not in ROOTS:
        raise Refused
    root = reader.fields(ROOTS[template_id], size)
    groups = tuple(tuple(reader.group(*layouts)) for layouts in GROUPS[template_id])
    return Message(template_id, root, groups, reader.take(reader.take(1)[0]))
