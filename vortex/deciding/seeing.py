"""What a strategy may ask of its ``view``: small compiled functions, none of which changes it.

Each takes the ``view`` that ``decide`` was given, or that of another instrument (``view_of``).
All that they return came by records, so that a replay sees the same.  They are inlined; the cost
that a docstring gives is that of the memory which they read, a load being a nanosecond or less
when the cache has it.

An instrument's quantities are in its own lots and its prices in its own ticks: ``ticks_here``
converts a price of another instrument.
"""

from typing import NamedTuple

import numpy as np

from ipc.compiled import compiled
from ipc.memory import record_at
from ipc.types import Record
from vortex.codes import Kind, OrderState, Side
from vortex.deciding.sight import (
    SEEN_LEVEL_BYTES,
    SEEN_LEVEL_DTYPE,
    SEEN_TRADE_BYTES,
    SEEN_TRADE_DTYPE,
    SIGHT_DTYPE,
    TRADE_ROWS,
    VIEW_BYTES,
    VIEW_DTYPE,
)
from vortex.orders.quoting import (
    QUOTE_COUNT,
    STANDING_BYTES,
    STANDING_DTYPE,
    UNKNOWN_LOTS,
    quote_side,
)
from vortex.records import TOP

TOP_DTYPE = TOP.dtype
TOP_BYTES = TOP.dtype.itemsize


class SeenLevel(NamedTuple):
    """One level of a book; both are 0 where there is none."""

    price_ticks: int
    qty_lots: int


class OwnOrder(NamedTuple):
    """One of our quotes: the order that rests in its place, or the one that is on its way."""

    state: int  # codes.OrderState: FREE for none, SENT, RESTING or UNKNOWN
    side: int
    price_ticks: int
    remaining_lots: int
    age_ns: int  # since its acknowledgement; before that, since it was asked for
    queue_ahead_lots: int  # estimate of what others have ahead of it; -1: unknown
    request_kind: int  # codes.Kind of the request about it that is not answered; 0 for none
    time_in_force: int  # codes.OrderForce
    tag: int


# The book.


@compiled
def level(view: Record, side: int, depth_index: int) -> SeenLevel:
    """Return a level of ``side``, 0 being the best: one load beside those of SIGHT.

    Levels are shown as far as ``[books] shown_levels`` says, and none of a book out of sync.
    """
    count = view.bid_level_count if side == Side.BUY else view.ask_level_count
    if depth_index < 0 or depth_index >= count:
        return SeenLevel(0, 0)
    sight = record_at(view.sight_address, SIGHT_DTYPE)
    first_index = 2 * view.instrument_id * sight.level_row_count
    if side != Side.BUY:
        first_index += sight.level_row_count
    row_address = sight.levels_address + (first_index + depth_index) * SEEN_LEVEL_BYTES
    row = record_at(row_address, SEEN_LEVEL_DTYPE)
    return SeenLevel(row.price_ticks, row.qty_lots)


@compiled
def shown_lots(view: Record, top: Record, side: int, price_ticks: int) -> int:
    """Return the quantity at a price of ``side``; -1 beyond what is shown.

    Looks at the touch, then at the levels from the best on until it is past the price.
    """
    best_ticks = top.bid_ticks if side == Side.BUY else top.ask_ticks
    if best_ticks == 0 or (price_ticks - best_ticks) * side > 0:
        return 0  # better than the touch: nobody is there
    if price_ticks == best_ticks:
        return int(top.bid_lots if side == Side.BUY else top.ask_lots)
    count = view.bid_level_count if side == Side.BUY else view.ask_level_count
    for depth_index in range(count):
        row = level(view, side, depth_index)
        if row.price_ticks == price_ticks:
            return row.qty_lots
        if (price_ticks - row.price_ticks) * side > 0:
            return 0
    return UNKNOWN_LOTS


# The market's trades.


@compiled
def trade_count(view: Record) -> int:
    """Return how many trades came since ``decide`` was last called: the newest 64 are kept."""
    return min(view.new_trade_count, TRADE_ROWS)


@compiled
def trade(view: Record, trade_index: int) -> Record:
    """Return one of them as a SEEN_TRADE: 0 is the oldest, ``trade_count(view) - 1`` the newest.

    One cache line.
    """
    sight = record_at(view.sight_address, SIGHT_DTYPE)
    number = view.trade_count - trade_count(view) + trade_index
    row_index = view.instrument_id * TRADE_ROWS + (number & (TRADE_ROWS - 1))
    return record_at(sight.trades_address + row_index * SEEN_TRADE_BYTES, SEEN_TRADE_DTYPE)


# Our own orders and fills.


@compiled
def standing_of(view: Record) -> Record:
    """Return the STANDING of the instrument: what is open, quote by quote."""
    sight = record_at(view.sight_address, SIGHT_DTYPE)
    standing_address = sight.standing_address + view.instrument_id * STANDING_BYTES
    return record_at(standing_address, STANDING_DTYPE)


@compiled
def order_state(standing: Record, quote_index: int) -> int:
    """Return the codes.OrderState of one quote: FREE, SENT, RESTING or UNKNOWN."""
    if standing.order_id[quote_index] != 0:
        return OrderState.RESTING
    if standing.is_unknown[quote_index] != 0:
        return OrderState.UNKNOWN
    request_kind = standing.request_kind[quote_index]
    if request_kind == Kind.PLACE or request_kind == Kind.REPLACE:
        return OrderState.SENT
    return OrderState.FREE


@compiled
def own_order(view: Record, quote_index: int) -> OwnOrder:
    """Return the order of one quote: quotes 0 to 3 buy, 4 to 7 sell; state FREE where is none.

    Ten loads, each from a cache line of its own.  ``queue_ahead_lots`` is an estimate: the quantity
    that was shown at the price when the order was asked for, ours left out, minus the trades at
    that price since.  Who cancelled ahead of us is not known, so the truth may be less.
    """
    standing = standing_of(view)
    state = order_state(standing, quote_index)
    price_ticks = standing.asked_ticks[quote_index]
    remaining_lots = standing.asked_lots[quote_index]
    ahead_lots = standing.asked_ahead_lots[quote_index]
    time_in_force = standing.asked_time_in_force[quote_index]
    tag = standing.asked_tag[quote_index]
    age_ns = view.now_ns - standing.since_ns[quote_index]
    if state == OrderState.RESTING:
        price_ticks = standing.price_ticks[quote_index]
        remaining_lots = standing.remaining_lots[quote_index]
        ahead_lots = standing.queue_ahead_lots[quote_index]
        time_in_force = standing.time_in_force[quote_index]
        tag = standing.tag[quote_index]
    elif state == OrderState.FREE:
        price_ticks = remaining_lots = age_ns = time_in_force = tag = np.int64(0)
        ahead_lots = np.int64(UNKNOWN_LOTS)
    return OwnOrder(
        state, quote_side(quote_index), price_ticks, remaining_lots, age_ns, ahead_lots,
        standing.request_kind[quote_index], time_in_force, tag,
    )  # fmt: skip


@compiled
def own_order_count(view: Record) -> int:
    """Return how many of our quotes rest or are on their way: two cache lines."""
    standing = standing_of(view)
    count = 0
    for quote_index in range(QUOTE_COUNT):
        request_kind = standing.request_kind[quote_index]
        is_asked = request_kind == Kind.PLACE or request_kind == Kind.REPLACE
        if standing.order_id[quote_index] != 0 or is_asked:
            count += 1
    return count


@compiled
def own_lots_at(view: Record, side: int, price_ticks: int) -> int:
    """Return what our own resting orders hold at a price of ``side``: three cache lines."""
    standing = standing_of(view)
    total_lots = 0
    for quote_index in range(QUOTE_COUNT):
        is_there = standing.order_id[quote_index] != 0 and quote_side(quote_index) == side
        if is_there and standing.price_ticks[quote_index] == price_ticks:
            total_lots += standing.remaining_lots[quote_index]
    return total_lots


@compiled
def others_touch(view: Record, top: Record, side: int) -> SeenLevel:
    """Return the best level of ``side`` without our own orders.

    Where we are alone at the touch it is the next level that is shown and that others hold a part
    of; both are 0 when none is known.  Costs ``own_lots_at`` for each level that it looks at.
    """
    price_ticks = top.bid_ticks if side == Side.BUY else top.ask_ticks
    lots = top.bid_lots if side == Side.BUY else top.ask_lots
    others_lots = lots - own_lots_at(view, side, price_ticks)
    if price_ticks == 0 or others_lots > 0:
        return SeenLevel(price_ticks, lots if price_ticks == 0 else others_lots)
    count = view.bid_level_count if side == Side.BUY else view.ask_level_count
    for depth_index in range(count):
        row = level(view, side, depth_index)
        others_lots = row.qty_lots - own_lots_at(view, side, row.price_ticks)
        if (price_ticks - row.price_ticks) * side > 0 and others_lots > 0:
            return SeenLevel(row.price_ticks, others_lots)
    return SeenLevel(0, 0)


@compiled
def bought_average_ticks(view: Record) -> float:
    """Return the average price of our buys since the start of the run; 0.0 before the first."""
    if view.own_bought_lots == 0:
        return 0.0
    return view.own_bought_notional / view.own_bought_lots


@compiled
def sold_average_ticks(view: Record) -> float:
    """Return the average price of our sells since the start of the run; 0.0 before the first."""
    if view.own_sold_lots == 0:
        return 0.0
    return view.own_sold_notional / view.own_sold_lots


# The other instruments of the run.


@compiled
def market(view: Record, instrument_id: int) -> Record:
    """Return the newest TOP of another instrument: look at its ``is_valid`` first.

    A parameter of the type ``contract.Instrument`` holds the id of the instrument that the
    configuration names.  Three cache lines, of which prices and quantities take one.
    """
    sight = record_at(view.sight_address, SIGHT_DTYPE)
    assert 0 <= instrument_id < sight.instrument_count, "no such instrument"
    return record_at(sight.tops_address + instrument_id * TOP_BYTES, TOP_DTYPE)


@compiled
def view_of(view: Record, instrument_id: int) -> Record:
    """Return the VIEW of another instrument: its trades, our orders in it, its ticks."""
    sight = record_at(view.sight_address, SIGHT_DTYPE)
    assert 0 <= instrument_id < sight.instrument_count, "no such instrument"
    return record_at(sight.views_address + instrument_id * VIEW_BYTES, VIEW_DTYPE)


@compiled
def ticks_here(view: Record, other_view: Record, price_ticks: float) -> float:
    """Return a price of another instrument in the ticks of this one; both quote in one asset."""
    return price_ticks * (float(other_view.tick_e8) / float(view.tick_e8))
