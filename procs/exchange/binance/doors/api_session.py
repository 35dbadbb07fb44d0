"""What a WebSocket API connection remembers: who is logged on, and which accounts it hears of.

*Source:* the venue's documents, "Session authentication" and "User data stream" (subscriptions).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from procs.exchange.binance.doors.client import Client
from procs.exchange.binance.doors.user_stream import UserStream
from procs.exchange.binance.methods.methods import Methods, RequestProof
from procs.exchange.binance.methods.signatures import sorted_payload
from procs.exchange.binance.words.errors import ExchangeRefusal, missing
from procs.exchange.binance.words.parameters import Parameters, refuse_unknown

SESSION_WEIGHT = 2


class Session:
    """The session of one connection, and its methods."""

    def __init__(
        self,
        methods: Methods,
        user_stream: UserStream,
        connection: Client,
        tells_limits: bool,
    ) -> None:
        self._methods = methods
        self._user_stream = user_stream
        self._connection = connection
        self._tells_limits = tells_limits
        self._clock = methods.venue.clock
        self._connected_ms = self._clock.now_ms()
        self._since_ms = 0
        self._subscription_count = 0
        self.api_key: str | None = None
        self.after_reply: Callable[[], None] | None = None
        self.table: dict[str, Callable[[Parameters], Any]] = {
            "session.logon": self._log_on,
            "session.status": self._status,
            "session.logout": self._log_out,
            "session.subscriptions": self._subscriptions,
            "userDataStream.subscribe": self._subscribe_own,
            "userDataStream.subscribe.signature": self._subscribe_signed,
            "userDataStream.unsubscribe": self._unsubscribe,
        }

    def credentials(self, parameters: Parameters) -> RequestProof:
        """Return what a request proves itself with: its signature, or the session's logon."""
        if self.api_key is not None and "apiKey" not in parameters:
            return RequestProof(self.api_key, "", "", is_logged_on=True)
        return RequestProof(
            parameters.get("apiKey"), sorted_payload(parameters), parameters.get("signature", "")
        )

    def end(self) -> None:
        """End the session, as when its key is revoked."""
        self.api_key = None

    def _log_on(self, parameters: Parameters) -> dict[str, Any]:
        refuse_unknown(parameters, frozenset())
        credentials = self.credentials(parameters)
        self._methods.keyring.check_may_log_on(credentials.api_key)
        self._methods.authorize(parameters, credentials).limits.add_weight(SESSION_WEIGHT)
        self.api_key = credentials.api_key
        self._since_ms = self._clock.now_ms()
        return self._status({})

    def _log_out(self, parameters: Parameters) -> dict[str, Any]:
        self.api_key = None
        return self._status(parameters)

    def _status(self, _: Parameters) -> dict[str, Any]:
        return {
            "apiKey": self.api_key,
            "authorizedSince": self._since_ms if self.api_key else None,
            "connectedSince": self._connected_ms,
            "returnRateLimits": self._tells_limits,
            "serverTime": self._clock.now_ms(),
            "userDataStream": bool(self._user_stream.numbers(self._connection)),
        }

    def _subscriptions(self, _: Parameters) -> list[dict[str, int]]:
        numbers = self._user_stream.numbers(self._connection)
        return [{"subscriptionId": number} for number in numbers.values()]

    def _subscribe_own(self, parameters: Parameters) -> dict[str, int]:
        if self.api_key is None:
            raise ExchangeRefusal(-1002, "You are not authorized to execute this request.", 401)
        return self._subscribe(self._methods.keyring.owner_id(self.api_key))

    def _subscribe_signed(self, parameters: Parameters) -> dict[str, int]:
        refuse_unknown(parameters, frozenset())
        if "apiKey" not in parameters:
            raise missing("apiKey")
        desk = self._methods.authorize(parameters, self.credentials(parameters))
        return self._subscribe(desk.owner_id)

    def _subscribe(self, owner_id: int) -> dict[str, int]:
        self._methods.desks.of(owner_id).limits.add_weight(SESSION_WEIGHT)
        if owner_id in self._user_stream.numbers(self._connection):
            raise ExchangeRefusal(-2035, "User Data Stream subscription already active.")
        number = self._subscription_count
        self._subscription_count += 1
        self._user_stream.subscribe(self._connection, owner_id, number)
        return {"subscriptionId": number}

    def _unsubscribe(self, parameters: Parameters) -> dict[str, Any]:
        wanted = parameters.get("subscriptionId")
        owners = [
            owner
            for owner, number in self._user_stream.numbers(self._connection).items()
            if wanted in (None, str(number))
        ]
        if not owners:
            raise ExchangeRefusal(-2036, "User Data Stream subscription is not active.")
        self.after_reply = partial(self._end_subscriptions, owners)
        return {}

    def _end_subscriptions(self, owners: list[int]) -> None:
        for owner_id in owners:
            self._user_stream.end(self._connection, owner_id)
