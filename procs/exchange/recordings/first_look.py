"""What a first look at a recording shows of each symbol."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from procs.exchange.recordings.number_steps import common_step, power_of_ten, read_e8


@dataclass
class SeenSymbol:
    """One symbol of one market; ``dialect`` is that of the local exchange, `bybit_linear`.

    ``topics`` are the names of its streams, ``books`` of those with levels; ``snapshots`` are the
    books of which a snapshot is there, or the update ids of the snapshots.  ``price_step_e8``
    divides all prices.
    """

    dialect: str
    symbol: str
    last_price: str = ""
    topics: dict[str, None] = field(default_factory=dict)
    books: dict[str, None] = field(default_factory=dict)
    snapshots: dict[str, None] = field(default_factory=dict)
    price_step_e8: int = 0
    price_steps: Counter[int] = field(default_factory=Counter)
    qty_steps: Counter[int] = field(default_factory=Counter)

    def add_level(self, price: str, qty: str) -> None:
        """Take a price and a quantity of a book, a ticker or a trade."""
        price_e8 = read_e8(price)
        self.price_step_e8 = math.gcd(self.price_step_e8, price_e8)
        self.price_steps[power_of_ten(price_e8)] += 1
        if qty_e8 := read_e8(qty):
            self.qty_steps[power_of_ten(qty_e8)] += 1

    def add_levels(self, rows: Iterable[Iterable[str]]) -> None:
        """Take the levels of one side of a book."""
        for price, qty in rows:
            self.add_level(price, qty)

    @property
    def tick_e8(self) -> int:
        """The largest power of ten that divides all prices."""
        return min(self.price_steps)

    @property
    def lot_e8(self) -> int:
        """The largest power of ten that fits all but a few quantities."""
        return common_step(self.qty_steps)


@dataclass
class FirstLook:
    """All symbols, in the order in which they appear; ``bodies`` are reference data in the file.

    ``others`` are markets of the venue that are in the file and not served.
    """

    symbols: dict[tuple[str, str], SeenSymbol] = field(default_factory=dict)
    bodies: list[bytes] = field(default_factory=list)
    others: set[str] = field(default_factory=set)

    def symbol(self, dialect: str, symbol: str) -> SeenSymbol:
        """Return what is known of a symbol, made on first mention."""
        return self.symbols.setdefault((dialect, symbol), SeenSymbol(dialect, symbol))
