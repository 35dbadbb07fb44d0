"""Binance Spot's order entry: one connection for requests, replies and reports.

*Source:* Binance Spot API documentation, "WebSocket API" and "Limits".
"""

from vortex.venues._binance import account
from vortex.venues._binance.answer_decoder import decode_answer
from vortex.venues._binance.order_encoder import (
    encode_cancel_all,
    encode_order_status,
    encode_request,
)
from vortex.venues.contract import (
    Acknowledging,
    Budget,
    OrderConnection,
    OrderEntry,
    Replacing,
)

TEN_SECONDS_NS = 10_000_000_000

ORDERS = OrderEntry(
    connections=(OrderConnection("main", "order_url", account.opening, account.check_opening),),
    encode_request=encode_request,
    decode_answer=decode_answer,
    replaces=Replacing.CANCEL_AND_NEW,
    acknowledges=Acknowledging.RESTING,
    budgets=(Budget(TEN_SECONDS_NS, 100, is_rolling=False, is_amend_counted=False),),
    encode_cancel_all=encode_cancel_all,
    encode_order_status=encode_order_status,
    can_amend=True,
)
