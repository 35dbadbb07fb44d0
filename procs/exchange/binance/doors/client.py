"""What the user data stream and a session ask of a connection."""

from typing import Protocol


class Client(Protocol):
    """Somebody whom text frames can be sent to."""

    def send_text(self, text: bytes) -> None:
        """Send one text frame."""
