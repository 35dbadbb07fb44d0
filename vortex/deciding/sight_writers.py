"""How what a strategy sees is kept up to date: one function for each kind of record that comes."""

from ipc.compiled import compiled
from ipc.memory import record_at
from ipc.types import Record
from vortex.codes import Kind, Side
from vortex.deciding.seeing import own_lots_at, shown_lots
from vortex.deciding.sight import (
    SEEN_LEVEL_BYTES,
    SEEN_LEVEL_DTYPE,
    SEEN_TRADE_BYTES,
    SEEN_TRADE_DTYPE,
    TRADE_ROWS,
)
from vortex.orders.quoting import REQUEST_BYTES, REQUEST_DTYPE, UNKNOWN_LOTS
from vortex.records import SHOWN_LEVELS, TOP_SLOT_BYTES

SHOWN_LEVELS_DTYPE = SHOWN_LEVELS.dtype


@compiled
def add_trade(view: Record, sight: Record, trade: Record) -> None:
    """Add one trade of the market to its instrument's view."""
    row_index = view.instrument_id * TRADE_ROWS + (view.trade_count & (TRADE_ROWS - 1))
    row = record_at(sight.trades_address + row_index * SEEN_TRADE_BYTES, SEEN_TRADE_DTYPE)
    row.venue_ns = trade.venue_ns
    row.kernel_ns = trade.kernel_ns
    row.trade_id_high = trade.trade_id_high
    row.trade_id = trade.trade_id
    row.price_ticks = trade.price_ticks
    row.qty_lots = trade.qty_lots
    row.aggressor_side = trade.aggressor_side
    view.trade_count += 1
    view.new_trade_count += 1
    view.last_trade_ticks = trade.price_ticks
    if trade.aggressor_side == Side.BUY:
        view.bought_lots += trade.qty_lots
    else:
        view.sold_lots += trade.qty_lots


@compiled
def add_levels(view: Record, sight: Record, shown: Record) -> None:
    """Add the levels of one SHOWN_LEVELS record behind those that the view has of its side."""
    row_index = 2 * view.instrument_id * sight.level_row_count
    first_index = view.bid_level_count
    if shown.kind == Kind.SHOWN_ASKS:
        row_index += sight.level_row_count
        first_index = view.ask_level_count
    count = min(shown.level_count, sight.level_row_count - first_index)
    for index in range(count):
        row_address = sight.levels_address + (row_index + first_index + index) * SEEN_LEVEL_BYTES
        row = record_at(row_address, SEEN_LEVEL_DTYPE)
        row.price_ticks = shown.price_ticks[index]
        row.qty_lots = shown.qty_lots[index]
    if shown.kind == Kind.SHOWN_ASKS:
        view.ask_level_count = first_index + count
    else:
        view.bid_level_count = first_index + count


@compiled
def set_levels(view: Record, sight: Record, top_address: int, shown_count: int) -> None:
    """Replace the levels of a view by those of the records behind a TOP on the ring."""
    view.bid_level_count = 0
    view.ask_level_count = 0
    for index in range(shown_count):
        shown_address = top_address + (index + 1) * TOP_SLOT_BYTES
        add_levels(view, sight, record_at(shown_address, SHOWN_LEVELS_DTYPE))


@compiled
def add_event(view: Record, event: Record, now_ns: int) -> None:
    """Let a view know of one event of the gateway."""
    view.position_lots = event.position_lots
    view.held_lots = event.held_lots
    view.has_held = event.has_held
    view.fill_count = event.fill_count
    view.own_bought_lots = event.bought_lots
    view.own_bought_notional = event.bought_notional
    view.own_sold_lots = event.sold_lots
    view.own_sold_notional = event.sold_notional
    view.orders_left_count = event.orders_left_count
    if event.kind == Kind.FILLED and event.fill_lots > 0:
        view.last_fill_ticks = event.fill_ticks
        view.last_fill_lots = event.fill_lots
        view.last_fill_side = event.side
        view.last_fill_ns = now_ns
        view.is_last_fill_maker = event.is_maker


@compiled
def estimate_queues(
    view: Record, top: Record, standing: Record, requests_address: int, count: int
) -> None:
    """Note of each new order that was asked for just now what others have ahead of it.

    The quantity that is shown at its price, ours left out; -1 where nothing is shown.
    """
    for index in range(count):
        request = record_at(requests_address + index * REQUEST_BYTES, REQUEST_DTYPE)
        if request.kind == Kind.CANCEL:
            continue
        ahead_lots = shown_lots(view, top, request.side, request.price_ticks)
        if ahead_lots != UNKNOWN_LOTS:
            own_lots = own_lots_at(view, request.side, request.price_ticks)
            ahead_lots = max(ahead_lots - own_lots, 0)
        standing.asked_ahead_lots[request.quote_index] = ahead_lots
