"""The user data stream: who listens, and the sending of what the desk has to tell."""

from typing import TYPE_CHECKING, Any

import msgspec

from procs.exchange.desk import Desk

if TYPE_CHECKING:
    from procs.exchange.ws_api import ApiConnection


class UserStream:
    """Sends the desk's events to every subscribed connection."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._subscribers: dict[ApiConnection, int] = {}
        self.frames_sent_count = 0

    def subscription(self, connection: "ApiConnection") -> int | None:
        """Return the subscription of a connection; None when it has none."""
        return self._subscribers.get(connection)

    def subscribe(self, connection: "ApiConnection", subscription_id: int) -> None:
        """Let a connection hear from now on."""
        self._subscribers[connection] = subscription_id

    def unsubscribe(self, connection: "ApiConnection") -> None:
        """Let a connection hear no more."""
        self._subscribers.pop(connection, None)

    def send(self, connection: "ApiConnection", event: dict[str, Any]) -> None:
        """Send one event to one subscriber."""
        number = self._subscribers.get(connection)
        envelope = {"subscriptionId": number, "event": event}
        connection.send_text(msgspec.json.encode(envelope))

    def flush(self) -> None:
        """Send what the desk has collected."""
        if not self._desk.outbox:
            return
        events, self._desk.outbox = self._desk.outbox, []
        for event in events:
            text = msgspec.json.encode(event)
            for connection, number in list(self._subscribers.items()):
                connection.send_text(b'{"subscriptionId":%d,"event":%b}' % (number, text))
                self.frames_sent_count += 1
