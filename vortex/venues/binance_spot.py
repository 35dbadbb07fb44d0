"""Binance Spot: its market streams and its WebSocket API.

Each market message is first tried against the form that the venue sends today, key for key
(``_binance_anchored``); whatever differs is read by the general path, which is exact and slower
(``_binance_market``).

*Source:* Binance Spot API documentation, "WebSocket Streams" and "WebSocket API".
"""

from vortex.venues._binance_answers import decode_answer
from vortex.venues._binance_market import decode_market, decode_snapshot
from vortex.venues._binance_orders import (
    encode_cancel_all,
    encode_order_status,
    encode_request,
    parse_client_order_id,
    signing_prefix,
)

__all__ = [
    "decode_answer",
    "decode_market",
    "decode_snapshot",
    "encode_cancel_all",
    "encode_order_status",
    "encode_request",
    "parse_client_order_id",
    "signing_prefix",
]
