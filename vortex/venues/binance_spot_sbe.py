"""Binance Spot with its market streams in binary (SBE); all else is as in ``binance_spot``.

The venue serves these streams on a host of their own, ``stream-sbe.binance.com:9443``, to whoever
shows an API key of the kind Ed25519 in the handshake; nothing is signed.  Of best bid and ask it
leaves out what is outdated when it is sent; diffs come five times as often as in JSON.  The best 20
levels, which JSON is not asked for, check the book at each update that both show.  Snapshots,
reference data and orders are JSON.

*Source:* Binance Spot API documentation, "SBE Market Data Streams".
"""

from vortex.decoding.instruments import read_exchange_info as read_instruments
from vortex.venues._binance import account
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
    subscribe_request,
    time_request,
    trades_request,
)
from vortex.venues._binance.account import BinanceAsker as Asker
from vortex.venues._binance.answer_decoder import decode_answer
from vortex.venues._binance.market_decoder import decode_snapshot
from vortex.venues._binance.order_encoder import (
    encode_cancel_all,
    encode_order_status,
    encode_request,
    parse_client_order_id,
    signing_prefix,
)
from vortex.venues._binance.sbe import decode_market
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

#: Streams of one symbol that the engine reads.
STREAMS = ("depth", "bestBidAsk", "trade", "depth20")


def stream_path(symbols: list[str]) -> str:
    """Return the path and query that subscribe to all ``STREAMS`` of ``symbols`` on connecting."""
    return account.stream_path(symbols, STREAMS)


def subscribe_message(symbols: list[str], request_id: int) -> bytes:
    """Return the message that subscribes to all ``STREAMS`` of ``symbols``."""
    return account.subscribe_message(symbols, request_id, STREAMS)


def stream_key_headers() -> tuple[str, ...]:
    """Return the headers of the streams' handshake that hold a key; the orders' may be another."""
    return ("X-MBX-APIKEY",)
