"""One row of Bybit's private topics ``order`` and ``execution``, as an ANSWER.

*Source:* Bybit v5 API documentation, "WebSocket Stream: Order", "Execution", "Fast Execution".
"""

from typing import NamedTuple

from ipc.compiled import compiled
from ipc.memory import load_byte, load_word
from ipc.types import Record
from vortex.codes import Answer, Execution, FeeAsset, OrderState, Refusal, Reject, Side
from vortex.decoding.instruments import find_words, instrument_at
from vortex.decoding.tick_division import Steps, steps_of_row
from vortex.records import INSTRUMENT
from vortex.venues._bybit.answer_fields import (
    fee_given,
    is_given,
    lots_given,
    nanoseconds_given,
    order_given,
    side_given,
    ticks_given,
    venue_order_given,
    words_given,
)
from vortex.venues._bybit.error_codes import reject_of_reason
from vortex.venues._bybit.trade_identity import read_trade_id
from vortex.wire.scan import (
    CLOSE_OBJECT,
    TRUE,
    open_object,
    read_member,
    read_string,
    text_words,
)
from vortex.wire.words import low_bytes, words_of

BASE_OFFSET_BYTES = INSTRUMENT.offset_bytes("base_asset")
QUOTE_OFFSET_BYTES = INSTRUMENT.offset_bytes("quote_asset")
MISSING_KEY = int(Refusal.MISSING_KEY)
NOT_KNOWN = int(Refusal.NOT_KNOWN)
SPOT = words_of(b"spot")

_CATEGORY, _SYMBOL, _SIDE = words_of(b"category"), words_of(b"symbol"), words_of(b"side")
_ORDER, _LINK = words_of(b"orderId"), words_of(b"orderLinkId")
_PRICE, _ORDER_PRICE = words_of(b"price"), words_of(b"orderPrice")
_QTY, _ORDER_QTY, _LEFT = words_of(b"qty"), words_of(b"orderQty"), words_of(b"leavesQty")
_STATUS, _FILLED = words_of(b"orderStatus"), words_of(b"cumExecQty")
_CANCEL_TYPE, _REASON = words_of(b"cancelType"), words_of(b"rejectReason")
_UPDATED, _TRADED = words_of(b"updatedTime"), words_of(b"execTime")
_FILL, _FILL_PRICE, _FILL_QTY = words_of(b"execId"), words_of(b"execPrice"), words_of(b"execQty")
_FILL_TYPE, _FEE = words_of(b"execType"), words_of(b"execFee")
_FEE_ASSET, _MAKER = words_of(b"feeCurrency"), words_of(b"isMaker")

_NEW, _PARTIALLY_FILLED = words_of(b"New"), words_of(b"PartiallyFilled")
_FULL, _CANCELED = words_of(b"Filled"), words_of(b"Cancelled")
_PARTLY_CANCELED = words_of(b"PartiallyFilledCanceled")
_REJECTED, _DEACTIVATED = words_of(b"Rejected"), words_of(b"Deactivated")
_BY_PREVENTION, _TRADE = words_of(b"CancelBySmp"), words_of(b"Trade")
_NOTHING_TO_HIT = words_of(b"EC_NoImmediateQtyToFill")
_NOT_WHOLE = words_of(b"EC_CancelForNoFullFill")


class PrivateRow(NamedTuple):
    """Where the members of a row begin; 0 for those that it has not."""

    category: int
    symbol: int
    order: int
    link: int
    side: int
    price: int
    qty: int
    left: int
    status: int
    filled: int
    cancel_type: int
    reason: int
    time: int
    fill: int
    fill_price: int
    fill_qty: int
    fill_type: int
    fee: int
    fee_asset: int
    maker: int


@compiled
def read_row(address: int, end_address: int) -> PrivateRow:
    """Return the members of the object at ``address``, which was checked to be JSON."""
    category, symbol, order, link, side, price, qty, left = 0, 0, 0, 0, 0, 0, 0, 0
    status, filled, cancel_type, reason, time = 0, 0, 0, 0, 0
    fill, fill_price, fill_qty, fill_type, fee, fee_asset, maker = 0, 0, 0, 0, 0, 0, 0
    address = open_object(address, end_address)
    while load_byte(address) != CLOSE_OBJECT:
        key, key_bytes, value, address = read_member(address, end_address)
        name = text_words(key, key_bytes)
        if name == _CATEGORY:
            category = value
        elif name == _SYMBOL:
            symbol = value
        elif name == _ORDER:
            order = value
        elif name == _LINK:
            link = value
        elif name == _SIDE:
            side = value
        elif name == _PRICE or name == _ORDER_PRICE:
            price = value
        elif name == _QTY or name == _ORDER_QTY:
            qty = value
        elif name == _LEFT:
            left = value
        elif name == _STATUS:
            status = value
        elif name == _FILLED:
            filled = value
        elif name == _CANCEL_TYPE:
            cancel_type = value
        elif name == _REASON:
            reason = value
        elif name == _UPDATED or name == _TRADED:
            time = value
        elif name == _FILL:
            fill = value
        elif name == _FILL_PRICE:
            fill_price = value
        elif name == _FILL_QTY:
            fill_qty = value
        elif name == _FILL_TYPE:
            fill_type = value
        elif name == _FEE:
            fee = value
        elif name == _FEE_ASSET:
            fee_asset = value
        elif name == _MAKER:
            maker = value
    # fmt: off
    return PrivateRow(
        category, symbol, order, link, side, price, qty, left, status, filled, cancel_type,
        reason, time, fill, fill_price, fill_qty, fill_type, fee, fee_asset, maker,
    )


@compiled
def instrument_of_row(
    row: PrivateRow, end_address: int, category: tuple[int, int, int], catalog_address: int
) -> int:
    """Return the row's instrument; -1 when it is of another category, or none that we know."""
    if words_given(row.category, end_address) != category:
        return -1
    first, second, third = words_given(row.symbol, end_address)
    return find_words(catalog_address, first, second, third)


@compiled
def _fill_common(
    answer: Record, row: PrivateRow, end_address: int, index: int, session: Record
) -> None:
    """Write which order a row is about."""
    answer.instrument_id = index
    answer.order_id = order_given(row.link, end_address, session)
    answer.venue_order_id = venue_order_given(row.order, end_address)
    answer.side = side_given(row.side, end_address)
    answer.venue_ns = nanoseconds_given(row.time, end_address)


@compiled
def _end_of(row: PrivateRow, end_address: int) -> tuple[int, int]:
    """Return codes.Execution and codes.OrderState of an order that was cancelled.

    The venue calls cancelled what others call expired: a post-only order that would have taken, an
    IOC order that found nothing, and one of two orders of ours that would have traded together.
    """
    if words_given(row.cancel_type, end_address) == _BY_PREVENTION:
        return Execution.PREVENTED, OrderState.EXPIRED
    reason = words_given(row.reason, end_address)
    if reason == _NOTHING_TO_HIT or reason == _NOT_WHOLE:
        return Execution.EXPIRED, OrderState.EXPIRED
    if reject_of_reason(row.reason, end_address) == Reject.VENUE_WOULD_TAKE:
        return Execution.EXPIRED, OrderState.EXPIRED
    return Execution.CANCELED, OrderState.CANCELED


@compiled
def _status_of(row: PrivateRow, end_address: int, filled_lots: int) -> tuple[int, int]:
    """Return codes.Execution and codes.OrderState of an order row; zeros for none of ours.

    Only a row of ``execution`` reports a fill: FILLED here means that no more will come.  An order
    that is filled in part and then rejected ends as cancelled.
    """
    status = words_given(row.status, end_address)
    if status == _NEW or status == _PARTIALLY_FILLED:
        return Execution.NEW, OrderState.RESTING
    if status == _FULL:
        return Execution.NEW, OrderState.FILLED
    if status == _CANCELED or status == _PARTLY_CANCELED or status == _DEACTIVATED:
        return _end_of(row, end_address)
    if status == _REJECTED:
        if filled_lots > 0:
            return Execution.CANCELED, OrderState.CANCELED
        return Execution.REJECTED, OrderState.REJECTED
    return 0, OrderState.FREE


@compiled
def fill_order_row(
    answer: Record, row: PrivateRow, end_address: int, index: int, steps: Steps
) -> int:
    """Write what an order row says of its order; return 1, or a Refusal."""
    if min(row.status, row.filled) == 0:
        return MISSING_KEY
    price_ticks, qty_lots = (
        ticks_given(row.price, end_address, steps),
        lots_given(row.qty, end_address, steps),
    )
    filled_lots = lots_given(row.filled, end_address, steps)
    worst = min(price_ticks, qty_lots, filled_lots)
    if worst < 0:
        return worst
    execution, state = _status_of(row, end_address, filled_lots)
    if execution == 0:
        return NOT_KNOWN
    answer.execution, answer.state = execution, state
    answer.reject = reject_of_reason(row.reason, end_address)
    answer.price_ticks = price_ticks
    answer.qty_lots = qty_lots
    answer.filled_lots = filled_lots
    if state == OrderState.CANCELED:
        answer.canceled_order_id = answer.order_id
    return 1


@compiled
def _fee_asset_of(
    row: PrivateRow,
    end_address: int,
    side: int,
    category: tuple[int, int, int],
    instrument_address: int,
) -> int:
    """Return codes.FeeAsset of a fill; where the venue does not name it, by its rules.

    Contracts settle in the quote asset; of a pair, who buys pays in the base asset.
    """
    if not is_given(row.fee):
        return FeeAsset.NONE
    if not is_given(row.fee_asset):
        return FeeAsset.BASE if category == SPOT and side == Side.BUY else FeeAsset.QUOTE
    first, second, third = words_given(row.fee_asset, end_address)
    base, quote = instrument_address + BASE_OFFSET_BYTES, instrument_address + QUOTE_OFFSET_BYTES
    if third == 0 and load_word(quote) == first and load_word(quote + 8) == second:
        return FeeAsset.QUOTE
    if third == 0 and load_word(base) == first and load_word(base + 8) == second:
        return FeeAsset.BASE
    return FeeAsset.OTHER


@compiled
def fill_execution_row(answer: Record, row: PrivateRow, end_address: int, steps: Steps) -> int:
    """Write a fill; return 1, or a Refusal.

    Without the order's quantities (``execution.fast``) nobody knows what of it is left: refused.
    """
    if min(row.fill, row.fill_price, row.fill_qty, row.side) == 0:
        return MISSING_KEY
    if not is_given(row.left) or not is_given(row.qty):
        return MISSING_KEY
    text, text_bytes = read_string(row.fill, end_address)
    high, low, refusal = read_trade_id(text, text_bytes)
    price_ticks, qty_lots = (
        ticks_given(row.price, end_address, steps),
        lots_given(row.qty, end_address, steps),
    )
    left_lots = lots_given(row.left, end_address, steps)
    fill_ticks = ticks_given(row.fill_price, end_address, steps)
    fill_lots = lots_given(row.fill_qty, end_address, steps)
    fee_e8, fee_refusal = fee_given(row.fee, end_address)
    worst = min(refusal, price_ticks, qty_lots, left_lots, fill_ticks, fill_lots, fee_refusal)
    if worst < 0:
        return worst
    answer.execution = Execution.TRADE
    answer.price_ticks, answer.qty_lots = price_ticks, qty_lots
    answer.filled_lots = max(0, qty_lots - left_lots)
    answer.state = OrderState.FILLED if left_lots == 0 else OrderState.RESTING
    answer.fill_ticks, answer.fill_lots = fill_ticks, fill_lots
    answer.trade_id_high, answer.trade_id = high, low
    answer.fee_e8 = fee_e8
    if row.maker and low_bytes(load_word(row.maker), 4) == TRUE:
        answer.is_maker = 1
    return 1


@compiled
def decode_row(
    answer: Record,
    row: PrivateRow,
    end_address: int,
    is_execution: int,
    index: int,
    category: tuple[int, int, int],
    catalog_address: int,
    session: Record,
) -> int:
    """Write what a row of ``order`` or ``execution`` says; return 1, or a Refusal.

    What is no trade (funding, liquidation, settlement) is an account event: the cold side then
    reads balances and positions.
    """
    _fill_common(answer, row, end_address, index, session)
    steps = steps_of_row(catalog_address, index)
    if is_execution == 0:
        return fill_order_row(answer, row, end_address, index, steps)
    if row.fill_type and words_given(row.fill_type, end_address) != _TRADE:
        answer.kind = Answer.BALANCE
        return 1
    instrument_address = instrument_at(catalog_address, index)
    answer.fee_asset = _fee_asset_of(row, end_address, answer.side, category, instrument_address)
    return fill_execution_row(answer, row, end_address, steps)
