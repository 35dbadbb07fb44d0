"""Binance Spot's reference data: the reply to ``exchangeInfo`` as rows of the INSTRUMENT table.

*Source:* Binance Spot API documentation, "Exchange information" and "Filters".
"""

import json
from collections.abc import Sequence
from urllib.parse import quote

import msgspec

from ipc.types import RecordArray
from vortex.decoding.instruments import ListedInstrument, read_rows
from vortex.units import format_e8, to_e8

#: The status of a symbol for which orders are taken.
TRADING = "TRADING"


class Filter(msgspec.Struct, rename="camel"):
    """One trading rule of a symbol; each kind has some of the fields, unknown kinds have none."""

    filter_type: str
    min_price: str = "0"
    max_price: str = "0"
    tick_size: str = "0"
    min_qty: str = "0"
    max_qty: str = "0"
    step_size: str = "0"
    min_notional: str = "0"
    max_notional: str = "0"
    max_num_orders: int = 0


class ListedSymbol(msgspec.Struct, rename="camel"):
    """One row of the venue's reference data; keys that we do not know are passed over."""

    symbol: str
    base_asset: str
    quote_asset: str
    status: str = TRADING
    filters: list[Filter] = []


class ExchangeInfo(msgspec.Struct, rename="camel"):
    """The venue's reference data."""

    symbols: list[ListedSymbol]


def instruments_path(symbols: Sequence[str]) -> str:
    """Return the path and query of the REST request for the instruments of ``symbols``."""
    names = json.dumps(list(symbols), separators=(",", ":"), ensure_ascii=False)
    return f"/api/v3/exchangeInfo?symbols={quote(names)}"


def next_instruments_path(body: bytes, symbols: Sequence[str]) -> str:
    """Return "": the venue sends all in one reply."""
    return ""


def read_instruments(
    bodies: Sequence[bytes], symbols: Sequence[str], source_id: int = 0
) -> RecordArray:
    """Return rows of the INSTRUMENT table for ``symbols``, in their order.

    A body is that of the REST reply (or the ``result`` of the WebSocket API).  A rule that is
    absent or whose value is 0 is disabled.

    Raises
    ------
    ValueError
        When a symbol is missing or is not trading, or its numbers do not fit 63 bits.
    """
    infos = [msgspec.json.decode(body, type=ExchangeInfo) for body in bodies]
    rows = [listing_of(symbol) for info in infos for symbol in info.symbols]
    return read_rows(rows, symbols, source_id)


def listing_of(symbol: ListedSymbol) -> ListedInstrument:
    """Return a row of the venue as what all venues say of a symbol."""
    rules = {rule.filter_type: rule for rule in symbol.filters}
    none = Filter("")
    price = rules.get("PRICE_FILTER", none)
    lot = rules.get("LOT_SIZE", none)
    notional = rules.get("NOTIONAL", none)
    older = rules.get("MIN_NOTIONAL", none)
    return ListedInstrument(
        symbol.symbol,
        symbol.base_asset,
        symbol.quote_asset,
        tick_size=price.tick_size,
        lot_size=lot.step_size,
        price_min=price.min_price,
        price_max=price.max_price,
        qty_min=lot.min_qty,
        qty_max=lot.max_qty,
        notional_min=format_e8(max(to_e8(notional.min_notional), to_e8(older.min_notional))),
        notional_max=notional.max_notional,
        open_orders_max=rules.get("MAX_NUM_ORDERS", none).max_num_orders,
        status=symbol.status,
        trading=TRADING,
    )
