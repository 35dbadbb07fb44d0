"""The level-2 book against a dictionary that is sorted again for each look."""

import pytest
from builders import BookBlock, diff, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from ipc.memory import load_word, store_word
from vortex.books import book as books
from vortex.codes import Kind, Side

SIDES = (Side.BUY, Side.SELL)
level = st.tuples(
    st.sampled_from(SIDES), st.integers(1, 40), st.one_of(st.just(0), st.integers(1, 9))
)


class Twin:
    """The slow book: a dictionary a side, which loses its farthest price when it grows too long."""

    def __init__(self, level_capacity):
        self.level_capacity = level_capacity
        self.dropped_count = 0
        self.sides = {side: {} for side in SIDES}

    def set_level(self, side, price_ticks, qty_lots):
        levels = self.sides[side]
        if qty_lots == 0:
            levels.pop(price_ticks, None)
            return
        levels[price_ticks] = qty_lots
        if len(levels) > self.level_capacity:
            del levels[min(levels) if side == Side.BUY else max(levels)]
            self.dropped_count += 1

    def best_first(self, side):
        return sorted(self.sides[side].items(), reverse=side == Side.BUY)


def header(block):
    offset = (block.address - block.array.ctypes.data) // 8
    words = block.array[offset : offset + books.BOOK_BYTES // 8]
    return words.view(books.BOOK_DTYPE)[0]


def best_first(block, side):
    count = books.level_count(block.address, side)
    return [
        (
            books.level_ticks(block.address, side, index),
            books.level_lots(block.address, side, index),
        )
        for index in range(count)
    ]


def assert_equal(block, twin):
    for side in SIDES:
        assert best_first(block, side) == twin.best_first(side)
    assert header(block)["level_dropped_count"] == twin.dropped_count
    bids, asks = twin.best_first(Side.BUY), twin.best_first(Side.SELL)
    assert books.best_bid(block.address) == (bids[0][0] if bids else 0)
    assert books.best_ask(block.address) == (asks[0][0] if asks else 0)


@settings(max_examples=60, print_blob=True)
@given(st.lists(level, max_size=120), st.integers(1, 30))
def test_any_sequence_of_levels_gives_the_twins_book(operations, level_capacity):
    block, twin = BookBlock(level_capacity), Twin(level_capacity)
    for side, price_ticks, qty_lots in operations:
        books.set_level(block.address, side, price_ticks, qty_lots)
        twin.set_level(side, price_ticks, qty_lots)
    assert_equal(block, twin)


@settings(max_examples=40, print_blob=True)
@given(st.lists(st.lists(level, max_size=40), max_size=6), st.integers(1, 30))
def test_any_sequence_of_messages_gives_the_twins_book(messages, level_capacity):
    block, twin = BookBlock(level_capacity), Twin(level_capacity)
    for levels in messages:
        sides = {side: [(p, q) for s, p, q in levels if s == side] for side in SIDES}
        message = diff(1, 1, sides[Side.BUY], sides[Side.SELL])
        assert books.apply_levels(block.address, message.address)
        for side in SIDES:
            for price_ticks, qty_lots in sides[side]:
                twin.set_level(side, price_ticks, qty_lots)
    assert_equal(block, twin)


@pytest.mark.parametrize("order", ["best first", "worst first", "mixed"])
@settings(max_examples=25, print_blob=True)
@given(
    bids=st.dictionaries(st.integers(1, 99), st.integers(1, 9), max_size=40),
    asks=st.dictionaries(st.integers(1, 99), st.integers(1, 9), max_size=40),
    level_capacity=st.integers(1, 50),
)
def test_a_snapshot_in_any_order_replaces_what_was_there(order, bids, asks, level_capacity):
    block, twin = BookBlock(level_capacity), Twin(level_capacity)
    books.set_level(block.address, Side.BUY, 7, 7)
    sorted_bids = sorted(bids.items(), reverse=order != "worst first")
    sorted_asks = sorted(asks.items(), reverse=order == "worst first")
    if order == "mixed":
        sorted_bids, sorted_asks = list(bids.items()), list(asks.items())
    assert books.load_levels(block.address, snapshot(1, sorted_bids, sorted_asks).address)
    for side, levels in ((Side.BUY, sorted_bids), (Side.SELL, sorted_asks)):
        for price_ticks, qty_lots in levels:
            twin.set_level(side, price_ticks, qty_lots)
    assert_equal(block, twin)


def test_a_full_side_loses_its_farthest_level_and_counts_it():
    block = BookBlock(level_capacity=2)
    for price_ticks in (10, 11, 12, 9):
        books.set_level(block.address, Side.BUY, price_ticks, 1)
        books.set_level(block.address, Side.SELL, 30 - price_ticks, 1)
    assert best_first(block, Side.BUY) == [(12, 1), (11, 1)]
    assert best_first(block, Side.SELL) == [(18, 1), (19, 1)]
    assert header(block)["level_dropped_count"] == 4


@settings(max_examples=40, print_blob=True)
@given(st.lists(level, max_size=60), st.integers(1, 20))
def test_levels_lie_sorted_around_a_gap_with_the_best_last(operations, level_capacity):
    block = BookBlock(level_capacity)
    for side, price_ticks, qty_lots in operations:
        books.set_level(block.address, side, price_ticks, qty_lots)
        counts_address = books.counts_address(block.address, side)
        far_count, near_count = load_word(counts_address), load_word(counts_address + 8)
        assert far_count >= 0
        assert near_count >= 0
        assert far_count + near_count <= level_capacity
        first = books.levels_address(block.address, side)
        indices = [*range(far_count), *range(level_capacity - near_count, level_capacity)]
        keys = [load_word(first + 16 * index) * side for index in indices]
        assert keys == sorted(set(keys))


def test_a_block_may_be_moved_because_it_holds_no_address():
    block, moved = BookBlock(), BookBlock()
    books.set_level(block.address, Side.BUY, 5, 2)
    books.set_level(block.address, Side.SELL, 6, 3)
    for offset in range(0, books.book_bytes(64, 256), 8):
        store_word(moved.address + offset, load_word(block.address + offset))
    books.set_level(moved.address, Side.SELL, 7, 1)
    assert best_first(moved, Side.BUY) == [(5, 2)]
    assert best_first(moved, Side.SELL) == [(6, 3), (7, 1)]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: record.__setitem__("kind", Kind.TICKER),
        lambda record: record.__setitem__("level_count", 7),
        lambda record: record.__setitem__("level_count", -1),
        lambda record: record["price_ticks"].__setitem__(0, 0),
        lambda record: record["qty_lots"].__setitem__(0, -1),
    ],
)
def test_a_message_that_is_not_well_formed_changes_nothing(spoil):
    block = BookBlock()
    books.set_level(block.address, Side.BUY, 5, 2)
    message = diff(1, 1, [(5, 9), (6, 9)], [(8, 1)])
    before = block.array.copy()
    offset = (message.address - message.block.array.ctypes.data) // 8 + 32
    last = message.block.array[offset : offset + 16].view(books.LEVELS_DTYPE)[0]
    spoil(last)
    assert not books.apply_levels(block.address, message.address)
    assert not books.load_levels(block.address, message.address)
    assert (block.array == before).all()


def test_a_level_that_is_not_there_is_zero():
    block = BookBlock()
    books.set_level(block.address, Side.BUY, 5, 2)
    assert books.best_ask(block.address) == 0
    for index in (-1, 1, 10**9):
        assert books.level_ticks(block.address, Side.BUY, index) == 0
        assert books.level_lots(block.address, Side.BUY, index) == 0


def test_depth_is_the_quantity_of_the_best_levels():
    block = BookBlock()
    for price_ticks in range(1, 8):
        books.set_level(block.address, Side.BUY, price_ticks, price_ticks)
    assert books.depth_lots(block.address, Side.BUY, 3) == 7 + 6 + 5
    assert books.depth_lots(block.address, Side.BUY, 99) == 28
    assert books.depth_lots(block.address, Side.SELL, 5) == 0


def test_prices_of_63_bits_keep_their_order():
    block = BookBlock()
    largest = 2**63 - 1
    for price_ticks in (largest, 1, largest - 1):
        books.set_level(block.address, Side.BUY, price_ticks, largest)
        books.set_level(block.address, Side.SELL, price_ticks, largest)
    assert best_first(block, Side.BUY) == [(p, largest) for p in (largest, largest - 1, 1)]
    assert best_first(block, Side.SELL) == [(p, largest) for p in (1, largest - 1, largest)]
