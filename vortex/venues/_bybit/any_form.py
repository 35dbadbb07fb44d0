"""Bybit's market messages in any form that means the same: what a message is of.

*Source:* Bybit v5 API documentation, "WebSocket Stream: Connect"; orderbook, trade, ticker.
"""

from ipc.compiled import compiled
from vortex.codes import Refusal
from vortex.venues._bybit.any_book import decode_any_book
from vortex.venues._bybit.any_envelope import (
    MarketEnvelope,
    flag_at,
    read_market_envelope,
    read_topic,
    text_at,
)
from vortex.venues._bybit.any_trades import decode_any_trades
from vortex.wire.words import words_of

IGNORED = int(Refusal.IGNORED)
NOT_KNOWN = int(Refusal.NOT_KNOWN)
NOT_SUBSCRIBED = int(Refusal.NOT_SUBSCRIBED)
TOO_LARGE = int(Refusal.TOO_LARGE)

_ORDERBOOK, _TRADES, _TICKERS = (
    words_of(b"orderbook"),
    words_of(b"publicTrade"),
    words_of(b"tickers"),
)
_PING = words_of(b"ping")


@compiled
def decode_any_form(
    address: int, end_address: int, catalog_address: int, out_address: int, out_count_max: int
) -> int:
    """Return what ``decode_market`` returns, for any form of message."""
    envelope = read_market_envelope(address, end_address)
    if envelope.root < 0:
        return envelope.root
    if envelope.topic == 0:
        return _decode_control(envelope, end_address)
    topic = read_topic(envelope.topic, end_address)
    if topic.words == _TICKERS:
        return IGNORED
    if out_count_max < 1:
        return TOO_LARGE
    if topic.words == _ORDERBOOK:
        return decode_any_book(
            envelope, topic.level_count, end_address, catalog_address, out_address, out_count_max
        )
    if topic.words == _TRADES:
        return decode_any_trades(
            envelope.data, end_address, catalog_address, out_address, out_count_max
        )
    return NOT_KNOWN


@compiled
def _decode_control(envelope: MarketEnvelope, end_address: int) -> int:
    """Return the Refusal of a message without a topic: the answer to a request of ours, or none."""
    if envelope.success == 0:
        return IGNORED if envelope.operation else NOT_KNOWN
    if flag_at(envelope.success) == 1 or text_at(envelope.operation, end_address) == _PING:
        return IGNORED
    return NOT_SUBSCRIBED
