"""Fixed windows of request weight and of unfilled orders, on the server's clock."""

from dataclasses import dataclass
from typing import Any

from procs.exchange.binance.words.errors import ExchangeRefusal
from procs.exchange.core.exchange_clock import Clock
from procs.exchange.core.exchange_config import ExchangeConfig


@dataclass
class Window:
    """One limiter: counts up within a window, starts again with the next."""

    kind: str
    interval: str
    interval_count: int
    window_ms: int
    limit: int
    count: int = 0
    window_index: int = -1

    def roll(self, now_ms: int) -> None:
        """Start again when a new window has begun."""
        index = now_ms // self.window_ms
        if index != self.window_index:
            self.window_index = index
            self.count = 0

    def row(self) -> dict[str, Any]:
        """Return the limiter as exchangeInfo lists it."""
        return {
            "rateLimitType": self.kind,
            "interval": self.interval,
            "intervalNum": self.interval_count,
            "limit": self.limit,
        }

    def end_ms(self) -> int:
        """Return when the next window begins."""
        return (self.window_index + 1) * self.window_ms


def weight_window(config: ExchangeConfig) -> Window:
    """Return the limiter of request weight, which all accounts at one address share."""
    return Window("REQUEST_WEIGHT", "MINUTE", 1, 60_000, config.weight_per_minute)


class RateLimits:
    """An account's limiters, and its address's."""

    def __init__(self, config: ExchangeConfig, weight: Window, clock: Clock) -> None:
        self.orders_10s = Window("ORDERS", "SECOND", 10, 10_000, config.orders_per_10s)
        self.orders_day = Window("ORDERS", "DAY", 1, 86_400_000, config.orders_per_day)
        self.weight = weight
        self._clock = clock
        self.maker_fill_credit = config.maker_fill_credit

    def _roll(self) -> int:
        now_ms = self._clock.now_ms()
        for window in (self.orders_10s, self.orders_day, self.weight):
            window.roll(now_ms)
        return now_ms

    def add_weight(self, weight: int) -> None:
        """Count the weight of a request; refuse it when the minute's budget is used up."""
        now_ms = self._roll()
        if self.weight.count + weight > self.weight.limit:
            text = (
                f"Too much request weight used; current limit is {self.weight.limit} request "
                "weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid "
                "polling the API."
            )
            data = {"serverTime": now_ms, "retryAfter": self.weight.end_ms()}
            raise ExchangeRefusal(-1003, text, 429, data)
        self.weight.count += weight

    def refund_weight(self, weight: int) -> None:
        """Take a request's weight back: a successful order request costs none."""
        self.weight.count = max(0, self.weight.count - weight)

    def order_refusal(self) -> ExchangeRefusal | None:
        """Return the refusal of one more order; None when there is room."""
        self._roll()
        for window in (self.orders_10s, self.orders_day):
            if window.count >= window.limit:
                text = (
                    f"Too many new orders; current limit is {window.limit} orders per "
                    f"{window.interval_count} {window.interval}."
                )
                return ExchangeRefusal(-1015, text, 429)
        return None

    def add_order(self) -> None:
        """Count one order that is not filled yet."""
        self._roll()
        self.orders_10s.count += 1
        self.orders_day.count += 1

    def credit_fill(self, is_maker: bool) -> None:
        """Take back from the unfilled orders at an order's first fill."""
        self._roll()
        credit = self.maker_fill_credit if is_maker else 1
        for window in (self.orders_10s, self.orders_day):
            window.count = max(0, window.count - credit)

    def rows(self) -> list[dict[str, Any]]:
        """Return the limiters for exchangeInfo."""
        return [self.weight.row(), self.orders_10s.row(), self.orders_day.row()]

    def counts(self, with_orders: bool) -> list[dict[str, Any]]:
        """Return the limiters with their counts for a reply."""
        self._roll()
        windows = [self.orders_10s, self.orders_day] if with_orders else []
        return [{**window.row(), "count": window.count} for window in (*windows, self.weight)]
