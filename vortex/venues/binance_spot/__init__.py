"""Binance Spot: its market streams and its WebSocket API.

Each market message is first tried against the form that the venue sends today, key for key
(``_binance/anchored``); whatever differs is read by the general path, which is exact and slower
(``_binance/market_decoder``).

*Source:* Binance Spot API documentation, "WebSocket Streams" and "WebSocket API".
"""

from typing import Any

from vortex.venues._binance import (
    account,
    answer_decoder,
    listed_symbols,
    market_paths,
    order_encoder,
)
from vortex.venues._binance.market_decoder import decode_market, decode_snapshot
from vortex.venues.contract import Chain, MarketData, Snapshots

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


def __getattr__(name: str) -> Any:
    """Return what order entry takes from the folder itself, until it takes ORDERS and ACCOUNT."""
    if name == "Asker":
        return account.BinanceAsker
    for module in (account, order_encoder, answer_decoder):
        if hasattr(module, name):
            return getattr(module, name)
    raise AttributeError(f"{__name__} has no {name}")
