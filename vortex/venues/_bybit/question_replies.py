"""What Bybit's REST replies say, as the rows of the venue contract.

*Source:* Bybit v5 API documentation, order, position, account and market endpoints.
"""

import uuid
from decimal import Decimal
from typing import TypeVar

import msgspec

from vortex.codes import OrderState, Reject, Side
from vortex.venues._bybit.error_codes import reject_of_code
from vortex.venues._bybit.questions import page_question
from vortex.venues._bybit.trade_replies import THROTTLE_MS
from vortex.venues.contract import (
    AccountFill,
    AccountState,
    Ask,
    Asker,
    AssetBalance,
    HeldPosition,
    OrderStatus,
    Refused,
)

T = TypeVar("T")

#: Of an order that is not there; the venue answers with an empty list.
NO_SUCH_ORDER = 110001

STATES = {
    "New": OrderState.RESTING,
    "PartiallyFilled": OrderState.RESTING,
    "Untriggered": OrderState.RESTING,
    "Triggered": OrderState.RESTING,
    "Filled": OrderState.FILLED,
    "Cancelled": OrderState.CANCELED,
    "PartiallyFilledCanceled": OrderState.CANCELED,
    "Deactivated": OrderState.CANCELED,
    "Rejected": OrderState.REJECTED,
}
SIDES = {"Buy": Side.BUY, "Sell": Side.SELL}


class RestReply(msgspec.Struct, rename="camel"):
    """What is around every result."""

    ret_code: int
    ret_msg: str = ""
    result: msgspec.Raw = msgspec.Raw(b"{}")


class TimeResult(msgspec.Struct, rename="camel"):
    """The venue's clock."""

    time_nano: str


class CoinRow(msgspec.Struct, rename="camel"):
    """What the account owns of one coin."""

    coin: str
    wallet_balance: str = "0"
    locked: str = "0"


class WalletRow(msgspec.Struct):
    """One wallet."""

    coin: list[CoinRow] = []


class WalletResult(msgspec.Struct):
    """All wallets of the account: one."""

    rows: list[WalletRow] = msgspec.field(name="list", default_factory=list)


class StatusRow(msgspec.Struct, rename="camel"):
    """One order."""

    symbol: str
    order_id: str
    order_link_id: str
    side: str
    price: str
    qty: str
    order_status: str
    cum_exec_qty: str = "0"


class StatusResult(msgspec.Struct):
    """Orders."""

    rows: list[StatusRow] = msgspec.field(name="list", default_factory=list)


class FillRow(msgspec.Struct, rename="camel"):
    """One fill."""

    symbol: str
    exec_id: str
    side: str
    exec_price: str
    exec_qty: str
    exec_time: str
    order_link_id: str = ""
    exec_fee: str = "0"
    fee_currency: str = ""
    is_maker: bool = False


class FillResult(msgspec.Struct):
    """Fills, newest first."""

    rows: list[FillRow] = msgspec.field(name="list", default_factory=list)


class PositionRow(msgspec.Struct, rename="camel"):
    """One position; ``side`` is empty when it holds nothing."""

    symbol: str
    side: str = ""
    size: str = "0"
    avg_price: str = "0"


class PositionResult(msgspec.Struct):
    """Positions: one of a symbol, or two in hedge mode."""

    rows: list[PositionRow] = msgspec.field(name="list", default_factory=list)


class CursorResult(msgspec.Struct, rename="camel"):
    """Where the next page begins; empty behind the last."""

    next_page_cursor: str = ""


class CanceledRow(msgspec.Struct, rename="camel"):
    """One order that was cancelled with all others."""

    order_id: str


class CanceledResult(msgspec.Struct):
    """Orders that were cancelled with all others."""

    rows: list[CanceledRow] = msgspec.field(name="list", default_factory=list)


def read_result(body: bytes, kind: type[T]) -> T:
    """Return the result of a reply.

    Raises
    ------
    Refused
        When the venue refused; the message is the venue's.
    """
    reply = msgspec.json.decode(body, type=RestReply)
    if reply.ret_code != 0:
        reject = reject_of_code(reply.ret_code)
        wait_ms = THROTTLE_MS if reject == Reject.VENUE_THROTTLED else 0
        is_unknown = reject == Reject.VENUE_UNKNOWN_ORDER
        raise Refused(reply.ret_code, reply.ret_msg, wait_ms, is_unknown_order=is_unknown)
    return msgspec.json.decode(reply.result, type=kind)


def next_page(asker: Asker, ask: Ask, body: bytes) -> Ask | None:
    """Return the question for the page behind the reply to ``ask``; None behind the last.

    Raises
    ------
    Refused
        When the venue refused ``ask``.
    """
    cursor = read_result(body, CursorResult).next_page_cursor
    return page_question(asker, ask, cursor) if cursor else None


def read_time_ms(body: bytes) -> int:
    """Return the venue's clock in ms since 1970."""
    return int(read_result(body, TimeResult).time_nano) // 1_000_000


def read_state(body: bytes) -> AccountState:
    """Return what the account owns; what is locked is held by orders of spot."""
    balances = []
    for wallet in read_result(body, WalletResult).rows:
        for row in wallet.coin:
            locked = Decimal(row.locked or "0")
            free = Decimal(row.wallet_balance or "0") - locked
            balances.append(AssetBalance(row.coin, f"{free:f}", f"{locked:f}"))
    return AccountState(tuple(balances))


def _code_of(codes: dict[str, T], word: str) -> T:
    if word not in codes:
        raise ValueError(f"the venue says {word!r}, which is none of {', '.join(codes)}")
    return codes[word]


def _status_of(row: StatusRow) -> OrderStatus:
    return OrderStatus(
        row.symbol,
        row.order_id,
        row.order_link_id,
        _code_of(STATES, row.order_status),
        _code_of(SIDES, row.side),
        row.price or "0",
        row.qty,
        row.cum_exec_qty or "0",
    )


def read_open_orders(body: bytes) -> list[OrderStatus]:
    """Return the open orders of one page."""
    return [_status_of(row) for row in read_result(body, StatusResult).rows]


def read_order(body: bytes) -> OrderStatus:
    """Return one order.

    Raises
    ------
    Refused
        When the venue does not know it.
    """
    rows = read_result(body, StatusResult).rows
    if not rows:
        raise Refused(NO_SUCH_ORDER, "there is no such order", is_unknown_order=True)
    return _status_of(rows[0])


def trade_id_of(text: str) -> int:
    """Return the id of a fill as a number of 128 bits."""
    return int(text) if text.isdecimal() else uuid.UUID(text).int


def _fee_asset(row: FillRow) -> str:
    """Return what a fee was paid in; of a contract whose row does not say it, the settle coin."""
    if row.fee_currency or not row.exec_fee:
        return row.fee_currency
    return "USDC" if row.symbol.endswith(("PERP", "USDC")) else "USDT"


def read_fills(body: bytes) -> list[AccountFill]:
    """Return the fills of one page, oldest first; the venue sends the newest first."""
    fills = [
        AccountFill(
            row.symbol,
            trade_id_of(row.exec_id),
            row.order_link_id,
            _code_of(SIDES, row.side),
            row.exec_price,
            row.exec_qty,
            row.exec_fee or "0",
            _fee_asset(row),
            int(row.exec_time),
            row.is_maker,
        )
        for row in reversed(read_result(body, FillResult).rows)
    ]
    return sorted(fills, key=lambda fill: fill.time_ms)


def read_positions(body: bytes) -> list[HeldPosition]:
    """Return the positions that hold something."""
    return [
        HeldPosition(row.symbol, f"-{row.size}" if row.side == "Sell" else row.size, row.avg_price)
        for row in read_result(body, PositionResult).rows
        if Decimal(row.size or "0") != 0
    ]


def read_cancel_all(body: bytes) -> int:
    """Return how many orders were cancelled; none is no refusal."""
    try:
        return len(read_result(body, CanceledResult).rows)
    except Refused as refused:
        if refused.is_unknown_order:
            return 0
        raise
