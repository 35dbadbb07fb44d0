"""When a book is true, against a slow twin of the venue's rules, on streams that go wrong."""

import pytest
from builders import (
    BookBlock,
    diff,
    feed,
    partial,
    record_of,
    snapshot,
    ticker,
)
from builders import Message as Bytes
from hypothesis import given, settings
from hypothesis import strategies as st
from made_venue import (
    Twin,
    Venue,
    assert_live_and_equal,
    assert_nothing_shown,
    header,
    levels_of,
    live_book,
    send,
    touch_of,
)

from ipc.memory import record_at
from vortex.books import sync
from vortex.books.book import BOOK
from vortex.books.sync import Sync
from vortex.codes import BookState, Kind
from vortex.records import TRADE

BOOK_DTYPE = BOOK.dtype


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
    assert sync.is_valid(record_at(block.address, BOOK_DTYPE))
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
    sync.begin_refresh(record_at(block.address, BOOK_DTYPE))
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
    sync.begin_refresh(record_at(block.address, BOOK_DTYPE))
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
    sync.begin_refresh(record_at(block.address, BOOK_DTYPE))
    assert send(block, old) == Sync.UNCHANGED
    assert header(block)["snapshot_stale_count"] == 1
    assert_live_and_equal(block, venue)


def test_trades_do_not_concern_the_book():
    block = BookBlock()
    trade = Bytes([record_of(TRADE, kind=Kind.TRADE)])
    before = block.array.copy()
    assert send(block, trade) == Sync.UNCHANGED
    assert (block.array == before).all()


def test_the_touch_has_state_and_counts_and_keeps_version_and_stamps():
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
        assert sync.is_valid(record_at(block.address, BOOK_DTYPE)) == twin.is_live
        if twin.is_live:
            assert header(block)["update_id"] == twin.update_id
            bids, asks = twin.levels
            assert levels_of(block) == (sorted(bids.items(), reverse=True), sorted(asks.items()))
    assert header(block)["mismatch_count"] == header(block)["refused_count"] == 0
