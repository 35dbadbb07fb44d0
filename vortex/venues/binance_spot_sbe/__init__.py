"""Binance Spot with its market streams in binary (SBE); all else is as in ``binance_spot``.

The venue serves these streams on a host of their own, ``stream-sbe.binance.com:9443``.  The client
shows an Ed25519 API key in the handshake and signs nothing.  The venue skips a best bid and ask
that is outdated before it is sent.  Diffs come five times as often as in JSON.  The stream of the
best 20 levels, which ``binance_spot`` does not use, checks the book at each update that both show.
Snapshots, reference data and orders are JSON.

*Source:* Binance Spot API documentation, "SBE Market Data Streams".
"""

from dataclasses import replace

from vortex.venues import binance_spot
from vortex.venues._binance.market_paths import binary_stream_path
from vortex.venues._binance.sbe import decode_market

ACCOUNT, ORDERS = binance_spot.ACCOUNT, binance_spot.ORDERS
MARKET = replace(
    binance_spot.MARKET,
    decode_market=decode_market,
    stream_path=binary_stream_path,
    key_headers=("X-MBX-APIKEY",),
)
