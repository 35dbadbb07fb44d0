"""What exchangeInfo says of a symbol.

*Source:* the venue's documents, "Exchange information" and "Filters".
"""

from typing import Any

from procs.exchange.core.instrument import Instrument, text_e8

AMENDS_MAX = 10
ORDER_TYPES = ("LIMIT", "LIMIT_MAKER", "MARKET")
PREVENTION_MODES = ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT")
DEFAULT_PREVENTION_MODE = "EXPIRE_MAKER"


def filters(instrument: Instrument) -> list[dict[str, Any]]:
    """Return the filters of a symbol."""
    tick, lot = text_e8(instrument.tick_e8), text_e8(instrument.lot_e8)
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": tick,
            "maxPrice": text_e8(instrument.price_max_e8),
            "tickSize": tick,
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": lot,
            "maxQty": text_e8(instrument.qty_max_e8),
            "stepSize": lot,
        },
        {"filterType": "ICEBERG_PARTS", "limit": 100},
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": "0.00000000",
            "maxQty": text_e8(instrument.qty_max_e8),
            "stepSize": "0.00000000",
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": "5",
            "bidMultiplierDown": "0.2",
            "askMultiplierUp": "5",
            "askMultiplierDown": "0.2",
            "avgPriceMins": 5,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": text_e8(instrument.notional_min_e8),
            "applyMinToMarket": True,
            "maxNotional": text_e8(instrument.notional_max_e8),
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": instrument.open_orders_max},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
        {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": AMENDS_MAX},
    ]


def symbol_row(instrument: Instrument, status: str) -> dict[str, Any]:
    """Return the symbol's row of exchangeInfo."""
    return {
        "symbol": instrument.symbol,
        "status": status,
        "baseAsset": instrument.base_asset,
        "baseAssetPrecision": 8,
        "quoteAsset": instrument.quote_asset,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ORDER_TYPES,
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": filters(instrument),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": DEFAULT_PREVENTION_MODE,
        "allowedSelfTradePreventionModes": PREVENTION_MODES,
    }
