"""Instruments of Bybit as its reference data lists them, made up where it does not matter."""

import json
from typing import Any

from ipc.types import RecordArray
from vortex.venues._bybit.listings import read_linear, read_spot

#: symbol: tick, lot, places of the price and of the quantity.
LINEAR = {
    "BTCUSDT": ("0.10", "0.001"),
    "ETHUSDT": ("0.01", "0.01"),
    "SOLUSDT": ("0.010", "0.1"),
    "DOGEUSDT": ("0.00001", "1"),
}


def linear_listing(symbol: str, tick: str, lot: str, **more: Any) -> dict[str, Any]:
    """Return one row of ``instruments-info?category=linear``."""
    return {
        "symbol": symbol,
        "contractType": "LinearPerpetual",
        "status": "Trading",
        "baseCoin": symbol.removesuffix("USDT"),
        "quoteCoin": "USDT",
        "settleCoin": "USDT",
        "priceScale": "2",
        "priceFilter": {"minPrice": tick, "maxPrice": "1999999.80", "tickSize": tick},
        "lotSizeFilter": {
            "maxOrderQty": "1500.000",
            "minOrderQty": lot,
            "qtyStep": lot,
            "postOnlyMaxOrderQty": "1500.000",
            "minNotionalValue": "5",
        },
        **more,
    }


def spot_listing(symbol: str, tick: str, lot: str, **more: Any) -> dict[str, Any]:
    """Return one row of ``instruments-info?category=spot``."""
    return {
        "symbol": symbol,
        "status": "Trading",
        "baseCoin": symbol.removesuffix("USDT"),
        "quoteCoin": "USDT",
        "priceFilter": {"tickSize": tick},
        "lotSizeFilter": {
            "basePrecision": lot,
            "quotePrecision": "0.0000001",
            "minOrderQty": lot,
            "minOrderAmt": "5",
            "maxOrderAmt": "8000000",
            "maxLimitOrderQty": "230",
            "maxMarketOrderQty": "120",
            "postOnlyMaxLimitOrderSize": "1150",
        },
        **more,
    }


def page(category: str, rows: list[dict[str, Any]], cursor: str = "") -> bytes:
    """Return a reply of ``instruments-info``."""
    result = {"category": category, "list": rows, "nextPageCursor": cursor}
    return json.dumps({"retCode": 0, "retMsg": "OK", "result": result, "time": 1}).encode()


def linear_rows(symbols: list[str]) -> RecordArray:
    """Return INSTRUMENT rows of linear contracts."""
    rows = [linear_listing(symbol, *LINEAR[symbol]) for symbol in symbols]
    return read_linear([page("linear", rows)], symbols, 0)


def spot_rows(symbols: list[str]) -> RecordArray:
    """Return INSTRUMENT rows of spot pairs."""
    rows = [spot_listing(symbol, "0.1", "0.000001") for symbol in symbols]
    return read_spot([page("spot", rows)], symbols, 0)
