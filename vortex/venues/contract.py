"""What a venue is held to: market data, order entry and the account, each part optional.

A venue is a folder of ``vortex/venues``.  Its ``__init__`` holds up to three values:

``MARKET``   a ``MarketData``: how its streams are opened, kept alive and decoded
``ORDERS``   an ``OrderEntry``: how orders are encoded, and how answers are decoded
``ACCOUNT``  an ``Account``: what is asked outside the hot path, and what the replies say

``market_of``, ``orders_of`` and ``account_of`` of ``vortex.venues`` return them by the venue's
name.  A venue knows bytes alone: it opens no socket and reads no clock.  Each venue has a fixture
in ``tests/conformance/venues``; a venue without one fails there, and so does a venue of stubs.

**Compiled functions** take int64 only, so that a stage holds any venue's function as an address
in its context (``ipc.plugs``).  All payloads have 64 readable bytes behind their end.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from numba import types

from ipc.types import RecordArray
from vortex.codes import Chain as Chain  # noqa: PLC0414 -- a part of the contract
from vortex.codes import OrderState, Side
from vortex.orders import limits

#: What a buffer for one encoded request must hold: the payload, and behind it room to sign in.
REQUEST_BUFFER_BYTES = 4096

_INT = types.int64

#: ``decode_market(payload_address, payload_bytes, catalog_address, out_address, out_count_max)``
#:
#: Write the records of one message into slots of 128 bytes; return how many, or a ``Refusal``.
#: Kind, instrument and the venue's fields are set, all other fields are zero.  A message of levels
#: is one DEPTH head and its LEVELS; several trades are one record each.  After a refusal the slots
#: mean nothing.  A snapshot that the venue pushes has ``is_reset``.  A venue that names the last
#: update before writes that id plus one as the first.
DECODE_MARKET = _INT(_INT, _INT, _INT, _INT, _INT)

#: ``decode_snapshot(payload_address, payload_bytes, instrument_address, out_address,
#: out_count_max)``
#:
#: The same for a snapshot that was fetched over REST.
DECODE_SNAPSHOT = _INT(_INT, _INT, _INT, _INT, _INT)

#: ``encode_request(request_address, instrument_address, session_address, wall_ms, request_id,
#: new_order_id, old_order_id, old_epoch, out_address)``
#:
#: Write the payload for one REQUEST (PLACE, CANCEL, REPLACE, AMEND); return its bytes.  Price and
#: quantity of an AMEND are what the order has after it, with what of it is filled already.
#: ``old_epoch`` is the life of the gateway that placed the old order.  ``new_order_id`` is 0 for
#: CANCEL and AMEND, the old ones are 0 for PLACE.  The out buffer has ``REQUEST_BUFFER_BYTES``.
ENCODE_REQUEST = _INT(_INT, _INT, _INT, _INT, _INT, _INT, _INT, _INT, _INT)

#: ``encode_cancel_all(instrument_address, session_address, wall_ms, request_id, out_address)``
#:
#: Write the request that cancels all open orders of one instrument.
ENCODE_CANCEL_ALL = _INT(_INT, _INT, _INT, _INT, _INT)

#: ``encode_order_status(order_id, epoch, instrument_address, session_address, wall_ms, request_id,
#: out_address)``
#:
#: Write the request that asks for the status of one order.
ENCODE_ORDER_STATUS = _INT(_INT, _INT, _INT, _INT, _INT, _INT, _INT)

#: ``decode_answer(connection_index, payload_address, payload_bytes, catalog_address,
#: session_address, out_address, out_count_max)``
#:
#: Fill one ANSWER for each thing that a message of an order connection says (a reply, an order's
#: new state, a fill); return how many, or a ``Refusal``.  ``connection_index`` is the place of the
#: connection in ``OrderEntry.connections``.
DECODE_ANSWER = _INT(_INT, _INT, _INT, _INT, _INT, _INT, _INT)


class Snapshots(Enum):
    """Where the snapshot of a book comes from."""

    REST = "fetched over REST, and joined with the diffs by update id"
    PUSHED = "the first message of a subscription; subscribing again brings another"


class Replacing(Enum):
    """How a resting order gets another price or quantity."""

    CANCEL_AND_NEW = "a new order with a new id takes the place of the old one"
    AMEND = "the order keeps its id"
    NONE = "cancel, then place"


class Acknowledging(Enum):
    """What a good reply to an order means."""

    RESTING = "the order is in the book, or has traded"
    ACCEPTED = "the request is accepted; the order's state comes on another stream"


class Transport(Enum):
    """The way that a question of the cold side takes."""

    WEBSOCKET = "a message on the connection of requests; the next message is its reply"
    REST = "one HTTP request"


# Market data.


@dataclass(frozen=True)
class MarketData:
    """One market data connection: what is sent, how it is kept alive, how it is decoded."""

    decode_market: Any  # DECODE_MARKET
    #: Path and query of the stream of some symbols, appended to ``stream_url``.
    stream_path: Callable[[Sequence[str]], str]
    #: Reference data: paths of REST requests for symbols, and the INSTRUMENT rows in the bodies.
    #: ``instruments_paths(symbols)``: one path; a reply may name a further page.
    instruments_path: Callable[[Sequence[str]], str]
    #: ``next_instruments_path(body, symbols)``: the path of the next page, or "".
    next_instruments_path: Callable[[bytes, Sequence[str]], str]
    #: ``read_instruments(bodies, symbols, source_id)``: rows in the order of ``symbols``.
    #: Raises ValueError for a symbol that is missing, not trading, or does not fit 63 bits.
    read_instruments: Callable[[Sequence[bytes], Sequence[str], int], RecordArray]
    snapshots: Snapshots
    chain: Chain
    decode_snapshot: Any = None  # DECODE_SNAPSHOT; None where snapshots are pushed
    #: Path and query of the REST request for one snapshot of ``level_count`` levels a side.
    snapshot_path: Callable[[str, int], str] | None = None
    #: Text frames that are sent after the handshake, in order.
    opening: Callable[[Sequence[str]], list[bytes]] = lambda _: []
    #: Text frames that bring another pushed snapshot of one symbol.
    resubscribe: Callable[[str], list[bytes]] = lambda _: []
    #: A text frame that asks whether the peer lives; None for a ping of the WebSocket protocol.
    ping: bytes | None = None
    #: Seconds after which a ping is sent even on a busy connection; 0 for on silence alone.
    ping_every_s: float = 0.0
    #: Headers of the handshake that hold the API key; mostly none.
    key_headers: tuple[str, ...] = ()


# Order entry.


class OrderConnection(NamedTuple):
    """One connection that order entry needs; the first one carries the requests."""

    name: str
    url_key: str  # the key of the account's table that holds its address; the first: order_url
    #: ``opening(asker)``: text frames sent after the handshake, one after the other's reply.
    opening: Callable[["Asker"], list[bytes]]
    #: ``check_opening(reply)``: raises ``Refused`` for a reply that is a refusal.
    check_opening: Callable[[bytes], None]
    ping: bytes | None = None
    ping_every_s: float = 0.0


#: How many orders the venue takes in a window of time.
Budget = limits.Budget


@dataclass(frozen=True)
class OrderEntry:
    """How orders go out and answers come in."""

    connections: tuple[OrderConnection, ...]
    encode_request: Any  # ENCODE_REQUEST
    decode_answer: Any  # DECODE_ANSWER
    replaces: Replacing
    #: ACCEPTED: SUCCESS in the reply to a request means that the request was accepted.
    acknowledges: Acknowledging
    #: Windows of new orders; the account's own figure replaces that of a fixed window of 10 s.
    budgets: tuple[Budget, ...]
    encode_cancel_all: Any = None  # ENCODE_CANCEL_ALL; None: ``Account.cancel_all`` does it
    encode_order_status: Any = None  # ENCODE_ORDER_STATUS; None: ``Account.order`` does it
    #: Whether ``encode_request`` knows AMEND.  A venue that replaces by CANCEL_AND_NEW amends an
    #: order to a smaller quantity alone: it keeps its price, and its place in the queue.
    can_amend: bool = False


# The account.


class Asker(NamedTuple):
    """Who asks, and when: what every signed question needs."""

    key: str
    signer: Any  # vortex.wire.signers.Signer
    wall_ms: int  # by the venue's clock
    recv_window_ms: int


class Ask(NamedTuple):
    """One question to the venue."""

    transport: Transport
    body: bytes = b""  # the message, or the body of a POST
    method: str = "GET"
    path: str = ""  # with its query
    headers: tuple[tuple[str, str], ...] = ()


class Refused(ValueError):
    """The venue refused a request; ``code`` is its number for the reason.

    ``wait_ms`` is how long it wants to be left alone; 0 when it did not say.
    """

    def __init__(
        self, code: int, words: str, wait_ms: int = 0, *, is_unknown_order: bool = False
    ) -> None:
        super().__init__(f"the venue refused ({code}): {words}")
        self.code = code
        self.wait_ms = wait_ms
        self.is_unknown_order = is_unknown_order


class AssetBalance(NamedTuple):
    """What the account owns of one asset; decimals as text."""

    asset: str
    free: str
    locked: str


class HeldPosition(NamedTuple):
    """What the account holds of one contract; decimals as text."""

    symbol: str
    qty: str  # negative when short
    entry_price: str


class AccountState(NamedTuple):
    """What the account owns, and whether its key may trade."""

    balances: tuple[AssetBalance, ...]
    can_trade: bool = True


class OrderStatus(NamedTuple):
    """What the venue says of one order; decimals as text."""

    symbol: str
    venue_order_id: str
    client_order_id: str
    state: OrderState
    side: Side
    price: str
    qty: str
    filled_qty: str


class AccountFill(NamedTuple):
    """One fill of the account; decimals as text."""

    symbol: str
    trade_id: int  # 128 bits, unsigned
    client_order_id: str  # "" when the venue does not say
    side: Side
    price: str
    qty: str
    fee: str  # negative for a rebate
    fee_asset: str
    time_ms: int
    is_maker: bool


@dataclass(frozen=True)
class Account:
    """Questions outside the hot path: each is an ``Ask`` and the reader of its reply.

    A reader raises ``Refused`` when the venue refused, and ValueError when it cannot read.
    """

    #: ``new_session(key, signer, run_id, epoch, recv_window_ms)``: a SESSION for the encoders.
    #: Raises ValueError when orders cannot be sent with such a key.
    new_session: Callable[[str, Any, int, int, int], RecordArray]
    client_order_id: Callable[[int, int, int], str]  # of run_id, epoch, order_id
    time: Callable[[], Ask]
    read_time_ms: Callable[[bytes], int]
    state: Callable[[Asker], Ask]
    read_state: Callable[[bytes], AccountState]
    open_orders: Callable[[Asker, str], Ask]  # of one symbol
    read_open_orders: Callable[[bytes], list[OrderStatus]]
    order: Callable[[Asker, str, str], Ask]  # by symbol and client order id
    read_order: Callable[[bytes], OrderStatus]
    #: ``fills(asker, symbol, since)``: fills after a mark, oldest first; ``since`` "" is the newest
    #: fill alone.  ``mark_of(fill)`` makes the mark.
    fills: Callable[[Asker, str, str], Ask]
    read_fills: Callable[[bytes], list[AccountFill]]
    mark_of: Callable[[AccountFill], str]
    cancel_all: Callable[[Asker, str], Ask]  # of one symbol
    read_cancel_all: Callable[[bytes], int]  # how many were cancelled; none is no refusal
    #: Positions of contracts; None where the venue knows balances alone.
    positions: Callable[[Asker, str], Ask] | None = None
    read_positions: Callable[[bytes], list[HeldPosition]] | None = None
    #: A further question where ``order`` does not find an order that is long over.
    past_order: Callable[[Asker, str, str], Ask] | None = None
    #: ``next_page(asker, ask, reply)``: the question for the page behind the reply to ``ask``, with
    #: older rows; None behind the last.  None: the replies to ``open_orders`` and ``fills`` are
    #: whole, or ``fills`` goes on from the newest mark.
    next_page: Callable[[Asker, Ask, bytes], Ask | None] | None = None
