"""Reads a venue's reference data into rows that fit 63 bits; finds them by symbol.

The first half is cold (decimals, errors) and the same for all venues: a venue reads its reference
data into a ``ListedInstrument`` for each symbol.  The lookup is compiled.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ipc.compiled import compiled
from ipc.memory import address_of, load_word, record_at
from ipc.types import Int64Array, RecordArray
from vortex.codes import ContractDirection, InstrumentKind, TradingStatus
from vortex.decoding.tick_division import STEPS_BYTES, fill_steps
from vortex.records import CATALOG, INSTRUMENT, TICK_BANDS_MAX
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
ONE_E8 = 10**8

#: Slots of the hash table for each instrument, at least.
SLOTS_PER_INSTRUMENT = 4


class ListedInstrument(NamedTuple):
    """What a venue says of one symbol; decimals as text.

    A limit of "0" is none.  A step of "0" is the finest, 1e-8.
    """

    symbol: str
    base_asset: str
    quote_asset: str
    tick_size: str
    lot_size: str
    price_min: str = "0"
    price_max: str = "0"
    qty_min: str = "0"
    qty_max: str = "0"
    notional_min: str = "0"
    notional_max: str = "0"
    open_orders_max: int = 0
    kind: InstrumentKind = InstrumentKind.SPOT
    settle_asset: str = ""  # the quote asset where it is not said
    direction: ContractDirection = ContractDirection.LINEAR
    multiplier: str = "1"
    #: The venue's own word; what it must be for orders to be taken.
    status: str = ""
    trading: str = ""
    wire_decimal_count: int = 8
    #: Prices from which on a coarser step holds, lowest first, with that step.
    bands: tuple[tuple[str, str], ...] = ()
    expiry_ns: int = 0
    strike: str = "0"
    underlying_id: int = -1


def read_rows(
    listings: Iterable[ListedInstrument], symbols: Sequence[str], source_id: int = 0
) -> RecordArray:
    """Return rows of the INSTRUMENT table for ``symbols``, in their order.

    Raises
    ------
    ValueError
        When a symbol is missing or is not trading, or its numbers do not fit 63 bits.
    """
    by_symbol: Mapping[str, ListedInstrument] = {listing.symbol: listing for listing in listings}
    rows = np.zeros(len(symbols), dtype=INSTRUMENT.dtype)
    for instrument_id, symbol in enumerate(symbols):
        if symbol not in by_symbol:
            raise ValueError(f"the venue does not list {symbol}: check the symbol's spelling")
        listing = by_symbol[symbol]
        if listing.status != listing.trading:
            raise ValueError(
                f"{symbol} is in {listing.status}: leave it out, or start when it trades again"
            )
        fill_instrument(rows[instrument_id], listing, instrument_id, source_id)
    return rows


def fill_instrument(
    row: Any, listing: ListedInstrument, instrument_id: int, source_id: int
) -> None:
    """Fill one row of the INSTRUMENT table.

    Prices and quantities are multiples of the step counted from zero, as venues check them.  The
    largest quantity is reduced so that price times quantity stays below 2**62 at the highest price:
    no order within its bounds can overflow.  An instrument is refused when less than its smallest
    order is left.

    Raises
    ------
    ValueError
        When a text is too long or a step is too fine for the largest price.
    """
    tick_e8 = to_e8(listing.tick_size) or 1
    lot_e8 = to_e8(listing.lot_size) or 1
    multiplier_e8 = to_e8(listing.multiplier)
    if multiplier_e8 <= 0:
        raise ValueError(f"{listing.symbol}: a multiplier of {listing.multiplier} is not above 0")
    unit_e24 = tick_e8 * lot_e8 * multiplier_e8

    _fill_names(row, listing)
    row["instrument_id"], row["source_id"] = instrument_id, source_id
    row["tick_e8"], row["lot_e8"] = tick_e8, lot_e8
    row["price_ticks_min"] = max(1, -(-to_e8(listing.price_min) // tick_e8))
    price_ticks_max = to_e8(listing.price_max) // tick_e8 or UNLIMITED_TICKS
    row["price_ticks_max"] = price_ticks_max
    row["qty_lots_min"] = max(1, -(-to_e8(listing.qty_min) // lot_e8))
    notional_max = NOTIONAL_LIMIT - 1
    if most_e8 := to_e8(listing.notional_max):
        notional_max = min(notional_max, most_e8 * ONE_E8**2 // unit_e24)
    row["notional_min"] = -(-to_e8(listing.notional_min) * ONE_E8**2 // unit_e24)
    row["notional_max"] = notional_max
    qty_lots_max = (to_e8(listing.qty_max) or INT64_MAX) // lot_e8
    row["qty_lots_max"] = min(qty_lots_max, (NOTIONAL_LIMIT - 1) // price_ticks_max)
    row["open_orders_max"] = listing.open_orders_max or INT64_MAX
    row["instrument_kind"], row["contract_direction"] = listing.kind, listing.direction
    row["multiplier_e8"] = multiplier_e8
    row["trading_status"] = TradingStatus.TRADING
    row["wire_decimal_count"] = listing.wire_decimal_count
    row["expiry_ns"], row["underlying_id"] = listing.expiry_ns, listing.underlying_id
    row["strike_ticks"] = to_e8(listing.strike) // tick_e8
    _fill_bands(row, listing, tick_e8)
    _check(row, listing.symbol)


def _fill_names(row: Any, listing: ListedInstrument) -> None:
    name = listing.symbol.encode()
    if len(name) > SYMBOL_BYTES_MAX:
        raise ValueError(f"{listing.symbol}: symbols have at most {SYMBOL_BYTES_MAX} bytes")
    row["symbol"], row["symbol_bytes"] = name, len(name)
    assets = {
        "base_asset": listing.base_asset,
        "quote_asset": listing.quote_asset,
        "settle_asset": listing.settle_asset or listing.quote_asset,
    }
    for field, asset in assets.items():
        if len(asset.encode()) > ASSET_BYTES_MAX:
            raise ValueError(f"{asset}: asset names have at most {ASSET_BYTES_MAX} bytes")
        row[field] = asset.encode()


def _fill_bands(row: Any, listing: ListedInstrument, tick_e8: int) -> None:
    """Write the bands of coarser steps; each must be of whole ticks."""
    if len(listing.bands) > TICK_BANDS_MAX:
        raise ValueError(f"{listing.symbol}: more than {TICK_BANDS_MAX} bands of ticks")
    row["band_count"] = len(listing.bands)
    for index, (first, step) in enumerate(listing.bands):
        first_e8, step_e8 = to_e8(first), to_e8(step)
        if first_e8 % tick_e8 or step_e8 % tick_e8 or step_e8 <= 0:
            raise ValueError(
                f"{listing.symbol}: the band of {step} from {first} on is not of whole ticks"
            )
        row["band_first_ticks"][index] = first_e8 // tick_e8
        row["band_step_ticks"][index] = step_e8 // tick_e8


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


def build_catalog(
    instruments: RecordArray, instrument_ids: Sequence[int] | None = None
) -> tuple[RecordArray, Int64Array]:
    """Return a CATALOG of one row and its tables; the caller keeps all three arrays alive.

    It knows the rows ``instrument_ids``, or all: those that one connection carries, so that two
    venues may have the same symbol.  The tables are the hash slots and, after them, the STEPS of
    each row of ``instruments``.

    Raises
    ------
    ValueError
        When a symbol occurs twice.
    """
    known = range(len(instruments)) if instrument_ids is None else instrument_ids
    slot_count = 8
    while slot_count < SLOTS_PER_INSTRUMENT * len(known):
        slot_count *= 2
    tables = np.zeros(slot_count + len(instruments) * STEPS_BYTES // 8, dtype=np.int64)
    slots, steps = tables[:slot_count], tables[slot_count:]
    catalog = np.zeros(1, dtype=CATALOG.dtype)
    catalog["instruments_address"] = address_of(instruments)
    catalog["instrument_count"] = len(known)
    catalog["first_instrument_id"] = min(known, default=0)
    catalog["slots_address"] = address_of(slots)
    catalog["slot_mask"] = slot_count - 1
    catalog["steps_address"] = address_of(steps)
    for index in known:
        row = instruments[index]
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
