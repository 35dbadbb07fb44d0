"""A market made from a recording: levels, touch and trades are set, our orders rest beside them.

An order joins behind what the book shows at its price.  Trades at that price eat the queue before
it and then the order; a trade through its price, or a best price that crosses it, fills it whole.
An order that takes fills whole at the last best price of the other side.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from procs.exchange.accounts.desks import Desks
from procs.exchange.accounts.venue import Rows, Venue
from procs.exchange.core.exchange_order import Expiry, Order
from procs.exchange.core.instrument import Instrument
from procs.exchange.core.tape import Tape, TapeTrade
from vortex.codes import Side

OWN_TRADE_ID = 9_000_000_000
OWN_ORDER_ID = 12_000_000_000


@dataclass(slots=True)
class Resting:
    """One order beside the recorded book."""

    order: Order
    ahead_lots: int


class ReplayedMarket:
    """One recorded symbol."""

    def __init__(self, instrument: Instrument, venue: Venue, desks: Desks[Any]) -> None:
        self.instrument = instrument
        self.tape = Tape(instrument)
        self._venue = venue
        self._desks = desks
        self._levels_e8: dict[int, dict[int, int]] = {Side.BUY: {}, Side.SELL: {}}
        self._touch: dict[int, int] = {Side.BUY: 0, Side.SELL: 0}
        self._touch_lots: dict[int, int] = {Side.BUY: 0, Side.SELL: 0}
        self._last_ticks = 0
        self._resting: dict[int, Resting] = {}
        self._order_id = OWN_ORDER_ID
        self._trade_id = OWN_TRADE_ID

    # What the recording tells.

    def clear_levels(self) -> None:
        """Forget the book."""
        self._levels_e8 = {Side.BUY: {}, Side.SELL: {}}

    def set_levels(self, side: int, rows: Iterable[tuple[int, int]]) -> None:
        """Set levels of a side: prices and quantities in 1e-8, a quantity of 0 takes one out."""
        levels = self._levels_e8[side]
        for price_e8, qty_e8 in rows:
            price_ticks = price_e8 // self.instrument.tick_e8
            if qty_e8:
                levels[price_ticks] = qty_e8
            else:
                levels.pop(price_ticks, None)

    def touch_from_levels(self) -> None:
        """Take the best prices from the book."""
        bids, asks = self._levels_e8[Side.BUY], self._levels_e8[Side.SELL]
        bid_ticks, ask_ticks = max(bids, default=0), min(asks, default=0)
        lot_e8 = self.instrument.lot_e8
        bid_lots, ask_lots = bids.get(bid_ticks, 0) // lot_e8, asks.get(ask_ticks, 0) // lot_e8
        self.set_touch(bid_ticks, bid_lots, ask_ticks, ask_lots)

    def set_touch(self, bid_ticks: int, bid_lots: int, ask_ticks: int, ask_lots: int) -> None:
        """Set the best prices; an order that they cross fills whole."""
        self._touch = {Side.BUY: bid_ticks, Side.SELL: ask_ticks}
        self._touch_lots = {Side.BUY: bid_lots, Side.SELL: ask_lots}
        for resting in tuple(self._resting.values()):
            order = resting.order
            if self.would_take(order.side, order.price_ticks):
                self._fill(order, order.price_ticks, order.left_lots, is_maker=True)

    def trade(self, price_ticks: int, qty_lots: int, taker_side: int, trade_id: int) -> None:
        """Take a trade: it eats the queue before our orders, and then those."""
        self._last_ticks = price_ticks
        now_ms = self._venue.clock.now_ms()
        self.tape.add(TapeTrade(trade_id, price_ticks, qty_lots, taker_side, trade_id, now_ms))
        for resting in tuple(self._resting.values()):
            order = resting.order
            through_ticks = (order.price_ticks - price_ticks) * order.side
            if through_ticks > 0:
                self._fill(order, order.price_ticks, order.left_lots, is_maker=True)
            elif through_ticks == 0 and order.side != taker_side:
                eaten_lots = min(resting.ahead_lots, qty_lots)
                resting.ahead_lots -= eaten_lots
                fill_lots = min(qty_lots - eaten_lots, order.left_lots)
                if fill_lots:
                    self._fill(order, order.price_ticks, fill_lots, is_maker=True)

    def _fill(self, order: Order, price_ticks: int, qty_lots: int, *, is_maker: bool) -> None:
        self._trade_id += 1
        if qty_lots == order.left_lots:
            self._resting.pop(order.order_id, None)
        desk = self._desks.of(order.owner_id)
        desk.on_trade(order, price_ticks, qty_lots, self._trade_id, is_maker)

    # What the desks ask for.

    def next_order_id(self) -> int:
        """Return a number that no order of the symbol has had."""
        self._order_id += 1
        return self._order_id

    def submit(self, order: Order) -> None:
        """Fill the order at the last best price, or let it rest behind what is displayed."""
        best_ticks = self._touch[-order.side]
        is_market = order.order_type == "MARKET"
        if best_ticks and (is_market or self.would_take(order.side, order.price_ticks)):
            self._fill(order, best_ticks, order.left_lots, is_maker=False)
        elif is_market:
            self._desks.of(order.owner_id).on_expired(order, Expiry.EMPTY)
        elif order.time_in_force != "GTC":
            self._desks.of(order.owner_id).on_expired(
                order, Expiry.IOC if order.time_in_force == "IOC" else Expiry.FOK
            )
        else:
            shown_e8 = self._levels_e8[order.side].get(order.price_ticks, 0)
            ahead_lots = shown_e8 // self.instrument.lot_e8
            if order.price_ticks == self._touch[order.side]:
                ahead_lots = self._touch_lots[order.side]
            self._resting[order.order_id] = Resting(order, ahead_lots)

    def withdraw(self, order: Order) -> None:
        """Take a resting order out."""
        del self._resting[order.order_id]

    def reduce(self, order: Order, by_lots: int) -> None:
        """Do nothing: what is left of an order is read from the order itself."""

    def would_take(self, side: int, price_ticks: int) -> bool:
        """Return whether a limit order would fill at once."""
        best_ticks = self._touch[-side]
        return best_ticks != 0 and (price_ticks - best_ticks) * side >= 0

    def market_cost_e8(self, qty_lots: int) -> int:
        """Return what buying at the market would cost now, in 1e-8 of the quote asset."""
        return self.instrument.quote_e8(self._touch[Side.SELL], qty_lots)

    def lots_for_e8(self, side: int, quote_e8: int) -> int:
        """Return how many lots an order at the market gets, or gives, for this much quote."""
        lot_cost_e8 = self.instrument.quote_e8(self._touch[-side], 1)
        return quote_e8 // lot_cost_e8 if lot_cost_e8 else 0

    def touch(self) -> tuple[int, int, int, int]:
        """Return best bid and its lots, best ask and its lots; 0 where there is none."""
        (bid_ticks, ask_ticks), lots = self._touch.values(), self._touch_lots
        return bid_ticks, lots[Side.BUY], ask_ticks, lots[Side.SELL]

    def last_ticks(self) -> int:
        """Return the price of the last trade, or of the touch; 0 when there is none."""
        return self._last_ticks or self._touch[Side.BUY]

    def levels_e8(self, side: int, limit: int) -> Rows:
        """Return the best levels of one side, best first: ticks, and quantities in 1e-8."""
        rows = sorted(self._levels_e8[side].items(), reverse=side == Side.BUY)
        return rows[:limit]
