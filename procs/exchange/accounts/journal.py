"""The exchange's own books, kept whole for an audit: every request, order and fill there ever was.

All times are of the machine's monotonic clock, in ns.
"""

import time
from dataclasses import asdict, dataclass
from typing import Any

from procs.exchange.core.exchange_order import Order


@dataclass(frozen=True, slots=True)
class OrderRequestRow:
    """One order request as it arrived, and how it ended; code 0 is success."""

    recv_ns: int
    account: int
    method: str
    symbol: str
    client_order_id: str
    orig_client_order_id: str
    code: int


class Journal:
    """Everything in the order in which it happened."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self._requests: list[OrderRequestRow] = []

    def add_request(self, row: OrderRequestRow) -> None:
        """Keep an order request."""
        self._requests.append(row)

    def books(self, accounts: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the audit: ``accounts`` and all that was kept."""
        return {
            "now_ns": time.monotonic_ns(),
            "now_wall_ns": time.time_ns(),
            "accounts": accounts,
            "requests": [asdict(row) for row in self._requests],
            "orders": [order_row(order) for order in self.orders],
            "fills": [row for order in self.orders for row in fill_rows(order)],
        }


def order_row(order: Order) -> dict[str, Any]:
    """Return the row of an order for an audit; the order was open from arrival until ``ended_ns``.

    ``ended_ns`` is 0 while it is open; ``client_order_ids`` has more than one after amendments.
    """
    instrument = order.instrument
    return {
        "account": order.owner_id,
        "symbol": instrument.symbol,
        "dialect": instrument.config.dialect,
        "order_id": order.public_id or order.order_id,
        "client_order_id": order.client_order_id,
        "client_order_ids": [*order.former_client_order_ids, order.client_order_id],
        "side": order.side_name,
        "type": order.order_type,
        "time_in_force": order.time_in_force,
        "price": instrument.price_text(order.price_ticks),
        "qty": instrument.qty_text(order.qty_lots),
        "filled_qty": instrument.qty_text(order.filled_lots),
        "status": order.status,
        "is_open": order.is_open,
        "arrived_ns": order.arrived_ns,
        "ended_ns": order.ended_ns,
    }


def fill_rows(order: Order) -> list[dict[str, Any]]:
    """Return what an audit wants of the fills of an order."""
    instrument = order.instrument
    return [
        {
            "account": order.owner_id,
            "symbol": instrument.symbol,
            "dialect": instrument.config.dialect,
            "order_id": order.public_id or order.order_id,
            "client_order_id": order.client_order_id,
            "side": order.side_name,
            "trade_id": fill.trade_id,
            "price": instrument.price_text(fill.price_ticks),
            "qty": instrument.qty_text(fill.qty_lots),
            "is_maker": fill.is_maker,
            "time_ns": fill.time_ns,
        }
        for fill in order.fills
    ]
