"""Numbers that begin again, and snapshots that a venue pushes: what replaces a book, and when."""

import pytest
from builders import (
    BookBlock,
    diff,
    feed,
    pushed,
)
from made_venue import (
    MS,
    SECOND,
    Venue,
    assert_live_and_equal,
    assert_nothing_shown,
    header,
    live_book,
    send,
)

from ipc.memory import record_at
from vortex.books import sync
from vortex.books.book import BOOK
from vortex.books.sync import Sync
from vortex.codes import Chain, Kind

BOOK_DTYPE = BOOK.dtype


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
    sync.begin_refresh(record_at(block.address, BOOK_DTYPE))
    assert header(block)["snapshot_wanted_count"] == header(block)["is_refreshing"] == 0


def test_a_pushed_snapshot_that_is_not_well_formed_makes_the_book_invalid():
    venue = Venue(42)
    block = BookBlock()
    send(block, pushed(venue.update_id, *venue.levels()))
    assert send(block, pushed(venue.update_id + 1, [(100, -1)], [])) == Sync.REFUSED
    assert_nothing_shown(block)
