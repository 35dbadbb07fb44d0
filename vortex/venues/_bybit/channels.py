"""Text frames that open Bybit's connections and keep them alive; all of them are cold.

*Source:* Bybit v5 API documentation, "WebSocket Stream: Connect" and "Authentication".
"""

from collections.abc import Sequence

import msgspec

from vortex.venues.contract import Asker, Refused

#: Levels a side of the book that is asked for: deltas every 100 ms.
BOOK_LEVELS = 200
TOPICS_PER_REQUEST_MAX = 10
PING = b'{"req_id":"ping","op":"ping"}'
PING_EVERY_S = 20.0
#: How long after its making an authentication may arrive.
AUTH_LIFE_MS = 10_000


class ChannelReply(msgspec.Struct, rename={"code": "retCode", "words": "retMsg"}):
    """A reply to a frame of ours: of the public and private connections, or of requests."""

    success: bool = True
    ret_msg: str = ""
    code: int = 0
    words: str = ""


def book_topic(symbol: str) -> str:
    """Return the topic of a symbol's book."""
    return f"orderbook.{BOOK_LEVELS}.{symbol}"


def _frame(operation: str, topics: Sequence[str]) -> bytes:
    return msgspec.json.encode({"op": operation, "args": list(topics)})


def subscribe_frames(topics: Sequence[str]) -> list[bytes]:
    """Return the frames that subscribe to ``topics``, as many in each as the venue takes."""
    step = TOPICS_PER_REQUEST_MAX
    return [
        _frame("subscribe", topics[start : start + step]) for start in range(0, len(topics), step)
    ]


def market_opening(symbols: Sequence[str]) -> list[bytes]:
    """Return the frames that ask for book and trades of ``symbols``."""
    return subscribe_frames(
        [topic for symbol in symbols for topic in (book_topic(symbol), f"publicTrade.{symbol}")]
    )


def resubscribe(symbol: str) -> list[bytes]:
    """Return the frames that bring another snapshot of a symbol's book."""
    topics = [book_topic(symbol)]
    return [_frame("unsubscribe", topics), _frame("subscribe", topics)]


def auth_frame(asker: Asker) -> bytes:
    """Return the frame that makes a connection the key's."""
    expires_ms = asker.wall_ms + AUTH_LIFE_MS
    signature = asker.signer.sign(f"GET/realtime{expires_ms}".encode())
    return msgspec.json.encode({"op": "auth", "args": [asker.key, expires_ms, signature]})


def check_channel_reply(reply: bytes) -> None:
    """Read the reply to an authentication or a subscription.

    Raises
    ------
    Refused
        When the venue refused.
    """
    read = msgspec.json.decode(reply, type=ChannelReply)
    if read.code != 0 or not read.success:
        raise Refused(read.code, read.ret_msg or read.words)
