"""Instruments from reference data, and the catalog that finds them by symbol."""

import json
import random
import string
from typing import Any

import numpy as np
import pytest

from ipc.memory import address_of
from vortex.decoding.instruments import build_catalog, find_instrument, read_exchange_info
from vortex.records import INSTRUMENT


def symbol(name: str = "BTCUSDT", **rules: dict[str, Any]) -> dict[str, Any]:
    usual = {
        "PRICE_FILTER": {"minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01000000"},
        "LOT_SIZE": {"minQty": "0.00001", "maxQty": "9000.0", "stepSize": "0.00001000"},
        "NOTIONAL": {"minNotional": "5.00000000", "maxNotional": "9000000.00000000"},
        "MAX_NUM_ORDERS": {"maxNumOrders": 200},
        "A_NEW_RULE": {"limit": {"nested": [1]}},
    }
    filters = [{"filterType": kind, **fields} for kind, fields in {**usual, **rules}.items()]
    return {"filters": filters, "quoteAsset": "USDT", "baseAsset": "BTC", "symbol": name, "new": 1}


def read(*rows: dict[str, Any]) -> Any:
    body = json.dumps({"symbols": rows, "rateLimits": []}).encode()
    return read_exchange_info(body, [row["symbol"] for row in rows], source_id=3)


def test_the_rules_become_ticks_and_lots() -> None:
    row = read(symbol("ETHUSDT"), symbol())[1]
    assert (row["symbol"], row["symbol_bytes"]) == (b"BTCUSDT", 7)
    assert (row["instrument_id"], row["source_id"]) == (1, 3)
    assert (row["tick_e8"], row["lot_e8"]) == (1_000_000, 1_000)
    assert (row["price_ticks_min"], row["price_ticks_max"]) == (1, 100_000_000)
    assert (row["qty_lots_min"], row["qty_lots_max"]) == (1, 900_000_000)
    assert (row["notional_min"], row["notional_max"]) == (50_000_000, 90_000_000_000_000)
    assert row["open_orders_max"] == 200
    assert (row["base_asset"], row["quote_asset"]) == (b"BTC", b"USDT")


def test_the_older_notional_rule_counts_too_and_is_rounded_up() -> None:
    row = read(symbol(NOTIONAL={}, MIN_NOTIONAL={"minNotional": "0.000000015"[:10]}))[0]
    assert row["notional_min"] == 1
    assert row["notional_max"] == 2**62 - 1


def test_a_rule_of_zero_is_disabled() -> None:
    zero = "0.00000000"
    row = read(
        symbol(
            PRICE_FILTER={"minPrice": zero, "maxPrice": zero, "tickSize": "0.01"},
            LOT_SIZE={"minQty": zero, "maxQty": zero, "stepSize": zero},
        )
    )[0]
    assert (row["tick_e8"], row["lot_e8"]) == (1_000_000, 1)
    assert row["price_ticks_min"] == row["qty_lots_min"] == 1
    assert int(row["price_ticks_max"]) * int(row["qty_lots_max"]) < 2**62


def test_no_order_within_the_bounds_can_overflow() -> None:
    row = read(
        symbol(
            PRICE_FILTER={"minPrice": "0", "maxPrice": "1000", "tickSize": "0.00000001"},
            LOT_SIZE={"minQty": "0", "maxQty": "92233720368", "stepSize": "0.00000001"},
        )
    )[0]
    assert 0 < int(row["price_ticks_max"]) * int(row["qty_lots_max"]) < 2**62


def test_what_cannot_be_traded_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="does not list DOGEUSDT"):
        read_exchange_info(b'{"symbols":[]}', ["DOGEUSDT"])
    wide = {"minPrice": "0", "maxPrice": "92233720368", "tickSize": "0.00000001"}
    large = {"minQty": "100000", "maxQty": "92233720368", "stepSize": "0.00000001"}
    with pytest.raises(ValueError, match="BTCUSDT: price times quantity overflows"):
        read(symbol(PRICE_FILTER=wide, LOT_SIZE=large))
    with pytest.raises(ValueError, match="at most 24 bytes"):
        read(symbol("A" * 25))


def test_a_recorded_row_is_read(shared: Any) -> None:
    body = (shared / "captures/exchange_info/binance_spot_TSLABUSDT_20260926.json").read_bytes()
    row = read_exchange_info(body, ["TSLABUSDT"])[0]
    assert (row["tick_e8"], row["lot_e8"]) == (1_000_000, 100_000)
    assert (row["price_ticks_max"], row["qty_lots_max"]) == (10_000_000, 922_327_000)


def test_hundreds_of_symbols_are_found_and_no_others() -> None:
    source = random.Random(5)
    letters = string.ascii_uppercase + string.digits
    names = {"".join(source.choices(letters, k=source.randint(1, 24))) for _ in range(700)}
    names |= {"１２３４５６"}
    listed = sorted(names)
    instruments = np.zeros(len(listed), dtype=INSTRUMENT.dtype)
    instruments["tick_e8"] = instruments["lot_e8"] = 1
    for row, name in zip(instruments, listed, strict=True):
        row["symbol"], row["symbol_bytes"] = name.encode(), len(name.encode())
    catalog, tables = build_catalog(instruments)
    slots = tables[: int(catalog[0]["slot_mask"]) + 1]
    assert np.count_nonzero(slots) == len(listed)
    text = np.zeros(64, dtype=np.uint8)
    for index, name in enumerate(listed):
        data = name.encode()
        text[:] = ord("A")
        text[: len(data)] = np.frombuffer(data, dtype=np.uint8)
        places = address_of(catalog), address_of(text)
        assert find_instrument(*places, len(data)) == index
        longer, shorter = (name + "A", name[:-1])
        assert (find_instrument(*places, len(data) + 1) >= 0) == (longer in names)
        assert (find_instrument(*places, len(data) - 1) >= 0) == (shorter in names)


def test_a_symbol_cannot_stand_twice() -> None:
    instruments = np.zeros(2, dtype=INSTRUMENT.dtype)
    instruments["symbol"], instruments["symbol_bytes"] = b"BTCUSDT", 7
    with pytest.raises(ValueError, match="BTCUSDT is listed twice"):
        build_catalog(instruments)
