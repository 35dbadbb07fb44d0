"""Binance Spot's cold side: addresses, signed requests over HTTP, and their answers as structs.

Everything here is plain Python; a round trip of these takes milliseconds anyway.

*Source:* Binance Spot API documentation, "REST API" and "WebSocket API".
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlencode

import msgspec
import numpy as np

from ipc.types import RecordArray
from vortex.codes import OrderState
from vortex.records import SESSION
from vortex.signing import fill_session
from vortex.venues._binance_orders import signing_prefix

STREAMS = ("depth@100ms", "bookTicker", "trade")
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


class Call(msgspec.Struct, frozen=True):
    """One request over HTTP."""

    method: str
    path: str
    headers: dict[str, str]


class Order(msgspec.Struct, frozen=True, rename="camel"):
    """What the venue says of one order."""

    symbol: str
    order_id: int
    client_order_id: str
    executed_qty: str
    status: str

    @property
    def state(self) -> OrderState:
        """The status as one of ours."""
        return STATES[self.status]


class Trade(msgspec.Struct, frozen=True, rename="camel"):
    """One fill of ours."""

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


class Balance(msgspec.Struct, frozen=True):
    """What we have of one asset."""

    asset: str
    free: str
    locked: str


class Account(msgspec.Struct, frozen=True, rename="camel"):
    """Our account."""

    can_trade: bool
    balances: list[Balance]


class VenueMessage(msgspec.Struct, frozen=True):
    """What the venue answers instead of a result."""

    code: int = 0
    msg: str = ""


class SocketReply(msgspec.Struct, frozen=True):
    """The envelope of an answer on the WebSocket API."""

    status: int
    error: VenueMessage | None = None


def stream_path(symbols: Sequence[str]) -> str:
    """Return the path of the combined stream of all that the engine wants of ``symbols``."""
    names = [f"{symbol.lower()}@{stream}" for symbol in symbols for stream in STREAMS]
    return "/stream?streams=" + "/".join(names)


def snapshot_path(symbol: str, level_count: int) -> str:
    """Return the path of a book snapshot."""
    return f"/api/v3/depth?symbol={quote(symbol)}&limit={level_count}"


def exchange_info_path(symbols: Sequence[str]) -> str:
    """Return the path of what the venue says of ``symbols``."""
    names = json.dumps(list(symbols), separators=(",", ":"))
    return f"/api/v3/exchangeInfo?symbols={quote(names)}"


def new_session(
    key: str, secret: bytes, run_id: int, epoch: int, recv_window_ms: int
) -> RecordArray:
    """Return a SESSION for signing in compiled code."""
    session = np.zeros(1, SESSION.dtype)
    fill_session(session[0], key, secret, run_id, epoch, recv_window_ms, signing_prefix(key))
    return session


def sign(text: str, secret: bytes) -> str:
    """Return the hexadecimal HMAC-SHA256 of ``text``."""
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()


def signed_call(
    method: str, path: str, params: Mapping[str, object], key: str, secret: bytes, wall_ms: int
) -> Call:
    """Return a signed request over HTTP; parameters are signed as they are sent."""
    text = urlencode({**params, "timestamp": wall_ms})
    signature = sign(text, secret)
    return Call(method, f"{path}?{text}&signature={signature}", {"X-MBX-APIKEY": key})


def cancel_all_call(symbol: str, key: str, secret: bytes, wall_ms: int) -> Call:
    """Return the request that cancels all open orders of one symbol."""
    params = {"symbol": symbol}
    return signed_call("DELETE", "/api/v3/openOrders", params, key, secret, wall_ms)


def open_orders_call(symbol: str, key: str, secret: bytes, wall_ms: int) -> Call:
    """Return the request that lists the open orders of one symbol."""
    return signed_call("GET", "/api/v3/openOrders", {"symbol": symbol}, key, secret, wall_ms)


def order_call(
    symbol: str, client_order_id: str, key: str, secret: bytes, wall_ms: int
) -> Call:
    """Return the request that asks what became of one order."""
    params = {"symbol": symbol, "origClientOrderId": client_order_id}
    return signed_call("GET", "/api/v3/order", params, key, secret, wall_ms)


def trades_call(symbol: str, from_id: int, key: str, secret: bytes, wall_ms: int) -> Call:
    """Return the request that lists our fills of one symbol from trade ``from_id`` on."""
    params = {"symbol": symbol, "fromId": from_id, "limit": 1000}
    return signed_call("GET", "/api/v3/myTrades", params, key, secret, wall_ms)


def account_call(key: str, secret: bytes, wall_ms: int) -> Call:
    """Return the request for our balances."""
    params = {"omitZeroBalances": "true"}
    return signed_call("GET", "/api/v3/account", params, key, secret, wall_ms)


def user_stream_request(key: str, secret: bytes, wall_ms: int) -> str:
    """Return the message that subscribes a WebSocket API connection to our events."""
    signature = sign(f"apiKey={key}&timestamp={wall_ms}", secret)
    params = {"apiKey": key, "timestamp": wall_ms, "signature": signature}
    request = {"id": "user", "method": "userDataStream.subscribe.signature", "params": params}
    return json.dumps(request, separators=(",", ":"))


def read_socket_reply(text: str) -> SocketReply:
    """Return the envelope of one answer on the WebSocket API."""
    return msgspec.json.decode(text, type=SocketReply)


def read_message(body: bytes) -> VenueMessage:
    """Return the venue's code and words; code 0 when the body holds none."""
    try:
        return msgspec.json.decode(body, type=VenueMessage)
    except msgspec.DecodeError:
        return VenueMessage()


def read_orders(body: bytes) -> list[Order]:
    """Return a list of orders."""
    return msgspec.json.decode(body, type=list[Order])


def read_order(body: bytes) -> Order:
    """Return one order."""
    return msgspec.json.decode(body, type=Order)


def read_trades(body: bytes) -> list[Trade]:
    """Return our fills, oldest first."""
    return msgspec.json.decode(body, type=list[Trade])


def read_account(body: bytes) -> Account:
    """Return our account."""
    return msgspec.json.decode(body, type=Account)


def client_order_id(run_id: int, epoch: int, order_id: int) -> str:
    """Return the id that ``write_client_order_id`` gives an order."""
    return f"v{run_id:08x}-{epoch:04x}-{order_id:012x}"
