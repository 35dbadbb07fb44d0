"""The levels of a book near its touch, with our own orders, read from outside.

The book's memory has no version for observers, because its owner would have to pay for it.  The
reader copies again when the head of the book changed during the copy.  Levels of one update may
still appear beside levels of the previous one: good for the eye, not for a decision.
"""

import itertools
from typing import NamedTuple

import numpy as np

from ipc.memory import records_at, words_at
from procs.observe import table_text
from procs.observe.samples.sample import Sample
from procs.observe.samples.view import RunView
from procs.observe.table_text import Column, Line, TextRow, Tone
from procs.plan import wiring
from vortex.books.book import BOOK, BOOK_BYTES, LEVEL_BYTES
from vortex.codes import Side

TRY_COUNT = 20


class LadderLevel(NamedTuple):
    """One price of one side."""

    price_ticks: int
    qty_lots: int


class Ladder(NamedTuple):
    """The best levels of both sides, the best first."""

    bids: list[LadderLevel]
    asks: list[LadderLevel]

    @property
    def is_crossed(self) -> bool:
        """Whether the best bid is no lower than the best ask."""
        if not self.bids or not self.asks:
            return False
        return self.bids[0].price_ticks >= self.asks[0].price_ticks


def read(view: RunView, index: int, depth: int) -> Ladder | None:
    """Return up to ``depth`` levels a side of one instrument; None while it moves too fast."""
    address = view.tables["books"].address + index * wiring.book_bytes(view.config)
    for _ in range(TRY_COUNT):
        head = records_at(address, BOOK.dtype, 1).copy()
        counts = [int(head[0][f"{side}_{part}_count"]) for side in ("bid", "ask")
                  for part in ("far", "near")]  # fmt: skip
        capacity = int(head[0]["level_capacity"])
        if min(counts) < 0 or max(counts[0] + counts[1], counts[2] + counts[3]) > capacity:
            continue
        bids = _side(address + BOOK_BYTES, capacity, counts[0], counts[1], depth)
        asks_address = address + BOOK_BYTES + capacity * LEVEL_BYTES
        asks = _side(asks_address, capacity, counts[2], counts[3], depth)
        is_still = records_at(address, BOOK.dtype, 1).tobytes() == head.tobytes()
        if is_still and is_ordered(bids, Side.BUY) and is_ordered(asks, Side.SELL):
            return Ladder(bids, asks)
    return None


def _side(
    address: int, capacity: int, far_count: int, near_count: int, depth: int
) -> list[LadderLevel]:
    """Return the best levels of one side: the last of the near ones, then of the far ones."""
    if not capacity:
        return []
    levels = words_at(address, 2 * capacity).reshape(capacity, 2)
    near_used = min(near_count, depth)
    far_used = min(far_count, depth - near_used)
    best = [levels[far_count - far_used : far_count], levels[capacity - near_used :]]
    return [LadderLevel(*map(int, level)) for level in np.concatenate(best)[::-1]]


def is_ordered(levels: list[LadderLevel], side: Side) -> bool:
    """Return whether the levels lead away from the touch and none is empty."""
    prices = [-side * level.price_ticks for level in levels]
    return all(level.qty_lots > 0 for level in levels) and all(
        nearer < farther for nearer, farther in itertools.pairwise(prices)
    )


COLUMNS = (Column("ours", 1), Column("bid size"), Column("price"), Column("ask size"),
           Column("ours", 1))  # fmt: skip


def lines(ladder: Ladder | None, sample: Sample, symbol: str, width: int) -> list[Line]:
    """Return the ladder of one instrument, the highest price first, our own orders beside it."""
    book = sample.books[symbol]
    head = f"{symbol}: position {table_text.units(book.position_lots, book.lot_e8)}, " + (
        "in sync" if book.is_valid else f"NOT IN SYNC ({book.state})"
    )
    title = Line(head, Tone.HEAD if book.is_valid else Tone.BAD)
    if ladder is None:
        return table_text.fit(
            [title, Line("the book moves too fast to be copied", Tone.FAINT)], width
        )
    ours: dict[tuple[str, int], int] = {}
    for order in sample.orders:
        if order.symbol == symbol:
            key = (order.side, order.price_ticks)
            ours[key] = ours.get(key, 0) + order.qty_lots - order.filled_lots
    sizes = {("buy", level.price_ticks): level.qty_lots for level in ladder.bids}
    sizes |= {("sell", level.price_ticks): level.qty_lots for level in ladder.asks}
    keys = sorted(sizes | ours, key=lambda key: (key[1], key[0] == "sell"), reverse=True)

    def cell(table: dict[tuple[str, int], int], key: tuple[str, int], side: str) -> str:
        return table_text.units(table[key], book.lot_e8) if key[0] == side and key in table else ""

    rows = [
        TextRow(
            [
                cell(ours, key, "buy"),
                cell(sizes, key, "buy"),
                table_text.units(key[1], book.tick_e8),
                cell(sizes, key, "sell"),
                cell(ours, key, "sell"),
            ],
            Tone.GOOD if key in ours else Tone.PLAIN,
        )
        for key in keys
    ]
    return [*table_text.fit([title], width), *table_text.table(COLUMNS, rows, width)]
