"""One symbol: its units, its numbers as the venue writes them, its exchangeInfo row."""

from decimal import Decimal
from typing import Any

from procs.exchange.core.exchange_config import SymbolConfig

E8 = 100_000_000
AMENDS_MAX = 10
ORDER_TYPES = ("LIMIT", "LIMIT_MAKER", "MARKET")
PREVENTION_MODES = ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT")
DEFAULT_PREVENTION_MODE = "EXPIRE_MAKER"


def to_e8(text: str) -> int:
    """Return a decimal text in 1e-8; it must be exact."""
    scaled = Decimal(text) * E8
    assert scaled == int(scaled), f"{text} has more than eight decimals"
    return int(scaled)


def text_e8(value_e8: int) -> str:
    """Return a value of 1e-8 as the venue writes it: eight decimals."""
    if value_e8 < 0:
        return "-" + text_e8(-value_e8)
    return f"{value_e8 // E8}.{value_e8 % E8:08d}"


class Instrument:
    """Converts between wire texts, ticks and lots, and 1e-8 of an asset."""

    def __init__(self, config: SymbolConfig, open_orders_max: int) -> None:
        self.config = config
        self.symbol = config.symbol
        self.base_asset = config.base_asset
        self.quote_asset = config.quote_asset
        self.open_orders_max = open_orders_max
        self.tick_e8 = to_e8(config.tick_size)
        self.lot_e8 = to_e8(config.lot_size)
        self.notional_e16 = self.tick_e8 * self.lot_e8
        assert self.notional_e16 % E8 == 0, f"{self.symbol}: tick times lot is below 1e-8"
        self.price_max_e8 = to_e8(config.price_max)
        self.qty_max_e8 = to_e8(config.qty_max)
        self.notional_min_e8 = to_e8(config.notional_min)
        self.notional_max_e8 = to_e8(config.notional_max)

    def price_text(self, price_ticks: int) -> str:
        """Return a price as sent."""
        value_e8 = price_ticks * self.tick_e8
        return f"{value_e8 // E8}.{value_e8 % E8:08d}"

    def qty_text(self, qty_lots: int) -> str:
        """Return a quantity as sent."""
        value_e8 = qty_lots * self.lot_e8
        return f"{value_e8 // E8}.{value_e8 % E8:08d}"

    def base_e8(self, qty_lots: int) -> int:
        """Return a quantity in 1e-8 of the base asset."""
        return qty_lots * self.lot_e8

    def quote_e8(self, price_ticks: int, qty_lots: int) -> int:
        """Return price times quantity in 1e-8 of the quote asset, exact."""
        return price_ticks * qty_lots * self.notional_e16 // E8

    def filters(self) -> list[dict[str, Any]]:
        """Return the filters of the exchangeInfo row."""
        tick, lot = text_e8(self.tick_e8), text_e8(self.lot_e8)
        return [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": tick,
                "maxPrice": text_e8(self.price_max_e8),
                "tickSize": tick,
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": lot,
                "maxQty": text_e8(self.qty_max_e8),
                "stepSize": lot,
            },
            {"filterType": "ICEBERG_PARTS", "limit": 100},
            {
                "filterType": "MARKET_LOT_SIZE",
                "minQty": "0.00000000",
                "maxQty": text_e8(self.qty_max_e8),
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
                "minNotional": text_e8(self.notional_min_e8),
                "applyMinToMarket": True,
                "maxNotional": text_e8(self.notional_max_e8),
                "applyMaxToMarket": False,
                "avgPriceMins": 5,
            },
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": self.open_orders_max},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
            {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": AMENDS_MAX},
        ]

    def row(self, status: str) -> dict[str, Any]:
        """Return the symbol's row of exchangeInfo."""
        return {
            "symbol": self.symbol,
            "status": status,
            "baseAsset": self.base_asset,
            "baseAssetPrecision": 8,
            "quoteAsset": self.quote_asset,
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
            "filters": self.filters(),
            "permissions": [],
            "permissionSets": [["SPOT"]],
            "defaultSelfTradePreventionMode": DEFAULT_PREVENTION_MODE,
            "allowedSelfTradePreventionModes": PREVENTION_MODES,
        }
