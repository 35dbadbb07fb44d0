"""Quote at the touch, one step further away for each quote held: describe your own here.

Name the paper or the idea behind it, and the source of its numbers.  `vortexctl new strategy` wrote
this file; it works unchanged.  Change it from the top: parameters, memory, decision.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from ipc.compiled import compiled
from ipc.layout import Field, Layout, reserved
from ipc.types import Record
from vortex.orders.quoting import BID_QUOTE_COUNT


class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parameters under `params` in the configuration, for each symbol; fixed while it runs.

    Each is an int or a float with bounds and a description.  End a name in its unit: prices are in
    ticks, quantities in lots, times in ns or ms.
    """

    step_ticks: Annotated[int, Meta(ge=0, le=1_000, description="step away for each quote held")]
    qty_lots: Annotated[int, Meta(ge=1, description="size of each quote")]
    inventory_lots_max: Annotated[int, Meta(ge=1, description="position that stops a side")]


# Its memory of each instrument from one decision to the next; all zero at the start.  A
# field is "i8" (an integer) or "f8" (a float); `reserved` fills the record up to 64 bytes.
STATE = Layout(
    "strategy_template_state",
    "The strategy's memory of one instrument.",
    Field("decision_count", "i8", "how often it was called"),
    reserved(56),
)


# Compiled: numbers, records and `math` only.  No lists, strings, exceptions or prints in here, and
# functions that it calls carry @compiled too; vortex/deciding/signals.py has useful ones.
@compiled
def decide(top: Record, view: Record, params: Record, state: Record, wanted: Record) -> None:
    """Fill ``wanted``, which is empty, with the quotes that should be open now.

    ``top`` is the top of the book (vortex/records.py, TOP), ``view`` what else is known
    (vortex/deciding/sight.py, VIEW); the functions of vortex/deciding/seeing.py say more of it:
    levels, trades, our orders, other instruments.  The engine requests the difference between
    ``wanted`` and the open quotes, and always enforces the limits.
    """
    # One side of the book may be empty: then want nothing, and no quote of ours stays open.
    if top.bid_ticks <= 0 or top.ask_ticks <= 0:
        return
    state.decision_count += 1
    # The position is positive when long: then bid lower; when short, offer higher.
    away_ticks = params.step_ticks * (abs(view.position_lots) // params.qty_lots)
    bid_ticks = top.bid_ticks - (away_ticks if view.position_lots > 0 else 0)
    ask_ticks = top.ask_ticks + (away_ticks if view.position_lots < 0 else 0)
    # Quotes 0 to 3 buy, 4 to 7 sell.  Orders only rest: stay below the ask, and above the bid.
    has_room = view.position_lots + params.qty_lots <= params.inventory_lots_max
    if has_room and bid_ticks >= view.price_ticks_min:
        wanted.price_ticks[0] = bid_ticks
        wanted.qty_lots[0] = params.qty_lots
    has_room = view.position_lots - params.qty_lots >= -params.inventory_lots_max
    if has_room and ask_ticks <= view.price_ticks_max:
        wanted.price_ticks[BID_QUOTE_COUNT] = ask_ticks
        wanted.qty_lots[BID_QUOTE_COUNT] = params.qty_lots
