"""One recorded book, which can be sent whole to those who come later.

*Source:* the venue's documents, "Orderbook" of the public streams; spot has `ts` before `type`.
"""

import msgspec

from procs.exchange.bybit.recordings.recorded_messages import BookChange, RecordedMessage
from procs.exchange.recordings.number_steps import read_e8


class RecordedBook:
    """The levels as texts, by price in 1e-8, and the numbers of the newest message."""

    def __init__(self, topic: str, *, has_time_first: bool) -> None:
        self.topic = topic
        self.bids: dict[int, tuple[str, str]] = {}
        self.asks: dict[int, tuple[str, str]] = {}
        self.number = 0
        self.sequence = 0
        self.sent_ms = 0
        self.matched_ms = 0
        self._has_time_first = has_time_first

    def take(self, message: RecordedMessage, change: BookChange) -> bool:
        """Take a snapshot or a change; return False for a change of a book that is not known."""
        is_whole = message.kind == "snapshot" or change.number == 1
        if is_whole:
            self.bids.clear()
            self.asks.clear()
        elif not self.number:
            return False
        for levels, rows in ((self.bids, change.bids), (self.asks, change.asks)):
            for price, qty in rows:
                if read_e8(qty):
                    levels[read_e8(price)] = (price, qty)
                else:
                    levels.pop(read_e8(price), None)
        self.number, self.sequence = change.number, change.sequence
        self.sent_ms, self.matched_ms = message.sent_ms, message.matched_ms
        return True

    def rows(self, limit: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return the best bids and asks as they were sent, best first."""
        bids = [self.bids[price] for price in sorted(self.bids, reverse=True)[:limit]]
        return bids, [self.asks[price] for price in sorted(self.asks)[:limit]]

    def snapshot(self) -> bytes:
        """Return the book whole, as of its newest message."""
        bids, asks = self.rows(max(len(self.bids), len(self.asks)))
        symbol = self.topic.rpartition(".")[2]
        data = {"s": symbol, "b": bids, "a": asks, "u": self.number, "seq": self.sequence}
        times = {"type": "snapshot", "ts": self.sent_ms}
        if self._has_time_first:
            times = {"ts": self.sent_ms, "type": "snapshot"}
        return msgspec.json.encode(
            {"topic": self.topic, **times, "data": data, "cts": self.matched_ms}
        )
