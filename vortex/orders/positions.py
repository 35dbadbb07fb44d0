"""What our fills add up to, in integers; each fill is counted once, by the venue's trade id.

A venue reports a fill more than once, on several streams and in any order, and it may name fills by
numbers that do not grow.  So the ids of the last fills are kept, in memory that outlives the
gateway.
"""

from ipc import cell
from ipc.compiled import compiled
from ipc.memory import record_at
from ipc.types import Record
from vortex.codes import FeeAsset, Side
from vortex.records import POSITION, SEEN_FILL_COUNT, SEEN_FILLS

POSITION_DTYPE = POSITION.dtype
SEEN_FILLS_DTYPE = SEEN_FILLS.dtype
SEEN_FILLS_BYTES = SEEN_FILLS.dtype.itemsize

E8 = 100_000_000


@compiled
def bucket_of(trade_id_high: int, trade_id: int) -> int:
    """Return the bucket of a trade id, 0 to ``SEEN_FILL_COUNT - 1``."""
    mixed = trade_id_high ^ trade_id
    mixed ^= mixed >> 32
    mixed ^= mixed >> 16
    return (mixed ^ (mixed >> 12)) & (SEEN_FILL_COUNT - 1)


@compiled
def held_e8(position: Record, lot_e8: int) -> int:
    """Return what the account holds: what it held before our fills, them, less fees in the asset.

    It means something when ``has_opening`` is 1.
    """
    return int(position.opening_e8 + position.base_lots * lot_e8 - position.fee_base_e8)


@compiled
def set_held(position_address: int, answer_held_e8: int, lot_e8: int) -> int:
    """Take the venue's word of what the account holds; return what was expected, in 1e-8.

    It is said while nothing of ours rests, with all our fills counted.  The first time, what is
    said is what is expected.
    """
    position = record_at(position_address, POSITION_DTYPE)
    expected_e8 = answer_held_e8
    if position.has_opening != 0:
        expected_e8 = held_e8(position, lot_e8)
    cell.begin_write(position_address)
    position.opening_e8 += answer_held_e8 - held_e8(position, lot_e8)
    position.has_opening = 1
    cell.end_write(position_address)
    return expected_e8


@compiled
def is_new_fill(seen: Record, trade_id_high: int, trade_id: int) -> bool:
    """Return whether a fill is not among the last ``SEEN_FILL_COUNT`` that were counted."""
    seq = seen.newest_seq[bucket_of(trade_id_high, trade_id)]
    while seq > 0 and seq > seen.last_seq - SEEN_FILL_COUNT:
        place = seq & (SEEN_FILL_COUNT - 1)
        if seen.trade_id[place] == trade_id and seen.trade_id_high[place] == trade_id_high:
            return False
        seq = seen.former_seq[place]
    return True


@compiled
def remember_fill(seen: Record, trade_id_high: int, trade_id: int) -> None:
    """Add the id of a fill that ``is_new_fill``; the oldest one is forgotten."""
    bucket = bucket_of(trade_id_high, trade_id)
    seq = seen.last_seq + 1
    place = seq & (SEEN_FILL_COUNT - 1)
    seen.trade_id_high[place] = trade_id_high
    seen.trade_id[place] = trade_id
    seen.former_seq[place] = seen.newest_seq[bucket]
    seen.newest_seq[bucket] = seq
    seen.last_seq = seq


@compiled
def knows_fills(position: Record) -> bool:
    """Return whether it is known which fills are of the past: the run may begin to count."""
    return bool(
        position.last_trade_id != 0 or position.last_trade_id_high != 0 or position.fill_count != 0
    )


@compiled
def set_newest_fill(position: Record, answer: Record) -> None:
    """Note the fill of an ANSWER as the newest, unless a newer one is known."""
    fill_ms = answer.venue_ns // 1_000_000
    if fill_ms >= position.last_fill_ms:
        position.last_trade_id_high = answer.trade_id_high
        position.last_trade_id = answer.trade_id
        position.last_fill_ms = fill_ms


@compiled
def begin_fills(position_address: int, seen: Record, answer: Record) -> None:
    """Count fills after that of an ANSWER alone (id -1: there was none), unless some are known."""
    position = record_at(position_address, POSITION_DTYPE)
    if knows_fills(position):
        return
    cell.begin_write(position_address)
    if answer.trade_id != -1:
        remember_fill(seen, answer.trade_id_high, answer.trade_id)
    set_newest_fill(position, answer)
    cell.end_write(position_address)


@compiled
def add_fill(position_address: int, seen: Record, answer: Record, now_ns: int) -> None:
    """Add the fill of an ANSWER, which ``is_new_fill``."""
    position = record_at(position_address, POSITION_DTYPE)
    side, qty_lots = answer.side, answer.fill_lots
    cell.begin_write(position_address)
    position.base_lots += side * qty_lots
    position.cash -= side * qty_lots * answer.fill_ticks
    if side == Side.BUY:
        position.bought_lots += qty_lots
        position.bought_notional += qty_lots * answer.fill_ticks
    else:
        position.sold_lots += qty_lots
    if answer.fee_asset == FeeAsset.BASE:
        position.fee_base_e8 += answer.fee_e8
    elif answer.fee_asset == FeeAsset.QUOTE:
        position.fee_quote_e8 += answer.fee_e8
    elif answer.fee_asset == FeeAsset.OTHER:
        position.fee_other_e8 += answer.fee_e8
    position.fill_count += 1
    position.changed_ns = now_ns
    set_newest_fill(position, answer)
    remember_fill(seen, answer.trade_id_high, answer.trade_id)
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
