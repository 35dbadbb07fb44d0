"""The private topics: who listens to which account, and what is sent.

The venue promises no order among its topics, so what happened at once is sent either as it
happened, a message each, or by topic, several rows in a message; a draw decides.
"""

import itertools
import random
from functools import partial
from typing import Any, Protocol

import msgspec

from procs.exchange.accounts.desks import Desks
from procs.exchange.accounts.venue import Venue
from procs.exchange.bybit.desk.bybit_desk import BybitDesk, News

CATEGORISED = ("order", "execution", "execution.fast", "position")
PRIVATE_TOPICS = frozenset(
    {
        *CATEGORISED,
        *(f"{name}.{category}" for name in CATEGORISED for category in ("spot", "linear")),
        *("wallet", "greeks", "dcp.spot", "dcp.future", "dcp.option"),
    }
)
BY_TOPIC_SHARE = 0.5
#: What faults of the lane `reports` strike.
REPORTS = ("order", "execution", "execution.fast")


class Hearer(Protocol):
    """A client that has logged on."""

    owner_id: int
    topics: dict[str, None]

    def send_text(self, message: bytes) -> None:
        """Send one message."""


def grouped(news: list[News]) -> list[list[News]]:
    """Return the news by topic and category, executions first."""
    order = {"execution.fast": 0, "execution": 1, "order": 2, "position": 3, "wallet": 4}
    ranked = sorted(news, key=lambda item: (order[item.topic], item.category))
    groups = itertools.groupby(ranked, key=lambda item: (item.topic, item.category))
    return [list(group) for _, group in groups]


class PrivateStream:
    """Sends each desk's news to every client of the account that asked for its topic."""

    def __init__(self, venue: Venue, desks: Desks[BybitDesk], draw: random.Random) -> None:
        self._venue = venue
        self._desks = desks
        self._draw = draw
        self._numbers = itertools.count(1)
        self.hearers: set[Hearer] = set()
        self.frames_sent_count = 0

    def flush(self) -> None:
        """Send what there is to hear."""
        for desk in self._desks:
            desk.trim()
            if desk.has_news():
                self._send_news(desk.owner_id, desk.take_news())

    def _send_news(self, owner_id: int, news: list[News]) -> None:
        if self._draw.random() < BY_TOPIC_SHARE:
            groups = grouped(news)
        else:
            groups = [[item] for item in news]
        for group in groups:
            self._send(owner_id, group[0].topic, group[0].category, [item.row for item in group])

    def _send(self, owner_id: int, topic: str, category: str, rows: list[dict[str, Any]]) -> None:
        names = (topic, f"{topic}.{category}")
        for hearer in list(self.hearers):
            if hearer.owner_id != owner_id:
                continue
            for name in names:
                if name in hearer.topics:
                    self._send_to(hearer, name, topic, rows)

    def _send_to(self, hearer: Hearer, name: str, topic: str, rows: list[dict[str, Any]]) -> None:
        message: dict[str, Any] = {"topic": name}
        if topic != "execution.fast":
            message["id"] = f"{hearer.owner_id:08d}_{next(self._numbers):012d}"
        message |= {"creationTime": self._venue.clock.now_ms(), "data": rows}
        send = partial(hearer.send_text, msgspec.json.encode(message))
        self.frames_sent_count += 1
        if topic in REPORTS:
            self._venue.faults.carry("reports", send, hearer.owner_id)
        else:
            send()
