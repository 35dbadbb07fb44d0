"""A market made by the matching engine and ten simulated traders."""

from typing import Any

import numpy as np

from ipc.memory import address_of, record_at, records_at
from procs.exchange.accounts.desks import Desks
from procs.exchange.accounts.venue import Rows, Venue
from procs.exchange.core.exchange_order import Expiry, Order
from procs.exchange.core.instrument import Instrument, to_e8
from procs.exchange.core.tape import Tape, TapeTrade
from procs.exchange.markets.market_feed import MarketFeed
from vortex.codes import Side
from vortex.simulation import matching, traders
from vortex.simulation.matching_records import (
    BOOK_SIDE,
    MARKET_PRICE_TICKS,
    MATCH_EVENT,
    MATCH_LEVEL,
    MATCHING,
    MatchEvent,
    Prevention,
    TimeInForce,
)
from vortex.simulation.matching_store import open_store, store_bytes

FIRST_UPDATE_ID = 50_000_000_000
FIRST_TRADE_ID = 3_700_000_000
#: How far the ids of one life of the exchange are above those of the life before.
IDS_PER_LIFE = 10**9
FIRST_ORDER_ID = 12_000_000_000
EVENT_FIELDS = len(MATCH_EVENT.fields)
EVENT_COUNT_WORD = MATCHING.offset_bytes("event_count") // 8
TIMES_IN_FORCE = {"GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC, "FOK": TimeInForce.FOK}
EXPIRIES = {"IOC": Expiry.IOC, "FOK": Expiry.FOK, "GTC": Expiry.EMPTY}
NO_PREVENTION = Prevention.NONE.value
TRADE, CANCELED, REJECTED = MatchEvent.TRADE, MatchEvent.CANCELED, MatchEvent.REJECTED
ORDER_EVENTS = (CANCELED.value, MatchEvent.REDUCED.value)
PREVENTED, LEVEL, TOP = MatchEvent.PREVENTED, MatchEvent.LEVEL, MatchEvent.TOP


class SimulatedMarket:
    """One symbol; steps in milliseconds of market time, whatever the wall clock does."""

    def __init__(
        self,
        instrument: Instrument,
        venue: Venue,
        desks: Desks[Any],
        *,
        order_capacity: int,
        seed: int,
        life: int = 0,
    ) -> None:
        self.instrument = instrument
        self.tape = Tape(instrument)
        self._feeds: list[MarketFeed] = []
        config = instrument.config
        self._venue = venue
        self._desks = desks
        self._store = np.zeros(store_bytes(order_capacity), dtype=np.uint8)
        self._book_address = address_of(self._store)
        open_store(self._book_address, order_capacity)
        self._head = record_at(self._book_address, MATCHING.dtype)
        self._words = self._store[: MATCHING.dtype.itemsize].view(np.int64)
        self._events = records_at(
            int(self._head.events_address),
            MATCH_EVENT.dtype,
            int(self._head.event_capacity_count),
        )
        self._rows = self._events.view(np.int64).reshape(-1, EVENT_FIELDS)
        self._head.update_id = FIRST_UPDATE_ID + life * IDS_PER_LIFE
        self._head.trade_id = FIRST_TRADE_ID + life * IDS_PER_LIFE
        self._head.last_order_id = FIRST_ORDER_ID
        self._last_ticks = 0
        self._crowd = np.zeros(traders.CROWD_BYTES, dtype=np.uint8)
        self._crowd_address = address_of(self._crowd)
        parameters = traders.CrowdParameters(
            anchor_ticks=to_e8(config.anchor_price) // instrument.tick_e8,
            deviation_ticks_per_second=config.deviation_ticks_per_second,
            maker_lots=to_e8(config.maker_qty) // instrument.lot_e8,
            taker_lots=to_e8(config.taker_qty) // instrument.lot_e8,
        )
        traders.open_crowd(
            self._crowd_address, self._book_address, parameters, f"{seed} {config.symbol}"
        )
        self._traders = record_at(self._crowd_address, traders.CROWD.dtype)
        self._leader: Any = None
        self._leader_tick_e8 = 0
        self._compile()
        self.drain()

    def follow(self, leader: "SimulatedMarket") -> None:
        """Let the traders of this market believe in the fair price of another one."""
        self._leader, self._leader_tick_e8 = leader._traders, leader.instrument.tick_e8

    def add_feed(self, feed: MarketFeed) -> None:
        """Let a feed hear of everything that happens from now on."""
        feed.begin(int(self._head.update_id))
        self._feeds.append(feed)

    def _compile(self) -> None:
        """Meet every compiled function once, so that no request waits for the compiler."""
        traders.step(self._crowd_address)
        order_id = self.next_order_id()
        buy, far_ticks = Side.BUY.value, 1
        time_in_force = TimeInForce.GTC.value
        matching.add(
            self._book_address, order_id, 0, buy, far_ticks, 2, time_in_force, NO_PREVENTION
        )
        matching.reduce(self._book_address, order_id, 1)
        matching.cancel(self._book_address, order_id)
        matching.best_ticks(self._book_address, buy)

    def step(self) -> None:
        """Simulate one millisecond and publish its events; nothing while the market is halted."""
        if self._leader is not None:
            fair_e8 = self._leader.fair_fine_ticks * self._leader_tick_e8
            self._traders.fair_fine_ticks = fair_e8 // self.instrument.tick_e8
        if self._venue.status(self.instrument.key) == "TRADING":
            traders.step(self._crowd_address)
            self.drain()

    def drain(self) -> None:
        """Take the book's events: publish them, and tell the desk what concerns the account."""
        count = int(self._words[EVENT_COUNT_WORD])
        if count == 0:
            return
        rows = self._rows[:count].tolist()
        self._words[EVENT_COUNT_WORD] = 0
        feeds = self._feeds
        for row in rows:
            kind = row[0]
            if kind == LEVEL:
                for feed in feeds:
                    feed.publish_level(row[1], row[6], row[7], row[8])
            elif kind == TOP:
                for feed in feeds:
                    feed.publish_top(row[1], row[2], row[3], row[4], row[8])
            elif kind == TRADE:
                self._last_ticks = row[6]
                now_ms = self._venue.clock.now_ms()
                trade = TapeTrade(row[9], row[6], row[7], row[1], row[2], now_ms)
                self.tape.add(trade)
                for feed in feeds:
                    feed.publish_trade(trade)
                if row[3] or row[5]:
                    self._tell_desk_trade(row)
            elif row[3]:
                self._tell_desk(row)
        for feed in feeds:
            feed.end_batch()

    def _tell_desk_trade(self, row: list[int]) -> None:
        _, _, order_id, owner_id, maker_id, maker_owner_id, price, qty, _, trade_id = row
        key = self.instrument.key
        for owner, number, is_maker in (
            (owner_id, order_id, False),
            (maker_owner_id, maker_id, True),
        ):
            if owner:
                desk = self._desks.of(owner)
                desk.on_trade(desk.orders[key, number], price, qty, trade_id, is_maker)

    def _tell_desk(self, row: list[int]) -> None:
        key, kind, desk = self.instrument.key, row[0], self._desks.of(row[3])
        order = desk.orders[key, row[2]]
        if kind == PREVENTED:
            desk.on_prevented(order, desk.orders[key, row[4]], row[6], row[7])
        elif kind == REJECTED or (kind == CANCELED and order.is_open):
            desk.on_expired(order, EXPIRIES[order.time_in_force])

    def next_order_id(self) -> int:
        """Return a number that no order of the symbol has had."""
        return matching.next_order_id(self._book_address)

    def submit(self, order: Order) -> None:
        """Match the order and let it rest; the desk has heard of it when this returns."""
        time_in_force = TIMES_IN_FORCE[order.time_in_force]
        price_ticks = order.price_ticks
        if order.order_type == "LIMIT_MAKER":
            time_in_force = TimeInForce.POST
        elif order.order_type == "MARKET":
            price_ticks = MARKET_PRICE_TICKS * order.side
        matching.add(
            self._book_address,
            order.order_id,
            order.owner_id,
            order.side,
            price_ticks,
            order.left_lots,
            int(time_in_force),
            int(Prevention[order.prevention_mode]),
        )
        self.drain()

    def withdraw(self, order: Order) -> None:
        """Take a resting order out; the desk publishes the change of the book."""
        left_lots = matching.cancel(self._book_address, order.order_id)
        assert left_lots == order.left_lots, "the desk and the book disagree on an order"
        self._drain_quietly()

    def reduce(self, order: Order, by_lots: int) -> None:
        """Take ``by_lots`` from a resting order, which keeps some, and its place."""
        left_lots = matching.reduce(self._book_address, order.order_id, by_lots)
        assert left_lots == order.left_lots - by_lots, "the desk and the book disagree on an order"
        self._drain_quietly()

    def _drain_quietly(self) -> None:
        # A MATCH_TOP row has the best ask where an order's row has its owner.
        rows = self._rows[: int(self._words[EVENT_COUNT_WORD])]
        rows[np.isin(rows[:, 0], ORDER_EVENTS), 3] = 0
        self.drain()

    def would_take(self, side: int, price_ticks: int) -> bool:
        """Return whether a limit order would fill at once, at least in part."""
        best = matching.best_ticks(self._book_address, -side)
        return best != 0 and (price_ticks - best) * side >= 0

    def market_cost_e8(self, qty_lots: int) -> int:
        """Return what buying at the market would cost now, in 1e-8 of the quote asset."""
        cost_e8 = 0
        for price_ticks, lots in self.rows(Side.SELL, int(self._head.order_capacity_count)):
            taken_lots = min(lots, qty_lots)
            cost_e8 += self.instrument.quote_e8(price_ticks, taken_lots)
            qty_lots -= taken_lots
            if qty_lots == 0:
                break
        return cost_e8

    def lots_for_e8(self, side: int, quote_e8: int) -> int:
        """Return how many lots an order at the market gets, or gives, for this much quote."""
        lots = 0
        for price_ticks, level_lots in self.rows(-side, int(self._head.order_capacity_count)):
            lot_cost_e8 = self.instrument.quote_e8(price_ticks, 1)
            taken_lots = min(level_lots, quote_e8 // lot_cost_e8)
            lots += taken_lots
            quote_e8 -= taken_lots * lot_cost_e8
            if taken_lots < level_lots:
                break
        return lots

    def touch(self) -> tuple[int, int, int, int]:
        """Return best bid and its lots, best ask and its lots; 0 where there is none."""
        head = self._head
        return int(head.bid_ticks), int(head.bid_lots), int(head.ask_ticks), int(head.ask_lots)

    @property
    def update_id(self) -> int:
        """The number of the newest change of the book."""
        return int(self._head.update_id)

    def last_ticks(self) -> int:
        """Return the price of the last trade, or of the touch; 0 when there is none."""
        return self._last_ticks or int(self._head.bid_ticks)

    def rows(self, side: int, limit: int) -> Rows:
        """Return the best levels of one side, best first."""
        address = self._head.bids_address if side == Side.BUY else self._head.asks_address
        book_side = record_at(int(address), BOOK_SIDE.dtype)
        count = int(book_side.level_count)
        if count == 0:
            return []
        levels = records_at(int(book_side.levels_address), MATCH_LEVEL.dtype, count)
        best = levels[max(0, count - limit) :][::-1]
        return list(zip(best["price_ticks"].tolist(), best["qty_lots"].tolist(), strict=True))
