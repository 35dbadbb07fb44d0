"""Binance Spot: its market streams and its WebSocket API.

Each market message is first tried against the form that the venue sends today, key for key
(``_binance_anchored``); whatever differs is read by the general path, which is exact and slower
(``_binance_market``).

*Source:* Binance Spot API documentation, "WebSocket Streams" and "WebSocket API".
"""

from vortex.decoding.instruments import read_exchange_info as read_instruments
from vortex.venues._binance.account import (
    LIMITS,
    account_request,
    cancel_all_request,
    client_order_id,
    exchange_info_path,
    logon_request,
    new_session,
    newest_trade_request,
    open_orders_request,
    order_request,
    read_account,
    read_cancel_all,
    read_logon,
    read_open_orders,
    read_order,
    read_reply,
    read_subscription,
    read_time,
    read_trades,
    request,
    signed_params,
    signed_query,
    snapshot_path,
    stream_key_headers,
    stream_path,
    subscribe_message,
    subscribe_request,
    time_request,
    trades_request,
)
from vortex.venues._binance.account import BinanceAsker as Asker
from vortex.venues._binance.answer_decoder import decode_answer
from vortex.venues._binance.market_decoder import decode_market, decode_snapshot
from vortex.venues._binance.order_encoder import (
    encode_cancel_all,
    encode_order_status,
    encode_request,
    parse_client_order_id,
    signing_prefix,
)
from vortex.venues.contract import Refused

__all__ = [
    "LIMITS",
    "Asker",
    "Refused",
    "account_request",
    "cancel_all_request",
    "client_order_id",
    "decode_answer",
    "decode_market",
    "decode_snapshot",
    "encode_cancel_all",
    "encode_order_status",
    "encode_request",
    "exchange_info_path",
    "logon_request",
    "new_session",
    "newest_trade_request",
    "open_orders_request",
    "order_request",
    "parse_client_order_id",
    "read_account",
    "read_cancel_all",
    "read_instruments",
    "read_logon",
    "read_open_orders",
    "read_order",
    "read_reply",
    "read_subscription",
    "read_time",
    "read_trades",
    "request",
    "signed_params",
    "signed_query",
    "signing_prefix",
    "snapshot_path",
    "stream_key_headers",
    "stream_path",
    "subscribe_message",
    "subscribe_request",
    "time_request",
    "trades_request",
]
