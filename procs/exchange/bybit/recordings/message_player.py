"""Plays a recording: messages go out as they were, our orders rest beside them."""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from procs.exchange.bybit.recordings.recorded_feed import RecordedFeed
from procs.exchange.bybit.recordings.recorded_messages import MESSAGE, read_messages
from procs.exchange.bybit.topics.public_topics import PublicTopics
from procs.exchange.recordings.pace import PacedPlayer, TimedLine


class MessagePlayer:
    """Gives each message of a topic to the feed of its symbol; answers to requests are left out.

    ``feeds`` are known by category and symbol.
    """

    def __init__(self, feeds: Mapping[tuple[str, str], RecordedFeed]) -> None:
        self._feeds = feeds

    def play(self, line: bytes) -> None:
        """Take one message, behind its category and a space."""
        category, _, text = line.partition(b" ")
        message = MESSAGE.decode(text)
        symbol = message.topic.rpartition(".")[2]
        feed = self._feeds.get((category.decode(), symbol))
        if feed is not None:
            feed.play(message, text)


def timed(path: Path) -> Iterator[TimedLine]:
    """Yield the messages of a recording, each behind its category and a space."""
    for received in read_messages(path):
        yield TimedLine(received.recv_ns, received.category.encode() + b" " + received.text)


def player_of(
    path: Path,
    feeds: Mapping[tuple[str, str], RecordedFeed],
    categories: Mapping[str, PublicTopics],
    *,
    speed: float,
    after_batch: Callable[[], None],
) -> PacedPlayer:
    """Return what plays a recording; it begins when a client listens to a topic."""

    def flush() -> None:
        for topics in categories.values():
            topics.flush(time.monotonic_ns())
        after_batch()

    def can_write() -> bool:
        return all(topics.can_write() for topics in categories.values())

    messages = MessagePlayer(feeds)
    player = PacedPlayer(timed(path), speed, play=messages.play, flush=flush, can_write=can_write)
    for topics in categories.values():
        topics.on_subscribed = player.start
    return player
