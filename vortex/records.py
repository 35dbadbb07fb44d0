"""Every record that crosses a process border, declared once.

All prices are int64 ticks and all quantities int64 lots of the record's instrument.  Every record
on a ring begins with the same 24 bytes, ``PREFIX``; the ring's commit writes ``publish_ns``.
"""

from ipc.layout import Field, Layout, reserved

PREFIX = (
    Field("kind", "i1", "see codes.Kind"),
    Field("source_id", "i1", "source (ingest process) that it came from"),
    Field("instrument_id", "i2", "row of the instrument table; -1 for none"),
    Field("epoch", "i4", "life of the writer: one more at each restart"),
    Field("cause_id", "i8", "number of the frame that caused it, counted by its source"),
    Field("publish_ns", "i8", "when the writer made it visible"),
)

#: How a tick goes through the stages, in the order in which it is known; where several frames are
#: merged, the stamps are those of the oldest.  The block begins at the same offset in each record
#: that carries it, so a stage passes on what it got by one copy.
STAMPS = (
    Field("kernel_ns", "i8", "kernel receive stamp of the oldest frame; 0 if no frame caused it"),
    Field("recv_ns", "i8", "when recv returned with that frame"),
    Field("ingest_publish_ns", "i8", "when ingest made it visible"),
    Field("newest_kernel_ns", "i8", "kernel receive stamp of the newest frame merged"),
    Field("merged_count", "i8", "frames merged into the record"),
    Field("resync_count", "i8", "of these, frames that brought the book into sync"),
    Field("book_pick_ns", "i8", "when the book's drain began"),
    Field("book_publish_ns", "i8", "when the book made its top visible"),
    Field("strategy_pick_ns", "i8", "when the strategy's drain began"),
    Field("strategy_publish_ns", "i8", "when the strategy made its request visible"),
    Field("gateway_pick_ns", "i8", "when the gateway took it"),
    Field("sent_ns", "i8", "when send returned"),
)
STAMPS_OFFSET_BYTES = 24
#: What a TOP, a MERGE of the strategy and a REQUEST know of them.
TOP_STAMPS, MERGE_STAMPS, REQUEST_STAMPS = STAMPS[:7], STAMPS[:8], STAMPS[:9]
TOP_STAMPS_BYTES, MERGE_STAMPS_BYTES, REQUEST_STAMPS_BYTES = 7 * 8, 8 * 8, 9 * 8

# Market data, ingest to book: slots of 128 bytes.
LEVELS_PER_RECORD = 6
MARKET_SLOT_BYTES = 128

DEPTH = Layout(
    "depth",
    "Head of a message of levels (DEPTH, SNAPSHOT or PARTIAL); `record_count` LEVELS follow.",
    *PREFIX,
    Field("kernel_ns", "i8", "when the kernel received the frame"),
    Field("recv_ns", "i8", "when recv returned with the frame"),
    Field("venue_ns", "i8", "the venue's event time (its wall clock); 0 when it sends none"),
    Field("first_update_id", "i8", "first update in the message"),
    Field("last_update_id", "i8", "last update in the message"),
    Field("record_count", "i8", "how many LEVELS records follow"),
    Field("is_reset", "i8", "1: a snapshot that the venue pushed; it replaces the book"),
    reserved(48),
)

LEVELS = Layout(
    "levels",
    "Up to six levels of one side (kind BIDS or ASKS).",
    *PREFIX,
    Field("level_count", "i8", "levels used"),
    Field("price_ticks", "i8", "price", (LEVELS_PER_RECORD,)),
    Field("qty_lots", "i8", "absolute quantity; 0 removes the level", (LEVELS_PER_RECORD,)),
)

TICKER = Layout(
    "ticker",
    "Best bid and ask as the venue reports them in real time.",
    *PREFIX,
    Field("kernel_ns", "i8", "when the kernel received the frame"),
    Field("recv_ns", "i8", "when recv returned with the frame"),
    Field("venue_ns", "i8", "the venue's event time; 0 when it sends none"),
    Field("update_id", "i8", "book update that it shows"),
    Field("bid_ticks", "i8", "best bid; 0 when the side is empty"),
    Field("bid_lots", "i8", "quantity at the best bid"),
    Field("ask_ticks", "i8", "best ask; 0 when the side is empty"),
    Field("ask_lots", "i8", "quantity at the best ask"),
    reserved(40),
)

TRADE = Layout(
    "trade",
    "One trade between others (or ours, seen from outside).",
    *PREFIX,
    Field("kernel_ns", "i8", "when the kernel received the frame"),
    Field("recv_ns", "i8", "when recv returned with the frame"),
    Field("venue_ns", "i8", "the venue's trade time"),
    Field("trade_id_high", "i8", "upper 64 bits of the venue's id of the trade"),
    Field("trade_id", "i8", "lower 64 bits of it; a venue with numbers adds one each trade"),
    Field("price_ticks", "i8", "price"),
    Field("qty_lots", "i8", "quantity"),
    Field("aggressor_side", "i8", "codes.Side of the taker"),
    Field("ingest_publish_ns", "i8", "on the tops ring: when ingest made it visible"),
    Field("book_pick_ns", "i8", "on the tops ring: when the book's drain began"),
    reserved(24),
)

FEED = Layout(
    "feed",
    "The source's connection went down or came up (kind FEED_DOWN, FEED_UP).",
    *PREFIX,
    Field("kernel_ns", "i8", "0"),
    Field("recv_ns", "i8", "when ingest noticed it"),
    reserved(88),
)

# Touches, book to strategy: slots of 192 bytes.  TRADE records use the same ring.
TOP_SLOT_BYTES = 192

TOP = Layout(
    "top",
    "Best bid and ask of one instrument after a drain.  The stamps are those of the oldest frame "
    "merged into it.",
    *PREFIX,
    *TOP_STAMPS,
    Field("venue_ns", "i8", "the venue's event time of the newest frame; 0 when it sends none"),
    Field("consumed_seq", "i8", "records of its market ring that the book had consumed"),
    Field("update_id", "i8", "book update that it shows"),
    Field("bid_ticks", "i8", "best bid; 0 when the side is empty"),
    Field("bid_lots", "i8", "quantity at the best bid"),
    Field("ask_ticks", "i8", "best ask; 0 when the side is empty"),
    Field("ask_lots", "i8", "quantity at the best ask"),
    Field("bid_depth_lots", "i8", "quantity of the five best bid levels"),
    Field("ask_depth_lots", "i8", "quantity of the five best ask levels"),
    Field("is_valid", "i8", "1 when the book is in sync with the venue"),
    Field("shown_count", "i8", "SHOWN_LEVELS records that follow"),
    reserved(24),
)

SHOWN_LEVELS_PER_RECORD = 10

SHOWN_LEVELS = Layout(
    "shown_levels",
    "Up to ten levels of one side behind a TOP (kind SHOWN_BIDS or SHOWN_ASKS), the best first.",
    *PREFIX,
    Field("level_count", "i8", "how many levels are used"),
    Field("price_ticks", "i8", "price", (SHOWN_LEVELS_PER_RECORD,)),
    Field("qty_lots", "i8", "quantity at the price", (SHOWN_LEVELS_PER_RECORD,)),
)

# Requests, strategy to gateway: slots of 192 bytes.
REQUEST = Layout(
    "request",
    "Place, cancel, replace or amend one order (kind PLACE, CANCEL, REPLACE, AMEND).",
    *PREFIX,
    *REQUEST_STAMPS,
    Field("tops_consumed_seq", "i8", "records of the tops ring that the strategy had consumed"),
    Field("events_consumed_seq", "i8", "records of the events ring that it had consumed"),
    Field("quote_index", "i8", "index of the strategy's quote of the instrument"),
    Field("side", "i8", "codes.Side"),
    Field("price_ticks", "i8", "limit price"),
    Field("qty_lots", "i8", "quantity"),
    Field("order_id", "i8", "the open order to cancel or replace; 0 for PLACE"),
    Field("time_in_force", "i8", "codes.OrderForce"),
    Field("account_id", "i8", "index of the account that it is for"),
    Field("tag", "i8", "a number of the strategy's own"),
    reserved(16),
)

# Requests that the gateway sent, for observers: slots of 192 bytes.
SENT_FIELDS = (
    *PREFIX,
    *STAMPS,
    Field("quote_index", "i8", "index of the strategy's quote of the instrument"),
    Field("side", "i8", "codes.Side"),
    Field("price_ticks", "i8", "limit price"),
    Field("qty_lots", "i8", "quantity"),
    Field("order_id", "i8", "our number of the order that was placed or cancelled"),
    Field("tag", "i8", "the tag of the request"),
)
SENT = Layout(
    "sent",
    "One request that was sent (kind PLACE, CANCEL, REPLACE), with every stamp on its way: the "
    "time between two stamps is a wait or a service of one stage.",
    *SENT_FIELDS,
    reserved(24),
)

# Order events, gateway to strategy: slots of 256 bytes.
ORDER_EVENT = Layout(
    "order_event",
    "An event of an order (kinds ACKED to RESUMED).",
    *PREFIX,
    Field("recv_ns", "i8", "when recv returned with the venue's answer"),
    Field("venue_ns", "i8", "the venue's transaction time"),
    Field("quote_index", "i8", "index of the strategy's quote that it belongs to"),
    Field("side", "i8", "codes.Side"),
    Field("order_id", "i8", "our number of the order"),
    Field("price_ticks", "i8", "its limit price"),
    Field("remaining_lots", "i8", "quantity that is still open"),
    Field("fill_ticks", "i8", "price of this fill"),
    Field("fill_lots", "i8", "quantity of this fill"),
    Field("trade_id_high", "i8", "upper 64 bits of the venue's id of the fill"),
    Field("trade_id", "i8", "lower 64 bits of it"),
    Field("is_maker", "i8", "1 when our order rested"),
    Field("reason", "i8", "codes.Reject"),
    Field("request_kind", "i8", "codes.Kind of the request that it answers; 0 for none"),
    Field("position_lots", "i8", "our position in the instrument after it"),
    Field("account_id", "i8", "index of its account"),
    Field("fill_count", "i8", "our fills of the instrument since the start of the run"),
    Field("bought_lots", "i8", "sum of our buys of the instrument"),
    Field("bought_notional", "i8", "what they cost, in ticks times lots"),
    Field("sold_lots", "i8", "sum of our sells of the instrument"),
    Field("sold_notional", "i8", "what they brought, in ticks times lots"),
    Field("held_lots", "i8", "what the account holds of the instrument; see has_held"),
    Field("has_held", "i8", "1 when the venue said what the account held at the start"),
    Field("orders_left_count", "i8", "new orders that fit the account's budget; -1: not known"),
    reserved(40),
)

# Tables: state that one process writes and others read in place.
TICK_BANDS_MAX = 4

INSTRUMENT = Layout(
    "instrument",
    "The venue's reference data of an instrument, in units of 1e-8 and in ticks and lots.",
    Field("symbol", "S24", "as in the venue's messages, upper case"),
    Field("symbol_bytes", "i8", "length of the symbol"),
    Field("instrument_id", "i4", "its row"),
    Field("source_id", "i4", "source that carries it"),
    Field("tick_e8", "i8", "one tick in 1e-8 of the quote asset: the finest step of its prices"),
    Field("lot_e8", "i8", "one lot in 1e-8 of the base asset, or of a contract"),
    Field("price_ticks_min", "i8", "lowest price that the venue accepts"),
    Field("price_ticks_max", "i8", "highest price that the venue accepts"),
    Field("qty_lots_min", "i8", "smallest order"),
    Field("qty_lots_max", "i8", "largest order"),
    Field("notional_min", "i8", "least price times quantity, in ticks times lots, rounded up"),
    Field("notional_max", "i8", "most price times quantity, in ticks times lots, rounded down"),
    Field("open_orders_max", "i8", "open orders that the venue allows for the symbol"),
    Field("base_asset", "S16", "asset that is bought and sold"),
    Field("quote_asset", "S16", "asset that prices are in"),
    Field("settle_asset", "S16", "asset that profit is paid in"),
    Field("instrument_kind", "i8", "codes.InstrumentKind"),
    Field("contract_direction", "i8", "codes.ContractDirection"),
    Field("multiplier_e8", "i8", "base (inverse: quote) asset in a quantity of 1, in 1e-8"),
    Field("trading_status", "i8", "codes.TradingStatus"),
    Field("update_chain", "i8", "codes.Chain of its messages of levels"),
    Field("wire_decimal_count", "i8", "decimals that the venue writes at most"),
    Field("band_count", "i8", "bands of prices with a coarser step; 0: one tick everywhere"),
    Field("band_first_ticks", "i8", "from this price on, lowest first", (TICK_BANDS_MAX,)),
    Field("band_step_ticks", "i8", "prices are multiples of so many ticks", (TICK_BANDS_MAX,)),
    Field("expiry_ns", "i8", "when it is settled, wall clock; 0 for never"),
    Field("strike_ticks", "i8", "strike price of an option; 0 for none"),
    Field("underlying_id", "i8", "row of the instrument that it depends on; -1 for none"),
    reserved(16),
)

TOUCH = Layout(
    "touch",
    "The latest touch of one instrument: a cell (one writer, many readers).",
    Field("version", "i8", "odd while it is being written"),
    Field("bid_ticks", "i8", "best bid; 0 when the side is empty"),
    Field("bid_lots", "i8", "quantity at the best bid"),
    Field("ask_ticks", "i8", "best ask; 0 when the side is empty"),
    Field("ask_lots", "i8", "quantity at the best ask"),
    Field("is_valid", "i8", "1 when the book is in sync with the venue"),
    Field("epoch", "i8", "life of the book"),
    Field("update_id", "i8", "book update that it shows"),
    Field("kernel_ns", "i8", "kernel receive stamp of the newest frame in it"),
    Field("publish_ns", "i8", "when it was written"),
    Field("state", "i8", "codes.BookState"),
    Field("snapshot_wanted_count", "i8", "snapshots that the book has requested"),
    Field("gap_count", "i8", "sequence gaps since the start"),
    Field("update_count", "i8", "frames applied since the start"),
    Field("bid_level_count", "i8", "levels kept on the bid side"),
    Field("ask_level_count", "i8", "levels kept on the ask side"),
)

ORDER = Layout(
    "order",
    "One row of the order table: the gateway's truth about one order.",
    Field("version", "i8", "odd while it is being written"),
    Field("order_id", "i8", "our number: unique in the run and its account"),
    Field("venue_order_id", "i8", "the venue's number; 0 until the venue reports it"),
    Field("instrument_id", "i4", "row of the instrument table"),
    Field("account_id", "i4", "index of its account"),
    Field("quote_index", "i8", "index of the strategy's quote that it belongs to"),
    Field("state", "i8", "codes.OrderState"),
    Field("side", "i8", "codes.Side"),
    Field("price_ticks", "i8", "limit price"),
    Field("qty_lots", "i8", "quantity ordered"),
    Field("filled_lots", "i8", "quantity filled"),
    Field("request_kind", "i8", "codes.Kind of the unanswered request; 0 for none"),
    Field("request_id", "i8", "its number"),
    Field("replaced_by_id", "i8", "the order that takes its place; 0 for none"),
    Field("amend_price_ticks", "i8", "price that an amendment asks for; 0 for none"),
    Field("amend_qty_lots", "i8", "quantity that an amendment asks for; 0 for none"),
    Field("sent_ns", "i8", "when the unanswered request was sent"),
    Field("created_ns", "i8", "when the order was sent"),
    Field("changed_ns", "i8", "when the row last changed"),
    reserved(48),
)

POSITION = Layout(
    "position",
    "The sums of our fills of one instrument since the start of the run.",
    Field("version", "i8", "odd while it is being written"),
    Field("instrument_id", "i8", "row of the instrument table"),
    Field("base_lots", "i8", "bought minus sold"),
    Field("cash", "i8", "received minus paid, in ticks times lots"),
    Field("bought_notional", "i8", "of this, what was paid, in ticks times lots"),
    Field("opening_e8", "i8", "what the account held before these fills; see has_opening"),
    Field("has_opening", "i8", "1 when the venue said what the account holds"),
    Field("fee_base_e8", "i8", "commission taken in the base asset"),
    Field("fee_quote_e8", "i8", "commission taken in the quote asset"),
    Field("fee_other_e8", "i8", "commission taken in another asset"),
    Field("bought_lots", "i8", "sum of buys"),
    Field("sold_lots", "i8", "sum of sells"),
    Field("fill_count", "i8", "number of fills"),
    Field("last_trade_id_high", "i8", "upper 64 bits of the id of the newest fill"),
    Field("last_trade_id", "i8", "lower 64 bits of it; 0: not known yet, -1: there was none"),
    Field("last_fill_ms", "i8", "the venue's time of that fill, or when it was found that none is"),
    Field("open_buy_lots", "i8", "lots that our open buys could still add, at their worst"),
    Field("open_sell_lots", "i8", "lots that our open sells could still take, at their worst"),
    Field("open_order_count", "i8", "orders that are open or may be open"),
    Field("changed_ns", "i8", "when it last changed"),
    Field("account_id", "i8", "index of its account"),
    reserved(24),
)

SEEN_FILL_COUNT = 4_096

SEEN_FILLS = Layout(
    "seen_fills",
    "The ids of the last fills of one instrument that were counted; each bucket of ids is a chain "
    "of numbers that goes back in time.",
    Field("last_seq", "i8", "number of the newest id; 1 is the first"),
    reserved(56),
    Field("newest_seq", "i8", "newest id of each bucket; 0 for none", (SEEN_FILL_COUNT,)),
    Field("trade_id_high", "i8", "upper 64 bits, by number modulo size", (SEEN_FILL_COUNT,)),
    Field("trade_id", "i8", "lower 64 bits", (SEEN_FILL_COUNT,)),
    Field("former_seq", "i8", "the id before it in its bucket; 0 for none", (SEEN_FILL_COUNT,)),
)

BALANCE = Layout(
    "balance",
    "Our balance of one asset, as the venue reported it when the gateway last connected.",
    Field("asset", "S16", "name of the asset"),
    Field("free_e8", "i8", "free to trade, at 8 decimals"),
    Field("locked_e8", "i8", "held by open orders, at 8 decimals"),
    Field("wall_ns", "i8", "when the venue reported it, wall clock; 0 for never"),
    reserved(24),
)

# Inside one process: decoded messages, keys and instruments.
ANSWER = Layout(
    "answer",
    "One thing that a message of an order connection says.",
    Field("kind", "i8", "codes.Answer"),
    Field("request_id", "i8", "number of the request that it answers; 0 for none"),
    Field("status", "i8", "200, 400, 409, 429 and so on"),
    Field("error_code", "i8", "the venue's code; 0 for none"),
    Field("reject", "i8", "codes.Reject that the error means"),
    Field("retry_after_ms", "i8", "wall-clock time before which nothing may be sent; 0 for none"),
    Field("cancel_outcome", "i8", "codes.Outcome of the cancel half"),
    Field("place_outcome", "i8", "codes.Outcome of the place half"),
    Field("order_id", "i8", "ours, read from the client order id; 0 when it is not ours"),
    Field("venue_order_id", "i8", "the venue's"),
    Field("canceled_order_id", "i8", "ours, of the order that a cancel or replace removed"),
    Field("execution", "i8", "codes.Execution"),
    Field("state", "i8", "codes.OrderState as the venue reports it; 0 when it does not"),
    Field("instrument_id", "i8", "row of the instrument table; -1 for none"),
    Field("side", "i8", "codes.Side"),
    Field("price_ticks", "i8", "limit price"),
    Field("qty_lots", "i8", "quantity ordered"),
    Field("filled_lots", "i8", "quantity filled so far"),
    Field("fill_ticks", "i8", "price of this fill"),
    Field("fill_lots", "i8", "quantity of this fill"),
    Field("trade_id_high", "i8", "upper 64 bits of the venue's id of the fill"),
    Field("trade_id", "i8", "lower 64 bits of it; -1 for no fill"),
    Field("fee_e8", "i8", "commission of this fill"),
    Field("fee_asset", "i8", "codes.FeeAsset"),
    Field("is_maker", "i8", "1 when our order rested"),
    Field("venue_ns", "i8", "the venue's transaction time"),
    Field("order_count_10s", "i8", "unfilled orders in the venue's 10 s window; -1 when absent"),
    Field("canceled_filled_lots", "i8", "what of the order that was taken away had filled"),
    Field("limit_left_count", "i8", "requests of the kind that fit the window; -1: not said"),
    Field("held_e8", "i8", "what the account holds of the instrument; below zero when short"),
    reserved(16),
)

SESSION = Layout(
    "session",
    "What the encoder needs besides the order: our identity and the key's midstates.",
    Field("api_key", "S128", "the key's public name"),
    Field("api_key_bytes", "i8", "its length"),
    Field("run_id", "i8", "this run, 32 bits; part of each client order id"),
    Field("epoch", "i8", "this life of the gateway, 16 bits; part of each client order id"),
    Field("recv_window_ms", "i8", "how old a request may be when it reaches the venue"),
    Field("inner_state", "i4", "SHA-256 state after the key's inner block", (8,)),
    Field("outer_state", "i4", "SHA-256 state after the key's outer block", (8,)),
    Field("prefix_state", "i4", "inner state after the constant first blocks of a request", (8,)),
    Field("prefix_bytes", "i8", "bytes of the text in those blocks"),
    Field(
        "is_logged_on",
        "i8",
        "1 when the connection is logged on: requests need no signature",
    ),
    reserved(48),
)

CATALOG = Layout(
    "catalog",
    "The instruments that one connection speaks of, by symbol.",
    Field("instruments_address", "i8", "first INSTRUMENT of this process's map of the table"),
    Field("instrument_count", "i8", "how many of them it knows"),
    Field("slots_address", "i8", "hash table: int64 instrument_id + 1 per slot, 0 empty"),
    Field("slot_mask", "i8", "slots minus one, a power of two minus one"),
    Field("steps_address", "i8", "STEPS of each instrument"),
    Field("general_count", "i8", "messages of an unusual form, read by the slow decoder"),
    Field("first_instrument_id", "i8", "the lowest row that it knows"),
    reserved(8),
)

ON_RINGS = (DEPTH, LEVELS, TICKER, TRADE, FEED, TOP, SHOWN_LEVELS, REQUEST, SENT, ORDER_EVENT)
