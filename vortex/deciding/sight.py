"""What a strategy sees: the records behind the accessors of ``vortex.deciding.seeing``.

``VIEW`` is one instrument.  What there may be many of lies in tables beside it, at addresses that
``SIGHT`` holds once for a process.
"""

from ipc.layout import Field, Layout, reserved

#: The market's trades that are kept of each instrument; a power of two.
TRADE_ROWS = 64

VIEW = Layout(
    "view",
    "What a strategy may know of one instrument besides the top of the book.",
    Field("instrument_id", "i8", "row of the instrument table"),
    Field("now_ns", "i8", "time of this decision"),
    Field("sight_address", "i8", "SIGHT of this process, for the accessors; 0 for none"),
    Field("tick_e8", "i8", "one tick in 1e-8 of the quote asset"),
    Field("lot_e8", "i8", "one lot in 1e-8 of the base asset"),
    Field("price_ticks_min", "i8", "lowest price that the venue takes"),
    Field("price_ticks_max", "i8", "highest price that the venue takes"),
    Field("qty_lots_min", "i8", "smallest order that the venue takes"),
    Field("notional_min", "i8", "least price times quantity of an order, in ticks times lots"),
    Field("position_lots_max", "i8", "the limit that the gateway enforces"),
    Field("last_trade_ticks", "i8", "price of the market's last trade; 0 before the first"),
    Field("bought_lots", "i8", "lots that takers bought since the start"),
    Field("sold_lots", "i8", "lots that takers sold since the start"),
    Field("trade_count", "i8", "the market's trades since the start"),
    Field("new_trade_count", "i8", "of these, how many came since decide was last called"),
    Field("bid_level_count", "i8", "levels shown of the bid side"),
    Field("ask_level_count", "i8", "levels shown of the ask side"),
    Field("position_lots", "i8", "our position since the start of the run"),
    Field("held_lots", "i8", "what the account holds; see has_held"),
    Field("has_held", "i8", "1 when the venue said what the account held at the start"),
    Field("fill_count", "i8", "our fills since the start of the run"),
    Field("own_bought_lots", "i8", "sum of our buys"),
    Field("own_bought_notional", "i8", "what they cost, in ticks times lots"),
    Field("own_sold_lots", "i8", "sum of our sells"),
    Field("own_sold_notional", "i8", "what they brought, in ticks times lots"),
    Field("last_fill_ticks", "i8", "price of our last fill; 0 before the first"),
    Field("last_fill_lots", "i8", "its quantity"),
    Field("last_fill_side", "i8", "codes.Side of our order"),
    Field("last_fill_ns", "i8", "when its event was read"),
    Field("is_last_fill_maker", "i8", "1 when our order rested"),
    Field("orders_left_count", "i8", "new orders that fit the account's budget as of its last "
          "event; -1: not known"),
    reserved(8),
)  # fmt: skip

SEEN_TRADE = Layout(
    "seen_trade",
    "One trade of the market as a strategy sees it.",
    Field("venue_ns", "i8", "the venue's trade time"),
    Field("kernel_ns", "i8", "when the kernel received its frame"),
    Field("trade_id_high", "i8", "upper 64 bits of the venue's id of the trade"),
    Field("trade_id", "i8", "lower 64 bits of it"),
    Field("price_ticks", "i8", "price"),
    Field("qty_lots", "i8", "quantity"),
    Field("aggressor_side", "i8", "codes.Side of the taker"),
    reserved(8),
)

SEEN_LEVEL = Layout(
    "seen_level",
    "One level of a book as a strategy sees it.",
    Field("price_ticks", "i8", "price"),
    Field("qty_lots", "i8", "quantity at the price"),
    multiple_bytes=16,
)

SIGHT = Layout(
    "sight",
    "Where the accessors look; addresses in the strategy's process.",
    Field("tops_address", "i8", "newest TOP of each instrument"),
    Field("views_address", "i8", "VIEW of each instrument"),
    Field("standing_address", "i8", "STANDING of each instrument"),
    Field("levels_address", "i8", "SEEN_LEVEL: of each instrument its bids, then its asks"),
    Field("trades_address", "i8", "SEEN_TRADE: TRADE_ROWS of each instrument"),
    Field("instrument_count", "i8", "how many instruments"),
    Field("level_row_count", "i8", "SEEN_LEVEL of one side of an instrument"),
    reserved(8),
)

VIEW_DTYPE = VIEW.dtype
VIEW_BYTES = VIEW.dtype.itemsize
SEEN_TRADE_DTYPE = SEEN_TRADE.dtype
SEEN_TRADE_BYTES = SEEN_TRADE.dtype.itemsize
SEEN_LEVEL_DTYPE = SEEN_LEVEL.dtype
SEEN_LEVEL_BYTES = SEEN_LEVEL.dtype.itemsize
SIGHT_DTYPE = SIGHT.dtype
