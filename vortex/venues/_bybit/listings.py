"""Bybit's reference data: pages of ``instruments-info`` as rows of the INSTRUMENT table.

*Source:* Bybit v5 API documentation, "Get Instruments Info".
"""

from collections.abc import Sequence
from urllib.parse import quote

import msgspec

from ipc.types import RecordArray
from vortex.codes import InstrumentKind
from vortex.decoding.instruments import ListedInstrument, read_rows
from vortex.units import format_e8, to_e8

PAGE_ROWS_MAX = 1000
TRADING = "Trading"

#: The highest price, in ticks, of a pair for which the venue names none.
SPOT_PRICE_TICKS_MAX = 2**32


class PriceRule(msgspec.Struct, rename="camel"):
    """``priceFilter``."""

    tick_size: str
    min_price: str = "0"
    max_price: str = "0"


class LotRule(msgspec.Struct, rename="camel"):
    """``lotSizeFilter`` of contracts (``qtyStep``) and of pairs (``basePrecision``)."""

    qty_step: str = "0"
    base_precision: str = "0"
    min_order_qty: str = "0"
    max_order_qty: str = "0"
    max_limit_order_qty: str = "0"
    min_notional_value: str = "0"
    min_order_amt: str = "0"
    max_order_amt: str = "0"


class Listing(msgspec.Struct, rename="camel"):
    """One row of the reference data; keys that we do not know are passed over."""

    symbol: str
    status: str
    base_coin: str
    quote_coin: str
    price_filter: PriceRule
    lot_size_filter: LotRule
    settle_coin: str = ""


class ListingPage(msgspec.Struct, rename="camel"):
    """One page of the reference data."""

    rows: list[Listing] = msgspec.field(name="list", default_factory=list)
    next_page_cursor: str = ""


class ListingReply(msgspec.Struct, rename="camel"):
    """A reply with a page of the reference data."""

    ret_code: int
    ret_msg: str = ""
    result: ListingPage = msgspec.field(default_factory=ListingPage)


def instruments_path(category: str, symbols: Sequence[str]) -> str:
    """Return path and query of the first page that lists ``symbols``."""
    path = f"/v5/market/instruments-info?category={category}&limit={PAGE_ROWS_MAX}"
    return f"{path}&symbol={quote(symbols[0], safe='')}" if len(symbols) == 1 else path


def read_page(body: bytes) -> ListingPage:
    """Return one page.

    Raises
    ------
    ValueError
        When the venue refused, or the body is no page.
    """
    reply = msgspec.json.decode(body, type=ListingReply)
    if reply.ret_code != 0:
        raise ValueError(f"the venue refused its list ({reply.ret_code}): {reply.ret_msg}")
    return reply.result


def next_instruments_path(category: str, body: bytes, symbols: Sequence[str]) -> str:
    """Return path and query of the page behind the one in ``body``; "" behind the last."""
    cursor = read_page(body).next_page_cursor
    first = instruments_path(category, symbols)
    return f"{first}&cursor={quote(cursor, safe='')}" if cursor else ""


def read_linear(bodies: Sequence[bytes], symbols: Sequence[str], source_id: int = 0) -> RecordArray:
    """Return rows of the INSTRUMENT table for contracts, in the order of ``symbols``.

    Raises
    ------
    ValueError
        When a symbol is missing, is not trading, or its numbers do not fit 63 bits.
    """
    return _read_rows(bodies, symbols, source_id, is_spot=False)


def read_spot(bodies: Sequence[bytes], symbols: Sequence[str], source_id: int = 0) -> RecordArray:
    """Return rows of the INSTRUMENT table for pairs, in the order of ``symbols``.

    Raises
    ------
    ValueError
        When a symbol is missing, is not trading, or its numbers do not fit 63 bits.
    """
    return _read_rows(bodies, symbols, source_id, is_spot=True)


def _read_rows(
    bodies: Sequence[bytes], symbols: Sequence[str], source_id: int, is_spot: bool
) -> RecordArray:
    listings = [row for body in bodies for row in read_page(body).rows]
    return read_rows([_listed(listing, is_spot) for listing in listings], symbols, source_id)


def _listed(listing: Listing, is_spot: bool) -> ListedInstrument:
    """Return a row of the venue as what all venues say of a symbol."""
    price, lot = listing.price_filter, listing.lot_size_filter
    tick_e8 = to_e8(price.tick_size)
    return ListedInstrument(
        listing.symbol,
        listing.base_coin,
        listing.quote_coin,
        tick_size=price.tick_size,
        lot_size=lot.base_precision if is_spot else lot.qty_step,
        price_min=price.min_price,
        price_max=format_e8(tick_e8 * SPOT_PRICE_TICKS_MAX) if is_spot else price.max_price,
        qty_min=lot.min_order_qty,
        qty_max=lot.max_limit_order_qty if is_spot else lot.max_order_qty,
        notional_min=lot.min_order_amt if is_spot else lot.min_notional_value,
        notional_max=lot.max_order_amt if is_spot else "0",
        kind=InstrumentKind.SPOT if is_spot else InstrumentKind.LINEAR,
        settle_asset=listing.settle_coin,
        status=listing.status,
        trading=TRADING,
    )
