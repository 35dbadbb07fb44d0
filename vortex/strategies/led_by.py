"""Quote one market by the price of another: Binance's spot by Bybit's linear contract, say.

The leader's mid, in our ticks, plus the slow average of how far our own mid is from it (the basis)
is the centre of one bid and one ask.  Name the leader in ``leans_on`` too, so that each of its tops
has the quotes decided.
"""

from math import ceil, expm1, floor
from typing import Annotated

import msgspec
from msgspec import Meta

from ipc.compiled import compiled
from ipc.layout import Field, Layout, reserved
from ipc.types import Record
from vortex.deciding.contract import Instrument
from vortex.deciding.seeing import market, ticks_here, view_of
from vortex.orders.quoting import BID_QUOTE_COUNT


class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fixed for the life of the process."""

    leader: Annotated[Instrument, Meta(description="whose price is followed: SOURCE:SYMBOL")]
    half_spread_ticks: Annotated[int, Meta(ge=1, le=1_000_000, description="distance from centre")]
    basis_memory_ms: Annotated[int, Meta(ge=1, le=86_400_000, description="forgets to 1/e in it")]
    qty_lots: Annotated[int, Meta(ge=1, description="size of each quote")]
    inventory_lots_max: Annotated[int, Meta(ge=1, description="position that stops a side")]


STATE = Layout(
    "led_by_state",
    "How far our mid is from the leader's.",
    Field("basis_ticks", "f8", "slow average of our mid minus the leader's"),
    Field("last_ns", "i8", "when it was last averaged; 0 for never"),
    reserved(48),
)


@compiled
def decide(top: Record, view: Record, params: Record, state: Record, wanted: Record) -> None:
    """Fill ``wanted`` with a bid and an ask around the leader's mid plus the basis."""
    led = market(view, params.leader)
    if min(top.bid_ticks, top.ask_ticks, led.bid_ticks, led.ask_ticks) <= 0 or led.is_valid == 0:
        return
    led_mid_ticks = (led.bid_ticks + led.ask_ticks) / 2.0
    led_mid_ticks = ticks_here(view, view_of(view, params.leader), led_mid_ticks)
    basis_ticks = (top.bid_ticks + top.ask_ticks) / 2.0 - led_mid_ticks
    elapsed_ns = max(view.now_ns - state.last_ns, 0)
    learnt = 1.0 if state.last_ns == 0 else -expm1(-elapsed_ns / (params.basis_memory_ms * 1e6))
    state.basis_ticks += learnt * (basis_ticks - state.basis_ticks)
    state.last_ns = max(view.now_ns, state.last_ns)
    centre_ticks = led_mid_ticks + state.basis_ticks
    bid_ticks = min(floor(centre_ticks) - params.half_spread_ticks, top.ask_ticks - 1)
    ask_ticks = max(ceil(centre_ticks) + params.half_spread_ticks, top.bid_ticks + 1)
    has_room = view.position_lots + params.qty_lots <= params.inventory_lots_max
    if has_room and bid_ticks >= view.price_ticks_min:
        wanted.price_ticks[0] = bid_ticks
        wanted.qty_lots[0] = params.qty_lots
    has_room = view.position_lots - params.qty_lots >= -params.inventory_lots_max
    if has_room and ask_ticks <= view.price_ticks_max:
        wanted.price_ticks[BID_QUOTE_COUNT] = ask_ticks
        wanted.qty_lots[BID_QUOTE_COUNT] = params.qty_lots
