"""What venues' reference data, on disk or in a recording, says of symbols.

Read are the answers of Binance's ``exchangeInfo`` and of Bybit's ``instruments-info``, and files
that hold lists of Bybit's rows by category.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from procs.exchange.core.exchange_config import ExchangeConfigError, SymbolConfig

FILE_BYTES_MAX = 64 << 20
#: Folders beside a recording, and beside its folder, in which reference data lies.
FOLDERS = ("exchange_info", "../exchange_info")
CATEGORIES = ("linear", "spot")

#: Rows by dialect and symbol.
Rows = dict[tuple[str, str], SymbolConfig]


def rows_of_body(body: bytes) -> Rows:
    """Return the symbols of one body of reference data; none where it is something else."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    rows: Rows = {}
    for dialect, listed in _lists(found):
        for row in listed:
            try:
                make = _binance_row if dialect == "binance_spot" else _bybit_row
                config = make(row, dialect)
            except (KeyError, TypeError, AttributeError):
                continue  # a row of another kind
            rows[dialect, config.symbol] = config
    return rows


def _lists(found: Any) -> Iterator[tuple[str, list[Any]]]:
    """Yield the lists of rows in a body, each with its dialect."""
    if not isinstance(found, dict):
        return
    result = found.get("result")
    if isinstance(result, dict) and isinstance(result.get("list"), list):
        if result.get("category") in CATEGORIES:
            yield f"bybit_{result['category']}", result["list"]
        return
    if isinstance(found.get("symbols"), list):
        yield "binance_spot", found["symbols"]
    for category in CATEGORIES:
        if isinstance(found.get(category), list):
            yield f"bybit_{category}", found[category]


def _binance_row(row: Any, dialect: str) -> SymbolConfig:
    if "contractType" in row:
        raise KeyError("a row of futures")
    filters = {each["filterType"]: each for each in row["filters"]}
    price, lot = filters["PRICE_FILTER"], filters["LOT_SIZE"]
    notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {}
    plain = SymbolConfig(row["symbol"], row["baseAsset"], row["quoteAsset"], "0")
    return msgspec.structs.replace(
        plain,
        dialect=dialect,
        tick_size=price["tickSize"],
        lot_size=lot["stepSize"],
        price_max=price["maxPrice"],
        qty_max=lot["maxQty"],
        notional_min=notional.get("minNotional", plain.notional_min),
        notional_max=notional.get("maxNotional", plain.notional_max),
    )


def _bybit_row(row: Any, dialect: str) -> SymbolConfig:
    price, lot = row["priceFilter"], row["lotSizeFilter"]
    plain = SymbolConfig(row["symbol"], row["baseCoin"], row["quoteCoin"], "0")
    plain = msgspec.structs.replace(plain, dialect=dialect)
    if dialect == "bybit_spot":
        return msgspec.structs.replace(
            plain,
            tick_size=price["tickSize"],
            lot_size=lot["basePrecision"],
            qty_max=lot.get("maxLimitOrderQty") or lot["maxOrderQty"],
            notional_min=lot["minOrderAmt"],
            notional_max=lot["maxOrderAmt"],
        )
    return msgspec.structs.replace(
        plain,
        tick_size=price["tickSize"],
        lot_size=lot["qtyStep"],
        price_max=price["maxPrice"],
        qty_max=lot["maxOrderQty"],
        notional_min=lot.get("minNotionalValue", plain.notional_min),
        notional_max="90000000.00",
        funding_interval_s=60 * int(row.get("fundingInterval", 480)),
    )


def rows_of_file(path: Path) -> Rows:
    """Return the symbols of a file that the user names.

    Raises
    ------
    ExchangeConfigError
        When it cannot be read, or holds no symbols.
    """
    try:
        rows = rows_of_body(path.read_bytes())
    except OSError as error:
        raise ExchangeConfigError(f"{path}: {error}") from error
    if not rows:
        raise ExchangeConfigError(
            f"{path}: no symbols: name an answer of exchangeInfo, or of instruments-info"
        )
    return rows


def rows_beside(recording: Path) -> dict[tuple[str, str], tuple[SymbolConfig, Path]]:
    """Return the symbols of all reference data beside a recording, and where each is from."""
    found: dict[tuple[str, str], tuple[SymbolConfig, Path]] = {}
    for folder in (recording.parent, *(recording.parent / name for name in FOLDERS)):
        for path in sorted(folder.glob("*.json")):
            if path.stat().st_size > FILE_BYTES_MAX:
                continue
            for key, row in rows_of_body(path.read_bytes()).items():
                found.setdefault(key, (row, path.resolve()))
    return found
