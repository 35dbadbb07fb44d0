"""When a book is true: the rules that join a snapshot and the diffs around it.

EMPTY       nothing is known; the first diff asks for a snapshot
BUFFERING   diffs are kept until a snapshot comes that reaches them
LIVE        a snapshot is loaded and the diffs were seen to go on from it without a gap

Live means both: a snapshot with last update L, and a diff that began no later than L + 1.  So a
snapshot that comes before any diff waits for one, because the stream might have begun too late.
A snapshot that the venue pushes on the stream itself (``is_reset``) is in order with the diffs: it
replaces the book, whatever its number, and makes it live.

Venues restart their numbers.  A diff whose number is not newer is a repetition, as a second
connection brings it, unless its time is newer by ``RENUMBERED_NS``: then the numbers have begun
again, and the levels are not what the diffs go on from.  After that, as after a gap or a
connection that was lost, a snapshot of any number is taken.
Whatever contradicts the levels (a gap, a ticker or partial book that differs at the same update,
bids that meet asks) makes the book invalid at once and counts one more wanted snapshot: the owner
watches ``snapshot_wanted_count`` and fetches, as slowly as its budget says.

A ticker newer than the levels tells the touch, but is never written into them.

*Source:* Binance, "How to manage a local order book correctly" (web-socket-streams.md).  That text
asks to fetch again when lastUpdateId < U of the first diff; lastUpdateId == U - 1 joins as well.
"""

from enum import IntEnum

from ipc.compiled import compiled
from ipc.memory import copy_bytes, load_byte, record_at
from ipc.types import Record
from vortex.books.agreement import is_crossed, partial_agrees, ticker_agrees
from vortex.books.book import (
    BOOK_DTYPE,
    DEPTH_DTYPE,
    apply_levels,
    best_ask,
    best_bid,
    clear_book,
    is_well_formed,
    level_count,
    level_lots,
    load_levels,
    pending_address,
)
from vortex.codes import BookState, Chain, Kind, Side
from vortex.records import MARKET_SLOT_BYTES, TICKER, TOUCH

#: By how much a repeated number must be newer in time to be a new number.  Repetitions of another
#: connection are of the past; only a stream that is so far behind a snapshot resyncs for nothing.
RENUMBERED_NS = 2_000_000_000

TICKER_DTYPE = TICKER.dtype
TOUCH_DTYPE = TOUCH.dtype


class Sync(IntEnum):
    """What a message did to the book."""

    UNCHANGED = 0  # nothing in it is new
    UPDATED = 1  # live, and the levels or the touch may have changed
    WENT_LIVE = 2
    BUFFERED = 3  # kept; the book is not live yet
    WANT_SNAPSHOT = 4  # not live, and one more snapshot is wanted
    GAP = 5  # updates are missing: a live book became invalid, a snapshot is wanted
    MISMATCH = 6  # the venue contradicts the levels: invalid, a snapshot is wanted
    OVERFLOW = 7  # too many diffs waited: forgotten, a snapshot is wanted
    REFUSED = 8  # the message was not well formed: invalid, a snapshot is wanted
    WENT_DOWN = 9  # the feed is down: invalid, the first diff after it wants a snapshot


@compiled
def is_valid(book: Record) -> bool:
    """Return whether the levels are what the venue has."""
    return bool(book.state == BookState.LIVE)


@compiled
def forget(book_address: int) -> None:
    """Forget levels, ticker and waiting diffs, as when the records' writer began a new life."""
    clear_book(book_address)
    book = record_at(book_address, BOOK_DTYPE)
    book.state = BookState.EMPTY
    book.is_refreshing = 0
    book.ticker_update_id = 0
    book.venue_ns = 0
    forget_pending(book)


@compiled
def forget_pending(book: Record) -> None:
    """Forget the diffs that wait for a snapshot."""
    book.pending_count = 0
    book.pending_first_id = 0
    book.pending_last_id = 0


@compiled
def restart(book_address: int) -> None:
    """Forget everything and want a snapshot; diffs are kept from now on."""
    forget(book_address)
    book = record_at(book_address, BOOK_DTYPE)
    book.state = BookState.BUFFERING
    book.snapshot_wanted_count += 1


@compiled
def refuse(book_address: int) -> int:
    """Restart because of a message that is not well formed."""
    restart(book_address)
    record_at(book_address, BOOK_DTYPE).refused_count += 1
    return Sync.REFUSED


@compiled
def begin_refresh(book: Record) -> None:
    """Want a fresh snapshot of a live book, which stays live; no effect on any other.

    Levels beyond the snapshot are only learnt when they change, so a book that trends away from it
    should be refreshed every few minutes.  A pushed snapshot holds all levels that the stream has.
    """
    if book.state == BookState.LIVE and book.is_pushed == 0:
        forget_pending(book)
        book.pending_first_id = book.update_id + 1
        book.is_refreshing = 1
        book.snapshot_wanted_count += 1


@compiled
def keep_diff(book_address: int, head_address: int) -> bool:
    """Copy a diff behind those that wait for a snapshot; return False when there is no room."""
    book = record_at(book_address, BOOK_DTYPE)
    head = record_at(head_address, DEPTH_DTYPE)
    record_count = int(head.record_count) + 1
    if book.pending_count + record_count > book.pending_capacity:
        return False
    target_address = pending_address(book_address) + int(book.pending_count) * MARKET_SLOT_BYTES
    copy_bytes(target_address, head_address, record_count * MARKET_SLOT_BYTES)
    if book.pending_count == 0:
        book.pending_first_id = head.first_update_id
    book.pending_count += record_count
    book.pending_last_id = head.last_update_id
    book.venue_ns = head.venue_ns
    return True


@compiled
def apply_diff(book_address: int, head_address: int) -> bool:
    """Set the levels of a diff and take its number; False, and no change, if not well formed."""
    if not apply_levels(book_address, head_address):
        return False
    book = record_at(book_address, BOOK_DTYPE)
    head = record_at(head_address, DEPTH_DTYPE)
    book.update_id = head.last_update_id
    book.venue_ns = head.venue_ns
    book.update_count += 1
    return True


@compiled
def replay_pending(book_address: int) -> None:
    """Apply the diffs that waited and are newer than the snapshot, then forget them."""
    book = record_at(book_address, BOOK_DTYPE)
    head_address = pending_address(book_address)
    end_address = head_address + int(book.pending_count) * MARKET_SLOT_BYTES
    while head_address < end_address:
        head = record_at(head_address, DEPTH_DTYPE)
        if head.last_update_id > book.update_id:
            apply_diff(book_address, head_address)
        head_address += (int(head.record_count) + 1) * MARKET_SLOT_BYTES
    forget_pending(book)
    book.is_refreshing = 0


@compiled
def mismatch(book_address: int) -> int:
    """Restart because the venue contradicts the levels."""
    restart(book_address)
    record_at(book_address, BOOK_DTYPE).mismatch_count += 1
    return Sync.MISMATCH


@compiled
def confirm(book_address: int, code: int) -> int:
    """Return ``code`` when nothing contradicts the live levels, else restart."""
    if is_crossed(book_address):
        return mismatch(book_address)
    book = record_at(book_address, BOOK_DTYPE)
    if book.ticker_update_id == book.update_id and book.ticker_update_id != 0:
        if not ticker_agrees(book_address):
            return mismatch(book_address)
        book.agreed_count += 1
    return code


@compiled
def go_live(book_address: int) -> int:
    """Make the loaded book live, unless something contradicts it already."""
    book = record_at(book_address, BOOK_DTYPE)
    code = Sync.UPDATED
    if book.state != BookState.LIVE:
        code = Sync.WENT_LIVE
        book.live_count += 1
    book.state = BookState.LIVE
    return confirm(book_address, code)


@compiled
def is_gap(book: Record, head: Record, last_id: int) -> bool:
    """Return whether updates are missing between ``last_id`` and a diff.

    So it is too when the numbers have begun again.
    """
    if head.first_update_id > last_id + 1:
        return True
    if book.chain == Chain.PREVIOUS_ID:
        return bool(head.first_update_id != last_id + 1)
    is_repeated = head.last_update_id <= last_id
    return bool(
        is_repeated and book.venue_ns != 0 and head.venue_ns > book.venue_ns + RENUMBERED_NS
    )


@compiled
def buffer_diff(book_address: int, head_address: int) -> int:
    """Keep a diff for the snapshot to come.

    After a gap only the diffs behind it are kept: a snapshot must reach those anyway.
    """
    book = record_at(book_address, BOOK_DTYPE)
    head = record_at(head_address, DEPTH_DTYPE)
    if not is_well_formed(head_address):
        return refuse(book_address)
    if book.pending_count > 0 and is_gap(book, head, book.pending_last_id):
        book.gap_count += 1
        forget_pending(book)
    elif book.pending_count > 0 and head.last_update_id <= book.pending_last_id:
        book.ignored_count += 1
        return Sync.UNCHANGED
    if not keep_diff(book_address, head_address):
        restart(book_address)
        book.pending_overflow_count += 1
        keep_diff(book_address, head_address)
        return Sync.OVERFLOW
    if book.state == BookState.EMPTY:
        book.state = BookState.BUFFERING
        book.snapshot_wanted_count += 1
        return Sync.WANT_SNAPSHOT
    return Sync.BUFFERED


@compiled
def advance(book_address: int, head_address: int) -> int:
    """Apply a diff to a live book: the next one, none of it old, or a gap."""
    book = record_at(book_address, BOOK_DTYPE)
    head = record_at(head_address, DEPTH_DTYPE)
    if is_gap(book, head, book.update_id):
        book.gap_count += 1
        restart(book_address)
        buffer_diff(book_address, head_address)
        return Sync.GAP
    if head.last_update_id <= book.update_id:
        book.ignored_count += 1
        return Sync.UNCHANGED
    if not apply_diff(book_address, head_address):
        return refuse(book_address)
    if book.is_refreshing != 0 and not keep_diff(book_address, head_address):
        book.pending_overflow_count += 1
        forget_pending(book)
        book.is_refreshing = 0
    return confirm(book_address, Sync.UPDATED)


@compiled
def join_first(book_address: int, head_address: int) -> int:
    """Meet the first diff after a snapshot that waited for one."""
    book = record_at(book_address, BOOK_DTYPE)
    head = record_at(head_address, DEPTH_DTYPE)
    if head.first_update_id > book.update_id + 1:
        book.snapshot_stale_count += 1
        restart(book_address)
        buffer_diff(book_address, head_address)
        return Sync.WANT_SNAPSHOT
    if head.last_update_id > book.update_id and not apply_diff(book_address, head_address):
        return refuse(book_address)
    return go_live(book_address)


@compiled
def on_depth(book_address: int, head_address: int) -> int:
    """Take a diff; return what it did (``Sync``)."""
    book = record_at(book_address, BOOK_DTYPE)
    head = record_at(head_address, DEPTH_DTYPE)
    if head.first_update_id > head.last_update_id:
        return refuse(book_address)
    if book.state == BookState.LIVE:
        return advance(book_address, head_address)
    if book.is_loaded != 0:
        return join_first(book_address, head_address)
    return buffer_diff(book_address, head_address)


@compiled
def on_pushed(book_address: int, head_address: int) -> int:
    """Take a snapshot of the stream itself: it replaces the book, whatever its number."""
    book = record_at(book_address, BOOK_DTYPE)
    head = record_at(head_address, DEPTH_DTYPE)
    if not load_levels(book_address, head_address):
        return refuse(book_address)
    forget_pending(book)
    book.is_refreshing = 0
    book.ticker_update_id = 0
    book.is_loaded = 1
    book.is_pushed = 1
    book.update_id = head.last_update_id
    book.venue_ns = head.venue_ns
    return go_live(book_address)


@compiled
def on_snapshot(book_address: int, head_address: int) -> int:
    """Take a snapshot; return what it did (``Sync``).

    A live book that did not ask for one takes it only when it is newer than the levels.
    """
    book = record_at(book_address, BOOK_DTYPE)
    head = record_at(head_address, DEPTH_DTYPE)
    if head.is_reset != 0:
        return on_pushed(book_address, head_address)
    snapshot_id = head.last_update_id
    if book.is_loaded != 0 and book.is_refreshing == 0 and snapshot_id <= book.update_id:
        book.ignored_count += 1
        return Sync.UNCHANGED
    if snapshot_id < book.pending_first_id - 1:
        book.snapshot_stale_count += 1
        book.snapshot_wanted_count += 1
        return Sync.UNCHANGED if is_valid(book) else Sync.WANT_SNAPSHOT
    if not load_levels(book_address, head_address):
        return refuse(book_address)
    book.update_id = snapshot_id
    book.is_loaded = 1
    if book.pending_count == 0 and book.state != BookState.LIVE:
        book.state = BookState.BUFFERING
        return Sync.BUFFERED
    replay_pending(book_address)
    return go_live(book_address)


@compiled
def on_partial(book_address: int, head_address: int) -> int:
    """Compare the top levels with ours where both show the same update; never write them."""
    book = record_at(book_address, BOOK_DTYPE)
    head = record_at(head_address, DEPTH_DTYPE)
    if not is_well_formed(head_address):
        return refuse(book_address)
    if not is_valid(book) or head.last_update_id != book.update_id:
        return Sync.UNCHANGED
    if not partial_agrees(book_address, head_address):
        return mismatch(book_address)
    book.agreed_count += 1
    return Sync.UNCHANGED


@compiled
def on_ticker(book_address: int, ticker_address: int) -> int:
    """Keep the ticker of the largest update id beside the levels, and compare where it can be."""
    book = record_at(book_address, BOOK_DTYPE)
    ticker = record_at(ticker_address, TICKER_DTYPE)
    if ticker.update_id <= book.ticker_update_id:
        book.ignored_count += 1
        return Sync.UNCHANGED
    book.ticker_update_id = ticker.update_id
    book.ticker_bid_ticks = ticker.bid_ticks
    book.ticker_bid_lots = ticker.bid_lots
    book.ticker_ask_ticks = ticker.ask_ticks
    book.ticker_ask_lots = ticker.ask_lots
    if not is_valid(book) or ticker.update_id < book.update_id:
        return Sync.UNCHANGED
    return confirm(book_address, Sync.UPDATED)


@compiled
def on_message(book_address: int, record_address: int) -> int:
    """Take any market record of this instrument; return what it did (``Sync``).

    The LEVELS records of a message follow its head in memory; trades do not concern the book.
    """
    kind = load_byte(record_address)
    if kind == Kind.DEPTH:
        return on_depth(book_address, record_address)
    if kind == Kind.TICKER:
        return on_ticker(book_address, record_address)
    if kind == Kind.SNAPSHOT:
        return on_snapshot(book_address, record_address)
    if kind == Kind.PARTIAL:
        return on_partial(book_address, record_address)
    if kind == Kind.FEED_DOWN:
        forget(book_address)
        record_at(book_address, BOOK_DTYPE).down_count += 1
        return Sync.WENT_DOWN
    return Sync.UNCHANGED


@compiled
def touch_into(book_address: int, touch: Record) -> None:
    """Fill prices, validity, update and counts of a TOUCH; its version, epoch and stamps stay.

    The prices are the ticker's when it is newer than the levels, and 0 when the book is not valid.
    """
    book = record_at(book_address, BOOK_DTYPE)
    is_live = is_valid(book)
    is_ahead = is_live and book.ticker_update_id > book.update_id
    touch.is_valid = 1 if is_live else 0
    touch.state = book.state
    touch.update_id = book.ticker_update_id if is_ahead else book.update_id
    touch.snapshot_wanted_count = book.snapshot_wanted_count
    touch.gap_count = book.gap_count
    touch.update_count = book.update_count
    touch.bid_level_count = level_count(book_address, Side.BUY)
    touch.ask_level_count = level_count(book_address, Side.SELL)
    if is_ahead:
        touch.bid_ticks = book.ticker_bid_ticks
        touch.bid_lots = book.ticker_bid_lots
        touch.ask_ticks = book.ticker_ask_ticks
        touch.ask_lots = book.ticker_ask_lots
        return
    touch.bid_ticks = best_bid(book_address) if is_live else 0
    touch.bid_lots = level_lots(book_address, Side.BUY, 0) if is_live else 0
    touch.ask_ticks = best_ask(book_address) if is_live else 0
    touch.ask_lots = level_lots(book_address, Side.SELL, 0) if is_live else 0
