"""Bybit's public trades in any form that means the same.

*Source:* Bybit v5 API documentation, "WebSocket Stream: Trade".
"""

from typing import NamedTuple

from ipc.compiled import compiled
from ipc.memory import load_byte, record_at
from vortex.codes import Refusal
from vortex.decoding.levels import read_lots_shown, read_ticks
from vortex.decoding.market_writers import write_trade
from vortex.decoding.tick_division import steps_of_row
from vortex.records import MARKET_SLOT_BYTES, TRADE
from vortex.venues._bybit.any_envelope import flag_at, symbol_at, text_at, time_at
from vortex.venues._bybit.trade_identity import read_trade_id
from vortex.wire.scan import (
    CLOSE_ARRAY,
    CLOSE_OBJECT,
    COMMA,
    NOT_JSON,
    OPEN_ARRAY,
    OPEN_OBJECT,
    OUT_OF_RANGE,
    open_object,
    read_member,
    read_string,
    skip_space,
    skip_value,
    text_words,
)
from vortex.wire.words import words_of

TRADE_DTYPE = TRADE.dtype
IGNORED = int(Refusal.IGNORED)
MISSING_KEY = int(Refusal.MISSING_KEY)
NOT_KNOWN = int(Refusal.NOT_KNOWN)
TOO_LARGE = int(Refusal.TOO_LARGE)

_TIME, _SYMBOL, _SIDE = words_of(b"T"), words_of(b"s"), words_of(b"S")
_QTY, _PRICE, _IDENTITY, _BLOCK = words_of(b"v"), words_of(b"p"), words_of(b"i"), words_of(b"BT")
_BUY, _SELL = words_of(b"Buy"), words_of(b"Sell")


class TradeData(NamedTuple):
    """Where the values of one trade begin; 0 for those that it has not."""

    time: int
    symbol: int
    side: int
    qty: int
    price: int
    identity: int
    block: int


@compiled
def _read_data(address: int, end_address: int) -> TradeData:
    """Return the members of the object at ``address``, which was checked to be JSON."""
    time, symbol, side, qty, price, identity, block = 0, 0, 0, 0, 0, 0, 0
    address = open_object(address, end_address)
    while load_byte(address) != CLOSE_OBJECT:
        key, key_bytes, value, address = read_member(address, end_address)
        name = text_words(key, key_bytes)
        if name == _TIME:
            time = value
        elif name == _SYMBOL:
            symbol = value
        elif name == _SIDE:
            side = value
        elif name == _QTY:
            qty = value
        elif name == _PRICE:
            price = value
        elif name == _IDENTITY:
            identity = value
        elif name == _BLOCK:
            block = value
    return TradeData(time, symbol, side, qty, price, identity, block)


@compiled
def decode_any_trades(
    address: int, end_address: int, catalog_address: int, out_address: int, out_count_max: int
) -> int:
    """Write the trades of the array at ``address``; return how many, or a Refusal.

    Block trades are passed over: they were not made against the book.  IGNORED when that leaves
    none.
    """
    if address == 0:
        return MISSING_KEY
    if load_byte(address) != OPEN_ARRAY:
        return NOT_JSON
    count = 0
    address = skip_space(address + 1, end_address)
    while load_byte(address) != CLOSE_ARRAY:
        if load_byte(address) != OPEN_OBJECT:
            return NOT_JSON
        trade = _read_data(address, end_address)
        is_block = flag_at(trade.block)
        if is_block < 0:
            return is_block
        if is_block == 0:
            if count == out_count_max:
                return TOO_LARGE
            slot_address = out_address + count * MARKET_SLOT_BYTES
            refusal = _write_trade(trade, end_address, catalog_address, slot_address)
            if refusal < 0:
                return refusal
            count += 1
        address = skip_space(skip_value(address, end_address), end_address)
        if load_byte(address) == COMMA:
            address = skip_space(address + 1, end_address)
    return count if count > 0 else IGNORED


@compiled
def _write_trade(
    trade: TradeData, end_address: int, catalog_address: int, slot_address: int
) -> int:
    """Write a TRADE; return 1, or a Refusal."""
    index = symbol_at(trade.symbol, end_address, catalog_address)
    if index < 0:
        return index
    if min(trade.time, trade.side, trade.qty, trade.price, trade.identity) == 0:
        return MISSING_KEY
    side = text_at(trade.side, end_address)
    if side != _BUY and side != _SELL:
        return NOT_KNOWN
    text, text_bytes = read_string(trade.identity, end_address)
    if text_bytes < 0:
        return NOT_JSON
    steps = steps_of_row(catalog_address, index)
    high, low, refusal = read_trade_id(text, text_bytes)
    venue_ns = time_at(trade.time, end_address)
    ticks = read_ticks(trade.price, end_address, steps)
    lots = read_lots_shown(trade.qty, end_address, steps)
    worst = min(refusal, venue_ns, ticks, lots)
    if worst < 0:
        return worst
    if ticks == 0:
        return OUT_OF_RANGE
    write_trade(slot_address, index, venue_ns, low, ticks, lots, 1 if side == _SELL else 0)
    record_at(slot_address, TRADE_DTYPE).trade_id_high = high
    return 1
