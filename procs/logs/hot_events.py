"""Every event that a hot loop can log, with its text; ``ipc.log`` writes them.

The words in braces are the event's arguments in order.  ``procs/observe/events/log_text.py``
formats each kind.  ``{price}`` and ``{qty}`` belong to the instrument of the event's ``{symbol}``.
"""

from ipc.log import Catalogue

KINDS = (
    "symbol", "source", "price", "qty", "side", "order", "duration", "kind", "refusal", "reject",
    "halts",
)  # fmt: skip
CATALOGUE = Catalogue(KINDS)

info, warning, error = CATALOGUE.info, CATALOGUE.warning, CATALOGUE.error

# Any stage.
LIFE_BEGAN = info("life {} begins, pid {}")

# Ingest.
FEED_UP = info("the feed is up on descriptor {}")
FEED_CHANGED = info("the feed moved to descriptor {} from {}")
FEED_DOWN = warning("feed down after {} frames: close code {}")
MESSAGE_REFUSED = warning("message refused: {refusal}, {} bytes, frame {}")
MARKET_FULL = warning("the market ring is full, {} records wait for the book")
MARKET_ROOM = info("there is room on the market ring again, after {duration}")
BACKLOG_DROPPED = error("backlog dropped after {duration}: {} records")

# The book.
BOOK_LIVE = info("{symbol}: the book is in sync, update {}")
GAP = warning("{symbol}: sequence gap, update {} came after {}; invalid until a new snapshot")
MISMATCH = warning("{symbol}: the venue contradicts itself at update {}; invalid until a snapshot")
OVERFLOW = warning("{symbol}: too many diffs waited for a snapshot, up to update {}")
NOT_WELL_FORMED = warning("{symbol}: message not well formed, update {}; invalid until a snapshot")
SOURCE_DOWN = warning("source {source} is down, its books are invalid")
SOURCE_RESTARTED = warning("source {source} restarted, {} records discarded; its books are invalid")
TOPS_FULL = warning("the tops ring is full, {} instruments wait")

# The strategy.
BOOK_RESTARTED = warning("the book restarted, its earlier prices are invalid")
RELOADED = warning("order events are missing, {} discarded; reloads open orders from the table")
PAUSED = info("{symbol}: quotes nothing, {reject}")
GOES_ON = info("{symbol}: quotes again")
REQUESTS_FULL = warning("{symbol}: the requests ring is full, the decision waits")

# The gateway.
ORDERS_UP = info("the order connection is up on descriptor {}")
ORDERS_CHANGED = info("orders moved to descriptor {} from {}")
ORDERS_DOWN = warning("order connection closed: close code {}")
HALTED = warning("halt: {halts}; cancels everything, places nothing new")
HALTED_MORE = info("halt continues: {halts}")
RESUMED = info("takes orders again, after {duration}")
CANCEL_ALL = info("{symbol}: cancels all {} orders that may be open")
STRATEGY_RESTARTED = warning("the strategy restarted, {} of its requests discarded")
OUTDATED = warning("{symbol}: request discarded, made before event {}, as of {}")
REFUSED = info("{symbol}: {kind} {side} {qty} at {price} refused: {reject}")
VENUE_REFUSED = info("the venue refused: {reject}, order {order}, error {}")
VENUE_NOT_READ = warning("message of the venue refused: {refusal}, {} bytes")
NOT_ANSWERED = warning("{symbol}: order {order} not answered in {duration}; queries its status")
EVENTS_FULL = warning("the events ring is full, the strategy reloads")
STRAY = error("unexpected open order: the venue had denied it; reconnects and cancels all")
HELD_DIFFERS = warning("{symbol}: the account holds {qty} more than our fills explain")
STREAM_ENDED = warning("the venue ended the stream of our events; reconnects")
VENUE_ENDING = info("the venue will close this connection")
