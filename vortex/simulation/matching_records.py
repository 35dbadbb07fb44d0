"""The records and codes of the matching engine: one symbol's orders, levels and events.

Everything is int64 and lies in one block of memory that the caller allocates; see ``matching``.
"""

from enum import IntEnum

from ipc.layout import Field, Layout, reserved


class TimeInForce(IntEnum):
    """How long an order may rest, and whether it may take."""

    GTC = 0
    IOC = 1  # the part that does not fill at once is cancelled
    FOK = 2  # fills at once and whole, or not at all
    POST = 3  # rests, or is refused


class Prevention(IntEnum):
    """The effect of self-trade prevention when two orders of one owner meet: the taker's choice."""

    NONE = 0  # they trade
    EXPIRE_TAKER = 1
    EXPIRE_MAKER = 2
    EXPIRE_BOTH = 3
    DECREMENT = 4  # both lose the smaller one's quantity


class MatchEvent(IntEnum):
    """The kind of an event; events are in the order in which they happened."""

    TRADE = 1
    RESTED = 2
    CANCELED = 3  # also the rest of an IOC, and a reduction to zero
    REDUCED = 4
    REJECTED = 5  # `qty_lots` holds a MatchReject
    PREVENTED = 6  # an order lost `qty_lots` because it met `maker_id` of the same owner
    LEVEL = 7  # a level's quantity changed to `qty_lots`, 0 when the level is gone
    TOP = 8  # the best bid or ask changed; the record is a MATCH_TOP


class MatchReject(IntEnum):
    """Why an operation was refused."""

    DUPLICATE = 1
    SIZE = 2
    UNKNOWN = 3
    UNFILLABLE = 4  # a FOK order that cannot fill whole
    WOULD_TAKE = 5  # a POST order that would match at once
    FULL = 6  # no free row for one more order


#: The price of a market order: beyond every level.
MARKET_PRICE_TICKS = 1 << 60
NONE = -1

BOOK_SIDE = Layout(
    "book_side",
    "One side of the book: its levels lie sorted, the best one last.",
    Field("levels_address", "i8", "first MATCH_LEVEL"),
    Field("level_count", "i8", "number of levels"),
    Field("side", "i8", "codes.Side: 1 for bids, -1 for asks"),
    reserved(40),
)

MATCHING = Layout(
    "matching",
    "Head of one symbol's block.",
    Field("order_capacity_count", "i8", "rows of the order table"),
    Field("slot_mask", "i8", "slots of the id table minus one"),
    Field("orders_address", "i8", "first MATCH_ORDER"),
    Field("slots_address", "i8", "id table: int64 order index + 1 per slot, 0 empty"),
    Field("events_address", "i8", "first MATCH_EVENT"),
    Field("event_capacity_count", "i8", "rows of the event buffer"),
    Field("event_count", "i8", "events not yet taken by the caller"),
    Field("free_index", "i8", "first free order row; -1 for none"),
    Field("order_count", "i8", "resting orders"),
    Field("last_order_id", "i8", "newest number handed out by next_order_id"),
    Field("update_id", "i8", "number of the newest change of a level"),
    Field("trade_id", "i8", "number of the newest trade"),
    Field("bid_ticks", "i8", "best bid of the last TOP event; 0 for none"),
    Field("bid_lots", "i8", "its quantity"),
    Field("ask_ticks", "i8", "best ask of the last TOP event; 0 for none"),
    Field("ask_lots", "i8", "its quantity"),
    Field("bids_address", "i8", "the BOOK_SIDE of the bids"),
    Field("asks_address", "i8", "the BOOK_SIDE of the asks"),
    reserved(48),
)

MATCH_ORDER = Layout(
    "match_order",
    "One resting order: a link of its level's queue.",
    Field("order_id", "i8", "the caller's number; 0 while the row is free"),
    Field("owner_id", "i8", "owner of the order; owner 0 may trade with itself"),
    Field("side", "i8", "codes.Side"),
    Field("price_ticks", "i8", "limit price"),
    Field("qty_lots", "i8", "quantity that still rests"),
    Field("previous_index", "i8", "the order before it at that price; -1 for none"),
    Field("next_index", "i8", "the order behind it, or the next free row; -1 for none"),
    reserved(8),
)

MATCH_LEVEL = Layout(
    "match_level",
    "All orders at one price.",
    Field("price_ticks", "i8", "price"),
    Field("qty_lots", "i8", "sum of its orders"),
    Field("order_count", "i8", "number of orders"),
    Field("first_index", "i8", "order that fills first"),
    Field("last_index", "i8", "order that fills last"),
    multiple_bytes=8,
)

MATCH_EVENT = Layout(
    "match_event",
    "One event; fields that do not apply are 0.",
    Field("kind", "i8", "MatchEvent"),
    Field("side", "i8", "codes.Side of the order (of the taker in a trade), or of the level"),
    Field("order_id", "i8", "the order; the taker in a trade"),
    Field("owner_id", "i8", "its owner"),
    Field("maker_id", "i8", "the resting order of a trade; of a PREVENTED: the order it met"),
    Field("maker_owner_id", "i8", "its owner"),
    Field("price_ticks", "i8", "price of the trade, order or level"),
    Field("qty_lots", "i8", "quantity"),
    Field("update_id", "i8", "of a LEVEL: number of the change"),
    Field("trade_id", "i8", "of a TRADE: its number"),
    multiple_bytes=8,
)

MATCH_TOP = Layout(
    "match_top",
    "The best bid and ask after a change; lies in the event buffer like a MATCH_EVENT.",
    Field("kind", "i8", "MatchEvent.TOP"),
    Field("bid_ticks", "i8", "best bid; 0 for none"),
    Field("bid_lots", "i8", "its quantity"),
    Field("ask_ticks", "i8", "best ask; 0 for none"),
    Field("ask_lots", "i8", "its quantity"),
    reserved(24),
    Field("update_id", "i8", "number of the change"),
    Field("trade_id", "i8", "zero"),
    multiple_bytes=8,
)

assert MATCH_EVENT.dtype.itemsize == MATCH_TOP.dtype.itemsize
