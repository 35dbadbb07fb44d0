"""The states of a book as a table: what each message does in each state.

``RECORDS.md`` draws it; a test gives a book every message in every state and compares.  The
compiled rules are in ``sync``.
"""

from enum import Enum
from typing import NamedTuple

from vortex.books.sync import Sync


class SyncState(Enum):
    """How far a book is: ``codes.BookState``, of which BUFFERING is two."""

    EMPTY = "nothing is known"
    BUFFERING = "diffs wait for a snapshot"
    LOADED = "a snapshot waits for a diff (BUFFERING)"
    LIVE = "the levels are what the venue has"


class BookMessage(Enum):
    """What a message is to a book in its state."""

    NEXT_DIFF = "diff that follows"
    REPEATED_DIFF = "diff that was seen"
    GAP_DIFF = "diff behind a gap"
    RENUMBERED_DIFF = "diff of new numbers"
    NEWER_SNAPSHOT = "snapshot that reaches the diffs"
    OLDER_SNAPSHOT = "snapshot that does not"
    PUSHED_SNAPSHOT = "pushed snapshot"
    OTHER_TICKER = "ticker that differs"
    MALFORMED = "malformed message"
    FEED_DOWN = "end of the connection"


class SyncRule(NamedTuple):
    """One row: in a state a message leads to another state; ``code`` is what ``sync`` returns."""

    state: SyncState
    message: BookMessage
    then: SyncState
    code: Sync


_EMPTY, _BUFFERING, _LOADED, _LIVE = SyncState

# fmt: off
SYNC_TABLE = (
    SyncRule(_EMPTY,     BookMessage.NEXT_DIFF,       _BUFFERING, Sync.WANT_SNAPSHOT),
    SyncRule(_EMPTY,     BookMessage.NEWER_SNAPSHOT,  _LOADED,    Sync.BUFFERED),
    SyncRule(_EMPTY,     BookMessage.PUSHED_SNAPSHOT, _LIVE,      Sync.WENT_LIVE),
    SyncRule(_EMPTY,     BookMessage.MALFORMED,       _BUFFERING, Sync.REFUSED),
    SyncRule(_EMPTY,     BookMessage.FEED_DOWN,       _EMPTY,     Sync.WENT_DOWN),
    SyncRule(_BUFFERING, BookMessage.NEXT_DIFF,       _BUFFERING, Sync.BUFFERED),
    SyncRule(_BUFFERING, BookMessage.REPEATED_DIFF,   _BUFFERING, Sync.UNCHANGED),
    SyncRule(_BUFFERING, BookMessage.GAP_DIFF,        _BUFFERING, Sync.BUFFERED),
    SyncRule(_BUFFERING, BookMessage.RENUMBERED_DIFF, _BUFFERING, Sync.BUFFERED),
    SyncRule(_BUFFERING, BookMessage.NEWER_SNAPSHOT,  _LIVE,      Sync.WENT_LIVE),
    SyncRule(_BUFFERING, BookMessage.OLDER_SNAPSHOT,  _BUFFERING, Sync.WANT_SNAPSHOT),
    SyncRule(_BUFFERING, BookMessage.PUSHED_SNAPSHOT, _LIVE,      Sync.WENT_LIVE),
    SyncRule(_BUFFERING, BookMessage.MALFORMED,       _BUFFERING, Sync.REFUSED),
    SyncRule(_BUFFERING, BookMessage.FEED_DOWN,       _EMPTY,     Sync.WENT_DOWN),
    SyncRule(_LOADED,    BookMessage.NEXT_DIFF,       _LIVE,      Sync.WENT_LIVE),
    SyncRule(_LOADED,    BookMessage.REPEATED_DIFF,   _LIVE,      Sync.WENT_LIVE),
    SyncRule(_LOADED,    BookMessage.GAP_DIFF,        _BUFFERING, Sync.WANT_SNAPSHOT),
    SyncRule(_LOADED,    BookMessage.NEWER_SNAPSHOT,  _LOADED,    Sync.BUFFERED),
    SyncRule(_LOADED,    BookMessage.OLDER_SNAPSHOT,  _LOADED,    Sync.UNCHANGED),
    SyncRule(_LOADED,    BookMessage.PUSHED_SNAPSHOT, _LIVE,      Sync.WENT_LIVE),
    SyncRule(_LOADED,    BookMessage.MALFORMED,       _BUFFERING, Sync.REFUSED),
    SyncRule(_LOADED,    BookMessage.FEED_DOWN,       _EMPTY,     Sync.WENT_DOWN),
    SyncRule(_LIVE,      BookMessage.NEXT_DIFF,       _LIVE,      Sync.UPDATED),
    SyncRule(_LIVE,      BookMessage.REPEATED_DIFF,   _LIVE,      Sync.UNCHANGED),
    SyncRule(_LIVE,      BookMessage.GAP_DIFF,        _BUFFERING, Sync.GAP),
    SyncRule(_LIVE,      BookMessage.RENUMBERED_DIFF, _BUFFERING, Sync.GAP),
    SyncRule(_LIVE,      BookMessage.NEWER_SNAPSHOT,  _LIVE,      Sync.UPDATED),
    SyncRule(_LIVE,      BookMessage.OLDER_SNAPSHOT,  _LIVE,      Sync.UNCHANGED),
    SyncRule(_LIVE,      BookMessage.PUSHED_SNAPSHOT, _LIVE,      Sync.UPDATED),
    SyncRule(_LIVE,      BookMessage.OTHER_TICKER,    _BUFFERING, Sync.MISMATCH),
    SyncRule(_LIVE,      BookMessage.MALFORMED,       _BUFFERING, Sync.REFUSED),
    SyncRule(_LIVE,      BookMessage.FEED_DOWN,       _EMPTY,     Sync.WENT_DOWN),
)
# fmt: on


def drawing() -> str:
    """Return the states and what leads from one to another, as a diagram of Mermaid."""
    leads: dict[tuple[SyncState, SyncState], list[str]] = {}
    for rule in SYNC_TABLE:
        if rule.state != rule.then:
            leads.setdefault((rule.state, rule.then), []).append(rule.message.value)
    lines = ["stateDiagram-v2", "    [*] --> EMPTY"]
    lines += [f"    {state.name}: {state.name}<br>{state.value}" for state in SyncState]
    for (state, then), messages in leads.items():
        lines.append(f"    {state.name} --> {then.name}: {'<br>'.join(messages)}")
    return "\n".join(lines)
