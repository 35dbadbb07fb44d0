"""A log that compiled code writes: one record of 64 bytes an event, its text elsewhere.

An event is declared once, with its text; its number stands in the record, with up to six integers
that belong into the text.  Nothing is formatted by who tells: readers look on at the ring, which is
overwritten, so a slow reader or none costs the writer nothing.  The ring is shared memory and
outlives its writer: what a process told before it was killed is still there.

A storm must not bury the rest: of each event ``BURST_COUNT`` are told in a window of a second, the
others are counted in ``TOLD``, which observers read in place.

*Source:* the split of text and arguments is NanoLog's (Yang, Park, Ousterhout, USENIX ATC 2018).
"""

import hashlib
import logging
import string
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ipc import ring
from ipc.atomics import load_relaxed, store_relaxed
from ipc.compiled import compiled
from ipc.layout import Field, Layout, reserved
from ipc.memory import record_at

WORD_COUNT = 6
#: An event's number is a hash of its text above these bits, and below them its place.
PLACE_BITS = 8
EVENT_COUNT_MAX = 1 << PLACE_BITS
HASH_BITS = 31

WINDOW_NS = 1_000_000_000
BURST_COUNT = 20

LOG = Layout(
    "log",
    "One event that a hot loop told.",
    Field("publish_ns", "i8", "when it happened, by the stamp that the loop had in hand"),
    Field("event_id", "i8", "its number; see log.Catalogue"),
    Field("words", "i8", "what belongs into its text; zero beyond", (WORD_COUNT,)),
)

TOLD = Layout(
    "told",
    "How often one event was told, by its place in the catalogue.",
    Field("event_id", "i8", "its number; 0 when it never came"),
    Field("told_count", "i8", "records written"),
    Field("suppressed_count", "i8", "records not written, because there were too many"),
    Field("last_ns", "i8", "when it last came, written or not"),
    Field("window_begin_ns", "i8", "when the window began"),
    Field("window_count", "i8", "records written in it"),
    reserved(16),
)

LOGGER = Layout(
    "logger",
    "What a loop tells its events to; in its own memory.",
    Field("ring_address", "i8", "handle of the ring of LOG records"),
    Field("told_address", "i8", "table of TOLD records"),
    multiple_bytes=8,
)

LOG_DTYPE = LOG.dtype
TOLD_DTYPE = TOLD.dtype
TOLD_BYTES = TOLD.dtype.itemsize
LOGGER_DTYPE = LOGGER.dtype
EVENT_BYTES = TOLD.offset_bytes("event_id")
LAST_BYTES = TOLD.offset_bytes("last_ns")
TOLD_COUNT_BYTES = TOLD.offset_bytes("told_count")
SUPPRESSED_BYTES = TOLD.offset_bytes("suppressed_count")


@dataclass(frozen=True)
class LogEvent:
    """What is declared of an event; ``kinds`` says what each of its words is."""

    number: int
    level: int
    text: str
    kinds: tuple[str, ...]

    def line(self, words: Iterable[str]) -> str:
        """Return the text with the words filled in."""
        parts = string.Formatter().parse(self.text)
        filled = iter(words)
        return "".join(
            text + (next(filled, "?") if kind is not None else "") for text, kind, _, _ in parts
        )


class Catalogue:
    """The events of a program, by number; all are declared in one place, so numbers are stable.

    ``kinds`` are the kinds of words that a text may name in braces; ``{}`` is a plain integer.
    """

    def __init__(self, kinds: Collection[str] = ()) -> None:
        self.kinds = {"", *kinds}
        self.events: dict[int, LogEvent] = {}

    def event(self, level: int, text: str) -> int:
        """Declare an event; return its number.

        Raises
        ------
        ValueError
            When the text names an unknown kind or too many words, or was declared before.
        """
        kinds = tuple(kind for _, kind, _, _ in string.Formatter().parse(text) if kind is not None)
        if unknown := set(kinds) - self.kinds:
            raise ValueError(f"{text!r} names words of no known kind: {', '.join(unknown)}")
        if len(kinds) > WORD_COUNT:
            raise ValueError(f"{text!r} has more than {WORD_COUNT} words")
        if any(event.text == text for event in self.events.values()):
            raise ValueError(f"{text!r} is declared twice")
        if len(self.events) == EVENT_COUNT_MAX:
            raise ValueError(f"{text!r} is one more than {EVENT_COUNT_MAX} events")
        number = _hash(text) << PLACE_BITS | len(self.events)
        self.events[number] = LogEvent(number, level, text, kinds)
        return number

    def info(self, text: str) -> int:
        """Declare an event of daily life."""
        return self.event(logging.INFO, text)

    def warning(self, text: str) -> int:
        """Declare an event that one should know of."""
        return self.event(logging.WARNING, text)

    def error(self, text: str) -> int:
        """Declare an event that somebody should see to."""
        return self.event(logging.ERROR, text)


def _hash(text: str) -> int:
    """Return a number for a text, the same in every process; never 0."""
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") % ((1 << HASH_BITS) - 1) + 1


@compiled
def count_one(address: int) -> None:
    """Add one to a word that others read; only its owner calls this."""
    store_relaxed(address, load_relaxed(address) + 1)


@compiled
def admit(told_address: int, event_id: int, now_ns: int) -> bool:
    """Count an event; return whether it is told, or there were too many in its window."""
    address = told_address + (event_id & (EVENT_COUNT_MAX - 1)) * TOLD_BYTES
    told = record_at(address, TOLD_DTYPE)
    store_relaxed(address + EVENT_BYTES, event_id)
    store_relaxed(address + LAST_BYTES, now_ns)
    if now_ns - told.window_begin_ns >= WINDOW_NS:
        told.window_begin_ns = now_ns
        told.window_count = 0
    if told.window_count >= BURST_COUNT:
        count_one(address + SUPPRESSED_BYTES)
        return False
    told.window_count += 1
    count_one(address + TOLD_COUNT_BYTES)
    return True


@compiled
def tell(
    logger_address: int,
    event_id: int,
    now_ns: int,
    first: int = 0,
    second: int = 0,
    third: int = 0,
    fourth: int = 0,
    fifth: int = 0,
    sixth: int = 0,
) -> None:
    """Tell observers of one event; a logger at 0 tells nobody."""
    if logger_address == 0:
        return
    logger = record_at(logger_address, LOGGER_DTYPE)
    if not admit(logger.told_address, event_id, now_ns):
        return
    slot_address = ring.claim(logger.ring_address)
    if slot_address == 0:
        return
    record = record_at(slot_address, LOG_DTYPE)
    record.event_id = event_id
    record.words[0] = first
    record.words[1] = second
    record.words[2] = third
    record.words[3] = fourth
    record.words[4] = fifth
    record.words[5] = sixth
    ring.append(logger.ring_address, 1)
    ring.commit(logger.ring_address, now_ns)
