"""A desk and a strategy's STANDING in plain memory, and answers as a venue would give them."""

from typing import Any

import numpy as np
from builders import record_of

from ipc.memory import address_of, record_at
from vortex.codes import Answer, Execution, Kind, Outcome, Reject, Side
from vortex.orders import desk, desk_tables, order_events, order_table, quoting
from vortex.orders.desk_tables import DESK, IN_FLIGHT
from vortex.orders.quoting import QUOTING, STANDING, WANTED
from vortex.records import ANSWER, INSTRUMENT, ORDER, ORDER_EVENT, POSITION, REQUEST, SEEN_FILLS

EVENT_FIELDS = ("kind", "order_id", "quote_index", "request_kind", "reason", "remaining_lots")


def row_of(array: "np.ndarray[Any, Any]") -> Any:
    """Return the first row of an array as compiled code takes it."""
    return record_at(address_of(array), array.dtype)


def zeros(layout: Any, count: int = 1) -> "np.ndarray[Any, Any]":
    """Return zeroed records."""
    return np.zeros(count, layout.dtype)


def record(records: "np.ndarray[Any, Any]", index: int = 0) -> Any:
    """Return one record as compiled functions take it; writing to it writes to the array."""
    return records.view(np.recarray)[index]


class OrderDesk:
    """A desk over tables of its own; ``events`` are copies, in the order in which they came."""

    def __init__(self, row_count: int = 16, instrument_count: int = 1) -> None:
        self.orders = zeros(ORDER, row_count)
        self.positions = zeros(POSITION, instrument_count)
        self.positions["instrument_id"] = np.arange(instrument_count)
        self.in_flight = zeros(IN_FLIGHT, desk_tables.IN_FLIGHT_COUNT)
        self.instruments = zeros(INSTRUMENT, instrument_count)
        self.instruments["lot_e8"] = 1_000
        self.room = zeros(ORDER_EVENT, order_events.EVENTS_PER_ANSWER_MAX)
        self.seen_fills = zeros(SEEN_FILLS, instrument_count)
        self.desk = record_of(
            DESK,
            orders_address=address_of(self.orders),
            order_count=row_count,
            positions_address=address_of(self.positions),
            instruments_address=address_of(self.instruments),
            in_flight_address=address_of(self.in_flight),
            seen_fills_address=address_of(self.seen_fills),
            last_order_id=1 << 32,
            epoch=1,
        )
        self.address = address_of(self.desk)
        self.events: list[np.void] = []
        self.now_ns = 1_000

    def take_events(self, count: int) -> list["np.void"]:
        """Keep copies of the events just written."""
        new = [self.room[index].copy() for index in range(count)]
        self.events += new
        return new

    def submit(self, kind: Kind, **fields: Any) -> int:
        """Enter a request; return its number."""
        values = {"side": Side.BUY, "price_ticks": 100, "qty_lots": 10} | fields
        return self.submit_record(record_of(REQUEST, kind=kind, **values))

    def submit_record(self, request: "np.ndarray[Any, Any]") -> int:
        """Enter a request; return its number."""
        return int(desk.submit(self.address, row_of(request), self.now_ns))

    def answer(self, **fields: Any) -> list["np.void"]:
        """Let the desk take one message of the venue; return the events."""
        self.now_ns += 1
        answer = record_of(ANSWER, **fields)
        count = desk.on_answer(self.address, row_of(answer), address_of(self.room), self.now_ns)
        new = self.take_events(count)
        assert all(event["recv_ns"] == self.now_ns for event in new)
        return new

    def reply(self, request_id: int, **fields: Any) -> list["np.void"]:
        """Let the desk take the reply to a request."""
        return self.answer(kind=Answer.REPLY, request_id=request_id, **fields)

    def placed(self, request_id: int) -> list["np.void"]:
        """Reply that the order was placed."""
        return self.reply(request_id, place_outcome=Outcome.SUCCESS)

    def report(self, execution: Execution, order_id: int, **fields: Any) -> list["np.void"]:
        """Let the desk take an execution report."""
        values = {"side": Side.BUY, "trade_id": -1} | fields
        return self.answer(kind=Answer.EXECUTION, execution=execution, order_id=order_id, **values)

    def trade(self, order_id: int, trade_id: int, lots: int, filled_lots: int, **fields: Any):
        """Report one fill."""
        values = {"fill_ticks": 100} | fields
        return self.report(
            Execution.TRADE,
            order_id,
            trade_id=trade_id,
            fill_lots=lots,
            filled_lots=filled_lots,
            **values,
        )

    def refuse(self, request: "np.ndarray[Any, Any]", reason: Reject) -> list["np.void"]:
        """Refuse a request before it is sent."""
        order_events.begin_events(self.address, address_of(self.room))
        order_events.refuse(self.address, row_of(request), reason)
        return self.take_events(1)

    def mark_unknown(self, row_index: int) -> list["np.void"]:
        """An answer is overdue."""
        order_events.begin_events(self.address, address_of(self.room))
        row_address = address_of(self.orders) + row_index * order_table.ORDER_BYTES
        desk.mark_unknown(self.address, row_address, self.now_ns)
        return self.take_events(int(self.desk["event_count"][0]))

    @property
    def last_order_id(self) -> int:
        """The newest order's number."""
        return int(self.desk["last_order_id"][0])

    def row(self, order_id: int) -> "np.void":
        """Return the row of an order that the table still knows."""
        row = self.orders[order_id % len(self.orders)]
        assert row["order_id"] == order_id
        return row

    def check_exposure(self) -> None:
        """See that the positions' open lots are those of a naive recount."""
        for index, position in enumerate(self.positions):
            found = [row for row in self.orders if row["instrument_id"] == index]
            found = [row for row in found if order_table.is_open(row["state"])]
            assert position["open_order_count"] == len(found)
            for side, name in ((Side.BUY, "open_buy_lots"), (Side.SELL, "open_sell_lots")):
                lots = [
                    row["qty_lots"] - row["filled_lots"] for row in found if row["side"] == side
                ]
                assert position[name] == sum(lots)
        assert not (self.orders["version"] % 2).any(), "a cell was left half written"
        assert not (self.positions["version"] % 2).any()


class Quotes:
    """The quotes that a strategy wants in one instrument, and those that its events show open."""

    def __init__(self, reprice_ticks_min: int = 0, reject_pause_ns: int = 0) -> None:
        self.wanted = zeros(WANTED)
        self.standing = zeros(STANDING)
        self.quoting = record_of(
            QUOTING, reprice_ticks_min=reprice_ticks_min, reject_pause_ns=reject_pause_ns
        )
        self.room = zeros(REQUEST, quoting.QUOTE_COUNT)

    def want(self, quotes: dict[int, tuple[int, int]]) -> None:
        """Want exactly these: (price, quantity) by quote index."""
        quoting.want_nothing(address_of(self.wanted))
        for index, (price_ticks, qty_lots) in quotes.items():
            self.wanted["price_ticks"][0, index] = price_ticks
            self.wanted["qty_lots"][0, index] = qty_lots

    def requests(self, now_ns: int, instrument_id: int = 0) -> "np.ndarray[Any, Any]":
        """Return the requests that turn the open quotes into the wanted ones."""
        count = quoting.difference(
            record(self.wanted),
            record(self.standing),
            record(self.quoting),
            instrument_id,
            address_of(self.room),
            now_ns,
        )
        return self.room[:count].copy()

    def requests_needed(self, now_ns: int) -> list[int]:
        """Return the quotes that need a request, without making it."""
        records = (record(self.wanted), record(self.standing), record(self.quoting))
        indices = range(quoting.QUOTE_COUNT)
        return [i for i in indices if quoting.needed_request(*records, i, now_ns)]

    def hear(self, event: "np.void", now_ns: int) -> None:
        """Take one event of the gateway."""
        taken = np.array([event], ORDER_EVENT.dtype)
        quoting.on_event(record(self.standing), record(self.quoting), record(taken), now_ns)

    def restore(self, row: "np.void") -> None:
        """Take over one row of the order table."""
        quoting.restore(record(self.standing), record(np.array([row], ORDER.dtype)))

    def open_quotes(self) -> dict[int, tuple[int, int]]:
        """Return (price, remaining) by quote index of the open quotes."""
        row = self.standing[0]
        return {
            index: (int(row["price_ticks"][index]), int(row["remaining_lots"][index]))
            for index in range(quoting.QUOTE_COUNT)
            if row["order_id"][index]
        }
