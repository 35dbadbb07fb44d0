"""Prices and quantities as the venue writes them, spot stripped and linear padded.

Perpetuals have the decimals of the tick and the lot as instruments-info gives them; spot has no
zeros at the end.
"""

from procs.exchange.core.instrument import Instrument, text_e8


def stripped(value_e8: int) -> str:
    """Return a value of 1e-8 without zeros at the end."""
    return text_e8(value_e8).rstrip("0").rstrip(".")


def padded(value_e8: int, decimals: int) -> str:
    """Return a value of 1e-8 with this many decimals; it has no more."""
    text = text_e8(value_e8)
    return text[: len(text) - 8 + decimals].rstrip(".")


def decimals_of(step: str) -> int:
    """Return how many decimals a step is written with."""
    return len(step.partition(".")[2])


class NumberTexts:
    """How the numbers of one symbol are written."""

    def __init__(self, instrument: Instrument) -> None:
        self._is_linear = instrument.is_linear
        self._tick_e8, self._lot_e8 = instrument.tick_e8, instrument.lot_e8
        self._price_decimals = decimals_of(instrument.config.tick_size)
        self._qty_decimals = decimals_of(instrument.config.lot_size)

    def price(self, price_ticks: int) -> str:
        """Return a price."""
        if self._is_linear:
            return padded(price_ticks * self._tick_e8, self._price_decimals)
        return stripped(price_ticks * self._tick_e8)

    def qty(self, qty_lots: int) -> str:
        """Return a quantity; 0 is always a bare zero."""
        if qty_lots == 0:
            return "0"
        if self._is_linear:
            return padded(qty_lots * self._lot_e8, self._qty_decimals)
        return stripped(qty_lots * self._lot_e8)

    def touch(self, bid_ticks: int, bid_lots: int, ask_ticks: int, ask_lots: int) -> dict[str, str]:
        """Return the best bid and ask as the members of a ticker."""
        return {
            "bid1Price": self.price(bid_ticks),
            "bid1Size": self.qty(bid_lots),
            "ask1Price": self.price(ask_ticks),
            "ask1Size": self.qty(ask_lots),
        }
