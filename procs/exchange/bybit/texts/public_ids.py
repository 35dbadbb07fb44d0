"""Ids of orders and executions: UUIDs of perpetuals, decimal texts of spot.

The id of an execution is that of its trade on the public stream.
"""

from uuid import UUID, uuid5

from procs.exchange.core.instrument import Instrument

NAMESPACE = UUID("6f1c5b7e-6f0d-4f3c-9a52-0f5f6b1c9e11")
FIRST_SPOT_ORDER_ID = 1_700_000_000_000_000_000
FIRST_SPOT_TRADE_ID = 2_280_000_000_000_000_000


def order_text_id(instrument: Instrument, order_id: int) -> str:
    """Return the id of an order."""
    if instrument.is_linear:
        return str(uuid5(NAMESPACE, f"order {instrument.symbol} {order_id}"))
    return str(FIRST_SPOT_ORDER_ID + order_id)


def trade_text_id(instrument: Instrument, trade_id: int) -> str:
    """Return the id of a trade, and of both its executions."""
    if instrument.is_linear:
        return str(uuid5(NAMESPACE, f"trade {instrument.symbol} {trade_id}"))
    return str(FIRST_SPOT_TRADE_ID + trade_id)


def funding_text_id(instrument: Instrument, owner_id: int, number: int) -> str:
    """Return the id of a payment of funding."""
    return str(uuid5(NAMESPACE, f"funding {instrument.symbol} {owner_id} {number}"))
