"""A strategy of the tests that looks at all there is: its quotes depend on everything it sees.

Levels, trades, its own orders, the touch of others, another instrument and a timer each move a
quote, so that a replay in which one of them differs publishes other requests.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from ipc.compiled import compiled
from ipc.layout import Field, Layout, reserved
from ipc.types import Record
from vortex.codes import Side
from vortex.deciding.contract import Instrument
from vortex.deciding.seeing import (
    level,
    market,
    others_touch,
    own_order,
    own_order_count,
    trade,
    trade_count,
    view_of,
)
from vortex.orders.quoting import BID_QUOTE_COUNT


class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fixed for the life of the process."""

    other: Annotated[Instrument, Meta(description="another instrument of the run")]
    qty_lots: Annotated[int, Meta(ge=1, description="size of each quote")]
    wake_ms: Annotated[int, Meta(ge=1, le=1_000, description="when to look again")]


STATE = Layout(
    "watching_state",
    "What was seen so far.",
    Field("seen_count", "i8", "a sum over all that was seen, small enough to move a quote by"),
    Field("woken_count", "i8", "calls at the time that was asked for"),
    Field("trade_count", "i8", "trades seen"),
    Field("level_count", "i8", "levels seen"),
    Field("led_count", "i8", "calls in which the other instrument's book was in sync"),
    Field("queue_count", "i8", "calls in which a queue ahead of an order was known"),
    Field("wake_ns", "i8", "the time that was asked for"),
    reserved(8),
)


@compiled
def look(view: Record, state: Record) -> int:
    """Return a sum over the levels and the trades."""
    total = 0
    for depth_index in range(20):
        for side in (Side.BUY, Side.SELL):
            row = level(view, side, depth_index)
            total += row.price_ticks + row.qty_lots
            state.level_count += 1 if row.qty_lots > 0 else 0
    for trade_index in range(trade_count(view)):
        seen = trade(view, trade_index)
        total += seen.price_ticks * seen.aggressor_side + seen.qty_lots + seen.trade_id
        state.trade_count += 1
    return total


@compiled
def look_at_own(top: Record, view: Record, state: Record) -> int:
    """Return a sum over our orders and fills, and the touch of the others."""
    total = own_order_count(view) + view.fill_count + view.own_bought_notional
    for quote_index in range(8):
        order = own_order(view, quote_index)
        total += order.age_ns + order.queue_ahead_lots + order.remaining_lots
        state.queue_count += 1 if order.queue_ahead_lots > 0 else 0
    for side in (Side.BUY, Side.SELL):
        touch = others_touch(view, top, side)
        total += touch.price_ticks + touch.qty_lots
    return total


@compiled
def decide(top: Record, view: Record, params: Record, state: Record, wanted: Record) -> None:
    """Quote the touch, further away by what was seen."""
    if top.bid_ticks <= 0 or top.ask_ticks <= 0:
        return
    if 0 < state.wake_ns <= view.now_ns:
        state.woken_count += 1
    total = look(view, state) + look_at_own(top, view, state)
    other = market(view, params.other)
    total += other.bid_ticks + view_of(view, params.other).trade_count
    state.led_count += other.is_valid
    state.seen_count = (state.seen_count + total) & 0xFFFF
    away_ticks = state.seen_count % 3
    wanted.price_ticks[0] = max(top.bid_ticks - away_ticks, view.price_ticks_min)
    wanted.qty_lots[0] = params.qty_lots
    wanted.price_ticks[BID_QUOTE_COUNT] = min(top.ask_ticks + away_ticks, view.price_ticks_max)
    wanted.qty_lots[BID_QUOTE_COUNT] = params.qty_lots
    wanted.tag[0] = state.seen_count
    wanted.wake_ns = view.now_ns + params.wake_ms * 1_000_000
    state.wake_ns = wanted.wake_ns
