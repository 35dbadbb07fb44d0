"""Reads a venue's reference data into rows that fit 63 bits; finds them by symbol.

The first half is cold (msgspec, decimals, errors); the lookup is compiled.
"""

from typing import Any

import msgspec
import numpy as np

from ipc.compiled import compiled
from ipc.memory import address_of, load_word, record_at
from ipc.types import Int64Array, RecordArray
from vortex.decoding.tick_division import STEPS_BYTES, fill_steps
from vortex.records import CATALOG, INSTRUMENT
from vortex.units import format_e8, to_e8
from vortex.wire.words import low_bytes, wrapping_product

CATALOG_DTYPE = CATALOG.dtype
INSTRUMENT_BYTES = INSTRUMENT.dtype.itemsize
SYMBOL_BYTES_MAX = 24
ASSET_BYTES_MAX = 16

#: A price times a quantity stays below this, so that two of them can be added in 63 bits.
NOTIONAL_LIMIT = 2**62
#: The highest price, in ticks, of an instrument for which the venue states none.
UNLIMITED_TICKS = 2**40
INT64_MAX = 2**63 - 1

#: Slots of the hash table for each instrument, at least.
SLOTS_PER_INSTRUMENT = 4


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
    """One row of the venue's reference data; unknown keys are ignored."""

    symbol: str
    base_asset: str
    quote_asset: str
    status: str = "TRADING"
    filters: list[Filter] = []


class ExchangeInfo(msgspec.Struct, rename="camel"):
    """The venue's reference data."""

    symbols: list[ListedSymbol]


def read_exchange_info(body: bytes, symbols: list[str], source_id: int = 0) -> RecordArray:
    """Return rows of the INSTRUMENT table for ``symbols``, in their order, from ``exchangeInfo``.

    ``body`` is the REST body (or the ``result`` of the WebSocket API).  A rule that is absent or
    has the value 0 is disabled; a price or lot step of 0 means the finest, 1e-8.

    *Source:* Binance Spot, Filters.

    Raises
    ------
    ValueError
        When a symbol is missing, or its numbers do not fit 63 bits.
    """
    info = msgspec.json.decode(body, type=ExchangeInfo)
    by_name = {row.symbol: row for row in info.symbols}
    rows = np.zeros(len(symbols), dtype=INSTRUMENT.dtype)
    for instrument_id, name in enumerate(symbols):
        if name not in by_name:
            raise ValueError(f"the venue does not list {name}: check the symbol's spelling")
        fill_instrument(rows[instrument_id], by_name[name], instrument_id, source_id)
    return rows


def fill_instrument(row: Any, symbol: ListedSymbol, instrument_id: int, source_id: int) -> None:
    """Fill one row of the INSTRUMENT table.

    Prices and quantities are multiples of the step counted from zero, as the venue checks them.
    The largest quantity is reduced so that price times quantity stays below 2**62 at the highest
    price: no order within its bounds can overflow.  An instrument is refused when less than its
    smallest order is left.

    Raises
    ------
    ValueError
        When a text is too long or a step is too fine for the largest price.
    """
    rules = {rule.filter_type: rule for rule in symbol.filters}
    none = Filter("")
    price = rules.get("PRICE_FILTER", none)
    lot = rules.get("LOT_SIZE", none)
    notional = rules.get("NOTIONAL", none)
    older = rules.get("MIN_NOTIONAL", none)
    tick_e8 = to_e8(price.tick_size) or 1
    lot_e8 = to_e8(lot.step_size) or 1
    unit_e16 = tick_e8 * lot_e8
    least_e8 = max(to_e8(notional.min_notional), to_e8(older.min_notional))
    most_e8 = to_e8(notional.max_notional)

    _fill_names(row, symbol)
    row["instrument_id"], row["source_id"] = instrument_id, source_id
    row["tick_e8"], row["lot_e8"] = tick_e8, lot_e8
    row["price_ticks_min"] = max(1, -(-to_e8(price.min_price) // tick_e8))
    price_ticks_max = to_e8(price.max_price) // tick_e8 or UNLIMITED_TICKS
    row["price_ticks_max"] = price_ticks_max
    row["qty_lots_min"] = max(1, -(-to_e8(lot.min_qty) // lot_e8))
    notional_max = NOTIONAL_LIMIT - 1
    if most_e8:
        notional_max = min(notional_max, most_e8 * 10**8 // unit_e16)
    row["notional_min"] = -(-least_e8 * 10**8 // unit_e16)
    row["notional_max"] = notional_max
    qty_lots_max = (to_e8(lot.max_qty) or INT64_MAX) // lot_e8
    row["qty_lots_max"] = min(qty_lots_max, (NOTIONAL_LIMIT - 1) // price_ticks_max)
    row["open_orders_max"] = rules.get("MAX_NUM_ORDERS", none).max_num_orders or INT64_MAX
    _check(row, symbol.symbol)


def _fill_names(row: Any, symbol: ListedSymbol) -> None:
    name = symbol.symbol.encode()
    if len(name) > SYMBOL_BYTES_MAX:
        raise ValueError(f"{symbol.symbol}: symbols have at most {SYMBOL_BYTES_MAX} bytes")
    row["symbol"], row["symbol_bytes"] = name, len(name)
    for field, asset in (("base_asset", symbol.base_asset), ("quote_asset", symbol.quote_asset)):
        if len(asset.encode()) > ASSET_BYTES_MAX:
            raise ValueError(f"{asset}: asset names have at most {ASSET_BYTES_MAX} bytes")
        row[field] = asset.encode()


def _check(row: Any, name: str) -> None:
    """Refuse an instrument for which every order would be invalid."""
    if row["price_ticks_min"] > row["price_ticks_max"]:
        raise ValueError(f"{name}: the lowest price is above the highest; the venue's row is wrong")
    if row["qty_lots_min"] > row["qty_lots_max"] or row["notional_min"] > row["notional_max"]:
        tick, lot = format_e8(int(row["tick_e8"])), format_e8(int(row["lot_e8"]))
        raise ValueError(
            f"{name}: price times quantity overflows 62 bits with tick {tick} and lot {lot}; "
            "remove the symbol"
        )


def build_catalog(instruments: RecordArray) -> tuple[RecordArray, Int64Array]:
    """Return a CATALOG of one row and its tables; the caller keeps all three arrays alive.

    The tables are the hash slots and, after them, the STEPS of each instrument.

    Raises
    ------
    ValueError
        When a symbol occurs twice.
    """
    slot_count = 8
    while slot_count < SLOTS_PER_INSTRUMENT * len(instruments):
        slot_count *= 2
    tables = np.zeros(slot_count + len(instruments) * STEPS_BYTES // 8, dtype=np.int64)
    slots, steps = tables[:slot_count], tables[slot_count:]
    catalog = np.zeros(1, dtype=CATALOG.dtype)
    catalog["instruments_address"] = address_of(instruments)
    catalog["instrument_count"] = len(instruments)
    catalog["slots_address"] = address_of(slots)
    catalog["slot_mask"] = slot_count - 1
    catalog["steps_address"] = address_of(steps)
    for index, row in enumerate(instruments):
        # The row's own memory holds the symbol first, zero-filled to 24 bytes.
        address = address_of(instruments) + index * INSTRUMENT_BYTES
        if find_instrument(address_of(catalog), address, int(row["symbol_bytes"])) >= 0:
            raise ValueError(f"{row['symbol'].decode()} is listed twice: name each symbol once")
        words = load_word(address), load_word(address + 8), load_word(address + 16)
        slot = int(symbol_slot(words[0], words[1], words[2])) & (slot_count - 1)
        while slots[slot]:
            slot = (slot + 1) & (slot_count - 1)
        slots[slot] = index + 1
        steps_address = address_of(steps) + index * STEPS_BYTES
        fill_steps(steps_address, int(row["tick_e8"]), int(row["lot_e8"]))
    return catalog, tables


@compiled
def symbol_slot(first: int, second: int, third: int) -> int:
    """Return the hash of a symbol of three words, not yet masked."""
    mixed = wrapping_product(first, 0x1E3779B97F4A7C15)
    mixed ^= wrapping_product(second, 0x3F58476D1CE4E5B9)
    mixed ^= wrapping_product(third, 0x14D049BB133111EB)
    return mixed ^ (mixed >> 32)


@compiled
def find_words(catalog_address: int, first: int, second: int, third: int) -> int:
    """Return the row of the symbol in three zero-filled words; -1 when it is not known."""
    catalog = record_at(catalog_address, CATALOG_DTYPE)
    slot = symbol_slot(first, second, third) & catalog.slot_mask
    while True:
        index = load_word(catalog.slots_address + slot * 8) - 1
        if index < 0:
            return -1
        address = instrument_at(catalog_address, index)
        if (
            load_word(address) == first
            and load_word(address + 8) == second
            and load_word(address + 16) == third
        ):
            return index
        slot = (slot + 1) & catalog.slot_mask


@compiled
def find_instrument(catalog_address: int, symbol_address: int, symbol_bytes: int) -> int:
    """Return the row of the symbol at ``symbol_address``; -1 when it is not known.

    It reads 24 bytes at the address, even for a short symbol.
    """
    if symbol_bytes > SYMBOL_BYTES_MAX:
        return -1
    first = low_bytes(load_word(symbol_address), symbol_bytes)
    second = low_bytes(load_word(symbol_address + 8), symbol_bytes - 8)
    third = low_bytes(load_word(symbol_address + 16), symbol_bytes - 16)
    return find_words(catalog_address, first, second, third)


@compiled
def instrument_at(catalog_address: int, index: int) -> int:
    """Return the address of row ``index`` of the catalog's instruments."""
    catalog = record_at(catalog_address, CATALOG_DTYPE)
    return int(catalog.instruments_address) + index * INSTRUMENT_BYTES
