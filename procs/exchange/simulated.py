"""A market made by the matching engine and ten simulated traders."""

import numpy as np

from ipc.memory import address_of, record_at, records_at
from procs.exchange.config import SymbolConfig
from procs.exchange.desk import Desk
from procs.exchange.feed import Feed, Rows
from procs.exchange.instrument import Instrument, to_e8
from procs.exchange.orders import Order
from procs.exchange.streams import Streams
from vortex import matching, traders
from vortex.codes import Side
from vortex.matching_records import (
    BOOK_SIDE,
    MARKET_PRICE_TICKS,
    MATCH_EVENT,
    MATCH_LEVEL,
    MATCHING,
    MatchEvent,
    TimeInForce,
)
from vortex.matching_store import open_store, store_bytes

ACCOUNT_OWNER_ID = 1
FIRST_UPDATE_ID = 50_000_000_000
FIRST_TRADE_ID = 3_700_000_000
FIRST_ORDER_ID = 12_000_000_000
EVENT_FIELDS = len(MATCH_EVENT.fields)
EVENT_COUNT_WORD = MATCHING.offset_bytes("event_count") // 8
TIMES_IN_FORCE = {"GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC, "FOK": TimeInForce.FOK}
EXPIRY_REASONS = {
    "IOC": "UNFILLED_IOC_QUANTITY_EXPIRED",
    "FOK": "UNFILLED_FOK_ORDER_EXPIRED",
    "GTC": "INSUFFICIENT_LIQUIDITY",
}
TRADE, CANCELED, REJECTED = MatchEvent.TRADE, MatchEvent.CANCELED, MatchEvent.REJECTED
PREVENTED, LEVEL, TOP = MatchEvent.PREVENTED, MatchEvent.LEVEL, MatchEvent.TOP


class SimulatedMarket:
    """One symbol; steps in milliseconds of market time, whatever the wall clock does."""

    def __init__(
        self,
        config: SymbolConfig,
        instrument: Instrument,
        streams: Streams,
        desk: Desk,
        *,
        order_capacity: int,
        seed: int,
    ) -> None:
        self.instrument = instrument
        self.feed = Feed(instrument, streams, self.rows)
        self._desk = desk
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
        self._head.update_id = FIRST_UPDATE_ID
        self._head.trade_id = FIRST_TRADE_ID
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
        self._compile()
        self.drain()
        self.feed.begin(int(self._head.update_id))

    def _compile(self) -> None:
        """Meet every compiled function once, so that no request waits for the compiler."""
        traders.step(self._crowd_address)
        order_id = self.next_order_id()
        buy, far_ticks = Side.BUY.value, 1
        time_in_force = TimeInForce.GTC.value
        matching.add(self._book_address, order_id, 0, buy, far_ticks, 1, time_in_force)
        matching.cancel(self._book_address, order_id)
        matching.best_ticks(self._book_address, buy)

    def step(self) -> None:
        """Let one millisecond of the market happen and tell of it."""
        traders.step(self._crowd_address)
        self.drain()

    def drain(self) -> None:
        """Take the book's events: publish them, and tell the desk what concerns the account."""
        count = int(self._words[EVENT_COUNT_WORD])
        if count == 0:
            return
        rows = self._rows[:count].tolist()
        self._words[EVENT_COUNT_WORD] = 0
        feed = self.feed
        for row in rows:
            kind = row[0]
            if kind == LEVEL:
                feed.tell_level(row[1], row[6], row[7], row[8])
            elif kind == TOP:
                feed.tell_top(row[1], row[2], row[3], row[4], row[8])
            elif kind == TRADE:
                self._last_ticks = row[6]
                feed.tell_trade(row[9], row[6], row[7], row[1])
                if row[3] or row[5]:
                    self._tell_desk_trade(row)
            elif row[3]:
                self._tell_desk(row)

    def _order(self, order_id: int) -> Order:
        return self._desk.orders[self.instrument.symbol, order_id]

    def _tell_desk_trade(self, row: list[int]) -> None:
        _, _, order_id, owner_id, maker_id, maker_owner_id, price, qty, _, trade_id = row
        if owner_id:
            self._desk.on_trade(self._order(order_id), price, qty, trade_id, is_maker=False)
        if maker_owner_id:
            self._desk.on_trade(self._order(maker_id), price, qty, trade_id, is_maker=True)

    def _tell_desk(self, row: list[int]) -> None:
        kind, order = row[0], self._order(row[2])
        if kind == PREVENTED:
            self._desk.on_prevented(order)
        elif kind == REJECTED or (kind == CANCELED and order.is_open):
            self._desk.on_expired(order, EXPIRY_REASONS[order.time_in_force])

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
            ACCOUNT_OWNER_ID,
            order.side,
            price_ticks,
            order.qty_lots,
            int(time_in_force),
        )
        self.drain()

    def withdraw(self, order: Order) -> None:
        """Take a resting order out; what the book tells of it is the desk's own doing."""
        left_lots = matching.cancel(self._book_address, order.order_id)
        assert left_lots == order.left_lots, "the desk and the book disagree on an order"
        count = int(self._words[EVENT_COUNT_WORD])
        self._rows[:count, 3] = 0
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

    async def snapshot(self, limit: int) -> str:
        """Return the book as a depth request answers it, as JSON text."""
        return self.feed.snapshot_text(limit)
