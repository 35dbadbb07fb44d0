"""Binance Spot: its market streams and its WebSocket API.

Each market message is first tried against the form that the venue sends today, key for key
(``_binance/anchored``); whatever differs is read by the general path, which is exact and slower
(``_binance/market_decoder``).

*Source:* Binance Spot API documentation, "WebSocket Streams" and "WebSocket API".
"""

from vortex.venues._binance import listed_symbols, market_paths
from vortex.venues._binance.account import ACCOUNT
from vortex.venues._binance.market_decoder import decode_market, decode_snapshot
from vortex.venues._binance.order_entry import ORDERS
from vortex.venues.contract import Chain, MarketData, Snapshots

__all__ = ["ACCOUNT", "MARKET", "ORDERS"]

MARKET = MarketData(
    decode_market=decode_market,
    stream_path=market_paths.stream_path,
    instruments_path=listed_symbols.instruments_path,
    next_instruments_path=listed_symbols.next_instruments_path,
    read_instruments=listed_symbols.read_instruments,
    snapshots=Snapshots.REST,
    chain=Chain.FIRST_ID,
    decode_snapshot=decode_snapshot,
    snapshot_path=market_paths.snapshot_path,
)
