"""Writes market records from values that are already checked; all venues' decoders use it."""

from ipc.compiled import compiled
from ipc.memory import record_at, store_word, zero_bytes
from vortex.codes import Kind, Side
from vortex.records import DEPTH, LEVELS, LEVELS_PER_RECORD, MARKET_SLOT_BYTES, TICKER, TRADE

DEPTH_DTYPE = DEPTH.dtype
LEVELS_DTYPE = LEVELS.dtype
TICKER_DTYPE = TICKER.dtype
TRADE_DTYPE = TRADE.dtype
PRICE_OFFSET_BYTES = LEVELS.offset_bytes("price_ticks")
QTY_OFFSET_BYTES = LEVELS.offset_bytes("qty_lots")


@compiled
def write_ticker(
    address: int,
    instrument_id: int,
    venue_ns: int,
    update_id: int,
    bid_ticks: int,
    bid_lots: int,
    ask_ticks: int,
    ask_lots: int,
) -> int:
    """Write a TICKER record; return 1, the slots that it fills."""
    zero_bytes(address, MARKET_SLOT_BYTES)
    record = record_at(address, TICKER_DTYPE)
    record.kind = Kind.TICKER
    record.instrument_id = instrument_id
    record.venue_ns = venue_ns
    record.update_id = update_id
    record.bid_ticks = bid_ticks
    record.bid_lots = bid_lots
    record.ask_ticks = ask_ticks
    record.ask_lots = ask_lots
    return 1


@compiled
def write_trade(
    address: int,
    instrument_id: int,
    venue_ns: int,
    trade_id: int,
    price_ticks: int,
    qty_lots: int,
    is_buyer_maker: int,
) -> int:
    """Write a TRADE record; return 1, the slots that it fills."""
    zero_bytes(address, MARKET_SLOT_BYTES)
    record = record_at(address, TRADE_DTYPE)
    record.kind = Kind.TRADE
    record.instrument_id = instrument_id
    record.venue_ns = venue_ns
    record.trade_id = trade_id
    record.price_ticks = price_ticks
    record.qty_lots = qty_lots
    record.aggressor_side = Side.SELL if is_buyer_maker else Side.BUY
    return 1


@compiled
def write_depth(
    address: int,
    kind: int,
    instrument_id: int,
    venue_ns: int,
    first_update_id: int,
    last_update_id: int,
    record_count: int,
) -> int:
    """Write the head of a message whose levels follow it; return the slots of the message."""
    zero_bytes(address, MARKET_SLOT_BYTES)
    record = record_at(address, DEPTH_DTYPE)
    record.kind = kind
    record.instrument_id = instrument_id
    record.venue_ns = venue_ns
    record.first_update_id = first_update_id
    record.last_update_id = last_update_id
    record.record_count = record_count
    return 1 + record_count


@compiled
def write_level(
    address: int, kind: int, instrument_id: int, number: int, price_ticks: int, qty_lots: int
) -> None:
    """Write level ``number``, counted from 0, of a side whose LEVELS records begin at ``address``.

    Levels of a side are written in order; the first level of a record also begins the record.
    """
    index = number % LEVELS_PER_RECORD
    slot = address + number // LEVELS_PER_RECORD * MARKET_SLOT_BYTES
    record = record_at(slot, LEVELS_DTYPE)
    if index == 0:
        zero_bytes(slot, MARKET_SLOT_BYTES)
        record.kind = kind
        record.instrument_id = instrument_id
    store_word(slot + PRICE_OFFSET_BYTES + index * 8, price_ticks)
    store_word(slot + QTY_OFFSET_BYTES + index * 8, qty_lots)
    record.level_count = index + 1
