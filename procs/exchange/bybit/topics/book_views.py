"""One symbol's books at the venue's four depths: what changed since the last time.

A view always shows the best levels up to its depth: a level that comes into it or leaves it at
its far end is a change like any other.

*Source:* the venue's documents, "Orderbook" of the public streams.
"""

from collections.abc import Callable

from procs.exchange.accounts.venue import Rows
from vortex.codes import Side

#: Depths and how often they are published, in steps of a millisecond.
DEPTH_STEPS = {1: 10, 50: 20, 200: 100, 1000: 200}
#: After so long without a change the best levels are sent again.
REPEAT_STEPS = 3000
FIRST_NUMBER = 13_000_000
#: How far the numbers of one life of the exchange are above those of the life before.
NUMBERS_PER_LIFE = 100_000_000


def changes(old: dict[int, int], new: dict[int, int]) -> Rows:
    """Return the levels that differ, in the order of price; those that are gone have 0."""
    rows = [(price, qty) for price, qty in new.items() if old.get(price) != qty]
    rows += [(price, 0) for price in old if price not in new]
    return sorted(rows)


class BookView:
    """What the listeners of one depth know; ``number`` is the venue's `u`."""

    def __init__(self, depth: int, read_rows: Callable[[int, int], Rows], life: int) -> None:
        self.depth = depth
        self.number = FIRST_NUMBER + life * NUMBERS_PER_LIFE + depth
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.update_id = 0
        self._read_rows = read_rows

    def refresh(self, update_id: int) -> tuple[Rows, Rows] | None:
        """Look again; return the changed bids (best first) and asks, None when nothing changed."""
        if update_id == self.update_id:
            return None
        self.update_id = update_id
        bids = dict(self._read_rows(Side.BUY, self.depth))
        asks = dict(self._read_rows(Side.SELL, self.depth))
        changed_bids, changed_asks = changes(self.bids, bids)[::-1], changes(self.asks, asks)
        self.bids, self.asks = bids, asks
        if not changed_bids and not changed_asks:
            return None
        self.number += 1
        return changed_bids, changed_asks

    def rows(self, limit: int) -> tuple[Rows, Rows]:
        """Return the best bids and asks as they were last looked at."""
        return list(self.bids.items())[:limit], list(self.asks.items())[:limit]
