"""Binance Spot's slow side: addresses, limits, and what is asked for outside the hot path.

*Source:* Binance Spot API documentation: WebSocket API, WebSocket Streams, REST API, Limits.
"""

from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
import numpy as np

from ipc.types import RecordArray
from vortex.codes import OrderState, Side
from vortex.records import SESSION
from vortex.venues._binance.signed_text import signing_prefix
from vortex.venues.contract import (
    Account,
    AccountFill,
    AccountState,
    Ask,
    Asker,
    AssetBalance,
    OrderStatus,
    Refused,
    Transport,
)
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


class BalanceRow(msgspec.Struct):
    """What the account owns of one asset."""

    asset: str
    free: str
    locked: str


class AccountResult(msgspec.Struct, rename="camel"):
    """Result of ``account.status``."""

    balances: list[BalanceRow]
    can_trade: bool = True


class OrderRow(msgspec.Struct, rename="camel"):
    """One order in the results of ``openOrders.status`` and ``order.status``."""

    symbol: str
    order_id: int
    client_order_id: str
    price: str
    orig_qty: str
    executed_qty: str
    status: str
    side: str


class TradeRow(msgspec.Struct, rename="camel"):
    """One of our fills in the result of ``myTrades``."""

    symbol: str
    id: int
    price: str
    qty: str
    commission: str
    commission_asset: str
    time: int
    is_buyer: bool
    is_maker: bool


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


def ask_signed(asker: Asker, method: str, **params: Any) -> Ask:
    """Return a signed request of the WebSocket API."""
    timed = {**params, "timestamp": asker.wall_ms}
    body = request(method, method, signed_params(timed, asker.key, asker.signer))
    return Ask(Transport.WEBSOCKET, body)


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


def time_ask() -> Ask:
    """Return the question for the venue's clock."""
    return Ask(Transport.WEBSOCKET, request("time", "time", {}))


def state_ask(asker: Asker) -> Ask:
    """Return the question for our balances."""
    return ask_signed(asker, "account.status")


def open_orders_ask(asker: Asker, symbol: str) -> Ask:
    """Return the question for the open orders of one symbol."""
    return ask_signed(asker, "openOrders.status", symbol=symbol)


def order_ask(asker: Asker, symbol: str, client_order_id: str) -> Ask:
    """Return the question for the status of one order."""
    return ask_signed(asker, "order.status", symbol=symbol, origClientOrderId=client_order_id)


def fills_ask(asker: Asker, symbol: str, since: str) -> Ask:
    """Return the question for our fills after a mark, or for the newest one (``""``)."""
    if not since:
        return ask_signed(asker, "myTrades", symbol=symbol, limit=1)
    return ask_signed(asker, "myTrades", symbol=symbol, fromId=int(since) + 1, limit=1000)


def mark_of(fill: AccountFill) -> str:
    """Return the mark of a fill: its number, which is one more for each trade of the symbol."""
    return str(fill.trade_id)


def cancel_all_ask(asker: Asker, symbol: str) -> Ask:
    """Return the question that cancels all orders of one symbol."""
    return ask_signed(asker, "openOrders.cancelAll", symbol=symbol)


def opening(asker: Asker) -> list[bytes]:
    """Return the requests that make a connection ours: logon where the key may, and our events."""
    asks = [ask_signed(asker, "userDataStream.subscribe.signature")]
    if asker.signer.may_log_on:
        asks.insert(0, ask_signed(asker, "session.logon"))
    return [ask.body for ask in asks]


def check_opening(reply: bytes) -> None:
    """Read the reply to a request of ``opening``.

    Raises
    ------
    Refused
        When the venue refused.
    """
    read_reply(reply, dict[str, Any])


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


def read_time_ms(payload: bytes) -> int:
    """Return the venue's clock as milliseconds since 1970, the result of ``time``."""
    return read_reply(payload, _ServerTime).server_time


def read_state(payload: bytes) -> AccountState:
    """Return the result of ``account.status``."""
    result = read_reply(payload, AccountResult)
    balances = tuple(AssetBalance(row.asset, row.free, row.locked) for row in result.balances)
    return AccountState(balances, result.can_trade)


def _status_of(row: OrderRow) -> OrderStatus:
    return OrderStatus(
        row.symbol,
        str(row.order_id),
        row.client_order_id,
        STATES[row.status],
        Side[row.side],
        row.price,
        row.orig_qty,
        row.executed_qty,
    )


def read_open_orders(payload: bytes) -> list[OrderStatus]:
    """Return the result of ``openOrders.status``."""
    return [_status_of(row) for row in read_reply(payload, list[OrderRow])]


def read_order(payload: bytes) -> OrderStatus:
    """Return the result of ``order.status``."""
    return _status_of(read_reply(payload, OrderRow))


def read_fills(payload: bytes) -> list[AccountFill]:
    """Return the result of ``myTrades``, oldest first."""
    fills = [
        AccountFill(
            row.symbol,
            row.id,
            "",
            Side.BUY if row.is_buyer else Side.SELL,
            row.price,
            row.qty,
            row.commission,
            row.commission_asset,
            row.time,
            row.is_maker,
        )
        for row in read_reply(payload, list[TradeRow])
    ]
    return sorted(fills, key=lambda fill: fill.trade_id)


def read_cancel_all(payload: bytes) -> int:
    """Return how many orders ``openOrders.cancelAll`` cancelled; none is no fault."""
    try:
        return len(read_reply(payload, list[Any]))
    except Refused as refused:
        if refused.is_unknown_order:
            return 0
        raise


ACCOUNT = Account(
    new_session=new_session,
    client_order_id=client_order_id,
    time=time_ask,
    read_time_ms=read_time_ms,
    state=state_ask,
    read_state=read_state,
    open_orders=open_orders_ask,
    read_open_orders=read_open_orders,
    order=order_ask,
    read_order=read_order,
    fills=fills_ask,
    read_fills=read_fills,
    mark_of=mark_of,
    cancel_all=cancel_all_ask,
    read_cancel_all=read_cancel_all,
)
