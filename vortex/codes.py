"""Every code that a record carries or a compiled function returns."""

from enum import IntEnum


class Kind(IntEnum):
    """The kind of a record; the first byte of every record on a ring."""

    DEPTH = 1  # a diff of levels: the head, then BIDS and ASKS records
    SNAPSHOT = 2  # the whole book as the venue keeps it: head, BIDS, ASKS
    PARTIAL = 3  # the top levels only: head, BIDS, ASKS
    BIDS = 4
    ASKS = 5
    TICKER = 6  # best bid and ask
    TRADE = 7
    FEED_DOWN = 8  # the source lost its connection: its earlier records are no longer valid
    FEED_UP = 9
    TOP = 10  # the touch of one instrument, from the book; SHOWN_BIDS and SHOWN_ASKS may follow
    SHOWN_BIDS = 11
    SHOWN_ASKS = 12
    PLACE = 20  # requests, strategy to gateway
    CANCEL = 21
    REPLACE = 22
    STATUS = 23  # what the gateway asks for itself: the fate of one order
    CANCEL_ALL = 24  # and the end of all orders of one instrument
    AMEND = 25  # another price or quantity for an order that keeps its id
    ACKED = 30  # order events, gateway to strategy
    REJECTED = 31
    FILLED = 32  # a fill, whole or part
    CANCELED = 33
    EXPIRED = 34
    UNKNOWN = 35  # no answer in time: the order may or may not be open
    HALTED = 36  # the gateway cancelled everything; the strategy starts with no open order
    RESUMED = 37


class Side(IntEnum):
    """A side of the book; also the sign of a fill in the position."""

    BUY = 1
    SELL = -1


class Chain(IntEnum):
    """How a message of levels follows the one before, by its update ids."""

    FIRST_ID = 1  # its first id is the last id before plus one, or lower; lower last ids repeat
    PREVIOUS_ID = 2  # its first id is the last id before plus one and no other


class InstrumentKind(IntEnum):
    """What is traded."""

    SPOT = 1  # an asset for another
    LINEAR = 2  # a contract whose profit is in the quote asset
    INVERSE = 3  # a contract whose profit is in the base asset
    OPTION = 4


class ContractDirection(IntEnum):
    """How the worth of a quantity depends on the price."""

    LINEAR = 1  # quantity times multiplier times price, in the quote asset
    INVERSE = -1  # quantity times multiplier divided by price, in the base asset


class TradingStatus(IntEnum):
    """Whether the venue takes orders for an instrument."""

    TRADING = 1
    HALTED = 2  # not now
    CLOSED = 3  # not any more


class OrderForce(IntEnum):
    """How long an order may wait in the book."""

    POST_ONLY = 0  # it rests or is refused
    IOC = 1  # it trades at once; what is left is cancelled
    GTC = 2


class Refusal(IntEnum):
    """Why a message from the venue was refused; decoders return it, negative."""

    NOT_JSON = -1  # breaks the grammar
    NOT_KNOWN = -2  # a message type that was not requested; counted, harmless
    MISSING_KEY = -3
    UNKNOWN_SYMBOL = -4
    OFF_TICK = -5  # a price or quantity that is not a whole number of ticks or lots
    OUT_OF_RANGE = -6  # does not fit 63 bits, or a quantity below zero
    TOO_LARGE = -7  # more levels than the largest message
    IGNORED = -8  # a control reply (a subscription's answer); harmless
    SHUTDOWN = -9  # the venue announced that it will close the connection
    NOT_SBE = -10  # binary of another schema, or shorter than its own lengths say
    NOT_SUBSCRIBED = -11  # the venue refused a subscription


class BookState(IntEnum):
    """How a book is synchronised with the venue."""

    EMPTY = 0  # nothing known; the book needs a snapshot
    BUFFERING = 1  # diffs are kept until the snapshot arrives
    LIVE = 2


class OrderState(IntEnum):
    """The state of an order; ``vortex/orders/order_table.py`` has the transitions."""

    FREE = 0  # the row of the table is unused
    SENT = 1  # sent, not answered
    RESTING = 2
    UNKNOWN = 3  # no answer in time: counts at its worst until the venue reports its status
    FILLED = 4
    CANCELED = 5
    REJECTED = 6
    EXPIRED = 7


class Reject(IntEnum):
    """Why the gateway, or the venue, refused a request."""

    NONE = 0
    ORDER_SIZE = 1
    NOTIONAL = 2
    POSITION = 3
    PRICE_BAND = 4
    OPEN_ORDERS = 5
    ORDER_RATE = 6
    DECISION_AGE = 7
    BOOK_INVALID = 8
    HALTED = 9
    STALE_EPOCH = 10
    STAGE_SILENT = 11  # the heartbeat of ingest or book is older than its lease
    NO_SUCH_ORDER = 12
    IN_FLIGHT = 13  # an earlier request for that order is not answered yet
    OUT_OF_BOUNDS = 14  # price or quantity outside the instrument's own limits
    TABLE_FULL = 15
    VENUE_THROTTLED = 16  # too many requests
    VENUE_WOULD_TAKE = 17  # a post-only order that would have crossed
    VENUE_BALANCE = 18  # not enough to pay for it
    VENUE_FILTER = 19  # a price, quantity or value that the instrument does not allow
    VENUE_UNKNOWN_ORDER = 20  # no such order: over, or never there
    VENUE_CLOCK = 21  # the request's time is too far from the venue's
    VENUE_SIGNATURE = 22  # the key, or what it signed
    VENUE_OTHER = 23
    DISCONNECTED = 24


#: What quotes meet every day: counted, not logged.
DAILY_REJECTS = (
    int(Reject.NONE), int(Reject.VENUE_WOULD_TAKE), int(Reject.VENUE_UNKNOWN_ORDER),
)  # fmt: skip


class Answer(IntEnum):
    """The kind of a message on the order connection."""

    REPLY = 1  # the answer to one of our requests
    EXECUTION = 2  # an executionReport
    BALANCE = 3  # an account event; the cold side reads the balances
    OTHER = 4  # anything else that is well formed
    STREAM_ENDED = 5  # the user data stream was terminated
    SHUTDOWN = 6
    FATE = 7  # the status of one order, queried by the main thread
    SINCE = 8  # the venue's newest fill before the run: ours come after it
    HELD = 9  # what the account holds, asked by the main thread while nothing of ours rested


class Outcome(IntEnum):
    """How one half of a request ended."""

    NOT_ATTEMPTED = 0
    SUCCESS = 1
    FAILURE = 2
    UNKNOWN = 3
    ACCEPTED = 4  # the venue has the request; what becomes of the order comes on another stream


class Execution(IntEnum):
    """The execution type of an execution report."""

    NEW = 1
    TRADE = 2
    CANCELED = 3
    REPLACED = 4
    REJECTED = 5
    EXPIRED = 6
    PREVENTED = 7  # self-trade prevention


class FeeAsset(IntEnum):
    """The asset of a commission."""

    NONE = 0
    BASE = 1
    QUOTE = 2
    OTHER = 3
