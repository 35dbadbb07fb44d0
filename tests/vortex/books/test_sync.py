"""When a book is true, against a slow twin of the venue's rules, on streams that go wrong."""

import random

import pytest
from builders import (
    BookBlock,
    diff,
    feed,
    partial,
    pushed,
    record_of,
    snapshot,
    ticker,
    touch_block,
)
from builders import Message as Bytes
from hypothesis import given, settings
from hypothesis import strategies as st

from vortex.books import book as books
from vortex.books import sync
from vortex.books.sync import Sync
from vortex.codes import BookState, Chain, Kind, Side
from vortex.records import TOUCH, TRADE


class Venue:
    """A made-up venue: a book that moves, its diffs, snapshots and tickers."""

    def __init__(self, seed, first_id=1000):
        self.random = random.Random(seed)
        self.update_id = first_id
        self.bids = {100 - index: 5 for index in range(20)}
        self.asks = {101 + index: 5 for index in range(20)}

    def step(self):
        """Change some quantities; return the diff as (first id, last id, bids, asks)."""
        first_id = self.update_id + 1
        self.update_id += self.random.randint(1, 9)
        bids, asks = {}, {}
        for _ in range(self.random.randint(0, 9)):
            bids[self.random.randint(81, 100)] = self.random.choice((0, 1, 2, 3))
            asks[self.random.randint(101, 120)] = self.random.choice((0, 1, 2, 3))
        for levels, changes in ((self.bids, bids), (self.asks, asks)):
            for price, qty in changes.items():
                levels.pop(price, None)
                if qty:
                    levels[price] = qty
        return first_id, self.update_id, list(bids.items()), list(asks.items())

    def levels(self):
        return sorted(self.bids.items(), reverse=True), sorted(self.asks.items())

    def snapshot(self):
        return snapshot(self.update_id, *self.levels())

    def ticker(self):
        bids, asks = self.levels()
        return ticker(self.update_id, bids[0], asks[0])


class Twin:
    """The rules, slowly: what is known of the stream, and what that makes true."""

    def __init__(self):
        self.forget()

    def forget(self):
        self.kept, self.update_id, self.levels, self.is_live = [], None, None, False

    def on_snapshot(self, update_id, bids, asks):
        if self.update_id is not None and update_id <= self.update_id:
            return
        if self.kept and update_id < self.kept[0][0] - 1:
            return
        self.update_id, self.levels = update_id, (dict(bids), dict(asks))
        kept, self.kept = self.kept, []
        for event in kept:
            self.on_diff(event)
        self.is_live = self.is_live or bool(kept)

    def on_diff(self, event):
        first_id, last_id, bids, asks = event
        if self.update_id is None:
            if self.kept and first_id > self.kept[-1][1] + 1:
                self.kept = []
            if not self.kept or last_id > self.kept[-1][1]:
                self.kept.append(event)
        elif first_id > self.update_id + 1:
            self.forget()
            self.kept = [event]
        else:
            self.is_live = True
            if last_id > self.update_id:
                self.update_id = last_id
                for levels, changes in zip(self.levels, (bids, asks), strict=True):
                    for price, qty in changes:
                        levels.pop(price, None)
                        if qty:
                            levels[price] = qty


def send(block, message):
    return sync.on_message(block.address, message.address)


def header(block):
    offset = (block.address - block.array.ctypes.data) // 8
    words = block.array[offset : offset + books.BOOK_BYTES // 8]
    return words.view(books.BOOK_DTYPE)[0]


def levels_of(block):
    return tuple(
        [
            (
                books.level_ticks(block.address, side, index),
                books.level_lots(block.address, side, index),
            )
            for index in range(books.level_count(block.address, side))
        ]
        for side in (Side.BUY, Side.SELL)
    )


def touch_of(block):
    memory = touch_block()
    sync.touch_into(block.address, memory.address)
    offset = (memory.address - memory.array.ctypes.data) // 8
    return memory.array[offset : offset + TOUCH.dtype.itemsize // 8].view(TOUCH.dtype)[0]


def live_book(venue, **capacities):
    """Return a live book that shows ``venue`` as it is."""
    block = BookBlock(**capacities)
    assert send(block, diff(*venue.step())) == Sync.WANT_SNAPSHOT
    assert send(block, venue.snapshot()) == Sync.WENT_LIVE
    return block


def assert_live_and_equal(block, venue):
    assert sync.is_valid(block.address)
    assert header(block)["update_id"] == venue.update_id
    assert levels_of(block) == venue.levels()


def assert_nothing_shown(block):
    touch = touch_of(block)
    assert not sync.is_valid(block.address)
    assert touch["is_valid"] == 0
    assert [touch[name] for name in ("bid_ticks", "bid_lots", "ask_ticks", "ask_lots")] == [0] * 4


def test_m1_an_unbroken_stream_never_leaves_live():
    venue = Venue(1)
    block = live_book(venue)
    for _ in range(200):
        assert send(block, diff(*venue.step())) == Sync.UPDATED
        assert_live_and_equal(block, venue)
    assert header(block)["gap_count"] == 0
    assert header(block)["snapshot_wanted_count"] == 1


def test_m2_a_lost_diff_makes_the_book_invalid_with_the_next_and_a_snapshot_heals_it():
    venue = Venue(2)
    block = live_book(venue)
    venue.step()
    assert send(block, diff(*venue.step())) == Sync.GAP
    assert_nothing_shown(block)
    assert header(block)["gap_count"] == 1
    assert header(block)["snapshot_wanted_count"] == 2
    assert send(block, diff(*venue.step())) == Sync.BUFFERED
    assert send(block, venue.snapshot()) == Sync.WENT_LIVE
    assert_live_and_equal(block, venue)


def test_m3_repeated_diffs_change_nothing():
    venue = Venue(3)
    block = live_book(venue)
    events = [venue.step() for _ in range(8)]
    for event in events:
        send(block, diff(*event))
    for event in [events[-1], *events[-5:]]:
        assert send(block, diff(*event)) == Sync.UNCHANGED
        assert_live_and_equal(block, venue)
    assert header(block)["ignored_count"] == 6


def test_m4_swapped_diffs_are_a_gap_not_a_silent_reorder():
    venue = Venue(4)
    block = live_book(venue)
    first, second = venue.step(), venue.step()
    assert send(block, diff(*second)) == Sync.GAP
    assert send(block, diff(*first)) == Sync.UNCHANGED
    assert_nothing_shown(block)
    assert send(block, venue.snapshot()) == Sync.WENT_LIVE
    assert_live_and_equal(block, venue)


def test_m5_each_snapshot_older_than_the_first_diff_asks_once_more():
    venue = Venue(5)
    old = [venue.snapshot()]
    for _ in range(3):
        venue.step()
        old.append(venue.snapshot())
    venue.step()
    block = BookBlock()
    assert send(block, diff(*venue.step())) == Sync.WANT_SNAPSHOT
    for count, message in enumerate(old, start=1):
        assert send(block, message) == Sync.WANT_SNAPSHOT
        assert header(block)["snapshot_stale_count"] == count
        assert header(block)["snapshot_wanted_count"] == 1 + count
        assert_nothing_shown(block)
    assert send(block, venue.snapshot()) == Sync.WENT_LIVE
    assert_live_and_equal(block, venue)


def test_a_snapshot_that_ends_right_before_the_first_diff_joins():
    venue = Venue(6)
    message = venue.snapshot()
    block = BookBlock()
    send(block, diff(*venue.step()))
    assert send(block, message) == Sync.WENT_LIVE
    assert_live_and_equal(block, venue)


@pytest.mark.parametrize("later_count", [0, 1, 20])
def test_m6_diffs_older_than_the_snapshot_are_dropped_and_newer_ones_applied(later_count):
    venue = Venue(7)
    block = BookBlock()
    for _ in range(20):
        send(block, diff(*venue.step()))
    message = venue.snapshot()
    for _ in range(later_count):
        send(block, diff(*venue.step()))
    assert send(block, message) == Sync.WENT_LIVE
    assert_live_and_equal(block, venue)
    assert header(block)["update_count"] == later_count
    assert send(block, diff(*venue.step())) == Sync.UPDATED
    assert_live_and_equal(block, venue)


def test_a_snapshot_must_reach_the_diffs_behind_a_gap_among_those_that_wait():
    venue = Venue(24)
    block = BookBlock()
    send(block, diff(*venue.step()))
    message = venue.snapshot()
    venue.step()
    assert send(block, diff(*venue.step())) == Sync.BUFFERED
    assert header(block)["gap_count"] == 1
    assert send(block, message) == Sync.WANT_SNAPSHOT
    assert_nothing_shown(block)
    assert send(block, venue.snapshot()) == Sync.WENT_LIVE
    assert_live_and_equal(block, venue)


def test_a_snapshot_inside_a_diff_joins_it():
    block = BookBlock()
    send(block, diff(10, 19, [(100, 7)], [(101, 0)]))
    assert send(block, snapshot(14, [(100, 1)], [(101, 1), (102, 1)])) == Sync.WENT_LIVE
    assert levels_of(block) == ([(100, 7)], [(102, 1)])


def test_m7_a_snapshot_before_any_diff_waits_for_one():
    venue = Venue(8)
    block = BookBlock()
    assert send(block, venue.snapshot()) == Sync.BUFFERED
    assert_nothing_shown(block)
    assert send(block, diff(*venue.step())) == Sync.WENT_LIVE
    assert_live_and_equal(block, venue)
    assert header(block)["snapshot_wanted_count"] == 0


def test_m7_a_waiting_snapshot_that_the_first_diff_does_not_reach_is_asked_for_again():
    venue = Venue(9)
    block = BookBlock()
    send(block, venue.snapshot())
    venue.step()
    assert send(block, diff(*venue.step())) == Sync.WANT_SNAPSHOT
    assert_nothing_shown(block)
    assert header(block)["snapshot_stale_count"] == 1
    assert send(block, venue.snapshot()) == Sync.WENT_LIVE
    assert_live_and_equal(block, venue)


def test_m8_a_stream_that_goes_on_on_another_connection_needs_no_snapshot():
    venue = Venue(10)
    block = live_book(venue)
    last = venue.step()
    send(block, diff(*last))
    send(block, feed(Kind.FEED_UP))
    # The new file begins with what the old one ended with.
    assert send(block, diff(*last)) == Sync.UNCHANGED
    assert send(block, diff(*venue.step())) == Sync.UPDATED
    assert_live_and_equal(block, venue)
    assert header(block)["snapshot_wanted_count"] == 1


def test_m14_the_touch_is_the_tickers_while_it_is_ahead_and_the_ladder_stays():
    venue = Venue(11)
    block = live_book(venue)
    before = levels_of(block)
    event = venue.step()
    bids, asks = venue.levels()
    assert send(block, venue.ticker()) == Sync.UPDATED
    touch = touch_of(block)
    assert (touch["bid_ticks"], touch["bid_lots"]) == bids[0]
    assert (touch["ask_ticks"], touch["ask_lots"]) == asks[0]
    assert touch["update_id"] == venue.update_id
    assert levels_of(block) == before
    assert send(block, diff(*event)) == Sync.UPDATED
    assert header(block)["agreed_count"] == 1
    send(block, diff(*venue.step()))
    touch = touch_of(block)
    assert (touch["bid_ticks"], touch["bid_lots"]) == venue.levels()[0][0]
    assert touch["update_id"] == venue.update_id


def test_m14_an_older_ticker_is_ignored():
    venue = Venue(12)
    block = live_book(venue)
    assert send(block, ticker(venue.update_id + 5, (98, 1), (99, 1))) == Sync.UPDATED
    assert send(block, ticker(venue.update_id + 4, (90, 1), (91, 1))) == Sync.UNCHANGED
    assert touch_of(block)["bid_ticks"] == 98


@pytest.mark.parametrize("is_ticker_first", [False, True])
def test_a_ticker_that_differs_at_the_same_update_makes_the_book_invalid(is_ticker_first):
    venue = Venue(13)
    block = live_book(venue)
    event = venue.step()
    bids, asks = venue.levels()
    wrong = ticker(venue.update_id, (bids[0][0], bids[0][1] + 1), asks[0])
    messages = [diff(*event), wrong]
    codes = [send(block, message) for message in messages[:: -1 if is_ticker_first else 1]]
    assert codes == [Sync.UPDATED, Sync.MISMATCH]
    assert_nothing_shown(block)
    assert header(block)["mismatch_count"] == 1
    assert header(block)["snapshot_wanted_count"] == 2
    assert send(block, diff(*venue.step())) == Sync.BUFFERED
    assert send(block, venue.snapshot()) == Sync.WENT_LIVE
    assert_live_and_equal(block, venue)


def test_a_partial_book_is_an_oracle_at_the_same_update_only():
    venue = Venue(14)
    block = live_book(venue)
    bids, asks = venue.levels()
    assert send(block, partial(venue.update_id, bids[:10], asks[:10])) == Sync.UNCHANGED
    assert header(block)["agreed_count"] == 1
    assert send(block, partial(venue.update_id + 1, bids[1:3], asks[:3])) == Sync.UNCHANGED
    assert sync.is_valid(block.address)
    assert send(block, partial(venue.update_id, bids[1:3], asks[:3])) == Sync.MISMATCH
    assert_nothing_shown(block)


def test_bids_that_meet_asks_make_the_book_invalid():
    venue = Venue(15)
    block = live_book(venue)
    best_ask = venue.levels()[1][0][0]
    next_id = venue.update_id + 1
    assert send(block, diff(next_id, next_id, [(best_ask, 1)], [])) == Sync.MISMATCH
    assert_nothing_shown(block)


def test_feed_down_forgets_everything_and_the_next_diff_asks_for_a_snapshot():
    venue = Venue(16)
    block = live_book(venue)
    send(block, venue.ticker())
    assert send(block, feed(Kind.FEED_DOWN)) == Sync.WENT_DOWN
    assert_nothing_shown(block)
    assert header(block)["state"] == BookState.EMPTY
    assert header(block)["ticker_update_id"] == 0
    send(block, feed(Kind.FEED_UP))
    assert header(block)["snapshot_wanted_count"] == 1
    assert send(block, diff(*venue.step())) == Sync.WANT_SNAPSHOT
    assert header(block)["snapshot_wanted_count"] == 2
    assert send(block, venue.snapshot()) == Sync.WENT_LIVE
    assert_live_and_equal(block, venue)


def test_too_many_waiting_diffs_are_forgotten_and_a_newer_snapshot_asked_for():
    venue = Venue(17)
    block = BookBlock(pending_capacity=24)
    message = venue.snapshot()
    codes = [send(block, diff(*venue.step())) for _ in range(40)]
    assert set(codes) == {Sync.WANT_SNAPSHOT, Sync.BUFFERED, Sync.OVERFLOW}
    overflow_count = codes.count(Sync.OVERFLOW)
    assert header(block)["pending_overflow_count"] == overflow_count
    assert header(block)["snapshot_wanted_count"] == 1 + overflow_count
    assert send(block, message) == Sync.WANT_SNAPSHOT
    assert send(block, venue.snapshot()) == Sync.WENT_LIVE
    assert_live_and_equal(block, venue)


def test_a_message_that_is_not_well_formed_makes_the_book_invalid():
    venue = Venue(18)
    block = live_book(venue)
    next_id = venue.update_id + 1
    assert send(block, diff(next_id, next_id, [(100, -1)], [])) == Sync.REFUSED
    assert_nothing_shown(block)
    assert send(block, diff(next_id + 1, next_id, [], [])) == Sync.REFUSED
    assert header(block)["refused_count"] == 2


def test_a_live_book_takes_a_newer_snapshot_and_ignores_an_older_one():
    venue = Venue(19)
    block = live_book(venue)
    old = venue.snapshot()
    events = [venue.step() for _ in range(3)]
    assert send(block, venue.snapshot()) == Sync.UPDATED
    assert_live_and_equal(block, venue)
    for event in events:
        assert send(block, diff(*event)) == Sync.UNCHANGED
    assert send(block, old) == Sync.UNCHANGED
    assert_live_and_equal(block, venue)


def test_a_refresh_brings_levels_beyond_the_first_snapshot_while_the_book_stays_live():
    venue = Venue(20)
    block = BookBlock()
    send(block, diff(*venue.step()))
    bids, asks = venue.levels()
    send(block, snapshot(venue.update_id, bids[:5], asks[:5]))
    sync.begin_refresh(block.address)
    assert header(block)["snapshot_wanted_count"] == 2
    for _ in range(4):
        assert send(block, diff(*venue.step())) == Sync.UPDATED
    message = venue.snapshot()
    for _ in range(4):
        assert send(block, diff(*venue.step())) == Sync.UPDATED
    assert send(block, message) == Sync.UPDATED
    assert_live_and_equal(block, venue)
    assert header(block)["is_refreshing"] == 0
    assert send(block, diff(*venue.step())) == Sync.UPDATED
    assert_live_and_equal(block, venue)


def test_a_refresh_whose_diffs_find_no_room_ends_and_the_book_stays_live():
    venue = Venue(21)
    block = live_book(venue, pending_capacity=16)
    old = venue.snapshot()
    sync.begin_refresh(block.address)
    for _ in range(30):
        assert send(block, diff(*venue.step())) == Sync.UPDATED
    assert header(block)["is_refreshing"] == 0
    assert send(block, old) == Sync.UNCHANGED
    assert_live_and_equal(block, venue)


def test_a_refresh_refuses_a_snapshot_from_before_it_began():
    venue = Venue(22)
    old = venue.snapshot()
    block = live_book(venue)
    send(block, diff(*venue.step()))
    sync.begin_refresh(block.address)
    assert send(block, old) == Sync.UNCHANGED
    assert header(block)["snapshot_stale_count"] == 1
    assert_live_and_equal(block, venue)


def test_trades_do_not_concern_the_book():
    block = BookBlock()
    trade = Bytes([record_of(TRADE, kind=Kind.TRADE)])
    before = block.array.copy()
    assert send(block, trade) == Sync.UNCHANGED
    assert (block.array == before).all()


def test_the_touch_tells_state_and_counts_and_leaves_version_and_stamps():
    venue = Venue(23)
    block = live_book(venue)
    send(block, diff(*venue.step()))
    touch = touch_of(block)
    assert touch["state"] == BookState.LIVE
    assert touch["update_count"] == 1
    assert touch["snapshot_wanted_count"] == 1
    assert touch["bid_level_count"] == len(venue.bids)
    assert touch["ask_level_count"] == len(venue.asks)
    assert touch["version"] == touch["epoch"] == touch["publish_ns"] == touch["kernel_ns"] == 0


MS = 1_000_000
SECOND = 1000 * MS


def restarted(seed):
    """Return a venue whose numbers have begun again, with other levels."""
    venue = Venue(seed, first_id=1)
    for _ in range(30):
        venue.step()
    assert venue.update_id < 1000
    return venue


@pytest.mark.parametrize("how", ["the connection was lost", "a gap"])
def test_numbers_that_begin_again_are_taken_after_the_book_was_lost(how):
    old, new = Venue(30), restarted(31)
    block = live_book(old)
    send(block, old.ticker())
    if how == "a gap":
        old.step()
        assert send(block, diff(*old.step(), SECOND)) == Sync.GAP
        # The diffs that wait have the old numbers: the new ones are newer in time alone.
        assert send(block, diff(*new.step(), 9 * SECOND)) == Sync.BUFFERED
    else:
        assert send(block, feed(Kind.FEED_DOWN)) == Sync.WENT_DOWN
        assert send(block, diff(*new.step(), 9 * SECOND)) == Sync.WANT_SNAPSHOT
    assert send(block, new.snapshot()) == Sync.WENT_LIVE
    assert_live_and_equal(block, new)
    assert send(block, diff(*new.step(), 9 * SECOND + 100 * MS)) == Sync.UPDATED
    send(block, new.ticker())
    assert header(block)["agreed_count"] > 0
    assert_live_and_equal(block, new)


def test_numbers_that_begin_again_under_a_live_book_are_no_repetition():
    old, new = Venue(32), restarted(33)
    block = live_book(old)
    send(block, old.ticker())
    assert send(block, diff(*old.step(), 5 * SECOND)) == Sync.UPDATED
    wanted_count = header(block)["snapshot_wanted_count"]
    assert send(block, diff(*new.step(), 8 * SECOND)) == Sync.GAP
    assert_nothing_shown(block)
    assert header(block)["snapshot_wanted_count"] == wanted_count + 1
    assert send(block, new.snapshot()) == Sync.WENT_LIVE
    assert_live_and_equal(block, new)
    assert send(block, new.ticker()) == Sync.UPDATED
    assert send(block, diff(*new.step(), 8 * SECOND + 100 * MS)) == Sync.UPDATED
    assert_live_and_equal(block, new)


def test_a_snapshot_from_before_the_numbers_began_again_is_found_out():
    old, new = Venue(34), restarted(35)
    block = live_book(old)
    assert send(block, diff(*old.step(), 5 * SECOND)) == Sync.UPDATED
    assert send(block, diff(*new.step(), 8 * SECOND)) == Sync.GAP
    assert send(block, old.snapshot()) == Sync.WENT_LIVE  # asked for in time, come too late
    code, venue_ns = Sync.UNCHANGED, 8 * SECOND
    while code == Sync.UNCHANGED:
        venue_ns += 100 * MS
        code = send(block, diff(*new.step(), venue_ns))
    assert code == Sync.GAP
    assert venue_ns <= 8 * SECOND + sync.RENUMBERED_NS + 100 * MS
    assert send(block, new.snapshot()) == Sync.WENT_LIVE
    assert_live_and_equal(block, new)


def test_what_another_connection_repeats_is_of_the_past_and_changes_nothing():
    venue = Venue(36)
    block = live_book(venue)
    sent = []
    for index in range(50):
        sent.append((*venue.step(), (1000 + index * 100) * MS))
        assert send(block, diff(*sent[-1])) == Sync.UPDATED
    for event in sent[-30:]:
        # The clocks of the venue's machines differ by a little.
        assert send(block, diff(*event[:-1], event[-1] + 900 * MS)) == Sync.UNCHANGED
    assert_live_and_equal(block, venue)


def test_a_pushed_snapshot_makes_the_book_live_at_once_and_replaces_it_whatever_its_number():
    venue = Venue(37)
    block = BookBlock(chain=Chain.PREVIOUS_ID)
    assert send(block, pushed(venue.update_id, *venue.levels())) == Sync.WENT_LIVE
    assert_live_and_equal(block, venue)
    assert header(block)["snapshot_wanted_count"] == 0
    assert send(block, diff(*venue.step())) == Sync.UPDATED
    new = restarted(38)
    assert send(block, pushed(new.update_id, *new.levels())) == Sync.UPDATED
    assert_live_and_equal(block, new)
    assert send(block, diff(*new.step())) == Sync.UPDATED
    assert_live_and_equal(block, new)


def test_a_pushed_snapshot_heals_a_gap_and_forgets_what_waited():
    venue = Venue(39)
    block = BookBlock(chain=Chain.PREVIOUS_ID)
    send(block, pushed(venue.update_id, *venue.levels()))
    venue.step()
    assert send(block, diff(*venue.step())) == Sync.GAP
    assert_nothing_shown(block)
    assert header(block)["snapshot_wanted_count"] == 1
    assert send(block, diff(*venue.step())) == Sync.BUFFERED
    assert send(block, pushed(venue.update_id, *venue.levels())) == Sync.WENT_LIVE
    assert header(block)["pending_count"] == 0
    assert_live_and_equal(block, venue)


def test_a_chain_of_exact_numbers_has_no_repetitions():
    venue = Venue(40)
    block = BookBlock(chain=Chain.PREVIOUS_ID)
    send(block, pushed(venue.update_id, *venue.levels()))
    event = venue.step()
    assert send(block, diff(*event)) == Sync.UPDATED
    assert send(block, diff(*event)) == Sync.GAP
    assert_nothing_shown(block)


def test_a_book_whose_snapshots_are_pushed_is_not_refreshed():
    venue = Venue(41)
    block = BookBlock()
    send(block, pushed(venue.update_id, *venue.levels()))
    sync.begin_refresh(block.address)
    assert header(block)["snapshot_wanted_count"] == header(block)["is_refreshing"] == 0


def test_a_pushed_snapshot_that_is_not_well_formed_makes_the_book_invalid():
    venue = Venue(42)
    block = BookBlock()
    send(block, pushed(venue.update_id, *venue.levels()))
    assert send(block, pushed(venue.update_id + 1, [(100, -1)], [])) == Sync.REFUSED
    assert_nothing_shown(block)


@settings(max_examples=60, print_blob=True)
@given(
    st.integers(0, 2**32),
    st.lists(
        st.sampled_from(["diff"] * 8 + ["lose", "repeat", "swap", "snapshot", "old", "down"]),
        max_size=60,
    ),
)
def test_any_stream_gives_the_twins_validity_and_levels(seed, events):
    venue, block, twin = Venue(seed), BookBlock(), Twin()
    sent, snapshots = [venue.step()], []

    def give(event):
        send(block, diff(*event))
        twin.on_diff(event)

    for event in events:
        if event == "diff":
            sent.append(venue.step())
            give(sent[-1])
        elif event == "lose":
            venue.step()
        elif event == "repeat":
            give(venue.random.choice(sent))
        elif event == "swap":
            first, second = venue.step(), venue.step()
            give(second)
            give(first)
        elif event == "down":
            send(block, feed(Kind.FEED_DOWN))
            twin.forget()
        else:
            snapshots.append((venue.update_id, *venue.levels()))
            chosen = snapshots[-1] if event == "snapshot" else venue.random.choice(snapshots)
            send(block, snapshot(*chosen))
            twin.on_snapshot(*chosen)
        assert sync.is_valid(block.address) == twin.is_live
        if twin.is_live:
            assert header(block)["update_id"] == twin.update_id
            bids, asks = twin.levels
            assert levels_of(block) == (sorted(bids.items(), reverse=True), sorted(asks.items()))
    assert header(block)["mismatch_count"] == header(block)["refused_count"] == 0
