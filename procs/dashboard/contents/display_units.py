"""Ticks, lots and the run's clock as text and time for people."""

from procs.observe.samples.view import RunView

DECIMALS = 8
NS_PER_MS = 10**6


def decimals_of(step_e8: int) -> int:
    """Return how many decimals a step of 1e-8 needs."""
    return max(DECIMALS - (len(str(step_e8)) - len(str(step_e8).rstrip("0"))), 0)


def fixed(value_e8: int, decimals: int) -> str:
    """Return a value in units of 1e-8 as text with this number of decimals."""
    sign, value_e8 = ("-", -value_e8) if value_e8 < 0 else ("", value_e8)
    whole, rest = divmod(value_e8, 10**DECIMALS)
    digits = f"{rest:0{DECIMALS}d}"[:decimals]
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"


class DisplayUnits:
    """The steps of each instrument of a run, and its clock's offset to wall time."""

    def __init__(self, view: RunView) -> None:
        rows = view.records("instruments")
        self.symbols = view.config.symbols
        self.tick_e8 = [int(row["tick_e8"]) for row in rows]
        self.lot_e8 = [int(row["lot_e8"]) for row in rows]
        self._clock = view.records("clock")

    def price(self, instrument_id: int, ticks: int) -> str:
        """Return a price in the quote asset."""
        tick_e8 = self.tick_e8[instrument_id]
        return fixed(ticks * tick_e8, decimals_of(tick_e8))

    def quantity(self, instrument_id: int, lots: int) -> str:
        """Return a quantity in the base asset."""
        lot_e8 = self.lot_e8[instrument_id]
        return fixed(lots * lot_e8, decimals_of(lot_e8))

    def wall_ms(self, at_ns: int) -> int:
        """Return a stamp of the run's clock as wall time, in ms since 1970."""
        return (at_ns + int(self._clock[0]["wall_offset_ns"])) // NS_PER_MS
