"""A price-time-priority matching engine for one symbol, compiled.

The caller allocates ``store_bytes(order_capacity)`` bytes, lays them out with ``open_store`` and
calls one operation at a time.  Each operation appends its events to the event buffer.  The caller
takes them (``event_count = 0``) before the buffer is full: ``has_room`` returns when.
"""

from ipc.compiled import compiled
from ipc.memory import record_at
from ipc.types import Record
from vortex.simulation.matching_records import (
    MARKET_PRICE_TICKS,
    NONE,
    MatchEvent,
    MatchReject,
    Prevention,
    TimeInForce,
)
from vortex.simulation.matching_store import (
    MATCHING_DTYPE,
    add_event,
    change_level,
    find_order,
    has_level,
    insert_id,
    insert_level,
    level_at,
    level_position,
    order_at,
    remove_id,
    remove_level,
    side_of,
)


@compiled
def next_order_id(address: int) -> int:
    """Return an order id that this book has never used."""
    book = record_at(address, MATCHING_DTYPE)
    book.last_order_id += 1
    order_id: int = book.last_order_id
    return order_id


@compiled
def has_room(address: int) -> bool:
    """Return whether the event buffer can take the largest operation."""
    book = record_at(address, MATCHING_DTYPE)
    free_count: int = book.event_capacity_count - book.event_count
    worst_count: int = 4 * book.order_count + 16
    return worst_count < free_count


@compiled
def is_resting(address: int, order_id: int) -> bool:
    """Return whether the order rests in the book."""
    return find_order(record_at(address, MATCHING_DTYPE), order_id) != NONE


@compiled
def best_ticks(address: int, side: int) -> int:
    """Return the best price of one side; 0 when it is empty."""
    levels = side_of(record_at(address, MATCHING_DTYPE), side)
    if levels.level_count == 0:
        return 0
    price_ticks: int = level_at(levels, levels.level_count - 1).price_ticks
    return price_ticks


@compiled
def crosses(side: int, limit_ticks: int, other_ticks: int) -> bool:
    """Return whether an order of ``side`` with this limit would take at ``other_ticks``."""
    return (limit_ticks - other_ticks) * side >= 0


@compiled
def unlink(book: Record, index: int) -> None:
    """Take the order out of its level's queue and free its row."""
    order = order_at(book, index)
    side = side_of(book, order.side)
    position = level_position(side, order.price_ticks)
    level = level_at(side, position)
    level.qty_lots -= order.qty_lots
    level.order_count -= 1
    if order.previous_index == NONE:
        level.first_index = order.next_index
    else:
        order_at(book, order.previous_index).next_index = order.next_index
    if order.next_index == NONE:
        level.last_index = order.previous_index
    else:
        order_at(book, order.next_index).previous_index = order.previous_index
    price_ticks, left_lots = level.price_ticks, level.qty_lots
    if level.order_count == 0:
        remove_level(side, position)
    remove_id(book, order.order_id)
    order.order_id = 0
    order.next_index = book.free_index
    book.free_index = index
    book.order_count -= 1
    change_level(book, side, price_ticks, left_lots)


@compiled
def lower(book: Record, index: int, by_lots: int) -> None:
    """Take ``by_lots`` from a resting order, which keeps the rest and its place."""
    order = order_at(book, index)
    side = side_of(book, order.side)
    level = level_at(side, level_position(side, order.price_ticks))
    order.qty_lots -= by_lots
    level.qty_lots -= by_lots
    change_level(book, side, level.price_ticks, level.qty_lots)


@compiled
def rest(
    book: Record, order_id: int, owner_id: int, side_sign: int, price_ticks: int, qty_lots: int
) -> None:
    """Put an order at the end of its level's queue."""
    index = book.free_index
    order = order_at(book, index)
    book.free_index = order.next_index
    book.order_count += 1
    side = side_of(book, side_sign)
    position = level_position(side, price_ticks)
    if not has_level(side, position, price_ticks):
        insert_level(side, position, price_ticks)
    level = level_at(side, position)
    order.order_id, order.owner_id, order.side = order_id, owner_id, side_sign
    order.price_ticks, order.qty_lots = price_ticks, qty_lots
    order.previous_index, order.next_index = level.last_index, NONE
    if level.last_index == NONE:
        level.first_index = index
    else:
        order_at(book, level.last_index).next_index = index
    level.last_index = index
    level.qty_lots += qty_lots
    level.order_count += 1
    insert_id(book, order_id, index)
    add_event(book, MatchEvent.RESTED, side_sign, order_id, owner_id, price_ticks, qty_lots)
    change_level(book, side, price_ticks, level.qty_lots)


@compiled
def is_own(owner_id: int, prevention: int, maker: Record) -> bool:
    """Return whether both orders belong to one owner with self-trade prevention."""
    return prevention != Prevention.NONE and owner_id != 0 and owner_id == maker.owner_id


@compiled
def fillable_lots(
    book: Record,
    owner_id: int,
    side_sign: int,
    price_ticks: int,
    wanted_lots: int,
    prevention: int,
) -> int:
    """Return how many of ``wanted_lots`` would fill at once."""
    makers = side_of(book, -side_sign)
    found_lots = 0
    position = makers.level_count - 1
    while position >= 0 and found_lots < wanted_lots:
        level = level_at(makers, position)
        if not crosses(side_sign, price_ticks, level.price_ticks):
            break
        index = level.first_index
        while index != NONE and found_lots < wanted_lots:
            maker = order_at(book, index)
            if not is_own(owner_id, prevention, maker):
                found_lots += maker.qty_lots
            elif prevention == Prevention.EXPIRE_TAKER or prevention == Prevention.EXPIRE_BOTH:
                return min(found_lots, wanted_lots)
            index = maker.next_index
        position -= 1
    return min(found_lots, wanted_lots)


@compiled
def trade(
    book: Record, order_id: int, owner_id: int, side_sign: int, maker_index: int, qty_lots: int
) -> None:
    """Fill ``qty_lots`` of a resting order against a taker, at the resting order's price."""
    maker = order_at(book, maker_index)
    book.trade_id += 1
    event = add_event(
        book, MatchEvent.TRADE, side_sign, order_id, owner_id, maker.price_ticks, qty_lots
    )
    event.maker_id, event.maker_owner_id = maker.order_id, maker.owner_id
    event.trade_id = book.trade_id
    if qty_lots == maker.qty_lots:
        unlink(book, maker_index)
    else:
        lower(book, maker_index, qty_lots)


@compiled
def apply_prevention(
    book: Record, order_id: int, maker_index: int, qty_lots: int, prevention: int
) -> int:
    """Apply self-trade prevention to a resting order; return the lots that the taker loses.

    ``qty_lots`` is what is left of the taker.
    """
    maker = order_at(book, maker_index)
    maker_id, maker_lots, both_lots = maker.order_id, maker.qty_lots, min(qty_lots, maker.qty_lots)
    owner_id, side_sign, price_ticks = maker.owner_id, maker.side, maker.price_ticks
    lost_lots, taker_lost_lots = both_lots, both_lots
    if prevention == Prevention.EXPIRE_TAKER:
        lost_lots, taker_lost_lots = 0, qty_lots
    elif prevention == Prevention.EXPIRE_MAKER:
        lost_lots, taker_lost_lots = maker_lots, 0
    elif prevention == Prevention.EXPIRE_BOTH:
        lost_lots, taker_lost_lots = maker_lots, qty_lots
    kind = MatchEvent.PREVENTED
    if lost_lots > 0:
        event = add_event(book, kind, side_sign, maker_id, owner_id, price_ticks, lost_lots)
        event.maker_id, event.maker_owner_id = order_id, owner_id
    if taker_lost_lots > 0:
        event = add_event(book, kind, -side_sign, order_id, owner_id, price_ticks, taker_lost_lots)
        event.maker_id, event.maker_owner_id = maker_id, owner_id
    if lost_lots == maker_lots:
        unlink(book, maker_index)
    elif lost_lots > 0:
        lower(book, maker_index, lost_lots)
    return taker_lost_lots


@compiled
def take(
    book: Record,
    order_id: int,
    owner_id: int,
    side_sign: int,
    price_ticks: int,
    qty_lots: int,
    prevention: int,
) -> int:
    """Match an order against the other side, best first, oldest first; return what is left.

    ``prevention`` decides what happens when it meets an order of the same owner.
    """
    makers = side_of(book, -side_sign)
    while qty_lots > 0 and makers.level_count > 0:
        level = level_at(makers, makers.level_count - 1)
        if not crosses(side_sign, price_ticks, level.price_ticks):
            break
        maker_index = level.first_index
        maker = order_at(book, maker_index)
        if is_own(owner_id, prevention, maker):
            qty_lots -= apply_prevention(book, order_id, maker_index, qty_lots, prevention)
            continue
        fill_lots = min(qty_lots, maker.qty_lots)
        qty_lots -= fill_lots
        trade(book, order_id, owner_id, side_sign, maker_index, fill_lots)
    return qty_lots


@compiled
def refusal(
    book: Record,
    order_id: int,
    owner_id: int,
    side: int,
    price_ticks: int,
    qty_lots: int,
    time_in_force: int,
    prevention: int,
) -> int:
    """Return the MatchReject of an order; 0 when it is accepted."""
    if qty_lots <= 0:
        return MatchReject.SIZE.value
    if find_order(book, order_id) != NONE:
        return MatchReject.DUPLICATE.value
    if book.free_index == NONE:
        return MatchReject.FULL.value
    if time_in_force == TimeInForce.FOK:
        found_lots = fillable_lots(book, owner_id, side, price_ticks, qty_lots, prevention)
        if found_lots < qty_lots:
            return MatchReject.UNFILLABLE.value
    if time_in_force == TimeInForce.POST:
        makers = side_of(book, -side)
        if makers.level_count > 0:
            best = level_at(makers, makers.level_count - 1).price_ticks
            if crosses(side, price_ticks, best):
                return MatchReject.WOULD_TAKE.value
    return 0


@compiled
def add(
    address: int,
    order_id: int,
    owner_id: int,
    side: int,
    price_ticks: int,
    qty_lots: int,
    time_in_force: int,
    prevention: int,
) -> int:
    """Enter an order; return how many lots of it rest, or minus a MatchReject.

    ``price_ticks`` is ±MARKET_PRICE_TICKS for a market order (plus to buy, minus to sell), which
    never rests, with any ``time_in_force``.  Order ids are above zero.  ``prevention`` is a
    Prevention.
    """
    book = record_at(address, MATCHING_DTYPE)
    reject = refusal(
        book, order_id, owner_id, side, price_ticks, qty_lots, time_in_force, prevention
    )
    if reject != 0:
        add_event(book, MatchEvent.REJECTED, side, order_id, owner_id, price_ticks, reject)
        return -reject
    left_lots = take(book, order_id, owner_id, side, price_ticks, qty_lots, prevention)
    if left_lots == 0:
        return 0
    is_market = abs(price_ticks) == MARKET_PRICE_TICKS
    if time_in_force == TimeInForce.IOC or is_market:
        add_event(book, MatchEvent.CANCELED, side, order_id, owner_id, price_ticks, left_lots)
        return 0
    rest(book, order_id, owner_id, side, price_ticks, left_lots)
    return left_lots


@compiled
def reject_unknown(book: Record, order_id: int) -> int:
    """Add a REJECTED event for an order that does not rest; return minus MatchReject.UNKNOWN."""
    add_event(book, MatchEvent.REJECTED, 0, order_id, 0, 0, MatchReject.UNKNOWN)
    return -MatchReject.UNKNOWN


@compiled
def cancel(address: int, order_id: int) -> int:
    """Take a resting order out; return its lots, or minus a MatchReject."""
    book = record_at(address, MATCHING_DTYPE)
    index = find_order(book, order_id)
    if index == NONE:
        return reject_unknown(book, order_id)
    order = order_at(book, index)
    qty_lots: int = order.qty_lots
    add_event(
        book,
        MatchEvent.CANCELED,
        order.side,
        order_id,
        order.owner_id,
        order.price_ticks,
        qty_lots,
    )
    unlink(book, index)
    return qty_lots


@compiled
def reduce(address: int, order_id: int, by_lots: int) -> int:
    """Take ``by_lots`` from a resting order, which keeps its place; return what is left of it.

    A reduction by its whole quantity or more cancels it.  Return minus a MatchReject if refused.
    """
    book = record_at(address, MATCHING_DTYPE)
    index = find_order(book, order_id)
    if index == NONE:
        return reject_unknown(book, order_id)
    order = order_at(book, index)
    if by_lots <= 0:
        add_event(
            book, MatchEvent.REJECTED, order.side, order_id, order.owner_id, 0, MatchReject.SIZE
        )
        return -MatchReject.SIZE
    if by_lots >= order.qty_lots:
        cancel(address, order_id)
        return 0
    left_lots: int = order.qty_lots - by_lots
    add_event(
        book,
        MatchEvent.REDUCED,
        order.side,
        order_id,
        order.owner_id,
        order.price_ticks,
        by_lots,
    )
    lower(book, index, by_lots)
    return left_lots


@compiled
def move(address: int, order_id: int, price_ticks: int) -> int:
    """Move a resting order to a new price, last in the queue there; it may take liquidity.

    Resting orders of the same owner that it meets expire.  Return how many lots of it rest, or
    minus a MatchReject.
    """
    book = record_at(address, MATCHING_DTYPE)
    index = find_order(book, order_id)
    if index == NONE:
        return reject_unknown(book, order_id)
    order = order_at(book, index)
    owner_id, side, qty_lots = order.owner_id, order.side, order.qty_lots
    unlink(book, index)
    prevention = Prevention.EXPIRE_MAKER.value
    left_lots = take(book, order_id, owner_id, side, price_ticks, qty_lots, prevention)
    if left_lots > 0:
        rest(book, order_id, owner_id, side, price_ticks, left_lots)
    return left_lots
