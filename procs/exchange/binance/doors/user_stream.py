"""The user data streams: who listens to which account, and the sending of what happens there."""

from functools import partial
from typing import Any

import msgspec

from procs.exchange.accounts.desks import Desks
from procs.exchange.accounts.venue import Venue
from procs.exchange.binance.accounts.account_desk import Desk
from procs.exchange.binance.doors.client import Client


class UserStream:
    """Sends each desk's events to every connection that subscribed to it."""

    def __init__(self, venue: Venue, desks: Desks[Desk]) -> None:
        self._venue = venue
        self._desks = desks
        self._numbers: dict[tuple[Client, int], int] = {}
        self.frames_sent_count = 0

    def numbers(self, connection: Client) -> dict[int, int]:
        """Return the subscriptions of a connection: their numbers by owner."""
        return {owner: n for (c, owner), n in self._numbers.items() if c is connection}

    def subscribe(self, connection: Client, owner_id: int, number: int) -> None:
        """Let a connection hear of an account from now on."""
        self._numbers[connection, owner_id] = number

    def end(self, connection: Client, owner_id: int) -> None:
        """Tell a connection that it hears of an account no more."""
        number = self._numbers.pop((connection, owner_id), None)
        if number is not None:
            event = {"e": "eventStreamTerminated", "E": self._venue.clock.now_ms()}
            self._send(connection, number, msgspec.json.encode(event))

    def forget(self, connection: Client) -> None:
        """Drop the subscriptions of a connection that is gone."""
        self._numbers = {key: n for key, n in self._numbers.items() if key[0] is not connection}

    @staticmethod
    def _send(connection: Client, number: int, event: bytes) -> None:
        connection.send_text(b'{"subscriptionId":%d,"event":%b}' % (number, event))

    def has_news(self) -> bool:
        """Return whether any desk has something to tell."""
        return any(desk.outbox for desk in self._desks)

    def flush(self) -> None:
        """Send what the desks have collected."""
        for desk in self._desks:
            if desk.outbox:
                events, desk.outbox = desk.outbox, []
                for event in events:
                    self._tell(desk.owner_id, event)

    def _tell(self, owner_id: int, event: dict[str, Any]) -> None:
        text = msgspec.json.encode(event)
        for (connection, owner), number in list(self._numbers.items()):
            if owner != owner_id:
                continue
            self.frames_sent_count += 1
            if event["e"] == "executionReport":
                send = partial(self._send, connection, number, text)
                self._venue.faults.carry("reports", send, owner_id)
            else:
                self._send(connection, number, text)
