"""What strategies like to know of a touch: small functions, and the only floats on the way.

Prices are in ticks, a mid in half ticks, so that it stays whole.  State that a signal needs is
passed in and returned; nothing is kept here.
"""

from math import expm1, sqrt

from ipc.compiled import compiled

NS_PER_S = 1_000_000_000


@compiled
def mid_half_ticks(bid_ticks: int, ask_ticks: int) -> int:
    """Return the middle of the touch in half ticks: exact, where whole ticks would round."""
    return bid_ticks + ask_ticks


@compiled
def spread_ticks(bid_ticks: int, ask_ticks: int) -> int:
    """Return the best ask minus the best bid in ticks."""
    return ask_ticks - bid_ticks


@compiled
def imbalance(bid_lots: int, ask_lots: int) -> float:
    """Return which side is heavier: 1.0 all bids, -1.0 all asks, 0.0 even or nothing there.

    *Source:* Cartea, Jaimungal, Penalva, Algorithmic and High-Frequency Trading (2015).
    """
    # As floats first: the sum of two quantities need not fit 63 bits.
    total_lots = float(bid_lots) + float(ask_lots)
    if total_lots == 0.0:
        return 0.0
    return (float(bid_lots) - float(ask_lots)) / total_lots


@compiled
def microprice_ticks(bid_ticks: int, bid_lots: int, ask_ticks: int, ask_lots: int) -> float:
    """Return the mid weighted towards the lighter side, in ticks; the mid when nothing is there.

    Bid times ask quantity plus ask times bid quantity, over both quantities.  Stoikov calls this
    the weighted mid; his own micro-price corrects it by a table fitted to the instrument.

    *Source:* Gatheral, Oomen, Zero-intelligence realized variance estimation (2010);
    Stoikov, The micro-price: a high-frequency estimator of future prices (2018).
    """
    half_spread_ticks = (ask_ticks - bid_ticks) / 2.0
    return bid_ticks + half_spread_ticks + half_spread_ticks * imbalance(bid_lots, ask_lots)


@compiled
def next_variance(
    variance_ticks2_per_s: float, change_ticks: float, elapsed_ns: int, memory_ns: int
) -> float:
    """Return the variance of a price in ticks squared a second, after it changed once more.

    An exponentially weighted mean of change² / elapsed, whose weights fall to 1/e within
    ``memory_ns``, so it does not matter how the changes are spread over time.

    *Source:* J.P. Morgan, RiskMetrics technical document (1996), for even steps;
    Zumbach, Müller, Operators on inhomogeneous time series (2001), for uneven ones.
    """
    memory_s = memory_ns / NS_PER_S
    change_weight_per_s = 1.0 / memory_s
    forgotten = 0.0
    if elapsed_ns > 0:
        forgotten = -expm1(-elapsed_ns / memory_ns)
        change_weight_per_s = forgotten * NS_PER_S / elapsed_ns
    # In one instant nothing is forgotten and the weight is its limit, 1 / memory.
    return (1.0 - forgotten) * variance_ticks2_per_s + change_weight_per_s * change_ticks**2


@compiled
def volatility_ticks(variance_ticks2_per_s: float, horizon_ns: int) -> float:
    """Return how far a price of this variance moves within ``horizon_ns``: one deviation, ticks."""
    return sqrt(variance_ticks2_per_s * horizon_ns / NS_PER_S)
