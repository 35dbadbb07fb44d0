"""Single messages of our own making, in the forms that the venues document."""

from typing import Any

#: Binance: what the account's stream says of an order, and of money.
SPOT_REPORT: dict[str, Any] = {
    "e": "executionReport", "E": 1_700_000_000_500, "s": "ETHUSDT", "c": "made-1", "S": "SELL",
    "o": "LIMIT", "f": "GTC", "q": "2.00000000", "p": "1500.25000000", "P": "0.00000000",
    "F": "0.00000000", "g": -1, "C": "", "x": "NEW", "X": "NEW", "r": "NONE", "i": 77_001,
    "l": "0.00000000", "z": "0.00000000", "L": "0.00000000", "n": "0", "N": None,
    "T": 1_700_000_000_499, "t": -1, "I": 88_001, "w": True, "m": False, "M": False,
    "O": 1_700_000_000_499, "Z": "0.00000000", "Y": "0.00000000", "Q": "0.00000000",
    "W": 1_700_000_000_499, "V": "EXPIRE_MAKER",
}  # fmt: skip
SPOT_FILL = {
    "x": "TRADE", "X": "PARTIALLY_FILLED", "l": "0.50000000", "z": "0.50000000",
    "L": "1500.25000000", "n": "0.75012500", "N": "USDT", "t": 9001, "m": True,
    "Z": "750.12500000", "Y": "750.12500000",
}  # fmt: skip
SPOT_POSITION = {
    "e": "outboundAccountPosition", "E": 1_700_000_000_600, "u": 1_700_000_000_599,
    "B": [{"a": "USDT", "f": "812.50000000", "l": "40.00000000"},
          {"a": "ETH", "f": "3.25000000", "l": "1.50000000"}],
}  # fmt: skip
SPOT_DEPOSIT = {"e": "balanceUpdate", "E": 1_700_000_000_700, "a": "ETH", "d": "-0.25000000",
                "T": 1_700_000_000_699}  # fmt: skip
SPOT_LIST = {
    "e": "listStatus", "E": 1_700_000_000_800, "s": "ETHBTC", "g": 5, "c": "OCO",
    "l": "EXEC_STARTED", "L": "EXECUTING", "r": "NONE", "C": "made-list", "T": 1_700_000_000_799,
    "O": [{"s": "ETHBTC", "i": 77_002, "c": "made-2"}, {"s": "ETHBTC", "i": 77_003, "c": "made-3"}],
}  # fmt: skip


def wrapped(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event as a subscription of the WebSocket API tells it."""
    return {"subscriptionId": 0, "event": event}


def spot_user_data() -> dict[str, Any]:
    """Return one message of each kind that the stream of a spot account has, by file name."""
    stop = {"o": "STOP_LOSS_LIMIT", "P": "1490.00000000", "d": 4, "D": 1_700_000_000_400}
    gone = {"x": "CANCELED", "X": "CANCELED", "C": "made-1", "c": "made-9", "w": False}
    expired = {"x": "EXPIRED", "X": "EXPIRED", "f": "IOC", "w": False}
    return {
        "account_position": SPOT_POSITION,
        "account_position_wrapped": wrapped(SPOT_POSITION),
        "balance_update": SPOT_DEPOSIT,
        "balance_update_wrapped": wrapped(SPOT_DEPOSIT),
        "execution_report_canceled": SPOT_REPORT | gone,
        "execution_report_expired": SPOT_REPORT | expired,
        "execution_report_new": SPOT_REPORT,
        "execution_report_stop_loss": SPOT_REPORT | stop,
        "execution_report_trade": SPOT_REPORT | SPOT_FILL,
        "execution_report_wrapped": wrapped(SPOT_REPORT | {"s": "ETHBTC", "p": "0.06500000"}),
        "list_status_wrapped": wrapped(SPOT_LIST),
    }


def spot_exchange_info() -> dict[str, Any]:
    """Return the answer of ``/api/v3/exchangeInfo`` for one symbol."""
    words = ("iceberg", "oco", "oto", "quoteOrderQtyMarket")
    precisions = ("baseAsset", "quote", "quoteAsset", "baseCommission", "quoteCommission")
    filters = [
        {"filterType": "PRICE_FILTER", "minPrice": "0.00100000", "maxPrice": "5000.00000000",
         "tickSize": "0.00100000"},
        {"filterType": "LOT_SIZE", "minQty": "0.02000000", "maxQty": "9000.00000000",
         "stepSize": "0.02000000"},
        {"filterType": "ICEBERG_PARTS", "limit": 10},
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000", "maxQty": "400.25000000",
         "stepSize": "0.00000000"},
        {"filterType": "TRAILING_DELTA", "minTrailingAboveDelta": 10, "maxTrailingAboveDelta": 2000,
         "minTrailingBelowDelta": 10, "maxTrailingBelowDelta": 2000},
        {"filterType": "PERCENT_PRICE_BY_SIDE", "bidMultiplierUp": "5", "bidMultiplierDown": "0.2",
         "askMultiplierUp": "5", "askMultiplierDown": "0.2", "avgPriceMins": 5},
        {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True,
         "maxNotional": "9000000.00000000", "applyMaxToMarket": False, "avgPriceMins": 5},
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
    ]  # fmt: skip
    symbol = {
        "symbol": "MADEUSDT", "status": "TRADING", "baseAsset": "MADE", "quoteAsset": "USDT",
        **{f"{name}Precision": 8 for name in precisions},
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        **{f"{word}Allowed": True for word in words},
        "allowTrailingStop": False, "cancelReplaceAllowed": True, "amendAllowed": True,
        "isSpotTradingAllowed": True, "isMarginTradingAllowed": False, "filters": filters,
        "permissions": [], "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
    }  # fmt: skip
    return {"timezone": "UTC", "serverTime": 1_700_000_000_000, "rateLimits": [],
            "exchangeFilters": [], "symbols": [symbol]}  # fmt: skip


def bybit_linear_row(symbol: str, tick: str, step: str, status: str = "Trading") -> dict[str, Any]:
    """Return a contract of ``/v5/market/instruments-info``."""
    return {
        "symbol": symbol, "contractType": "LinearPerpetual", "status": status,
        "baseCoin": symbol.removesuffix("USDT"), "quoteCoin": "USDT",
        "launchTime": "1600000000000", "deliveryTime": "0", "deliveryFeeRate": "",
        "priceScale": "2",
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "50.00", "leverageStep": "0.01"},
        "priceFilter": {"minPrice": tick, "maxPrice": f"{float(tick) * 19_999_998:.5f}",
                        "tickSize": tick},
        "lotSizeFilter": {"maxOrderQty": f"{float(step) * 10**6:.3f}", "minOrderQty": step,
                          "qtyStep": step, "postOnlyMaxOrderQty": f"{float(step) * 10**6:.3f}",
                          "maxMktOrderQty": f"{float(step) * 10**5:.3f}", "minNotionalValue": "5"},
        "unifiedMarginTrade": True, "fundingInterval": 480, "settleCoin": "USDT",
        "copyTrading": "both", "upperFundingRate": "0.005", "lowerFundingRate": "-0.005",
        "isPreListing": False, "preListingInfo": None,
        "riskParameters": {"priceLimitRatioX": "0.01", "priceLimitRatioY": "0.02"},
        "displayName": "", "symbolType": "", "forbidUplWithdrawal": False, "symbolId": 7,
    }  # fmt: skip


def bybit_spot_row(symbol: str, tick: str) -> dict[str, Any]:
    """Return a pair of ``/v5/market/instruments-info``."""
    lots = {"basePrecision": "0.0001", "quotePrecision": "0.0000001", "minOrderQty": "0.0001",
            "maxOrderQty": "75", "minOrderAmt": "5", "maxOrderAmt": "4000000",
            "maxLimitOrderQty": "75", "maxMarketOrderQty": "30",
            "postOnlyMaxLimitOrderSize": "400"}  # fmt: skip
    return {
        "symbolId": 3, "symbol": symbol, "baseCoin": symbol.removesuffix("USDT"),
        "quoteCoin": "USDT", "innovation": "0", "status": "Trading", "marginTrading": "none",
        "stTag": "0", "lotSizeFilter": lots, "priceFilter": {"tickSize": tick},
        "riskParameters": {"priceLimitRatioX": "0.01", "priceLimitRatioY": "0.02"},
        "symbolType": "", "xstockMultiplier": "",
    }  # fmt: skip


def bybit_instruments() -> dict[str, Any]:
    """Return rows of both categories; one contract does not trade yet."""
    linear = [
        ("BTCUSDT", "0.10", "0.001"),
        ("ETHUSDT", "0.01", "0.01"),
        ("DOGEUSDT", "0.00001", "1"),
    ]
    return {
        "linear": [
            *(bybit_linear_row(*each) for each in linear),
            bybit_linear_row("MADEUSDT", "0.0005", "10", status="PreLaunch"),
        ],
        "spot": [bybit_spot_row("BTCUSDT", "0.1"), bybit_spot_row("DOGEUSDT", "0.00001")],
    }


BYBIT_ORDER: dict[str, Any] = {
    "category": "linear", "symbol": "BTCUSDT", "orderId": "00000000-0000-4000-8000-00000000a001",
    "orderLinkId": "made-1", "side": "Sell", "orderType": "Limit", "cancelType": "UNKNOWN",
    "price": "41000.50", "qty": "0.020", "timeInForce": "PostOnly", "orderStatus": "New",
    "reduceOnly": False, "closeOnTrigger": False, "leavesQty": "0.020", "leavesValue": "820.01",
    "cumExecQty": "0", "cumExecValue": "0", "cumExecFee": "0", "avgPrice": "", "positionIdx": 0,
    "createdTime": "1700000000100", "updatedTime": "1700000000102",
    "rejectReason": "EC_NoError", "lastPriceOnCreated": "41000.00", "orderIv": "",
    "blockTradeId": "", "triggerDirection": 0, "placeType": "", "smpType": "None", "smpGroup": 0,
    "smpOrderId": "", "feeCurrency": "", "createType": "CreateByUser",
    **dict.fromkeys(("stopOrderType", "tpslMode", "triggerPrice", "takeProfit", "stopLoss"), ""),
    **dict.fromkeys(("tpTriggerBy", "slTriggerBy", "tpLimitPrice", "slLimitPrice"), ""),
    "triggerBy": "",
}  # fmt: skip
BYBIT_EXECUTION: dict[str, Any] = {
    "category": "linear", "symbol": "BTCUSDT", "closedSize": "0", "execFee": "0.1640020",
    "execId": "00000000-0000-4000-8000-00000000b001", "execPrice": "41000.50", "execQty": "0.020",
    "execType": "Trade", "execValue": "820.01", "feeRate": "0.0002", "leavesQty": "0",
    "orderId": BYBIT_ORDER["orderId"], "orderLinkId": "made-1", "orderPrice": "41000.50",
    "orderQty": "0.020", "orderType": "Limit", "stopOrderType": "UNKNOWN", "side": "Sell",
    "execTime": "1700000000200", "isLeverage": "0", "isMaker": True, "seq": 500_001,
    "markPrice": "41000.00",
    **dict.fromkeys(("tradeIv", "markIv", "blockTradeId", "indexPrice", "underlyingPrice"), ""),
}  # fmt: skip
FAST_NAMES = ("category", "symbol", "execId", "execPrice", "execQty", "orderId", "isMaker",
              "orderLinkId", "side", "execTime", "seq")  # fmt: skip
BYBIT_POSITION: dict[str, Any] = {
    "category": "linear", "symbol": "BTCUSDT", "side": "Sell", "size": "0.02", "positionIdx": 0,
    "tradeMode": 0, "riskId": 1, "riskLimitValue": "2000000", "entryPrice": "41000.5",
    "leverage": "10", "positionValue": "820.01", "positionBalance": "0", "markPrice": "41000",
    "autoAddMargin": 0, "positionStatus": "Normal", "adlRankIndicator": 1, "seq": 500_001,
    "isReduceOnly": False, "createdTime": "1700000000000", "updatedTime": "1700000000201",
    "tpslMode": "Full", "unrealisedPnl": "0.01", "cumRealisedPnl": "-0.164002",
    "curRealisedPnl": "-0.164002",
    **dict.fromkeys(("positionIM", "positionMM", "positionIMByMp", "positionMMByMp"), "1.5"),
    **dict.fromkeys(("takeProfit", "stopLoss", "trailingStop"), "0"),
    **dict.fromkeys(("sessionAvgPrice", "liqPrice", "bustPrice"), ""),
    **dict.fromkeys(("leverageSysUpdatedTime", "mmrSysUpdatedTime"), ""),
}  # fmt: skip


def bybit_coin(coin: str, balance: str) -> dict[str, str]:
    """Return one coin of a wallet."""
    zeros = ("borrowAmount", "accruedInterest", "totalOrderIM", "totalPositionIM",
             "totalPositionMM", "spotBorrow")  # fmt: skip
    held = ("equity", "walletBalance", "availableToWithdraw")
    return {"coin": coin, **dict.fromkeys(held, balance), "availableToBorrow": "",
            **dict.fromkeys(zeros, "0")}  # fmt: skip


def bybit_wallet(*coins: dict[str, str]) -> dict[str, Any]:
    """Return the row of a wallet."""
    totals = ("Equity", "WalletBalance", "MarginBalance", "AvailableBalance", "PerpUPL",
              "InitialMargin", "MaintenanceMargin")  # fmt: skip
    rates = ("accountIMRate", "accountMMRate", "accountLTV")
    return {**dict.fromkeys(rates, "0"), **{f"total{each}": "99.5" for each in totals},
            "coin": list(coins)}  # fmt: skip


def bybit_private(topic: str, *rows: dict[str, Any]) -> dict[str, Any]:
    """Return a message of the private connection."""
    message = {"topic": topic, "creationTime": 1_700_000_000_300, "data": list(rows)}
    return message if topic == "execution.fast" else {"id": "made-id", **message}


def bybit_messages() -> dict[str, Any]:
    """Return single messages of the public, order and private connections, by file name."""
    canceled = {"orderStatus": "Cancelled", "cancelType": "CancelByUser", "leavesQty": "0"}
    filled = {
        "orderStatus": "Filled",
        "cumExecQty": "0.020",
        "avgPrice": "41000.5",
        "leavesQty": "0",
    }
    stop = {"orderType": "Market", "price": "0", "orderStatus": "Untriggered",
            "timeInForce": "IOC", "stopOrderType": "Stop", "triggerPrice": "39000.00",
            "triggerBy": "MarkPrice"}  # fmt: skip
    other = {
        "symbol": "MADEUSDT",
        "orderStatus": "Rejected",
        "rejectReason": "EC_PostOnlyWillTakeLiquidity",
    }
    taken = {"execType": "AdlTrade", "orderLinkId": "", "isMaker": False, "execFee": "0"}
    fast = {name: BYBIT_EXECUTION[name] for name in FAST_NAMES}
    coins = bybit_coin("USDT", "1000.125"), bybit_coin("BTC", "0.00000001")
    book = {"s": "BTCUSDT", "b": [["41000.00", "0.300"], ["40999.90", "0.700"]],
            "a": [["41000.50", "1.250"], ["41000.60", "0.001"]],
            "u": 8_000_001, "seq": 500_000}  # fmt: skip
    delta = {**book, "b": [["41000.00", "0.200"]], "a": [["41000.50", "0"]], "u": 8_000_002}
    head = {"topic": "orderbook.1.BTCUSDT", "ts": 1_700_000_000_300}
    return {
        "ws_orderbook_snapshot": {**head, "type": "snapshot", "data": book},
        "ws_orderbook_delta": {**head, "type": "delta", "data": delta},
        "ws_order_response": {
            "op": "order.create", "retCode": 0, "retMsg": "OK", "connId": "made-0", "reqId": "r1",
            "data": {"orderId": "1234567890123456789", "orderLinkId": "made-1"},
        },
        "ws_account_order": bybit_private("order", BYBIT_ORDER),
        "ws_account_order_canceled": bybit_private("order", BYBIT_ORDER | canceled),
        "ws_account_order_filled_and_stop": bybit_private(
            "order", BYBIT_ORDER | filled, BYBIT_ORDER | stop
        ),
        "ws_account_order_rejected": bybit_private("order", BYBIT_ORDER | other),
        "ws_account_execution": bybit_private("execution", BYBIT_EXECUTION),
        "ws_account_execution_adl": bybit_private("execution", BYBIT_EXECUTION | taken),
        "ws_account_execution_fast": bybit_private("execution.fast", fast),
        "ws_account_execution_fast_empty": bybit_private("execution.fast"),
        "ws_account_position": bybit_private("position", BYBIT_POSITION),
        "ws_account_wallet": bybit_private("wallet", bybit_wallet(*coins)),
    }  # fmt: skip
