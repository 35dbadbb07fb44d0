"""Binance Spot's slow side: addresses, limits, and what is asked for outside the hot path.

*Source:* Binance Spot API documentation: WebSocket API, WebSocket Streams, REST API, Limits.
"""

from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

import msgspec
import numpy as np

from ipc.types import RecordArray
from vortex.codes import OrderState
from vortex.records import SESSION
from vortex.units import to_e8
from vortex.venues._binance.order_encoder import signing_prefix
from vortex.venues.contract import Refused
from vortex.wire.signers import Signer
from vortex.wire.signing import fill_session

T = TypeVar("T")

UNKNOWN_ORDER_CODES = (-2011, -2013)

STATES = {
    "NEW": OrderState.RESTING,
    "PARTIALLY_FILLED": OrderState.RESTING,
    "PENDING_NEW": OrderState.RESTING,
    "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELED,
    "REJECTED": OrderState.REJECTED,
    "EXPIRED": OrderState.EXPIRED,
    "EXPIRED_IN_MATCH": OrderState.EXPIRED,
}


class VenueLimits(NamedTuple):
    """What the venue allows, and what requests weigh; it tells the live values in its replies."""

    weight_per_minute: int
    orders_per_10_s: int
    orders_per_day: int
    connections_per_5_min: int
    control_messages_per_s: int
    streams_per_connection: int
    connection_life_s: int
    weights: dict[str, int]


LIMITS = VenueLimits(
    weight_per_minute=6_000,
    orders_per_10_s=50,
    orders_per_day=160_000,
    connections_per_5_min=300,
    control_messages_per_s=5,
    streams_per_connection=1_024,
    connection_life_s=24 * 3_600,
    weights={
        "order.place": 1,
        "order.cancel": 1,
        "order.cancelReplace": 1,
        "openOrders.cancelAll": 1,
        "order.status": 4,
        "openOrders.status": 6,
        "account.status": 20,
        "myTrades": 20,
        "exchangeInfo": 20,
        "depth": 250,
        "userDataStream.subscribe.signature": 2,
    },
)


class Balance(msgspec.Struct):
    """What we own of one asset."""

    asset: str
    free: str
    locked: str

    @property
    def total_e8(self) -> int:
        """Return all of it in 1e-8."""
        return to_e8(self.free) + to_e8(self.locked)


class AccountResult(msgspec.Struct, rename="camel"):
    """Result of ``account.status``."""

    balances: list[Balance]
    can_trade: bool = True


class OpenOrder(msgspec.Struct, rename="camel"):
    """One order in the result of ``openOrders.status``."""

    symbol: str
    order_id: int
    client_order_id: str
    price: str
    orig_qty: str
    executed_qty: str
    status: str
    side: str

    @property
    def state(self) -> OrderState:
        """Return the status as one of ours."""
        return STATES[self.status]


class Trade(msgspec.Struct, rename="camel"):
    """One of our fills in the result of ``myTrades``."""

    symbol: str
    id: int
    order_id: int
    price: str
    qty: str
    commission: str
    commission_asset: str
    time: int
    is_buyer: bool
    is_maker: bool


class Subscription(msgspec.Struct, rename="camel"):
    """Result of ``userDataStream.subscribe.signature``."""

    subscription_id: int


class Logon(msgspec.Struct, rename={"api_key": "apiKey"}):
    """Result of ``session.logon``."""

    api_key: str


class ErrorData(msgspec.Struct, frozen=True, rename="camel"):
    """What comes with a refusal for too many requests: the venue's time and when it will listen."""

    server_time: int = 0
    retry_after: int = 0


class VenueError(msgspec.Struct):
    """Why the venue refused."""

    code: int
    msg: str
    data: ErrorData = ErrorData()

    @property
    def wait_ms(self) -> int:
        """How long the venue wants to be left alone, which no clock of ours is needed for."""
        return max(self.data.retry_after - self.data.server_time, 0)


class _ServerTime(msgspec.Struct, rename="camel"):
    server_time: int


class _Reply(msgspec.Struct):
    status: int
    id: int | str | None = None
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: VenueError | None = None


def _text_of(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def signed_params(params: dict[str, Any], api_key: str, signer: Signer) -> dict[str, Any]:
    """Return ``params`` with ``apiKey`` and ``signature``, as the WebSocket API wants them."""
    named = {**params, "apiKey": api_key}
    text = "&".join(f"{name}={_text_of(value)}" for name, value in sorted(named.items()))
    return {**named, "signature": signer.sign(text.encode())}


def signed_query(params: dict[str, Any], signer: Signer) -> str:
    """Return ``params`` as a signed REST query; the key goes into the header ``X-MBX-APIKEY``."""
    text = "&".join(f"{name}={quote(_text_of(value))}" for name, value in params.items())
    return f"{text}&signature={quote(signer.sign(text.encode()), safe='')}"


def request(method: str, request_id: str, params: dict[str, Any]) -> bytes:
    """Return a request of the WebSocket API."""
    return msgspec.json.encode({"id": request_id, "method": method, "params": params})


class BinanceAsker(NamedTuple):
    """Who asks, and when: what every signed request needs."""

    api_key: str
    signer: Signer
    wall_ms: int

    def sign(self, method: str, **params: Any) -> bytes:
        """Return a signed request of the WebSocket API."""
        timed = {**params, "timestamp": self.wall_ms}
        return request(method, method, signed_params(timed, self.api_key, self.signer))


def new_session(
    api_key: str, signer: Signer, run_id: int, epoch: int, recv_window_ms: int
) -> RecordArray:
    """Return a SESSION for encoding orders in compiled code.

    With a key that logs its connections on, requests hold neither key nor signature.

    Raises
    ------
    ValueError
        When orders cannot be sent with such a key.
    """
    if signer.hot_secret is None and not signer.may_log_on:
        raise ValueError("this key signs requests one by one: orders need HMAC or Ed25519")
    session = np.zeros(1, SESSION.dtype)
    prefix = signing_prefix(api_key)
    secret = signer.hot_secret or b""
    fill_session(session[0], api_key, secret, run_id, epoch, recv_window_ms, prefix)
    session["is_logged_on"] = signer.may_log_on
    return session


def client_order_id(run_id: int, epoch: int, order_id: int) -> str:
    """Return the id that an order of ours has at the venue."""
    return f"v{run_id:08x}-{epoch:04x}-{order_id:012x}"


def open_orders_request(asker: BinanceAsker, symbol: str) -> bytes:
    """Return the request for the open orders of one symbol; see ``read_open_orders``."""
    return asker.sign("openOrders.status", symbol=symbol)


def cancel_all_request(asker: BinanceAsker, symbol: str) -> bytes:
    """Return the request that cancels all orders of one symbol; see ``read_cancel_all``."""
    return asker.sign("openOrders.cancelAll", symbol=symbol)


def order_request(asker: BinanceAsker, symbol: str, client_order_id: str) -> bytes:
    """Return the request for the fate of one order; see ``read_order``."""
    return asker.sign("order.status", symbol=symbol, origClientOrderId=client_order_id)


def trades_request(asker: BinanceAsker, symbol: str, first_trade_id: int) -> bytes:
    """Return the request for our fills from one on; see ``read_trades``."""
    return asker.sign("myTrades", symbol=symbol, fromId=first_trade_id, limit=1000)


def newest_trade_request(asker: BinanceAsker, symbol: str) -> bytes:
    """Return the request for our newest fill, if there is any; see ``read_trades``."""
    return asker.sign("myTrades", symbol=symbol, limit=1)


def account_request(asker: BinanceAsker) -> bytes:
    """Return the request for our balances; see ``read_account``."""
    return asker.sign("account.status")


def time_request() -> bytes:
    """Return the request for the venue's clock; see ``read_time``."""
    return request("time", "time", {})


def logon_request(asker: BinanceAsker) -> bytes:
    """Return the request that makes a connection ours: see ``signers.Signer.may_log_on``."""
    return asker.sign("session.logon")


def subscribe_request(asker: BinanceAsker) -> bytes:
    """Return the request for our events on this connection; see ``read_subscription``."""
    return asker.sign("userDataStream.subscribe.signature")


def read_reply(payload: bytes, kind: type[T]) -> T:
    """Return the result of a reply of the WebSocket API.

    Raises
    ------
    Refused
        When the venue refused; the message is the venue's.
    """
    reply = msgspec.json.decode(payload, type=_Reply)
    if reply.error is not None:
        code, words, wait_ms = reply.error.code, reply.error.msg, reply.error.wait_ms
        raise Refused(code, words, wait_ms, is_unknown_order=code in UNKNOWN_ORDER_CODES)
    return msgspec.json.decode(reply.result, type=kind)


def read_time(payload: bytes) -> int:
    """Return the venue's clock as milliseconds since 1970, the result of ``time``."""
    return read_reply(payload, _ServerTime).server_time


def read_account(payload: bytes) -> AccountResult:
    """Return the result of ``account.status``."""
    return read_reply(payload, AccountResult)


def read_open_orders(payload: bytes) -> list[OpenOrder]:
    """Return the result of ``openOrders.status``."""
    return read_reply(payload, list[OpenOrder])


def read_trades(payload: bytes) -> list[Trade]:
    """Return the result of ``myTrades``, oldest first."""
    return sorted(read_reply(payload, list[Trade]), key=lambda trade: trade.id)


def read_subscription(payload: bytes) -> int:
    """Return the subscription that ``userDataStream.subscribe.signature`` began."""
    return read_reply(payload, Subscription).subscription_id


def read_logon(payload: bytes) -> str:
    """Return the key that ``session.logon`` made the connection's."""
    return read_reply(payload, Logon).api_key


def read_order(payload: bytes) -> OpenOrder:
    """Return the result of ``order.status``."""
    return read_reply(payload, OpenOrder)


def read_cancel_all(payload: bytes) -> int:
    """Return how many orders ``openOrders.cancelAll`` cancelled; none is no fault."""
    try:
        return len(read_reply(payload, list[Any]))
    except Refused as refused:
        if refused.is_unknown_order:
            return 0
        raise
