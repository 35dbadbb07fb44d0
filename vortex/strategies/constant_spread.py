"""Quote a constant distance either side of the mid price, leaning against the inventory.

The centre moves away from the mid by ``skew_ticks`` for each full ``inventory_lots_max`` held, so
that a long position offers cheaper and bids lower; a side that would take the position past its
maximum is not quoted.  The linear lean is the first-order form of Avellaneda and Stoikov's
reservation price, "High-frequency trading in a limit order book", Quantitative Finance 8 (2008).
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from ipc.compiled import compiled
from ipc.layout import Layout, reserved
from ipc.types import Record
from vortex.orders.quoting import BID_QUOTE_COUNT


class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fixed for the life of the process."""

    half_spread_ticks: Annotated[int, Meta(ge=1, description="distance of each quote from centre")]
    qty_lots: Annotated[int, Meta(ge=1, description="size of each quote")]
    skew_ticks: Annotated[int, Meta(ge=0, description="how far a full inventory moves the centre")]
    inventory_lots_max: Annotated[int, Meta(ge=1, description="position that stops a side")]


STATE = Layout("constant_spread_state", "It remembers nothing.", reserved(64))


@compiled
def decide(top: Record, view: Record, params: Record, state: Record, wanted: Record) -> None:
    """Fill ``wanted`` with one bid and one ask."""
    if top.bid_ticks <= 0 or top.ask_ticks <= 0:
        return
    lean_ticks = params.skew_ticks * view.position_lots // params.inventory_lots_max
    centre_doubled = top.bid_ticks + top.ask_ticks - 2 * lean_ticks
    # Bids round down and asks up; neither crosses the touch, for a maker's order would be refused.
    bid_ticks = min(centre_doubled // 2 - params.half_spread_ticks, top.ask_ticks - 1)
    ask_ticks = max(-(-centre_doubled // 2) + params.half_spread_ticks, top.bid_ticks + 1)
    if view.position_lots + params.qty_lots <= params.inventory_lots_max:
        wanted.price_ticks[0] = max(bid_ticks, view.price_ticks_min)
        wanted.qty_lots[0] = params.qty_lots
    if view.position_lots - params.qty_lots >= -params.inventory_lots_max:
        wanted.price_ticks[BID_QUOTE_COUNT] = min(ask_ticks, view.price_ticks_max)
        wanted.qty_lots[BID_QUOTE_COUNT] = params.qty_lots
