"""The venue's JSON of orders, executions, positions and balances.

*Source:* the venue's documents, "Order", "Execution", "Position" and "Wallet" of the private
streams, and recorded messages.
"""

from collections.abc import Iterable
from typing import Any

from procs.exchange.accounts.accounts import ExchangeAccount
from procs.exchange.accounts.linear_money import Holding, LinearMoney
from procs.exchange.accounts.venue import Market
from procs.exchange.bybit.texts.number_texts import NumberTexts, stripped
from procs.exchange.bybit.texts.public_ids import trade_text_id
from procs.exchange.core.exchange_order import Expiry, Fill, Order
from procs.exchange.core.instrument import E8, Instrument

STATUSES = {
    "NEW": "New",
    "PARTIALLY_FILLED": "PartiallyFilled",
    "FILLED": "Filled",
    "CANCELED": "Cancelled",
    "EXPIRED": "Cancelled",
    "EXPIRED_IN_MATCH": "Cancelled",
    "REJECTED": "Rejected",
}
REASONS = {
    Expiry.IOC: "EC_NoImmediateQtyToFill",
    Expiry.EMPTY: "EC_NoImmediateQtyToFill",
    Expiry.FOK: "EC_CancelForNoFullFill",
    Expiry.POST_ONLY: "EC_PostOnlyWillTakeLiquidity",
}
SMP_TYPES = {
    "NONE": "None",
    "EXPIRE_MAKER": "CancelMaker",
    "EXPIRE_TAKER": "CancelTaker",
    "EXPIRE_BOTH": "CancelBoth",
}
SIDES = {1: "Buy", -1: "Sell", 0: ""}
NOT_CONDITIONAL = {
    "stopOrderType": "",
    "triggerPrice": "",
    "takeProfit": "",
    "stopLoss": "",
    "tpTriggerBy": "",
    "slTriggerBy": "",
    "triggerDirection": 0,
    "triggerBy": "",
    "closeOnTrigger": False,
}


def category_of(instrument: Instrument) -> str:
    """Return the category of a symbol."""
    return "linear" if instrument.is_linear else "spot"


def mark_ticks(market: Market) -> int:
    """Return the price at which positions are valued: the mid, rounded down."""
    bid_ticks, _, ask_ticks, _ = market.touch()
    return (bid_ticks + ask_ticks) // 2 if bid_ticks and ask_ticks else market.last_ticks()


def status_of(order: Order) -> str:
    """Return the status of an order; only spot says of a cancelled one that it had filled."""
    status = STATUSES[order.status]
    if status == "Cancelled" and order.filled_lots and not order.instrument.is_linear:
        return "PartiallyFilledCanceled"
    return status


def reject_reason(order: Order) -> str:
    """Return why an order is over."""
    if order.status == "EXPIRED_IN_MATCH":
        return "EC_BySelfMatch"
    if order.status == "CANCELED":
        return "EC_PerCancelRequest" if order.cancel_type == "CancelByUser" else "EC_Others"
    return REASONS.get(order.expiry_reason, "EC_NoError")


def price_of_value(value_e8: int, base_e8: int) -> str:
    """Return the average price of a value and a quantity."""
    return stripped(value_e8 * E8 // base_e8) if base_e8 else ""


def order_head(order: Order, texts: NumberTexts) -> dict[str, Any]:
    """Return which order it is and what was asked for."""
    is_post = order.order_type == "LIMIT_MAKER"
    is_market = order.order_type == "MARKET"
    return {
        "category": category_of(order.instrument),
        "symbol": order.instrument.symbol,
        "orderId": order.public_id,
        "orderLinkId": order.client_order_id,
        "side": SIDES[order.side],
        "orderType": "Market" if is_market else "Limit",
        "price": "0" if is_market else texts.price(order.price_ticks),
        "qty": texts.qty(order.qty_lots),
        "timeInForce": "PostOnly" if is_post else order.time_in_force,
        "reduceOnly": order.is_reduce_only,
    }


def order_row(order: Order) -> dict[str, Any]:
    """Return an order as it is now; what spot leaves empty is empty."""
    instrument, texts = order.instrument, NumberTexts(order.instrument)
    left_lots = order.left_lots if order.is_open else 0
    left_value_e8 = instrument.quote_e8(order.price_ticks, left_lots)
    is_bare = not instrument.is_linear and order.filled_lots == 0
    fee_e8 = sum(fill.fee_e8 for fill in order.fills)
    return {
        **order_head(order, texts),
        "orderStatus": status_of(order),
        "cancelType": order.cancel_type or "UNKNOWN",
        "rejectReason": reject_reason(order),
        "leavesQty": "" if is_bare else texts.qty(left_lots),
        "leavesValue": "" if is_bare else stripped(left_value_e8),
        "cumExecQty": texts.qty(order.filled_lots),
        "cumExecValue": stripped(order.quote_e8),
        "avgPrice": price_of_value(order.quote_e8, instrument.base_e8(order.filled_lots)),
        "cumExecFee": stripped(fee_e8),
        "orderIv": "",
        "lastPriceOnCreated": "",
        "blockTradeId": "",
        "positionIdx": 0,
        "isLeverage": "" if instrument.is_linear else "0",
        "createdTime": str(order.created_ms),
        "updatedTime": str(order.updated_ms),
        **NOT_CONDITIONAL,
        "tpslMode": "",
        "tpLimitPrice": "",
        "slLimitPrice": "",
        "placeType": "",
        "smpType": SMP_TYPES[order.prevention_mode],
        "smpGroup": 0,
        "smpOrderId": smp_order_id(order),
        "feeCurrency": order.fills[-1].fee_asset if order.fills else "",
        "createType": "CreateByUser",
    }


def smp_order_id(order: Order) -> str:
    """Return the number of the order of the same account that it met; empty for none."""
    return str(order.preventions[-1].counter_order_id) if order.preventions else ""


def execution_row(order: Order, fill: Fill, left_lots: int) -> dict[str, Any]:
    """Return one fill of an order; ``left_lots`` is what it left."""
    instrument, texts = order.instrument, NumberTexts(order.instrument)
    is_linear = instrument.is_linear
    price = texts.price(fill.price_ticks)
    return {
        "category": category_of(instrument),
        "symbol": instrument.symbol,
        "closedSize": texts.qty(fill.closed_lots) if is_linear else "",
        "execFee": stripped(fill.fee_e8),
        "execId": trade_text_id(instrument, fill.trade_id),
        "execPrice": price,
        "execQty": texts.qty(fill.qty_lots),
        "execType": "Trade",
        "execValue": stripped(fill.quote_e8),
        "feeRate": stripped(instrument.fee_e8(is_maker=fill.is_maker)),
        "tradeIv": "",
        "markIv": "",
        "blockTradeId": "",
        "markPrice": price if is_linear else "",
        "indexPrice": "",
        "underlyingPrice": "",
        "leavesQty": texts.qty(left_lots),
        "orderId": order.public_id,
        "orderLinkId": order.client_order_id,
        "orderPrice": texts.price(order.price_ticks),
        "orderQty": texts.qty(order.qty_lots),
        "orderType": "Market" if order.order_type == "MARKET" else "Limit",
        "stopOrderType": "UNKNOWN" if is_linear else "",
        "side": SIDES[order.side],
        "execTime": str(fill.time_ms),
        "isLeverage": "0",
        "isMaker": fill.is_maker,
        "seq": fill.trade_id,
        "execPnl": stripped(fill.pnl_e8),
        "createType": "CreateByUser",
        "feeCurrency": fill.fee_asset,
    }


def execution_rows(order: Order) -> list[dict[str, Any]]:
    """Return all fills of an order, oldest first."""
    rows, left_lots = [], order.qty_lots
    for fill in order.fills:
        left_lots -= fill.qty_lots
        rows.append(execution_row(order, fill, left_lots))
    return rows


def fast_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return what `execution.fast` has of an execution; a maker's has no id of the client."""
    names = ("category", "symbol", "execId", "execPrice", "execQty", "orderId", "isMaker")
    fast = {name: row[name] for name in names}
    fast["orderLinkId"] = "" if row["isMaker"] else row["orderLinkId"]
    return fast | {name: row[name] for name in ("side", "execTime", "seq")}


def funding_row(
    holding: Holding, text_id: str, price_ticks: int, paid_e8: int, now_ms: int
) -> dict[str, Any]:
    """Return a payment of funding as an execution; what was paid is its fee."""
    instrument = holding.instrument
    texts = NumberTexts(instrument)
    price = texts.price(price_ticks)
    return {
        "category": "linear",
        "symbol": instrument.symbol,
        "closedSize": "0",
        "execFee": stripped(paid_e8),
        "execId": text_id,
        "execPrice": price,
        "execQty": texts.qty(abs(holding.lots)),
        "execType": "Funding",
        "execValue": stripped(holding.value_e8(price_ticks)),
        "feeRate": instrument.config.funding_rate,
        "tradeIv": "",
        "markIv": "",
        "blockTradeId": "",
        "markPrice": price,
        "indexPrice": "",
        "underlyingPrice": "",
        "leavesQty": "0",
        "orderId": text_id,
        "orderLinkId": "",
        "orderPrice": "0",
        "orderQty": "0",
        "orderType": "UNKNOWN",
        "stopOrderType": "UNKNOWN",
        "side": SIDES[holding.side],
        "execTime": str(now_ms),
        "isLeverage": "0",
        "isMaker": False,
        "seq": now_ms,
        "execPnl": "0",
        "createType": "",
        "feeCurrency": instrument.quote_asset,
    }


def position_row(holding: Holding, market: Market) -> dict[str, Any]:
    """Return a position; a flat one has no side."""
    instrument = holding.instrument
    texts, price_ticks = NumberTexts(instrument), mark_ticks(market)
    margin = stripped(holding.margin_e8())
    return {
        "positionIdx": 0,
        "tradeMode": 0,
        "riskId": 1,
        "riskLimitValue": "2000000",
        "symbol": instrument.symbol,
        "side": SIDES[holding.side],
        "size": texts.qty(abs(holding.lots)),
        "entryPrice": stripped(holding.entry_e8()),
        "avgPrice": stripped(holding.entry_e8()),
        "sessionAvgPrice": "",
        "leverage": str(instrument.config.leverage),
        "positionValue": stripped(holding.cost_e8),
        "positionBalance": "0",
        "markPrice": texts.price(price_ticks),
        "positionIM": margin,
        "positionMM": "0",
        "positionIMByMp": margin,
        "positionMMByMp": "0",
        "takeProfit": "",
        "stopLoss": "",
        "trailingStop": "0",
        "unrealisedPnl": stripped(holding.unrealised_e8(price_ticks)),
        "cumRealisedPnl": stripped(holding.realised_e8),
        "curRealisedPnl": stripped(holding.session_e8),
        "createdTime": str(holding.opened_ms),
        "updatedTime": str(holding.updated_ms),
        "tpslMode": "Full",
        "liqPrice": "",
        "bustPrice": "",
        "category": "linear",
        "positionStatus": "Normal",
        "adlRankIndicator": 0,
        "autoAddMargin": 0,
        "leverageSysUpdatedTime": "",
        "mmrSysUpdatedTime": "",
        "seq": holding.updated_ms,
        "isReduceOnly": False,
    }


def unrealised_e8(money: LinearMoney, markets: Iterable[Market], asset: str) -> int:
    """Return what closing all positions that settle in an asset would bring."""
    return sum(
        money.holding(market.instrument).unrealised_e8(mark_ticks(market))
        for market in markets
        if market.instrument.is_linear and market.instrument.quote_asset == asset
    )


def coin_row(account: ExchangeAccount, asset: str, profit_e8: int, usd_e8: int) -> dict[str, Any]:
    """Return the balance of an asset that is worth ``usd_e8`` apiece."""
    balance = account.balance(asset)
    equity_e8 = balance.total_e8 + profit_e8
    return {
        "coin": asset,
        "equity": stripped(equity_e8),
        "usdValue": stripped(equity_e8 * usd_e8 // E8),
        "walletBalance": stripped(balance.total_e8),
        "free": "",
        "locked": stripped(balance.locked_e8),
        "availableToWithdraw": stripped(balance.free_e8 - balance.margin_e8),
        "availableToBorrow": "",
        "borrowAmount": "0",
        "accruedInterest": "0",
        "totalOrderIM": stripped(balance.order_margin_e8),
        "totalPositionIM": stripped(balance.margin_e8 - balance.order_margin_e8),
        "totalPositionMM": "0",
        "unrealisedPnl": stripped(profit_e8),
        "cumRealisedPnl": "0",
        "bonus": "0",
        "collateralSwitch": True,
        "marginCollateral": True,
        "spotHedgingQty": "0",
        "spotBorrow": "0",
    }
