"""What our fills add up to, in integers; each fill is counted once, by the venue's trade id."""

from ipc import cell
from ipc.compiled import compiled
from ipc.memory import record_at
from ipc.types import Record
from vortex.codes import FeeAsset, Side
from vortex.records import POSITION

POSITION_DTYPE = POSITION.dtype

E8 = 100_000_000


@compiled
def is_new_fill(position_address: int, trade_id: int) -> bool:
    """Return whether this fill was not counted yet.

    A venue numbers the trades of an instrument upwards and reports ours in that order on one
    stream, so a number not above the last one was counted before.
    """
    return trade_id > record_at(position_address, POSITION_DTYPE).last_trade_id


@compiled
def begin_fills(position_address: int, trade_id: int) -> None:
    """Count fills after ``trade_id`` only (-1: the venue knows of none), unless some were."""
    position = record_at(position_address, POSITION_DTYPE)
    if position.last_trade_id == 0 and position.fill_count == 0:
        cell.begin_write(position_address)
        position.last_trade_id = trade_id
        cell.end_write(position_address)


@compiled
def add_fill(
    position_address: int,
    trade_id: int,
    side: int,
    price_ticks: int,
    qty_lots: int,
    fee_e8: int,
    fee_asset: int,
    now_ns: int,
) -> None:
    """Add one fill that ``is_new_fill``."""
    position = record_at(position_address, POSITION_DTYPE)
    cell.begin_write(position_address)
    position.base_lots += side * qty_lots
    position.cash -= side * qty_lots * price_ticks
    if side == Side.BUY:
        position.bought_lots += qty_lots
    else:
        position.sold_lots += qty_lots
    if fee_asset == FeeAsset.BASE:
        position.fee_base_e8 += fee_e8
    elif fee_asset == FeeAsset.QUOTE:
        position.fee_quote_e8 += fee_e8
    elif fee_asset == FeeAsset.OTHER:
        position.fee_other_e8 += fee_e8
    position.fill_count += 1
    position.last_trade_id = trade_id
    position.changed_ns = now_ns
    cell.end_write(position_address)


def profit_e16(position: Record, instrument: Record, bid_ticks: int, ask_ticks: int) -> int:
    """Return profit since the start in 1e-16 of the quote asset, marked at mid, after fees.

    Cold: Python integers, so nothing overflows.  A fee in a third asset is not counted; there is no
    rate for it.
    """
    tick_e8, lot_e8 = int(instrument["tick_e8"]), int(instrument["lot_e8"])
    doubled_mid_e8 = (bid_ticks + ask_ticks) * tick_e8
    cash_e16 = int(position["cash"]) * tick_e8 * lot_e8
    held_e8 = int(position["base_lots"]) * lot_e8 - int(position["fee_base_e8"])
    return cash_e16 + held_e8 * doubled_mid_e8 // 2 - int(position["fee_quote_e8"]) * E8
