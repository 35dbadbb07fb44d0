"""Where each field of Binance Spot's binary market messages lies: the venue's schema as a table.

A message is a header, a block of fields, the repeating groups and the symbol.  Header and group
dimensions give the length of a block and of one entry of a group.  A later version may add fields
behind those in this table; they are skipped.  All integers are little-endian.

*Source:* Binance Spot, SBE schema of the market data streams (``stream_1_0.xml``: package
``spot_stream``, id 1, version 0); FIX Simple Binary Encoding 1.0, sections 3 (message structure)
and 5 (schema extension).
"""

from typing import NamedTuple

#: Bytes of each primitive type on the wire.
TYPE_BYTES = {"int8": 1, "uint8": 1, "uint16": 2, "uint32": 4, "int64": 8}

SCHEMA_ID = 1
#: The version from which this table is; later ones only add.
SCHEMA_VERSION = 0


class Member(NamedTuple):
    """One field: its name, where it begins in its block, in bytes, and its primitive type."""

    name: str
    offset_bytes: int
    type_name: str


class Block(NamedTuple):
    """Fields that lie together; what there is of it on the wire may be longer."""

    members: tuple[Member, ...]

    @property
    def block_bytes(self) -> int:
        """Return how long the block is in the version of the schema that this table is from."""
        return max(member.offset_bytes + TYPE_BYTES[member.type_name] for member in self.members)

    def offset_bytes(self, name: str) -> int:
        """Return where a field begins."""
        return next(member.offset_bytes for member in self.members if member.name == name)


class Group(NamedTuple):
    """A repeating group: its name, how its dimensions are written, and one entry of it."""

    name: str
    dimensions: Block
    entry: Block


class MessageLayout(NamedTuple):
    """One message: its template, its block, its groups in their order; then comes the symbol."""

    name: str
    template_id: int
    root: Block
    groups: tuple[Group, ...] = ()


def block(*members: tuple[str, int, str]) -> Block:
    """Return a block of (name, offset in bytes, primitive type)."""
    return Block(tuple(Member(*member) for member in members))


HEADER = block(
    ("blockLength", 0, "uint16"),
    ("templateId", 2, "uint16"),
    ("schemaId", 4, "uint16"),
    ("version", 6, "uint16"),
)
GROUP_SIZE = block(("blockLength", 0, "uint16"), ("numInGroup", 2, "uint32"))
GROUP_SIZE_16 = block(("blockLength", 0, "uint16"), ("numInGroup", 2, "uint16"))

LEVEL = block(("price", 0, "int64"), ("qty", 8, "int64"))
LEVEL_GROUPS = (Group("bids", GROUP_SIZE_16, LEVEL), Group("asks", GROUP_SIZE_16, LEVEL))

TRADES = MessageLayout(
    "TradesStreamEvent",
    10000,
    block(
        ("eventTime", 0, "int64"),
        ("transactTime", 8, "int64"),
        ("priceExponent", 16, "int8"),
        ("qtyExponent", 17, "int8"),
    ),
    (
        Group(
            "trades",
            GROUP_SIZE,
            block(
                ("id", 0, "int64"),
                ("price", 8, "int64"),
                ("qty", 16, "int64"),
                ("isBuyerMaker", 24, "uint8"),
            ),
        ),
    ),
)

BEST_BID_ASK = MessageLayout(
    "BestBidAskStreamEvent",
    10001,
    block(
        ("eventTime", 0, "int64"),
        ("bookUpdateId", 8, "int64"),
        ("priceExponent", 16, "int8"),
        ("qtyExponent", 17, "int8"),
        ("bidPrice", 18, "int64"),
        ("bidQty", 26, "int64"),
        ("askPrice", 34, "int64"),
        ("askQty", 42, "int64"),
    ),
)

DEPTH_SNAPSHOT = MessageLayout(
    "DepthSnapshotStreamEvent",
    10002,
    block(
        ("eventTime", 0, "int64"),
        ("bookUpdateId", 8, "int64"),
        ("priceExponent", 16, "int8"),
        ("qtyExponent", 17, "int8"),
    ),
    LEVEL_GROUPS,
)

DEPTH_DIFF = MessageLayout(
    "DepthDiffStreamEvent",
    10003,
    block(
        ("eventTime", 0, "int64"),
        ("firstBookUpdateId", 8, "int64"),
        ("lastBookUpdateId", 16, "int64"),
        ("priceExponent", 24, "int8"),
        ("qtyExponent", 25, "int8"),
    ),
    LEVEL_GROUPS,
)

MESSAGES = (TRADES, BEST_BID_ASK, DEPTH_SNAPSHOT, DEPTH_DIFF)
