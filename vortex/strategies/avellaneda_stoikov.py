"""Quote around the price at which our inventory is worth its risk, as Avellaneda and Stoikov do.

The centre is the reservation price  r = s - q gamma sigma² tau,  the distance of each quote from it
gamma sigma² tau / 2 + ln(1 + gamma / kappa) / gamma:  s is the mid, sigma² tau the variance of the
mid over the horizon, and q the inventory counted in quotes (``position_lots / qty_lots``), the
paper's unit, so that gamma and kappa keep their meaning whatever the size of a quote.

The paper's horizon T - t runs out at the end of a day.  A crypto venue has no such end, so here it
stays at ``horizon_ms``: each decision looks as far ahead as the one before, and only the model's
first moment, t = 0, is ever used.  The paper also has a reservation price for an infinite horizon;
it needs a discount rate in the place of the horizon, which is no easier to choose.

gamma widens the quotes by the risk and narrows them by the haste to be rid of it; with a variance
over the horizon below 1 / kappa² the haste can outweigh the risk.

*Source:* Avellaneda, Stoikov, "High-frequency trading in a limit order book", Quantitative Finance
8 (2008), equations 29 and 30.
"""

from math import ceil, expm1, floor, log1p
from typing import Annotated

import msgspec
from msgspec import Meta

from ipc.compiled import compiled
from ipc.layout import Field, Layout, reserved
from ipc.types import Record
from vortex.deciding.signals import NS_PER_S, mid_half_ticks, next_variance
from vortex.orders.quoting import BID_QUOTE_COUNT

NS_PER_MS = 1_000_000
DAY_MS = 86_400_000


class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fixed for the life of the process."""

    gamma_per_tick: Annotated[
        float, Meta(ge=1e-9, le=1e3, description="risk aversion, per tick won or lost on a quote")
    ]
    kappa_per_tick: Annotated[
        float, Meta(ge=1e-6, le=1e6, description="how fast fills thin out with each tick away")
    ]
    sigma_ticks_per_sqrt_s: Annotated[
        float, Meta(ge=0.0, le=1e6, description="volatility of the mid; 0 estimates it")
    ]
    sigma_memory_ms: Annotated[
        int, Meta(ge=1, le=DAY_MS, description="time in which the estimate forgets to 1/e")
    ]
    horizon_ms: Annotated[
        int, Meta(ge=1, le=DAY_MS, description="how far ahead the risk of inventory is counted")
    ]
    half_spread_ticks_min: Annotated[
        int, Meta(ge=1, le=1_000_000, description="least distance of each quote from the centre")
    ]
    qty_lots: Annotated[int, Meta(ge=1, description="size of each quote")]
    inventory_lots_max: Annotated[int, Meta(ge=1, description="position that stops a side")]


STATE = Layout(
    "avellaneda_stoikov_state",
    "How the mid of one instrument moved.",
    Field("first_ns", "i8", "when the mid was first seen"),
    Field("last_ns", "i8", "when it was last seen"),
    Field("last_mid_half_ticks", "i8", "where it was then, in half ticks; 0 for never seen"),
    Field(
        "variance_ticks2_per_s", "f8", "vortex.deciding.signals.next_variance over what was seen"
    ),
    reserved(32),
)


@compiled
def reservation_ticks(
    mid_ticks: float, inventory_count: float, gamma_per_tick: float, variance_ticks2: float
) -> float:
    """Return the price at which holding ``inventory_count`` quotes or not is the same to us.

    ``variance_ticks2`` is that of the mid over the horizon, sigma² (T - t).

    *Source:* Avellaneda, Stoikov (2008), equation 29.
    """
    return mid_ticks - inventory_count * gamma_per_tick * variance_ticks2


@compiled
def half_spread_ticks(
    gamma_per_tick: float, kappa_per_tick: float, variance_ticks2: float
) -> float:
    """Return the best distance of either quote from the reservation price, in ticks.

    *Source:* Avellaneda, Stoikov (2008), equation 30, of which this is one half.
    """
    risk_ticks = gamma_per_tick * variance_ticks2 / 2.0
    return risk_ticks + log1p(gamma_per_tick / kappa_per_tick) / gamma_per_tick


@compiled
def watch_mid(state: Record, middle_half_ticks: int, now_ns: int, memory_ns: int) -> None:
    """Add the mid, in half ticks, to the estimate of its variance."""
    if state.last_mid_half_ticks == 0:
        state.first_ns = now_ns
        state.last_ns = now_ns
    else:
        elapsed_ns = max(now_ns - state.last_ns, 0)
        change_ticks = (middle_half_ticks - state.last_mid_half_ticks) / 2.0
        state.variance_ticks2_per_s = next_variance(
            state.variance_ticks2_per_s, change_ticks, elapsed_ns, memory_ns
        )
        state.last_ns += elapsed_ns
    state.last_mid_half_ticks = middle_half_ticks


@compiled
def variance_ticks2_per_s(params: Record, state: Record) -> float:
    """Return sigma², as set or as estimated; -1.0 until the mid was watched for one memory."""
    if params.sigma_ticks_per_sqrt_s > 0.0:
        return params.sigma_ticks_per_sqrt_s**2
    memory_ns = params.sigma_memory_ms * NS_PER_MS
    watched_ns = state.last_ns - state.first_ns
    if watched_ns < memory_ns:
        return -1.0
    # The weights of what was seen do not sum to one yet: what came before was taken for still.
    return state.variance_ticks2_per_s / -expm1(-watched_ns / memory_ns)


@compiled
def within_range(price_ticks: float, view: Record) -> float:
    """Return the price, or just outside the venue's range: what fits an integer either way."""
    return min(max(price_ticks, view.price_ticks_min - 1.0), view.price_ticks_max + 1.0)


@compiled
def decide(top: Record, view: Record, params: Record, state: Record, wanted: Record) -> None:
    """Fill ``wanted`` with one bid and one ask."""
    if top.bid_ticks <= 0 or top.ask_ticks <= 0:
        return
    mid = mid_half_ticks(top.bid_ticks, top.ask_ticks)
    watch_mid(state, mid, view.now_ns, params.sigma_memory_ms * NS_PER_MS)
    variance_per_s = variance_ticks2_per_s(params, state)
    if variance_per_s < 0.0:
        return
    variance_ticks2 = variance_per_s * (params.horizon_ms * NS_PER_MS / NS_PER_S)
    inventory_count = view.position_lots / params.qty_lots
    centre_ticks = reservation_ticks(
        mid / 2.0, inventory_count, params.gamma_per_tick, variance_ticks2
    )
    half_ticks = max(
        half_spread_ticks(params.gamma_per_tick, params.kappa_per_tick, variance_ticks2),
        float(params.half_spread_ticks_min),
    )
    # Bids round down and asks up; neither crosses the touch, for a maker's order would be refused.
    bid_ticks = min(floor(within_range(centre_ticks - half_ticks, view)), top.ask_ticks - 1)
    ask_ticks = max(ceil(within_range(centre_ticks + half_ticks, view)), top.bid_ticks + 1)
    has_room = view.position_lots + params.qty_lots <= params.inventory_lots_max
    if has_room and bid_ticks >= view.price_ticks_min:
        wanted.price_ticks[0] = bid_ticks
        wanted.qty_lots[0] = params.qty_lots
    has_room = view.position_lots - params.qty_lots >= -params.inventory_lots_max
    if has_room and ask_ticks <= view.price_ticks_max:
        wanted.price_ticks[BID_QUOTE_COUNT] = ask_ticks
        wanted.qty_lots[BID_QUOTE_COUNT] = params.qty_lots
