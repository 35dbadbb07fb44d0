"""The venue's JSON of an order: answers, rows of lists, execution reports.

*Source:* the venue's documents, "Trading requests" (response types), "Account requests", "User
data stream" (executionReport) and "Self-trade prevention".
"""

from typing import Any

from procs.exchange.core.exchange_order import Expiry, Fill, Order, PreventedMatch
from procs.exchange.core.instrument import text_e8
from vortex.codes import Side

ZERO = "0.00000000"
EXPIRY_REASONS = {
    Expiry.IOC: "UNFILLED_IOC_QUANTITY_EXPIRED",
    Expiry.FOK: "UNFILLED_FOK_ORDER_EXPIRED",
    Expiry.EMPTY: "INSUFFICIENT_LIQUIDITY",
    Expiry.REDUCED: "EXCHANGE_CANCELED",
}


def head(order: Order) -> dict[str, Any]:
    """Return which order it is."""
    return {
        "symbol": order.instrument.symbol,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_order_id,
    }


def quantities(order: Order) -> dict[str, Any]:
    """Return what was asked and what has been filled."""
    instrument = order.instrument
    return {
        "price": instrument.price_text(order.price_ticks),
        "origQty": instrument.qty_text(order.qty_lots),
        "executedQty": instrument.qty_text(order.filled_lots),
        "origQuoteOrderQty": text_e8(order.quote_order_e8),
        "cummulativeQuoteQty": text_e8(order.quote_e8),
        "status": order.status,
        "timeInForce": order.time_in_force,
        "type": order.order_type,
        "side": order.side_name,
    }


def conditions(order: Order) -> dict[str, Any]:
    """Return the fields that only some orders have."""
    row: dict[str, Any] = {"selfTradePreventionMode": order.prevention_mode}
    if order.preventions:
        row["preventedMatchId"] = order.preventions[-1].match_id
        row["preventedQuantity"] = order.instrument.qty_text(order.prevented_lots)
    if order.expiry_reason:
        row["expiryReason"] = EXPIRY_REASONS[order.expiry_reason]
    return row


def placed(order: Order) -> dict[str, Any]:
    """Return the answer to its placement, in the response type that it asked for."""
    answer = {**head(order), "transactTime": order.created_ms}
    if order.response_type == "ACK":
        return answer
    answer |= quantities(order) | {"workingTime": order.created_ms}
    if order.response_type == "FULL":
        answer["fills"] = [fill_row(order, fill) for fill in order.fills]
    return answer | conditions(order)


def fill_row(order: Order, fill: Fill) -> dict[str, Any]:
    """Return one of the fills in the answer to a placement."""
    return {
        "price": order.instrument.price_text(fill.price_ticks),
        "qty": order.instrument.qty_text(fill.qty_lots),
        "commission": text_e8(fill.fee_e8),
        "commissionAsset": fill.fee_asset,
        "tradeId": fill.trade_id,
    }


def canceled(order: Order, cancel_id: str) -> dict[str, Any]:
    """Return the answer to its cancellation by the request ``cancel_id``."""
    return {
        **head(order),
        "origClientOrderId": order.client_order_id,
        "clientOrderId": cancel_id,
        "transactTime": order.updated_ms,
        **quantities(order),
        **conditions(order),
    }


def amended(order: Order, former_id: str, execution_id: int) -> dict[str, Any]:
    """Return the answer to its amendment; before it the order's client id was ``former_id``."""
    instrument = order.instrument
    return {
        "transactTime": order.updated_ms,
        "executionId": execution_id,
        "amendedOrder": {
            **head(order),
            "origClientOrderId": former_id,
            "price": instrument.price_text(order.price_ticks),
            "qty": instrument.qty_text(order.qty_lots),
            "executedQty": instrument.qty_text(order.filled_lots),
            "preventedQty": instrument.qty_text(order.prevented_lots),
            "quoteOrderQty": text_e8(order.quote_order_e8),
            "cumulativeQuoteQty": text_e8(order.quote_e8),
            "status": order.status,
            "timeInForce": order.time_in_force,
            "type": order.order_type,
            "side": order.side_name,
            "workingTime": order.created_ms,
            "selfTradePreventionMode": order.prevention_mode,
        },
    }


def status_row(order: Order) -> dict[str, Any]:
    """Return the row of `order.status`, `openOrders.status` and `allOrders`."""
    return {
        **head(order),
        **quantities(order),
        "stopPrice": ZERO,
        "icebergQty": ZERO,
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "isWorking": True,
        "workingTime": order.created_ms,
        **conditions(order),
    }


def trade_rows(order: Order) -> list[dict[str, Any]]:
    """Return the rows of `myTrades` for its fills."""
    return [
        {
            "symbol": order.instrument.symbol,
            "id": fill.trade_id,
            "orderId": order.order_id,
            "orderListId": -1,
            "price": order.instrument.price_text(fill.price_ticks),
            "qty": order.instrument.qty_text(fill.qty_lots),
            "quoteQty": text_e8(fill.quote_e8),
            "commission": text_e8(fill.fee_e8),
            "commissionAsset": fill.fee_asset,
            "time": fill.time_ms,
            "isBuyer": order.side == Side.BUY,
            "isMaker": fill.is_maker,
            "isBestMatch": True,
        }
        for fill in order.fills
    ]


def report(
    order: Order,
    execution: str,
    execution_id: int,
    now_ms: int,
    *,
    fill: Fill | None = None,
    prevention: PreventedMatch | None = None,
    client_id: str = "",
    former_id: str = "",
    reject_reason: str = "NONE",
) -> dict[str, Any]:
    """Return an executionReport of the order as it is now.

    ``client_id`` is that of a cancel, ``former_id`` the one the order had when it was asked for.
    """
    instrument = order.instrument
    is_resting = order.is_open and order.time_in_force == "GTC" and order.order_type != "MARKET"
    event: dict[str, Any] = {
        "e": "executionReport",
        "E": now_ms,
        "s": instrument.symbol,
        "c": client_id or order.client_order_id,
        "S": order.side_name,
        "o": order.order_type,
        "f": order.time_in_force,
        "q": instrument.qty_text(order.qty_lots),
        "p": instrument.price_text(order.price_ticks),
        "P": ZERO,
        "F": ZERO,
        "g": -1,
        "C": former_id,
        "x": execution,
        "X": order.status,
        "r": reject_reason,
        "i": order.order_id,
        "l": instrument.qty_text(fill.qty_lots) if fill else ZERO,
        "z": instrument.qty_text(order.filled_lots),
        "L": instrument.price_text(fill.price_ticks) if fill else ZERO,
        "n": text_e8(fill.fee_e8) if fill else "0",
        "N": fill.fee_asset if fill else None,
        "T": order.updated_ms,
        "t": fill.trade_id if fill else -1,
        "I": execution_id,
        "w": is_resting,
        "m": fill.is_maker if fill else False,
        "M": fill is not None,
        "O": order.created_ms,
        "Z": text_e8(order.quote_e8),
        "Y": text_e8(fill.quote_e8) if fill else ZERO,
        "Q": text_e8(order.quote_order_e8),
        "W": order.created_ms,
        "V": order.prevention_mode,
    }
    if prevention is not None:
        event |= prevention_fields(order, prevention)
    if order.expiry_reason:
        event["eR"] = EXPIRY_REASONS[order.expiry_reason]
    return event


def prevention_fields(order: Order, prevention: PreventedMatch) -> dict[str, Any]:
    """Return what a TRADE_PREVENTION report has beside the rest."""
    instrument = order.instrument
    return {
        "v": prevention.match_id,
        "A": instrument.qty_text(order.prevented_lots),
        "B": instrument.qty_text(prevention.qty_lots),
        "u": order.owner_id,
        "U": prevention.counter_order_id,
        "Cs": instrument.symbol,
        "pl": instrument.qty_text(prevention.met_lots),
        "pL": instrument.price_text(prevention.price_ticks),
        "pY": text_e8(instrument.quote_e8(prevention.price_ticks, prevention.met_lots)),
    }
