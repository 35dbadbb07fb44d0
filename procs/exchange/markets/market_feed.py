"""The events of a simulated market; each dialect makes its own frames of them."""

from typing import Protocol

from procs.exchange.core.tape import TapeTrade


class MarketFeed(Protocol):
    """Hears the events of one symbol in the order in which they happen."""

    def begin(self, update_id: int) -> None:
        """Start after the change of this number."""

    def publish_level(self, side: int, price_ticks: int, qty_lots: int, update_id: int) -> None:
        """Hear of a level's new quantity, 0 when it is gone."""

    def publish_top(
        self, bid_ticks: int, bid_lots: int, ask_ticks: int, ask_lots: int, update_id: int
    ) -> None:
        """Hear of a new best bid or ask; 0 where there is none."""

    def publish_trade(self, trade: TapeTrade) -> None:
        """Hear of a trade."""

    def end_batch(self) -> None:
        """Hear that what happened at once is over."""
