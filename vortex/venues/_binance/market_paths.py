"""Where Binance Spot's market data is: paths of its streams and of snapshots.

*Source:* Binance Spot API documentation, "WebSocket Streams" and "Market data requests".
"""

from collections.abc import Sequence
from urllib.parse import quote

#: Streams of one symbol that the engine reads: of text, and in binary.
TEXT_STREAMS = ("depth@100ms", "bookTicker", "trade")
BINARY_STREAMS = ("depth", "bestBidAsk", "trade", "depth20")


def stream_path(symbols: Sequence[str], streams: Sequence[str] = TEXT_STREAMS) -> str:
    """Return the path and query that subscribe to all ``streams`` of ``symbols`` on connecting."""
    names = [f"{symbol.lower()}@{stream}" for symbol in symbols for stream in streams]
    return "/stream?streams=" + "/".join(quote(name, safe="@") for name in names)


def binary_stream_path(symbols: Sequence[str]) -> str:
    """Return the path and query that subscribe to the binary streams of ``symbols``."""
    return stream_path(symbols, BINARY_STREAMS)


def snapshot_path(symbol: str, level_count: int) -> str:
    """Return the path and query of the REST request for a book's snapshot."""
    return f"/api/v3/depth?symbol={quote(symbol)}&limit={level_count}"
