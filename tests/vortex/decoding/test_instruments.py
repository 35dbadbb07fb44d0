"""Instruments from reference data, and the catalog that finds them by symbol."""

import json
import random
import string
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recordings import SPOT_SYMBOLS

from ipc.memory import address_of
from vortex.codes import ContractDirection, InstrumentKind, TradingStatus
from vortex.decoding.instruments import (
    ListedInstrument,
    build_catalog,
    fill_instrument,
    find_instrument,
    read_rows,
)
from vortex.records import INSTRUMENT
from vortex.venues._binance.listed_symbols import read_instruments


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
    return read_instruments([body], [row["symbol"] for row in rows], source_id=3)


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
        read_instruments([b'{"symbols":[]}'], ["DOGEUSDT"])
    wide = {"minPrice": "0", "maxPrice": "92233720368", "tickSize": "0.00000001"}
    large = {"minQty": "100000", "maxQty": "92233720368", "stepSize": "0.00000001"}
    with pytest.raises(ValueError, match="BTCUSDT: price times quantity overflows"):
        read(symbol(PRICE_FILTER=wide, LOT_SIZE=large))
    with pytest.raises(ValueError, match="at most 24 bytes"):
        read(symbol("A" * 25))


def test_a_symbol_that_does_not_trade_is_refused_by_its_status() -> None:
    for status in ("HALT", "BREAK"):
        with pytest.raises(ValueError, match=f"BTCUSDT is in {status}"):
            read({**symbol(), "status": status})
    assert read({**symbol(), "status": "TRADING"})[0]["trading_status"] == TradingStatus.TRADING


def test_a_pair_is_a_spot_of_one_tick() -> None:
    row = read(symbol())[0]
    assert row["instrument_kind"] == InstrumentKind.SPOT
    assert row["contract_direction"] == ContractDirection.LINEAR
    assert (row["settle_asset"], row["multiplier_e8"]) == (b"USDT", 10**8)
    assert (row["band_count"], row["expiry_ns"], row["underlying_id"]) == (0, 0, -1)


def test_a_contract_has_its_own_unit_bands_and_end() -> None:
    listed = ListedInstrument(
        "BTC-28MAR-50000-C", "BTC", "USD", "0.0001", "0.1", price_max="10", qty_max="1000",
        notional_min="5", kind=InstrumentKind.OPTION, direction=ContractDirection.INVERSE,
        settle_asset="BTC", multiplier="0.5", status="open", trading="open",
        bands=(("0.005", "0.0005"),), expiry_ns=7, strike="2", underlying_id=3,
    )  # fmt: skip
    row = read_rows([listed], [listed.symbol])[0]
    assert (row["instrument_kind"], row["contract_direction"]) == (4, -1)
    assert (row["settle_asset"], row["multiplier_e8"]) == (b"BTC", 50_000_000)
    assert (row["band_count"], row["band_first_ticks"][0], row["band_step_ticks"][0]) == (1, 50, 5)
    assert (row["expiry_ns"], row["strike_ticks"], row["underlying_id"]) == (7, 20_000, 3)
    assert int(row["notional_min"]) * 10_000 * 10_000_000 * 50_000_000 == 5 * 10**24
    with pytest.raises(ValueError, match="not of whole ticks"):
        fill_instrument(row, listed._replace(bands=(("0.00505", "0.00055"),)), 0, 0)
    with pytest.raises(ValueError, match="more than 4 bands"):
        fill_instrument(row, listed._replace(bands=listed.bands * 5), 0, 0)
    with pytest.raises(ValueError, match="multiplier of 0"):
        fill_instrument(row, listed._replace(multiplier="0"), 0, 0)


def test_two_connections_may_have_the_same_symbol() -> None:
    instruments = np.zeros(4, dtype=INSTRUMENT.dtype)
    instruments["tick_e8"] = instruments["lot_e8"] = 1
    names = (b"ETHUSDT", b"BTCUSDT", b"BTCUSDT", b"SOLUSDT")
    instruments["symbol"], instruments["symbol_bytes"] = names, 7
    text = np.zeros(64, dtype=np.uint8)
    for ids, expected in (((0, 1), [0, 1, -1]), ((2, 3), [-1, 2, 3])):
        catalog, tables = build_catalog(instruments, ids)
        assert catalog[0]["first_instrument_id"] == ids[0]
        assert catalog[0]["instrument_count"] == 2
        found = []
        for name in (b"ETHUSDT", b"BTCUSDT", b"SOLUSDT"):
            text[:7] = np.frombuffer(name, np.uint8)
            found.append(find_instrument(address_of(catalog), address_of(text), 7))
        assert found == expected
        assert tables.size


def test_a_recorded_row_is_read(recordings: Path) -> None:
    body = (recordings / SPOT_SYMBOLS).read_bytes()
    (listed,) = json.loads(body)["symbols"]
    filters = {each["filterType"]: each for each in listed["filters"]}
    prices, lots = filters["PRICE_FILTER"], filters["LOT_SIZE"]
    tick, lot = Decimal(prices["tickSize"]), Decimal(lots["stepSize"])
    row = read_instruments([body], [listed["symbol"]])[0]
    assert (row["tick_e8"], row["lot_e8"]) == (tick.scaleb(8), lot.scaleb(8))
    assert row["price_ticks_max"] == Decimal(prices["maxPrice"]) / tick
    assert row["qty_lots_max"] == Decimal(lots["maxQty"]) / lot


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
    instruments["tick_e8"] = instruments["lot_e8"] = 1_000_000
    with pytest.raises(ValueError, match="BTCUSDT is listed twice"):
        build_catalog(instruments)
