"""From a symbol's filters to the wire and back: legal, exact and without overflow (recipe M26)."""

import json
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipc.memory import address_of, record_at
from vortex.codes import Kind, Reject, Side
from vortex.decoding.instruments import build_catalog
from vortex.orders.limits import check_bounds
from vortex.records import INSTRUMENT, REQUEST, TICKER
from vortex.venues._binance.account import new_session
from vortex.venues._binance.listed_symbols import read_instruments
from vortex.venues._binance.market_decoder import decode_market
from vortex.venues._binance.order_encoder import encode_request
from vortex.venues.contract import REQUEST_BUFFER_BYTES
from vortex.wire.signers import HmacSigner

#: tickSize, maxPrice, stepSize, maxQty, as the venue writes them.
FILTERS = {
    "no step": ("0.10000000", "1000000.00000000", "0.00000000", "9000.00000000"),
    "sixty thousand millions": ("0.00000001", "1.00000000", "1.00000000", "60000000000.00000000"),
    "a coarse tick": ("0.10000000", "1000000.00000000", "0.00001000", "9000.00000000"),
    "all that fits": ("0.00000001", "1000.00000000", "0.00000001", "92233720368.00000000"),
    "nothing but zeros": ("0.01000000", "0.00000000", "0.00000000", "0.00000000"),
}


def row_of(tick: str, price_max: str, step: str, qty_max: str) -> Any:
    filters = [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": "0.00000000",
            "maxPrice": price_max,
            "tickSize": tick,
        },
        {"filterType": "LOT_SIZE", "minQty": "0.00000000", "maxQty": qty_max, "stepSize": step},
    ]
    symbol = {"symbol": "BTCUSDT", "baseAsset": "BTC", "quoteAsset": "USDT", "filters": filters}
    return read_instruments([json.dumps({"symbols": [symbol]}).encode()], ["BTCUSDT"])


def order_of(instruments: Any, price_ticks: int, qty_lots: int) -> dict[str, Any]:
    """Return what the venue reads in a request to place an order."""
    request = np.zeros(1, dtype=REQUEST.dtype)
    request["kind"], request["side"] = Kind.PLACE, Side.BUY
    request["price_ticks"], request["qty_lots"] = price_ticks, qty_lots
    session = new_session("k" * 64, HmacSigner(b"s" * 64), 1, 1, 5000)
    out = np.zeros(REQUEST_BUFFER_BYTES + 64, dtype=np.uint8)
    size = encode_request(
        address_of(request), address_of(instruments), address_of(session), 1_660_801_715_431,
        1, 7, 0, 1, address_of(out),
    )  # fmt: skip
    params: dict[str, Any] = json.loads(bytes(out[:size]))["params"]
    return params


def ticker_of(instruments: Any, price: str, qty: str) -> Any:
    """Return what the engine reads in a ticker with this price and quantity."""
    catalog, _slots = build_catalog(instruments)
    text = json.dumps({"u": 1, "s": "BTCUSDT", "b": price, "B": qty, "a": price, "A": qty})
    data = np.zeros(len(text) + 128, dtype=np.uint8)
    data[64 : 64 + len(text)] = np.frombuffer(text.encode(), np.uint8)
    out = np.zeros(16 * 128, dtype=np.uint8)
    count = decode_market(
        address_of(data) + 64, len(text), address_of(catalog), address_of(out), 16
    )
    assert count == 1
    return out[: TICKER.dtype.itemsize].view(TICKER.dtype)[0]


@pytest.mark.parametrize("filters", FILTERS.values(), ids=FILTERS)
@settings(max_examples=40, print_blob=True)
@given(data=st.data())
def test_m26_what_is_within_the_bounds_is_legal_and_exact_on_the_wire(
    filters: tuple[str, ...], data: st.DataObject
) -> None:
    instruments = row_of(*filters)
    row = instruments[0]
    tick, price_max, step, qty_max = (Decimal(text) for text in filters)
    price_ticks = data.draw(st.integers(1, int(row["price_ticks_max"])) | st.just(1))
    qty_lots = data.draw(st.integers(1, int(row["qty_lots_max"])) | st.just(1))
    assert price_ticks * qty_lots < 2**63
    instrument = record_at(address_of(instruments), INSTRUMENT.dtype)
    if check_bounds(instrument, price_ticks, qty_lots) != Reject.NONE:
        return
    order = order_of(instruments, price_ticks, qty_lots)
    price, qty = Decimal(order["price"]), Decimal(order["quantity"])
    lot = step or Decimal("0.00000001")
    assert (price, qty) == (price_ticks * tick, qty_lots * lot)
    assert 0 < price <= (price_max or price)
    assert 0 < qty <= (qty_max or qty)
    ticker = ticker_of(instruments, f"{price:.8f}", f"{qty:.8f}")
    assert (ticker["bid_ticks"], ticker["bid_lots"]) == (price_ticks, qty_lots)


@pytest.mark.parametrize("filters", FILTERS.values(), ids=FILTERS)
def test_m26_the_largest_order_of_a_symbol_can_be_written(filters: tuple[str, ...]) -> None:
    instruments = row_of(*filters)
    row = instruments[0]
    for price_ticks, qty_lots in (
        (int(row["price_ticks_max"]), 1),
        (1, int(row["qty_lots_max"])),
        (int(row["price_ticks_max"]), int(row["qty_lots_max"])),
    ):
        order = order_of(instruments, price_ticks, qty_lots)
        assert Decimal(order["price"]) * 10**8 == price_ticks * int(row["tick_e8"])
        assert Decimal(order["quantity"]) * 10**8 == qty_lots * int(row["lot_e8"])
