"""Ten simulated traders on one symbol's book, compiled; one seed gives one market.

0-3 are makers that requote small ladders around their own idea of the fair price; 4 keeps the deep
book; 5 and 6 take at random, sometimes through many levels; 7 follows the last move; 8 knows the
fair price and takes mispriced orders; 9 acts every few seconds: it sweeps one side and requotes
wildly.  Time moves in steps of a millisecond.  In each step a trader acts with its own odds.  All
odds rise and fall together, so that the market has quiet and busy seconds.
"""

from typing import NamedTuple

from ipc.compiled import compiled
from ipc.layout import Field, Layout, reserved
from ipc.memory import load_word, record_at, store_word, zero_bytes
from ipc.types import Record
from vortex.codes import Side
from vortex.simulation.matching import add, best_ticks, cancel, has_room, is_resting, next_order_id
from vortex.simulation.matching_records import Prevention, TimeInForce
from vortex.simulation.random_numbers import (
    draw_bell,
    draw_below,
    draw_chance,
    draw_heavy,
    draw_word,
    seed_random,
)

STEP_NS = 1_000_000
SLOT_BYTES = 8
MAKER_COUNT = 4
MAKER_SLOT_COUNT = 16  # eight a side, the first ones at the touch
DEEP_SLOT_COUNT = 1200
BURST_SLOT_COUNT = 24
FAIR_SCALE = 65_536
REVERSION_STEPS = 1_200_000  # the fair price forgets a move in about twenty minutes

# Odds per million in one millisecond, at an activity of 10,000 basis points.
MAKER_ODDS = 190_000
DEEP_ODDS = 30_000
NOISE_ODDS = 7_000
MOMENTUM_ODDS = 4_000
INFORMED_ODDS = 60_000
BURST_ODDS = 250
SWEEP_ODDS = 160_000  # that the order of a noise taker is a sweep
BURST_STEP_COUNT = 3
BURST_FLICKER_COUNT = 115
BURST_SHIFT_TICKS = 8
SWEEP_TICKS = 40
TREND_TICKS = 6

POST, IOC = TimeInForce.POST.value, TimeInForce.IOC.value
NO_PREVENTION = Prevention.NONE.value

CROWD = Layout(
    "crowd",
    "The traders of one symbol: the generator, their estimates, and their resting orders.",
    Field("random_number", "i8", "state of the generator, random_numbers.RANDOM", (4,)),
    Field("book_address", "i8", "head of the matching engine that they trade on"),
    Field("anchor_ticks", "i8", "price to which the fair price returns in the long run"),
    Field("fair_fine_ticks", "i8", "fair price now, in 65,536ths of a tick"),
    Field("deviation_fine_ticks", "i8", "its standard deviation in one millisecond"),
    Field("trend_fine_ticks", "i8", "recent moves of the mid, fading, in 65,536ths of a tick"),
    Field("last_mid_ticks", "i8", "mid at the last step"),
    Field("activity_bps", "i8", "multiplies most odds; wanders between 6,000 and 16,000"),
    Field("maker_lots", "i8", "typical size of a maker's order"),
    Field("taker_lots", "i8", "typical size of a taker's order"),
    Field("burst_left_count", "i8", "steps left of the current burst"),
    Field("burst_index", "i8", "slot that the burst fills next"),
    Field("step_count", "i8", "milliseconds since the market opened"),
    Field("maker_order_id", "i8", "orders of the makers", (MAKER_COUNT * MAKER_SLOT_COUNT,)),
    Field("deep_order_id", "i8", "orders of the deep trader", (DEEP_SLOT_COUNT,)),
    Field("burst_order_id", "i8", "orders of the burster", (BURST_SLOT_COUNT,)),
    reserved(64),
)
CROWD_DTYPE = CROWD.dtype
CROWD_BYTES = CROWD_DTYPE.itemsize
MAKER_SLOTS_OFFSET = CROWD.offset_bytes("maker_order_id")
DEEP_SLOTS_OFFSET = CROWD.offset_bytes("deep_order_id")
BURST_SLOTS_OFFSET = CROWD.offset_bytes("burst_order_id")


class CrowdParameters(NamedTuple):
    """The parameters of one symbol's traders: prices in ticks, sizes in lots."""

    anchor_ticks: int
    deviation_ticks_per_second: int
    maker_lots: int
    taker_lots: int


def open_crowd(address: int, book_address: int, parameters: CrowdParameters, seed: str) -> None:
    """Set up the traders at ``address`` (``CROWD_BYTES``) and let them fill the empty book."""
    zero_bytes(address, CROWD_BYTES)
    seed_random(address, seed)
    crowd: Record = record_at(address, CROWD_DTYPE)
    crowd.book_address = book_address
    crowd.anchor_ticks = parameters.anchor_ticks
    crowd.fair_fine_ticks = parameters.anchor_ticks * FAIR_SCALE
    crowd.deviation_fine_ticks = int(parameters.deviation_ticks_per_second * FAIR_SCALE / 1000**0.5)
    crowd.maker_lots = parameters.maker_lots
    crowd.taker_lots = parameters.taker_lots
    crowd.activity_bps = 10_000
    crowd.last_mid_ticks = parameters.anchor_ticks
    fill_book(address)


@compiled
def fair_ticks(crowd: Record) -> int:
    """Return the fair price, rounded down to a tick."""
    price_ticks: int = crowd.fair_fine_ticks // FAIR_SCALE
    return price_ticks


@compiled
def draw_side(address: int) -> int:
    """Return ``Side.BUY`` or ``Side.SELL``, evenly."""
    return 1 - 2 * (draw_word(address) & 1)


@compiled
def passive_ticks(book_address: int, side: int, target_ticks: int) -> int:
    """Return ``target_ticks``, moved back so that an order of ``side`` there takes nothing."""
    other = best_ticks(book_address, -side)
    if other != 0 and (target_ticks - other) * side >= 0:
        return other - side
    return target_ticks


@compiled
def requote(
    book_address: int, slot_address: int, side: int, target_ticks: int, qty_lots: int
) -> None:
    """Replace the order of a slot by a resting one as near to ``target_ticks`` as possible."""
    order_id = load_word(slot_address)
    if order_id != 0 and is_resting(book_address, order_id):
        cancel(book_address, order_id)
    price_ticks = passive_ticks(book_address, side, target_ticks)
    order_id = next_order_id(book_address)
    add(book_address, order_id, 0, side, price_ticks, qty_lots, POST, NO_PREVENTION)
    store_word(slot_address, order_id)


@compiled
def take_liquidity(book_address: int, side: int, limit_ticks: int, qty_lots: int) -> None:
    """Take up to ``qty_lots`` at ``limit_ticks`` or better."""
    order_id = next_order_id(book_address)
    add(book_address, order_id, 0, side, limit_ticks, qty_lots, IOC, NO_PREVENTION)


@compiled
def act_maker(address: int, maker_index: int) -> None:
    """Requote one order of a maker's ladder, mostly one near the touch."""
    crowd = record_at(address, CROWD_DTYPE)
    side = draw_side(address)
    rank = draw_below(address, 8) * draw_below(address, 8) // 8
    believed_ticks = fair_ticks(crowd) + draw_bell(address, 1)
    distance_ticks = 1 + 2 * rank + draw_below(address, 2 + rank)
    slot = maker_index * MAKER_SLOT_COUNT + 2 * rank + (side == Side.BUY)
    requote(
        crowd.book_address,
        address + MAKER_SLOTS_OFFSET + slot * SLOT_BYTES,
        side,
        believed_ticks - side * distance_ticks,
        draw_heavy(address, crowd.maker_lots),
    )


@compiled
def act_deep(address: int, slot_index: int) -> None:
    """Requote one order of the deep book: slots alternate sides and get ever wider."""
    crowd = record_at(address, CROWD_DTYPE)
    side = 1 - 2 * (slot_index & 1)
    rank = slot_index >> 1
    distance_ticks = 14 + 2 * rank + rank * rank // 40 + draw_below(address, 6)
    requote(
        crowd.book_address,
        address + DEEP_SLOTS_OFFSET + slot_index * SLOT_BYTES,
        side,
        fair_ticks(crowd) - side * distance_ticks,
        draw_heavy(address, crowd.maker_lots),
    )


@compiled
def act_noise(address: int) -> None:
    """Take for no reason: a small order at the touch, or a sweep through many levels."""
    crowd = record_at(address, CROWD_DTYPE)
    side = draw_side(address)
    best = best_ticks(crowd.book_address, -side)
    if best == 0:
        return
    reach_ticks = 2
    qty_lots = draw_heavy(address, crowd.taker_lots)
    if draw_chance(address, SWEEP_ODDS):
        reach_ticks = draw_below(address, SWEEP_TICKS)
        qty_lots = 400 * crowd.maker_lots
    take_liquidity(crowd.book_address, side, best + side * reach_ticks, qty_lots)


@compiled
def act_momentum(address: int) -> None:
    """Take in the direction of the recent move, if there is one."""
    crowd = record_at(address, CROWD_DTYPE)
    if abs(crowd.trend_fine_ticks) < TREND_TICKS * FAIR_SCALE:
        return
    side = 1 if crowd.trend_fine_ticks > 0 else -1
    best = best_ticks(crowd.book_address, -side)
    if best != 0:
        qty_lots = draw_heavy(address, crowd.taker_lots)
        take_liquidity(crowd.book_address, side, best + side, qty_lots)


@compiled
def act_informed(address: int) -> None:
    """Take orders that are better than the fair price."""
    crowd = record_at(address, CROWD_DTYPE)
    for side in (Side.BUY.value, Side.SELL.value):
        best = best_ticks(crowd.book_address, -side)
        if best != 0 and (fair_ticks(crowd) - best) * side >= 2:
            limit_ticks = fair_ticks(crowd) - side
            take_liquidity(crowd.book_address, side, limit_ticks, 6 * crowd.maker_lots)


@compiled
def act_burst(address: int) -> None:
    """Flicker at the touch: place and withdraw small orders very fast."""
    crowd = record_at(address, CROWD_DTYPE)
    crowd.burst_left_count -= 1
    for _ in range(BURST_FLICKER_COUNT):
        if not has_room(crowd.book_address):
            break
        side = draw_side(address)
        best = best_ticks(crowd.book_address, side)
        if best == 0:
            best = fair_ticks(crowd) - side
        slot_address = address + BURST_SLOTS_OFFSET + crowd.burst_index * SLOT_BYTES
        crowd.burst_index = (crowd.burst_index + 1) % BURST_SLOT_COUNT
        improve_ticks = side if draw_chance(address, 150_000) else 0
        qty_lots = 1 + draw_below(address, crowd.taker_lots)
        requote(crowd.book_address, slot_address, side, best + improve_ticks, qty_lots)


@compiled
def begin_burst(address: int) -> None:
    """Sweep one side, shift the fair price that way, and flicker for the next steps."""
    crowd = record_at(address, CROWD_DTYPE)
    crowd.burst_left_count = BURST_STEP_COUNT
    side = draw_side(address)
    best = best_ticks(crowd.book_address, -side)
    crowd.fair_fine_ticks += side * BURST_SHIFT_TICKS * FAIR_SCALE
    if best != 0:
        limit_ticks = best + side * (SWEEP_TICKS + draw_below(address, SWEEP_TICKS))
        take_liquidity(crowd.book_address, side, limit_ticks, 2000 * crowd.maker_lots)


@compiled
def end_burst(address: int) -> None:
    """Withdraw the burst's orders that still rest."""
    crowd = record_at(address, CROWD_DTYPE)
    for slot in range(BURST_SLOT_COUNT):
        slot_address = address + BURST_SLOTS_OFFSET + slot * SLOT_BYTES
        order_id = load_word(slot_address)
        if order_id != 0 and is_resting(crowd.book_address, order_id):
            cancel(crowd.book_address, order_id)
        store_word(slot_address, 0)


@compiled
def drift(address: int) -> None:
    """Move the fair price, the trend and the activity by one millisecond."""
    crowd = record_at(address, CROWD_DTYPE)
    away = crowd.fair_fine_ticks - crowd.anchor_ticks * FAIR_SCALE
    crowd.fair_fine_ticks += (
        draw_bell(address, crowd.deviation_fine_ticks) - away // REVERSION_STEPS
    )
    bid = best_ticks(crowd.book_address, Side.BUY.value)
    ask = best_ticks(crowd.book_address, Side.SELL.value)
    if bid != 0 and ask != 0:
        mid = (bid + ask) // 2
        moved = (mid - crowd.last_mid_ticks) * FAIR_SCALE
        crowd.trend_fine_ticks += moved - crowd.trend_fine_ticks // 256
        crowd.last_mid_ticks = mid
    if draw_chance(address, 20_000):
        step_bps = draw_side(address) * 400
        crowd.activity_bps = min(16_000, max(6_000, crowd.activity_bps + step_bps))


@compiled
def wants(address: int, per_million: int) -> bool:
    """Return whether a trader acts now, at this chance; False when the event buffer has no room."""
    crowd = record_at(address, CROWD_DTYPE)
    acts = draw_chance(address, per_million * crowd.activity_bps // 10_000)
    return acts and has_room(crowd.book_address)


@compiled
def step(address: int) -> None:
    """Simulate one millisecond of the market; the caller takes the book's events after it."""
    crowd = record_at(address, CROWD_DTYPE)
    crowd.step_count += 1
    drift(address)
    for maker in range(MAKER_COUNT):
        if wants(address, MAKER_ODDS):
            act_maker(address, maker)
    if wants(address, DEEP_ODDS):
        act_deep(address, draw_below(address, DEEP_SLOT_COUNT))
    for _ in range(2):
        if wants(address, NOISE_ODDS):
            act_noise(address)
    if wants(address, MOMENTUM_ODDS):
        act_momentum(address)
    if wants(address, INFORMED_ODDS):
        act_informed(address)
    if crowd.burst_left_count > 0:
        act_burst(address)
        if crowd.burst_left_count == 0:
            end_burst(address)
    elif wants(address, BURST_ODDS):
        begin_burst(address)


@compiled
def fill_book(address: int) -> None:
    """Place the deep book and the makers' ladders once, from the outside in."""
    crowd = record_at(address, CROWD_DTYPE)
    for slot in range(DEEP_SLOT_COUNT - 1, -1, -1):
        if has_room(crowd.book_address):
            act_deep(address, slot)
    for _ in range(200):
        for maker in range(MAKER_COUNT):
            if has_room(crowd.book_address):
                act_maker(address, maker)
