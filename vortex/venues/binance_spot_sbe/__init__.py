"""Binance Spot with its market streams in binary (SBE); all else is as in ``binance_spot``.

The venue serves these streams on a host of their own, ``stream-sbe.binance.com:9443``, to whoever
shows an API key of the kind Ed25519 in the handshake; nothing is signed.  Of best bid and ask it
leaves out what is outdated when it is sent; diffs come five times as often as in JSON.  The best 20
levels, which JSON is not asked for, check the book at each update that both show.  Snapshots,
reference data and orders are JSON.

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
